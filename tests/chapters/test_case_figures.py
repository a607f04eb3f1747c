"""Figures, tables, numbers and verdicts of the case studies, on their data."""

import numpy as np
import pandas as pd
import pytest

from tests.helpers import small_runs
from tinyvgg import paper
from tinyvgg.chapters import cases, style
from tinyvgg.chapters.cases import (
    RULES,
    Pairs,
    find_cases,
    overlap_table,
    pixel_sets,
    record_pairs,
    summarise,
    suppression_table,
)
from tinyvgg.chapters.feature_tracking import beside_lookalikes
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run


@pytest.fixture(scope="module")
def run() -> Run:
    return small_runs.run("subject")


@pytest.fixture(scope="module")
def pairs(run: Run) -> Pairs:
    return record_pairs(run, find_cases(run))


def suppressed(pairs: Pairs) -> dict[str, pd.DataFrame]:
    return {rule: suppression_table(pairs, how, draws=2) for rule, how in RULES.items()}


def confidences(pair: Pairs) -> dict[str, pd.DataFrame]:
    errors, others = suppressed(pair), suppressed(pair.reversed())
    return {rule: cases.confidence_table(errors[rule], others[rule]) for rule in RULES}


def summaries(pairs: Pairs) -> dict[str, pd.DataFrame]:
    tables = suppressed(pairs)
    return {rule: summarise(tables[rule], "changed", "random_common") for rule in RULES}


def test_confidences_are_those_of_both_images(pairs: Pairs) -> None:
    pair = pairs.only(pairs.cases[:1])
    found, case = confidences(pair), pair.cases[0]
    for table in found.values():
        np.testing.assert_allclose(table[["true", "mistaken", "other"]].sum(axis=1), 1, atol=1e-6)
    for image, trace in zip(cases.IMAGES, (pair.right, pair.wrong), strict=True):
        common = pixel_sets(pair, RULES["literal"]).common
        chances = rescore(trace, common).softmax(1)[0]
        row = found["literal"].loc[(image, "common")]
        assert row["true"] == pytest.approx(float(chances[case.true]), abs=1e-6)
        assert row["mistaken"] == pytest.approx(float(chances[case.predicted]), abs=1e-6)


def test_rates_are_drawn_where_they_are(pairs: Pairs) -> None:
    found, names = summaries(pairs), ["common", "random_common"]
    axes = cases.rates_figure(found, names, "changed").axes
    drawn = [line.get_xdata()[0] for line in axes[0].lines if len(line.get_xdata()) == 1]
    for rate in found["cutoff"].loc[names, "rate"]:
        assert any(value == pytest.approx(rate) for value in drawn)
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert labels == [cases.SETS[name] for name in names]


def test_errors_stand_beside_look_alikes_with_the_features_of_their_pixels(
    run: Run, pairs: Pairs
) -> None:
    pairs, rule = pairs.only(pairs.cases[:2]), RULES["literal"]
    shown = [ax.images[0].get_array() for ax in beside_lookalikes(run, pairs, rule).axes]
    sets = pixel_sets(pairs, rule)
    for column, case in enumerate(pairs.cases):
        error, features, other, others, unique = shown[column::2]
        np.testing.assert_array_equal(error, run.faces.images[case.row])
        np.testing.assert_array_equal(other, run.faces.images[case.lookalike])
        for found, trace, pixels in (
            (features, pairs.wrong, sets.wrong),
            (others, pairs.right, sets.right),
            (unique, pairs.wrong, sets.unique),
        ):
            ink = style.strength(track_features(trace, pixels))[column]
            np.testing.assert_allclose(found, ink, rtol=1e-5)
    assert isinstance(beside_lookalikes(run, pairs.only([]), rule), style.Missing)


def test_everything_says_so_where_there_is_no_pair(run: Run, pairs: Pairs) -> None:
    none = pairs.only([])
    empty, changed = {"cutoff": overlap_table(none, RULES["cutoff"])}, summaries(none)
    assert not any(map(len, confidences(none).values()))
    assert cases.rates_figure(changed, ["common"], "changed") == cases.NO_PAIR
    assert "None of the" in cases.pair_sentence(run, none, none, "40")
    shown = cases.rates_table(changed["cutoff"], ["common"])
    assert shown["share (95 % interval)"].tolist() == [paper.NOTHING]
    for found in (
        cases.judge_pair(run, none),
        cases.judge_overlap(run, empty, empty),
        cases.judge_values(run, empty, empty),
        cases.judge_common(run, changed),
    ):
        assert found.verdict == "cannot be tested here"
        assert found.reason == "no error of this run has a right look-alike"
    other = cases.judge_eight(run, pairs)
    assert (other.claim, other.verdict) == ("F11", "cannot be tested here")
    assert "about emotion" in other.reason


def test_pair_sentence_says_which_pair_it_is_and_in_what_its_images_differ(
    run: Run, pairs: Pairs
) -> None:
    gaze = next(case for case in pairs.cases if cases.differing(run, case) == ["gaze"])
    name = run.classes[gaze.true]
    said = cases.pair_sentence(run, pairs, pairs.only([gaze]), name)
    assert said.startswith(f"Subject {name} has ")
    assert " differ in gaze; subject **" in said
    assert "does not say" not in said
    assert "has no subject 40;" in cases.pair_sentence(run, pairs, pairs.only([gaze]), "40")
    others = pairs.only(case for case in pairs.cases if run.classes[case.true] != name)
    said = cases.pair_sentence(run, others, others.only(others.cases[:1]), name)
    assert said.startswith(f"Subject {name} has no error with a right look-alike")


def test_sentences_claim_nothing_about_what_a_source_does_not_know(run: Run) -> None:
    classes = small_runs.run("class")
    pairs = record_pairs(classes, find_cases(classes))
    said = cases.pair_sentence(classes, pairs, pairs.only(pairs.cases[:1]), "40")
    assert said.startswith("This run has no subject 40; shown is the closest of ")
    assert " are of the same class; class **" in said
    assert "pixels only" not in said
    unknown = "subject, emotion, gaze or angle"
    assert said.endswith(f"Whether they differ in {unknown} this source does not say.")
    said = cases.network_sentence(run, "subject")
    assert said == "The network of this run classifies 3 subjects."
    said = cases.network_sentence(classes, "emotion")
    assert said.startswith("This source does not say which emotion an image shows")
    assert said.endswith("the network of this run classifies 3 classes.")


def rates(**rows: tuple[float, float, float]) -> pd.DataFrame:
    """A summary by hand: rate, low and the low end of the difference of each set."""
    columns = ["rate", "low", "difference_low"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.assign(cases=8, count=8 * table["rate"], difference_high=1.0)


HOLDS = ["holds", "holds in part", "holds in part", "does not hold"]


def test_common_pixels_decide_if_most_answers_change_and_more_than_by_chance(run: Run) -> None:
    found = []
    for low, difference in ((0.6, 0.1), (0.6, -0.1), (0.4, 0.1), (0.4, -0.1)):
        table = rates(common=(0.8, low, difference), random_common=(0.5, 0.4, 0))
        found.append(cases.judge_common(run, {"cutoff": table, "literal": table}).verdict)
    assert found == HOLDS


def test_unique_pixels_decide_if_they_repair_all_eight_and_beat_chance_and_common_ones() -> None:
    found, run = [], small_runs.run("emotion")
    other = dict.fromkeys(("random", "contrastive"), (0.2, 0.1, 0.0))
    for eight, common, difference in ((1, 0.1, 0.1), (0.9, 0.1, 0.1), (1, 0.9, 0.1), (1, 0.1, -1)):
        table = rates(unique=(0.5, 0.4, difference), common=(common, 0, 0), **other)
        few = rates(unique=(eight, 0.6, 0.1), **other)
        judged = cases.judge_unique(run, {"cutoff": few}, {"cutoff": table})
        assert "by random pixels 20%" in judged.reason
        found.append(judged.verdict)
    assert found == HOLDS


def test_values_that_differ_a_little_more_hold_in_part(run: Run) -> None:
    large, small, less = (
        pd.DataFrame({"difference": [value, value * 1.1, np.nan]}) for value in (0.45, 0.05, 0.02)
    )
    by = [
        cases.judge_values(run, {"a": x}, {"a": y}).verdict
        for x, y in ((large, less), (small, less), (less, small))
    ]
    assert by == ["holds", "holds in part", "does not hold"]


def test_numbers_have_the_papers_keys_for_the_published_rule(run: Run) -> None:
    found = cases.keyed("s1", run, {"cutoff": {"common": 5}, "literal": {"common": 7}})
    assert found == {"s1.subject.common": 5, "s1.subject.common_literal": 7}
    row = cases.beside_paper(found).iloc[0]
    assert (row["paper"], row["ours, cutoff"], row["ours, literal rule"]) == ("547", "5", "7")
