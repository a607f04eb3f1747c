"""Accuracy, confusion and the uncertainty of both."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

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
