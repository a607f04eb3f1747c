"""Named points of the face: vertices of the mesh, which every face shares."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from synthfaces.camera import Camera
from synthfaces.face_parts import FacePart
from synthfaces.mesh import EYES, HeadMesh, Part, ray_scene
from synthfaces.photograph import Studio

_IN_FRONT = 9.0
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
"""Where they are seen from the front of the undeformed head, (x, y) in dm, and in which part.

Those with two sides are given for the subject's left.
"""


@dataclass(frozen=True)
class Landmarks:
    """Where named points of a face lie in an image.

    Attributes:
        names: ``forehead``, ``nose-bridge``, ``nose-tip``, ``upper-lip``, ``lower-lip``, ``chin``;
            and with ``left-`` or ``right-`` for the subject's sides ``brow-inner``,
            ``brow-middle``, ``brow-outer``, ``eye-inner``, ``eye-outer``, ``upper-lid``,
            ``lower-lid``, ``pupil``, ``nose-wing``, ``mouth-corner``, ``cheek``.
        points: (l, 2) pixels from the left and from the top edge of the image; whole numbers are
            borders of pixels.
        visible: whether nothing hides a point and it lies in the image.
        parts: of the face, to which they belong.
    """

    names: tuple[str, ...]
    points: Float[np.ndarray, "l 2"]
    visible: Bool[np.ndarray, "l"]
    parts: tuple[FacePart, ...]


def find_landmarks(studio: Studio, camera: Camera, size: int) -> Landmarks:
    """The landmarks of a posed subject as a camera sees them, in an image of `size` columns."""
    chosen, vertices = _chosen(studio.mesh)
    places = studio.pose.vertices[vertices].astype(np.float64)
    sides = np.array([size, camera.rows(size)])
    points = camera.project(places) * sides
    inside = ((points >= 0) & (points < sides)).all(axis=1)
    return Landmarks(
        names=tuple(chosen),
        points=points,
        visible=inside & _is_seen(studio, camera, places),
        parts=tuple(chosen.values()),
    )


def _is_seen(
    studio: Studio, camera: Camera, places: Float[np.ndarray, "l 3"]
) -> Bool[np.ndarray, "l"]:
    """Whether what a camera sees in the direction of each place is that place."""
    offset = places - camera.position
    distance = np.linalg.norm(offset, axis=1)
    rays = (offset / distance[:, None]).astype(np.float32)
    found = studio.geometry.meet(camera, rays)
    return np.asarray((found["primID"] >= 0) & (found["tfar"] > distance - _NEAR))


def _chosen(mesh: HeadMesh) -> tuple[dict[str, FacePart], Int[np.ndarray, "l"]]:
    """The part and the vertex of each landmark."""
    names = [*_MIDDLE, *(f"{side}-{name}" for side in ("left", "right") for name in _SIDES)]
    parts = [part for _, _, part in (*_MIDDLE.values(), *_SIDES.values(), *_SIDES.values())]
    middle, left = (
        _in_front(mesh, np.array([(x, y) for x, y, _ in points.values()]))
        for points in (_MIDDLE, _SIDES)
    )
    right = _nearest(mesh, mesh.template[left] * (-1, 1, 1))
    pupils = [mesh.parts[eye].start for eye in EYES]
    chosen = dict(zip(names, parts, strict=True))
    chosen |= {f"{side}-pupil": FacePart.EYES for side in ("left", "right")}
    return chosen, np.concatenate([middle, left, right, pupils])


def _in_front(mesh: HeadMesh, points: Float[np.ndarray, "l 2"]) -> Int[np.ndarray, "l"]:
    """The vertices of the skin next to what is seen from the front at these (x, y), dm."""
    starts = np.full((len(points), 3), _IN_FRONT, np.float32)
    starts[:, :2] = points
    away = np.zeros_like(starts)
    away[:, 2] = -1
    scene = ray_scene(mesh.template, mesh.triangles[mesh.material == Part.SKIN])
    starts[:, 2] -= scene.run(starts, away, output=1)["tfar"]
    return _nearest(mesh, starts)


def _nearest(mesh: HeadMesh, places: Float[np.ndarray, "l 3"]) -> Int[np.ndarray, "l"]:
    skin = mesh.template[mesh.skin]
    distance = np.linalg.norm(places[:, None] - skin, axis=-1)
    return np.asarray(distance.argmin(axis=1) + mesh.skin.start)
