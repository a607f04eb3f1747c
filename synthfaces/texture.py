"""Paint on the chart: skin, blemishes, beard, brows, hair, shirt; creases and pores."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import cv2
import numpy as np
from jaxtyping import Float, Float32
from scipy.interpolate import interp1d
from scipy.spatial import cKDTree

from synthfaces.appearance import Appearance
from synthfaces.chart import (
    BOTTOM,
    HEIGHT,
    TOP,
    WIDTH,
    FrontView,
    Image,
    Path,
    azimuths,
    blur,
    chart,
    draw_dots,
    draw_lines,
    heights,
    spline,
    value_noise,
)
from synthfaces.hair import is_for_ribbons, paint_cover, paint_strands, shade_below
from synthfaces.maths import Array, Layer, Rng, Scalars, Vectors, mix, smoothstep
from synthfaces.mesh import HeadMesh
from synthfaces.people import Person
from synthfaces.scalp import Scalp

_X = (0.085, 0.19, 0.32, 0.45, 0.56)
_MALE = (7.448, 7.470, 7.490, 7.490, 7.436)
_FEMALE = (7.466, 7.494, 7.518, 7.516, 7.456)
"""The heights of the left brow's middle line, from the nose outwards, dm."""

_ARCH = (-0.2, 0.2, 0.8, 1.0, 0.0)
_TILT = (1.0, 0.5, 0.0, -0.3, -0.7)
_HAIRS = 250
_WIDTH = 0.066


@dataclass(frozen=True)
class BrowStyle:
    """The differences of one subject's brows from the mean."""

    fullness: float  # factor on width and number of hairs
    lift: float  # upwards, dm
    arch: float  # rise of the outer half, dm
    tilt: float  # rise of the inner ends, dm
    opacity: float  # opacity of the whole


def draw_brow_style(male: bool, rng: Rng) -> BrowStyle:
    """Draw the style of one subject's brows."""
    return BrowStyle(
        fullness=rng.uniform(0.85, 1.3) if male else rng.uniform(0.6, 1.0),
        lift=rng.normal(0, 0.012),
        arch=rng.normal(0, 0.012),
        tilt=rng.normal(0.010 if male else 0.008, 0.008),
        opacity=rng.uniform(0.8, 1.0),
    )


def brow_cover(view: FrontView, male: bool, rng: Rng) -> Layer:
    """Draw the opacity of both brows over the chart."""
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
    ridge: Float[np.ndarray, "n 2"], side: int, fullness: float, rng: Rng
) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]:
    """Draw roots and tips of a brow's hairs; `side` is 1 on the subject's left, -1 on the right."""
    along = rng.random(int(_HAIRS * fullness))
    off = rng.uniform(-1, 1, len(along))
    width = _WIDTH * fullness * np.interp(along, [0, 0.1, 0.5, 0.8, 1], [0.45, 1, 0.85, 0.5, 0.1])
    roots = ridge[np.minimum(len(ridge) - 1, (along * len(ridge)).astype(int))].copy()
    roots[:, 1] += off * width / 2
    length = rng.uniform(0.035, 0.07, len(along)) * np.interp(along, [0, 0.2, 1], [0.6, 1, 0.6])
    slant = np.interp(along, [0, 0.12, 0.5, 1], [70, 35, 10, -24]) - off * 14
    angle = np.radians(slant + rng.normal(0, 9, len(along)))
    return roots, roots + length[:, None] * np.stack([side * np.cos(angle), np.sin(angle)], axis=1)


_ROOTS_WITHIN, _MARGIN = 1.2, 0.022
"""The reach of the lashes' roots, in radii of the eyeball, and of the dark lid by them, dm."""

_JAW_AZIMUTH = (0.0, 0.25, 0.5, 0.8, 1.1, 1.35)
_BEARD_HEIGHT = (6.46, 6.50, 6.58, 6.64, 6.76, 7.0)
"""The beard's upper border, dm over azimuth in radians, without the moustache."""

_HOLLOW = np.array([0.30, 0.42, 0.44], np.float32)
_LID = np.array([0.70, 0.78, 0.80], np.float32)
_DARK = np.array([0.80, 0.90, 0.90], np.float32)
"""The shares of red, green and blue that hollows and nostrils absorb."""

_HOLLOWS: tuple[tuple[Path, float, float], ...] = (
    ([(0.13, 6.985), (0.165, 6.945), (0.172, 6.89), (0.15, 6.85)], 0.02, 0.7),
    ([(0.0, 6.84), (0.06, 6.845), (0.13, 6.855)], 0.02, 0.6),
    ([(0.02, 6.80), (0.022, 6.75), (0.03, 6.70)], 0.03, 0.25),
    ([(0.0, 6.475), (0.06, 6.478), (0.13, 6.495)], 0.035, 0.45),
    ([(0.175, 7.335), (0.25, 7.385), (0.34, 7.398), (0.45, 7.345)], 0.014, 0.75),
    ([(0.17, 7.21), (0.25, 7.165), (0.34, 7.155)], 0.025, 0.35),
)
"""The folds of every face, (x, y) from the front: path, width, opacity; all are mirrored."""

_NOSTRILS: tuple[tuple[Path, float, float], ...] = (
    ([(0.055, 6.872), (0.085, 6.878), (0.115, 6.870)], 0.022, 0.9),
)


def _lid_margins(view: FrontView) -> Layer:
    """Draw the opacity of the dark line along the roots of the lashes."""
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


def complexion(view: FrontView, rng: Rng) -> Float32[np.ndarray, "h w 3"]:
    """Draw factors on the skin's colour: mottling, redness, the shade around the eyes."""
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


def beard_cover(view: FrontView, density: float, rng: Rng) -> Layer:
    """Draw the opacity of the beard's shadow on jaw, chin and upper lip."""
    border = np.interp(np.abs(azimuths()), _JAW_AZIMUTH, _BEARD_HEIGHT).astype(np.float32)
    uneven = 0.05 * value_noise(rng, 40) + 0.02 * value_noise(rng, 8)
    jaw = smoothstep(0.09, -0.07, heights() - border + uneven)
    jaw = jaw * smoothstep(1.55, 1.3, np.abs(azimuths())) * smoothstep(5.85, 6.2, heights())
    jaw = jaw * (0.75 + 0.25 * np.exp(-((azimuths() / 0.55) ** 2)))
    lip = view.blob((0.0, 6.745), (0.26, 0.035)) + 0.8 * view.blob((0.2, 6.68), (0.1, 0.06))
    grain = 0.72 + 0.22 * value_noise(rng, 1.7) + 0.12 * value_noise(rng, 14)
    return np.asarray(np.clip(np.clip(jaw + lip, 0, 1) * density * grain, 0, 0.9), np.float32)


def freckles(rng: Rng) -> Array:
    """Draw the shares of light that freckles absorb; most people have none."""
    if rng.random() >= 0.3:
        return np.zeros((1, 1, 3), np.float32)
    count = int(rng.integers(80, 350))
    azimuth = np.clip(rng.normal(0, 0.5, count), -1.3, 1.3)
    height = rng.normal(6.98, 0.17, count)
    radii, opacities = rng.integers(1, 3, count), rng.uniform(0.2, 0.8, count)
    dots = draw_dots(_places(azimuth, height), radii, opacities)
    return blur(dots, 1.0)[..., None] * np.array([0.22, 0.36, 0.45], np.float32)


def moles(rng: Rng) -> Array:
    """Draw the shares of light that moles absorb."""
    count = int(rng.integers(2, 9))
    places = _places(rng.uniform(-1.3, 1.3, count), rng.uniform(5.7, 7.9, count))
    dots = draw_dots(places, rng.integers(1, 4, count), rng.uniform(0.4, 1, count))
    return blur(dots, 0.8)[..., None] * np.array([0.45, 0.60, 0.65], np.float32)


def tinted(amount: Array, absorbed: tuple[float, float, float]) -> Array:
    """Return factors on red, green and blue for pigment that absorbs these shares."""
    return np.asarray(cv2.merge([1 - amount * share for share in np.array(absorbed, np.float32)]))


def _places(azimuth: Array, height: Array) -> Float[np.ndarray, "n 2"]:
    return np.stack([azimuth / (2 * np.pi) + 0.5, (TOP - height) / (TOP - BOTTOM)], axis=-1)


_PORES_SEED = 5
_BEARD_SHADOW = np.array([0.42, 0.44, 0.47], np.float32)

_FOREHEAD_LINE = ((-0.42, -0.02), (-0.2, 0.015), (0.0, -0.01), (0.2, 0.015), (0.42, -0.02))

# lines of the face at rest, (x, y) as seen from the front, dm: path, width, opacity, mirrored
_CREASES: tuple[tuple[tuple[Path, float, float, bool], ...], ...] = (
    tuple(
        ([(x, y + lift) for x, lift in _FOREHEAD_LINE], 0.02, 1.0, False)
        for y in (7.74, 7.84, 7.94)
    ),
    (
        ([(0.055, 7.60), (0.06, 7.53), (0.045, 7.45)], 0.018, 1.0, True),
        ([(0.03, 7.5), (0.02, 7.44)], 0.015, 0.5, True),
    ),
    (([(0.155, 6.86), (0.235, 6.79), (0.30, 6.68), (0.325, 6.56)], 0.028, 1.0, True),),
    (
        ([(0.53, 7.28), (0.62, 7.30)], 0.014, 1.0, True),
        ([(0.53, 7.25), (0.61, 7.22)], 0.014, 1.0, True),
        ([(0.2, 7.17), (0.3, 7.125), (0.42, 7.15)], 0.018, 0.7, True),
    ),
    (
        ([(-0.08, 7.355), (0.0, 7.34), (0.08, 7.355)], 0.016, 0.7, False),
        ([(0.02, 7.30), (0.075, 7.285), (0.12, 7.24)], 0.015, 0.9, True),
        ([(0.05, 7.235), (0.10, 7.205), (0.135, 7.15)], 0.015, 0.9, True),
        ([(0.115, 7.16), (0.155, 7.08), (0.175, 7.0)], 0.02, 0.8, True),
    ),
)
"""Forehead, glabella, nasolabial folds, crow's feet, nose: the channels of `Painter.creases`."""


@dataclass(frozen=True)
class Coat:
    """The paint of a subject, before the hair is laid over the skin."""

    skin: Array  # (h, w, 3) linear RGB over the chart, with brows and beard
    hair: Array  # (h, w, 3) the hair's
    cover: Layer  # its opacity
    shade: Layer  # share of the light that it keeps from the skin


def lay(skin: Coat, hair: Coat) -> Image:
    """Lay the hair of one coat over the skin of another; the fourth channel is the cover."""
    strip = is_for_ribbons()
    cover = hair.cover * (1 - strip)
    shaded = skin.skin * (1 - hair.shade[..., None])
    colour = mix(shaded, hair.hair, np.maximum(cover, strip))
    return np.dstack([np.clip(colour, 0.002, 1), cover]).astype(np.float32)


@dataclass(frozen=True)
class Painter:
    """A painter of heads over the chart."""

    mesh: HeadMesh

    @cached_property
    def view(self) -> FrontView:
        """The undeformed head from the front, in which places of the face are defined."""
        return FrontView(self.mesh)

    @cached_property
    def scalp(self) -> Scalp:
        """The head under the hair."""
        return Scalp(self.mesh)

    @cached_property
    def creases(self) -> Image:
        """The depth of the creases, 0..1, one channel per group of `_CREASES`."""
        channels = [
            sum(
                opacity * self.view.stroke(path, width, mirrored)
                for path, width, opacity, mirrored in group
            )
            for group in _CREASES
        ]
        return np.asarray(np.clip(np.stack(channels, axis=-1), 0, 1), dtype=np.float32)

    @cached_property
    def pores(self) -> Image:
        """The slopes (around, up) of the skin's grain, of standard deviation one."""
        rng = np.random.default_rng(_PORES_SEED)
        grain = sum(
            weight * value_noise(rng, cell) for weight, cell in ((0.5, 3), (0.6, 6), (0.5, 14))
        )
        slopes = np.stack([np.gradient(grain, axis=1), -np.gradient(grain, axis=0)], axis=-1)
        return np.asarray(slopes / slopes.std(), dtype=np.float32)

    @cached_property
    def features(self) -> Image:
        """The factors on the colour of every skin: folds, nostrils and the roots of the lashes."""
        factor = np.ones((1, 1, 3), np.float32)
        for lines, absorbed in ((_HOLLOWS, _HOLLOW), (_NOSTRILS, _DARK)):
            strokes = (
                opacity * self.view.stroke(path, width, True) for path, width, opacity in lines
            )
            factor = factor * (1 - np.clip(sum(strokes), 0, 1)[..., None] * absorbed)
        margins = _lid_margins(self.view)[..., None] * _LID
        return np.asarray(factor * (1 - margins), dtype=np.float32)

    def coat(self, person: Person, looks: Appearance, rng: Rng) -> Coat:
        """Paint a subject's skin and hair."""
        colour = looks.skin * complexion(self.view, rng) * self.features
        colour *= 1 - freckles(rng)
        colour *= 1 - moles(rng)
        if looks.beard > 0:
            shadow = looks.skin * _BEARD_SHADOW * 0.7 + looks.hair * 0.15
            colour = mix(colour, shadow, beard_cover(self.view, looks.beard, rng))
        brows = brow_cover(self.view, person.is_male, rng)
        colour = mix(colour, looks.hair * 0.4 + 0.006, brows)
        cover = paint_cover(self.scalp, looks.style, rng)
        strands = looks.hair * paint_strands(self.scalp, looks.style, rng)[..., None]
        return Coat(colour, strands, cover, shade_below(looks.style))


_HEIGHT, _FADE = 5.66, 0.06
_AXIS_DEPTH = 0.27
_COLLAR = (5.7275, -0.205, -0.0525)
_SHOULDERS, _SHOULDERS_FADE = 0.9, 0.05
_EDGE = 0.006
_THICKNESS, _SLOPE = 0.05, 0.06


class Shirt:
    """A black shirt without a collar, enough for pictures that end below the chin."""

    def cover(self, template: Vectors) -> Scalars:
        """Return the share of places of the undeformed head that it covers, 0..1."""
        return smoothstep(_HEIGHT + _FADE, _HEIGHT, template[:, 1])


class TShirt(Shirt):
    """A shirt with a round collar at the base of the neck, deepest in front."""

    def cover(self, template: Vectors) -> Scalars:
        """Return the share of places of the undeformed head that it covers, 0..1."""
        return _below_collar(template, _EDGE).astype(np.float32)

    def lift(self, template: Vectors) -> Scalars:
        """Return the height above the skin at places of the undeformed head, dm."""
        return (_below_collar(template, _SLOPE) * _THICKNESS).astype(np.float32)


def _below_collar(template: Vectors, softness: float) -> Array:
    """Return the cover, 0..1, below a collar whose height is a sum of cosines of the azimuth."""
    x, y, z = template.T
    azimuth = np.arctan2(x, z - _AXIS_DEPTH)
    level, first, second = _COLLAR
    collar = level + first * np.cos(azimuth) + second * np.cos(2 * azimuth)
    below = smoothstep(softness, -softness, y - collar)
    beside = smoothstep(_SHOULDERS, _SHOULDERS + _SHOULDERS_FADE, np.abs(x)) * (y < _HEIGHT + 0.3)
    return np.asarray(np.maximum(below, beside))
