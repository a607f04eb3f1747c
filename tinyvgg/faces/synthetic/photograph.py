"""From the geometry of a shot to pixels: rays, lashes, tone curve, sensor."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float32, Int, UInt8

from tinyvgg.faces.synthetic.camera import Camera, Nuisance
from tinyvgg.faces.synthetic.chart import Image, chart
from tinyvgg.faces.synthetic.lighting import STUDIO, Light, visibility
from tinyvgg.faces.synthetic.materials import Hits, facing
from tinyvgg.faces.synthetic.maths import Array, contract, mix, normalized, smoothstep, to_srgb
from tinyvgg.faces.synthetic.mesh import EYES, HeadMesh, Part, ray_scene
from tinyvgg.faces.synthetic.pose import Pose
from tinyvgg.faces.synthetic.shading import shade
from tinyvgg.faces.synthetic.subjects import Subject

SUPERSAMPLING = 2
"""Rays a pixel, across and down."""
_CHUNK = 8192
_BACKGROUND = np.float32(0.985)
_SHOULDER = np.float32(0.75)
_LENS_BLUR = 0.45
_GRAIN = 0.008
_MASKS = ("lips", "mouth", "underside", "ears")
_UPPER_LASH, _LOWER_LASH = 0.9, 0.3
_LASH_IN_FRONT = 0.02
_LASH_BAND = 0.22


@dataclass(frozen=True)
class Studio:
    """A posed subject under the lamps.

    Attributes:
        mesh, subject, pose: the geometry.
        paint, creases, pores: images over the chart.
        light: of the lamps and the dome.
    """

    mesh: HeadMesh
    subject: Subject
    pose: Pose
    paint: Image
    creases: Image
    pores: Image
    light: Light = STUDIO

    def photograph(
        self, camera: Camera, nuisance: Nuisance, size: int, samples: int = SUPERSAMPLING
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The RGB image that a camera takes.

        Args:
            camera: that takes it.
            nuisance: of the sensor.
            size: columns of the image.
            samples: rays a pixel, across and down.
        """
        rays = camera.rays(size * samples)
        colour, depth = self._faces(camera, rays)
        lash = self.lashes(camera, rays, depth)
        colour = mix(colour, self.subject.looks.hair * np.float32(0.12) + np.float32(0.004), lash)
        colour = _tone(colour)
        colour[np.isinf(depth) & (lash == 0)] = _BACKGROUND
        linear = colour.reshape(-1, size * samples, 3)
        return develop(linear, nuisance, (size, camera.rows(size)))

    @cached_property
    def scene(self) -> EmbreeScene:
        """All that rays can meet but the lashes."""
        return ray_scene(self.pose.vertices, self.mesh.triangles)

    @cached_property
    def _lash_scene(self) -> EmbreeScene:
        return ray_scene(self.pose.controls, self.mesh.lashes)

    @cached_property
    def _fields(self) -> Float32[np.ndarray, "v 13"]:
        """All that is interpolated between vertices: normal, template, visibility, masks."""
        seen = visibility(self.mesh, self.pose, self.scene, self.light)
        masks = np.stack([self.mesh.masks[name] for name in _MASKS], axis=1)
        return np.concatenate([self.pose.normals, self.mesh.template, seen, masks], axis=1)

    def _faces(
        self, camera: Camera, rays: Float32[np.ndarray, "r 3"]
    ) -> tuple[Float32[np.ndarray, "r 3"], Float32[np.ndarray, "r"]]:
        """Linear RGB and distance along each ray; where nothing is hit, white and infinity."""
        found = self.scene.run(origins(camera, rays), rays, output=1)
        hit = np.flatnonzero(found["primID"] >= 0)
        colour = np.ones((len(rays), 3), np.float32)
        depth = np.full(len(rays), np.inf, np.float32)
        depth[hit] = found["tfar"][hit]
        for start in range(0, len(hit), _CHUNK):  # small enough for the processor's cache
            rows = hit[start : start + _CHUNK]
            chunk = {key: found[key][rows] for key in ("primID", "u", "v", "tfar")}
            hits = self._hits(camera, rays[rows], **chunk)
            colour[rows] = shade(
                hits, self.subject, self.pose, self.paint, self.creases, self.pores, self.light
            )
        return colour, depth

    def _hits(
        self,
        camera: Camera,
        rays: Float32[np.ndarray, "n 3"],
        primID: Int[np.ndarray, "n"],
        u: Float32[np.ndarray, "n"],
        v: Float32[np.ndarray, "n"],
        tfar: Float32[np.ndarray, "n"],
    ) -> Hits:
        corners = self.mesh.triangles[primID]
        fields = self._fields[corners[:, 0]] * (1 - u - v)[:, None]
        fields += self._fields[corners[:, 1]] * u[:, None]
        fields += self._fields[corners[:, 2]] * v[:, None]
        part = self.mesh.material[primID]
        normal, from_behind = facing(normalized(fields[:, :3]), -rays)
        off_eye = self._off_eye(part, camera.position + rays * tfar[:, None].astype(np.float64))
        lips, mouth, underside, ears = fields[:, 9:].T
        return Hits(
            part=part,
            view=-rays,
            normal=normal,
            from_behind=from_behind,
            template=fields[:, 3:6],
            place=chart(fields[:, 3:6]),
            seen=fields[:, 6:9],
            lips=lips,
            mouth=mouth,
            underside=underside,
            ears=ears,
            in_eye=contract("ni,ij->nj", off_eye, self.pose.eye_rotation),
            off_eye=off_eye,
        )

    def _off_eye(self, part: Array, points: Array) -> Float32[np.ndarray, "n 3"]:
        """Unit vectors from the centre of the eyeball that was hit; zero where none was."""
        direction = np.zeros(points.shape, np.float32)
        for eye, kind in zip(EYES, (Part.LEFT_EYE, Part.RIGHT_EYE), strict=True):
            here = part == kind
            direction[here] = normalized(points[here] - self.subject.eyes[eye].centre)
        return direction

    def lashes(
        self,
        camera: Camera,
        rays: Float32[np.ndarray, "r 3"],
        depth: Float32[np.ndarray, "r"],
    ) -> Float32[np.ndarray, "r"]:
        """Opacity of the lashes in front of each ray's hit; they fade away from the eye."""
        opacity = np.zeros(len(rays), np.float32)
        near = self._lash_band(camera, rays)
        found = self._lash_scene.run(origins(camera, rays[near]), rays[near], output=1)
        ahead = (found["primID"] >= 0) & (found["tfar"] < depth[near] + _LASH_IN_FRONT)
        rows, number = near[ahead], found["primID"][ahead]
        points = camera.position + rays[rows] * found["tfar"][ahead, None].astype(np.float64)
        distance = np.min(
            [
                np.linalg.norm(points - eye.centre, axis=1) / eye.radius
                for eye in self.subject.eyes.values()
            ],
            axis=0,
        )
        density = np.where(number < self.mesh.upper_lashes, _UPPER_LASH, _LOWER_LASH)
        opacity[rows] = density * smoothstep(1.55, 1.08, distance) * self.subject.looks.lashes
        return opacity

    def _lash_band(self, camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> Int[np.ndarray, "_"]:
        """The rays that pass near the height of the eyes, where lashes can be."""
        framing = self.subject.framing
        reach = np.linalg.norm(camera.position[[0, 2]] - np.array([0, framing.depth]))
        height = camera.position[1] + rays[:, 1] * reach
        band = _LASH_BAND * (framing.eyes - framing.chin)
        return np.flatnonzero(np.abs(height - framing.eyes) < band)


def develop(
    linear: Float32[np.ndarray, "h w 3"], nuisance: Nuisance, size: tuple[int, int]
) -> UInt8[np.ndarray, "y x 3"]:
    """Reduce to columns x rows, blur as a lens does, encode as sRGB and add the sensor's noise."""
    small = cv2.resize(linear, size, interpolation=cv2.INTER_AREA)
    encoded = to_srgb(cv2.GaussianBlur(small, (0, 0), _LENS_BLUR))
    grain = np.random.default_rng(nuisance.grain).normal(0, _GRAIN, encoded.shape)
    exposed = np.clip(encoded + grain + nuisance.exposure, 0, 1)
    return np.asarray(exposed * 255 + 0.5).astype(np.uint8)


def _tone(linear: Float32[np.ndarray, "r 3"]) -> Float32[np.ndarray, "r 3"]:
    """Roll highlights off smoothly below one."""
    head = 1 - _SHOULDER
    rolled = _SHOULDER + head * np.tanh((linear - _SHOULDER) / head * np.float32(0.9))
    return np.asarray(np.where(linear > _SHOULDER, rolled, np.clip(linear, 0, None)))


def origins(camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> Float32[np.ndarray, "r 3"]:
    """Where rays start: all at the camera."""
    return np.tile(camera.position.astype(np.float32), (len(rays), 1))
