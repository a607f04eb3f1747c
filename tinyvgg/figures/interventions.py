"""Figures of interventions: one shot with one cause changed at a time, and where that shows."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tinyvgg.faces.synthetic import FacePart
from tinyvgg.figures import style
from tinyvgg.findings.interventions import Seen, compare, part_name

COLUMNS = 6
"""Pictures in a row of the figure, of which the first is the original."""

PART_COLOURS: Mapping[FacePart, tuple[int, int, int]] = MappingProxyType(
    {
        FacePart.BACKGROUND: (255, 255, 255),
        FacePart.HAIR: (110, 75, 50),
        FacePart.NECK: (150, 150, 150),
        FacePart.EARS: (204, 121, 167),
        FacePart.FOREHEAD: (240, 228, 66),
        FacePart.CHEEKS: (230, 159, 0),
        FacePart.CHIN: (0, 158, 115),
        FacePart.NOSE: (86, 180, 233),
        FacePart.MOUTH: (204, 51, 17),
        FacePart.EYES: (0, 114, 178),
        FacePart.BROWS: (60, 20, 90),
    }
)
"""RGB; mostly Okabe and Ito's."""

TINT = 0.5
"""How much of its colour a part gets."""

_FAINT, _STRONG = np.array([205, 226, 243]), np.array([8, 29, 88])


def _ramp() -> UInt8[np.ndarray, "256 3"]:
    """Colours of differences: white for none at all, pale blue for one level, dark for many."""
    share = np.sqrt(np.arange(256) / 255)[:, None]
    colours = np.round(_FAINT + share * (_STRONG - _FAINT)).astype(np.uint8)
    colours[0] = 255
    return np.asarray(colours)


RAMP = _ramp()
"""RGB of a difference by so many levels."""


def part_colour(part: FacePart) -> str:
    """A part's colour as pages and figures write it, such as ``#cc3311``."""
    return "#" + bytes(PART_COLOURS[part]).hex()


def difference_picture(levels: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Where two images differ: white where they are equal to the byte, else the darker the more."""
    return np.asarray(RAMP[levels])


def parts_picture(
    image: UInt8[np.ndarray, "h w 3"], parts: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """An image tinted by the parts of the face that it shows."""
    colours = np.array([PART_COLOURS[part] for part in FacePart])[parts]
    return np.asarray(np.round((1 - TINT) * image + TINT * colours), dtype=np.uint8)


@style.styled()
def interventions_figure(before: Seen, after: Mapping[str, Seen]) -> Figure:
    """The original and its parts; beside them the changed images, and below each its difference."""
    beside = COLUMNS - 1
    blocks = -(-len(after) // beside)
    figure, axes = style.grid(2 * blocks, COLUMNS, aspect=1.1)
    for axis in axes.flat:
        style.clear(axis)
    style.show_image(axes[0, 0], before.image, "original")
    style.show_image(axes[1, 0], parts_picture(before.image, before.parts), "its parts")
    for place, (cause, seen) in enumerate(after.items()):
        block, column = divmod(place, beside)
        levels = compare(before, seen).levels
        style.show_image(axes[2 * block, column + 1], seen.image, cause)
        style.show_image(axes[2 * block + 1, column + 1], difference_picture(levels))
    handles = [
        Patch(color=part_colour(part), label=part_name(part))
        for part in FacePart
        if part != FacePart.BACKGROUND
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7)
    return figure
