"""Hair as paint on the chart and as ribbons that rays meet."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32, Int32

from synthfaces.appearance import (
    FALLING,
    Cut,
    HairStyle,
    hair_cover,
    hairline,
    in_sideburns,
    within_hairline,
)
from synthfaces.chart import (
    AXIS_DEPTH,
    BOTTOM,
    HEIGHT,
    TOP,
    WIDTH,
    azimuths,
    blur,
    chart,
    draw_lines,
    heights,
    value_noise,
)
from synthfaces.maths import Array, Layer, Rng, contract, normalized, passed, smoothstep
from synthfaces.mesh import HeadMesh, ray_scene
from synthfaces.scalp import Scalp, comb
from synthfaces.strands import Strands, frayed

RIBBON_HEIGHTS = (5.41, 5.05)
"""The strip of the chart that paints ribbons, from root to tip, dm: under the shirt."""
RIBBON_COLUMNS = 4 / WIDTH
"""The width of the part of the strip that paints one ribbon, as a fraction of the chart."""
_STRIP = slice(round((TOP - 5.46) / (TOP - BOTTOM) * HEIGHT), HEIGHT)

_LINES = 5200
_BABY_HAIRS = 1500
_SOFTNESS, _BUZZED, _SIDEBURN = 0.075, 0.025, 0.05
_FILL = 0.05
_STUBBLE = 0.86
_SHADE, _FRINGE = 0.28, 0.2


def is_for_ribbons() -> Float32[np.ndarray, "h 1"]:
    """Return one in the rows of the chart that paint ribbons alone, and zero elsewhere."""
    rows = np.zeros((HEIGHT, 1), np.float32)
    rows[_STRIP] = 1
    return rows


def paint_cover(scalp: Scalp, style: HairStyle, rng: Rng) -> Layer:
    """Paint the opacity of the hair: it thins out at the hairline, with fine hairs before it."""
    wander = value_noise(rng, 60) * 0.022 + value_noise(rng, 16) * 0.016
    grain = value_noise(rng, 2.2, 2.5) * 0.022
    buzzed = style.cut == Cut.BUZZED
    inside = within_hairline(azimuths(), heights(), style) + wander + grain * (1.3 if buzzed else 1)
    before_ears = in_sideburns(azimuths(), heights())
    if style.cut in FALLING:
        inside = inside + _FILL * smoothstep(0.75, 0.6, np.abs(azimuths()))
    softness = _SOFTNESS + _BUZZED * buzzed + _SIDEBURN * before_ears
    cover = smoothstep(-1, 1, (inside + 1.2 * _SOFTNESS) / softness - 1.2)
    if buzzed:
        stubble = _STUBBLE - 0.12 * style.volume + 0.13 * value_noise(rng, 1.6)
        return np.clip(cover * stubble, 0, 1).astype(np.float32)
    fine = _hairs(scalp, style, rng, _BABY_HAIRS, 0.22, 0.10)
    return np.clip(np.maximum(cover, fine * 0.75), 0, 1).astype(np.float32)


def shade_below(style: HairStyle) -> Layer:
    """Return the share of the light that hair keeps from the skin next to it."""
    if style.cut == Cut.BUZZED:
        return np.zeros((HEIGHT, WIDTH), np.float32)
    fringe = _FRINGE * (style.cut == Cut.FRINGE) * smoothstep(0.75, 0.5, np.abs(azimuths()))
    reach = heights() + 0.06 + fringe
    return (_SHADE * hair_cover(azimuths(), reach, style, 0.12)).astype(np.float32)


def paint_strands(scalp: Scalp, style: HairStyle, rng: Rng) -> Layer:
    """Paint the brightness of the hair, along the comb on the scalp and along ribbons."""
    tones = 0.5 + 0.5 * _lines(scalp, style, rng)
    tones = tones * (1 + 0.08 * value_noise(rng, 40, 2))
    strip = (
        1
        + 0.13 * value_noise(rng, 2.5, 60)
        + 0.16 * value_noise(rng, 7, 40)
        + 0.06 * value_noise(rng, 5, 4)
    )
    top, bottom = RIBBON_HEIGHTS
    lightening = 0.78 + 0.34 * smoothstep(top, bottom, heights())
    tones[_STRIP] = (strip * lightening)[_STRIP]
    return np.clip(tones, 0.25, 2.2).astype(np.float32)


def _lines(scalp: Scalp, style: HairStyle, rng: Rng) -> Array:
    """Draw lines along the comb all over the scalp, of a brightness of about 0.9."""
    roots = scalp.roots(_LINES, style, rng)
    starts, ends = _strokes(scalp, roots, style, rng, 0.3)
    ink = draw_lines(starts, ends, rng.uniform(0.25, 1, len(starts)), 2)
    return np.asarray(0.1 + 1.2 * blur(ink, 0.8))


def _hairs(
    scalp: Scalp, style: HairStyle, rng: Rng, count: int, length: float, band: float
) -> Array:
    """Draw the opacity of fine hairs that start around the hairline."""
    azimuth = rng.uniform(-1.25, 1.25, count)
    height = hairline(azimuth, style) + rng.normal(-0.01, band / 2, count)
    places = np.stack([azimuth / (2 * np.pi) + 0.5, (TOP - height) / (TOP - BOTTOM)], axis=1)
    radius = 0.9
    points = np.stack(
        [radius * np.sin(azimuth), height, AXIS_DEPTH + radius * np.cos(azimuth)], axis=1
    )
    foot, _, _ = scalp.nearest(points)
    starts, ends = _strokes(scalp, foot, style, rng, length)
    shift = places - starts
    inside = np.clip((height - hairline(azimuth, style)) / band + 1, 0.15, 1)
    ink = draw_lines(starts + shift, ends + shift, rng.uniform(0.25, 0.8, count) * inside)
    return blur(ink, 0.7)


def _strokes(
    scalp: Scalp, roots: Array, style: HairStyle, rng: Rng, length: float
) -> tuple[Array, Array]:
    """Return the starts and ends of strokes along the comb, in fractions of the chart."""
    _, normals, _ = scalp.nearest(roots)
    way = comb(roots, normals, style) + rng.normal(0, 0.15, roots.shape)
    way = way * (rng.uniform(0.4, 1, (len(roots), 1)) * length)
    starts, ends = chart(roots), chart(roots + way)
    ends[:, 0] -= np.round(ends[:, 0] - starts[:, 0])
    return starts, ends


_ROUNDNESS = 0.55
_DEEP = 0.6
_NEIGHBOURS = 6


@dataclass(frozen=True)
class Ribbons:
    """The ribbons of a subject's hair that rays can meet."""

    vertices: Float32[np.ndarray, "h 3"]  # dm
    triangles: Int32[np.ndarray, "t 3"]  # vertex numbers
    normals: Float32[np.ndarray, "h 3"]  # unit vectors
    # points of the undeformed head, whose place of the chart paints a vertex
    template: Float32[np.ndarray, "h 3"]
    light: Float32[np.ndarray, "h"]  # share of the light that reaches a vertex, 0..1

    @cached_property
    def scene(self) -> EmbreeScene | None:
        """The scene of all ribbons that rays can meet; None without ribbons."""
        return ray_scene(self.vertices, self.triangles) if len(self.triangles) else None

    @cached_property
    def fields(self) -> Float32[np.ndarray, "h 8"]:
        """The fields to interpolate between vertices: normal, place of the chart, light."""
        light = passed(self.light)
        return np.concatenate([self.normals, chart(self.template), light], axis=1)


def make_ribbons(
    strands: Strands, scalp: Scalp, skin: Float[np.ndarray, "s 3"], rng: Rng
) -> Ribbons:
    """Return ribbons along the strands, carried to a subject's head."""
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


def _painted_at(count: int, points: int, rng: Rng) -> Array:
    """Choose columns of the chart's strip to paint each ribbon with."""
    span = 2 * np.pi * RIBBON_COLUMNS
    azimuth = rng.uniform(-np.pi + span, np.pi - span, (count, 1, 1)) + np.array([0, span])
    top, bottom = RIBBON_HEIGHTS
    height = np.linspace(top, bottom, points)[None, :, None] + 0 * azimuth
    azimuth = azimuth + 0 * height
    return np.stack([0.75 * np.sin(azimuth), height, AXIS_DEPTH + 0.75 * np.cos(azimuth)], axis=-1)


_SCALP_SOFTNESS = 0.25
_BODY = {
    Cut.BUZZED: 0.008,
    Cut.CROPPED: 0.04,
    Cut.PARTED: 0.09,
    Cut.FRINGE: 0.07,
    Cut.SWEPT: 0.10,
    Cut.TIED: 0.025,
    Cut.BOB: 0.10,
    Cut.LONG: 0.09,
    Cut.CURLY: 0.20,
}
"""The thickness of each cut's hair under its strands, on top of the scalp, dm."""


def hair_thickness(mesh: HeadMesh, style: HairStyle) -> Float32[np.ndarray, "s"]:
    """Return the height by which hair lifts each vertex of the skin, dm."""
    points = mesh.template[mesh.skin]
    azimuth = np.arctan2(points[:, 0], points[:, 2] - AXIS_DEPTH)
    cover = smoothstep(0.5, 1, hair_cover(azimuth, points[:, 1], style, _SCALP_SOFTNESS))
    growth = 0.15 + 0.85 * smoothstep(7.0, 8.3, points[:, 1])
    bare = 1 - mesh.masks["ears"][mesh.skin]
    lift = cover * bare * _BODY[style.cut] * style.volume * growth
    return np.asarray(lift, dtype=np.float32)
