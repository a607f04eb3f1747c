"""Where a picture is shaded: once in a pixel on a smooth surface, else at each of its rays."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float32, Int, Int8

from tinyvgg.faces.synthetic.maths import Array, by_column, pick

_STEEPEST = 1.0


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
) -> Places:
    """Where some rays meet the head.

    Args:
        found: what Embree tells of all rays.
        rays: unit vectors.
        rows: the rays asked for; all of them hit.
        triangles: vertices of each triangle.
    """
    triangle, u, v = (found[name][rows] for name in ("primID", "u", "v"))
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


def is_smooth(
    kind: Int8[np.ndarray, "p q"], depth: Float32[np.ndarray, "p q"], width: float
) -> Bool[np.ndarray, "p"]:
    """Pixels whose rays all meet one smooth surface, no steeper than a pixel is wide.

    Each pixel is judged by its own rays alone: what changes elsewhere in the picture does not
    change it.

    Args:
        kind: of surface that each ray of each pixel meets; negative where it is not smooth.
        depth: of each ray, dm.
        width: of a pixel, dm.
    """
    first = kind[:, 0]
    alike = first >= 0
    near, far = depth[:, 0], depth[:, 0]
    for ray in range(1, kind.shape[1]):
        alike &= kind[:, ray] == first
        near, far = np.minimum(near, depth[:, ray]), np.maximum(far, depth[:, ray])
    return np.asarray(alike & (near + np.float32(_STEEPEST * width) > far))
