"""The parts of a face: where each lies on the undeformed head, and so on every face made of it."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8

from synthfaces.mesh import Part


class FacePart(IntEnum):
    """What a pixel shows; the greater number wins where two parts share a pixel evenly."""

    BACKGROUND = 0
    HAIR = 1
    NECK = 2
    EARS = 3
    FOREHEAD = 4
    CHEEKS = 5
    CHIN = 6
    NOSE = 7
    MOUTH = 8
    EYES = 9
    BROWS = 10


Outline = Sequence[tuple[float, float]]

_FOREHEAD_FROM = 7.42
_OUTLINES: Mapping[FacePart, Outline] = {
    FacePart.FOREHEAD: ((0, _FOREHEAD_FROM), (1.0, _FOREHEAD_FROM), (1.0, 8.73), (0, 8.73)),
    FacePart.CHIN: (
        *((0, 6.43), (0.10, 6.44), (0.22, 6.47), (0.28, 6.40), (0.30, 6.30), (0.30, 6.0)),
        (0, 6.0),
    ),
    FacePart.EYES: (
        *((0.11, 7.27), (0.12, 7.38), (0.20, 7.47), (0.44, 7.48), (0.56, 7.40), (0.54, 7.28)),
        *((0.47, 7.20), (0.38, 7.165), (0.28, 7.16), (0.18, 7.19)),
    ),
    FacePart.NOSE: (
        *((0, 7.42), (0.085, 7.42), (0.07, 7.30), (0.10, 7.15), (0.16, 7.03), (0.215, 6.95)),
        *((0.215, 6.86), (0.12, 6.815), (0, 6.815)),
    ),
    FacePart.MOUTH: (
        *((0, 6.815), (0.10, 6.815), (0.20, 6.74), (0.31, 6.65), (0.31, 6.56), (0.22, 6.48)),
        *((0.10, 6.44), (0, 6.43)),
    ),
    FacePart.BROWS: (
        *((0.045, 7.405), (0.13, 7.41), (0.24, 7.43), (0.36, 7.44), (0.46, 7.43), (0.53, 7.39)),
        *((0.60, 7.38), (0.61, 7.46), (0.52, 7.53), (0.42, 7.565), (0.32, 7.57), (0.20, 7.555)),
        *((0.05, 7.54),),
    ),
}
"""Outlines of the face as seen from the front of the undeformed head, dm, of one half.

They are (distance from the middle, height); later ones cover earlier ones, cheeks are the rest.
"""

_JAW_DEPTH = (0.38, 0.40, 0.55, 0.75, 1.0, 1.45)
_JAW_HEIGHT = (9.0, 6.98, 6.80, 6.55, 6.42, 6.15)
"""The neck's border as seen from the side, dm: what lies below, or behind the ears, is neck."""

_CELLS_PER_DM = 200
_LOWEST, _HIGHEST, _WIDEST = 5.0, 8.73, 1.0
_HALF = 0.5
_MOUTH_INSIDE = (Part.TEETH, Part.TONGUE)
_EYEBALLS = (Part.LEFT_EYE, Part.RIGHT_EYE)


def face_parts(
    material: Int8[np.ndarray, "n"],
    template: Float32[np.ndarray, "n 3"],
    hair: Float32[np.ndarray, "n"],
    masks: Mapping[str, Float32[np.ndarray, "n"]],
) -> UInt8[np.ndarray, "n"]:
    """The part of the face at places of a head's surface, as numbers of `FacePart`.

    Args:
        material: the `Part` of the mesh.
        template: the same places on the undeformed head, dm.
        hair: how much of them hair covers, 0..1.
        masks: 0..1: lips, mouth (its inside) and ears.
    """
    found = _from_the_front(template)
    found[_is_neck(template)] = FacePart.NECK
    found[(masks["lips"] > _HALF) | (masks["mouth"] > _HALF)] = FacePart.MOUTH
    found[masks["ears"] > _HALF] = FacePart.EARS
    found[hair > _HALF] = FacePart.HAIR
    found[material == Part.STRANDS] = FacePart.HAIR
    found[np.isin(material, _MOUTH_INSIDE)] = FacePart.MOUTH
    found[np.isin(material, _EYEBALLS)] = FacePart.EYES
    return found


def _is_neck(template: Float32[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    border = np.interp(template[:, 2], _JAW_DEPTH, _JAW_HEIGHT)
    return np.asarray(template[:, 1] < border)


def _from_the_front(template: Float32[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n"]:
    """Look the outlines up, which are the same on both sides of the middle."""
    drawn = _drawn()
    height, width = drawn.shape
    across = np.abs(template[:, 0]) * _CELLS_PER_DM
    down = (_HIGHEST - template[:, 1]) * _CELLS_PER_DM
    columns = np.clip(across, 0, width - 1).astype(int)
    rows = np.clip(down, 0, height - 1).astype(int)
    return np.asarray(drawn[rows, columns])


@cache
def _drawn() -> UInt8[np.ndarray, "h w"]:
    """The outlines as a picture."""
    height = round((_HIGHEST - _LOWEST) * _CELLS_PER_DM)
    picture = np.full((height, round(_WIDEST * _CELLS_PER_DM)), FacePart.CHEEKS, np.uint8)
    for part, outline in _OUTLINES.items():
        points = (np.array(outline) * (1, -1) + (0, _HIGHEST)) * _CELLS_PER_DM
        cv2.fillPoly(picture, [np.round(points).astype(np.int32)], int(part))
    return picture
