"""From the geometry of a shot to pixels: rays, lashes, tone curve, sensor."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float32, Int, Int8, Int32, UInt8

from tinyvgg.faces.synthetic.camera import Camera, Nuisance
from tinyvgg.faces.synthetic.chart import Charts, chart
from tinyvgg.faces.synthetic.head import UPRIGHT, Head
from tinyvgg.faces.synthetic.lighting import STUDIO, Illumination, Light, Visibility
from tinyvgg.faces.synthetic.materials import Hits, facing
from tinyvgg.faces.synthetic.maths import (
    Array,
    contract,
    mix,
    normalized,
    pick,
    smoothstep,
    to_srgb,
)
from tinyvgg.faces.synthetic.mesh import EYES, HeadMesh, Part, ray_scene
from tinyvgg.faces.synthetic.pose import Pose
from tinyvgg.faces.synthetic.sampling import (
    Places,
    between,
    is_smooth,
    places_met,
    rays_of_pixels,
)
from tinyvgg.faces.synthetic.shading import shade
from tinyvgg.faces.synthetic.subjects import Subject

SUPERSAMPLING = 2
"""Rays a pixel, across and down."""
_CHUNK = 8192
_BACKGROUND = np.float32(0.985)
_SHOULDER = np.float32(0.75)
_LENS_BLUR = 0.45
_MASKS = ("lips", "mouth", "underside", "ears")
_UPPER_LASH, _LOWER_LASH = 0.9, 0.3
_LASH_IN_FRONT = 0.02
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Studio:
    """A posed subject under the lamps, in the frame of the head.

    Attributes:
        mesh, subject, pose: the geometry.
        charts: what is painted on the head.
        light: of the lamps and the dome.
        head: how it is held among them.
    """

    mesh: HeadMesh
    subject: Subject
    pose: Pose
    charts: Charts
    light: Light = STUDIO
    head: Head = UPRIGHT

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
        found = self.meet(camera, rays)
        hit = found["primID"] >= 0
        lash = self.lashes(camera, rays, np.where(hit, found["tfar"], np.float32(np.inf)))
        pixels = rays_of_pixels(camera.rows(size), size, samples)
        smooth = self._is_smooth(found, lash, pixels, camera.width / size)
        linear = np.full((len(pixels), 3), _BACKGROUND)
        whole = pixels[smooth]
        first, last = (
            places_met(found, rays, whole[:, corner], self.triangles) for corner in (0, -1)
        )
        linear[smooth] = _tone(self._colours(camera, between(first, last), self.charts.halved))
        fine = ~smooth & ((lash > 0) | hit)[pixels].any(axis=1)
        each = pixels[fine].ravel()
        colour = np.ones((len(each), 3), np.float32)
        met = np.flatnonzero(hit[each])
        places = places_met(found, rays, each[met], self.triangles)
        colour[met] = self._colours(camera, places, self.charts)
        dark = self.subject.looks.hair * np.float32(0.12) + np.float32(0.004)
        colour = _tone(mix(colour, dark, lash[each]))
        colour[~hit[each] & (lash[each] == 0)] = _BACKGROUND
        linear[fine] = colour.reshape(-1, samples**2, 3).mean(axis=1)
        return develop(linear.reshape(-1, size, 3), nuisance)

    @cached_property
    def illumination(self) -> Illumination:
        """The light as it comes to the head."""
        return Illumination(self.light, self.head)

    @cached_property
    def scene(self) -> EmbreeScene:
        """All that rays can meet but lashes and strands of hair."""
        return ray_scene(self.pose.vertices, self.mesh.quick_triangles)

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
    def _lash_scene(self) -> EmbreeScene:
        return ray_scene(self.pose.controls, self.mesh.lashes)

    @cached_property
    def _visibility(self) -> Visibility:
        return Visibility(self.mesh, self.pose, self.scene, self.illumination)

    @cached_property
    def _fields(self) -> Float32[np.ndarray, "v 13"]:
        masks = np.stack([self.mesh.masks[name] for name in _MASKS], axis=1)
        unseen = np.zeros_like(self.pose.normals)
        head = np.concatenate([self.pose.normals, self.mesh.template, unseen, masks], axis=1)
        return np.concatenate([head, self.subject.ribbons.fields])

    def fields(self, wanted: Bool[np.ndarray, "v"]) -> Float32[np.ndarray, "v 13"]:
        """All that is interpolated between vertices: normal, template, visibility, masks.

        Visibility takes long to find; it is right where it is or was wanted.
        """
        head = len(self.mesh.template)
        self._fields[:head, 6:9] = self._visibility.at(wanted[:head])
        return self._fields

    def meet(self, camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> dict[str, Array]:
        """What each ray meets first, head or strand of hair.

        Returns:
            Per ray ``primID`` (of `triangles`, or -1), ``tfar`` (the distance, dm) and the shares
            ``u`` and ``v`` of the triangle's second and third corner.
        """
        starts = origins(camera, rays)
        found: dict[str, Array] = self.scene.run(starts, rays, output=1)
        strands = self.subject.ribbons.scene
        if strands is not None:
            others = strands.run(starts, rays, found["tfar"], output=1)
            ahead = np.flatnonzero(others["primID"] >= 0)
            for name in ("u", "v", "tfar"):
                found[name][ahead] = others[name][ahead]
            found["primID"][ahead] = others["primID"][ahead] + len(self.mesh.triangles)
        return found

    def _is_smooth(
        self,
        found: dict[str, Array],
        lash: Float32[np.ndarray, "r"],
        pixels: Int[np.ndarray, "p q"],
        width: float,
    ) -> Bool[np.ndarray, "p"]:
        """Pixels that can be shaded at once, as nothing fine is in them."""
        if pixels.shape[1] == 1:
            return np.zeros(len(pixels), bool)
        number = found["primID"]
        strands = number >= len(self.mesh.triangles)
        kind = self.mesh.smooth_kind[np.where(strands, -1, number)]
        kind[strands | (number < 0) | (lash > 0)] = -1
        return is_smooth(kind[pixels], found["tfar"][pixels], width)

    def _colours(
        self, camera: Camera, places: Places, charts: Charts
    ) -> Float32[np.ndarray, "n 3"]:
        """Linear RGB that leaves places on the head towards the camera."""
        wanted = np.zeros(len(self._fields), bool)
        wanted[places.corners.ravel()] = True
        fields = self.fields(wanted)
        colours = np.empty((len(places), 3), np.float32)
        for start in range(0, len(places), _CHUNK):  # small enough for the processor's cache
            some = slice(start, start + _CHUNK)
            hits = self._hits(camera, places[some], fields)
            colours[some] = shade(hits, self.subject, self.pose, charts, self.illumination)
        return colours

    def _hits(self, camera: Camera, places: Places, fields: Float32[np.ndarray, "v 13"]) -> Hits:
        fields = places.interpolate(fields)
        part, view = self.material[places.triangle], -places.rays
        normal, from_behind = facing(normalized(fields[:, :3]), view)
        off_eye = self._off_eye(part, camera, places)
        lips, mouth, underside, ears = fields[:, 9:].T
        return Hits(
            part=part,
            view=view,
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

    def _off_eye(self, part: Array, camera: Camera, places: Places) -> Float32[np.ndarray, "n 3"]:
        """Unit vectors from the centre of the eyeball that was hit; zero where none was."""
        direction = np.zeros((len(part), 3), np.float32)
        for eye, kind in zip(EYES, (Part.LEFT_EYE, Part.RIGHT_EYE), strict=True):
            here = np.flatnonzero(part == kind)
            reach = places.depth[here, None].astype(np.float64)
            points = camera.position + places.rays[here] * reach
            direction[here] = normalized(points - self.subject.eyes[eye].centre)
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
        directions = pick(rays, near)
        found = self._lash_scene.run(origins(camera, directions), directions, output=1)
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
        """The rays that point to where the lashes are."""
        ends = normalized(self.pose.controls[np.unique(self.mesh.lashes)] - camera.position)
        low, high = ends.min(axis=0) - _ROUNDING, ends.max(axis=0) + _ROUNDING
        near = np.flatnonzero((rays[:, 1] > low[1]) & (rays[:, 1] < high[1]))
        for axis in (0, 2):
            there = rays[near, axis]
            near = near[(there > low[axis]) & (there < high[axis])]
        return near


def develop(linear: Float32[np.ndarray, "h w 3"], nuisance: Nuisance) -> UInt8[np.ndarray, "h w 3"]:
    """Blur as a lens does, encode as sRGB and add the sensor's noise."""
    encoded = to_srgb(cv2.GaussianBlur(linear, (0, 0), _LENS_BLUR))
    grain = np.random.default_rng(nuisance.grain).normal(0, nuisance.noise, encoded.shape)
    exposed = np.clip(encoded + grain + nuisance.exposure, 0, 1)
    return np.asarray(exposed * 255 + 0.5).astype(np.uint8)


def _tone(linear: Float32[np.ndarray, "r 3"]) -> Float32[np.ndarray, "r 3"]:
    """Roll highlights off smoothly below one."""
    head = 1 - _SHOULDER
    rolled = _SHOULDER + head * np.tanh((linear - _SHOULDER) / head * np.float32(0.9))
    return np.asarray(np.where(linear > _SHOULDER, rolled, np.clip(linear, 0, None)))


def origins(camera: Camera, rays: Float32[np.ndarray, "r 3"]) -> Float32[np.ndarray, "r 3"]:
    """Where rays start: all at the camera."""
    return np.broadcast_to(camera.position.astype(np.float32), (len(rays), 3))
