"""The black shirt that everybody wears: where it lies on the undeformed head."""

import numpy as np
from jaxtyping import Float32

from synthfaces.maths import Array, smoothstep

_HEIGHT, _FADE = 5.66, 0.06
_AXIS_DEPTH = 0.27
_COLLAR = (5.7275, -0.205, -0.0525)
_SHOULDERS, _SHOULDERS_FADE = 0.9, 0.05
_EDGE = 0.006
_THICKNESS, _SLOPE = 0.05, 0.06


class Shirt:
    """Black up to a height, without a collar: enough for pictures that end below the chin."""

    def cover(self, template: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n"]:
        """How much of places of the undeformed head it covers, 0..1."""
        return smoothstep(_HEIGHT + _FADE, _HEIGHT, template[:, 1])


class TShirt(Shirt):
    """With a round collar, deepest in front, at the base of the neck."""

    def cover(self, template: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n"]:
        """How much of places of the undeformed head it covers, 0..1."""
        return _below_collar(template, _EDGE).astype(np.float32)

    def lift(self, template: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n"]:
        """By how much it lies above the skin at places of the undeformed head, dm."""
        return (_below_collar(template, _SLOPE) * _THICKNESS).astype(np.float32)


def _below_collar(template: Float32[np.ndarray, "n 3"], softness: float) -> Array:
    """0..1; the collar is a height over the azimuth around the neck, a sum of cosines, dm."""
    x, y, z = template.T
    azimuth = np.arctan2(x, z - _AXIS_DEPTH)
    level, first, second = _COLLAR
    collar = level + first * np.cos(azimuth) + second * np.cos(2 * azimuth)
    below = smoothstep(softness, -softness, y - collar)
    beside = smoothstep(_SHOULDERS, _SHOULDERS + _SHOULDERS_FADE, np.abs(x)) * (y < _HEIGHT + 0.3)
    return np.asarray(np.maximum(below, beside))
