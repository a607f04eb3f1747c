"""Targets made smoother where the base mesh is too coarse to carry them.

The targets of a smile push a shelf of skin over the cheek, which catches the light as a pale patch
with a hook at its end. Between lips and eyes their displacements are averaged over neighbours.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Float32, Int, UInt8
from scipy.spatial import cKDTree

from synthfaces.maths import Array

RELAXED = ("mouthSmileLeft", "mouthSmileRight")
"""The targets that are made smoother."""

_ROUNDS, _PACE = 14, 0.7
_LIPS = 0.3
_KEPT, _FREE = 0.03, 0.15
_CHEEKS, _EYES = 6.95, 7.15


def relaxed(
    displacements: Float32[np.ndarray, "s 3"],
    quads: Int[np.ndarray, "f 4"],
    freedom: Float[np.ndarray, "s"],
) -> Float32[np.ndarray, "s 3"]:
    """Displacements drawn towards the mean of their neighbours', round after round.

    Args:
        displacements: of the skin's vertices, dm.
        quads: vertex numbers around each face of the skin.
        freedom: how far each vertex may follow its neighbours, 0..1.
    """
    neighbours = _neighbours(quads, len(displacements))
    field = displacements.astype(np.float64)
    pace = _PACE * freedom[:, None]
    for _ in range(_ROUNDS):
        field += pace * (neighbours @ field - field)
    return field.astype(np.float32)


def freedom_of_cheeks(
    points: Float32[np.ndarray, "s 3"], lips: Float[np.ndarray, "s"]
) -> Float[np.ndarray, "s"]:
    """Zero on the lips and next to them, one from 0.15 dm on, and zero again from the eyes upwards.

    Args:
        points: the skin's vertices, dm.
        lips: 0..1, where lips and the mouth's inside are.
    """
    distance, _ = cKDTree(points[lips > _LIPS]).query(points)
    below = np.clip((_EYES - points[:, 1]) / (_EYES - _CHEEKS), 0, 1)
    return np.asarray(np.clip((distance - _KEPT) / (_FREE - _KEPT), 0, 1) * below)


def mask_at_vertices(
    mask: UInt8[np.ndarray, "s s"],
    uv: Float[np.ndarray, "f 4 2"],
    quads: Int[np.ndarray, "f 4"],
    vertices: int,
) -> Float[np.ndarray, "n"]:
    """A grey image over texture coordinates, 0..1, averaged over the corners at each vertex."""
    size = len(mask)
    x = np.clip((uv[..., 0] * size).astype(int), 0, size - 1)
    y = np.clip(((1 - uv[..., 1]) * size).astype(int), 0, size - 1)
    corner: Array = mask[y, x].astype(np.float64) / 255
    total = np.bincount(quads.ravel(), corner.ravel(), vertices)
    return np.asarray(total / np.maximum(np.bincount(quads.ravel(), minlength=vertices), 1))


def _neighbours(quads: Int[np.ndarray, "f 4"], vertices: int) -> Any:
    """The matrix that takes the mean over the ends of the edges at each vertex."""
    ends = np.concatenate([quads, np.roll(quads, -1, axis=1)]).ravel()
    others = np.concatenate([np.roll(quads, -1, axis=1), quads]).ravel()
    joined = sp.csr_matrix((np.ones(len(ends)), (ends, others)), (vertices, vertices))
    joined.data[:] = 1
    degree = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)
    return sp.diags(1 / degree) @ joined
