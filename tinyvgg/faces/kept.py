"""Decoded images in a file, each from when it was first decoded, for photographs that are large."""

import shutil
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

CHECK = 4
"""Bytes of the checksum before the pixels of an image."""
SHARE = 0.5
"""Of the space that is left on a disk, what the file may take."""


@dataclass(frozen=True)
class Place:
    """Where the pixels of an image belong.

    Attributes:
        slot: number of the record.
        seal: stands for what the pixels were made of; only who knows it finds them.
    """

    slot: int
    seal: int


@dataclass(frozen=True)
class Kept:
    """A file of images of one size, any of which may be missing; processes share it without locks.

    Whatever is not whole is missing: a checksum tells. All who write an image write the same bytes.

    Attributes:
        path: of the file.
        images: how many there can be.
        size: side of each, in pixels.
    """

    path: Path
    images: int
    size: int

    @property
    def record(self) -> int:
        """Bytes of an image with its checksum."""
        return CHECK + self.size * self.size * 3

    @property
    def fits(self) -> bool:
        """Whether there is room for the images that the file has not yet."""
        there = next(parent for parent in self.path.parents if parent.exists())
        taken = self.path.stat().st_size if self.path.exists() else 0
        return self.images * self.record - taken <= SHARE * shutil.disk_usage(there).free

    def get(self, place: Place) -> UInt8[np.ndarray, "s s 3"] | None:
        """An image; None where it is missing or damaged, or another was kept there."""
        try:
            with self.path.open("rb") as file:
                file.seek(place.slot * self.record)
                record = np.frombuffer(file.read(self.record), np.uint8)
        except OSError:
            return None
        check, pixels = record[:CHECK], record[CHECK:]
        if len(record) < self.record or check.tobytes() != _checksum(pixels, place):
            return None
        return pixels.reshape(self.size, self.size, 3)

    def put(self, place: Place, image: UInt8[np.ndarray, "s s 3"]) -> None:
        """Write an image; where the disk refuses it stays missing, which costs time alone."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            with self.path.open("r+b") as file:
                file.seek(place.slot * self.record)
                file.write(_checksum(image, place) + image.tobytes())


def _checksum(pixels: UInt8[np.ndarray, "..."], place: Place) -> bytes:
    return zlib.crc32(pixels.tobytes(), place.seal).to_bytes(CHECK, "little")
