"""What is known of photographs that were looked at before: kept, so that none is looked at twice.

A small data base beside the decoded pixels of each folder. An entry holds as long as size and times
of its file stay the same, and after that if its content is found to be the same. Where the disk
refuses, or the data base is damaged, nothing is known, which costs time alone.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from tinyvgg.faces.detection import Face

_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, bytes INTEGER, changed INTEGER, moved INTEGER, decoding INTEGER,
    sha256 TEXT, height INTEGER, width INTEGER, fault TEXT, detector TEXT, faces TEXT
);
"""
_COLUMNS = "path, bytes, changed, moved, sha256, height, width, fault, detector, faces"
_WAIT_SECONDS = 60.0
_DAMAGED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Codes of a file that is no data base, a broken one, or one with other tables."""
_BESIDE = ("", "-journal", "-wal", "-shm")

Result = TypeVar("Result")


class Stamp(NamedTuple):
    """How a file is recognised.

    Attributes:
        bytes: its size.
        changed: when its content was, in nanoseconds; programs that copy files often set it.
        moved: when its name, its rights or its content were; no program sets it.
    """

    bytes: int = 0
    changed: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Facts:
    """What a look at a file told.

    Attributes:
        stamp: of the file that was looked at.
        sha256: of its content; nothing where it cannot be read.
        height, width: of the upright image, in pixels.
        fault: why it cannot be used, as a predicate; nothing where it can.
        detector: that looked for faces (`tinyvgg.faces.detection.fingerprint`); nothing if none.
        faces: that it found, the largest first.
    """

    stamp: Stamp
    sha256: str = ""
    height: int = 0
    width: int = 0
    fault: str = ""
    detector: str = ""
    faces: tuple[Face, ...] = field(default=())


@dataclass(frozen=True)
class Known:
    """The data base of a folder.

    Attributes:
        path: of its file.
        decoding: version of the decoding; what another found is not known.
    """

    path: Path
    decoding: int

    def read(self) -> dict[str, Facts]:
        """All that is known, by path; nothing where it cannot be read."""

        def select(base: sqlite3.Connection) -> dict[str, Facts]:
            asked = f"SELECT {_COLUMNS} FROM files WHERE decoding = ?"
            return {row[0]: _facts(row) for row in base.execute(asked, [self.decoding])}

        return self._with_base(select) or {}

    def write(self, found: Mapping[str, Facts]) -> None:
        """Keep what was found, all of it or nothing."""
        rows = [_row(path, facts, self.decoding) for path, facts in found.items()]
        asked = f"INSERT OR REPLACE INTO files ({_COLUMNS}, decoding) VALUES ({_marks(11)})"
        self._with_base(lambda base: base.executemany(asked, rows))

    def _with_base(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """What work gives; None where the disk refuses. A damaged data base is begun anew."""
        for _ in range(2):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as base, base:
                    base.execute(_TABLE)
                    return work(base)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    return None
            except OSError:
                return None
            except (ValueError, TypeError, IndexError):  # rows with what nobody wrote
                pass
            self._remove()
        return None

    def _remove(self) -> None:
        for end in _BESIDE:
            with suppress(OSError):
                self.path.with_name(self.path.name + end).unlink()


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _row(path: str, facts: Facts, decoding: int) -> tuple[str | int, ...]:
    faces = [[*face.box.tolist(), *face.eyes.ravel().tolist(), face.score] for face in facts.faces]
    about = (facts.sha256, facts.height, facts.width, facts.fault, facts.detector)
    return (path, *facts.stamp, *about, json.dumps(faces), decoding)


def _facts(row: Sequence[object]) -> Facts:
    _, size, changed, moved, sha256, height, width, fault, detector, faces = row
    found = tuple(_face(numbers) for numbers in json.loads(str(faces)))
    stamp = Stamp(int(str(size)), int(str(changed)), int(str(moved)))
    shape = int(str(height)), int(str(width))
    return Facts(stamp, str(sha256), *shape, str(fault), str(detector), found)


def _face(numbers: Sequence[float]) -> Face:
    return Face(np.array(numbers[:4]), np.array(numbers[4:8]).reshape(2, 2), float(numbers[8]))
