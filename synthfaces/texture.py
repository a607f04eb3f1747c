"""Paint on the chart: skin, blemishes, beard, brows, hair; creases and pores shared by all."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from synthfaces.appearance import Appearance
from synthfaces.brows import brow_cover
from synthfaces.chart import Image, value_noise
from synthfaces.complexion import beard_cover, complexion, features, freckles, moles
from synthfaces.design import Person
from synthfaces.front import FrontView, Path
from synthfaces.hair_paint import is_for_ribbons, paint_cover, paint_strands, shade_below
from synthfaces.maths import Array, mix
from synthfaces.mesh import HeadMesh
from synthfaces.scalp import Scalp

_PORES_SEED = 5
_BEARD_SHADOW = np.array([0.42, 0.44, 0.47], np.float32)

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
"""Forehead, glabella, nasolabial folds, crow's feet, wrinkles of the nose.

They are the channels of `Painter.creases`.
"""


@dataclass(frozen=True)
class Coat:
    """What a subject is painted with, before the hair is laid over the skin.

    Attributes:
        skin: (h, w, 3) linear RGB over the chart, with brows and beard.
        hair: (h, w, 3) the hair's.
        cover: (h, w) its opacity.
        shade: (h, w) share of the light that it keeps from the skin.
    """

    skin: Array
    hair: Array
    cover: Float32[np.ndarray, "h w"]
    shade: Float32[np.ndarray, "h w"]


def lay(skin: Coat, hair: Coat) -> Image:
    """The colours of one coat's skin under another's hair; the fourth channel is its cover."""
    strip = is_for_ribbons()
    cover = hair.cover * (1 - strip)
    shaded = skin.skin * (1 - hair.shade[..., None])
    colour = mix(shaded, hair.hair, np.maximum(cover, strip))
    return np.dstack([np.clip(colour, 0.002, 1), cover]).astype(np.float32)


@dataclass(frozen=True)
class Painter:
    """Paints heads over the chart."""

    mesh: HeadMesh

    @cached_property
    def view(self) -> FrontView:
        """The undeformed head from the front, where places of the face are given."""
        return FrontView(self.mesh)

    @cached_property
    def scalp(self) -> Scalp:
        """The head as hair meets it."""
        return Scalp(self.mesh)

    @cached_property
    def creases(self) -> Image:
        """Depth of the creases, 0..1, one channel per group of `_CREASES`."""
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
        """Slopes (around, up) of the skin's grain, standard deviation one."""
        rng = np.random.default_rng(_PORES_SEED)
        grain = sum(
            weight * value_noise(rng, cell) for weight, cell in ((0.5, 3), (0.6, 6), (0.5, 14))
        )
        slopes = np.stack([np.gradient(grain, axis=1), -np.gradient(grain, axis=0)], axis=-1)
        return np.asarray(slopes / slopes.std(), dtype=np.float32)

    @cached_property
    def features(self) -> Image:
        """Factors on the colour of every skin, by folds and nostrils."""
        return features(self.view)

    def coat(self, person: Person, looks: Appearance, rng: np.random.Generator) -> Coat:
        """A subject's skin and hair."""
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
