"""Studies: a profile, a source of faces and a seed, and the networks that belong to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tinyvgg.faces import Faces, Split, load_faces, split
from tinyvgg.parameters import check_study
from tinyvgg.profiles import PROFILES as PROFILES
from tinyvgg.profiles import Profile as Profile
from tinyvgg.runs import Experiment, Run
from tinyvgg.settings import Design, changed, check_settings
from tinyvgg.train_once import train_or_load
from tinyvgg.training.team import assemble, check_device
from tinyvgg.training.watching import Watcher


@dataclass(frozen=True)
class Study:
    """One profile, one source of faces, one seed: what a notebook works on.

    Attributes:
        profile: size, recipe, network.
        source: of the faces.
        seed: of split, initial weights and batch order.
        progress: whether to show progress bars.
        settings: where its networks differ from the profile's (`tinyvgg.training.Recipe`,
            `tinyvgg.settings.Design`).
        stream: whether photographs stay on disk (`tinyvgg.faces.load_faces`).
    """

    profile: Profile
    source: str
    seed: int
    progress: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    stream: bool | None = None

    @cached_property
    def faces(self) -> Faces:
        """The images at the profile's size, rendered or decoded on first use."""
        profile = self.profile
        return load_faces(
            self.source,
            profile.size,
            profile.subjects,
            progress=self.progress,
            stream=self.stream,
        )

    def varied(self, seed: int, settings: Mapping[str, Any]) -> "Study":
        """The same faces, loaded once, with another seed and other settings.

        Raises:
            UserError: a setting that does not exist, or a value it cannot have.
        """
        other = replace(self, seed=seed, settings=check_settings(settings))
        vars(other)["faces"] = self.faces
        return other

    @property
    def tasks(self) -> tuple[str, ...]:
        """Identity first and emotion last; of a folder, its classes alone."""
        return self.faces.index.tasks

    def split(self, task: str) -> Split:
        """The training and test rows of a task."""
        return split(self.faces.index, task, self.seed)

    def experiment(self, task: str) -> Experiment:
        """The description of the network of a task."""
        profile = self.profile
        recipe = profile.recipe(task, len(self.split(task).train))
        return Experiment(
            task=task,
            source=self.source,
            fingerprint=self.faces.fingerprint,
            classes=self.faces.index.classes(task),
            size=profile.size,
            maps=profile.maps,
            dense=profile.dense,
            recipe=changed(recipe, self.settings),
            seed=self.seed,
            design=changed(Design(), self.settings),
        )

    @cached_property
    def _runs(self) -> dict[str, Run]:
        return {}

    def run(self, task: str, *, device: str | None = None, watchers: Sequence[Watcher] = ()) -> Run:
        """The trained network of a task; trained on first use, loaded ever after.

        Args:
            task: what it tells.
            device: to train on; None for the best there is.
            watchers: are told how its training goes.
        """
        if task not in self._runs:
            with assemble(check_device(device)).first():
                self.faces  # noqa: B018 - rendered by one process, read by the others
            self._runs[task] = train_or_load(
                self.experiment(task),
                self.faces,
                self.progress,
                device=device,
                watchers=watchers,
            )
        return self._runs[task]


def open_study(
    profile: str = "quick",
    faces: str = "synthetic",
    seed: int = 0,
    progress: bool = True,
    settings: Mapping[str, Any] | None = None,
    stream: bool | None = None,
) -> Study:
    """The one door of the notebooks: a profile, a source of faces and a seed.

    Args:
        profile: ``smoke`` (seconds), ``quick`` (64 pixels, minutes) or ``paper`` (224 pixels).
        faces: ``synthetic``, ``synthetic:KNOB=VALUE,...`` or ``folder:PATH``; see
            `tinyvgg.faces.load_faces`.
        seed: of split, initial weights and batch order; the set of faces stays the same.
        progress: whether to show progress bars.
        settings: what to do otherwise than the profile, such as ``{"optimiser": "adam"}``.
        stream: whether photographs of a folder stay on disk and are decoded when they are asked
            for; None leaves there what would take more than half of the memory that is available.

    Raises:
        UserError: an unknown profile, source or setting, or a value it cannot have.
    """
    check_study(profile, faces, seed)
    return Study(PROFILES[profile], faces, seed, progress, check_settings(settings or {}), stream)
