"""Runs: a network trained once, kept in a folder, and loaded ever after."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import Timeout
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tinyvgg import paths, run_folder
from tinyvgg.faces import Faces, Split, hold_out, split
from tinyvgg.faces.index import Rows
from tinyvgg.model import build
from tinyvgg.settings import Design, Recipe
from tinyvgg.training import checkpoints, diagnosis
from tinyvgg.training.evaluation import predict
from tinyvgg.training.history import Epoch, Trained, gradients_table, history_table, timings_table
from tinyvgg.training.loop import Parts, train
from tinyvgg.training.sources import Scaling, fit_scaling, open_source
from tinyvgg.training.team import Team, assemble, check_device
from tinyvgg.training.watching import Log, Plan, ProgressBar, Watcher


@dataclass(frozen=True)
class Experiment:
    """A trained network's full description; its hash names the folder of the run.

    Attributes:
        task: the column that the network tells.
        source: where the images come from.
        fingerprint: of the images.
        classes: names of the outputs.
        size: side of the images in pixels.
        maps: feature maps of every convolution of Tiny VGG.
        dense: neurons of its hidden dense layers.
        recipe: how it is trained.
        seed: of split, initial weights and batch order.
        design: what it is besides.
    """

    task: str
    source: str
    fingerprint: str
    classes: tuple[str, ...]
    size: int
    maps: int
    dense: tuple[int, ...]
    recipe: Recipe
    seed: int
    design: Design = field(default_factory=Design)

    @property
    def configuration(self) -> dict[str, Any]:
        """As plain data. The place of a folder is left out: its images' hash stands for it."""
        return {**asdict(self), "source": self.source.partition(":")[0]}

    @property
    def name(self) -> str:
        """Task, source, size and seed to read, and a hash of everything."""
        text = json.dumps(self.configuration, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        kind = self.configuration["source"]
        return f"{self.task}-{kind}-{self.size}px-seed{self.seed}-{digest}"

    @property
    def folder(self) -> Path:
        """Where its run is kept."""
        return paths.runs() / self.name


@dataclass(frozen=True)
class Run:
    """A trained network with what it was trained and tested on.

    Attributes:
        experiment: its description.
        faces: all images.
        split: rows of `faces` in the training and the test part.
        model: on the CPU, in evaluation mode, with the weights that were kept.
        history: one row per epoch (`tinyvgg.training.Epoch`).
        logits: of the test part, in the order of ``split.test``.
        manifest: versions, device, times, hashes.
        scaling: of the pixels, before the network sees them.
    """

    experiment: Experiment
    faces: Faces
    split: Split
    model: nn.Module
    history: pd.DataFrame
    logits: Float[Tensor, "n k"]
    manifest: Mapping[str, Any] = field(repr=False)
    scaling: Scaling = field(default_factory=Scaling)

    @property
    def task(self) -> str:
        """The column that the network tells."""
        return self.experiment.task

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return self.experiment.classes

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.experiment.folder

    @property
    def device(self) -> str:
        """The device that it was trained on."""
        return str(self.manifest["device"])

    @property
    def timings(self) -> pd.DataFrame:
        """Wall time and training images a second of each epoch; other in every training."""
        return pd.read_csv(self.folder / run_folder.TIMINGS)

    @property
    def gradients(self) -> pd.DataFrame:
        """Norms of the gradients, a row an epoch and a column a layer."""
        return pd.read_csv(self.folder / run_folder.GRADIENTS)

    def tensor(self, rows: Rows | None = None) -> Float[Tensor, "m 3 h w"]:
        """Images as this network sees them."""
        return self.scaling(self.faces.pixels(rows))

    @cached_property
    def labels(self) -> Int[np.ndarray, "n"]:
        """True labels of the test part."""
        labels: Int[np.ndarray, "n"] = self.faces.index.labels(self.task)[self.split.test]
        return labels

    @property
    def predicted(self) -> Int[np.ndarray, "n"]:
        """Predicted labels of the test part."""
        labels: Int[np.ndarray, "n"] = self.logits.argmax(1).numpy()
        return labels

    @property
    def probabilities(self) -> Float[np.ndarray, "n k"]:
        """Softmax of the logits (Equation 2)."""
        shares: Float[np.ndarray, "n k"] = self.logits.softmax(1).numpy()
        return shares

    @property
    def errors(self) -> Int[np.ndarray, "e"]:
        """Places in the test part of the images that are misclassified."""
        return np.flatnonzero(self.predicted != self.labels)

    @property
    def accuracy(self) -> float:
        """Share of the test part that is classified right (Table 2)."""
        return 1 - len(self.errors) / len(self.labels)


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


def load(experiment: Experiment, faces: Faces) -> Run:
    """Read a complete run from its folder.

    Raises:
        UserError: a folder that is damaged or of another version.
    """
    folder = experiment.folder
    manifest = run_folder.read_manifest(folder)
    stored = np.load(folder / run_folder.PREDICTIONS)
    model = build_model(experiment)
    model.load_state_dict(load_file(folder / run_folder.WEIGHTS))
    return Run(
        experiment=experiment,
        faces=faces,
        split=split(faces.index, experiment.task, experiment.seed),
        model=model.eval(),
        history=pd.read_csv(folder / run_folder.HISTORY),
        logits=torch.from_numpy(stored["logits"]),
        manifest=manifest,
        scaling=Scaling(**{name: tuple(three) for name, three in manifest["scaling"].items()}),
    )


def build_model(experiment: Experiment) -> nn.Module:
    """The network of an experiment with its initial weights; global generators are left alone."""
    return build(
        experiment.design,
        len(experiment.classes),
        experiment.size,
        experiment.maps,
        experiment.dense,
        experiment.seed,
    )


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
    with open_source(faces, experiment.task, team.device, scaling) as source:
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
            _save(experiment, model, trained, logits, rows, labels, team, scaling)
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
        "errors": wrong,
        "finished": time.time(),
        "fingerprint": experiment.fingerprint,
        "kept_epoch": trained.kept,
        "left_plateau": diagnosis.left_plateau(history, constant),
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
