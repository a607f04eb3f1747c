"""The truth about an image, from the geometry that made it: landmarks, parts, distances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8

from synthfaces.camera import Camera
from synthfaces.chart import FrontView, chart, sample
from synthfaces.maths import Rays, Scalars, Vectors, contract
from synthfaces.mesh import EYES, HeadMesh, Part
from synthfaces.photograph import SUPERSAMPLING, Studio
from synthfaces.specification import FaceSpec


class FacePart(IntEnum):
    """The part of the face that a pixel shows; between equal shares the greater number wins."""

    BACKGROUND = 0
    HAIR = 1
    NECK = 2
    EARS = 3
    FOREHEAD = 4
    CHEEKS = 5
    CHIN = 6
    NOSE = 7
    MOUTH = 8
    EYES = 9
    BROWS = 10


Outline = Sequence[tuple[float, float]]

_FOREHEAD_FROM = 7.42
_OUTLINES: Mapping[FacePart, Outline] = {
    FacePart.FOREHEAD: ((0, _FOREHEAD_FROM), (1.0, _FOREHEAD_FROM), (1.0, 8.73), (0, 8.73)),
    FacePart.CHIN: (
        *((0, 6.43), (0.10, 6.44), (0.22, 6.47), (0.28, 6.40), (0.30, 6.30), (0.30, 6.0)),
        (0, 6.0),
    ),
    FacePart.EYES: (
        *((0.11, 7.27), (0.12, 7.38), (0.20, 7.47), (0.44, 7.48), (0.56, 7.40), (0.54, 7.28)),
        *((0.47, 7.20), (0.38, 7.165), (0.28, 7.16), (0.18, 7.19)),
    ),
    FacePart.NOSE: (
        *((0, 7.42), (0.085, 7.42), (0.07, 7.30), (0.10, 7.15), (0.16, 7.03), (0.215, 6.95)),
        *((0.215, 6.86), (0.12, 6.815), (0, 6.815)),
    ),
    FacePart.MOUTH: (
        *((0, 6.815), (0.10, 6.815), (0.20, 6.74), (0.31, 6.65), (0.31, 6.56), (0.22, 6.48)),
        *((0.10, 6.44), (0, 6.43)),
    ),
    FacePart.BROWS: (
        *((0.045, 7.405), (0.13, 7.41), (0.24, 7.43), (0.36, 7.44), (0.46, 7.43), (0.53, 7.39)),
        *((0.60, 7.38), (0.61, 7.46), (0.52, 7.53), (0.42, 7.565), (0.32, 7.57), (0.20, 7.555)),
        *((0.05, 7.54),),
    ),
}
"""Outlines of the face as seen from the front of the undeformed head, dm, of one half.

They are (distance from the middle, height); later ones cover earlier ones, cheeks are the rest.
"""

_JAW_DEPTH = (0.38, 0.40, 0.55, 0.75, 1.0, 1.45)
_JAW_HEIGHT = (9.0, 6.98, 6.80, 6.55, 6.42, 6.15)
"""The neck's border as seen from the side, dm: the neck lies below, and behind the ears."""

_CELLS_PER_DM = 200
_LOWEST, _HIGHEST, _WIDEST = 5.0, 8.73, 1.0
_HALF = 0.5
_MOUTH_INSIDE = (Part.TEETH, Part.TONGUE)
_EYEBALLS = (Part.LEFT_EYE, Part.RIGHT_EYE)


def face_parts(
    material: Int8[np.ndarray, "n"], template: Vectors, hair: Scalars, masks: Mapping[str, Scalars]
) -> UInt8[np.ndarray, "n"]:
    """Return the part of the face at places of a head's surface, as numbers of `FacePart`."""
    found = _from_the_front(template)
    found[template[:, 1] < np.interp(template[:, 2], _JAW_DEPTH, _JAW_HEIGHT)] = FacePart.NECK
    found[(masks["lips"] > _HALF) | (masks["mouth"] > _HALF)] = FacePart.MOUTH
    found[masks["ears"] > _HALF] = FacePart.EARS
    found[hair > _HALF] = FacePart.HAIR
    found[material == Part.STRANDS] = FacePart.HAIR
    found[np.isin(material, _MOUTH_INSIDE)] = FacePart.MOUTH
    found[np.isin(material, _EYEBALLS)] = FacePart.EYES
    return found


def _from_the_front(template: Vectors) -> UInt8[np.ndarray, "n"]:
    """Return the parts by the outlines, which are the same on both sides of the middle."""
    drawn = _drawn()
    height, width = drawn.shape
    across = np.abs(template[:, 0]) * _CELLS_PER_DM
    down = (_HIGHEST - template[:, 1]) * _CELLS_PER_DM
    columns = np.clip(across, 0, width - 1).astype(int)
    rows = np.clip(down, 0, height - 1).astype(int)
    return np.asarray(drawn[rows, columns])


@cache
def _drawn() -> UInt8[np.ndarray, "h w"]:
    """Draw the outlines as a picture."""
    height = round((_HIGHEST - _LOWEST) * _CELLS_PER_DM)
    picture = np.full((height, round(_WIDEST * _CELLS_PER_DM)), FacePart.CHEEKS, np.uint8)
    for part, outline in _OUTLINES.items():
        points = (np.array(outline) * (1, -1) + (0, _HIGHEST)) * _CELLS_PER_DM
        cv2.fillPoly(picture, [np.round(points).astype(np.int32)], int(part))
    return picture


_NEAR = 0.04

_MIDDLE: Mapping[str, tuple[float, float, FacePart]] = {
    "forehead": (0.0, 7.75, FacePart.FOREHEAD),
    "nose-bridge": (0.0, 7.30, FacePart.NOSE),
    "nose-tip": (0.0, 6.93, FacePart.NOSE),
    "upper-lip": (0.0, 6.69, FacePart.MOUTH),
    "lower-lip": (0.0, 6.53, FacePart.MOUTH),
    "chin": (0.0, 6.28, FacePart.CHIN),
}
_SIDES: Mapping[str, tuple[float, float, FacePart]] = {
    "brow-inner": (0.12, 7.485, FacePart.BROWS),
    "brow-middle": (0.33, 7.515, FacePart.BROWS),
    "brow-outer": (0.53, 7.465, FacePart.BROWS),
    "eye-inner": (0.18, 7.275, FacePart.EYES),
    "eye-outer": (0.455, 7.285, FacePart.EYES),
    "upper-lid": (0.32, 7.345, FacePart.EYES),
    "lower-lid": (0.32, 7.225, FacePart.EYES),
    "nose-wing": (0.18, 6.91, FacePart.NOSE),
    "mouth-corner": (0.265, 6.61, FacePart.MOUTH),
    "cheek": (0.42, 6.98, FacePart.CHEEKS),
}
"""The places of the landmarks on the undeformed head, (x, y) in dm from the front, and the part.

Landmarks with two sides are given for the subject's left.
"""


@dataclass(frozen=True)
class Landmarks:
    """The places of named points of a face in an image.

    Attributes:
        names: ``forehead``, ``nose-bridge``, ``nose-tip``, ``upper-lip``, ``lower-lip``, ``chin``;
            and with ``left-`` or ``right-`` for the subject's sides ``brow-inner``,
            ``brow-middle``, ``brow-outer``, ``eye-inner``, ``eye-outer``, ``upper-lid``,
            ``lower-lid``, ``pupil``, ``nose-wing``, ``mouth-corner``, ``cheek``.
        points: (l, 2) pixels from the left and from the top edge of the image; whole numbers are
            borders of pixels.
        visible: true for a point that lies in the image and is not hidden.
        parts: the parts of the face that the points belong to.
    """

    names: tuple[str, ...]
    points: Float[np.ndarray, "l 2"]
    visible: Bool[np.ndarray, "l"]
    parts: tuple[FacePart, ...]


def find_landmarks(studio: Studio, camera: Camera, size: int) -> Landmarks:
    """Return the landmarks of a posed subject that a camera sees in an image of `size` columns."""
    chosen, vertices = _chosen(studio.mesh)
    places = studio.pose.vertices[vertices].astype(np.float64)
    sides = np.array([size, camera.rows(size)])
    points = camera.project(places) * sides
    inside = ((points >= 0) & (points < sides)).all(axis=1)
    visible = inside & _is_seen(studio, camera, places)
    return Landmarks(tuple(chosen), points, visible, tuple(chosen.values()))


def _is_seen(
    studio: Studio, camera: Camera, places: Float[np.ndarray, "l 3"]
) -> Bool[np.ndarray, "l"]:
    """Return True for each place that a camera sees with nothing in front of it."""
    offset = places - camera.position
    distance = np.linalg.norm(offset, axis=1)
    rays = (offset / distance[:, None]).astype(np.float32)
    found = studio.geometry.meet(camera, rays)
    return np.asarray((found["primID"] >= 0) & (found["tfar"] > distance - _NEAR))


def _chosen(mesh: HeadMesh) -> tuple[dict[str, FacePart], Int[np.ndarray, "l"]]:
    """Return the part and the vertex of each landmark."""
    names = [*_MIDDLE, *(f"{side}-{name}" for side in ("left", "right") for name in _SIDES)]
    parts = [part for _, _, part in (*_MIDDLE.values(), *_SIDES.values(), *_SIDES.values())]
    view = FrontView(mesh)
    middle, left = (
        _nearest(mesh, view.meet(np.array([(x, y) for x, y, _ in points.values()])))
        for points in (_MIDDLE, _SIDES)
    )
    right = _nearest(mesh, mesh.template[left] * (-1, 1, 1))
    pupils = [mesh.parts[eye].start for eye in EYES]
    chosen = dict(zip(names, parts, strict=True))
    chosen |= {f"{side}-pupil": FacePart.EYES for side in ("left", "right")}
    return chosen, np.concatenate([middle, left, right, pupils])


def _nearest(mesh: HeadMesh, places: Float[np.ndarray, "l 3"]) -> Int[np.ndarray, "l"]:
    skin = mesh.template[mesh.skin]
    distance = np.linalg.norm(places[:, None] - skin, axis=-1)
    return np.asarray(distance.argmin(axis=1) + mesh.skin.start)


_MASKS = ("lips", "mouth", "ears")
_OPAQUE = 0.5


@dataclass(frozen=True)
class Truth:
    """The truth about one image.

    Attributes:
        spec: the shot: subject, weights of the actions, gaze, light, head, nuisance.
        camera: the pinhole camera, its jitter included, in the frame of the head.
        landmarks: named points of the face in the image.
        parts: (size, size) numbers of `FacePart`, the part that most of a pixel's rays meet; the
            rays are those of the image, before the lens blurs it.
    """

    spec: FaceSpec
    camera: Camera
    landmarks: Landmarks
    parts: UInt8[np.ndarray, "s s"]

    def arrays(self) -> dict[str, Any]:
        """Return the truth as arrays by name, for `numpy.savez`."""
        spec, marks, nuisance = self.spec, self.landmarks, self.spec.nuisance
        shape, skin, hair = spec.donors
        actions = spec.expression.actions
        return {
            "parts": self.parts,
            "part_names": np.array([part.name.lower() for part in FacePart]),
            "landmarks": marks.points,
            "landmark_names": np.array(marks.names),
            "landmark_visible": marks.visible,
            "landmark_parts": np.array(marks.parts, np.uint8),
            "action_names": np.array(list(actions), dtype=str),
            "action_weights": np.array(list(actions.values()), dtype=np.float64),
            "gaze": np.array([spec.expression.gaze_yaw, spec.expression.gaze_pitch]),
            "light": np.array([spec.light.turn, spec.light.key, spec.light.fill, spec.light.dome]),
            "head": np.array([spec.head.turn, spec.head.nod]),
            "angle": np.array(spec.angle),
            "camera_position": self.camera.position,
            "camera_axes": np.stack([self.camera.right, self.camera.up, self.camera.forward]),
            "camera_width": np.array(self.camera.width),
            "camera_shift": np.array(self.camera.shift),
            "jitter": np.array([*nuisance.shift, nuisance.scale, nuisance.roll]),
            "exposure": np.array(nuisance.exposure),
            "grain": np.array(nuisance.grain),
            "noise": np.array(nuisance.noise),
            "subject": np.array([spec.subject, shape, skin, hair]),
            "seed": np.array(spec.seed),
            "difficulty": np.array(list(spec.difficulty.values.values())),
            "difficulty_names": np.array(list(spec.difficulty.values)),
        }


def find_truth(studio: Studio, spec: FaceSpec, size: int) -> Truth:
    """Return the truth about the image of a shot."""
    camera = spec.camera(studio.subject.framing)
    landmarks = find_landmarks(studio, camera, size)
    return Truth(spec, camera, landmarks, see_parts(studio, camera, size))


def see_parts(studio: Studio, camera: Camera, size: int) -> UInt8[np.ndarray, "s s"]:
    """Return the part of the face that each pixel shows: see `Truth`."""
    side = size * SUPERSAMPLING
    samples = _parts_along(studio, camera, camera.rays(side))
    return majority(samples.reshape(side, side))


def majority(samples: UInt8[np.ndarray, "m m"]) -> UInt8[np.ndarray, "s s"]:
    """Return the most frequent part of each pixel's samples, the greatest of equal ones."""
    size = len(samples) // SUPERSAMPLING
    blocks = samples.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING)
    counts = np.stack([(blocks == part).sum(axis=(1, 3)) for part in FacePart])
    greatest = len(FacePart) - 1 - counts[::-1].argmax(axis=0)
    return np.asarray(greatest, dtype=np.uint8)


def _parts_along(studio: Studio, camera: Camera, rays: Rays) -> UInt8[np.ndarray, "r"]:
    """Return the part that each ray meets; lashes belong to the eyes."""
    found = studio.geometry.meet(camera, rays)
    hit = np.flatnonzero(found["primID"] >= 0)
    depth = np.full(len(rays), np.inf, np.float32)
    depth[hit] = found["tfar"][hit]
    parts = np.zeros(len(rays), np.uint8)
    parts[hit] = _parts_hit(studio, found["primID"][hit], found["u"][hit], found["v"][hit])
    lash = studio.geometry.lashes.meet(camera, rays).before(depth)
    parts[(lash > _OPAQUE) | ((lash > 0) & np.isinf(depth))] = FacePart.EYES
    return parts


def _parts_hit(
    studio: Studio, triangle: Int[np.ndarray, "n"], u: Scalars, v: Scalars
) -> UInt8[np.ndarray, "n"]:
    geometry = studio.geometry
    corners, weights = geometry.triangles[triangle], np.stack([1 - u - v, u, v], axis=1)
    template = contract("nk,nkc->nc", weights, geometry.template[corners])
    strands = np.zeros(len(geometry.template) - len(studio.mesh.template), np.float32)
    masks = {
        name: contract("nk,nk->n", weights, np.append(studio.mesh.masks[name], strands)[corners])
        for name in _MASKS
    }
    cover = sample(studio.charts.paint, chart(template))[:, 3]
    return face_parts(geometry.material[triangle], template, cover * (1 - masks["ears"]), masks)


@dataclass(frozen=True, eq=False)
class Change:
    """The difference of a shot's image from another one of the same size."""

    levels: UInt8[np.ndarray, "s s"]  # levels of 255, in the colour that differs most
    pixels: Int[np.ndarray, "parts"]  # number of pixels of each part in the first image
    changed: Int[np.ndarray, "parts"]  # number of these that differ at all
    most: Int[np.ndarray, "parts"]  # largest difference among these

    @property
    def equal(self) -> float:
        """The share of all pixels that are equal to the byte."""
        return 1 - float(self.changed.sum()) / self.levels.size


def compare(
    before: UInt8[np.ndarray, "s s 3"],
    after: UInt8[np.ndarray, "s s 3"],
    parts: UInt8[np.ndarray, "s s"],
) -> Change:
    """Compare two images of one size by the parts of the face that the first one shows."""
    apart = np.abs(before.astype(np.int16) - after.astype(np.int16)).max(axis=-1)
    pixels = np.bincount(parts.ravel(), minlength=len(FacePart))
    changed = np.bincount(parts[apart > 0], minlength=len(FacePart))
    most = [int(apart[parts == part].max(initial=0)) for part in FacePart]
    return Change(apart.astype(np.uint8), pixels, changed, np.array(most))
