"""What hair is kept off: the face, and the ears where it does not fall over them."""

import numpy as np

from synthfaces.chart import AXIS_DEPTH
from synthfaces.combing import Vectors
from synthfaces.hair_styles import FALLING, Cut, HairStyle

EAR = np.array([0.8, 7.08, 0.5])
EAR_SIZE = np.array([1.0, 0.36, 0.27])
"""The middle of the left ear of the undeformed head, and half its extent, dm."""

_FREE: dict[bool, tuple[tuple[float, ...], tuple[float, ...]]] = {
    False: ((6.0, 6.9, 7.4, 7.7, 7.9, 8.02), (48, 52, 50, 43, 30, 0)),
    True: ((6.9, 7.4, 7.75, 7.95, 8.05), (95, 88, 46, 30, 0)),
}
"""Heights, dm, and the azimuths up to which the face is free there; of hair behind the ears."""


def off_the_face(points: Vectors, style: HairStyle) -> Vectors:
    """Turn points around the head's axis until they leave the face free."""
    if style.cut in (Cut.FRINGE, Cut.CROPPED):
        return points
    x, depth = points[:, 0], points[:, 2] - AXIS_DEPTH
    azimuth = np.degrees(np.arctan2(np.abs(x), depth))
    heights, least = _FREE[style.tucked]
    short = np.interp(points[:, 1], heights, least) - azimuth
    turn = np.radians(np.maximum(short, 0) * 0.5)
    radius = np.hypot(x, depth)
    angle = np.radians(azimuth) + turn
    side = np.where(x < 0, -1, 1)
    return np.stack(
        [side * radius * np.sin(angle), points[:, 1], AXIS_DEPTH + radius * np.cos(angle)], axis=1
    )


def off_the_ears(points: Vectors, style: HairStyle) -> Vectors:
    """Lead hair that does not fall over the ears around them."""
    if style.cut in FALLING and not style.tucked:
        return points
    offset = (points - EAR) / EAR_SIZE
    radius = np.hypot(offset[:, 1], offset[:, 2])
    inside = (radius < 1) & (np.abs(points[:, 0]) > 0.55)
    above = inside & style.tucked
    offset[above, 1] = np.abs(offset[above, 1])  # over the ear, not under its lobe
    factor = np.where(inside, 1 / np.maximum(radius, 0.2), 1)[:, None]
    around = EAR + offset * factor * EAR_SIZE
    return np.concatenate([points[:, :1], around[:, 1:]], axis=1)
