"""Errors that fall on groups of images, beside errors that fall on images at random (M1, M2)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tinyvgg import paper
from tinyvgg.metrics import LEVEL, Interval

CLAIMS = {"subject": "m1", "emotion": "m2"}
DRAWS = 4000


class Chance(NamedTuple):
    """Errors that fall on groups of images, beside errors that fall on images at random.

    Attributes:
        p_value: how often as many random errors are spread as unevenly (chi-squared statistic).
        involved: groups with an error.
        involved_by_chance: where that lies for random errors, 95 %.
        largest: errors of the group with most.
        largest_by_chance: where that lies for random errors, 95 %.
    """

    p_value: float
    involved: int
    involved_by_chance: Interval
    largest: int
    largest_by_chance: Interval


def chance(errors: Int[np.ndarray, "g"], images: Int[np.ndarray, "g"], seed: int = 0) -> Chance:
    """Compare errors by group with the same number of errors on images drawn at random."""
    total = int(errors.sum())
    generator = np.random.default_rng(seed)
    draws = generator.multivariate_hypergeometric(images, total, size=DRAWS, method="marginals")
    unevenness = _unevenness(draws, images)
    observed = _unevenness(errors[None], images)[0]
    p_value = (1 + int((unevenness >= observed - 1e-9).sum())) / (1 + DRAWS)
    return Chance(
        p_value,
        int((errors > 0).sum()),
        _middle((draws > 0).sum(1)),
        int(errors.max()),
        _middle(draws.max(1)),
    )


def _unevenness(
    errors: Int[np.ndarray, "d g"], images: Int[np.ndarray, "g"]
) -> Float[np.ndarray, "d"]:
    """The chi-squared statistic, up to a factor that all draws share."""
    expected = errors.sum(1, keepdims=True) * images / images.sum()
    squares = np.where(expected > 0, (errors - expected) ** 2 / np.maximum(expected, 1e-12), 0.0)
    statistic: Float[np.ndarray, "d"] = squares.sum(1)
    return statistic


def _middle(values: Int[np.ndarray, "d"]) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def papers_angles(task: str) -> Chance | None:
    """`chance` for the paper's errors by angle; its test images are as many at each angle."""
    if task not in CLAIMS:
        return None
    key = f"{CLAIMS[task]}.{task}"
    errors = [int(paper.number(f"{key}.errors_{angle}")) for angle in (45, 90, 135)]
    return chance(np.array(errors), _evenly(int(paper.number(f"t2.{task}.test_size")), len(errors)))


def papers_subjects(task: str) -> Chance | None:
    """What chance makes of the paper's number of errors among its subjects.

    Only the number of subjects with an error is printed (and the worst one's, for identity), so
    p value and largest count of the result are those of no particular arrangement: nan and 0.
    """
    if task not in CLAIMS:
        return None
    key = f"{CLAIMS[task]}.{task}"
    images = _evenly(
        int(paper.number(f"t2.{task}.test_size")), int(paper.number("d1.both.subjects"))
    )
    errors = np.zeros_like(images)
    errors[0] = int(paper.number(f"{key}.errors"))
    random = chance(errors, images)
    worst = paper.load().numbers.get(f"{key}.worst_subject_errors")
    return random._replace(
        p_value=float("nan"),
        involved=int(paper.number(f"{key}.subjects_involved")),
        largest=int(worst.value) if worst and isinstance(worst.value, int) else 0,
    )


def _evenly(images: int, groups: int) -> Int[np.ndarray, "g"]:
    return np.diff(np.arange(groups + 1) * images // groups)
