"""Hair as paint on the chart: where it covers the scalp, its colour, and that of ribbons."""

import numpy as np
from jaxtyping import Float32

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
from synthfaces.combing import comb
from synthfaces.hair_styles import (
    FALLING,
    Cut,
    HairStyle,
    hair_cover,
    hairline,
    in_sideburns,
    within_hairline,
)
from synthfaces.maths import Array, smoothstep
from synthfaces.scalp import Scalp

RIBBON_HEIGHTS = (5.41, 5.05)
"""The strip of the chart that paints ribbons, from root to tip, dm: under the shirt."""
RIBBON_COLUMNS = 4 / WIDTH
"""How many columns of it one ribbon shows."""
_STRIP = slice(round((TOP - 5.46) / (TOP - BOTTOM) * HEIGHT), HEIGHT)

_LINES = 5200
_BABY_HAIRS = 1500
_SOFTNESS, _BUZZED, _SIDEBURN = 0.075, 0.025, 0.05
_FILL = 0.05
_STUBBLE = 0.86
_SHADE, _FRINGE = 0.28, 0.2


def is_for_ribbons() -> Float32[np.ndarray, "h 1"]:
    """One in the rows of the chart that paint ribbons, which nothing else shows."""
    rows = np.zeros((HEIGHT, 1), np.float32)
    rows[_STRIP] = 1
    return rows


def paint_cover(
    scalp: Scalp, style: HairStyle, rng: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """Opacity of the hair: thinning towards the hairline, with fine hairs before it."""
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


def shade_below(style: HairStyle) -> Float32[np.ndarray, "h w"]:
    """Share of the light that hair keeps from the skin next to it."""
    if style.cut == Cut.BUZZED:
        return np.zeros((HEIGHT, WIDTH), np.float32)
    fringe = _FRINGE * (style.cut == Cut.FRINGE) * smoothstep(0.75, 0.5, np.abs(azimuths()))
    reach = heights() + 0.06 + fringe
    return (_SHADE * hair_cover(azimuths(), reach, style, 0.12)).astype(np.float32)


def paint_strands(
    scalp: Scalp, style: HairStyle, rng: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """Brightness of the hair: along the comb on the scalp, along the ribbons in their strip."""
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


def _lines(scalp: Scalp, style: HairStyle, rng: np.random.Generator) -> Array:
    """Lines along the comb, all over the scalp; their brightness, about 0.9."""
    roots = scalp.roots(_LINES, style, rng)
    starts, ends = _strokes(scalp, roots, style, rng, 0.3)
    ink = draw_lines(starts, ends, rng.uniform(0.25, 1, len(starts)), 2)
    return np.asarray(0.1 + 1.2 * blur(ink, 0.8))


def _hairs(
    scalp: Scalp, style: HairStyle, rng: np.random.Generator, count: int, length: float, band: float
) -> Array:
    """Opacity of fine hairs that start around the hairline."""
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
    scalp: Scalp, roots: Array, style: HairStyle, rng: np.random.Generator, length: float
) -> tuple[Array, Array]:
    """Where strokes along the comb start and end, in fractions of the chart."""
    _, normals, _ = scalp.nearest(roots)
    way = comb(roots, normals, style) + rng.normal(0, 0.15, roots.shape)
    way = way * (rng.uniform(0.4, 1, (len(roots), 1)) * length)
    starts, ends = chart(roots), chart(roots + way)
    ends[:, 0] -= np.round(ends[:, 0] - starts[:, 0])
    return starts, ends
