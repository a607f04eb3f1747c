"""Hair as geometry: what lifts the scalp, and the curtain of long hair."""

import numpy as np
from jaxtyping import Float, Float32

from tinyvgg.faces.synthetic.appearance import HairStyle
from tinyvgg.faces.synthetic.chart import (
    AXIS_DEPTH,
    HEIGHT,
    WIDTH,
    chart,
    heights,
    value_noise,
)
from tinyvgg.faces.synthetic.maths import Array, smoothstep
from tinyvgg.faces.synthetic.mesh import CURTAIN_SHAPE, HeadMesh

# the hairline, height over azimuth, and how far each trait moves it there
_AZIMUTH = (0, 18, 30, 38, 45, 51, 57, 62, 70, 80, 92, 105, 120, 140, 180)
_HEIGHT = np.array(
    [
        *(8.05, 8.04, 7.95, 7.83, 7.66, 7.5, 7.27),
        *(7.0, 6.95, 7.1, 7.1, 6.95, 6.6, 6.4, 6.3),
    ]
)
_BY_HAIRLINE = np.array([1, 1, 1, 0.7, 0.3, *[0] * 10])
_BY_TEMPLE = np.array([0, 0, -1, -1, -0.5, *[0] * 10])
_BY_SIDEBURN = np.array([0, 0, 0, 0, 0, 0, -0.5, -1, -0.5, *[0] * 6])
_SCALP_SOFTNESS = 0.30
_NOWHERE = (0.0, 5.2, -0.2)


def hair_cover(azimuth: Array, height: Array, style: HairStyle, softness: float) -> Array:
    """How much of a place of the template hair covers, 0..1.

    Args:
        azimuth: radians.
        height: dm, broadcast against azimuth.
        style: where hair grows.
        softness: half the width of the border, dm.
    """
    line = (
        _HEIGHT
        + style.hairline * _BY_HAIRLINE
        + style.temple * _BY_TEMPLE
        + style.sideburn * _BY_SIDEBURN
    )
    border = np.interp(np.degrees(np.abs(azimuth)), _AZIMUTH, line).astype(np.float32)
    return smoothstep(-softness, softness, height - border)


def hair_thickness(
    mesh: HeadMesh, style: HairStyle, rng: np.random.Generator
) -> Float32[np.ndarray, "s"]:
    """By how much hair lifts each vertex of the skin, dm."""
    points = mesh.template[mesh.skin]
    azimuth = np.arctan2(points[:, 0], points[:, 2] - AXIS_DEPTH)
    cover = smoothstep(0.5, 1, hair_cover(azimuth, points[:, 1], style, _SCALP_SOFTNESS))
    locks = value_noise(rng, 90) * 0.16 + value_noise(rng, 24, 2) * 0.07
    locks = np.clip(1 + locks * smoothstep(8.45, 8.1, heights()), 0.3, 2)
    x, y = np.clip(chart(points) * (WIDTH, HEIGHT), 0, (WIDTH - 1, HEIGHT - 1)).astype(int).T
    growth = 0.1 + 0.9 * smoothstep(7.0, 8.3, points[:, 1])
    lift = cover * (1 - mesh.masks["ears"][mesh.skin]) * style.thickness * growth * locks[y, x]
    return np.asarray(lift, dtype=np.float32)


def hair_curtain(
    mesh: HeadMesh, skin: Float[np.ndarray, "s 3"], style: HairStyle, rng: np.random.Generator
) -> Float32[np.ndarray, "c 3"]:
    """Vertices of the hair behind ears and neck, dm; short hair has none, shrunk to a hidden point.

    Args:
        mesh: the head.
        skin: the subject's skin at rest.
        style: where hair grows.
        rng: the subject's stream.
    """
    around, down = CURTAIN_SHAPE
    if not style.is_long:
        return np.tile(np.array([_NOWHERE], np.float32), (around * down, 1))
    half_width, front, back, top, bottom = _extent(mesh, skin)
    middle = 0.38 * front + 0.62 * back
    bottom -= rng.uniform(0.2, 0.9)
    azimuth = np.radians(np.linspace(93, 267, around))[:, None]
    along = np.linspace(0, 1, down)[None]
    waves = value_noise(rng, 12, 1.5, CURTAIN_SHAPE) * 0.03
    waves = waves + value_noise(rng, 4, 4, CURTAIN_SHAPE) * 0.018
    flare = rng.uniform(0.0, 0.25)
    fall = np.sin(np.clip(along * 1.6, 0, 1) * np.pi / 2)
    width = half_width * (0.80 + 0.26 * fall) + style.thickness * 0.35 * fall + 0.4 * flare * along
    depth = (middle - back) * (0.82 + 0.25 * fall) - 0.1 * along
    points = [
        width * (1 + waves * fall) * np.sin(azimuth),
        top + (bottom - top) * along + 0 * azimuth,
        middle + depth * (1 + waves * fall) * np.cos(azimuth) + 0.1 * along,
    ]
    return np.stack(points, axis=-1).reshape(-1, 3).astype(np.float32)


def _extent(mesh: HeadMesh, skin: Float[np.ndarray, "s 3"]) -> tuple[float, ...]:
    """Half the head's width, its front, back and top, and the height of the neck, dm."""
    height = mesh.template[mesh.skin, 1]
    head = (height > 7.1) & (height < 8.2) & (mesh.masks["ears"][mesh.skin] < 0.05)
    return (
        float(np.abs(skin[head, 0]).max()),
        float(skin[head, 2].max()),
        float(skin[head, 2].min()),
        float(skin[height > 8.3, 1].mean() - 0.25),
        float(skin[np.abs(height - 5.7) < 0.1, 1].mean()),
    )
