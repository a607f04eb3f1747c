"""How photographs are cropped: the square in each camera's mean image, or in some photographs."""

from collections.abc import Sequence
from math import cos, radians, sin
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from tinyvgg.face_parameters import ANGLES
from tinyvgg.faces import Faces
from tinyvgg.faces.cropping import ByCamera
from tinyvgg.faces.crops import Crop
from tinyvgg.faces.originals import Originals, Seen
from tinyvgg.figures import style
from tinyvgg.findings.data import cropping_sentence

HEIGHT = 340
"""Of whole photographs as they are shown, in pixels."""
MOST = 40
"""Photographs behind the mean image of a camera."""
EXAMPLES = 6
SIZE = 224
Image = UInt8[np.ndarray, "_ _ 3"]


class Shown(NamedTuple):
    """A column of the figure: its title, a photograph with the part that is used, that part."""

    title: str
    whole: Seen
    crop: Image


@style.styled()
def crops_figure(faces: Faces) -> style.Drawn:
    """The part of photographs that is used, and what becomes of it.

    Where each camera has a square of its own: the mean photograph of people with a neutral
    expression at each angle, and the mean crop. Else some photographs, and their crops.
    """
    originals = faces.originals
    if originals is None:
        return style.Missing(f"There is no figure of crops. {cropping_sentence(faces)}")
    if isinstance(originals.cropping, ByCamera):
        shown = _cameras(originals)
    else:
        shown = _examples(faces, originals)
    if not shown:
        return style.Missing("There is no figure of crops. The photographs are not there any more.")
    figure, axes = style.grid(2, len(shown), cell=1.25, aspect=1.35)
    for column, (title, whole, crop) in enumerate(shown):
        style.show_image(axes[0, column], whole.image, title)
        _outline(axes[0, column], whole)
        style.show_image(axes[1, column], crop)
    return figure


def _cameras(originals: Originals) -> list[Shown]:
    """The mean image of each camera, with the part that is used, and the mean of that part."""
    shots, shown = originals.shots(), []
    for angle in ANGLES:
        found = _usable(originals, _neutral(shots[shots["angle"] == angle]))
        if found:
            seen, crops = zip(*found.values(), strict=True)
            whole = Seen(_mean([one.image for one in seen]), seen[0].crop)
            shown.append(Shown(f"{angle}°, {len(seen)} people", whole, _mean(crops)))
    return shown


def _neutral(shots: pd.DataFrame) -> list[str]:
    plain = shots[(shots["emotion"] == "neutral") & (shots["gaze"] == "frontal")]
    return list((plain if len(plain) else shots)["path"][:MOST])


def _examples(faces: Faces, originals: Originals) -> list[Shown]:
    """Photographs spread over the set."""
    table, task = faces.index.table, faces.index.tasks[-1]
    places = np.linspace(0, len(table) - 1, min(EXAMPLES, len(table))).round().astype(int)
    chosen = table.iloc[places]
    titles = dict(zip(chosen["path"], chosen[task], strict=True))
    found = _usable(originals, list(titles))
    return [Shown(style.short(str(titles[path]), 16), *both) for path, both in found.items()]


def _usable(originals: Originals, paths: Sequence[str]) -> dict[str, tuple[Seen, Image]]:
    """Photographs that are there and can be used, whole and cropped, by path."""
    usable = [
        path for path, crop in zip(paths, originals.crops(paths), strict=True) if crop is not None
    ]
    both = zip(originals.seen(usable, HEIGHT), originals.portraits(usable, SIZE), strict=True)
    return dict(zip(usable, both, strict=True))


def _mean(images: Sequence[Image]) -> Image:
    return np.asarray(np.stack(images).mean(axis=0).round(), dtype=np.uint8)


def _outline(axis: Axes, seen: Seen) -> None:
    """The square that is used, in a photograph that is shown."""
    height, width = seen.image.shape[:2]
    axis.add_patch(Polygon(corners(seen.crop), fill=False, edgecolor=style.ORANGE, linewidth=1.5))
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def corners(crop: Crop) -> Float[np.ndarray, "4 2"]:
    """The corners of a crop, (x, y) from the upper left one on, clockwise; pixel centres count."""
    angle = radians(crop.turn)
    right = np.array([cos(angle), sin(angle)]) * crop.side / 2
    down = np.array([-sin(angle), cos(angle)]) * crop.side / 2
    middle = np.array([crop.x, crop.y]) - 0.5
    return np.stack(
        [middle + x * right + y * down for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    )
