"""The shape of a head: how sex, age, build and ancestry mix, and local traits on top."""

from collections.abc import Mapping
from itertools import product

import numpy as np

from synthfaces.design import Person

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
"""How local traits vary: what their name starts with or has, standard deviation, less in children.

The first match counts.
"""

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
"""Means of local traits that are not zero, by how their name ends.

The base mesh has small eyes and a heavy jaw.
"""
_WRINKLES = "head-age-incr"


def draw_shape(
    person: Person, opposites: Mapping[str, str], rng: np.random.Generator
) -> dict[str, float]:
    """The weights of all targets that make a subject's resting head.

    Args:
        person: for group and sex.
        opposites: the two-way local traits, positive target to negative one.
        rng: the subject's stream.
    """
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
    """A signed trait as the positive weight of one of its two targets."""
    return {trait if value > 0 else opposites[trait]: abs(float(value))}


def _macro_weights(person: Person, rng: np.random.Generator) -> dict[str, float]:
    """Weights of MakeHuman's targets for sex x age x build, and for sex x age x ancestry."""
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


def _ancestry(person: Person, rng: np.random.Generator) -> dict[str, float]:
    if person.is_moroccan:
        ranges = {"caucasian": (0.55, 0.8), "african": (0.2, 0.4), "asian": (0.0, 0.1)}
    else:
        ranges = {"caucasian": (0.85, 1.0), "african": (0.0, 0.06), "asian": (0.0, 0.1)}
    shares = {name: rng.uniform(*bounds) for name, bounds in ranges.items()}
    return {name: share / sum(shares.values()) for name, share in shares.items()}


def _between(value: float, anchors: Mapping[str, float]) -> dict[str, float]:
    """Linear interpolation: the shares of the two anchors around a value; outside, of the last."""
    names, places = list(anchors), np.array(list(anchors.values()))
    value = float(np.clip(value, places[0], places[-1]))
    left = min(int(np.searchsorted(places, value, side="right")) - 1, len(places) - 2)
    share = float((value - places[left]) / (places[left + 1] - places[left]))
    return {names[left]: 1 - share, names[left + 1]: share}
