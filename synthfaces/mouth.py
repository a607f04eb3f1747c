"""How much light gets into the mouth: less the further behind the lips a place lies."""

import numpy as np
from jaxtyping import Float32

from synthfaces.maths import Array, dot, smoothstep
from synthfaces.teeth import outwards

_CAVITY, _CAVITY_LEAST = (0.95, 1.43), 0.12
_TEETH, _TEETH_LEAST = (1.2, 1.46), 0.03
"""How far in front places of the undeformed head lie that get least light, and all of it, dm."""

_BESIDE, _BEHIND_CHEEKS = (0.12, 0.28), 0.6
"""How far from the middle the cheeks begin to keep light away, dm, and what share of it."""

_INNER, _OUTER = 0.35, 0.65
"""Cosines of the view against the arch of the teeth: which of their sides is seen."""


def light_in_cavity(
    template: Float32[np.ndarray, "n 3"], mouth: Float32[np.ndarray, "n"]
) -> Float32[np.ndarray, "n"]:
    """Share of the light that lips and cheeks let through to the walls and to the tongue.

    Args:
        template: places on the undeformed head, dm.
        mouth: how much of them is inside the mouth, 0..1; where none is, all the light arrives.
    """
    cheeks = _BEHIND_CHEEKS * smoothstep(*_BESIDE, np.abs(template[:, 0]))
    kept = 1 - _arriving(template, _CAVITY, _CAVITY_LEAST) * (1 - cheeks)
    return np.asarray(1 - kept * np.clip(mouth, 0, 1), np.float32)


def light_on_teeth(
    template: Float32[np.ndarray, "n 3"], view: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n"]:
    """The same of teeth; their outer side is next to the lips, and has all the light.

    Args:
        template: places on the undeformed head, dm.
        view: unit vectors to the camera, which tell which side it sees.
    """
    inner = smoothstep(_OUTER, _INNER, dot(view, outwards(template)))
    kept = 1 - _arriving(template, _TEETH, _TEETH_LEAST)
    return np.asarray(1 - kept * inner, np.float32)


def _arriving(
    template: Float32[np.ndarray, "n 3"], reach: tuple[float, float], least: float
) -> Array:
    return np.asarray(least + (1 - least) * smoothstep(*reach, template[:, 2]) ** 2)
