"""Runs: a network trained once, kept in a folder, and loaded ever after."""

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

import tinyvgg
from tinyvgg import paths
from tinyvgg.errors import UserError
from tinyvgg.faces import Faces, Split, split
from tinyvgg.faces.index import PIXEL_SCALE
from tinyvgg.model import TinyVGG
from tinyvgg.training import Batches, Epoch, Recipe, predict, train

FORMAT = 1
"""Version of the run folder; a folder of another one is refused."""


@dataclass(frozen=True)
class Experiment:
    """A trained network's full description; its hash names the folder of the run."""

    task: str
    source: str
    fingerprint: str
    classes: tuple[str, ...]
    size: int
    maps: int
    dense: tuple[int, ...]
    recipe: Recipe
    seed: int

    @property
    def configuration(self) -> dict[str, Any]:
        """As plain data. The place of a folder is left out: its pixels' hash stands for it."""
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
        model: on the CPU, in evaluation mode, weights of the last epoch.
        history: one row per epoch (`tinyvgg.training.Epoch`).
        logits: of the test part, in the order of ``split.test``.
    """

    experiment: Experiment
    faces: Faces
    split: Split
    model: TinyVGG
    history: pd.DataFrame
    logits: Float[Tensor, "n k"]
    manifest: Mapping[str, Any] = field(repr=False)

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


def train_or_load(experiment: Experiment, faces: Faces, progress: bool = True) -> Run:
    """The run of an experiment: loaded if it is complete, else trained from its last checkpoint.

    A second process that asks for the same experiment waits for the first and loads its result.

    Raises:
        UserError: a run folder that is damaged, of another version, or cannot be written.
    """
    folder = experiment.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if not (folder / "manifest.json").exists():
                _train(experiment, faces, progress)
    except PermissionError:
        raise UserError(
            f"run folder {str(folder)!r} cannot be written; set TINYVGG_HOME to a folder that can"
        ) from None
    return load(experiment, faces)


def device() -> str:
    """The device to train on: a GPU where there is one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def batches(faces: Faces, task: str, on: str) -> Batches:
    """Images (divided by 256) and labels of rows, from pixels that stay on the device."""
    pixels = torch.from_numpy(np.ascontiguousarray(faces.images)).to(on)
    labels = torch.from_numpy(faces.index.labels(task)).to(on)

    def take(rows: Int[np.ndarray, "b"]) -> tuple[Tensor, Tensor]:
        chosen = torch.from_numpy(rows).to(on)
        return pixels[chosen].permute(0, 3, 1, 2).float() / PIXEL_SCALE, labels[chosen]

    return take


def build_model(experiment: Experiment) -> TinyVGG:
    """The network of an experiment with its initial weights; global generators are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        return TinyVGG(len(experiment.classes), experiment.size, experiment.maps, experiment.dense)


def _train(experiment: Experiment, faces: Faces, progress: bool) -> None:
    folder, on = experiment.folder, device()
    started = time.time()
    parts = split(faces.index, experiment.task, experiment.seed)
    take = batches(faces, experiment.task, on)
    model = build_model(experiment).to(on)
    history = train(
        model,
        take,
        parts.train,
        parts.test,
        experiment.recipe,
        experiment.seed,
        checkpoint=folder / "checkpoint.safetensors",
        progress=f"training {experiment.task}" if progress else None,
    )
    logits, _ = predict(model, take, parts.test)
    _save(
        experiment, model, history, logits, parts, {"device": on, "seconds": time.time() - started}
    )
    (folder / "checkpoint.safetensors").unlink()


def _save(
    experiment: Experiment,
    model: TinyVGG,
    history: list[Epoch],
    logits: Float[Tensor, "n k"],
    parts: Split,
    facts: dict[str, Any],
) -> None:
    folder = experiment.folder
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    table = pd.DataFrame([asdict(epoch) for epoch in history])
    writers = {
        "config.json": lambda to: _write_json(to, experiment.configuration),
        "history.csv": lambda to: table.to_csv(to, index=False),
        "weights.safetensors": lambda to: save_file(weights, to),
        "predictions.npz": lambda to: np.savez(to, logits=logits.numpy(), rows=parts.test),
    }
    for name, write in writers.items():
        paths.write_whole(folder / name, write)
    manifest = {
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "fingerprint": experiment.fingerprint,
        "seed": experiment.seed,
        **facts,
        "sha256": {name: _sha256(folder / name) for name in writers},
    }
    paths.write_whole(folder / "manifest.json", lambda to: _write_json(to, manifest))


def load(experiment: Experiment, faces: Faces) -> Run:
    """Read a complete run from its folder.

    Raises:
        UserError: a folder that is damaged or of another version.
    """
    folder = experiment.folder
    manifest = _read_manifest(folder)
    stored = np.load(folder / "predictions.npz")
    model = build_model(experiment)
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return Run(
        experiment=experiment,
        faces=faces,
        split=split(faces.index, experiment.task, experiment.seed),
        model=model.eval(),
        history=pd.read_csv(folder / "history.csv"),
        logits=torch.from_numpy(stored["logits"]),
        manifest=manifest,
    )


def _read_manifest(folder: Path) -> Mapping[str, Any]:
    way_out = "remove the folder to train again, or set TINYVGG_HOME to another"
    try:
        manifest: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text())
        version, hashes = manifest["format"], manifest["sha256"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"run folder {str(folder)!r} has no readable manifest; {way_out}") from None
    if version != FORMAT:
        raise UserError(
            f"run folder {str(folder)!r} is of format {version}, this version reads {FORMAT}; "
            f"{way_out}"
        )
    for name, expected in hashes:
        if not (folder / name).exists() or _sha256(folder / name) != expected:
            raise UserError(
                f"{name} in run folder {str(folder)!r} is missing or damaged; {way_out}"
            )
    return manifest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
