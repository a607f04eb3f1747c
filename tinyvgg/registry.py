"""The runs that are there: what each is, how far it came, and what is wrong with it.

It starts fast: neither torch nor pandas is needed.
"""

import csv
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import Timeout

from tinyvgg import paths, run_folder
from tinyvgg.errors import UserError
from tinyvgg.profiles import PROFILES
from tinyvgg.settings import Design, described

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
    if not configuration and not fault and run_folder.CONFIGURATION in files:
        fault = f"has a damaged {run_folder.CONFIGURATION}"
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
    if run_folder.is_complete(folder):
        manifest, fault = run_folder.inspect(folder, hashes)
        if not fault and not _fits(manifest, _FACTS):
            fault = "has no readable manifest"
        return (DAMAGED if fault else COMPLETE), manifest, fault
    if _is_held(folder):
        return TRAINING, {}, ""
    if names and not any(_belongs(name) for name in names):
        return FOREIGN, {}, "has no file of a run"
    return INTERRUPTED, {}, ""


def _belongs(name: str) -> bool:
    return name in run_folder.FILES or name.startswith((_CHECKPOINT, f".{_CHECKPOINT}"))


def _is_held(folder: Path) -> bool:
    """Whether a living process holds the lock; it is not made where it is missing."""
    if not (folder / run_folder.LOCK).exists():
        return False
    try:
        with run_folder.held(folder, wait=False):
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
        found = json.loads((folder / run_folder.CONFIGURATION).read_text("utf-8"))
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
    return read_table(folder / run_folder.HISTORY, "test_error")


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
