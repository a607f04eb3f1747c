"""Rays: what those of a camera meet, and which pixels see but one thing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float32, Int, Int8, Int32

from synthfaces.camera import Camera
from synthfaces.lashes import Lashes
from synthfaces.maths import Array, pick
from synthfaces.mesh import HeadMesh, Part, ray_scene
from synthfaces.pose import Pose
from synthfaces.sampling import FINE, NOTHING, STRANDS, plain_kind, rays_of_pixels
from synthfaces.subjects import Subject

Found = dict[str, Array]
"""Per ray ``primID`` (of the triangle, or -1), ``tfar`` (the distance, dm) and the shares ``u`` and
``v`` of the triangle's second and third corner."""


@dataclass(frozen=True)
class Sight:
    """What a camera sees; r rays through p pixels, q through each.

    Attributes:
        rays: (r, 3) unit vectors.
        found: what each ray meets. In plain pixels only the first and the last ray are traced; the
            others seem to meet nothing.
        lash: (r,) opacity of the lashes in front of it.
        pixels: (p, q) the rays of each pixel.
        kind: (p,) what all rays of a plain pixel meet; `FINE` for the others.
    """

    rays: Float32[np.ndarray, "r 3"]
    found: Found
    lash: Float32[np.ndarray, "r"]
    pixels: Int[np.ndarray, "p q"]
    kind: Int8[np.ndarray, "p"]

    def of(self, kind: np.int8) -> Int[np.ndarray, "k q"]:
        """The rays of the pixels of one kind."""
        return np.asarray(self.pixels[self.kind == kind])

    def shares(self, first: int) -> Float32[np.ndarray, "p 2"]:
        """How much of each pixel strands cover, whose triangles begin at `first`, and nothing."""
        shares = np.stack([self.kind == STRANDS, self.kind == NOTHING], axis=1).astype(np.float32)
        met = self.found["primID"][self.of(FINE)]
        shares[self.kind == FINE] = np.stack([met >= first, met < 0], axis=2).mean(axis=1)
        return shares


@dataclass(frozen=True)
class Geometry:
    """What rays can meet: a posed head, its strands of hair and its lashes."""

    mesh: HeadMesh
    subject: Subject
    pose: Pose

    @cached_property
    def scene(self) -> EmbreeScene:
        """The head alone, which is also what casts shadows."""
        return ray_scene(self.pose.vertices, self.mesh.quick_triangles)

    @cached_property
    def lashes(self) -> Lashes:
        """The lashes."""
        return Lashes(self.mesh, self.subject, self.pose)

    @cached_property
    def triangles(self) -> Int32[np.ndarray, "t 3"]:
        """Those of the head, then those of the strands of hair."""
        strands = self.subject.ribbons.triangles + len(self.mesh.template)
        return np.concatenate([self.mesh.triangles, strands])

    @cached_property
    def template(self) -> Float32[np.ndarray, "v 3"]:
        """Where on the undeformed head the vertices of these triangles find their paint, dm."""
        return np.concatenate([self.mesh.template, self.subject.ribbons.template])

    @cached_property
    def material(self) -> Int8[np.ndarray, "t"]:
        """The `Part` of each of these triangles."""
        strands = np.full(len(self.subject.ribbons.triangles), Part.STRANDS, np.int8)
        return np.concatenate([self.mesh.material, strands])

    @cached_property
    def _kind(self) -> Int8[np.ndarray, "_"]:
        """What each of these triangles is for the sampling; the last is for rays that miss."""
        strands = np.full(len(self.subject.ribbons.triangles), STRANDS)
        return np.concatenate([self.mesh.kind, strands, [NOTHING]])

    def meet(self, camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> Found:
        """What each ray meets first: a triangle of the head or of a strand of hair."""
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
        """What a camera sees.

        Args:
            camera: that looks.
            size: columns of the picture.
            samples: rays a pixel, across and down: two, or one, of which none can be spared.
        """
        rays = camera.rays(size * samples)
        pixels = rays_of_pixels(camera.rows(size), size, samples)
        lashes = self.lashes.meet(camera, rays)
        found = _nothing(len(rays))
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

    def _trace(
        self,
        found: Found,
        camera: Camera,
        rays: Float32[np.ndarray, "r 3"],
        rows: Int[np.ndarray, "_"],
    ) -> None:
        """Add what some of the rays meet."""
        others = self.meet(camera, pick(rays, rows))
        for name, values in found.items():
            values[rows] = others[name]


def _nothing(count: int) -> Found:
    """What rays that are not traced meet."""
    found: Found = {name: np.zeros(count, np.float32) for name in ("u", "v", "tfar")}
    return {**found, "primID": np.full(count, -1, np.int32)}
