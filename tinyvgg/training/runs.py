"""Runs: networks trained once, each kept in a folder of its own, and loaded ever after."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn

import tinyvgg
from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.index import Faces, Rows
from tinyvgg.faces.sources import AUTO, OPTIONS, check_one_of, parse_source, some, synthfaces
from tinyvgg.faces.splits import Split, split
from tinyvgg.training.batches import Scaling
from tinyvgg.training.looks import Looks
from tinyvgg.training.settings import FITTED, Design, Recipe
from tinyvgg.training.tiny_vgg import build

FORMAT = 4
"""Version of a run's folder; others are refused."""
MANIFEST, CONFIGURATION, LOCK = "manifest.json", "config.json", ".lock"
HISTORY, GRADIENTS, TIMINGS = "history.csv", "gradients.csv", "timings.csv"
WEIGHTS, PREDICTIONS = "weights.safetensors", "predictions.npz"
ELSEWHERE = "elsewhere"
"""The stand-in for the place of photographs, which a run does not keep."""
AGAIN = "remove the folder to train again, or set TINYVGG_HOME to another"
COMPLETE, TRAINING, INTERRUPTED, DAMAGED = "complete", "in training", "interrupted", "damaged"


@dataclass(frozen=True)
class Experiment:
    """A trained network's full description; its hash names the folder of the run."""

    task: str  # the column whose classes the network knows
    source: str  # source of the images
    fingerprint: str  # hash of the images
    classes: tuple[str, ...]  # names of the outputs
    size: int  # side of the images in pixels
    maps: int  # feature maps of every convolution of Tiny VGG
    dense: tuple[int, ...]  # neurons of its hidden dense layers
    recipe: Recipe  # settings of its training
    seed: int  # seed of split, initial weights and batch order
    design: Design = field(default_factory=Design)  # its other settings

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Experiment":
        """Return the experiment of a run's ``config.json``, which has no place of photographs."""
        known = {setting.name for setting in fields(cls)}
        given = {name: value for name, value in configuration.items() if name in known}
        try:
            given["classes"], given["dense"] = tuple(given["classes"]), tuple(given["dense"])
            given["recipe"] = Recipe(**given["recipe"])
            given["design"] = Design(**given.get("design", {}))
            kind, separator, chosen = given["source"].partition("::")
            if kind in OPTIONS:
                given["source"] = f"{kind}:{ELSEWHERE}{separator}{chosen}"
            return cls(**given)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"configuration of a run cannot be read ({error}); train it again with this version"
            ) from None

    @property
    def kind(self) -> str:
        """The first part of the source: ``synthetic``, ``rafd``, ``london``, ``folder``."""
        return self.source.partition(":")[0]

    @property
    def configuration(self) -> dict[str, Any]:
        """The experiment as plain data; the hash of the images stands for a folder's place."""
        return {**asdict(self), "source": parse_source(self.source).anonymous}

    @property
    def name(self) -> str:
        """Task, source, size and seed to read, and a hash of everything."""
        text = json.dumps(self.configuration, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return f"{self.task}-{self.kind}-{self.size}px-seed{self.seed}-{digest}"

    @property
    def folder(self) -> Path:
        """The folder of its run."""
        return paths.runs() / self.name

    @property
    def knobs(self) -> Any:
        """The difficulty of synthetic faces; None for photographs."""
        return synthfaces.difficulty_of(self.source).values if self.kind == "synthetic" else None

    @property
    def cropping(self) -> Mapping[str, str]:
        """The cropping that photographs need to look like its synthetic faces."""
        return {"how": AUTO, "shows": synthfaces.difficulty_of(self.source).crop}


def build_model(experiment: Experiment) -> nn.Module:
    """Return the network of an experiment with its initial weights."""
    e = experiment
    return build(e.design, len(e.classes), e.size, e.maps, e.dense, e.seed)


class Run:
    """A trained network with its training and test images.

    Parts that are not given, such as `faces` or `logits`, are read from the run's folder when they
    are first asked for. The folder is the experiment's own where none is given.
    """

    def __init__(self, experiment: Experiment, folder: Path | None = None, **parts: Any) -> None:
        self.experiment = experiment
        self.folder = folder or experiment.folder
        self.name, self.size = self.folder.name, experiment.size
        self.task, self.classes = experiment.task, experiment.classes
        self._given = parts
        vars(self).update(parts)

    def having(self, **parts: Any) -> "Run":
        """Return the same run with other parts, such as the logits of some test images."""
        own = {"experiment": self.experiment, "folder": self.folder}
        return Run(**{**own, **self._given, **parts})

    @cached_property
    def faces(self) -> Faces:
        """All images; a run that was found by its name does not know them."""
        raise UserError(f"run {self.name!r} keeps no images; open the study that it belongs to")

    @cached_property
    def split(self) -> Split:
        """Rows of `faces` in the training and the test part."""
        return split(self.faces.index, self.task, self.experiment.seed)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """Versions, device, times, hashes."""
        return read_manifest(self.folder)

    @cached_property
    def model(self) -> nn.Module:
        """The network on the CPU, in evaluation mode, with the weights that were kept."""
        try:
            with torch.device("meta"):  # a configuration may be anybody's, and of any size
                model = build_model(self.experiment)
            model.load_state_dict(load_file(self.folder / WEIGHTS), assign=True)
        except (RuntimeError, TypeError, ValueError, OverflowError):
            fault = "has weights that do not fit its configuration"
            raise UserError(f"run folder {str(self.folder)!r} {fault}; {AGAIN}") from None
        return model.float().eval()  # shipped weights have 16 bits

    @cached_property
    def scaling(self) -> Scaling:
        """The scaling of pixels for the network."""
        kept = self.manifest.get("scaling", {})
        return Scaling(**{name: tuple(colours) for name, colours in kept.items()})

    @property
    def cropping(self) -> Mapping[str, Any]:
        """How photographs are cropped for it (`tinyvgg.faces.cropping.cropping_of`)."""
        kept = self.manifest.get("photographs") or {"cropping": self.experiment.cropping}
        return dict(kept["cropping"])

    @cached_property
    def history(self) -> pd.DataFrame:
        """Losses and errors, a row an epoch."""
        return pd.read_csv(self.folder / HISTORY)

    @property
    def gradients(self) -> pd.DataFrame:
        """Norms of the gradients, a row an epoch and a column a layer."""
        return pd.read_csv(self.folder / GRADIENTS)

    @property
    def ended(self) -> str:
        """When and why its training ended, as "after 31 epochs, ..." (`Recipe.ended`)."""
        return str(self.manifest["ended"])

    @property
    def last_errors(self) -> list[int]:
        """Numbers of test errors after those of the last five epochs that were tested."""
        wrong = self.history["test_error"].tail(FITTED).dropna() * len(self.logits)
        return [round(count) for count in wrong]

    @property
    def timings(self) -> pd.DataFrame:
        """Wall time and training images a second of each epoch, which differ in every training."""
        return pd.read_csv(self.folder / TIMINGS)

    @cached_property
    def logits(self) -> Float[Tensor, "n k"]:
        """Logits of the test part, in the order of ``split.test``."""
        with np.load(self.folder / PREDICTIONS) as stored:
            return torch.from_numpy(stored["logits"])

    @cached_property
    def looks(self) -> Looks | None:
        """How its training images look; None of a run that ships, which keeps no predictions."""
        if not (self.folder / PREDICTIONS).exists():
            return None
        with np.load(self.folder / PREDICTIONS) as stored:
            return Looks(*(stored[name] for name in Looks._fields))

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the file of its weights."""
        return str(self.manifest["sha256"][WEIGHTS])

    def label(self, name: str) -> int:
        """Return the label of a class by its name."""
        check_one_of("class", name, self.classes)
        return self.classes.index(name)

    def tensor(self, rows: Rows | None = None) -> Float[Tensor, "m 3 h w"]:
        """Return images as this network sees them."""
        return self.scaling(self.faces.pixels(rows))

    @cached_property
    def labels(self) -> Int[np.ndarray, "n"]:
        """True labels of the test part."""
        return np.asarray(self.faces.index.labels(self.task)[self.split.test])

    @property
    def predicted(self) -> Int[np.ndarray, "n"]:
        """Predicted labels of the test part."""
        return self.logits.argmax(1).numpy()

    @property
    def probabilities(self) -> Float[np.ndarray, "n k"]:
        """Softmax of the logits (Equation 2)."""
        return self.logits.softmax(1).numpy()

    @property
    def errors(self) -> Int[np.ndarray, "e"]:
        """Places in the test part of the images that are misclassified."""
        return np.flatnonzero(self.predicted != self.labels)

    @property
    def accuracy(self) -> float:
        """Share of the test part that is classified right (Table 2)."""
        return 1 - len(self.errors) / len(self.labels)


def shipped(task: str) -> Path:
    """Return the folder of the network of a task that ships with the project.

    It is a run's, with weights that 16 bits hold, and without the logits that follow from them.
    """
    return paths.results() / "networks" / task


def is_complete(folder: Path) -> bool:
    """Return whether a run came to its end here."""
    return (folder / MANIFEST).exists()


def write(
    folder: Path, writers: Mapping[str, Callable[[Path], object]], facts: Mapping[str, Any]
) -> None:
    """Write the files of a run, then its manifest with facts, versions and hashes.

    `writers` has for each name a function that writes to the path it is given.
    """
    for name, write_one in writers.items():
        paths.write_whole(folder / name, write_one)
    manifest = {
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
        **facts,
        "bytes": {name: (folder / name).stat().st_size for name in writers},
        "sha256": {name: sha256(folder / name) for name in writers},
    }
    paths.write_sealed(folder / MANIFEST, dict(sorted(manifest.items())))


def read_manifest(folder: Path, hashes: bool = True, way: str = AGAIN) -> Mapping[str, Any]:
    """Check a complete run's files, and return its manifest.

    `hashes` says whether to read the files, too, and not only look at their sizes; `way` is the
    way out where they are damaged.
    """
    manifest = paths.sealed(folder / MANIFEST)
    made_as, fault = paths.plain(folder / MANIFEST).get("format"), ""
    if isinstance(made_as, int) and made_as != FORMAT:
        fault = f"is of format {made_as}, this version reads {FORMAT}"
    elif not manifest:
        fault = "has no readable manifest"
    for name, digest in manifest["sha256"].items() if not fault else ():
        path = folder / name
        whole = path.is_file() and path.stat().st_size == manifest["bytes"].get(name)
        if not whole or (hashes and sha256(path) != digest):
            fault = f"has a damaged {name}, or none"
            break
    if fault:
        raise UserError(f"run folder {str(folder)!r} {fault}; {way}")
    return manifest


def listed() -> pd.DataFrame:
    """Return all runs, the newest first, with state, accuracy, age in s, and `Run.ended`."""
    rows = []
    for folder in _folders():
        state, manifest = INTERRUPTED, dict[str, Any]()
        try:
            if is_complete(folder):
                manifest, state = dict(read_manifest(folder, hashes=False)), COMPLETE
            elif _is_held(folder):
                state = TRAINING
        except UserError:
            state = DAMAGED
        # without hidden files, which come and go while a run is trained
        times = [path.stat().st_mtime for path in folder.glob("[!.]*")] or [folder.stat().st_mtime]
        age = time.time() - max(times)
        rows.append((folder.name, state, manifest.get("accuracy"), age, manifest.get("ended")))
    table = pd.DataFrame(rows, columns=["name", "state", "accuracy", "age", "ended"])
    return table.astype({"accuracy": float}).sort_values(["age", "name"], ignore_index=True)


def load_trained(name: str) -> Run:
    """Return the complete run with a name, or with the only name that has this part."""
    known = [folder.name for folder in _folders() if is_complete(folder)]
    found = [name] if name in known else [one for one in known if name and name in one]
    if len(found) > 1:
        raise UserError(f"run {name!r} could be {some(found)}; give more of its name")
    if not found:
        there = f" (complete: {some(known)})" if known else ""
        raise UserError(f"no complete run is called {name!r}{there}; 'tinyvgg runs' lists all runs")
    folder = paths.runs() / found[0]
    manifest, configuration = read_manifest(folder), paths.plain(folder / CONFIGURATION)
    return Run(Experiment.of(configuration), manifest=manifest, folder=folder)


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders() -> list[Path]:
    """Return the folders that have any file of a run."""
    files = (MANIFEST, CONFIGURATION, LOCK)
    found = sorted(paths.runs().glob("[!.]*"))
    return [folder for folder in found if any((folder / name).is_file() for name in files)]


def _is_held(folder: Path) -> bool:
    """Return whether a living process holds the lock, which is not made where it is missing."""
    try:
        with FileLock(folder / LOCK, timeout=0) if (folder / LOCK).exists() else nullcontext():
            return False
    except Timeout:
        return True
    except OSError:  # it may not be written: nobody trains there
        return False
