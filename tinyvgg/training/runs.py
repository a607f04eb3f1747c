"""Runs: a network trained once, kept in a folder, and loaded ever after."""

import csv
import errno
import hashlib
import json
import math
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float, Int, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

import tinyvgg
from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.index import Faces, Rows
from tinyvgg.faces.sources import OPTIONS, kind_of, parse_source, synthfaces
from tinyvgg.faces.splits import Split, split
from tinyvgg.training.batches import Scaling
from tinyvgg.training.settings import PROFILES, Design, Recipe, described
from tinyvgg.training.tiny_vgg import build

FORMAT = 2
"""Version of the folder; one of another is refused."""
MANIFEST = "manifest.json"
CONFIGURATION = "config.json"
HISTORY = "history.csv"
GRADIENTS = "gradients.csv"
TIMINGS = "timings.csv"
WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.npz"
LOCK = ".lock"
FILES = (
    MANIFEST,
    CONFIGURATION,
    HISTORY,
    GRADIENTS,
    TIMINGS,
    WEIGHTS,
    PREDICTIONS,
    LOCK,
)
"""What a run writes, besides its checkpoints."""
WAY_OUT = "remove the folder to train again, or set TINYVGG_HOME to another"

_NOT_WRITABLE = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)

Writers = Mapping[str, Callable[[Path], object]]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in one line that a run's folder cannot be written.

    Raises:
        UserError: a permission, the disk's space or the folder itself is missing.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise UserError(
            f"run folder {str(folder)!r} cannot be written ({error.strerror}); make room for it,"
            " or set TINYVGG_HOME to a folder that can"
        ) from None


def held(folder: Path, wait: bool = True) -> AbstractContextManager[object]:
    """Take a run's lock, which whoever trains or removes it holds; a context that gives it back.

    Where the folder is removed meanwhile it is made anew: its lock belongs to nobody then.

    Raises:
        Timeout: another process has it, and waiting was not asked for.
    """
    lock = FileLock(folder / LOCK)
    while True:
        try:
            return lock.acquire(timeout=-1 if wait else 0)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)


def is_complete(folder: Path) -> bool:
    """Whether a run came to its end here."""
    return (folder / MANIFEST).exists()


def write(folder: Path, writers: Writers, facts: Mapping[str, Any]) -> None:
    """Write the files of a run, then its manifest with their hashes.

    Args:
        folder: where they belong.
        writers: for each name a function that writes to the path it is given.
        facts: what the manifest says besides versions and hashes.
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
    paths.write_whole(folder / MANIFEST, lambda to: to.write_text(as_json(manifest)))


def inspect(folder: Path, hashes: bool = True) -> tuple[Mapping[str, Any], str]:
    """The manifest of a run that came to its end, and what is wrong with its folder.

    Args:
        folder: of the run.
        hashes: whether to read the files, too, and not only look at their sizes.

    Returns:
        The manifest, empty where it cannot be read, and a predicate such as "is of format 1, this
        version reads 2"; nothing for a folder that is whole.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        found, expected = manifest["format"], manifest["sha256"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, "has no readable manifest"
    if found != FORMAT:
        return manifest, f"is of format {found}, this version reads {FORMAT}"
    sizes = manifest.get("bytes", {})
    for name, digest in expected:
        path = folder / name
        whole = path.is_file() and path.stat().st_size == sizes.get(name, path.stat().st_size)
        if not whole or (hashes and sha256(path) != digest):
            return manifest, f"has a damaged {name}, or none"
    return manifest, ""


def read_manifest(folder: Path, files: bool = True) -> Mapping[str, Any]:
    """The manifest of a complete run.

    Args:
        folder: of the run.
        files: whether to check the hashes of the files, too.

    Raises:
        UserError: it is missing or damaged, of another version, or a file is not what it was.
    """
    manifest, fault = inspect(folder, files)
    if fault:
        raise UserError(f"run folder {str(folder)!r} {fault}; {WAY_OUT}")
    return manifest


def as_json(content: Mapping[str, Any]) -> str:
    """Plain data, an entry a line."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def sha256(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    def difficulty(self) -> synthfaces.Difficulty | None:
        """Of synthetic faces; None for others."""
        return synthfaces.difficulty_of(self.source) if self.kind == "synthetic" else None

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
        return pd.read_csv(self.folder / TIMINGS)

    @property
    def gradients(self) -> pd.DataFrame:
        """Norms of the gradients, a row an epoch and a column a layer."""
        return pd.read_csv(self.folder / GRADIENTS)

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
    manifest = read_manifest(folder)
    stored = np.load(folder / PREDICTIONS)
    model, scaling = load_model(experiment, folder, manifest)
    return Run(
        experiment=experiment,
        faces=faces,
        split=split(faces.index, experiment.task, experiment.seed),
        model=model,
        history=pd.read_csv(folder / HISTORY),
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
    model.load_state_dict(load_file(folder / WEIGHTS))
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


COMPLETE, TRAINING, INTERRUPTED = "complete", "in training", "interrupted"
DAMAGED, FOREIGN = "damaged", "not a run"
STATES = (COMPLETE, TRAINING, INTERRUPTED, DAMAGED, FOREIGN)
CANDIDATES = 8
"""Names that a message lists at most."""

_NAME = re.compile(r"(?P<task>\w+)-(?P<source>\w+)-(?P<size>\d+)px-seed(?P<seed>\d+)-\w+")
_CHECKPOINT = "checkpoint"
_SETTINGS = {"task": str, "source": str, "size": int, "seed": int, "recipe": dict}
_FACTS = {"accuracy": int | float, "errors": int, "finished": int | float, "test_images": int}


@dataclass(frozen=True)
class Entry:
    """One folder below `paths.runs`.

    Attributes:
        folder: where it is.
        state: one of `STATES`.
        fault: what is wrong with it, as a predicate; nothing where nothing is.
        configuration: of its experiment, with the number of images in each part; empty where it
            cannot be read.
        manifest: versions, device, times, hashes; empty where it cannot be read.
        history: losses and errors of the epochs that are done.
        changed: when it was finished, or last written to; seconds since 1970.
        size: on disk, in bytes.
    """

    folder: Path
    state: str
    fault: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    changed: float = 0.0
    size: int = 0

    @property
    def name(self) -> str:
        """That of the folder."""
        return self.folder.name

    @cached_property
    def _named(self) -> Mapping[str, str]:
        """What the name tells."""
        found = _NAME.fullmatch(self.name)
        return found.groupdict() if found else {}

    @property
    def task(self) -> str:
        """The column that the network tells."""
        return str(self.configuration.get("task", self._named.get("task", "")))

    @property
    def source(self) -> str:
        """Kind of source of its images; of synthetic ones with the knobs that are not usual."""
        return str(self.configuration.get("source", self._named.get("source", "")))

    @property
    def seed(self) -> int | None:
        """Of split, initial weights and batch order."""
        found = self.configuration.get("seed", self._named.get("seed"))
        return None if found is None else int(found)

    @property
    def profile(self) -> str:
        """The profile, and where it departs from it; nothing where the configuration is gone."""
        return described_profile(self.configuration) if self.configuration else ""

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def planned(self) -> int | None:
        """Epochs of the whole training."""
        epochs: int | None = self.configuration.get("recipe", {}).get("epochs")
        return epochs

    @property
    def accuracy(self) -> float | None:
        """On the test part: of the weights that were kept, or after the last epoch done."""
        found: float | None = self.manifest.get("accuracy")
        if found is None and self.history:
            found = 1 - self.history[-1]["test_error"]
        return found

    @property
    def tested(self) -> int | None:
        """Images of the test part."""
        images = self.configuration.get("images")
        found: int | None = images.get("test") if isinstance(images, dict) else None
        given: int | None = self.manifest.get("test_images", found)
        return given

    @property
    def errors(self) -> int | None:
        """How many of them are wrong."""
        if self.accuracy is None or self.tested is None:
            return None
        return round((1 - self.accuracy) * self.tested)

    @property
    def kind(self) -> tuple[str, str, str]:
        """Task, source and profile: what runs with different seeds have in common."""
        return self.task, self.source, self.profile

    @property
    def plain(self) -> dict[str, Any]:
        """As plain data, for scripts."""
        names = ("name", "state", "fault", "task", "source", "profile", "seed", "epochs")
        more = ("planned", "accuracy", "errors", "tested", "changed", "size")
        return {
            **{name: getattr(self, name) for name in names + more},
            "folder": str(self.folder),
            "age": time.time() - self.changed,
        }


def entries(hashes: bool = False) -> list[Entry]:
    """All runs, the newest first.

    Args:
        hashes: whether to read all files of complete runs, and not only look at their sizes.
    """
    folder = paths.runs()
    found = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    shown = [describe(path, hashes) for path in found if not path.name.startswith(".")]
    return sorted(shown, key=lambda entry: (-entry.changed, entry.name))


def describe(folder: Path, hashes: bool = False) -> Entry:
    """What a folder is the run of. What cannot be read is said, and nothing is changed."""
    files = _files(folder)
    configuration = _configuration(folder)
    state, manifest, fault = _state(folder, list(files), hashes)
    if not configuration and not fault and CONFIGURATION in files:
        fault = f"has a damaged {CONFIGURATION}"
        state = DAMAGED if state == COMPLETE else state
    written = max((stamp for _, stamp in files.values()), default=_stamp(folder))
    return Entry(
        folder=folder,
        state=state,
        fault=fault,
        configuration=configuration,
        manifest=manifest if state == COMPLETE else {},
        history=_history(folder),
        changed=float(manifest.get("finished", written)) if state == COMPLETE else written,
        size=sum(size for size, _ in files.values()),
    )


def find(name: str, among: Sequence[Entry] | None = None) -> Entry:
    """The run with a name, or with the only name that has this part.

    Raises:
        UserError: there is none, or there are several; lists the candidates.
    """
    known = list(entries() if among is None else among)
    exact = [entry for entry in known if entry.name == name]
    found = exact or [entry for entry in known if name and name in entry.name]
    if len(found) == 1:
        return found[0]
    if not known:
        raise UserError(f"run {name!r} is not there: {str(paths.runs())!r} has none")
    if found:
        raise UserError(f"run {name!r} could be {_listed(found, 'or')}; give more of its name")
    raise UserError(f"run {name!r} is not one of {_listed(known, 'and')}")


def described_profile(configuration: Mapping[str, Any]) -> str:
    """The profile nearest by size and the settings that differ from it: "quick, optimiser=adam".

    Args:
        configuration: of an experiment, as its folder keeps it. Where neither size nor maps nor
            dense layers are those of a profile, it is "custom".
    """
    try:
        size, task = configuration["size"], configuration["task"]
        nearest = min(PROFILES.values(), key=lambda one: abs(math.log(one.size / size)))
        images = configuration.get("images", {})
        recipe = nearest.recipe(task, max(1, images.get("train", 0) + images.get("validation", 0)))
        network = {name: getattr(nearest, name) for name in ("size", "maps", "dense")}
        given = {**configuration, **configuration["recipe"], **configuration.get("design", {})}
        given["dense"] = tuple(given["dense"])
        differing = {name for name, value in network.items() if given[name] != value}
        if len(differing) == len(network):
            return "custom"
        usual = {**network, **asdict(recipe), **asdict(Design())}
        other = [
            (name, given[name]) for name in usual if given.get(name, usual[name]) != usual[name]
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return "custom"
    return ", ".join(filter(None, (nearest.name, described(other))))


def _state(folder: Path, names: list[str], hashes: bool) -> tuple[str, Mapping[str, Any], str]:
    """State, manifest and what is wrong."""
    if is_complete(folder):
        manifest, fault = inspect(folder, hashes)
        if not fault and not _fits(manifest, _FACTS):
            fault = "has no readable manifest"
        return (DAMAGED if fault else COMPLETE), manifest, fault
    if _is_held(folder):
        return TRAINING, {}, ""
    if names and not any(_belongs(name) for name in names):
        return FOREIGN, {}, "has no file of a run"
    return INTERRUPTED, {}, ""


def _belongs(name: str) -> bool:
    return name in FILES or name.startswith((_CHECKPOINT, f".{_CHECKPOINT}"))


def _is_held(folder: Path) -> bool:
    """Whether a living process holds the lock; it is not made where it is missing."""
    if not (folder / LOCK).exists():
        return False
    try:
        with held(folder, wait=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _files(folder: Path) -> dict[str, tuple[int, float]]:
    """Size and time of each file, by its path; what vanishes meanwhile is passed over."""
    found = {}
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                facts = path.stat()
                found[path.relative_to(folder).as_posix()] = (facts.st_size, facts.st_mtime)
        except OSError:
            continue
    return found


def _stamp(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _configuration(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / CONFIGURATION).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if _fits(found, _SETTINGS) else {}


def _fits(found: object, kinds: Mapping[str, Any]) -> bool:
    """Whether it has all of these, each of its kind."""
    return isinstance(found, dict) and all(
        isinstance(found.get(name), kind) for name, kind in kinds.items()
    )


def _history(folder: Path) -> tuple[Mapping[str, float], ...]:
    """The epochs done; none where they cannot be read."""
    return read_table(folder / HISTORY, "test_error")


def read_table(path: Path, *needed: str) -> tuple[Mapping[str, float], ...]:
    """The rows of a table of numbers; none where it cannot be read, or lacks a column."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {name: float(value or "nan") for name, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError):
        return ()
    return tuple(rows) if all(name in row for row in rows for name in needed) else ()


def _listed(found: Sequence[Entry], word: str) -> str:
    names = [entry.name for entry in found[:CANDIDATES]]
    if len(found) > CANDIDATES:
        names.append(f"{len(found) - CANDIDATES} more")
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@dataclass(frozen=True)
class TrainedNetwork:
    """What is needed to ask a network about images that it has never seen.

    Attributes:
        folder: of its run.
        experiment: what it was trained for.
        model: on the CPU, in evaluation mode.
        scaling: of the pixels, before the network sees them.
        manifest: versions, device, times, hashes.
    """

    folder: Path
    experiment: Experiment
    model: nn.Module = field(repr=False)
    scaling: Scaling
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """That of the run."""
        return self.folder.name

    @property
    def task(self) -> str:
        """The column that it tells."""
        return self.experiment.task

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return self.experiment.classes

    @property
    def size(self) -> int:
        """Side of its images, in pixels."""
        return self.experiment.size

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the file of its weights."""
        return str(self.manifest["sha256"][WEIGHTS])

    def tensor(self, pixels: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        """Images as this network sees them."""
        return self.scaling(pixels)

    def label(self, name: str) -> int:
        """The label of a class by its name.

        Raises:
            UserError: no class has that name; lists those there are.
        """
        if name not in self.classes:
            raise UserError(f"class {name!r} is not one of {', '.join(self.classes)}")
        return self.classes.index(name)


def load_trained(name: str) -> TrainedNetwork:
    """The network of a complete run, found by its name or by a part that no other has.

    Raises:
        UserError: no run, or several, with that part in their names; a run that is not complete,
            damaged, or of another version.
    """
    entry = find(name)
    if entry.state in (TRAINING, INTERRUPTED, FOREIGN):
        raise UserError(
            f"run {entry.name!r} is {entry.state}; name one that is complete, of those that"
            " 'tinyvgg runs' lists"
        )
    manifest = read_manifest(entry.folder)
    experiment = Experiment.of(entry.configuration)
    model, scaling = load_model(experiment, entry.folder, manifest)
    return TrainedNetwork(entry.folder, experiment, model, scaling, manifest)
