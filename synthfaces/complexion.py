"""The colour of the skin from place to place: mottling, redness, freckles, moles, beard."""

from itertools import product

import numpy as np
from jaxtyping import Float, Float32
from scipy.interpolate import interp1d
from scipy.spatial import cKDTree

from synthfaces.chart import (
    BOTTOM,
    HEIGHT,
    TOP,
    WIDTH,
    azimuths,
    blur,
    chart,
    draw_dots,
    heights,
    value_noise,
)
from synthfaces.front import FrontView, Path
from synthfaces.maths import Array, smoothstep

_ROOTS_WITHIN, _MARGIN = 1.2, 0.022
"""Of the lashes: in radii of the eyeball, and how near to them the lid is dark, dm."""

_JAW_AZIMUTH = (0.0, 0.25, 0.5, 0.8, 1.1, 1.35)
_BEARD_HEIGHT = (6.46, 6.50, 6.58, 6.64, 6.76, 7.0)
"""The beard's upper border, dm over azimuth in radians, without the moustache."""

_HOLLOW = np.array([0.30, 0.42, 0.44], np.float32)
_LID = np.array([0.70, 0.78, 0.80], np.float32)
_DARK = np.array([0.80, 0.90, 0.90], np.float32)
"""Shares of red, green and blue that hollows and nostrils absorb."""

_HOLLOWS: tuple[tuple[Path, float, float], ...] = (
    ([(0.13, 6.985), (0.165, 6.945), (0.172, 6.89), (0.15, 6.85)], 0.02, 0.7),
    ([(0.0, 6.84), (0.06, 6.845), (0.13, 6.855)], 0.02, 0.6),
    ([(0.02, 6.80), (0.022, 6.75), (0.03, 6.70)], 0.03, 0.25),
    ([(0.0, 6.475), (0.06, 6.478), (0.13, 6.495)], 0.035, 0.45),
    ([(0.175, 7.335), (0.25, 7.385), (0.34, 7.398), (0.45, 7.345)], 0.014, 0.75),
    ([(0.17, 7.21), (0.25, 7.165), (0.34, 7.155)], 0.025, 0.35),
)
"""Folds that every face has, (x, y) from the front: path, width, opacity; all are mirrored."""

_NOSTRILS: tuple[tuple[Path, float, float], ...] = (
    ([(0.055, 6.872), (0.085, 6.878), (0.115, 6.870)], 0.022, 0.9),
)


def features(view: FrontView) -> Float32[np.ndarray, "h w 3"]:
    """Factors on the colour of every skin: folds and nostrils."""
    factor = np.ones((1, 1, 3), np.float32)
    for lines, absorbed in ((_HOLLOWS, _HOLLOW), (_NOSTRILS, _DARK)):
        drawn = sum(opacity * view.stroke(path, width, True) for path, width, opacity in lines)
        factor = factor * (1 - np.clip(drawn, 0, 1)[..., None] * absorbed)
    return np.asarray(factor * (1 - _lid_margins(view)[..., None] * _LID), dtype=np.float32)


def _lid_margins(view: FrontView) -> Float32[np.ndarray, "h w"]:
    """Opacity of the dark line along the roots of the lashes."""
    anatomy, skin = view.mesh.anatomy, view.mesh.template[view.mesh.skin]
    drawn = np.zeros((HEIGHT, WIDTH), np.float32)
    for side, (row, opacity) in product(("left", "right"), (("upper", 1.0), ("lower", 0.4))):
        lashes = anatomy.vertices[anatomy.parts[f"{side}-{row}-lashes"]]
        eye = anatomy.vertices[anatomy.parts[f"{side}-eye"]]
        low, high = eye.min(axis=0), eye.max(axis=0)
        radius = (high - low)[:2].mean() / 2
        distance = np.linalg.norm(lashes - (low + high) / 2, axis=1)
        roots = lashes[distance < _ROOTS_WITHIN * radius]
        roots = roots[np.argsort(roots[:, 0])]
        line = interp1d(roots[:, 0], roots, axis=0)(np.linspace(roots[0, 0], roots[-1, 0], 60))
        gap, _ = cKDTree(line).query(skin)
        margin = skin[gap < _MARGIN]
        dots = draw_dots(chart(margin), np.full(len(margin), 2), np.full(len(margin), opacity))
        drawn = np.maximum(drawn, dots)
    return np.asarray(np.clip(1.6 * blur(drawn, 2.0), 0, 1), dtype=np.float32)


def complexion(view: FrontView, rng: np.random.Generator) -> Float32[np.ndarray, "h w 3"]:
    """Factors on the skin's colour: mottling, redness, the shade around the eyes."""
    n70, n22, n7, n3 = (value_noise(rng, cell) for cell in (70, 22, 7, 3))
    mottling = 1 + 0.03 * n70 + 0.03 * n22 + 0.025 * n7 + 0.03 * n3
    red = (
        0.7 * view.blob((0.40, 6.95), (0.22, 0.17))
        + 0.7 * view.blob((0.0, 6.93), (0.13, 0.11))
        + 0.35 * view.blob((0.0, 6.3), (0.2, 0.1))
        + 0.25 * view.blob((0.0, 6.78), (0.25, 0.12))
    )
    red = (0.65 + 0.25 * n22) * red * rng.uniform(0.4, 1.1) + 0.015 * n70 + 0.04 * n7
    below = view.blob((0.30, 7.13), (0.15, 0.05)) * rng.uniform(0.4, 1.1)
    inner = view.blob((0.16, 7.25), (0.07, 0.09)) * rng.uniform(0.4, 1.1)
    above = view.blob((0.30, 7.38), (0.17, 0.05)) * rng.uniform(0.4, 1.1)
    pale = view.blob((0.0, 7.8), (0.5, 0.25))
    factor = mottling[..., None] * tinted(red, (-0.03, 0.15, 0.14))
    factor *= tinted(below, (0.15, 0.22, 0.19)) * tinted(above, (0.12, 0.16, 0.15))
    factor *= tinted(inner, (0.14, 0.20, 0.18)) * tinted(pale, (-0.03, -0.03, 0.01))
    return factor.astype(np.float32)


def beard_cover(
    view: FrontView, density: float, rng: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """Opacity of the beard's shadow: jaw, chin, upper lip."""
    border = np.interp(np.abs(azimuths()), _JAW_AZIMUTH, _BEARD_HEIGHT).astype(np.float32)
    uneven = 0.05 * value_noise(rng, 40) + 0.02 * value_noise(rng, 8)
    jaw = smoothstep(0.09, -0.07, heights() - border + uneven)
    jaw = jaw * smoothstep(1.55, 1.3, np.abs(azimuths())) * smoothstep(5.85, 6.2, heights())
    jaw = jaw * (0.75 + 0.25 * np.exp(-((azimuths() / 0.55) ** 2)))
    lip = view.blob((0.0, 6.745), (0.26, 0.035)) + 0.8 * view.blob((0.2, 6.68), (0.1, 0.06))
    grain = 0.72 + 0.22 * value_noise(rng, 1.7) + 0.12 * value_noise(rng, 14)
    return np.asarray(np.clip(np.clip(jaw + lip, 0, 1) * density * grain, 0, 0.9), np.float32)


def freckles(rng: np.random.Generator) -> Array:
    """Shares of light that freckles absorb; most people have none."""
    if rng.random() >= 0.3:
        return np.zeros((1, 1, 3), np.float32)
    count = int(rng.integers(80, 350))
    azimuth = np.clip(rng.normal(0, 0.5, count), -1.3, 1.3)
    height = rng.normal(6.98, 0.17, count)
    radii, opacities = rng.integers(1, 3, count), rng.uniform(0.2, 0.8, count)
    dots = draw_dots(_places(azimuth, height), radii, opacities)
    return blur(dots, 1.0)[..., None] * np.array([0.22, 0.36, 0.45], np.float32)


def moles(rng: np.random.Generator) -> Array:
    """Shares of light that moles absorb."""
    count = int(rng.integers(2, 9))
    places = _places(rng.uniform(-1.3, 1.3, count), rng.uniform(5.7, 7.9, count))
    dots = draw_dots(places, rng.integers(1, 4, count), rng.uniform(0.4, 1, count))
    return blur(dots, 0.8)[..., None] * np.array([0.45, 0.60, 0.65], np.float32)


def tinted(amount: Array, absorbed: tuple[float, float, float]) -> Array:
    """Factors on red, green and blue where an amount of pigment absorbs these shares."""
    return 1 - amount[..., None] * np.array(absorbed, np.float32)


def _places(azimuth: Array, height: Array) -> Float[np.ndarray, "n 2"]:
    return np.stack([azimuth / (2 * np.pi) + 0.5, (TOP - height) / (TOP - BOTTOM)], axis=-1)
