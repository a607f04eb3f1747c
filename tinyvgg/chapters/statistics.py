"""Accuracy, confusion and the uncertainty of both."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.stats import binomtest, t

LEVEL = 0.95


class Interval(NamedTuple):
    """A confidence interval; `LEVEL` is its confidence where no other is asked for."""

    low: float
    high: float


def proportion_interval(successes: int | float, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a proportion; (0, 1) where there were no trials.

    Args:
        successes: how many trials succeeded. Where each trial is itself a mean of zeros and ones,
            their sum, which need not be whole: the interval is then rather too wide than too
            narrow, since such means vary less than zeros and ones.
        trials: how many there were.
        level: of confidence.
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    share, square = successes / trials, NormalDist().inv_cdf((1 + level) / 2) ** 2 / trials
    middle = (share + square / 2) / (1 + square)
    half = sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    low = middle - half if successes > 0 else 0.0
    return Interval(low, middle + half if successes < trials else 1.0)


def mean_interval(values: Float[np.ndarray, "n"], level: float = LEVEL) -> Interval:
    """Student's interval of the mean behind a few values; NaN for fewer than two."""
    if len(values) < 2:
        return Interval(float("nan"), float("nan"))
    error = values.std(ddof=1) / len(values) ** 0.5
    half = float(t.ppf((1 + level) / 2, len(values) - 1) * error)
    return Interval(float(values.mean()) - half, float(values.mean()) + half)


def difference_of_proportions(
    first: int, of_first: int, second: int, of_second: int, level: float = LEVEL
) -> Interval:
    """Newcombe's interval of the difference of two separate proportions, from Wilson's of each."""
    return _newcombe((first, of_first), (second, of_second), 0.0, level)


def paired_difference(
    both: int, only_first: int, only_second: int, neither: int, level: float = LEVEL
) -> Interval:
    """Newcombe's interval of the difference of two proportions of the same cases.

    Args:
        both: cases in which both succeed.
        only_first: in which the first alone does.
        only_second: in which the second alone does.
        neither: in which neither does.
        level: confidence.
    """
    trials = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    margins = first * (trials - first) * second * (trials - second)
    association = float(both * neither - only_first * only_second)
    if association > 0:  # few cases show it larger than it is
        association = max(association - trials / 2, 0.0)
    phi = association / sqrt(margins) if margins else 0.0
    return _newcombe((first, trials), (second, trials), phi, level)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact p value that two classifiers err equally often, from the cases in which one does."""
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def difference_interval(
    first: float, of_first: Interval, second: float, of_second: Interval, phi: float = 0.0
) -> Interval:
    """Interval of first - second from one of each (Newcombe's; Zou and Donner's MOVER).

    Args:
        first: an estimate.
        of_first: its interval.
        second: another estimate.
        of_second: its interval.
        phi: correlation of the two; 0 for independent ones.
    """

    def apart(x: float, y: float) -> float:
        return sqrt(max(0.0, x**2 - 2 * phi * x * y + y**2))

    below = apart(first - of_first.low, of_second.high - second)
    above = apart(of_first.high - first, second - of_second.low)
    return Interval(first - second - below, first - second + above)


def _newcombe(
    first: tuple[int, int], second: tuple[int, int], phi: float, level: float
) -> Interval:
    """Method 10 of Newcombe 1998 for paired proportions; with phi 0 that for separate ones."""
    if not first[1] or not second[1]:
        return Interval(-1.0, 1.0)
    p, q = first[0] / first[1], second[0] / second[1]
    of_p, of_q = proportion_interval(*first, level), proportion_interval(*second, level)
    return difference_interval(p, of_p, q, of_q, phi)


def bootstrap_interval(
    values: Float[np.ndarray, "n"],
    level: float = LEVEL,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a mean; the differences of pairs make it a paired one."""
    if len(values) == 0:
        return Interval(float("nan"), float("nan"))
    generator = np.random.default_rng(seed)
    means = values[generator.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def confusion(
    true: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], classes: int
) -> Int[np.ndarray, "k k"]:
    """Counts of images by true class (rows) and predicted class (columns)."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    return counts


def error_table(groups: "pd.Series[str]", wrong: Bool[np.ndarray, "n"]) -> pd.DataFrame:
    """Images, errors, error rate and its interval for each value of a column (claims M1, M2)."""
    counts = pd.DataFrame({"group": groups.to_numpy(), "wrong": wrong})
    table = counts.groupby("group")["wrong"].agg(images="size", errors="sum")
    intervals = [
        proportion_interval(int(errors), int(images))
        for images, errors in zip(table["images"], table["errors"], strict=True)
    ]
    found: pd.DataFrame = table.assign(
        rate=table["errors"] / table["images"],
        low=[interval.low for interval in intervals],
        high=[interval.high for interval in intervals],
    ).rename_axis(groups.name)
    return found
