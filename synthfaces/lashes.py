"""Lashes: cards that rays meet, and how much of what is behind they hide."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float32, Int

from synthfaces.camera import Camera
from synthfaces.maths import normalized, pick, smoothstep
from synthfaces.mesh import HeadMesh, ray_scene
from synthfaces.pose import Pose
from synthfaces.subjects import Subject

_UPPER, _LOWER = 0.9, 0.3
_IN_FRONT = 0.02
_ROUNDING = 1e-4


@dataclass(frozen=True)
class LashesMet:
    """Rays that meet lashes; n of them.

    Attributes:
        rows: the numbers of the rays.
        depth: of the lashes, dm.
        opacity: 0..1.
    """

    rows: Int[np.ndarray, "n"]
    depth: Float32[np.ndarray, "n"]
    opacity: Float32[np.ndarray, "n"]

    def before(self, depth: Float32[np.ndarray, "r"]) -> Float32[np.ndarray, "r"]:
        """Opacity in front of each ray's hit; infinitely deep where it hits nothing."""
        opacity = np.zeros(len(depth), np.float32)
        ahead = self.depth < depth[self.rows] + _IN_FRONT
        opacity[self.rows[ahead]] = self.opacity[ahead]
        return opacity


@dataclass(frozen=True)
class Lashes:
    """The lashes of a posed subject; they fade away from the eye."""

    mesh: HeadMesh
    subject: Subject
    pose: Pose

    @cached_property
    def scene(self) -> EmbreeScene:
        """What rays can meet."""
        return ray_scene(self.pose.controls, self.mesh.lashes)

    def meet(self, camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> LashesMet:
        """The lashes along rays of a camera."""
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

    def _band(self, camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> Int[np.ndarray, "_"]:
        """The rays that point to where the lashes are."""
        ends = normalized(self.pose.controls[self.mesh.lash_ends] - camera.position)
        low, high = ends.min(axis=0) - _ROUNDING, ends.max(axis=0) + _ROUNDING
        near = np.flatnonzero((rays[:, 1] > low[1]) & (rays[:, 1] < high[1]))
        for axis in (0, 2):
            there = rays[near, axis]
            near = near[(there > low[axis]) & (there < high[axis])]
        return near
