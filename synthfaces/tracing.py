"""The surfaces that a camera's rays meet, and the pixels that are traced more finely."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float32, Int, Int8, Int32

from synthfaces.camera import Camera
from synthfaces.maths import Array, Rays, Scalars, Vectors, by_column, normalized, pick, smoothstep
from synthfaces.mesh import FINE, NOTHING, SMOOTH, STRANDS, HeadMesh, Part, ray_scene
from synthfaces.subjects import Pose, Subject

_UPPER, _LOWER = 0.9, 0.3
_IN_FRONT = 0.02
_ROUNDING = 1e-4


@dataclass(frozen=True)
class LashesMet:
    """The n rays that meet lashes."""

    rows: Int[np.ndarray, "n"]  # the numbers of the rays
    depth: Scalars  # depth of the lashes, dm
    opacity: Scalars  # 0..1

    def before(self, depth: Float32[np.ndarray, "r"]) -> Float32[np.ndarray, "r"]:
        """Return the opacity in front of each ray's hit; depth is infinite without one."""
        opacity = np.zeros(len(depth), np.float32)
        ahead = self.depth < depth[self.rows] + _IN_FRONT
        opacity[self.rows[ahead]] = self.opacity[ahead]
        return opacity


@dataclass(frozen=True)
class Lashes:
    """The lashes of a posed subject, which fade away from the eye."""

    mesh: HeadMesh
    subject: Subject
    pose: Pose

    @cached_property
    def scene(self) -> EmbreeScene:
        """The scene of all lashes that rays can meet."""
        return ray_scene(self.pose.controls, self.mesh.lashes)

    def meet(self, camera: Camera, rays: Rays) -> LashesMet:
        """Return the lashes that rays of a camera meet."""
        near = self._band(camera, rays)
        directions = pick(rays, near)
        starts = camera.origins(len(directions))
        found = self.scene.run(starts, directions, output=1)
        hit = np.flatnonzero(found["primID"] >= 0)
        depth, number = found["tfar"][hit], found["primID"][hit]
        points = camera.position + directions[hit] * depth[:, None].astype(np.float64)
        distance = np.min(
            [
                np.linalg.norm(points - eye.centre, axis=1) / eye.radius
                for eye in self.subject.eyes.values()
            ],
            axis=0,
        )
        density = np.where(number < self.mesh.upper_lashes, _UPPER, _LOWER)
        opacity = density * smoothstep(1.55, 1.08, distance) * self.subject.looks.lashes
        return LashesMet(near[hit], depth, opacity.astype(np.float32))

    def _band(self, camera: Camera, rays: Rays) -> Int[np.ndarray, "_"]:
        """Return the rays that point to the region of the lashes."""
        ends = normalized(self.pose.controls[self.mesh.lash_ends] - camera.position)
        low, high = ends.min(axis=0) - _ROUNDING, ends.max(axis=0) + _ROUNDING
        near = np.flatnonzero((rays[:, 1] > low[1]) & (rays[:, 1] < high[1]))
        for axis in (0, 2):
            there = rays[near, axis]
            near = near[(there > low[axis]) & (there < high[axis])]
        return near


_STEEPEST = 2.0
_STRAND = 0.03


@dataclass(frozen=True)
class Places:
    """The n places on the head where light leaves it towards the camera."""

    triangle: Int[np.ndarray, "n"]  # the number of the triangle
    corners: Int[np.ndarray, "n k"]  # vertices, between which is interpolated
    weights: Float32[np.ndarray, "n k"]  # their shares
    rays: Vectors  # unit vectors from the camera
    depth: Scalars  # distance from it, dm

    def __len__(self) -> int:
        return len(self.triangle)

    def __getitem__(self, some: slice) -> "Places":
        return Places(*(values[some] for values in vars(self).values()))

    def interpolate(self, fields: Float32[np.ndarray, "v f"]) -> Float32[np.ndarray, "n f"]:
        """Interpolate fields of the vertices at the places."""
        count, corners = self.weights.shape
        ends = np.arange(count + 1, dtype=np.int32) * np.int32(corners)
        parts = (self.weights.ravel(), self.corners.ravel(), ends)
        matrix: Any = sp.csr_matrix(parts, shape=(count, len(fields)))
        return by_column(matrix @ fields)


def places_met(
    found: dict[str, Array],
    rays: Rays,
    rows: Int[np.ndarray, "n"],
    triangles: Int[np.ndarray, "t 3"],
    first: int = 0,
) -> Places:
    """Return the places where some rays meet the head."""
    triangle, u, v = (found[name][rows] for name in ("primID", "u", "v"))
    triangle = triangle - first
    weights = np.stack([1 - u - v, u, v], axis=1)
    return Places(triangle, triangles[triangle], weights, pick(rays, rows), found["tfar"][rows])


def between(one: Places, other: Places) -> Places:
    """Return the places half-way between two of the same surface."""
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
    """Return the numbers of the samples x samples rays through each pixel, row after row."""
    numbers = np.arange(rows * columns * samples**2).reshape(rows, samples, columns, samples)
    rays = np.ascontiguousarray(numbers.swapaxes(1, 2)).reshape(rows * columns, samples**2)
    rays.flags.writeable = False
    return rays


def plain_kind(
    kind: Int8[np.ndarray, "p 2"], depth: Float32[np.ndarray, "p 2"], columns: int, width: float
) -> Int8[np.ndarray, "p"]:
    """Return the kind that all rays of each pixel seem to meet, or `FINE` where they differ.

    A pixel's other two rays lie between its own first and last and those of the pixels around it.
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
    """Return each pixel's first and last ray, and those above, to the left, below, to the right."""
    first, last = np.ascontiguousarray(values.T).reshape(2, -1, columns)
    above, left = (np.roll(last, 1, axis) for axis in (0, 1))
    below, right = (np.roll(first, -1, axis) for axis in (0, 1))
    above[0], left[:, 0], below[-1], right[:, -1] = last[0], last[:, 0], first[-1], first[:, -1]
    return [first, last, above, left, below, right]


Found = dict[str, Array]
"""Per ray ``primID`` (of the triangle, or -1), ``tfar`` (the distance, dm) and the shares ``u`` and
``v`` of the triangle's second and third corner."""


@dataclass(frozen=True)
class Sight:
    """The view of a camera; r rays through p pixels, q through each."""

    rays: Rays  # unit vectors
    # the triangle that each ray meets. In plain pixels only the first and the last ray are
    # traced; the others seem to meet nothing
    found: Found
    lash: Float32[np.ndarray, "r"]  # opacity of the lashes in front of it
    pixels: Int[np.ndarray, "p q"]  # the rays of each pixel
    kind: Int8[np.ndarray, "p"]  # met by all rays of a plain pixel; `FINE` for the others

    def of(self, kind: np.int8) -> Int[np.ndarray, "k q"]:
        """Return the rays of the pixels of one kind."""
        return np.asarray(self.pixels[self.kind == kind])

    def shares(self, first: int) -> Float32[np.ndarray, "p 2"]:
        """Return each pixel's shares of strands (triangles from `first` on) and of nothing."""
        shares = np.stack([self.kind == STRANDS, self.kind == NOTHING], axis=1).astype(np.float32)
        met = self.found["primID"][self.of(FINE)]
        shares[self.kind == FINE] = np.stack([met >= first, met < 0], axis=2).mean(axis=1)
        return shares


@dataclass(frozen=True)
class Geometry:
    """The surfaces that rays can meet: a posed head, its strands of hair and its lashes."""

    mesh: HeadMesh
    subject: Subject
    pose: Pose

    @cached_property
    def scene(self) -> EmbreeScene:
        """The scene of the head alone, which also casts the shadows."""
        return ray_scene(self.pose.vertices, self.mesh.quick_triangles)

    @cached_property
    def lashes(self) -> Lashes:
        """The lashes of the posed head."""
        return Lashes(self.mesh, self.subject, self.pose)

    @cached_property
    def triangles(self) -> Int32[np.ndarray, "t 3"]:
        """The triangles of the head, then those of the strands of hair."""
        strands = self.subject.ribbons.triangles + len(self.mesh.template)
        return np.concatenate([self.mesh.triangles, strands])

    @cached_property
    def template(self) -> Float32[np.ndarray, "v 3"]:
        """The places on the undeformed head that paint the vertices of these triangles, dm."""
        return np.concatenate([self.mesh.template, self.subject.ribbons.template])

    @cached_property
    def material(self) -> Int8[np.ndarray, "t"]:
        """The `Part` of each of these triangles."""
        strands = np.full(len(self.subject.ribbons.triangles), Part.STRANDS, np.int8)
        return np.concatenate([self.mesh.material, strands])

    @cached_property
    def _kind(self) -> Int8[np.ndarray, "_"]:
        """The kind of each of these triangles for the sampling; the last is for rays that miss."""
        strands = np.full(len(self.subject.ribbons.triangles), STRANDS)
        return np.concatenate([self.mesh.kind, strands, [NOTHING]])

    def meet(self, camera: Camera, rays: Rays) -> Found:
        """Return the triangle of the head or of a strand of hair that each ray meets first."""
        starts = camera.origins(len(rays))
        found: Found = self.scene.run(starts, rays, output=1)
        strands = self.subject.ribbons.scene
        if strands is not None:
            others = strands.run(starts, rays, found["tfar"], output=1)
            ahead = np.flatnonzero(others["primID"] >= 0)
            for name in ("u", "v", "tfar"):
                found[name][ahead] = others[name][ahead]
            found["primID"][ahead] = others["primID"][ahead] + len(self.mesh.triangles)
        return found

    def look(self, camera: Camera, size: int, samples: int) -> Sight:
        """Return the view of a camera."""
        rays = camera.rays(size * samples)
        pixels = rays_of_pixels(camera.rows(size), size, samples)
        lashes = self.lashes.meet(camera, rays)
        found: Found = {name: np.zeros(len(rays), np.float32) for name in ("u", "v", "tfar")}
        found["primID"] = np.full(len(rays), -1, np.int32)
        ends = pixels[:, [0, -1]]
        self._trace(found, camera, rays, ends.ravel() if samples > 1 else pixels.ravel())
        kind = np.full(len(pixels), FINE)
        if samples > 1:
            met = self._kind[found["primID"][ends]]
            kind = plain_kind(met, found["tfar"][ends], size, camera.width / size)
            touched = np.zeros(len(rays), bool)
            touched[lashes.rows] = True
            kind[touched[pixels].any(axis=1)] = FINE
            self._trace(found, camera, rays, pixels[kind == FINE][:, 1:-1].ravel())
        depth = np.where(found["primID"] >= 0, found["tfar"], np.float32(np.inf))
        return Sight(rays, found, lashes.before(depth), pixels, kind)

    def _trace(self, found: Found, camera: Camera, rays: Rays, rows: Int[np.ndarray, "_"]) -> None:
        """Trace some more of the rays and add their hits."""
        others = self.meet(camera, pick(rays, rows))
        for name, values in found.items():
            values[rows] = others[name]
