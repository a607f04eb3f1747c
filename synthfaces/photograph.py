"""From the geometry of a shot to pixels: rays, shading, tone curve, sensor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from synthfaces.camera import Camera, Nuisance
from synthfaces.chart import Charts, chart, coarser
from synthfaces.expressions import UPRIGHT, Head
from synthfaces.lighting import STUDIO, Illumination, Light, Visibility
from synthfaces.materials import Hits, facing
from synthfaces.maths import Array, Rays, Vectors, contract, mix, normalized, to_srgb
from synthfaces.mesh import EYES, FINE, SMOOTH, STRANDS, HeadMesh, Part
from synthfaces.parameters import USUAL, Difficulty
from synthfaces.shading import shade, shade_strands, soft_outlines
from synthfaces.specification import FaceSpec, face_spec
from synthfaces.subjects import Pose, Subject, make_subject, pose
from synthfaces.texture import Painter
from synthfaces.tracing import Geometry, Places, Sight, between, places_met

SUPERSAMPLING = 2
"""The number of rays per pixel, across and down."""
_CHUNK = 8192
_BACKGROUND = np.float32(0.985)
_SHOULDER = np.float32(0.75)
_LENS_BLUR = 0.45
_MASKS = ("lips", "mouth", "underside", "ears")


@dataclass(frozen=True)
class Studio:
    """A posed subject under the lamps, in the frame of the head."""

    mesh: HeadMesh
    subject: Subject
    pose: Pose
    charts: Charts
    light: Light = STUDIO
    head: Head = UPRIGHT

    def photograph(
        self, camera: Camera, nuisance: Nuisance, size: int, samples: int = SUPERSAMPLING
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Return the RGB image that a camera takes."""
        sight = self.geometry.look(camera, size, samples)
        hair, fine = sight.of(STRANDS)[:, [0, -1]], sight.of(FINE)
        smooth, rays = self._colours(camera, sight, np.append(hair, fine))
        linear = np.full((len(sight.pixels), 3), _BACKGROUND)
        linear[sight.kind == SMOOTH] = smooth
        for kind, through in ((STRANDS, hair), (FINE, fine)):
            linear[sight.kind == kind] = rays[through].mean(axis=1)
        shares = sight.shares(len(self.mesh.triangles)).reshape(-1, size, 2)
        linear = soft_outlines(linear.reshape(-1, size, 3), shares, camera.width / size)
        return develop(linear, nuisance)

    @cached_property
    def geometry(self) -> Geometry:
        """The surfaces that rays meet."""
        return Geometry(self.mesh, self.subject, self.pose)

    @cached_property
    def illumination(self) -> Illumination:
        """The light in the frame of the head."""
        return Illumination(self.light, self.head)

    @cached_property
    def _visibility(self) -> Visibility:
        return Visibility(self.mesh, self.pose, self.geometry.scene, self.illumination)

    @cached_property
    def _fields(self) -> Float32[np.ndarray, "v 13"]:
        masks = np.stack([self.mesh.masks[name] for name in _MASKS], axis=1)
        unseen = np.zeros_like(self.pose.normals)
        return np.concatenate([self.pose.normals, self.mesh.template, unseen, masks], axis=1)

    def fields(self, wanted: Bool[np.ndarray, "v"]) -> Float32[np.ndarray, "v 13"]:
        """Return the fields to interpolate between vertices of the head.

        They are normal, template, visibility and masks. Visibility takes long to trace; it is valid
        only where it is or was wanted.
        """
        self._fields[:, 6:9] = self._visibility.at(wanted)
        return self._fields

    def _colours(
        self, camera: Camera, sight: Sight, rows: Int[np.ndarray, "_"]
    ) -> tuple[Float32[np.ndarray, "s 3"], Rays]:
        """Return colours of smooth pixels, and of rays, which are valid in these rows."""
        found, rays = sight.found, sight.rays
        whole, first = sight.of(SMOOTH), len(self.mesh.triangles)
        smooth = between(
            places_met(found, rays, whole[:, 0], self.mesh.triangles),
            places_met(found, rays, whole[:, -1], self.mesh.triangles),
        )
        number = found["primID"][rows]
        on_head, on_hair = rows[(number >= 0) & (number < first)], rows[number >= first]
        places = places_met(found, rays, on_head, self.mesh.triangles)
        wanted = np.zeros(len(self._fields), bool)
        wanted[smooth.corners.ravel()] = True
        wanted[places.corners.ravel()] = True
        fields = self.fields(wanted)
        colours = np.ones((len(rays), 3), np.float32)
        colours[on_head] = self._of_head(camera, places, fields, self.charts)
        strands = places_met(found, rays, on_hair, self.subject.ribbons.triangles, first)
        colours[on_hair] = self._of_hair(strands)
        lashed = np.flatnonzero(sight.lash)
        dark = self.subject.looks.hair * np.float32(0.12) + np.float32(0.004)
        colours[lashed] = mix(colours[lashed], dark, sight.lash[lashed])
        colours = _tone(colours)
        colours[(found["primID"] < 0) & (sight.lash == 0)] = _BACKGROUND
        return _tone(self._of_head(camera, smooth, fields, self.charts.halved)), colours

    def _of_head(
        self, camera: Camera, places: Places, fields: Float32[np.ndarray, "v 13"], charts: Charts
    ) -> Vectors:
        """Return the linear RGB that leaves places on the head towards the camera."""
        colours = np.empty((len(places), 3), np.float32)
        for some in _chunks(len(places)):
            hits = self._hits(camera, places[some], fields)
            colours[some] = shade(hits, self.subject, self.pose, charts, self.illumination)
        return colours

    def _of_hair(self, places: Places) -> Vectors:
        """Return the linear RGB that leaves places on strands of hair."""
        colours = np.empty((len(places), 3), np.float32)
        fields = self.subject.ribbons.fields
        for some in _chunks(len(places)):
            here = places[some]
            colours[some] = shade_strands(
                here.interpolate(fields), -here.rays, self.charts.paint, self.illumination
            )
        return colours

    def _hits(self, camera: Camera, places: Places, fields: Float32[np.ndarray, "v 13"]) -> Hits:
        fields = places.interpolate(fields)
        part, view = self.mesh.material[places.triangle], -places.rays
        normal, from_behind = facing(normalized(fields[:, :3]), view)
        off_eye = self._off_eye(part, camera, places)
        in_eye = contract("ni,ij->nj", off_eye, self.pose.eye_rotation)
        template, seen = fields[:, 3:6], fields[:, 6:9]
        lips, mouth, underside, ears = fields[:, 9:].T
        at = (part, view, normal, from_behind, template, chart(template), seen)
        return Hits(*at, lips, mouth, underside, ears, in_eye, off_eye)

    def _off_eye(self, part: Array, camera: Camera, places: Places) -> Vectors:
        """Return unit vectors from the centre of the eyeball that was hit, zero for other hits."""
        direction = np.zeros((len(part), 3), np.float32)
        for eye, kind in zip(EYES, (Part.LEFT_EYE, Part.RIGHT_EYE), strict=True):
            here = np.flatnonzero(part == kind)
            reach = places.depth[here, None].astype(np.float64)
            points = camera.position + places.rays[here] * reach
            direction[here] = normalized(points - self.subject.eyes[eye].centre)
        return direction


def _chunks(count: int) -> Iterator[slice]:
    """Return slices of a list, small enough for the processor's cache."""
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))


def develop(linear: Float32[np.ndarray, "h w 3"], nuisance: Nuisance) -> UInt8[np.ndarray, "h w 3"]:
    """Blur as a lens does, encode as sRGB and add the sensor's noise."""
    encoded = to_srgb(cv2.GaussianBlur(linear, (0, 0), _LENS_BLUR))
    grain = np.random.default_rng(nuisance.grain).normal(0, nuisance.noise, encoded.shape)
    exposed = np.clip(encoded + grain + nuisance.exposure, 0, 1)
    return np.asarray(exposed * 255 + 0.5).astype(np.uint8)


def _tone(linear: Rays) -> Rays:
    """Roll highlights off smoothly below one."""
    head = 1 - _SHOULDER
    rolled = _SHOULDER + head * np.tanh((linear - _SHOULDER) / head * np.float32(0.9))
    return np.asarray(np.where(linear > _SHOULDER, rolled, np.clip(linear, 0, None)))


_PAINTED_FOR = 224


@dataclass(frozen=True)
class Sitter:
    """A subject, and the charts reduced to what images of one size can show."""

    subject: Subject
    charts: Charts


class Renderer:
    """Renders shots of one size, seed and difficulty."""

    def __init__(
        self, painter: Painter, size: int, seed: int, difficulty: Difficulty = USUAL
    ) -> None:
        self.painter, self.size, self.seed, self.difficulty = painter, size, seed, difficulty
        self._halvings = int(np.clip(np.log2(_PAINTED_FOR / size), 0, 2))
        self._creases = coarser(painter.creases, self._halvings)
        self._pores = coarser(painter.pores, self._halvings)

    @property
    def mesh(self) -> HeadMesh:
        """The mesh of the head."""
        return self.painter.mesh

    def sitter(self, number: int, skin: int | None = None, hair: int | None = None) -> Sitter:
        """Make up a subject, with another's skin or hair if given; it takes half a second."""
        subject = make_subject(number, self.painter, self.seed, skin, hair)
        paint = coarser(subject.paint, self._halvings)
        return Sitter(subject, Charts(paint, self._creases, self._pores))

    def shot(
        self, sitter: Sitter, emotion: str, gaze: str, angles: Sequence[int]
    ) -> UInt8[np.ndarray, "a s s 3"]:
        """Render RGB images in the order of the angles, each independent of the other angles."""
        number = sitter.subject.person.number
        specs = [
            face_spec(number, emotion, gaze, angle, self.seed, self.difficulty) for angle in angles
        ]
        return self.photographs(sitter, specs)

    def photographs(
        self, sitter: Sitter, specs: Sequence[FaceSpec]
    ) -> UInt8[np.ndarray, "a s s 3"]:
        """Render RGB images, in order, of shots that differ in camera and nuisance alone."""
        studio = self.studio(sitter, specs[0])
        images = []
        for spec in specs:
            camera = spec.camera(sitter.subject.framing)
            images.append(studio.photograph(camera, spec.nuisance, self.size))
        return np.stack(images)

    def studio(self, sitter: Sitter, spec: FaceSpec) -> Studio:
        """Return a subject posed and lit as in a shot."""
        posed = pose(self.mesh, sitter.subject, spec.expression, spec.head)
        return Studio(self.mesh, sitter.subject, posed, sitter.charts, spec.light, spec.head)
