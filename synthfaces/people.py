"""The people of the set, the factorial design of their shots, and the shapes of their heads."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from synthfaces.maths import Rng
from synthfaces.parameters import (
    ANGLES,
    EMOTIONS,
    GAZES,
    SUBJECTS,
    FaceError,
    check_one_of,
    check_subject,
)

_COLUMNS = ["subject", "emotion", "gaze", "angle", "sex", "group", "path", "source"]
_COHORTS = (
    ("Caucasian", "female", 19),
    ("Caucasian", "male", 20),
    ("Moroccan", "male", 18),
    ("Kid", "female", 6),
    ("Kid", "male", 4),
)


RAFD_LEVELS: Mapping[str, tuple[int | str, ...]] = {
    "subject": SUBJECTS,
    "emotion": EMOTIONS,
    "gaze": GAZES,
    "angle": ANGLES,
    "group": ("Caucasian", "Moroccan", "Kid"),
    "sex": ("female", "male"),
}
"""What the names of RaFD's files may give."""
_NAME = re.compile(
    r"Rafd(?P<angle>\d+)_(?P<subject>\d+)_(?P<group>[^_]+)_(?P<sex>[^_]+)_(?P<emotion>[^_]+)"
    r"_(?P<gaze>[^_.]+)\.(?:jpg|JPG|jpeg|JPEG)",
    re.ASCII,
)
_WIDTHS = {"angle": 3, "subject": 2}


@dataclass(frozen=True)
class Person:
    """One subject: number, group (Caucasian, Moroccan, Kid) and sex (female, male)."""

    number: int
    group: str
    sex: str

    @property
    def is_male(self) -> bool:
        """True if the subject is a man or a boy."""
        return self.sex == "male"

    @property
    def is_child(self) -> bool:
        """True if the subject is a child."""
        return self.group == "Kid"

    @property
    def is_moroccan(self) -> bool:
        """True if the subject is of the Moroccan group."""
        return self.group == "Moroccan"


@cache
def _people() -> dict[int, Person]:
    """Spread the cohorts evenly over the numbers, so that the first few hold some of each."""
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
    """Return the subject of this number."""
    check_subject(number)
    return _people()[number]


def check_shot(emotion: str, gaze: str, angles: Iterable[int]) -> None:
    """Raise an error for an emotion, a gaze or an angle that the design does not have."""
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
    """Return the table of the set: one row per image, for each subject emotions x gazes x angles.

    Args:
        subjects: number of subjects, 67 at most; the first few are spread over the groups.
        angles: camera angles in degrees; 90 is frontal, 0 the subject's right profile and 180 the
            left one.
        emotions: all eight by default.
        gazes: ``left`` (the subject's), ``frontal`` and ``right`` by default.

    Returns:
        columns subject, emotion, gaze, angle, sex, group, path (named as RaFD names its files) and
        source, sorted by the first four.

    Raises:
        FaceError: a number of subjects that is not 1 to 67; an unknown emotion, gaze or angle.
    """
    if not 1 <= subjects <= len(SUBJECTS):
        raise FaceError(f"subjects {subjects!r} is not a number from 1 to {len(SUBJECTS)}")
    for emotion, gaze in product(emotions, gazes):
        check_shot(emotion, gaze, angles)
    cells = product(
        SUBJECTS[:subjects], sorted(set(emotions)), sorted(set(gazes)), sorted(set(angles))
    )
    rows = []
    for number, emotion, gaze, angle in cells:
        who = person(number)
        path = f"Rafd{angle:03d}_{number:02d}_{who.group}_{who.sex}_{emotion}_{gaze}.jpg"
        rows.append((number, emotion, gaze, angle, who.sex, who.group, path, "synthetic"))
    return pd.DataFrame(rows, columns=_COLUMNS)


_SPREADS: tuple[tuple[str, tuple[str, ...], float, bool], ...] = (
    ("has", ("nubian", "double", "cleft"), 0.12, False),
    ("starts", ("head-",), 0.15, False),
    ("has", ("epicanthus", "eyefold", "eye-height", "eye-scale"), 0.15, False),
    ("starts", ("eyebrows",), 0.07, True),
    ("starts", ("mouth",), 0.14, True),
    ("starts", ("nose",), 0.15, True),
    ("has", ("ear-",), 0.13, True),
    ("starts", ("neck",), 0.05, True),
    ("has", ("trans-out",), 0.05, True),
)
"""Part of a trait's name, its deviation, True if less in children; the first match counts."""

_DEFAULT_SPREAD = 0.17
_CHILD_FACTOR = 0.65
_ASYMMETRY = 0.03
_LIMIT = 0.6
_TENDENCIES = {
    "eye-scale-incr": 0.18,
    "eye-height2-incr": 0.4,
    "mouth-angles-up": 0.3,
    "head-fat-incr": -0.15,
    "head-scale-horiz-incr": -0.12,
    "chin-width-incr": -0.12,
}
"""Means of traits by the end of their name: the base mesh has small eyes and a heavy jaw."""
_WRINKLES = "head-age-incr"


def draw_shape(person: Person, opposites: Mapping[str, str], rng: Rng) -> dict[str, float]:
    """Draw the weights of all targets that make a subject's resting head."""
    weights = _macro_weights(person, rng)
    for trait in sorted(opposites):
        if trait.startswith("r-") or trait == _WRINKLES:
            continue
        value = float(np.clip(rng.normal(0, _spread(trait, person.is_child)), -_LIMIT, _LIMIT))
        value += _tendency(trait)
        weights |= _signed(trait, opposites, value)
        if trait.startswith("l-"):
            weights |= _signed("r" + trait[1:], opposites, value + rng.normal(0, _ASYMMETRY))
    wrinkles = abs(float(rng.normal(0, 0.12)))
    return weights | {_WRINKLES: 0.0 if person.is_child else wrinkles}


def _tendency(trait: str) -> float:
    means = (mean for ending, mean in _TENDENCIES.items() if trait.endswith(ending))
    return sum(means, start=0.0)


def _spread(trait: str, child: bool) -> float:
    for how, fragments, spread, less_in_children in _SPREADS:
        test = trait.startswith if how == "starts" else trait.__contains__
        if any(test(fragment) for fragment in fragments):
            return spread * (_CHILD_FACTOR if child and less_in_children else 1.0)
    return _DEFAULT_SPREAD * (_CHILD_FACTOR if child else 1.0)


def _signed(trait: str, opposites: Mapping[str, str], value: float) -> dict[str, float]:
    """Return a signed trait as the positive weight of one of its two targets."""
    return {trait if value > 0 else opposites[trait]: abs(float(value))}


def _macro_weights(person: Person, rng: Rng) -> dict[str, float]:
    """Draw weights of MakeHuman's targets for sex x age x build and sex x age x ancestry."""
    male = float(np.clip(rng.normal(0.93 if person.is_male else 0.06, 0.05), 0, 1))
    age = rng.uniform(0.25, 0.42) if person.is_child else rng.uniform(0.64, 0.82)
    weight = float(np.clip(rng.normal(0.5, 0.17), 0.1, 0.95))
    muscle = float(np.clip(rng.normal(0.55, 0.12), 0, 1))
    ancestry = _ancestry(person, rng)
    ages = _between(age, {"child": 1 / 3, "young": 2 / 3, "old": 1.0})
    builds = product(
        _between(muscle, {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0}).items(),
        _between(weight, {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0}).items(),
    )
    build = {f"{m}-{w}": share * part for (m, share), (w, part) in builds}
    weights: dict[str, float] = {}
    for (sex, part), (era, share) in product(
        {"male": male, "female": 1 - male}.items(), ages.items()
    ):
        weights |= {f"{name}-{sex}-{era}": x * part * share for name, x in ancestry.items()}
        weights |= {f"universal-{sex}-{era}-{name}": x * part * share for name, x in build.items()}
    return weights


def _ancestry(person: Person, rng: Rng) -> dict[str, float]:
    if person.is_moroccan:
        ranges = {"caucasian": (0.55, 0.8), "african": (0.2, 0.4), "asian": (0.0, 0.1)}
    else:
        ranges = {"caucasian": (0.85, 1.0), "african": (0.0, 0.06), "asian": (0.0, 0.1)}
    shares = {name: rng.uniform(*bounds) for name, bounds in ranges.items()}
    return {name: share / sum(shares.values()) for name, share in shares.items()}


def _between(value: float, anchors: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of the two anchors around a value, or of the last one outside."""
    names, places = list(anchors), np.array(list(anchors.values()))
    value = float(np.clip(value, places[0], places[-1]))
    left = min(int(np.searchsorted(places, value, side="right")) - 1, len(places) - 2)
    share = float((value - places[left]) / (places[left + 1] - places[left]))
    return {names[left]: 1 - share, names[left + 1]: share}


def read_rafd_name(name: str) -> dict[str, int | str]:
    """Return what the name of a file of RaFD gives: subject, emotion, gaze, angle, group and sex.

    Raises:
        FaceError: another name; it says what is wrong with it, as a predicate.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise FaceError("is not named as the database names its images")
    facts: dict[str, int | str] = {}
    for part, text in found.groupdict().items():
        facts[part] = int(text) if part in _WIDTHS else text
        if facts[part] not in RAFD_LEVELS[part] or len(text) != _WIDTHS.get(part, len(text)):
            raise FaceError(f"has {part} {text!r}, which the database does not have")
    return facts
