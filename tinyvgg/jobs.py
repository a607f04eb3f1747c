"""The jobs of a sweep: what is trained and explained, typed and checked before any work.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tinyvgg import paths
from tinyvgg.errors import UserError
from tinyvgg.parameters import absolute, check_study, tasks_of
from tinyvgg.settings import described, parse_setting

RULE_NAMES = ("literal", "cutoff", "published", "contribution", "contrastive")
MOST_SEEDS = 10_000

_SEEDS = re.compile(r"(\d+)(?:-(\d+))?")
_NAME = re.compile(r"\w[\w.-]*")
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")


@dataclass(frozen=True)
class Job:
    """One network of a sweep and the rules that explain its errors: plain data that travels.

    Attributes:
        profile: see `tinyvgg.experiments.open_study`.
        faces: their source; a folder by its absolute path.
        seed: of split, initial weights and batch order.
        task: what the network tells.
        settings: names and values of what differs from the profile.
        rules: names among `RULE_NAMES`.
        home: folder that everything made goes to, wherever the job is done (``TINYVGG_HOME``).
    """

    profile: str
    faces: str
    seed: int
    task: str
    settings: tuple[tuple[str, Any], ...]
    rules: tuple[str, ...]
    home: str

    @property
    def name(self) -> str:
        """What tells it from the others of a sweep."""
        said = described(self.settings)
        return f"{self.task}, seed {self.seed}" + (f", {said}" if said else "")


def plan(
    profile: str,
    faces: str,
    tasks: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, Sequence[Any]],
    rules: Sequence[str],
) -> list[Job]:
    """The jobs of a sweep: every task with every combination of settings and every seed.

    Args:
        profile: see `Job`.
        faces: the same.
        tasks: what networks tell; none for all tasks of the faces.
        seeds: one at least.
        settings: the values of each.
        rules: names among `RULE_NAMES`.

    Raises:
        UserError: an unknown profile, source or task, an unusable folder.
    """
    check_study(profile, faces, min(seeds))
    known = tasks_of(faces)
    for task in tasks:
        _check_known(task, known, "task")
    place, home = absolute(faces), str(paths.home())
    return [
        Job(profile, place, seed, task, tuple(zip(settings, values, strict=True)), (*rules,), home)
        for task in tasks or known
        for values in product(*settings.values())
        for seed in seeds
    ]


def parse_seeds(text: str) -> list[int]:
    """Seeds as typed: ``0,1,2``, ``0-4``, or both.

    Raises:
        UserError: something else, a range that runs backwards, or a great many seeds.
    """
    seeds = list(dict.fromkeys(seed for part in text.split(",") for seed in _seeds(part.strip())))
    if len(seeds) > MOST_SEEDS:
        raise UserError(f"seeds {text!r} are {len(seeds)}; the most are {MOST_SEEDS}")
    return seeds


def parse_names(text: str, known: Collection[str], what: str) -> list[str]:
    """Names as typed, with commas between them; none for an empty text.

    Raises:
        UserError: a name that is not among the known ones.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        _check_known(name, known, what)
    return names


def parse_settings(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Settings with all values that a sweep gives them, as typed: ``rate=0.01,0.001``.

    Raises:
        UserError: an unknown setting, a value it cannot have, or the same setting twice.
    """
    settings: dict[str, list[Any]] = {}
    for text in texts:
        name, values = parse_setting(text)
        if name in settings:
            raise UserError(f"setting {name!r} is given twice; give all its values at once")
        settings[name] = list(dict.fromkeys(values))
    return settings


def parse_workers(text: str) -> int:
    """A number of workers.

    Raises:
        UserError: no whole number from 1 on.
    """
    if not re.fullmatch("0*[1-9][0-9]{0,3}", text):
        raise UserError(f"workers {text!r} is not a whole number from 1 to 9999")
    return int(text)


def table_path(name: str, folder: Path | None = None) -> Path:
    """Where the table of a sweep belongs.

    Args:
        name: of the sweep.
        folder: None for the usual one.

    Raises:
        UserError: a name that no file should have.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"name {name!r} is not letters, digits, '_', '-' and '.'")
    place = paths.build() / "sweeps" if folder is None else folder.expanduser().resolve()
    return place / f"{name}.csv"


def check_scheduler(address: str) -> str:
    """Refuse what is no address of a scheduler.

    Raises:
        UserError: says what one looks like.
    """
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"scheduler {address!r} is not an address such as tcp://127.0.0.1:8786")
    return address


def _check_known(name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise UserError(f"{what} {name!r} is not one of {', '.join(known)}")


def _seeds(part: str) -> Iterator[int]:
    found = _SEEDS.fullmatch(part)
    if not found:
        raise UserError(f"seeds {part!r} are not whole numbers such as 0,1,2 or 0-4")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise UserError(f"seeds {part!r} run backwards: {last}-{first}")
    if last - first >= MOST_SEEDS:
        raise UserError(f"seeds {part!r} are {last - first + 1}; the most are {MOST_SEEDS}")
    return iter(range(first, last + 1))
