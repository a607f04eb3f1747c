"""Which way hair is combed at each place of the undeformed head."""

import numpy as np
from jaxtyping import Float

from synthfaces.hair_styles import FALLING, Cut, HairStyle
from synthfaces.maths import Array, dot, normalized, smoothstep

CROWN = np.array([0.0, 8.48, 0.35])
KNOT = np.array([0.0, 6.98, -0.36])
"""Where tied hair is held together: low at the back of the head."""

Vectors = Float[np.ndarray, "n 3"]


def comb(points: Vectors, normals: Vectors, style: HairStyle) -> Vectors:
    """Unit tangents along which hair lies.

    Args:
        points: near the scalp of the undeformed head, dm.
        normals: unit normals of the scalp there.
        style: what is done with the hair.
    """
    wish = _wish(points, style)
    along = wish - normals * dot(wish, normals)[:, None]
    return normalized(along)


def _wish(points: Vectors, style: HairStyle) -> Vectors:
    """The direction before it is laid onto the scalp."""
    if style.cut == Cut.TIED:
        return normalized(KNOT - points)
    if style.cut == Cut.SWEPT:
        return _swept(points, style)
    if style.cut == Cut.PARTED or style.cut in FALLING:
        return _parted(points, style)
    return _from_the_crown(points, style)


def _parted(points: Vectors, style: HairStyle) -> Vectors:
    """Away from the parting; behind the crown downwards."""
    side = np.tanh((points[:, 0] - style.parting) / 0.11)
    behind = smoothstep(0.35, -0.15, points[:, 2])
    long = style.cut in FALLING
    wish = np.zeros_like(points)
    wish[:, 0] = side * (1 - 0.85 * behind)
    wish[:, 1] = -(0.55 if long else 0.2) - 0.8 * behind
    wish[:, 2] = -0.45 if long else -0.25
    return wish


def _swept(points: Vectors, style: HairStyle) -> Vectors:
    """Back from the forehead, and downwards at the sides."""
    side = np.tanh((points[:, 0] - style.parting) / 0.3)
    low = smoothstep(8.1, 7.4, points[:, 1])
    return np.stack([0.3 * side, -0.15 - 0.6 * low, -1 + 0.2 * low], axis=1)


def _from_the_crown(points: Vectors, style: HairStyle) -> Vectors:
    """Outwards from the whorl, forwards and to one side above the forehead."""
    away = normalized((points - CROWN) * np.array([1, 0.2, 1]))
    front = smoothstep(0.5, 1.0, points[:, 2])
    side = smoothstep(0.45, 0.65, np.abs(points[:, 0])) * smoothstep(8.1, 7.8, points[:, 1])
    away[:, 0] = away[:, 0] * (1 - 0.5 * front) + np.sign(style.parting) * 0.25 * front
    away[:, 2] -= 0.5 * side
    away[:, 1] -= 0.35 + 0.5 * side
    return away


def shares(points: Vectors) -> tuple[Array, Array]:
    """How much a place belongs to the top of the head and to the region above the forehead."""
    top = smoothstep(7.75, 8.15, points[:, 1])
    front = smoothstep(0.7, 1.0, points[:, 2]) * smoothstep(7.75, 7.95, points[:, 1])
    return top, front
