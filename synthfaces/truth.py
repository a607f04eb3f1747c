"""What no photograph can offer: the truth about an image, from the geometry that made it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, UInt8

from synthfaces.camera import Camera, aim
from synthfaces.chart import chart, sample
from synthfaces.face_parts import FacePart, face_parts
from synthfaces.landmarks import Landmarks, find_landmarks
from synthfaces.maths import contract
from synthfaces.photograph import SUPERSAMPLING, Studio
from synthfaces.specification import FaceSpec

_MASKS = ("lips", "mouth", "ears")
_OPAQUE = 0.5


@dataclass(frozen=True)
class Truth:
    """All that is known of one image.

    Attributes:
        spec: the shot: weights of the actions, gaze, light, head, nuisance, and who is shown.
        camera: the pinhole camera, its jitter included, in the frame of the head.
        landmarks: named points of the face in the image.
        parts: (size, size) numbers of `FacePart`: what most of a pixel's rays meet. They are the
            rays that the image is made of, before the lens blurs it.
    """

    spec: FaceSpec
    camera: Camera
    landmarks: Landmarks
    parts: UInt8[np.ndarray, "s s"]

    def arrays(self) -> dict[str, Any]:
        """The same as arrays by name, for `numpy.savez`."""
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
    """The truth about the image of a shot.

    Args:
        studio: the subject, posed and lit as the shot asks for.
        spec: the shot.
        size: of the image, pixels.
    """
    camera = aim(studio.subject.framing, spec.angle, spec.nuisance, head=spec.head)
    return Truth(
        spec=spec,
        camera=camera,
        landmarks=find_landmarks(studio, camera, size),
        parts=see_parts(studio, camera, size),
    )


def see_parts(studio: Studio, camera: Camera, size: int) -> UInt8[np.ndarray, "s s"]:
    """The part of the face that each pixel shows: see `Truth`.

    Args:
        studio: the subject, posed.
        camera: where the picture is taken from.
        size: of the picture, pixels.
    """
    side = size * SUPERSAMPLING
    samples = _parts_along(studio, camera, camera.rays(side))
    return majority(samples.reshape(side, side))


def majority(samples: UInt8[np.ndarray, "m m"]) -> UInt8[np.ndarray, "s s"]:
    """The most frequent part of each pixel's samples; of equally frequent ones the greatest."""
    size = len(samples) // SUPERSAMPLING
    blocks = samples.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING)
    counts = np.stack([(blocks == part).sum(axis=(1, 3)) for part in FacePart])
    greatest = len(FacePart) - 1 - counts[::-1].argmax(axis=0)
    return np.asarray(greatest, dtype=np.uint8)


def _parts_along(
    studio: Studio, camera: Camera, rays: Float32[np.ndarray, "r 3"]
) -> UInt8[np.ndarray, "r"]:
    """The part that each ray meets; lashes belong to the eyes."""
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
    studio: Studio,
    triangle: Int[np.ndarray, "n"],
    u: Float32[np.ndarray, "n"],
    v: Float32[np.ndarray, "n"],
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
