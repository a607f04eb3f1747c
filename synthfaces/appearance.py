"""Colours and hair styles of subjects."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float32

from synthfaces.maths import Array, Rng, smoothstep, to_linear
from synthfaces.people import Person


class Cut(IntEnum):
    """The cut of the hair."""

    BUZZED = 0
    CROPPED = 1
    PARTED = 2
    FRINGE = 3
    SWEPT = 4
    TIED = 5
    BOB = 6
    LONG = 7
    CURLY = 8


FALLING = (Cut.BOB, Cut.LONG)
"""Cuts whose hair falls from the head, over the ears unless it is tucked behind them."""

# probability of each cut, by sex; each occurs in both
_CHANCES = {
    True: (0.11, 0.18, 0.17, 0.12, 0.14, 0.07, 0.06, 0.07, 0.08),
    False: (0.04, 0.09, 0.09, 0.10, 0.09, 0.18, 0.14, 0.16, 0.11),
}
_WAVES = {Cut.CURLY: (0.6, 1.0), Cut.BOB: (0.0, 0.35), Cut.LONG: (0.0, 0.7)}

# the hairline, height over azimuth, and how far each trait moves it there
_AZIMUTH = (0, 8, 18, 27, 34, 39, 43, 46, 48.5, 51, 54, 59, 66, 80, 92, 105, 120, 140, 180)
_HEIGHT = np.array(
    [
        *(8.03, 8.04, 8.05, 8.03, 7.97, 7.88, 7.74, 7.58, 7.40),
        *(7.24, 7.08, 7.02, 7.1, 7.1, 6.98, 6.78, 6.70, 6.66, 6.62),
    ]
)
_BY_HAIRLINE = np.array([1, 1, 1, 1, 0.9, 0.7, 0.45, 0.2, *[0] * 11])
_BY_RECESSION = np.array([0, 0.1, 0.6, 1, 0.95, 0.6, 0.3, 0.1, *[0] * 11])
_BY_PEAK = np.array([-1, -0.4, *[0] * 17])
_RADIUS, _NEXT = 0.85, np.radians(3)
_BY_SIDEBURN = np.array([*[0] * 8, -0.1, -0.4, -1, -1, -0.3, *[0] * 6])


@dataclass(frozen=True)
class HairStyle:
    """The style of a subject's hair, and where it grows."""

    cut: Cut
    hairline: float  # rise of the hairline, dm
    recession: float  # its recession at the temples, dm
    peak: float  # its reach down in the middle of the forehead, dm
    sideburn: float  # its reach down before the ears, dm
    length: float  # length among hair of this cut, 0..1
    volume: float  # height of the hair above the scalp, dm
    parting: float  # place of the parting, to the subject's left of the middle, dm
    wave: float  # strength of curls, 0..1
    tucked: bool  # true if it is kept behind the ears


def draw_style(person: Person, rng: Rng) -> HairStyle:
    """Draw a subject's hair style; the number of draws is the same for all."""
    cut = Cut(int(rng.choice(len(Cut), p=_CHANCES[person.is_male])))
    raised, receding, peaked = rng.normal(0, (0.045, 0.05, 0.02))
    sideburn, length, volume, wave, tuck = rng.random(5)
    side = rng.choice((-1, 1))
    grown_man = person.is_male and not person.is_child
    low, high = _WAVES.get(cut, (0.0, 0.15))
    return HairStyle(
        cut=cut,
        hairline=float(raised + 0.06 * (cut == Cut.BUZZED) * grown_man),
        recession=float(abs(receding) * (1.6 if grown_man else 0.4)),
        peak=float(abs(peaked)),
        sideburn=float(sideburn * 0.16 - (0.14 if grown_man else 0.28)),
        length=float(length),
        volume=float(0.6 + 0.8 * volume),
        parting=float(side * (0.04 + 0.34 * wave if cut in FALLING else 0.24 + 0.14 * wave)),
        wave=float(low + (high - low) * rng.random()),
        tucked=bool(cut in FALLING and tuck < 0.3),
    )


def hair_cover(azimuth: Array, height: Array, style: HairStyle, softness: float) -> Array:
    """Return the share of each place of the template that hair covers, 0..1."""
    return smoothstep(-softness, softness, within_hairline(azimuth, height, style))


def within_hairline(azimuth: Array, height: Array, style: HairStyle) -> Array:
    """Return the distance of places inside the hairline, dm; it is negative outside."""
    rise = hairline(azimuth + _NEXT, style) - hairline(azimuth - _NEXT, style)
    slope = rise / np.float32(2 * _NEXT * _RADIUS)
    return np.asarray((height - hairline(azimuth, style)) / np.sqrt(1 + slope * slope))


def in_sideburns(azimuth: Array, height: Array) -> Array:
    """Return the degree to which places of the template belong to the sideburns, 0..1."""
    degrees = np.degrees(np.abs(azimuth))
    around = smoothstep(45, 51, degrees) * smoothstep(72, 66, degrees)
    return np.asarray(around * smoothstep(7.6, 7.35, height))


def hairline(azimuth: Array, style: HairStyle) -> Float32[np.ndarray, "..."]:
    """Return the height of the hairline, dm, at these azimuths, radians."""
    line = (
        _HEIGHT
        + style.hairline * _BY_HAIRLINE
        + style.recession * _BY_RECESSION
        + style.peak * _BY_PEAK
        + style.sideburn * _BY_SIDEBURN
    )
    return np.interp(np.degrees(np.abs(azimuth)), _AZIMUTH, line).astype(np.float32)


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

# probability of each colour of the palettes, by whether a person is Moroccan
_HAIR_CHANCES = {
    False: (0.06, 0.20, 0.25, 0.20, 0.15, 0.09, 0.05),
    True: (0.75, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0),
}
_IRIS_CHANCES = {False: (0.15, 0.10, 0.30, 0.20, 0.13, 0.12), True: (0.5, 0.5, 0.0, 0.0, 0.0, 0.0)}


@dataclass(frozen=True)
class Appearance:
    """The looks of a subject; colours are linear RGB."""

    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    style: HairStyle
    beard: float  # opacity of the beard's shadow, 0..1
    lashes: float  # opacity of the lashes, about 1


def draw_appearance(person: Person, rng: Rng) -> Appearance:
    """Draw a subject's looks, by group and sex."""
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


def _skin(person: Person, rng: Rng) -> Array:
    """Draw the colour of the skin, in sRGB."""
    if person.is_moroccan:
        return np.array([0.70, 0.555, 0.47]) + rng.normal(0, 0.04) + rng.normal(0, 0.008, 3)
    return np.array([0.83, 0.695, 0.625]) + rng.normal(0, 0.025) + rng.normal(0, 0.008, 3)


def _lips(person: Person, skin: Array, rng: Rng) -> Array:
    """Draw the colour of the lips, a redder skin, in sRGB."""
    tint, spread = ((0.86, 0.70, 0.72), 0.015) if person.is_male else ((0.86, 0.64, 0.68), 0.02)
    return np.clip(skin * tint + rng.normal(0, spread, 3), 0, 1)


def _pick(palette: Array, chances: tuple[float, ...], rng: Rng) -> Colour:
    return to_linear(palette[rng.choice(len(palette), p=chances)] * rng.uniform(0.85, 1.15))


def _beard(person: Person, rng: Rng) -> float:
    density = 0.55 * rng.random() ** 1.5
    return density if person.is_male and not person.is_child else 0.0


@dataclass(frozen=True)
class Haircut:
    """The measures of a cut."""

    count: int  # number of strands
    points: int  # points of each
    top: tuple[float, float]  # lengths, dm, shortest and longest
    side: tuple[float, float]
    front: tuple[float, float]
    lift: float  # height of the outermost layer above the scalp, dm
    rise: float  # degree to which strands stand up at the root, 0..1
    hug: float  # firmness with which they keep to the scalp, 0..1
    weight: float  # speed with which gravity takes over, 0..1
    width: float = 0.02  # width of a ribbon, dm


HAIRCUTS = {
    Cut.CROPPED: Haircut(
        2600, 4, (0.15, 0.34), (0.07, 0.13), (0.15, 0.32), 0.12, 0.75, 0.3, 0.0, 0.02
    ),
    Cut.PARTED: Haircut(1800, 7, (0.5, 0.9), (0.10, 0.22), (0.5, 0.9), 0.15, 0.45, 0.9, 0.05),
    Cut.FRINGE: Haircut(1800, 7, (0.5, 0.9), (0.2, 0.4), (0.5, 0.9), 0.12, 0.35, 0.9, 0.1, 0.024),
    Cut.SWEPT: Haircut(1800, 8, (0.5, 0.9), (0.12, 0.3), (0.5, 0.9), 0.17, 0.7, 0.85, 0.03),
    Cut.TIED: Haircut(1600, 12, (2.6, 2.6), (2.6, 2.6), (2.6, 2.6), 0.05, 0.1, 1.0, 0.0),
    Cut.BOB: Haircut(2600, 12, (2.4, 2.8), (2.4, 2.8), (2.4, 2.8), 0.13, 0.35, 0.9, 0.25, 0.028),
    Cut.LONG: Haircut(2900, 15, (3.4, 3.8), (3.4, 3.8), (3.4, 3.8), 0.12, 0.3, 0.9, 0.3, 0.028),
    Cut.CURLY: Haircut(1400, 22, (0.6, 1.1), (0.4, 0.8), (0.5, 0.9), 0.36, 0.8, 0.5, 0.12, 0.03),
}
