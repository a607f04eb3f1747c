"""Five cameras around the head, and the nuisance that varies from picture to picture."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from synthfaces.expressions import UPRIGHT, Head
from synthfaces.maths import smoothstep, stream
from synthfaces.parameters import USUAL, Difficulty, Real
from synthfaces.subjects import Framing

DISTANCE = 16.0
"""The distance from the cameras to the point that they aim at, dm."""
_FRONTAL = 90


@dataclass(frozen=True)
class View:
    """The part of the picture that a face at rest fills, seen from the front."""

    face: float  # from the eyes to the chin, in widths of the picture
    eyes: float  # from the top edge to the eyes, in heights of the picture
    aspect: float = 1.0  # height of the picture over its width
    # distance of the picture's middle behind that between face and ears, in widths
    back: float = 0.0


HEAD = View(face=0.485, eyes=0.425)
"""The view of the whole head, with hair and neck, from the front to half the side."""

_VIEWS: Mapping[str, tuple[View, View]] = {
    "face": (View(face=0.59, eyes=0.35, back=-0.11), View(face=0.59, eyes=0.35, back=-0.20)),
    "head": (HEAD, View(face=0.36, eyes=0.425, back=0.09)),
}
"""The views of each crop: up to half the side, and from the side, where a head is longer."""

_HALF_SIDE = 45


def view_of(crop: str, angle: Real) -> View:
    """Return the view of a crop at an angle.

    ``face`` is centred on the face: forehead to chin, and cheek to cheek. ``head`` has all of it.
    """
    near, side = _VIEWS[crop]
    beyond = (abs(angle - _FRONTAL) - _HALF_SIDE) / (_FRONTAL - _HALF_SIDE)
    share = float(smoothstep(0, 1, np.array(beyond)))
    face = near.face + (side.face - near.face) * share
    return View(face=face, eyes=near.eyes, back=near.back + (side.back - near.back) * share)


@dataclass(frozen=True)
class Nuisance:
    """The differences between two pictures of the same face that chance alone draws.

    Attributes:
        shift: shift of the picture, right and up, in widths.
        scale: factor on the field of view.
        roll: roll of the camera, radians.
        exposure: added to the sRGB values.
        grain: seed of the sensor's noise.
        noise: its deviation, in sRGB values.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    roll: float = 0.0
    exposure: float = 0.0
    grain: int = 0
    noise: float = USUAL.noise


def draw_nuisance(
    seed: int, subject: int, emotion: str, gaze: str, angle: int, difficulty: Difficulty = USUAL
) -> Nuisance:
    """Draw the nuisance of one image.

    Its stream is named by everything that identifies the image, so that no draw repeats over
    subjects and gives an emotion away; the distribution is the same for all images.
    """
    rng = stream(seed, subject, emotion, gaze, angle, "camera")
    right, up = rng.normal(0, difficulty.shift, 2)
    return Nuisance(
        shift=(float(right), float(up)),
        scale=float(np.exp(rng.normal(0, difficulty.scale))),
        roll=float(np.radians(rng.normal(0, difficulty.roll))),
        exposure=float(rng.normal(0, difficulty.exposure)),
        grain=int(rng.integers(2**32)),
        noise=difficulty.noise,
    )


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, in the frame of the head; lengths are in dm."""

    position: Float[np.ndarray, "3"]
    forward: Float[np.ndarray, "3"]
    right: Float[np.ndarray, "3"]
    up: Float[np.ndarray, "3"]
    width: float  # width of the field of view at the head's axis
    shift: tuple[float, float]  # shift of the field of view, right and up
    aspect: float = 1.0  # height of the field of view over its width

    def rows(self, pixels: int) -> int:
        """Return the number of rows of a picture of this many columns."""
        return round(pixels * self.aspect)

    def rays(self, pixels: int) -> Float32[np.ndarray, "rays 3"]:
        """Return unit directions through the centres of the pixels, row after row from the top."""
        rows = self.rows(pixels)
        across = ((np.arange(pixels) + 0.5) / pixels - 0.5) * self.width
        down = ((np.arange(rows) + 0.5) / rows - 0.5) * self.width * self.aspect
        x, y = across + self.shift[0], self.shift[1] - down
        rays = np.empty((3, rows, pixels), np.float32)
        for axis, plane in enumerate(rays):
            row = x * self.right[axis]
            column = DISTANCE * self.forward[axis] + y * self.up[axis]
            np.add(row.astype(np.float32), column.astype(np.float32)[:, None], out=plane)
        squares = np.square(x).astype(np.float32), (DISTANCE**2 + np.square(y)).astype(np.float32)
        rays /= np.sqrt(squares[0] + squares[1][:, None])
        return rays.reshape(3, -1).T

    def origins(self, count: int) -> Float32[np.ndarray, "rays 3"]:
        """Return the starting points of this many rays, which is the camera for all."""
        return np.broadcast_to(self.position.astype(np.float32), (count, 3))

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Return the places of points in the picture, as fractions from the left and the top."""
        offset = points - self.position
        x, y, depth = (offset @ axis for axis in (self.right, self.up, self.forward))
        across = x / depth * DISTANCE - self.shift[0]
        down = self.shift[1] - y / depth * DISTANCE
        return np.stack([across, down / self.aspect], axis=-1) / self.width + 0.5


def aim(
    framing: Framing, angle: Real, nuisance: Nuisance, view: View, head: Head = UPRIGHT
) -> Camera:
    """Return the camera at an angle: 90 in front, 0 at the subject's right and 180 at the left.

    The field of view comes from the face at rest, so an open jaw does not change the scale. A head
    that is turned and nodded is seen as if the camera went around it the other way; the point that
    stays is the middle of a square picture, which lies between the ears.
    """
    width, centre = _middle(framing, view)
    _, pivot = _middle(framing, HEAD)
    offset = centre - pivot
    centre = centre + (head.seen(offset) - offset)
    yaw = np.radians(angle - _FRONTAL)
    forward = np.array([-np.sin(yaw), 0, -np.cos(yaw)])
    right, up = np.array([np.cos(yaw), 0, -np.sin(yaw)]), np.array([0.0, 1.0, 0.0])
    forward, right, up = head.seen(np.stack([forward, right, up]))
    cosine, sine = np.cos(nuisance.roll), np.sin(nuisance.roll)
    return Camera(
        position=centre - DISTANCE * forward,
        forward=forward,
        right=right * cosine + up * sine,
        up=up * cosine - right * sine,
        width=width * nuisance.scale,
        shift=(nuisance.shift[0] * width, nuisance.shift[1] * width),
        aspect=view.aspect,
    )


def _middle(framing: Framing, view: View) -> tuple[float, Float[np.ndarray, "3"]]:
    """Return the width of the field of view and the point in its middle, dm."""
    width = (framing.eyes - framing.chin) / view.face
    height = width * view.aspect
    depth = framing.depth - view.back * width
    return width, np.array([0, framing.eyes - (0.5 - view.eyes) * height, depth])
