"""The photographs behind a set of faces: those left out, how they are cropped, how they look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from tinyvgg.faces.cropping import Cropping
from tinyvgg.faces.crops import Crop, cut
from tinyvgg.faces.decoding import Pixels, Unusable, content_of, upright
from tinyvgg.faces.known import Facts
from tinyvgg.faces.looking import Looker
from tinyvgg.photographs import LeftOut, Listing, Photograph

LARGEST = 400
"""Height of a whole photograph that is shown, in pixels: none is ever shown at its full size."""


class Seen(NamedTuple):
    """A whole photograph, scaled down, and the part of it that is used, in its pixels."""

    image: UInt8[np.ndarray, "h w 3"]
    crop: Crop


@dataclass(frozen=True)
class Originals:
    """The photographs of a source.

    Attributes:
        listing: of all that are there.
        cropping: how they are cropped.
        left_out: those that are not used: columns path and reason.
        looker: looks at them.
    """

    listing: Listing
    cropping: Cropping
    left_out: pd.DataFrame
    looker: Looker

    @property
    def all(self) -> tuple[Photograph, ...]:
        """Those that networks learn from, and those of the source's design beyond."""
        return (*self.listing.photographs, *self.listing.beyond)

    @property
    def plain(self) -> dict[str, Any]:
        """How they are cropped, what is left out and what is missing, as plain data."""
        return {
            "cropping": self.cropping.plain,
            "left_out": self.left_out.to_dict("records"),
            "missing": list(self.listing.missing),
        }

    def shots(self) -> pd.DataFrame:
        """What is known of all of them, a row each."""
        return pd.DataFrame([{"path": one.path, **one.known} for one in self.all])

    def crops(self, paths: Sequence[str]) -> list[Crop | None]:
        """The part of each photograph that is used; None of one that cannot be used."""
        by_path = {one.path: one for one in self.all}
        photographs = [by_path[path] for path in paths]
        facts = self.looker.look(photographs, self.cropping.looks_for_faces)
        return [self._crop(one, known) for one, known in zip(photographs, facts, strict=True)]

    def portraits(self, paths: Sequence[str], size: int) -> UInt8[np.ndarray, "n s s 3"]:
        """Photographs cropped as the networks see them, at another size; white where unusable."""
        images = np.full((len(paths), size, size, 3), 255, np.uint8)
        for place, (path, crop) in enumerate(zip(paths, self.crops(paths), strict=True)):
            pixels = self._pixels(path)
            if crop is not None and pixels is not None:
                images[place] = cut(pixels, crop, size)
        return images

    def seen(self, paths: Sequence[str], height: int) -> list[Seen]:
        """Whole photographs, scaled down, with the part that is used; unusable ones are not there.

        Args:
            paths: of the photographs.
            height: of each, in pixels; no more than `LARGEST`.
        """
        found = []
        for path, crop in zip(paths, self.crops(paths), strict=True):
            pixels = self._pixels(path)
            if crop is not None and pixels is not None:
                zoom = min(height, LARGEST) / pixels.shape[1]
                found.append(Seen(_scaled(pixels, zoom), _zoomed(crop, zoom)))
        return found

    def _pixels(self, path: str) -> Pixels | None:
        """A whole photograph; None where it cannot be used any more."""
        try:
            return upright(content_of(self.listing.folder / path))
        except Unusable:
            return None

    def _crop(self, photograph: Photograph, facts: Facts) -> Crop | None:
        try:
            return None if facts.fault else self.cropping.crop(photograph.known, facts)
        except Unusable:
            return None


def _scaled(pixels: UInt8[Tensor, "3 h w"], zoom: float) -> UInt8[np.ndarray, "_ _ 3"]:
    shape = [max(1, round(side * zoom)) for side in pixels.shape[1:]]
    resized = F.interpolate(pixels[None], shape, mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


def _zoomed(crop: Crop, zoom: float) -> Crop:
    return Crop(zoom * crop.x, zoom * crop.y, zoom * crop.side, crop.turn)


def as_table(left_out: Sequence[LeftOut]) -> pd.DataFrame:
    """Files that are not used, sorted by path."""
    return pd.DataFrame(sorted(left_out), columns=["path", "reason"])
