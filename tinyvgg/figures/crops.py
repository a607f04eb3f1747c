"""How photographs are cropped: the square in each camera's mean image, or in some photographs."""

from collections.abc import Sequence
from math import cos, radians, sin

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
Image = UInt8[np.ndarray, "h w 3"]


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
        titles, seen, crops = _cameras(originals)
    else:
        titles, seen, crops = _examples(faces, originals)
    figure, axes = style.grid(2, len(seen), cell=1.25, aspect=1.35)
    for column, (title, whole, crop) in enumerate(zip(titles, seen, crops, strict=True)):
        style.show_image(axes[0, column], whole.image, title)
        _outline(axes[0, column], whole)
        style.show_image(axes[1, column], crop)
    return figure


def _cameras(originals: Originals) -> tuple[list[str], list[Seen], list[Image]]:
    """The mean image of each camera, with the part that is used, and the mean of that part."""
    shots = originals.shots()
    titles, seen, crops = [], [], []
    for angle in ANGLES:
        paths = _neutral(shots[shots["angle"] == angle])
        found = originals.seen(paths, HEIGHT)
        if found:
            shapes = [photograph.image.shape for photograph in found]
            usual = max(set(shapes), key=shapes.count)
            alike = [photograph for photograph in found if photograph.image.shape == usual]
            titles.append(f"{angle}°, {len(alike)} people")
            seen.append(Seen(_mean([one.image for one in alike]), alike[0].crop))
            crops.append(_mean(list(originals.portraits(paths, SIZE))))
    return titles, seen, crops


def _neutral(shots: pd.DataFrame) -> list[str]:
    plain = shots[(shots["emotion"] == "neutral") & (shots["gaze"] == "frontal")]
    return list((plain if len(plain) else shots)["path"][:MOST])


def _examples(faces: Faces, originals: Originals) -> tuple[list[str], list[Seen], list[Image]]:
    """Photographs spread over the set."""
    table = faces.index.table
    places = np.linspace(0, len(table) - 1, min(EXAMPLES, len(table))).round().astype(int)
    paths = list(table["path"].iloc[places])
    task = faces.index.tasks[-1]
    titles = [str(value) for value in table[task].iloc[places]]
    return titles, originals.seen(paths, HEIGHT), list(originals.portraits(paths, SIZE))


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
