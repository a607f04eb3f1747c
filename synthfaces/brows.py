"""Brows, hair by hair: a few hundred strokes each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from synthfaces.chart import blur, draw_lines
from synthfaces.front import FrontView, spline

_X = (0.085, 0.19, 0.32, 0.45, 0.56)
_MALE = (7.448, 7.470, 7.490, 7.490, 7.436)
_FEMALE = (7.466, 7.494, 7.518, 7.516, 7.456)
"""The middle line of the left brow, from the nose outwards, dm as seen from the front."""

_ARCH = (-0.2, 0.2, 0.8, 1.0, 0.0)
_TILT = (1.0, 0.5, 0.0, -0.3, -0.7)
_HAIRS = 250
_WIDTH = 0.066


@dataclass(frozen=True)
class BrowStyle:
    """How one subject's brows differ from the mean.

    Attributes:
        fullness: factor on width and number of hairs.
        lift: upwards, dm.
        arch: of the outer half, dm.
        tilt: by how much the inner ends are raised, dm.
        opacity: of the whole.
    """

    fullness: float
    lift: float
    arch: float
    tilt: float
    opacity: float


def draw_brow_style(male: bool, rng: np.random.Generator) -> BrowStyle:
    """One subject's brows."""
    return BrowStyle(
        fullness=rng.uniform(0.85, 1.3) if male else rng.uniform(0.6, 1.0),
        lift=rng.normal(0, 0.012),
        arch=rng.normal(0, 0.012),
        tilt=rng.normal(0.010 if male else 0.008, 0.008),
        opacity=rng.uniform(0.8, 1.0),
    )


def brow_cover(view: FrontView, male: bool, rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Opacity of both brows over the chart."""
    style = draw_brow_style(male, rng)
    ridge = _ridge(male, style)
    left, right = (_hairs(ridge * (side, 1), side, style.fullness, rng) for side in (1, -1))
    starts, ends = (np.concatenate(both) for both in zip(left, right, strict=True))
    ink = draw_lines(view.project(starts), view.project(ends), rng.uniform(0.35, 1, len(starts)))
    body = np.clip(0.85 * blur(ink, 0.6) + 0.7 * blur(ink, 3.5), 0, 0.92)
    return np.asarray(body * np.float32(style.opacity))


def _ridge(male: bool, style: BrowStyle) -> Float[np.ndarray, "n 2"]:
    y = np.array(_MALE if male else _FEMALE) + style.lift
    y = y + style.arch * np.array(_ARCH) + style.tilt * np.array(_TILT)
    return spline(list(zip(_X, y, strict=True)), 60)


def _hairs(
    ridge: Float[np.ndarray, "n 2"], side: int, fullness: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]:
    """Roots and tips of a brow's hairs; `side` is 1 on the subject's left and -1 on the right."""
    along = rng.random(int(_HAIRS * fullness))
    off = rng.uniform(-1, 1, len(along))
    width = _WIDTH * fullness * np.interp(along, [0, 0.1, 0.5, 0.8, 1], [0.45, 1, 0.85, 0.5, 0.1])
    roots = ridge[np.minimum(len(ridge) - 1, (along * len(ridge)).astype(int))].copy()
    roots[:, 1] += off * width / 2
    length = rng.uniform(0.035, 0.07, len(along)) * np.interp(along, [0, 0.2, 1], [0.6, 1, 0.6])
    slant = np.interp(along, [0, 0.12, 0.5, 1], [70, 35, 10, -24]) - off * 14
    angle = np.radians(slant + rng.normal(0, 9, len(along)))
    return roots, roots + length[:, None] * np.stack([side * np.cos(angle), np.sin(angle)], axis=1)
