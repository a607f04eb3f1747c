"""The undeformed head as hair meets it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from synthfaces.chart import AXIS_DEPTH
from synthfaces.combing import Vectors
from synthfaces.hair_styles import HairStyle, hair_cover
from synthfaces.maths import dot, normalized
from synthfaces.mesh import HeadMesh, Part
from synthfaces.obstacles import EAR, EAR_SIZE

_SMOOTHED_OVER = 24
_SOFTNESS = 0.055
_LOWEST = 6.3


@dataclass(frozen=True)
class Scalp:
    """The undeformed head as hair meets it."""

    mesh: HeadMesh

    @cached_property
    def points(self) -> Vectors:
        """Vertices of the skin, without the ears and the folds around them."""
        return np.asarray(self.mesh.template[self.mesh.skin][self.bare], dtype=np.float64)

    @cached_property
    def bare(self) -> Int[np.ndarray, "_"]:
        """Numbers of the vertices of the skin that are not near an ear."""
        points = self.mesh.template[self.mesh.skin]
        offset = (np.abs(points) - EAR) / (EAR_SIZE * 1.1)
        beside = np.hypot(offset[:, 1], offset[:, 2]) < 1
        return np.flatnonzero(~(beside & (np.abs(points[:, 0]) > 0.5)))

    @cached_property
    def normals(self) -> Vectors:
        """Unit normals at these points, smoothed."""
        normals = self.mesh.normals(self.mesh.template)[self.mesh.skin][self.bare]
        near = self.tree.query(self.points, k=_SMOOTHED_OVER)[1]
        return normalized(normals.astype(np.float64)[near].mean(axis=1))

    @cached_property
    def tree(self) -> cKDTree:
        """For the nearest of the points."""
        return cKDTree(self.points)

    @cached_property
    def triangles(self) -> Int[np.ndarray, "t 3"]:
        """Those of the skin above the nape."""
        skin = self.mesh.triangles[self.mesh.material == Part.SKIN]
        height = self.mesh.template[skin, 1].min(axis=1)
        ears = self.mesh.masks["ears"][skin].max(axis=1)
        return np.asarray(skin[(height > _LOWEST) & (ears < 0.3)])

    def roots(self, count: int, style: HairStyle, rng: np.random.Generator) -> Vectors:
        """Points of the scalp, evenly over where hair grows."""
        corners = self.mesh.template[self.triangles].astype(np.float64)
        middle = corners.mean(axis=1)
        azimuth = np.arctan2(middle[:, 0], middle[:, 2] - AXIS_DEPTH)
        cover = hair_cover(azimuth, middle[:, 1], style, _SOFTNESS)
        spans = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        weight = np.sqrt(dot(spans, spans)) * cover
        chosen = rng.choice(len(weight), count, p=weight / weight.sum())
        u, v = rng.random((2, count, 1))
        u, v = np.where(u + v > 1, (1 - u, 1 - v), (u, v))
        a, b, c = corners[chosen].transpose(1, 0, 2)
        return np.asarray(a + u * (b - a) + v * (c - a))

    def nearest(self, points: Vectors) -> tuple[Vectors, Vectors, Float[np.ndarray, "n"]]:
        """Foot points, normals there and signed distances, dm."""
        near = self.tree.query(points)[1]
        normals = self.normals[near]
        distance = dot(points - self.points[near], normals)
        return points - normals * distance[:, None], normals, distance
