"""Photographs on disk in place of an array of pixels, for sets that do not fit memory."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy.typing import DTypeLike

from tinyvgg.errors import UserError
from tinyvgg.faces.crops import Crop
from tinyvgg.faces.decoding import decode, read_file
from tinyvgg.faces.kept import Kept, Place

Key = int | np.integer | slice | Sequence[int] | Shaped[np.ndarray, "_"]


@dataclass(frozen=True)
class ImageFile:
    """A photograph on disk.

    Attributes:
        path: of the file.
        sha256: of its content, when it was looked at.
        crop: the part of it that is shown.
        place: where its pixels are kept.
    """

    path: Path
    sha256: str
    crop: Crop
    place: Place


@dataclass(frozen=True)
class ImageFiles:
    """Images that are decoded whenever they are asked for; otherwise like an array of them.

    Attributes:
        files: the photographs.
        size: side of the square images, in pixels.
        kept: where those are kept whose files are larger than what is made of them.
    """

    files: tuple[ImageFile, ...]
    size: int
    kept: Kept | None = None

    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As that of an array."""
        return (len(self.files), self.size, self.size, 3)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> UInt8[np.ndarray, "*m s s 3"]:
        rows = np.asarray(np.arange(len(self))[key])
        images = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        for place, row in np.ndenumerate(rows):
            images[place] = self._image(int(row))
        return images

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "s s 3"]]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All images, decoded; never a view, so that ``copy=False`` is refused.

        Raises:
            ValueError: as numpy says of what cannot be had without a copy.
        """
        if copy is False:
            raise ValueError("images on disk cannot be an array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def _image(self, row: int) -> UInt8[np.ndarray, "s s 3"]:
        file = self.files[row]
        kept = self.kept.get(file.place) if self.kept else None
        if kept is not None:
            return kept
        content = read_file(file.path)
        if hashlib.sha256(content.data).hexdigest() != file.sha256:
            raise UserError(
                f"image {str(file.path)!r} has changed since its folder was read; start again"
            )
        image = decode(content, file.path, self.size, file.crop)
        if self.kept and content.nbytes > image.nbytes:
            self.kept.put(file.place, image)
        return image
