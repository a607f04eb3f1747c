"""One Catmull-Clark step as a sparse matrix: new vertices = matrix @ old vertices.

Catmull and Clark, Recursively generated B-spline surfaces on arbitrary topological meshes,
Computer-Aided Design 10 (1978). Borders stay where they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Subdivision:
    """A finer mesh of quadrilaterals, its vertices in the order corners, edges, faces.

    Attributes:
        smooth: (new, old) sparse weights of the Catmull-Clark surface.
        linear: (new, old) sparse weights that leave old vertices alone and average elsewhere.
        quads: (4 faces, 4) new vertex numbers; the four of a face follow one another.
    """

    smooth: Any
    linear: Any
    quads: Int[np.ndarray, "f 4"]


def subdivide(quads: Int[np.ndarray, "f 4"], vertices: int) -> Subdivision:
    """Split every quadrilateral into four.

    Args:
        quads: vertex numbers around each face, all oriented alike.
        vertices: how many vertices there are, used or not.
    """
    faces = len(quads)
    following = np.roll(quads, -1, axis=1)
    keys = np.minimum(quads, following).astype(np.int64) * vertices + np.maximum(quads, following)
    unique, edge_of_side, uses = np.unique(keys, return_inverse=True, return_counts=True)
    edge_of_side = edge_of_side.reshape(faces, 4)
    ends = np.stack([unique // vertices, unique % vertices], axis=1)
    edges = len(ends)

    face_points = _gather(quads, vertices) / 4
    midpoints = _gather(ends, vertices) / 2
    faces_of_edge = _gather(edge_of_side, edges).T
    border = uses == 1
    edge_points = _where(border, midpoints, midpoints / 2 + faces_of_edge @ face_points / 4)
    corners = _corner_points(quads, ends, border, face_points, midpoints)
    middle = np.broadcast_to(vertices + edges + np.arange(faces)[:, None], (faces, 4))
    sides = vertices + edge_of_side
    split = np.stack([quads, sides, middle, np.roll(sides, 1, axis=1)], axis=2)
    return Subdivision(
        smooth=_stack(corners, edge_points, face_points),
        linear=_stack(sp.identity(vertices), midpoints, face_points),
        quads=split.reshape(-1, 4),
    )


def subdivide_corners(values: Float[np.ndarray, "f 4 c"]) -> Float[np.ndarray, "g 4 c"]:
    """Values at the corners of faces, carried to the corners of the four new faces of each."""
    middles = (values + np.roll(values, -1, axis=1)) / 2
    centres = np.broadcast_to(values.mean(axis=1, keepdims=True), values.shape)
    split = np.stack([values, middles, centres, np.roll(middles, 1, axis=1)], axis=2)
    return split.reshape(-1, 4, values.shape[-1])


def triangulate(quads: Int[np.ndarray, "f 4"]) -> Int[np.ndarray, "t 3"]:
    """Two triangles per face: first all the first halves, then all the second."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _corner_points(
    quads: Int[np.ndarray, "f 4"],
    ends: Int[np.ndarray, "e 2"],
    border: Any,
    face_points: Any,
    midpoints: Any,
) -> Any:
    """Old vertices moved to F/n + 2R/n + (n - 3)P/n; those on a border and unused ones stay."""
    vertices = face_points.shape[1]
    faces_at = _gather(quads, vertices).T
    edges_at = _gather(ends, vertices).T
    valence = np.maximum(np.bincount(quads.ravel(), minlength=vertices), 1)
    degree = np.maximum(np.bincount(ends.ravel(), minlength=vertices), 1)
    moved = (
        sp.diags(1 / valence**2) @ faces_at @ face_points
        + sp.diags(2 / (valence * degree)) @ edges_at @ midpoints
        + sp.diags((valence - 3) / valence)
    )
    fixed = np.bincount(quads.ravel(), minlength=vertices) == 0
    fixed[ends[border].ravel()] = True
    return _where(fixed, sp.identity(vertices), moved)


def _gather(groups: Int[np.ndarray, "g k"], columns: int) -> Any:
    """The matrix (groups, columns) that sums the members of each group."""
    count, size = groups.shape
    places = (np.repeat(np.arange(count), size), groups.ravel())
    return sp.csr_matrix((np.ones(groups.size), places), (count, columns))


def _where(chosen: Any, yes: Any, no: Any) -> Any:
    """Rows of `yes` where chosen, of `no` elsewhere."""
    return sp.diags(chosen.astype(float)) @ yes + sp.diags((~chosen).astype(float)) @ no


def _stack(*blocks: Any) -> Any:
    stacked = sp.vstack(blocks).tocsr().astype(np.float32)
    stacked.eliminate_zeros()
    return stacked
