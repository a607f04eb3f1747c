"""Studies: a profile, a source of faces and a seed, and the networks that belong to them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor, nn

from tinyvgg import files as paths
from tinyvgg.faces.index import Faces, load_faces
from tinyvgg.faces.sources import check_study
from tinyvgg.faces.splits import Split, hold_out, split
from tinyvgg.training import checkpoints
from tinyvgg.training import runs as run_folder
from tinyvgg.training import watching as diagnosis
from tinyvgg.training.batches import Scaling, fit_scaling, resident
from tinyvgg.training.loop import Parts, Team, assemble, check_device, predict, train
from tinyvgg.training.runs import Experiment, Run, build_model, load
from tinyvgg.training.settings import PROFILES as PROFILES
from tinyvgg.training.settings import Design, changed, check_settings
from tinyvgg.training.settings import Profile as Profile
from tinyvgg.training.watching import (
    Epoch,
    Log,
    Plan,
    ProgressBar,
    Trained,
    Watcher,
    gradients_table,
    history_table,
    timings_table,
)


def train_or_load(
    experiment: Experiment,
    faces: Faces,
    progress: bool = True,
    *,
    device: str | None = None,
    watchers: Sequence[Watcher] = (),
) -> Run:
    """The run of an experiment: loaded if it is complete, else trained from its last checkpoint.

    A second process that asks for the same experiment waits for the first and loads its result.
    Under torchrun all its processes train together.

    Args:
        experiment: its description.
        faces: its images.
        progress: whether to show a progress bar.
        device: to train on; None for the best there is.
        watchers: are told how the training goes.

    Raises:
        UserError: a device that is absent, a run folder that is damaged, of another version, or
            cannot be written, and what `tinyvgg.training.train` refuses.
    """
    folder, team = experiment.folder, assemble(check_device(device))
    if team.agree(not run_folder.is_complete(folder)):
        with _held(folder, team):
            if team.agree(not run_folder.is_complete(folder)):
                _train(experiment, faces, team, _watchers(experiment, progress, watchers, team))
        team.agree(None)
    return load(experiment, faces)


def parts(experiment: Experiment, faces: Faces) -> Parts:
    """The rows that an experiment trains on, tests on, and chooses its epoch by.

    Where it chooses by a validation part, every sixth training image of each cell is held out.
    """
    rows = split(faces.index, experiment.task, experiment.seed)
    if experiment.recipe.selection != "validation":
        return Parts(rows.train, rows.test)
    held_out = hold_out(faces.index, experiment.task, rows.train, experiment.seed)
    return Parts(np.setdiff1d(rows.train, held_out), rows.test, held_out)


def _train(experiment: Experiment, faces: Faces, team: Team, watchers: Sequence[Watcher]) -> None:
    folder, rows = experiment.folder, parts(experiment, faces)
    if team.rank == 0:
        paths.remove_leftovers(folder)
        watchers = [_Files(folder, _configuration_writer(experiment, rows)), *watchers]
    scaling = fit_scaling(experiment.design.scaling, faces, rows.train)
    model = build_model(experiment).to(team.device)
    source = resident(faces, experiment.task, team.device, scaling)
    trained = train(
        model,
        source,
        rows,
        experiment.recipe,
        experiment.seed,
        folder,
        team=team,
        watchers=watchers,
        name=experiment.name,
    )
    if team.rank == 0:
        logits, _ = predict(model, source, rows.test)
        labels = source.labels.cpu().numpy()
        originals = faces.originals.plain if faces.originals else {}
        _save(experiment, model, trained, logits, rows, labels, team, scaling, originals)
        checkpoints.remove(folder)


def _configuration_writer(experiment: Experiment, rows: Parts) -> Callable[[Path], object]:
    """Writes what a folder is the run of."""
    images = {name: len(part) for name, part in vars(rows).items()}
    text = run_folder.as_json({**experiment.configuration, "images": images})
    return lambda to: to.write_text(text, "utf-8")


def _save(
    experiment: Experiment,
    model: nn.Module,
    trained: Trained,
    logits: Float[Tensor, "n k"],
    rows: Parts,
    labels: Int[np.ndarray, "m"],
    team: Team,
    scaling: Scaling,
    originals: Mapping[str, Any],
) -> None:
    history, images = trained.history, len(rows.train)
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    timings = timings_table(history, trained.seconds, images)
    predictions = {"logits": logits.numpy(), "rows": rows.test, "labels": labels[rows.test]}
    wrong = int((logits.argmax(1).numpy() != predictions["labels"]).sum())
    writers: run_folder.Writers = {
        run_folder.CONFIGURATION: _configuration_writer(experiment, rows),
        run_folder.HISTORY: lambda to: history_table(history).to_csv(to, index=False),
        run_folder.GRADIENTS: lambda to: gradients_table(history).to_csv(to, index=False),
        run_folder.TIMINGS: lambda to: timings.to_csv(to, index=False),
        run_folder.WEIGHTS: lambda to: save_file(weights, to),
        run_folder.PREDICTIONS: lambda to: np.savez(to, **predictions),
    }
    constant = diagnosis.constant_loss(labels[rows.train])
    facts = {
        "accuracy": 1 - wrong / len(rows.test),
        "device": team.device,
        "difficulty": None if experiment.difficulty is None else experiment.difficulty.values,
        "errors": wrong,
        "finished": time.time(),
        "fingerprint": experiment.fingerprint,
        "kept_epoch": trained.kept,
        "left_plateau": diagnosis.left_plateau(history, constant),
        "photographs": originals,
        "processes": team.size,
        "scaling": asdict(scaling),
        "seconds": sum(trained.seconds),
        "seed": experiment.seed,
        "sessions": trained.sessions,
        "test_images": len(rows.test),
        "training_images": images,
    }
    run_folder.write(experiment.folder, writers, facts)


class _Files(Watcher):
    """Keeps what is trained, and its history, where others can read them meanwhile."""

    def __init__(self, folder: Path, write_configuration: Callable[[Path], object]) -> None:
        self.folder, self.write_configuration = folder, write_configuration
        self.history: list[Epoch] = []

    def begin(self, plan: Plan) -> None:
        self.history = list(plan.history)
        paths.write_whole(self.folder / run_folder.CONFIGURATION, self.write_configuration)

    def epoch(self, epoch: Epoch, images: int) -> None:
        self.history.append(epoch)
        table = history_table(self.history)
        paths.write_whole(
            self.folder / run_folder.HISTORY, lambda to: table.to_csv(to, index=False)
        )


def _watchers(
    experiment: Experiment, progress: bool, others: Sequence[Watcher], team: Team
) -> list[Watcher]:
    """Those of the first process; the others work in silence."""
    if team.rank:
        return []
    shown = ProgressBar(f"training {experiment.task}") if progress else Log()
    return [shown, *others]


@contextmanager
def _held(folder: Path, team: Team) -> Iterator[None]:
    """Have a run's folder to oneself, if need be after another process has finished with it."""
    if team.rank:
        yield
        return
    with run_folder.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            held = run_folder.held(folder, wait=False)
        except Timeout:
            Log().say(f"another process trains {folder.name!r}; waiting for it")
            held = run_folder.held(folder)
        with held:
            yield


@dataclass(frozen=True)
class Study:
    """One profile, one source of faces, one seed: what a notebook works on.

    Attributes:
        profile: size, recipe, network.
        source: of the faces.
        seed: of split, initial weights and batch order.
        progress: whether to show progress bars.
        settings: where its networks differ from the profile's (`tinyvgg.training.Recipe`,
            `tinyvgg.training.settings.Design`).
    """

    profile: Profile
    source: str
    seed: int
    progress: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def faces(self) -> Faces:
        """The images at the profile's size, rendered or decoded on first use."""
        profile = self.profile
        return load_faces(self.source, profile.size, profile.subjects, progress=self.progress)

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
) -> Study:
    """The one door of the notebooks: a profile, a source of faces and a seed.

    Args:
        profile: ``smoke`` (seconds), ``quick`` (64 pixels, minutes) or ``paper`` (224 pixels).
        faces: ``synthetic``, ``synthetic:KNOB=VALUE,...`` or ``folder:PATH``; see
            `tinyvgg.faces.load_faces`.
        seed: of split, initial weights and batch order; the set of faces stays the same.
        progress: whether to show progress bars.
        settings: what to do otherwise than the profile, such as ``{"optimiser": "adam"}``.

    Raises:
        UserError: an unknown profile, source or setting, or a value it cannot have.
    """
    check_study(profile, faces, seed)
    return Study(PROFILES[profile], faces, seed, progress, check_settings(settings or {}))
