"""Who is shown how: the factorial design of RaFD, with people that do not exist."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import pandas as pd

from synthfaces.parameters import ANGLES, EMOTIONS, GAZES, SUBJECTS, check_one_of, check_subject
from tinyvgg.errors import UserError

_COHORTS = (
    ("Caucasian", "female", 19),
    ("Caucasian", "male", 20),
    ("Moroccan", "male", 18),
    ("Kid", "female", 6),
    ("Kid", "male", 4),
)


@dataclass(frozen=True)
class Person:
    """One subject: number, group (Caucasian, Moroccan, Kid) and sex (female, male)."""

    number: int
    group: str
    sex: str

    @property
    def is_male(self) -> bool:
        """Whether the subject is a man or a boy."""
        return self.sex == "male"

    @property
    def is_child(self) -> bool:
        """Whether the subject is a child."""
        return self.group == "Kid"

    @property
    def is_moroccan(self) -> bool:
        """Whether the subject is of the Moroccan group."""
        return self.group == "Moroccan"


@cache
def _people() -> dict[int, Person]:
    """Cohorts dealt out evenly over the numbers, so that the first few hold some of each."""
    places = [
        (member / count, cohort, group, sex)
        for cohort, (group, sex, count) in enumerate(_COHORTS)
        for member in range(count)
    ]
    return {
        number: Person(number, group, sex)
        for number, (_, _, group, sex) in zip(SUBJECTS, sorted(places), strict=True)
    }


def person(number: int) -> Person:
    """The subject of this number.

    Raises:
        UserError: a number that RaFD does not use.
    """
    check_subject(number)
    return _people()[number]


def check_shot(emotion: str, gaze: str, angles: Iterable[int]) -> None:
    """Refuse what the design does not have.

    Raises:
        UserError: an unknown emotion, gaze or angle.
    """
    check_one_of("emotion", emotion, EMOTIONS)
    check_one_of("gaze", gaze, GAZES)
    for angle in angles:
        check_one_of("angle", angle, ANGLES)


def design(
    subjects: int = len(SUBJECTS),
    angles: Sequence[int] = (45, 90, 135),
    emotions: Sequence[str] = EMOTIONS,
    gazes: Sequence[str] = GAZES,
) -> pd.DataFrame:
    """The table of the set: one row per image, of each subject emotions x gazes x angles.

    Args:
        subjects: how many of the 67; fewer are the first ones, which are spread over the groups.
        angles: camera angles in degrees; 90 is frontal, 0 the subject's right profile and 180 the
            left one.
        emotions: all eight by default.
        gazes: ``left`` (the subject's), ``frontal`` and ``right`` by default.

    Returns:
        columns subject, emotion, gaze, angle, sex, group, path (named as RaFD names its files) and
        source, sorted by the first four.

    Raises:
        UserError: a number of subjects that is not 1 to 67; an unknown emotion, gaze or angle.
    """
    if not 1 <= subjects <= len(SUBJECTS):
        raise UserError(f"subjects {subjects!r} is not a number from 1 to {len(SUBJECTS)}")
    for emotion, gaze in product(emotions, gazes):
        check_shot(emotion, gaze, angles)
    people, views = SUBJECTS[:subjects], sorted(set(angles))
    cells = product(people, sorted(set(emotions)), sorted(set(gazes)), views)
    return pd.DataFrame(
        [_row(person(number), emotion, gaze, angle) for number, emotion, gaze, angle in cells]
    )


def _row(who: Person, emotion: str, gaze: str, angle: int) -> dict[str, object]:
    return {
        "subject": who.number,
        "emotion": emotion,
        "gaze": gaze,
        "angle": angle,
        "sex": who.sex,
        "group": who.group,
        "path": f"Rafd{angle:03d}_{who.number:02d}_{who.group}_{who.sex}_{emotion}_{gaze}.jpg",
        "source": "synthetic",
    }
