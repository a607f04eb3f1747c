"""The colour of the eyeball: pupil, iris, white, and the flesh in its inner corner."""

import numpy as np
from jaxtyping import Float32

from synthfaces.maths import Array, mix, smoothstep, to_linear

_SCLERA = to_linear([0.83, 0.805, 0.79])
_VEINS = np.array([0.05, 0.17, 0.18], np.float32)
_CARUNCLE = to_linear([0.74, 0.46, 0.43])
_IRIS_ANGLE, _PUPIL_ANGLE, _PUPIL = 0.44, 0.17, 0.004
_CARUNCLE_FROM, _CARUNCLE_TO = 0.66, 0.80


def eyeball_colour(
    direction: Float32[np.ndarray, "n 3"], outer: Array, iris: Float32[np.ndarray, "3"]
) -> Float32[np.ndarray, "n 3"]:
    """Linear RGB of places on an eyeball.

    Args:
        direction: unit vectors from its centre, with the gaze as third axis.
        outer: (n,) how far they lie towards the temple, -1..1; the rest is towards the nose.
        iris: linear RGB.
    """
    angle = np.arccos(np.clip(direction[:, 2], -1, 1))
    around = np.arctan2(direction[:, 1], direction[:, 0])
    fibres = 1 + 0.18 * np.sin(around * 23 + 3 * np.sin(around * 7)) + 0.12 * np.sin(around * 41)
    inwards = angle / _IRIS_ANGLE
    brightness = fibres * (0.7 + 0.6 * smoothstep(0.95, 0.35, inwards))
    brightness = brightness * (1 - 0.8 * smoothstep(0.72, 1.0, inwards))
    white = _SCLERA * (1 - _VEINS * smoothstep(0.75, 1.25, angle)[:, None])
    rim = smoothstep(_IRIS_ANGLE - 0.035, _IRIS_ANGLE + 0.035, angle)
    colour = mix(iris * brightness[:, None], white, rim)
    pupil = smoothstep(_PUPIL_ANGLE + 0.02, _PUPIL_ANGLE - 0.02, angle)
    colour = mix(colour, np.full(3, _PUPIL, np.float32), pupil)
    flesh = smoothstep(_CARUNCLE_FROM, _CARUNCLE_TO, -outer) * rim
    return mix(colour, _CARUNCLE, flesh).astype(np.float32)
