"""One shot, described by what causes it: who does what, seen from where, in which light."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from synthfaces.camera import Nuisance, draw_nuisance
from synthfaces.design import check_shot, person
from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.expressions import Expression, Temperament, draw_expression, draw_temperament
from synthfaces.head import UPRIGHT, Head, draw_head
from synthfaces.lighting import STUDIO, Light, draw_light
from synthfaces.parameters import ACTIONS, Real, check_range, check_subject
from synthfaces.streams import stream
from tinyvgg.errors import UserError

FACE_UNITS = tuple(sorted(action for action in ACTIONS if "-" not in action))
"""The actions that a temperament has a gain for, in the order of their draws."""

COLUMNS = ("subject", "emotion", "gaze", "angle")
"""Of a table whose rows are shots."""


@dataclass(frozen=True)
class FaceSpec:
    """All that one picture of a synthetic face is made of but its size; it cannot be changed.

    No draw is left to be made: two descriptions that differ in one cause differ in nothing else.

    Attributes:
        subject: RaFD's number of who is shown.
        expression: weights of the actions, and where the eyes look.
        angle: of the camera, degrees from 0 to 180; 90 is frontal, 0 the subject's right profile.
        nuisance: shift, scale and roll of the camera, exposure and noise.
        light: of the studio.
        head: how it is held, before all cameras alike.
        shape: number of the subject whose head's shape is taken in place of the subject's own.
        skin: the same for skin, lips, irises, brows, lashes and beard.
        hair: the same for the hair, its style and its colour.
        seed: of the set that the subjects belong to.
        difficulty: of that set, by which its other shots are drawn.

    Raises:
        UserError: an unknown subject or action, or a weight, gaze or angle out of range.
    """

    subject: int
    expression: Expression = field(default_factory=Expression)
    angle: Real = 90
    nuisance: Nuisance = field(default_factory=Nuisance)
    light: Light = STUDIO
    head: Head = UPRIGHT
    shape: int | None = None
    skin: int | None = None
    hair: int | None = None
    seed: int = 0
    difficulty: Difficulty = USUAL

    def __post_init__(self) -> None:
        for number in self.donors:
            check_subject(number)
        self.expression.check()
        check_range("angle", self.angle, 0, 180)

    @property
    def donors(self) -> tuple[int, int, int]:
        """Who gives shape, skin and hair."""
        given = (self.shape, self.skin, self.hair)
        shape, skin, hair = (self.subject if number is None else number for number in given)
        return shape, skin, hair


def temperament(subject: int, seed: int, difficulty: Difficulty = USUAL) -> Temperament:
    """How a subject's face acts."""
    return draw_temperament(stream(seed, subject, "temperament"), FACE_UNITS, difficulty)


def face_spec(
    subject: int,
    emotion: str,
    gaze: str = "frontal",
    angle: int = 90,
    seed: int = 0,
    difficulty: Difficulty = USUAL,
) -> FaceSpec:
    """The description of one image of the design, which renders to that image.

    Args:
        subject: RaFD's number.
        emotion: one of the eight.
        gaze: ``left`` (the subject's), ``frontal`` or ``right``.
        angle: degrees; 90 is frontal, 0 the subject's right profile, 180 the left one.
        seed: of the whole set.
        difficulty: of the whole set.

    Raises:
        UserError: an unknown subject, emotion, gaze or angle.
    """
    person(subject)
    check_shot(emotion, gaze, [angle])
    rng = stream(seed, subject, emotion, gaze, "expression")
    acts = temperament(subject, seed, difficulty)
    return FaceSpec(
        subject=subject,
        expression=draw_expression(emotion, gaze, acts, rng, difficulty),
        angle=angle,
        nuisance=draw_nuisance(seed, subject, emotion, gaze, angle, difficulty),
        light=draw_light(seed, subject, emotion, gaze, difficulty),
        head=draw_head(seed, subject, emotion, gaze, difficulty),
        seed=seed,
        difficulty=difficulty,
    )


def face_specs(
    table: pd.DataFrame, seed: int = 0, difficulty: Difficulty = USUAL
) -> Iterator[FaceSpec]:
    """The description of each row of a table, in its order.

    Args:
        table: columns subject, emotion, gaze and angle, as `design` makes them.
        seed: of the whole set.
        difficulty: of the whole set.

    Raises:
        UserError: a column is missing; an unknown subject, emotion, gaze or angle.
    """
    shots = zip(*shot_columns(table), strict=True)
    return (
        face_spec(who, emotion, gaze, angle, seed, difficulty)
        for who, emotion, gaze, angle in shots
    )


def shot_columns(table: pd.DataFrame) -> list[list[Any]]:
    """Subjects, emotions, gazes and angles of a table.

    Raises:
        UserError: a column is missing.
    """
    lacking = set(COLUMNS) - set(table.columns)
    if lacking:
        raise UserError(f"the table lacks column {sorted(lacking)[0]!r}; take it from design()")
    return [table[name].tolist() for name in COLUMNS]
