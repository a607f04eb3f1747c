"""The studio: two soft lamps under a bright dome, and the shadows of the head on itself."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float32, Int

from synthfaces.expressions import UPRIGHT, Head
from synthfaces.maths import Rays, Scalars, Vectors, bounded, normalized, stream
from synthfaces.mesh import HeadMesh
from synthfaces.parameters import LIGHT, USUAL, Difficulty, Real, check_range
from synthfaces.subjects import Pose

_GOLDEN_ANGLE = np.pi * (3 - 5**0.5)
_LAMP_RAYS, _LAMP_SPREAD = 6, 0.24
_DOME_RAYS, _DOME_LOWEST = 16, -0.75
_DOME_MEAN = 0.42
_LEAST_WEIGHT = 0.03
_PRIOR = 0.6
_OFF_SURFACE = 0.012


@dataclass(frozen=True)
class Lamp:
    """A soft lamp at a great distance."""

    direction: Float32[np.ndarray, "3"]  # unit vector towards it
    diffuse: float  # its strength on matt surfaces
    highlight: float  # the strength of its reflection


KEY = Lamp(normalized(np.array([-0.62, 0.5, 0.8], np.float32)), 1.12, 1.5)
FILL = Lamp(normalized(np.array([0.75, 0.3, 0.75], np.float32)), 0.52, 0.9)


@dataclass(frozen=True)
class Light:
    """The light of the studio.

    Attributes:
        turn: degrees by which both lamps are carried around the head to the subject's left.
        key: factor on the strength of the key lamp, which stands at the subject's right.
        fill: factor on the strength of the fill lamp, opposite.
        dome: factor on the light from everywhere else.
    """

    turn: Real = 0.0
    key: Real = 1.0
    fill: Real = 1.0
    dome: Real = 1.0

    def __post_init__(self) -> None:
        for name, (low, high) in LIGHT.items():
            check_range(name, getattr(self, name), low, high)

    @cached_property
    def lamps(self) -> tuple[Lamp, Lamp]:
        """The key lamp and the fill lamp."""
        cosine, sine = np.cos(np.radians(self.turn)), np.sin(np.radians(self.turn))
        lamps = []
        for lamp, factor in ((KEY, self.key), (FILL, self.fill)):
            x, y, z = lamp.direction.astype(np.float64)
            way = np.array([cosine * x + sine * z, y, cosine * z - sine * x], np.float32)
            lamps.append(Lamp(way, lamp.diffuse * factor, lamp.highlight * factor))
        return lamps[0], lamps[1]


STUDIO = Light()
"""The light of the set, unless its difficulty varies it."""


def draw_light(
    seed: int, subject: int, emotion: str, gaze: str, difficulty: Difficulty = USUAL
) -> Light:
    """Draw the light of one shot; its distribution is the same whatever is shown."""
    turn, *strengths = bounded(stream(seed, subject, emotion, gaze, "light"), 4)
    key, fill, dome = np.exp(difficulty.light_strength * np.array(strengths)).tolist()
    return Light(turn=difficulty.light_turn * turn, key=key, fill=fill, dome=dome)


@dataclass(frozen=True)
class Illumination:
    """The light of the studio in the frame of a head, turned or upright."""

    studio: Light = STUDIO  # as it is in the room
    head: Head = UPRIGHT  # pose of the head

    @cached_property
    def lamps(self) -> tuple[Lamp, Lamp]:
        """The key lamp and the fill lamp."""
        key, fill = (
            replace(lamp, direction=self.head.seen(lamp.direction)) for lamp in self.studio.lamps
        )
        return key, fill

    @cached_property
    def up(self) -> Float32[np.ndarray, "3"]:
        """The unit vector to the top of the dome."""
        return self.head.seen(np.array([0, 1, 0], np.float32))

    @cached_property
    def left(self) -> Float32[np.ndarray, "3"]:
        """The unit vector to the side of the dome at the left of an upright subject."""
        return self.head.seen(np.array([1, 0, 0], np.float32))

    @cached_property
    def sky(self) -> Rays:
        """The directions of rays spread over the dome."""
        return self.head.seen(dome_rays())


PLAIN = Illumination()
"""The studio's light around an upright head."""


class Visibility:
    """The share of key lamp, fill lamp and dome that each vertex sees, 0..1, traced on demand.

    Rays start at the vertices that stem from control vertices; those in between are interpolated,
    as occlusion varies slowly over a face.
    """

    def __init__(
        self, mesh: HeadMesh, pose: Pose, scene: EmbreeScene, light: Illumination = PLAIN
    ) -> None:
        self._traced, self._spread = mesh.traced
        self._pose, self._scene, self._light = pose, scene, light
        self._at_traced = np.zeros((len(self._traced), 3), np.float32)
        self._is_traced = np.zeros(len(self._traced), bool)
        self._seen = np.zeros((len(mesh.template), 3), np.float32)
        self._is_known = np.zeros(len(mesh.template), bool)

    def at(self, wanted: Bool[np.ndarray, "v"]) -> Float32[np.ndarray, "v 3"]:
        """Return the visibility, which is valid at the vertices that are or were wanted.

        The value at a vertex does not depend on which others are wanted.
        """
        new = np.flatnonzero(wanted & ~self._is_known)
        if not len(new):
            return self._seen
        spread = self._spread[new]
        self._trace(spread.indices)
        self._seen[new] = spread @ self._at_traced
        self._is_known[new] = True
        return self._seen

    def _trace(self, rows: Int[np.ndarray, "_"]) -> None:
        wanted = np.zeros(len(self._traced), bool)
        wanted[rows] = True
        new = np.flatnonzero(wanted & ~self._is_traced)
        vertices = self._traced[new]
        self._at_traced[new] = trace_visibility(
            self._scene, self._pose.vertices[vertices], self._pose.normals[vertices], self._light
        )
        self._is_traced[new] = True


def trace_visibility(
    scene: EmbreeScene, points: Vectors, normals: Vectors, light: Illumination = PLAIN
) -> Vectors:
    """Trace the visibility at any points; a zero normal marks a point that nobody sees."""
    starts = points + normals * np.float32(_OFF_SURFACE)
    faces = np.ascontiguousarray(normals.T)
    shares = []
    for lamp in light.lamps:
        lit, total = _light_from(scene, lamp_rays(lamp), starts, faces, wrap=0.0)
        shares.append((lit + _PRIOR) / (total + _PRIOR))
    lit, _ = _light_from(scene, light.sky, starts, faces, wrap=0.25)
    return np.stack([*shares, lit / (_DOME_RAYS * _DOME_MEAN)], axis=1).astype(np.float32)


def _light_from(
    scene: EmbreeScene,
    rays: Rays,
    starts: Vectors,
    normals: Float32[np.ndarray, "3 n"],
    wrap: float,
) -> tuple[Scalars, Scalars]:
    """Return sums over rays of the weights that reach each point, and of all weights.

    Rays are traced one after the other, so that a point's sums do not depend on other points.
    """
    lit, total = (np.zeros(len(starts), np.float32) for _ in range(2))
    shown = (normals != 0).any(axis=0)
    for ray in rays:
        cosine = normals[0] * ray[0] + normals[1] * ray[1] + normals[2] * ray[2]
        weight = np.clip((1 - wrap) * cosine + wrap, 0, 1) * shown
        total += weight
        rows = np.flatnonzero(weight > _LEAST_WEIGHT)
        free = scene.run(starts[rows], ray[None], query="OCCLUDED") < 0
        lit[rows] += weight[rows] * free
    return lit, total


def lamp_rays(lamp: Lamp) -> Rays:
    """Return directions spread over a lamp's disc, on a spiral."""
    across = normalized(np.cross(lamp.direction, np.array([0, 1, 0], np.float32)))
    upwards = np.cross(across, lamp.direction)
    number = np.arange(_LAMP_RAYS) + 0.5
    radius = _LAMP_SPREAD * np.sqrt(number / _LAMP_RAYS)
    angle = number * _GOLDEN_ANGLE
    offset = radius[:, None] * (np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * upwards)
    return normalized(lamp.direction + offset).astype(np.float32)


def dome_rays() -> Rays:
    """Return directions over the sky and some way below the horizon, on a spiral."""
    number = np.arange(_DOME_RAYS) + 0.5
    height = 1 - (1 - _DOME_LOWEST) * number / _DOME_RAYS
    radius = np.sqrt(1 - height**2)
    angle = np.pi * (1 + 5**0.5) * number
    rays = [radius * np.cos(angle), height, radius * np.sin(angle)]
    return np.stack(rays, axis=1).astype(np.float32)
