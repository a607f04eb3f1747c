"""Strands of hair as ribbons that rays can meet."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32, Int32

from synthfaces.chart import AXIS_DEPTH, chart
from synthfaces.hair_paint import RIBBON_COLUMNS, RIBBON_HEIGHTS
from synthfaces.maths import Array, contract, normalized
from synthfaces.mesh import ray_scene
from synthfaces.scalp import Scalp
from synthfaces.shadows import passed
from synthfaces.strands import Strands, frayed

_ROUNDNESS = 0.55
_DEEP = 0.6
_NEIGHBOURS = 6


@dataclass(frozen=True)
class Ribbons:
    """A subject's hair as rays meet it.

    Attributes:
        vertices: (h, 3) dm.
        triangles: vertex numbers.
        normals: (h, 3) unit vectors.
        template: (h, 3) points of the undeformed head, whose place of the chart paints a vertex.
        light: (h,) how much of the light reaches a vertex, 0..1.
    """

    vertices: Float32[np.ndarray, "h 3"]
    triangles: Int32[np.ndarray, "t 3"]
    normals: Float32[np.ndarray, "h 3"]
    template: Float32[np.ndarray, "h 3"]
    light: Float32[np.ndarray, "h"]

    @cached_property
    def scene(self) -> EmbreeScene | None:
        """What rays can meet; nothing where there are no ribbons."""
        return ray_scene(self.vertices, self.triangles) if len(self.triangles) else None

    @cached_property
    def fields(self) -> Float32[np.ndarray, "h 8"]:
        """What is interpolated between vertices: normal, place of the chart, light per channel."""
        light = passed(self.light)
        return np.concatenate([self.normals, chart(self.template), light], axis=1)


def make_ribbons(
    strands: Strands,
    scalp: Scalp,
    skin: Float[np.ndarray, "s 3"],
    rng: np.random.Generator,
) -> Ribbons:
    """Ribbons along the strands, carried to a subject's head.

    Args:
        strands: on the undeformed head.
        scalp: the undeformed head.
        skin: the subject's skin at rest.
        rng: the subject's stream.
    """
    strands = frayed(replace(strands, paths=_carried(strands.paths, scalp, skin)), rng)
    paths = strands.paths
    count, points = paths.shape[:2]
    along = np.linspace(0, 1, points)
    tangent = normalized(np.gradient(paths, axis=1)) if count else paths
    twist = rng.normal(0, 0.35, (count, 1, 3))
    outwards = normalized(strands.outwards + twist)
    side = normalized(np.cross(tangent, outwards))
    front = normalized(np.cross(side, tangent))
    width = strands.width[:, None] * np.interp(along, (0, 0.15, 0.7, 1), (0.6, 1, 0.9, 0.15))
    edges = [paths + sign * side * width[..., None] / 2 for sign in (-1, 1)]
    normals = [normalized(front + sign * _ROUNDNESS * side) for sign in (-1, 1)]
    rooted = np.interp(along, (0, 0.25), (0.75, 1))
    light = (_DEEP + (1.15 - _DEEP) * strands.layer[:, None]) * rooted
    template = _painted_at(count, points, rng)
    return Ribbons(
        vertices=np.stack(edges, axis=2).reshape(-1, 3).astype(np.float32),
        triangles=_triangles(count, points),
        normals=np.stack(normals, axis=2).reshape(-1, 3).astype(np.float32),
        template=template.reshape(-1, 3).astype(np.float32),
        light=np.repeat(light[..., None], 2, axis=2).ravel().astype(np.float32),
    )


def _carried(
    paths: Float[np.ndarray, "n k 3"], scalp: Scalp, skin: Float[np.ndarray, "s 3"]
) -> Float[np.ndarray, "n k 3"]:
    """Move points as the skin next to them moved when the head became the subject's."""
    moved = skin[scalp.bare] - scalp.points
    flat = paths.reshape(-1, 3)
    if not len(flat):
        return paths
    distance, near = scalp.tree.query(flat, k=_NEIGHBOURS)
    weight = 1 / (distance + 0.03)
    weight /= weight.sum(axis=1, keepdims=True)
    return (flat + contract("nk,nkc->nc", weight, moved[near])).reshape(paths.shape)


def _triangles(count: int, points: int) -> Int32[np.ndarray, "t 3"]:
    numbers = np.arange(count * points * 2).reshape(count, points, 2)
    a, b = numbers[:, :-1, 0], numbers[:, :-1, 1]
    c, d = numbers[:, 1:, 0], numbers[:, 1:, 1]
    halves = [np.stack([a, b, d], axis=-1), np.stack([a, d, c], axis=-1)]
    return np.concatenate([half.reshape(-1, 3) for half in halves]).astype(np.int32)


def _painted_at(count: int, points: int, rng: np.random.Generator) -> Array:
    """Each ribbon is painted by some columns of the chart's strip for ribbons."""
    span = 2 * np.pi * RIBBON_COLUMNS
    azimuth = rng.uniform(-np.pi + span, np.pi - span, (count, 1, 1)) + np.array([0, span])
    top, bottom = RIBBON_HEIGHTS
    height = np.linspace(top, bottom, points)[None, :, None] + 0 * azimuth
    azimuth = azimuth + 0 * height
    return np.stack([0.75 * np.sin(azimuth), height, AXIS_DEPTH + 0.75 * np.cos(azimuth)], axis=-1)
