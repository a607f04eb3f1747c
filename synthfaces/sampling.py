"""Where a picture is traced and shaded: more often where it is finer.

A pixel has two rays across and two down. The first and the last are traced, in all pixels, which
makes a chequerboard of them; a pixel is plain where these and the next ones around it all meet the
same. A plain pixel of skin is shaded once, one of hair at its two rays, one of the background not
at all; the others are traced and shaded at all four, as is hair of which many strands are in one.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float32, Int, Int8

from synthfaces.maths import Array, by_column, pick

SMOOTH, STRANDS, NOTHING, FINE = np.arange(4, dtype=np.int8)
"""Kinds of what rays meet: smooth skin, strands of hair, the background, and all that is finer."""

_STEEPEST = 2.0
_STRAND = 0.03


@dataclass(frozen=True)
class Places:
    """Places on the head where light leaves it towards the camera; n of them.

    Attributes:
        triangle: the number of the triangle.
        corners: (n, k) vertices, between which is interpolated.
        weights: (n, k) their shares.
        rays: (n, 3) unit vectors from the camera.
        depth: distance from it, dm.
    """

    triangle: Int[np.ndarray, "n"]
    corners: Int[np.ndarray, "n k"]
    weights: Float32[np.ndarray, "n k"]
    rays: Float32[np.ndarray, "n 3"]
    depth: Float32[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.triangle)

    def __getitem__(self, some: slice) -> "Places":
        return Places(
            self.triangle[some],
            self.corners[some],
            self.weights[some],
            self.rays[some],
            self.depth[some],
        )

    def interpolate(self, fields: Float32[np.ndarray, "v f"]) -> Float32[np.ndarray, "n f"]:
        """What is given at the vertices, at the places."""
        count, corners = self.weights.shape
        ends = np.arange(count + 1, dtype=np.int32) * np.int32(corners)
        parts = (self.weights.ravel(), self.corners.ravel(), ends)
        matrix: Any = sp.csr_matrix(parts, shape=(count, len(fields)))
        return by_column(matrix @ fields)


def places_met(
    found: dict[str, Array],
    rays: Float32[np.ndarray, "r 3"],
    rows: Int[np.ndarray, "n"],
    triangles: Int[np.ndarray, "t 3"],
    first: int = 0,
) -> Places:
    """Where some rays meet the head.

    Args:
        found: what Embree tells of all rays.
        rays: unit vectors.
        rows: the rays asked for; all of them hit one of the triangles.
        triangles: vertices of each triangle.
        first: the number of the first one.
    """
    triangle, u, v = (found[name][rows] for name in ("primID", "u", "v"))
    triangle = triangle - first
    weights = np.stack([1 - u - v, u, v], axis=1)
    return Places(triangle, triangles[triangle], weights, pick(rays, rows), found["tfar"][rows])


def between(one: Places, other: Places) -> Places:
    """Places half-way between two of the same surface."""
    half = np.float32(0.5)
    return Places(
        triangle=one.triangle,
        corners=np.concatenate([one.corners, other.corners], axis=1),
        weights=np.concatenate([one.weights, other.weights], axis=1) * half,
        rays=(one.rays + other.rays) * half,
        depth=(one.depth + other.depth) * half,
    )


@lru_cache(maxsize=8)
def rays_of_pixels(rows: int, columns: int, samples: int) -> Int[np.ndarray, "p q"]:
    """Numbers of the rays through each pixel, samples x samples of them, row after row."""
    numbers = np.arange(rows * columns * samples**2).reshape(rows, samples, columns, samples)
    rays = np.ascontiguousarray(numbers.swapaxes(1, 2)).reshape(rows * columns, samples**2)
    rays.flags.writeable = False
    return rays


def plain_kind(
    kind: Int8[np.ndarray, "p 2"],
    depth: Float32[np.ndarray, "p 2"],
    columns: int,
    width: float,
) -> Int8[np.ndarray, "p"]:
    """What all rays of each pixel meet, as far as their neighbours tell; `FINE` where they differ.

    A pixel's other two rays lie between its own first and last and those of the pixels around it.

    Args:
        kind: of surface that the first and the last ray of each pixel meet, row after row.
        depth: of these rays, dm.
        columns: of the picture.
        width: of a pixel, dm; skin is plain where it is no steeper than that, and hair where it is
            about as wide.
    """
    around = _first_and_last(kind, columns)
    first = around[0]
    alike = np.logical_and.reduce([other == first for other in around[1:]])
    near, far = (end.reduce(_first_and_last(depth, columns)) for end in (np.minimum, np.maximum))
    steepness = np.abs(depth[:, 0] - depth[:, 1]).reshape(first.shape)
    level = (steepness < width) & (far - near < _STEEPEST * width)
    plain = alike & (level | (first != SMOOTH)) & ((first != STRANDS) | (width < _STRAND))
    return np.where(plain, first, FINE).ravel()


def _first_and_last(values: Array, columns: int) -> list[Array]:
    """Of each pixel its first and last ray, and those above, at the left, below, at the right."""
    first, last = np.ascontiguousarray(values.T).reshape(2, -1, columns)
    above, left = (np.roll(last, 1, axis) for axis in (0, 1))
    below, right = (np.roll(first, -1, axis) for axis in (0, 1))
    above[0], left[:, 0], below[-1], right[:, -1] = last[0], last[:, 0], first[-1], first[:, -1]
    return [first, last, above, left, below, right]
