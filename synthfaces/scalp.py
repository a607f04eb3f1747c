"""The undeformed head under the hair: scalp, comb, and the face and ears that stay free."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from synthfaces.appearance import FALLING, Cut, HairStyle, hair_cover
from synthfaces.chart import AXIS_DEPTH
from synthfaces.maths import Array, Rng, dot, normalized, smoothstep
from synthfaces.mesh import HeadMesh, Part

CROWN = np.array([0.0, 8.48, 0.35])
KNOT = np.array([0.0, 6.98, -0.36])
"""The place where tied hair is held together, low at the back of the head, dm."""

Points = Float[np.ndarray, "n 3"]


def comb(points: Points, normals: Points, style: HairStyle) -> Points:
    """Return the unit tangents along which hair lies."""
    wish = _wish(points, style)
    along = wish - normals * dot(wish, normals)[:, None]
    return normalized(along)


def _wish(points: Points, style: HairStyle) -> Points:
    """Return the hair's direction before it is projected onto the scalp."""
    if style.cut == Cut.TIED:
        return normalized(KNOT - points)
    if style.cut == Cut.SWEPT:
        return _swept(points, style)
    if style.cut == Cut.PARTED or style.cut in FALLING:
        return _parted(points, style)
    return _from_the_crown(points, style)


def _parted(points: Points, style: HairStyle) -> Points:
    """Comb hair away from the parting, and downwards behind the crown."""
    side = np.tanh((points[:, 0] - style.parting) / 0.11)
    behind = smoothstep(0.35, -0.15, points[:, 2])
    long = style.cut in FALLING
    wish = np.zeros_like(points)
    wish[:, 0] = side * (1 - 0.85 * behind)
    wish[:, 1] = -(0.55 if long else 0.2) - 0.8 * behind
    wish[:, 2] = -0.45 if long else -0.25
    return wish


def _swept(points: Points, style: HairStyle) -> Points:
    """Comb hair back from the forehead, and downwards at the sides."""
    side = np.tanh((points[:, 0] - style.parting) / 0.3)
    low = smoothstep(8.1, 7.4, points[:, 1])
    return np.stack([0.3 * side, -0.15 - 0.6 * low, -1 + 0.2 * low], axis=1)


def _from_the_crown(points: Points, style: HairStyle) -> Points:
    """Comb hair outwards from the whorl, and forwards to one side above the forehead."""
    away = normalized((points - CROWN) * np.array([1, 0.2, 1]))
    front = smoothstep(0.5, 1.0, points[:, 2])
    side = smoothstep(0.45, 0.65, np.abs(points[:, 0])) * smoothstep(8.1, 7.8, points[:, 1])
    away[:, 0] = away[:, 0] * (1 - 0.5 * front) + np.sign(style.parting) * 0.25 * front
    away[:, 2] -= 0.5 * side
    away[:, 1] -= 0.35 + 0.5 * side
    return away


def shares(points: Points) -> tuple[Array, Array]:
    """Return the degrees to which places lie on top of the head and above the forehead, 0..1."""
    top = smoothstep(7.75, 8.15, points[:, 1])
    front = smoothstep(0.7, 1.0, points[:, 2]) * smoothstep(7.75, 7.95, points[:, 1])
    return top, front


EAR = np.array([0.8, 7.08, 0.5])
EAR_SIZE = np.array([1.0, 0.36, 0.27])
"""The middle of the undeformed head's left ear, and half its extent, dm."""

_FREE: dict[bool, tuple[tuple[float, ...], tuple[float, ...]]] = {
    False: ((6.0, 6.9, 7.4, 7.7, 7.9, 8.02), (48, 52, 50, 43, 30, 0)),
    True: ((6.9, 7.4, 7.75, 7.95, 8.05), (95, 88, 46, 30, 0)),
}
"""Heights, dm, and azimuths, degrees, up to which the face is free there; True for tucked hair."""


def off_the_face(points: Points, style: HairStyle) -> Points:
    """Turn points around the head's axis until they leave the face free."""
    if style.cut in (Cut.FRINGE, Cut.CROPPED):
        return points
    x, depth = points[:, 0], points[:, 2] - AXIS_DEPTH
    azimuth = np.degrees(np.arctan2(np.abs(x), depth))
    heights, least = _FREE[style.tucked]
    short = np.interp(points[:, 1], heights, least) - azimuth
    turn = np.radians(np.maximum(short, 0) * 0.5)
    radius = np.hypot(x, depth)
    angle = np.radians(azimuth) + turn
    side = np.where(x < 0, -1, 1)
    return np.stack(
        [side * radius * np.sin(angle), points[:, 1], AXIS_DEPTH + radius * np.cos(angle)], axis=1
    )


def off_the_ears(points: Points, style: HairStyle) -> Points:
    """Lead hair that does not fall over the ears around them."""
    if style.cut in FALLING and not style.tucked:
        return points
    offset = (points - EAR) / EAR_SIZE
    radius = np.hypot(offset[:, 1], offset[:, 2])
    inside = (radius < 1) & (np.abs(points[:, 0]) > 0.55)
    above = inside & style.tucked
    offset[above, 1] = np.abs(offset[above, 1])  # over the ear, not under its lobe
    factor = np.where(inside, 1 / np.maximum(radius, 0.2), 1)[:, None]
    around = EAR + offset * factor * EAR_SIZE
    return np.concatenate([points[:, :1], around[:, 1:]], axis=1)


_SMOOTHED_OVER = 24
_SOFTNESS = 0.055
_LOWEST = 6.3


@dataclass(frozen=True)
class Scalp:
    """The undeformed head under the hair."""

    mesh: HeadMesh

    @cached_property
    def points(self) -> Points:
        """The vertices of the skin, without the ears and the folds around them."""
        return np.asarray(self.mesh.template[self.mesh.skin][self.bare], dtype=np.float64)

    @cached_property
    def bare(self) -> Int[np.ndarray, "_"]:
        """The numbers of the vertices of the skin that are not near an ear."""
        points = self.mesh.template[self.mesh.skin]
        offset = (np.abs(points) - EAR) / (EAR_SIZE * 1.1)
        beside = np.hypot(offset[:, 1], offset[:, 2]) < 1
        return np.flatnonzero(~(beside & (np.abs(points[:, 0]) > 0.5)))

    @cached_property
    def normals(self) -> Points:
        """The smoothed unit normals at these points."""
        normals = self.mesh.normals(self.mesh.template)[self.mesh.skin][self.bare]
        near = self.tree.query(self.points, k=_SMOOTHED_OVER)[1]
        return normalized(normals.astype(np.float64)[near].mean(axis=1))

    @cached_property
    def tree(self) -> cKDTree:
        """The search tree of the points."""
        return cKDTree(self.points)

    @cached_property
    def triangles(self) -> Int[np.ndarray, "t 3"]:
        """The triangles of the skin above the nape."""
        skin = self.mesh.triangles[self.mesh.material == Part.SKIN]
        height = self.mesh.template[skin, 1].min(axis=1)
        ears = self.mesh.masks["ears"][skin].max(axis=1)
        return np.asarray(skin[(height > _LOWEST) & (ears < 0.3)])

    def roots(self, count: int, style: HairStyle, rng: Rng) -> Points:
        """Draw points of the scalp, spread evenly over the region where hair grows."""
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

    def nearest(self, points: Points) -> tuple[Points, Points, Float[np.ndarray, "n"]]:
        """Return foot points on the scalp, normals there and signed distances, dm."""
        near = self.tree.query(points)[1]
        normals = self.normals[near]
        distance = dot(points - self.points[near], normals)
        return points - normals * distance[:, None], normals, distance
