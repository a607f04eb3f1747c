"""The crop around a face: eyes level, framed as the synthetic faces are.

In the set's images the eyes lie a little above the middle, the frame goes from above the hair line
to below the chin, and profiles, where a head is longer, are shown smaller and with the back of the
head. A detector gives a box around the face and the eyes; how these lie in the set's framing was
measured on synthetic faces before all five cameras (``tools/measure_detectors.py``; "framing" in
``results/detectors.json``). The size comes from the box's diagonal, which stays the same when a
head is tilted; the eyes give the height and the turn.

From the side both eyes lie nearly at one place, and their line means nothing. How far they are
apart says how much a face is seen from the side, and the crop passes smoothly from one framing to
the other.
"""

import numpy as np

from tinyvgg.faces.crops import Crop
from tinyvgg.faces.detection import Face

_EYES_FROM_FRONT, _EYES_FROM_SIDE = 0.13, 0.08
"""How far eyes are apart: more up to half the side, less in profiles; in diagonals of the box."""
_SIDE, _SIDE_OF_PROFILE = 1.02, 1.46
"""Of the crop, in diagonals of the box."""
_BACK, _BACK_OF_PROFILE = 1.6, 3.6
"""From the eyes to the crop's middle, towards the back of the head, in multiples of the way from
the box's middle to the eyes."""
_EYES_ABOVE_MIDDLE = 0.087
"""In sides of the crop."""


def around_eyes(face: Face) -> Crop:
    """The crop of a face that a detector found; it may leave the photograph.

    Args:
        face: in pixels of the upright photograph.
    """
    middle, (across, down) = face.eyes.mean(axis=0), face.eyes[1] - face.eyes[0]
    diagonal = float(np.hypot(*face.size))
    profile = _profile(float(np.hypot(across, down)) / diagonal)
    turn = (1 - profile) * float(np.arctan2(down, across))
    side = diagonal * _between(_SIDE, _SIDE_OF_PROFILE, profile)
    right = np.array([np.cos(turn), np.sin(turn)])
    below = np.array([-right[1], right[0]])
    back = float((face.middle - middle) @ right) * _between(_BACK, _BACK_OF_PROFILE, profile)
    x, y = middle + back * right + _EYES_ABOVE_MIDDLE * side * below
    return Crop(float(x), float(y), side, float(np.degrees(turn)))


def _profile(apart: float) -> float:
    """How much a face is seen from the side, 0 to 1.

    Args:
        apart: how far its eyes are, in diagonals of its box.
    """
    share = (_EYES_FROM_FRONT - apart) / (_EYES_FROM_FRONT - _EYES_FROM_SIDE)
    return min(max(share, 0.0), 1.0)


def _between(front: float, side: float, profile: float) -> float:
    return front + (side - front) * profile
