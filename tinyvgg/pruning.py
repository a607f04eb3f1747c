"""Removing runs: which ones are asked for, and how a folder goes without leaving half of one."""

import os
import shutil
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.training import runs as run_folder
from tinyvgg.training.runs import COMPLETE, FOREIGN, INTERRUPTED, TRAINING, Entry, find

DAY = 86400.0
HIDDEN = ".removed-"


@dataclass(frozen=True)
class Selection:
    """Which runs to remove: those that all of these let through.

    Attributes:
        names: parts of names; none for every run.
        states: one of them; none for any.
        older: at least as many days.
        task: what they tell.
        keep: how many of each kind stay: complete ones first, then the newest.
    """

    names: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    older: int | float | None = None
    task: str | None = None
    keep: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was asked for."""
        return self == Selection()


def select(entries: Sequence[Entry], selection: Selection, now: float) -> list[Entry]:
    """The runs that a selection lets through; none that is in training.

    Args:
        entries: all there are.
        selection: what is asked for.
        now: seconds since 1970.

    Raises:
        UserError: a name that no run has, or several, or one in training.
    """
    chosen = _named(entries, selection.names) if selection.names else list(entries)
    chosen = [
        entry
        for entry in chosen
        if entry.state not in (TRAINING, FOREIGN)
        and (not selection.states or entry.state in selection.states)
        and (selection.task is None or entry.task == selection.task)
        and (selection.older is None or now - entry.changed >= selection.older * DAY)
    ]
    if selection.keep is not None:
        kept = _kept(chosen, selection.keep)
        chosen = [entry for entry in chosen if entry.name not in kept]
    return chosen


def remove(entry: Entry) -> bool:
    """Remove a run; not if a process has begun to train it, or has completed it, meanwhile.

    The folder is first moved to a hidden name, so that none is ever seen by half. A process that
    waits for its lock finds neither, and makes both anew.

    Raises:
        UserError: the folder cannot be removed.
    """
    hidden = entry.folder.with_name(f"{HIDDEN}{entry.name}-{uuid.uuid4().hex[:8]}")
    try:
        with run_folder.held(entry.folder, wait=False):
            if entry.state == INTERRUPTED and run_folder.is_complete(entry.folder):
                return False
            os.replace(entry.folder, hidden)
            (hidden / run_folder.LOCK).unlink(missing_ok=True)
        _delete(hidden)
    except Timeout:
        return False
    except OSError as error:
        raise UserError(
            f"run folder {str(entry.folder)!r} cannot be removed ({error.strerror})"
        ) from None
    return True


def leftovers() -> list[Path]:
    """Hidden folders of removals that were interrupted."""
    folder = paths.runs()
    return sorted(folder.glob(f"{HIDDEN}*")) if folder.is_dir() else []


def sweep() -> None:
    """Finish the removals that were interrupted."""
    for hidden in leftovers():
        _delete(hidden)


def _delete(hidden: Path) -> None:
    if hidden.is_symlink():
        hidden.unlink()
    else:
        shutil.rmtree(hidden, ignore_errors=True)


def _named(entries: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    found = list({entry.name: entry for entry in (find(name, entries) for name in names)}.values())
    for entry in found:
        if entry.state == TRAINING:
            raise UserError(f"run {entry.name!r} is in training; interrupt that first")
        if entry.state == FOREIGN:
            raise UserError(f"folder {str(entry.folder)!r} {entry.fault}; remove it yourself")
    return found


def _kept(entries: Sequence[Entry], keep: int) -> set[str]:
    """Names of the first ones of each kind."""
    kinds: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        kinds[entry.kind].append(entry)
    return {
        entry.name
        for kind in kinds.values()
        for entry in sorted(kind, key=lambda one: (one.state != COMPLETE, -one.changed))[:keep]
    }
