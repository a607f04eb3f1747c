"""How people wear their hair, and where it grows."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float32

from synthfaces.design import Person
from synthfaces.maths import Array, smoothstep


class Cut(IntEnum):
    """What is done with the hair."""

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

# how often each cut occurs, by sex; every one does in both
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
    """What a subject's hair does, and where it grows.

    Attributes:
        cut: what is done with it.
        hairline: by how much the hairline is raised, dm.
        recession: by how much it recedes at the temples, dm.
        peak: by how much it reaches down in the middle of the forehead, dm.
        sideburn: by how much it reaches down before the ears, dm.
        length: how long it is among hair of this cut, 0..1.
        volume: of the hair above the scalp, dm.
        parting: where it is parted, to the subject's left of the middle, dm.
        wave: how much it curls, 0..1.
        tucked: whether it is kept behind the ears.
    """

    cut: Cut
    hairline: float
    recession: float
    peak: float
    sideburn: float
    length: float
    volume: float
    parting: float
    wave: float
    tucked: bool


def draw_style(person: Person, rng: np.random.Generator) -> HairStyle:
    """A subject's hair style; the number of draws is the same for all."""
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
    """How much of a place of the template hair covers, 0..1.

    Args:
        azimuth: radians.
        height: dm, broadcast against azimuth.
        style: where hair grows.
        softness: half the width of the border, dm.
    """
    return smoothstep(-softness, softness, within_hairline(azimuth, height, style))


def within_hairline(azimuth: Array, height: Array, style: HairStyle) -> Array:
    """How far places of the template are inside the hairline, dm; below zero outside."""
    rise = hairline(azimuth + _NEXT, style) - hairline(azimuth - _NEXT, style)
    slope = rise / np.float32(2 * _NEXT * _RADIUS)
    return np.asarray((height - hairline(azimuth, style)) / np.sqrt(1 + slope * slope))


def in_sideburns(azimuth: Array, height: Array) -> Array:
    """How much places of the template belong to the hair before the ears, 0..1."""
    degrees = np.degrees(np.abs(azimuth))
    around = smoothstep(45, 51, degrees) * smoothstep(72, 66, degrees)
    return np.asarray(around * smoothstep(7.6, 7.35, height))


def hairline(azimuth: Array, style: HairStyle) -> Float32[np.ndarray, "..."]:
    """The height of the hairline, dm, at these azimuths, radians."""
    line = (
        _HEIGHT
        + style.hairline * _BY_HAIRLINE
        + style.recession * _BY_RECESSION
        + style.peak * _BY_PEAK
        + style.sideburn * _BY_SIDEBURN
    )
    return np.interp(np.degrees(np.abs(azimuth)), _AZIMUTH, line).astype(np.float32)
