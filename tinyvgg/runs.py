"""Runs: a network trained once, kept in a folder, and loaded ever after."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn

from tinyvgg import paths, run_folder
from tinyvgg.difficulty import Difficulty, difficulty_of
from tinyvgg.errors import UserError
from tinyvgg.faces import Faces, Split, split
from tinyvgg.faces.index import Rows
from tinyvgg.model import build
from tinyvgg.settings import Design, Recipe
from tinyvgg.sources import OPTIONS, kind_of, parse_source
from tinyvgg.training.sources import Scaling

ELSEWHERE = "elsewhere"
"""Stands for the place of photographs, which a run does not keep."""


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

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Experiment":
        """The experiment of a run's ``config.json``; of photographs their place is not known.

        Raises:
            UserError: settings that are missing, or that this version does not know.
        """
        known = {setting.name for setting in fields(cls)}
        given = {name: value for name, value in configuration.items() if name in known}
        try:
            given["classes"], given["dense"] = tuple(given["classes"]), tuple(given["dense"])
            given["recipe"] = Recipe(**given["recipe"])
            given["design"] = Design(**given.get("design", {}))
            given["source"] = _placed(given["source"])
            return cls(**given)
        except (KeyError, TypeError) as error:
            raise UserError(
                f"configuration of a run cannot be read ({error}); train it again with this version"
            ) from None

    @property
    def kind(self) -> str:
        """The first part of the source: ``synthetic``, ``rafd``, ``london``, ``folder``."""
        return kind_of(self.source)

    @property
    def difficulty(self) -> Difficulty | None:
        """Of synthetic faces; None for others."""
        return difficulty_of(self.source) if self.kind == "synthetic" else None

    @property
    def configuration(self) -> dict[str, Any]:
        """As plain data. The place of a folder is left out: its images' hash stands for it."""
        return {**asdict(self), "source": parse_source(self.source).anonymous}

    @property
    def name(self) -> str:
        """Task, source, size and seed to read, and a hash of everything."""
        text = json.dumps(self.configuration, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return f"{self.task}-{self.kind}-{self.size}px-seed{self.seed}-{digest}"

    @property
    def folder(self) -> Path:
        """Where its run is kept."""
        return paths.runs() / self.name


def _placed(source: str) -> str:
    """A source as runs keep it, with a place where one has to stand."""
    kind, separator, chosen = source.partition("::")
    return f"{kind}:{ELSEWHERE}{separator}{chosen}" if kind in OPTIONS else source


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


def load(experiment: Experiment, faces: Faces) -> Run:
    """Read a complete run from its folder.

    Raises:
        UserError: a folder that is damaged or of another version.
    """
    folder = experiment.folder
    manifest = run_folder.read_manifest(folder)
    stored = np.load(folder / run_folder.PREDICTIONS)
    model, scaling = load_model(experiment, folder, manifest)
    return Run(
        experiment=experiment,
        faces=faces,
        split=split(faces.index, experiment.task, experiment.seed),
        model=model,
        history=pd.read_csv(folder / run_folder.HISTORY),
        logits=torch.from_numpy(stored["logits"]),
        manifest=manifest,
        scaling=scaling,
    )


def load_model(
    experiment: Experiment, folder: Path, manifest: Mapping[str, Any]
) -> tuple[nn.Module, Scaling]:
    """The network of a complete run, in evaluation mode, and what its pixels are scaled by.

    Args:
        experiment: its description.
        folder: where it is kept.
        manifest: of that folder.
    """
    model = build_model(experiment)
    model.load_state_dict(load_file(folder / run_folder.WEIGHTS))
    scaling = {name: tuple(three) for name, three in manifest["scaling"].items()}
    return model.eval(), Scaling(**scaling)


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
