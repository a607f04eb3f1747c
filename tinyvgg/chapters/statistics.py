"""Counts and rates with their uncertainty, digests of sets, and the numbers of networks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import hypot, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple, SupportsFloat

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.special import expit, logit
from scipy.stats import bootstrap, t
from torch import Tensor

from tinyvgg import files
from tinyvgg.training.experiments import Study

LEVEL = 0.95
DRAWS = 10_000
"""Draws of the bootstrap over networks."""
AVERAGES = ["images", "mean", "low", "high", "text"]


class Interval(NamedTuple):
    """A confidence interval; `LEVEL` is its confidence where no other is asked for."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A mean over the cases of one network, such as its errors, with its standard error."""

    value: float
    error: float


def estimate(values: Iterable[SupportsFloat]) -> Estimate:
    """Return the mean of the known values and its standard error; NaN where none is known.

    A single value says nothing about its error, which is 0 then.
    """
    every = np.array([float(value) for value in values])
    known = every[~np.isnan(every)]
    if not len(known):
        return Estimate(float("nan"), 0.0)
    error = known.std(ddof=1) / sqrt(len(known)) if len(known) > 1 else 0.0
    return Estimate(float(known.mean()), float(error))


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Return first - second of two separate groups of cases, whose errors add in squares."""
    return Estimate(first.value - second.value, hypot(first.error, second.error))


def proportion_interval(successes: int | float, trials: int, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval of a proportion; (0, 1) where there were no trials.

    Trials may be means of zeros and ones; their sum, unlike scipy's counts, need not be whole. The
    interval is then rather too wide than too narrow.
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    share, square = successes / trials, NormalDist().inv_cdf((1 + level) / 2) ** 2 / trials
    middle = (share + square / 2) / (1 + square)
    half = sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    low = middle - half if successes > 0 else 0.0
    return Interval(low, middle + half if successes < trials else 1.0)


def difference_interval(
    first: float, of_first: Interval, second: float, of_second: Interval
) -> Interval:
    """Return the interval of first - second, two independent estimates, from one of each.

    It is Zou and Donner's MOVER; for two proportions with Wilson's intervals, Newcombe's.
    """
    below = sqrt((first - of_first.low) ** 2 + (of_second.high - second) ** 2)
    above = sqrt((of_first.high - first) ** 2 + (second - of_second.low) ** 2)
    return Interval(first - second - below, first - second + above)


def mean_interval(values: Float[np.ndarray, "n"]) -> Interval:
    """Return Student's interval of the mean behind a few values; NaN for fewer than two."""
    if len(values) < 2:
        return Interval(float("nan"), float("nan"))
    return Student(float(values.mean()), estimate(values).error, len(values) - 1).interval()


def bootstrap_interval(values: Float[np.ndarray, "n"]) -> Interval:
    """Return the percentile bootstrap interval of a mean; for differences of pairs a paired one.

    The draws are the same in each call. A single value is its own interval, which is NaN where
    there are no values or one of them is NaN.
    """
    if not len(values) or np.isnan(values).any():
        return Interval(float("nan"), float("nan"))
    if len(values) == 1:
        return Interval(float(values[0]), float(values[0]))
    seeded = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=seeded)
    return Interval(*map(float, found.confidence_interval))


def between(low: float, high: float, form: str = ".2f") -> str:
    """Print an interval, which a single case and cases that are all equal do not have."""
    return f" (95 % interval {low:{form}} to {high:{form}})" if low < high else ""


class Student(NamedTuple):
    """Student's t distribution about a centre, such as that of a mean over a few networks."""

    centre: float
    scale: float
    freedom: int

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the interval that has this share of the distribution."""
        half = float(t.ppf((1 + level) / 2, self.freedom)) * self.scale
        return Interval(self.centre - half, self.centre + half)

    def p_value(self, value: float) -> float:
        """Return the share of the distribution at least as far from its centre as a value."""
        away = abs(value - self.centre)
        if self.scale == 0:
            return float(away == 0)
        return float(2 * t.sf(away / self.scale, self.freedom))


def over_networks(values: Float[np.ndarray, "n"], errors: Float[np.ndarray, "n"]) -> Student:
    """Return the distribution of the mean over networks, of a value and a standard error each.

    Its scale comes from a bootstrap of two levels: networks are drawn with replacement, and each
    that is drawn errs once more by its own standard error. With n networks a bootstrap finds the
    scale too small by sqrt(1 - 1 / n), which is made good. At least two networks are needed, and
    the draws are the same in each call.
    """
    count, generator = len(values), np.random.default_rng(0)
    away = values - values[0]  # equal values do not spread at all, whatever rounding does
    drawn = generator.integers(0, count, (DRAWS, count))
    noise = generator.standard_normal((DRAWS, count)) * errors[drawn]
    scale = (away[drawn] + noise).mean(1).std() / sqrt(1 - 1 / count)
    return Student(float(values[0] + away.mean()), float(scale), count - 1)


def of_another(values: Float[np.ndarray, "n"]) -> Student:
    """Return the distribution of the value of another network, which at least two foretell."""
    count = len(values)
    away = values - values[0]
    scale = away.std(ddof=1) * sqrt(1 + 1 / count)
    return Student(float(values[0] + away.mean()), float(scale), count - 1)


def scale_of(values: Float[np.ndarray, "n"], unit: str) -> tuple[Callable[..., Any], ...]:
    """Return the function to the scale on which networks' values spread evenly, and its inverse.

    It is the logarithm of counts plus one half, and the log odds of probabilities as far as float32
    has them.
    """
    if unit == "probability":
        resolution = np.finfo(np.float32).eps
        return lambda p: logit(np.clip(p, resolution, 1 - resolution)), expit
    if values.min() >= 0 and (unit == "count" or (values == values.round()).all()):
        return lambda count: np.log(np.asarray(count) + 0.5), lambda log: np.exp(log) - 0.5
    return np.asarray, np.asarray


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number by Holm's step-down correction, in their order."""
    given = np.asarray(p_values, float)
    order = np.argsort(given, kind="stable")
    adjusted = np.empty(len(given))
    adjusted[order] = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    return [float(p) for p in np.minimum(adjusted, 1)]


def averages(table: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Average a column by others: ``images``, ``mean``, ``low``, ``high``, and all as ``text``."""
    rows = []
    for key, part in table.dropna(subset=[value]).groupby(list(by), sort=False)[value]:
        values = part.to_numpy(float)
        mean, (low, high) = values.mean(), bootstrap_interval(values)
        text = f"{mean:.3f} ({low:.3f} to {high:.3f})" if low < high else f"{mean:.3f}"
        rows.append((*key, len(values), mean, low, high, text))
    return pd.DataFrame(rows, columns=[*by, *AVERAGES])


def digest(sets: Bool[Tensor, "..."]) -> str:
    """Return 16 hexadecimal digits of SHA-256 over the packed bits: equal where sets are equal."""
    return sha256(np.packbits(sets.cpu().numpy()).tobytes()).hexdigest()[:16]


def chances(
    recorded: Float[np.ndarray, "n p"], fresh: Float[np.ndarray, "p"]
) -> tuple[float, float]:
    """Return how often one more network would lie as far from the others as a fresh one does.

    This is a rotation test (Langsrud 2005). Of normal numbers, however they are correlated, all
    directions among networks are alike: the one from the mean of the others to the fresh network is
    compared with random ones, so that a chance below 1 % has just that rate. For each number there
    is the share of its variation that the direction accounts for, r² = t² / (t² + n - 1). The first
    chance is that of its mean over the numbers, the second that of its largest value, among numbers
    of which no more than half of the recorded networks have the same.
    """
    if not fresh.size:
        return 1.0, 1.0
    pooled = np.vstack([fresh, recorded])
    pooled = pooled - pooled.mean(0)
    length = np.linalg.norm(pooled, axis=0)
    pooled = pooled[:, length > 0] / length[length > 0]
    common = [np.unique(column, return_counts=True)[1].max() for column in recorded.T]
    fine = (np.array(common) <= len(recorded) / 2)[length > 0]
    drawn = np.random.default_rng(0).standard_normal((DRAWS, len(pooled)))
    drawn[0] = np.eye(len(pooled))[0]  # the fresh network itself
    drawn = drawn - drawn.mean(1, keepdims=True)
    shares = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True) @ pooled) ** 2
    found = [shares.mean(1), shares[:, fine].max(1, initial=0.0)]
    alike, furthest = (float((each >= each[0] - 1e-12).mean()) for each in found)
    return alike, furthest


OF_A_SEED = ("faces", "fingerprint", "profile", "seed", "runs", "made_with")
COLUMNS = [*OF_A_SEED[:4], "quantity", "value", "error", *OF_A_SEED[4:]]
"""The columns of a table of networks."""


@dataclass(frozen=True)
class Networks:
    """The numbers of several networks: a row a network and quantity, text as in the file."""

    rows: pd.DataFrame

    def __len__(self) -> int:
        return int(self.rows["seed"].nunique())

    def values(self, key: str) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Return a quantity and its standard error in each network that has it as a number."""
        found = self.rows.loc[self.rows["quantity"] == key, ["value", "error"]]
        known = found.apply(pd.to_numeric, errors="coerce").dropna(subset="value").fillna(0.0)
        return known["value"].to_numpy(float), known["error"].to_numpy(float)


def read_tables(paths: Iterable[Path]) -> pd.DataFrame:
    """Return the rows of those tables that are there, as the text that they hold."""
    there = [path for path in paths if path.is_file()]
    tables = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in there]
    return pd.concat([pd.DataFrame(columns=COLUMNS, dtype=str), *tables], ignore_index=True)


NONE = Networks(read_tables([]))


def networks_of(study: Study) -> Networks:
    """Return the networks of a study's profile and faces; none for settings of its own."""
    return NONE if study.settings else networks(study.profile.name, study.faces.fingerprint)


def networks(profile: str, fingerprint: str, trials: bool = True) -> Networks:
    """Return the networks that were trained with a profile on the faces with a fingerprint.

    They are those of the committed table and of the tables that `tinyvgg seeds` made here; of a
    seed that is in both, the committed one. `trials` says whether to add the numbers of the
    networks that some claims take (`tinyvgg trial`).
    """
    made = sorted((files.build() / "seeds").glob("*.csv"))
    rows = read_tables([files.results() / "seeds.csv", *made])
    own = rows[(rows["profile"] == profile) & (rows["fingerprint"] == fingerprint)]
    more = [
        {"quantity": key, "seed": seed, "value": str(value), "error": "0.0"}
        for record in (trial_records(profile, fingerprint) if trials else {}).values()
        for key, values in record["numbers"].items()
        for seed, value in values.items()
    ]
    own = pd.concat([own, pd.DataFrame(more, columns=COLUMNS)])
    return Networks(own.drop_duplicates(["seed", "quantity"]).sort_values(["quantity", "seed"]))


def trial_records(profile: str, fingerprint: str) -> dict[str, Any]:
    """Return the records that `tinyvgg trial` made, by their names; committed ones come first."""
    found: dict[str, Any] = {}
    for folder in (files.results(), files.build()):
        for path in sorted((folder / "trials").glob("*.json")):
            record = files.report(path)
            if (record["profile"], record["fingerprint"]) == (profile, fingerprint):
                found.setdefault(record["trial"], {**record, "path": path})
    return found
