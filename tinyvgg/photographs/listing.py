"""What a list of photographs holds, and what it must have to be of use."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tinyvgg.errors import UserError

TASKS = ("subject", "emotion", "class")
"""The columns that a network can be trained to tell."""
UNKNOWN = "unknown"
"""Sex or group of a person of whom a source does not know it."""

Value = str | int


class Photograph(NamedTuple):
    """An image by its path below the folder, and what is known of it."""

    path: str
    known: Mapping[str, Value]


class LeftOut(NamedTuple):
    """A file that is not used, and why not."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The photographs of a source.

    Attributes:
        folder: that the paths start from.
        photographs: those that may be used, in their order.
        tasks: the columns that a network can be trained to tell.
        left_out: files that are not, with the reason.
        missing: what the source's design asks for and does not find, in words.
        beyond: photographs that belong to the design but not to what networks learn from, such as
            full profiles.
    """

    folder: Path
    photographs: tuple[Photograph, ...]
    tasks: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[str, ...] = ()
    beyond: tuple[Photograph, ...] = ()


def usable_tasks(
    photographs: Sequence[Photograph], where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that a network can be trained to tell, and why others cannot be.

    Args:
        photographs: all of them.
        where: what they are of, for the message.

    Raises:
        UserError: no column can be told: there are fewer than two classes, or one has a single
            image; two classes whose names differ in capitals alone.
    """
    if not photographs:
        raise UserError(f"{where} has no image that can be used; are the paths right?")
    usable: list[str] = []
    faults: list[str] = []
    for task in TASKS:
        values = [str(one.known[task]) for one in photographs if task in one.known]
        if not values:
            continue
        _check_capitals(values, where)
        fault = _fault(task, Counter(values), where)
        faults += [fault] if fault else []
        usable += [] if fault else [task]
    if not usable:
        raise UserError(faults[0])
    return tuple(usable), tuple(faults)


def _fault(task: str, counts: Counter[str], where: str) -> str:
    """What is wrong with the classes of a task; nothing where nothing is."""
    if len(counts) < 2:
        return f"{where} has images of {counted(len(counts), task)}; it needs two at least"
    fewest = min(counts, key=lambda name: counts[name])
    if counts[fewest] > 1:
        return ""
    return (
        f"{task} {fewest!r} in {where} has a single image; "
        "give it two at least, one to train on and one to test, or remove it"
    )


def _check_capitals(names: Iterable[str], where: str) -> None:
    seen: dict[str, str] = {}
    for name in sorted(names):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            same = unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name)
            said = "how letters are encoded" if same else "capitals"
            raise UserError(
                f"classes {other!r} and {name!r} in {where} differ in {said} alone; "
                "rename one, or put their images together"
            )


def counted(count: int, task: str) -> str:
    """How many classes of a task: ``1 subject``, ``0 classes``."""
    plural = "classes" if task == "class" else f"{task}s"
    return f"{count} {task if count == 1 else plural}"
