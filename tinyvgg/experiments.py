"""Studies: a profile, a source of faces and a seed, and the networks that belong to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from tinyvgg.faces import Faces, Split, load_faces, split
from tinyvgg.parameters import check_study
from tinyvgg.runs import Experiment, Run, train_or_load
from tinyvgg.settings import Design, Recipe, changed, check_settings
from tinyvgg.training.watching import Watcher


@dataclass(frozen=True)
class Profile:
    """Everything about a run but its source of faces and its seed.

    Attributes:
        name: what it is called on the command line.
        size: side of the images in pixels.
        subjects: how many synthetic subjects; None for all 67.
        epochs: by task; for ``class`` the fewest.
        class_steps: a folder of classes is trained for this many steps at least, since small
            folders have few steps an epoch.
        batch: images a step.
        rate: learning rate.
        maps: feature maps of every convolution.
        dense: neurons of the hidden dense layers.
    """

    name: str
    size: int
    subjects: int | None
    epochs: Mapping[str, int]
    class_steps: int
    batch: int = 12
    rate: float = 0.01
    maps: int = 32
    dense: tuple[int, ...] = (1024, 512, 256)

    def recipe(self, task: str, images: int) -> Recipe:
        """The training settings of a task with that many training images."""
        epochs, batch = self.epochs[task], self.batch
        if task == "class":
            batch = min(batch, images)
            steps = -(-images // batch)
            epochs = max(epochs, -(-self.class_steps // steps))
        return Recipe(epochs=epochs, batch=batch, rate=self.rate)


def _epochs(subject: int, emotion: int) -> Mapping[str, int]:
    by_task = {"subject": subject, "emotion": emotion, "class": subject}
    return MappingProxyType(by_task)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "smoke",
                size=32,
                subjects=4,
                epochs=_epochs(12, 24),
                class_steps=100,
                rate=0.05,
                maps=16,
                dense=(128, 64, 32),
            ),
            Profile("quick", size=64, subjects=None, epochs=_epochs(24, 40), class_steps=3000),
            Profile("paper", size=224, subjects=None, epochs=_epochs(100, 100), class_steps=20_000),
        )
    }
)


@dataclass(frozen=True)
class Study:
    """One profile, one source of faces, one seed: what a notebook works on.

    Attributes:
        profile: size, recipe, network.
        source: of the faces.
        seed: of split, initial weights and batch order.
        progress: whether to show progress bars.
        settings: where its networks differ from the profile's (`tinyvgg.settings.DEFAULTS`).
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
        faces: ``synthetic`` or ``folder:PATH``.
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
