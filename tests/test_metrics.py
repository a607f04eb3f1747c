"""Counts and their uncertainty."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import binomtest

from tinyvgg.chapters.statistics import (
    bootstrap_interval,
    confusion,
    difference_of_proportions,
    error_table,
    mcnemar,
    mean_interval,
    paired_difference,
    proportion_interval,
)


@pytest.mark.parametrize("trials", [1, 4, 2412])
def test_wilson_interval_agrees_with_scipys(trials: int) -> None:
    for successes in {0, 1, trials // 2, trials}:
        found = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        assert proportion_interval(successes, trials) == pytest.approx((found.low, found.high))


def test_wilson_interval_takes_sums_of_means() -> None:
    below, between, above = (proportion_interval(count, 9) for count in (2, 2.5, 3))
    assert below.low < between.low < above.low
    assert below.high < between.high < above.high


def test_wilson_interval_agrees_with_its_formula() -> None:
    low, high = proportion_interval(59, 2412)
    z, n, p = 1.959963984540054, 2412, 59 / 2412
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (low, high) == pytest.approx((centre - half, centre + half))


def test_nothing_tried_says_nothing() -> None:
    assert proportion_interval(0, 0) == (0.0, 1.0)
    assert np.isnan(bootstrap_interval(np.array([]))).all()


def test_interval_of_a_mean_over_few_values_is_students() -> None:
    values = np.array([0.91, 0.93, 0.9, 0.97])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval(values, 0.9) == pytest.approx((expected.low, expected.high))
    assert mean_interval(np.array([0.5, 0.5])) == (0.5, 0.5)
    for few in ([], [0.5]):
        assert np.isnan(mean_interval(np.array(few, dtype=np.float64))).all()


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_interval(generator.normal(1.0, 2.0, 60), draws=400, seed=seed)
        covered += low <= 1.0 <= high
    assert 178 <= covered <= 199


def test_confusion_has_true_classes_in_rows() -> None:
    counts = confusion(np.array([0, 0, 2]), np.array([1, 1, 2]), classes=3)
    np.testing.assert_array_equal(counts, [[0, 2, 0], [0, 0, 0], [0, 0, 1]])


def test_error_table_counts_by_group() -> None:
    groups = pd.Series([45, 45, 90, 135], name="angle")
    table = error_table(groups, np.array([True, False, True, False]))
    assert table.index.name == "angle"
    assert table["errors"].to_dict() == {45: 1, 90: 1, 135: 0}
    assert table["rate"].to_dict() == {45: 0.5, 90: 1.0, 135: 0.0}
    assert (table["low"] <= table["rate"]).all()
    assert (table["rate"] <= table["high"]).all()


def test_interval_of_two_separate_proportions_is_newcombes_own_example() -> None:
    found = difference_of_proportions(56, 70, 48, 80)
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_of_proportions(48, 80, 56, 70) == pytest.approx((-found.high, -found.low))


def test_paired_interval_covers_the_difference_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    shares = np.array([0.8, 0.1, 0.04, 0.06])
    drawn = generator.multinomial(120, shares, 600)
    intervals = [paired_difference(*(int(count) for count in counts)) for counts in drawn]
    covered = sum(low <= shares[1] - shares[2] <= high for low, high in intervals)
    assert 555 <= covered <= 590
    unpaired = [difference_of_proportions(int(a + b), 120, int(a + c), 120) for a, b, c, _ in drawn]
    widths = [np.mean([high - low for low, high in found]) for found in (intervals, unpaired)]
    assert widths[0] < 0.9 * widths[1]


def test_pairs_that_never_disagree_leave_some_doubt() -> None:
    low, high = paired_difference(5, 0, 0, 5)
    assert -0.3 < low < -0.05
    assert high == pytest.approx(-low)
    assert paired_difference(8, 2, 0, 2) == pytest.approx(
        tuple(-bound for bound in reversed(paired_difference(8, 0, 2, 2)))
    )


def test_mcnemars_p_value_is_that_of_a_fair_coin() -> None:
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(0, 0) == mcnemar(5, 5) == 1
