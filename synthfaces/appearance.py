"""Colours and hair style of a subject."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from synthfaces.design import Person
from synthfaces.hair_styles import HairStyle, draw_style
from synthfaces.maths import Array, to_linear

Colour = Float32[np.ndarray, "3"]

# black, dark brown, brown, light brown, dark blond, blond, auburn; sRGB
_HAIR = np.array(
    [
        (0.085, 0.075, 0.07),
        (0.185, 0.14, 0.11),
        (0.295, 0.21, 0.15),
        (0.41, 0.305, 0.215),
        (0.53, 0.42, 0.29),
        (0.68, 0.57, 0.41),
        (0.33, 0.19, 0.13),
    ]
)
_IRIS = np.array(
    [
        (0.42, 0.26, 0.15),
        (0.33, 0.20, 0.12),
        (0.38, 0.47, 0.54),
        (0.42, 0.48, 0.49),
        (0.39, 0.41, 0.29),
        (0.42, 0.33, 0.20),
    ]
)

# how often each colour of the palettes occurs, by whether a person is Moroccan
_HAIR_CHANCES = {
    False: (0.06, 0.20, 0.25, 0.20, 0.15, 0.09, 0.05),
    True: (0.75, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0),
}
_IRIS_CHANCES = {
    False: (0.15, 0.10, 0.30, 0.20, 0.13, 0.12),
    True: (0.5, 0.5, 0.0, 0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Appearance:
    """Colours are linear RGB.

    Attributes:
        skin, lips, hair, iris: colours.
        style: of the hair.
        beard: opacity of the beard's shadow, 0..1.
        lashes: opacity of the lashes, about 1.
    """

    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    style: HairStyle
    beard: float
    lashes: float


def draw_appearance(person: Person, rng: np.random.Generator) -> Appearance:
    """A subject's looks, by group and sex."""
    skin = _skin(person, rng)
    return Appearance(
        skin=to_linear(skin),
        lips=to_linear(_lips(person, skin, rng)),
        hair=_pick(_HAIR, _HAIR_CHANCES[person.is_moroccan], rng),
        iris=_pick(_IRIS, _IRIS_CHANCES[person.is_moroccan], rng),
        style=draw_style(person, rng),
        beard=_beard(person, rng),
        lashes=rng.uniform(0.7, 1.0) if person.is_male else rng.uniform(0.9, 1.1),
    )


def _skin(person: Person, rng: np.random.Generator) -> Array:
    """SRGB."""
    if person.is_moroccan:
        return np.array([0.70, 0.555, 0.47]) + rng.normal(0, 0.04) + rng.normal(0, 0.008, 3)
    return np.array([0.83, 0.695, 0.625]) + rng.normal(0, 0.025) + rng.normal(0, 0.008, 3)


def _lips(person: Person, skin: Array, rng: np.random.Generator) -> Array:
    """SRGB, a redder skin."""
    tint, spread = ((0.86, 0.70, 0.72), 0.015) if person.is_male else ((0.86, 0.64, 0.68), 0.02)
    return np.clip(skin * tint + rng.normal(0, spread, 3), 0, 1)


def _pick(palette: Array, chances: tuple[float, ...], rng: np.random.Generator) -> Colour:
    return to_linear(palette[rng.choice(len(palette), p=chances)] * rng.uniform(0.85, 1.15))


def _beard(person: Person, rng: np.random.Generator) -> float:
    density = 0.55 * rng.random() ** 1.5
    return density if person.is_male and not person.is_child else 0.0
