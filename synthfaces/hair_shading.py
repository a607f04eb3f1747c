"""Light that leaves strands of hair towards the camera.

The same light as `shading` has for the head, for what strands are: of one sharpness of sheen, and
without pores, creases or wet spots.
"""

import cv2
import numpy as np
from jaxtyping import Float32

from synthfaces.chart import Image, sample
from synthfaces.lighting import Illumination, Lamp
from synthfaces.materials import facing
from synthfaces.maths import Array, dot, mix, normalized, per_channel
from synthfaces.shading import EXPOSURE, SHEEN, fresnel, rim, sky, wrapped
from synthfaces.shadows import scaled

_WRAP = np.float32(0.25)
_SHINE = np.float32(0.5)
_RIM = 0.5
_INSIDE_HAIR = 0.5
_TUFT, _SHARPEST, _SOFTEST = 0.011, 0.4, 1.2
_INNER = np.float32(0.5)


def shade_strands(
    fields: Float32[np.ndarray, "n 8"],
    view: Float32[np.ndarray, "n 3"],
    paint: Image,
    light: Illumination,
) -> Float32[np.ndarray, "n 3"]:
    """Linear RGB of places on ribbons.

    Args:
        fields: what `Ribbons.fields` gives at the places.
        view: (n, 3) unit vectors back to the camera.
        paint: linear RGB over the chart.
        light: of the studio.
    """
    normal, behind = facing(normalized(fields[:, :3]), view)
    seen = fields[:, 5:]
    seen = np.where(behind[:, None], scaled(seen, _INSIDE_HAIR), seen)
    lit, share = np.minimum(seen, 1), seen[:, 1]
    matt = sum(np.float32(lamp.diffuse) * wrapped(normal, lamp, _WRAP) for lamp in light.lamps)
    arriving = lit * np.asarray(matt)[:, None] + sky(normal, share, seen, light)
    colour = sample(paint, fields[:, 3:5])[:, :3] * arriving
    shine = sum(_highlight(lamp, normal, view) for lamp in light.lamps)
    colour += per_channel(shine * np.minimum(share, 1), np.float32(1.1) * SHEEN)
    colour += rim(normal, view, share, light) * np.float32(_RIM)
    return np.asarray(colour * EXPOSURE)


def soft_outlines(
    linear: Float32[np.ndarray, "h w 3"], shares: Float32[np.ndarray, "h w 2"], width: float
) -> Float32[np.ndarray, "h w 3"]:
    """Blend hair with what is around it at its outline, as it is finer there than strands are.

    Args:
        linear: linear RGB.
        shares: of each pixel that strands and the background cover, 0..1.
        width: of a pixel, dm.
    """
    radius = min(_TUFT / width, _SOFTEST)
    if radius < _SHARPEST:
        return linear
    hair, wall = np.moveaxis(cv2.GaussianBlur(shares, (0, 0), 1.25 * radius), -1, 0)
    edge = np.maximum(4 * hair * (1 - hair), 2 * np.sqrt(hair * wall))
    weight = np.clip(np.maximum(edge, _INNER * hair), 0, 1)
    return mix(linear, cv2.GaussianBlur(linear, (0, 0), radius), weight)


def _highlight(
    lamp: Lamp, normal: Float32[np.ndarray, "n 3"], view: Float32[np.ndarray, "n 3"]
) -> Array:
    """As on the head, but broad: with an exponent of 6."""
    half = normalized(view + lamp.direction)
    cosine = np.clip(dot(normal, half), 0, 1)
    square = cosine * cosine
    lobe = np.square(square) * square
    strength = np.float32(lamp.highlight) * _SHINE
    return np.asarray(strength * fresnel(half, view) * lobe)
