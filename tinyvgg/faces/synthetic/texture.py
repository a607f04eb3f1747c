"""Paint on the chart: skin, blemishes, beard, brows, hair; creases and pores shared by all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32
from scipy.interpolate import CubicSpline

from tinyvgg.faces.synthetic.appearance import Appearance
from tinyvgg.faces.synthetic.chart import (
    BOTTOM,
    HEIGHT,
    TOP,
    WIDTH,
    Image,
    azimuths,
    blur,
    chart,
    draw_dots,
    draw_lines,
    heights,
    value_noise,
)
from tinyvgg.faces.synthetic.design import Person
from tinyvgg.faces.synthetic.hair import hair_cover
from tinyvgg.faces.synthetic.maths import Array, mix, smoothstep
from tinyvgg.faces.synthetic.mesh import HeadMesh, Part, ray_scene

Path = Sequence[tuple[float, float]]
_PIXELS_PER_DM = WIDTH / (2 * np.pi)
_EYE_OF_THE_BEHOLDER = 9.0
_PORES_SEED = 5

_FOREHEAD_LINE = ((-0.42, -0.02), (-0.2, 0.015), (0.0, -0.01), (0.2, 0.015), (0.42, -0.02))

# lines of the face at rest, (x, y) as seen from the front, dm: path, width, opacity, mirrored
_CREASES: tuple[tuple[tuple[Path, float, float, bool], ...], ...] = (
    tuple(
        (
            [(x, y + lift) for x, lift in _FOREHEAD_LINE],
            0.02,
            1.0,
            False,
        )
        for y in (7.74, 7.84, 7.94)
    ),
    (
        ([(0.055, 7.62), (0.06, 7.54), (0.045, 7.45)], 0.018, 1.0, True),
        ([(-0.08, 7.36), (0.0, 7.345), (0.08, 7.36)], 0.018, 0.6, False),
        ([(0.03, 7.5), (0.02, 7.44)], 0.015, 0.5, True),
    ),
    (
        ([(0.155, 6.86), (0.235, 6.79), (0.30, 6.68), (0.325, 6.56)], 0.028, 1.0, True),
        ([(0.03, 7.2), (0.1, 7.12), (0.13, 7.04)], 0.02, 0.4, True),
    ),
    (
        ([(0.53, 7.28), (0.62, 7.30)], 0.014, 1.0, True),
        ([(0.53, 7.25), (0.61, 7.22)], 0.014, 1.0, True),
        ([(0.2, 7.17), (0.3, 7.125), (0.42, 7.15)], 0.018, 0.7, True),
    ),
)
"""Forehead, glabella, nasolabial folds, crow's feet: the channels of `Painter.creases`."""


@dataclass(frozen=True)
class Coat:
    """What a subject is painted with, before the hair is laid over the skin.

    Attributes:
        skin: (h, w, 3) linear RGB over the chart, with brows and beard.
        hair: (h, w, 3) the hair's.
        cover: (h, w) its opacity.
    """

    skin: Array
    hair: Array
    cover: Float32[np.ndarray, "h w"]


def lay(skin: Coat, hair: Coat) -> Image:
    """The colours of one coat's skin under another's hair; the fourth channel is its cover."""
    colour = mix(skin.skin, hair.hair, hair.cover)
    return np.dstack([np.clip(colour, 0.002, 1), hair.cover]).astype(np.float32)


@dataclass(frozen=True)
class Painter:
    """Paints in the chart what is given as seen from the front of the undeformed head."""

    mesh: HeadMesh

    @cached_property
    def _front(self) -> EmbreeScene:
        skin = self.mesh.triangles[self.mesh.material == Part.SKIN]
        return ray_scene(self.mesh.template, skin)

    def project(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Fractions of the chart behind the points (x, y) that a viewer in front sees, dm."""
        origins = np.full((len(points), 3), _EYE_OF_THE_BEHOLDER, np.float32)
        origins[:, :2] = points
        away = np.zeros_like(origins)
        away[:, 2] = -1
        hits = self._front.run(origins, away, output=1)
        origins[:, 2] -= hits["tfar"]
        return chart(origins)

    def stroke(self, path: Path, width: float, mirrored: bool) -> Float32[np.ndarray, "h w"]:
        """A soft line that fades out at both ends; width in dm."""
        count = 40
        opacities = np.sin(np.pi * (np.arange(count - 1) + 0.5) / count) ** 0.6
        thickness = max(1, int(width * _PIXELS_PER_DM * 0.8))
        image = np.zeros((HEIGHT, WIDTH), np.float32)
        for side in (1, -1) if mirrored else (1,):
            places = self.project(spline(path, count) * (side, 1))
            line = draw_lines(places[:-1], places[1:], opacities, thickness)
            image = np.maximum(image, line)
        return blur(image, max(0.8, width * _PIXELS_PER_DM * 0.45))

    @cached_property
    def creases(self) -> Image:
        """Depth of the creases, 0..1, one channel per group of `_CREASES`."""
        channels = [
            sum(
                opacity * self.stroke(path, width, mirrored)
                for path, width, opacity, mirrored in group
            )
            for group in _CREASES
        ]
        return np.asarray(np.clip(np.stack(channels, axis=-1), 0, 1), dtype=np.float32)

    @cached_property
    def pores(self) -> Image:
        """Slopes (around, up) of the skin's grain, standard deviation one."""
        rng = np.random.default_rng(_PORES_SEED)
        grain = sum(
            weight * value_noise(rng, cell) for weight, cell in ((0.5, 3), (0.6, 6), (0.5, 14))
        )
        slopes = np.stack([np.gradient(grain, axis=1), -np.gradient(grain, axis=0)], axis=-1)
        return np.asarray(slopes / slopes.std(), dtype=np.float32)

    def blob(
        self, centre: tuple[float, float], spread: tuple[float, float]
    ) -> Float32[np.ndarray, "h w"]:
        """A Gaussian patch, mirrored unless it is centred.

        Args:
            centre: (x, y) as seen from the front, dm.
            spread: standard deviations, radians around the head and dm upwards.
        """
        x, y = centre
        image = np.zeros((HEIGHT, WIDTH), np.float32)
        for side in (1, -1) if x else (1,):
            across, down = self.project(np.array([[side * x, y]]))[0]
            azimuth, height = (across * 2 - 1) * np.pi, TOP - down * (TOP - BOTTOM)
            row = np.exp(-(((azimuths() - azimuth) / spread[0]) ** 2) / 2)
            column = np.exp(-(((heights() - height) / spread[1]) ** 2) / 2)
            image += row * column
        return image

    def coat(self, person: Person, looks: Appearance, rng: np.random.Generator) -> Coat:
        """A subject's skin and hair."""
        colour = looks.skin * self._complexion(rng)
        colour *= 1 - _freckles(rng)
        colour *= 1 - _moles(rng)
        if looks.beard > 0:
            tone = looks.hair * 0.6 + looks.skin * 0.18
            colour = mix(colour, tone, self._beard(looks.beard, rng))
        colour = mix(colour, looks.hair * 0.5 + 0.008, self._brows(person.is_male, rng))
        cover = _hair_cover(looks, rng)
        return Coat(colour, looks.hair * _strands(rng)[..., None], cover)

    def _complexion(self, rng: np.random.Generator) -> Float32[np.ndarray, "h w 3"]:
        """Factors on the skin's colour: mottling, redness, the shade around the eyes."""
        n70, n22, n7, n3 = (value_noise(rng, cell) for cell in (70, 22, 7, 3))
        mottling = 1 + 0.02 * n70 + 0.025 * n22 + 0.025 * n7 + 0.03 * n3
        red = (
            0.55 * self.blob((0.38, 6.95), (0.22, 0.16))
            + 0.6 * self.blob((0.0, 6.95), (0.12, 0.12))
            + 0.3 * self.blob((0.0, 6.3), (0.2, 0.1))
        )
        red = (0.5 + 0.3 * n22) * red * rng.uniform(0.3, 1) + 0.015 * n70 + 0.04 * n7
        below = self.blob((0.30, 7.12), (0.16, 0.06)) * rng.uniform(0.3, 1)
        above = self.blob((0.30, 7.36), (0.17, 0.06)) * rng.uniform(0.3, 1)
        factor = mottling[..., None] * _tinted(red, (-0.05, 0.14, 0.12))
        factor *= _tinted(below, (0.16, 0.22, 0.20)) * _tinted(above, (0.10, 0.13, 0.12))
        return factor.astype(np.float32)

    def _beard(self, density: float, rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
        """Opacity of the beard's shadow: jaw and upper lip."""
        jaw = (
            smoothstep(6.62, 6.45, heights())
            * smoothstep(1.55, 1.2, np.abs(azimuths()))
            * smoothstep(5.9, 6.15, heights())
        )
        area = np.clip(jaw + self.blob((0.14, 6.68), (0.22, 0.05)), 0, 1)
        stubble = 0.75 + 0.25 * value_noise(rng, 2.2)
        return np.asarray(np.clip(area * density * stubble, 0, 0.85), dtype=np.float32)

    def _brows(self, male: bool, rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
        """Opacity of both brows, a few hundred strokes each."""
        fullness = rng.uniform(0.8, 1.25) * (1.15 if male else 0.85)
        ridge = _brow_ridge(male, rng)
        left, right = (_brow_hairs(ridge * (side, 1), side, fullness, rng) for side in (1, -1))
        starts, ends = (np.concatenate(both) for both in zip(left, right, strict=True))
        ink = draw_lines(self.project(starts), self.project(ends), rng.uniform(0.5, 1, len(starts)))
        soft = np.clip(blur(ink, 0.6) + blur(ink, 5) * 0.3, 0, 0.92)
        return np.asarray(soft * np.float32(rng.uniform(0.8, 1)))


def spline(path: Path, count: int) -> Float[np.ndarray, "n 2"]:
    """Points along the cubic through the path's points, evenly spaced in the parameter."""
    points = np.asarray(path, dtype=np.float64)
    curve = CubicSpline(np.linspace(0, 1, len(points)), points)
    return np.asarray(curve(np.linspace(0, 1, count)))


def _tinted(amount: Array, absorbed: tuple[float, float, float]) -> Array:
    """Factors on red, green and blue where an amount of pigment absorbs these shares."""
    return 1 - amount[..., None] * np.array(absorbed, np.float32)


def _freckles(rng: np.random.Generator) -> Array:
    """Shares of light that freckles absorb; most people have none."""
    if rng.random() >= 0.3:
        return np.zeros((1, 1, 3), np.float32)
    count = int(rng.integers(80, 350))
    azimuth = np.clip(rng.normal(0, 0.5, count), -1.3, 1.3)
    height = rng.normal(6.98, 0.17, count)
    radii, opacities = rng.integers(1, 3, count), rng.uniform(0.2, 0.8, count)
    dots = draw_dots(_places(azimuth, height), radii, opacities)
    return blur(dots, 1.0)[..., None] * np.array([0.22, 0.36, 0.45], np.float32)


def _moles(rng: np.random.Generator) -> Array:
    """Shares of light that moles absorb."""
    count = int(rng.integers(2, 9))
    places = _places(rng.uniform(-1.3, 1.3, count), rng.uniform(5.7, 7.9, count))
    dots = draw_dots(places, rng.integers(1, 4, count), rng.uniform(0.4, 1, count))
    return blur(dots, 0.8)[..., None] * np.array([0.45, 0.60, 0.65], np.float32)


def _places(azimuth: Array, height: Array) -> Float[np.ndarray, "n 2"]:
    return np.stack([azimuth / (2 * np.pi) + 0.5, (TOP - height) / (TOP - BOTTOM)], axis=-1)


def _brow_ridge(male: bool, rng: np.random.Generator) -> Float[np.ndarray, "n 2"]:
    """Points along the left brow from the nose outwards, (x, y) from the front, dm."""
    lift = rng.normal(0, 0.012)
    arch = rng.normal(0, 0.012) + (0 if male else 0.015)
    x = np.array([0.10, 0.20, 0.33, 0.44, 0.54])
    if male:
        y = np.array([7.465, 7.500, 7.522, 7.517, 7.465]) + arch * np.array([0, 0, 0.7, 1, 0])
    else:
        y = np.array([7.478, 7.497, 7.503, 7.497, 7.457]) + arch * np.array([0, 0, 0.6, 1, 0])
    return spline(list(zip(x, y + lift, strict=True)), 60)


def _brow_hairs(
    ridge: Float[np.ndarray, "n 2"], side: int, fullness: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]:
    """Roots and tips of a brow's hairs; `side` is 1 on the subject's left and -1 on the right."""
    along = rng.random(int(330 * fullness))
    off = rng.uniform(-1, 1, len(along))
    width = 0.048 * fullness * np.interp(along, [0, 0.12, 0.55, 1], [0.35, 0.9, 0.8, 0.15])
    roots = ridge[np.minimum(len(ridge) - 1, (along * len(ridge)).astype(int))].copy()
    roots[:, 1] += off * width / 2
    length = rng.uniform(0.03, 0.06, len(along)) * np.interp(along, [0, 0.2, 1], [0.6, 1, 0.6])
    slant = np.interp(along, [0, 0.15, 0.5, 1], [45, 30, 10, -22]) - off * 12
    angle = np.radians(slant + rng.normal(0, 8, len(along)))
    return roots, roots + length[:, None] * np.stack([side * np.cos(angle), np.sin(angle)], axis=1)


def _hair_cover(looks: Appearance, rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Opacity of the hair, with a frayed border."""
    fray = value_noise(rng, 30) * 0.014 + value_noise(rng, 1.6, 7) * 0.028
    return hair_cover(azimuths(), heights() + fray, looks.style, 0.085).astype(np.float32)


def _strands(rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Brightness of the hair along its strands."""
    strands = (
        0.16 * value_noise(rng, 3, 14)
        + 0.14 * value_noise(rng, 7, 10)
        + 0.1 * value_noise(rng, 40, 2)
    )
    return np.clip(1 + 1.2 * strands, 0.3, 2.2).astype(np.float32)
