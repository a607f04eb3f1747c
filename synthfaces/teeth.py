"""Teeth painted on the strips that stand for them: gaps, rounded edges, gums."""

import numpy as np
from jaxtyping import Float32

from synthfaces.maths import Array, dot, mix, normalized, smoothstep, to_linear

_ENAMEL = to_linear([0.93, 0.905, 0.855])
_GUM = to_linear([0.72, 0.42, 0.42])
_GAP = np.array([0.42, 0.30, 0.26], np.float32)
_ARCH_CENTRE = 0.95
_SHADE = np.float32(0.3)
_BORDERS = np.array([0.0, 0.155, 0.285, 0.42, 0.545, 0.675, 0.82, 0.98])
"""Where one tooth ends and the next begins, radians from the middle of the arch."""

_LIT = np.array([1.0, 1.0, 0.8, 0.45, 0.2, 0.1, 0.08])
"""How much light the cheeks leave to each tooth, from the middle on."""

_GLANCING = (0.45, 0.2)
"""Cosines of the view against the arch: where single teeth are told apart, and where not."""

_FRONT = (1.25, 1.43)
"""How far in front the arch is in the mouth's shade, and is enamel, dm."""

_UPPER_GUM, _LOWER_GUM, _SCALLOP = 6.775, 6.515, 0.022


def tooth_normals(template: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    """Outwards from the middle of the arch, rounded at each tooth; the strip has poor normals.

    Args:
        template: places on the undeformed head, dm.
    """
    outer = outwards(template)
    _, across = _tooth(template)
    bend = (0.35 * across * np.sign(template[:, 0])).astype(np.float32)
    sideways = np.stack([outer[:, 2], 0 * bend, -outer[:, 0]], axis=1)
    return normalized(outer + bend[:, None] * sideways)


def tooth_colour(
    template: Float32[np.ndarray, "n 3"], view: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 3"]:
    """Linear RGB of teeth and gums; the inner side is all gums, in the shade of the mouth.

    Args:
        template: places on the undeformed head, dm.
        view: unit vectors to the camera, which tell which side it sees.
    """
    number, across = _tooth(template)
    edge = smoothstep(0.72, 1.0, np.abs(across))
    colour = _ENAMEL * (1 - (1 - _GAP) * edge[:, None])
    colour = colour * (1 - np.array([0.02, 0.03, 0.05], np.float32) * number[:, None])
    colour = colour * _LIT[number][:, None]
    scallop = _SCALLOP * (1 - across**2)
    height = template[:, 1]
    depth = np.maximum(height - _UPPER_GUM, _LOWER_GUM - height) - scallop
    colour = mix(colour, _GUM * _LIT[number][:, None], smoothstep(-0.008, 0.012, depth))
    facing = dot(view, outwards(template))
    colour = mix(colour, _along_the_arch(template), smoothstep(*_GLANCING, facing))
    return mix(colour, _GUM * _SHADE, smoothstep(0.1, -0.15, facing)).astype(np.float32)


def _along_the_arch(template: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    """Linear RGB of teeth seen past their neighbours: single ones merge and redden further back."""
    front = smoothstep(*_FRONT, template[:, 2])
    return mix(np.broadcast_to(_GUM * _SHADE, template.shape), _ENAMEL, front)


def outwards(template: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    """Unit vectors from the middle of the arch, level."""
    level = template * np.array([1, 0, 1], np.float32)
    level[:, 2] -= _ARCH_CENTRE
    return normalized(level)


def _tooth(template: Float32[np.ndarray, "n 3"]) -> tuple[Array, Array]:
    """The number of each place's tooth from the middle on, and where it lies across it, -1..1."""
    azimuth = np.abs(np.arctan2(template[:, 0], template[:, 2] - _ARCH_CENTRE))
    number = np.clip(np.searchsorted(_BORDERS, azimuth, side="right") - 1, 0, len(_BORDERS) - 2)
    start, end = _BORDERS[number], _BORDERS[number + 1]
    return number, np.clip((azimuth - start) / (end - start) * 2 - 1, -1, 1)
