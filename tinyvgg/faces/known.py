"""What is known of photographs that were looked at before: kept, so that none is looked at twice.

A small data base beside the decoded pixels of each folder. An entry holds as long as size and time
of its file stay the same.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinyvgg.faces.detection import Face

_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, bytes INTEGER, changed INTEGER, decoding INTEGER, sha256 TEXT,
    height INTEGER, width INTEGER, fault TEXT, detector TEXT, faces TEXT
);
"""
_WAIT_SECONDS = 60.0


class Stamp(NamedTuple):
    """How a file is recognised: its size in bytes and when it was changed, in nanoseconds."""

    bytes: int
    changed: int


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
        """All that is known, by path."""
        columns = "path, bytes, changed, sha256, height, width, fault, detector, faces"
        with closing(self._open()) as base:
            rows = base.execute(f"SELECT {columns} FROM files WHERE decoding = ?", [self.decoding])
            return {row[0]: _facts(row) for row in rows}

    def write(self, found: Mapping[str, Facts]) -> None:
        """Keep what was found, all of it or nothing."""
        rows = [_row(path, facts, self.decoding) for path, facts in found.items()]
        with closing(self._open()) as base, base:
            base.executemany(f"INSERT OR REPLACE INTO files VALUES ({_marks(10)})", rows)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._opened()
        except sqlite3.DatabaseError:  # damaged; what it knew is found out anew
            self.path.unlink(missing_ok=True)
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, timeout=_WAIT_SECONDS)
        try:
            base.executescript(_TABLE)
        except sqlite3.DatabaseError:
            base.close()
            raise
        return base


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _row(path: str, facts: Facts, decoding: int) -> tuple[str | int, ...]:
    faces = [[*face.box.tolist(), *face.eyes.ravel().tolist(), face.score] for face in facts.faces]
    about = (facts.sha256, facts.height, facts.width, facts.fault, facts.detector)
    return (path, *facts.stamp, decoding, *about, json.dumps(faces))


def _facts(row: Sequence[object]) -> Facts:
    _, size, changed, sha256, height, width, fault, detector, faces = row
    found = tuple(_face(numbers) for numbers in json.loads(str(faces)))
    stamp = Stamp(int(str(size)), int(str(changed)))
    shape = int(str(height)), int(str(width))
    return Facts(stamp, str(sha256), *shape, str(fault), str(detector), found)


def _face(numbers: Sequence[float]) -> Face:
    return Face(np.array(numbers[:4]), np.array(numbers[4:8]).reshape(2, 2), float(numbers[8]))
