"""Intervals of proportions, means and differences."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from tinyvgg.chapters.statistics import (
    Estimate,
    bootstrap_interval,
    difference,
    difference_interval,
    digest,
    estimate,
    holm,
    mean_interval,
    of_another,
    over_networks,
    proportion_interval,
    scale_of,
)


@pytest.mark.parametrize("trials", [1, 4, 2412])
def test_wilson_interval_agrees_with_scipys_and_takes_sums_of_means(trials: int) -> None:
    for successes in {0, 1, trials // 2, trials}:
        found = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        assert proportion_interval(successes, trials) == pytest.approx((found.low, found.high))
    below, between, above = (proportion_interval(count, 9) for count in (2, 2.5, 3))
    assert below.low < between.low < above.low
    assert below.high < between.high < above.high


def test_nothing_tried_says_nothing() -> None:
    assert proportion_interval(0, 0) == (0.0, 1.0)
    assert np.isnan(bootstrap_interval(np.array([]))).all()
    assert np.isnan(bootstrap_interval(np.array([0.5, np.nan, 0.6]))).all()
    assert bootstrap_interval(np.array([0.5])) == bootstrap_interval(np.full(3, 0.5)) == (0.5, 0.5)


def test_interval_of_a_mean_over_few_values_is_students() -> None:
    values = np.array([0.91, 0.93, 0.9, 0.97])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((expected.low, expected.high))
    assert mean_interval(np.array([0.5, 0.5])) == (0.5, 0.5)
    for few in ([], [0.5]):
        assert np.isnan(mean_interval(np.array(few, dtype=np.float64))).all()


def test_an_estimate_is_the_mean_of_the_known_values_with_its_standard_error() -> None:
    values = np.random.default_rng(2).normal(size=20)
    assert estimate(values) == pytest.approx((values.mean(), stats.sem(values)))
    assert estimate([*values, np.nan]) == estimate(pd.Series(values))
    assert estimate(torch.tensor([True, False])) == pytest.approx((0.5, 0.5))
    assert estimate([3, np.nan]) == (3.0, 0.0)
    assert np.isnan(estimate([]).value)


def test_bootstrap_interval_is_that_of_resampled_means() -> None:
    values = np.random.default_rng(1).normal(size=30)
    rows = np.random.default_rng(0).integers(0, 30, (2000, 30))
    expected = np.quantile([values[row].mean() for row in rows], [0.025, 0.975])
    assert bootstrap_interval(values) == pytest.approx(expected)


def test_interval_of_two_separate_proportions_is_newcombes_own_example() -> None:
    first, second = (56 / 70, proportion_interval(56, 70)), (48 / 80, proportion_interval(48, 80))
    found = difference_interval(*first, *second)
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_interval(*second, *first) == pytest.approx((-found.high, -found.low))


def test_bootstrap_over_networks_is_students_plus_the_errors_within_networks() -> None:
    values = np.random.default_rng(3).normal(0.7, 0.05, 10)
    found = over_networks(values, np.zeros(10))
    expected = stats.ttest_1samp(values, 0.6)
    assert found.interval() == pytest.approx(expected.confidence_interval(0.95), rel=0.01)
    assert found.p_value(0.6) == pytest.approx(expected.pvalue, rel=0.1)
    errors = np.full(10, 0.08)
    within = over_networks(values, errors).scale
    assert within == pytest.approx(np.sqrt(stats.sem(values) ** 2 + 0.08**2 / 9), rel=0.02)


def test_intervals_over_five_networks_cover_as_often_as_they_say() -> None:
    draw, covered = np.random.default_rng(4), []
    for _ in range(400):
        values = draw.normal(2, 0.3, 6)
        mean, another = over_networks(values[:5], np.zeros(5)), of_another(values[:5])
        hits = [of.interval() for of in (mean, another)]
        covered.append(
            [low <= at <= high for (low, high), at in zip(hits, (2, values[5]), strict=True)]
        )
    assert np.mean(covered, 0) == pytest.approx([0.95, 0.95], abs=0.03)


def test_networks_that_are_all_alike_are_certain() -> None:
    tenths = np.full(10, 0.1)  # whose sum is not exactly one
    for of in (over_networks(tenths, np.zeros(10)), of_another(tenths)):
        assert of == (0.1, 0.0, 9)
        assert (of.p_value(0.1), of.p_value(0.2)) == (1.0, 0.0)
    assert over_networks(tenths, np.full(10, 0.01)).scale > 0


def test_counts_of_networks_spread_on_a_log_scale() -> None:
    counts = np.random.default_rng(5).lognormal(4, 0.3, 10).round()
    scale, back = scale_of(counts, "count")
    low, high = map(back, of_another(scale(counts)).interval())
    logs = np.log(counts + 0.5)
    half = stats.t.ppf(0.975, 9) * logs.std(ddof=1) * np.sqrt(1.1)
    assert np.log([low + 0.5, high + 0.5]) == pytest.approx(
        [logs.mean() - half, logs.mean() + half]
    )
    assert np.isfinite(scale(0))


def test_holms_correction_agrees_with_a_worked_example() -> None:
    # Holm (1979) rejects in order: the smallest of four times 4, the next times 3, ...
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_errors_of_a_difference_add_in_squares() -> None:
    assert difference(Estimate(5.0, 0.3), Estimate(2.0, 0.4)) == pytest.approx((3.0, 0.5))


def test_a_digest_changes_with_a_single_element() -> None:
    sets = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(1)) > 0.5
    other = sets.clone()
    other[1, 1, 0, 2] ^= True
    assert digest(sets) == digest(sets.clone()) != digest(other)
    assert len(digest(sets[:0])) == 16
