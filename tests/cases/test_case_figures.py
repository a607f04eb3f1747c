"""Figures, tables, numbers and verdicts of the case studies, on their data."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.helpers import small_runs
from tinyvgg import paper
from tinyvgg.chapters import cases as figures
from tinyvgg.chapters import cases as numbers
from tinyvgg.chapters import cases as tables
from tinyvgg.chapters import cases as verdicts
from tinyvgg.chapters import style
from tinyvgg.chapters.cases import (
    RULES,
    Pairs,
    closest_by_prediction,
    common_values,
    find_cases,
    find_controls,
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


@pytest.fixture(scope="module")
def pair(pairs: Pairs) -> Pairs:
    return pairs.only(pairs.cases[:1])


def texts(figure: Figure) -> str:
    return " ".join(
        text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
    )


def overlaps(pairs: Pairs) -> dict[str, pd.DataFrame]:
    return {rule: overlap_table(pairs, how) for rule, how in RULES.items()}


def summaries(pairs: Pairs, outcome: str, against: str) -> dict[str, pd.DataFrame]:
    return {
        rule: summarise(suppression_table(pairs, how, draws=2), outcome, against)
        for rule, how in RULES.items()
    }


def test_pair_is_shown_as_it_is(run: Run, pair: Pairs) -> None:
    figure = figures.pair_figure(run, pair)
    case = pair.cases[0]
    shown = [ax.images[0].get_array() for ax in figure.axes]
    np.testing.assert_array_equal(shown[0], run.faces.images[case.lookalike])
    np.testing.assert_array_equal(shown[1], run.faces.images[case.row])
    assert f"(b) answer {run.classes[case.predicted]}" in texts(figure)
    assert "synthetic faces" in texts(figure)


def test_places_sum_to_the_numbers_of_pixels(pair: Pairs) -> None:
    axes = figures.places_figure(pair, RULES).axes
    sets = pixel_sets(pair, RULES["literal"])
    sums = [int(ax.images[0].get_array().sum()) for ax in axes[4:]]
    assert sums == [int(p.sum()) for p in (sets.right, sets.wrong, sets.common, sets.unique)]
    assert axes[6].get_title() == f"common: {int(sets.common.sum())}"


def test_scatter_has_a_point_for_each_common_pixel(pair: Pairs) -> None:
    axes = figures.values_figure(pair, pair.only([]), RULES).axes
    first, second = common_values(pair, RULES["literal"])[0]
    points = axes[2].collections[0].get_offsets()
    np.testing.assert_allclose(points, np.stack([first, second], 1))
    assert "no second right image" in texts(axes[3].figure)


def test_bars_of_probabilities_add_up_to_one(pair: Pairs) -> None:
    found = {
        rule: tables.confidence_table(
            suppression_table(pair, how, draws=2), suppression_table(pair.reversed(), how, draws=2)
        )
        for rule, how in RULES.items()
    }
    for table in found.values():
        np.testing.assert_allclose(table[["true", "mistaken", "other"]].sum(axis=1), 1, atol=1e-6)
    sets = ["nothing", "common"]
    axes = figures.confidence_figure(found, sets).axes
    nothing = found["cutoff"].loc[("(b) wrong", "nothing")]
    bars = axes[1].patches
    assert [bar.get_width() for bar in bars[:: len(sets)]] == pytest.approx(
        [nothing["true"], nothing["mistaken"], nothing["other"]]
    )


def test_confidences_are_those_of_both_images(pair: Pairs) -> None:
    how = RULES["literal"]
    table = tables.confidence_table(
        suppression_table(pair, how, draws=2), suppression_table(pair.reversed(), how, draws=2)
    )
    case = pair.cases[0]
    for image, trace in (("(a) right", pair.right), ("(b) wrong", pair.wrong)):
        chances = rescore(trace, pixel_sets(pair, how).common).softmax(1)[0]
        row = table.loc[(image, "common")]
        assert row["true"] == pytest.approx(float(chances[case.true]), abs=1e-6)
        assert row["mistaken"] == pytest.approx(float(chances[case.predicted]), abs=1e-6)


def test_rates_are_drawn_where_they_are(pairs: Pairs) -> None:
    found = summaries(pairs, "changed", "random_common")
    names = ["common", "random_common"]
    axes = figures.rates_figure(found, names, "changed").axes
    drawn = [line.get_xdata()[0] for line in axes[0].lines if len(line.get_xdata()) == 1]
    for rate in found["cutoff"].loc[names, "rate"]:
        assert any(value == pytest.approx(rate) for value in drawn)
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert labels == [tables.SET_NAMES[name] for name in names]


def test_eight_figure_has_a_column_for_each_mistaken_class() -> None:
    run = small_runs.run("emotion")
    pairs = record_pairs(run, find_cases(run))
    eight = pairs.only(closest_by_prediction(pairs.cases))
    figure = figures.eight_figure(run, eight, RULES)
    assert len(figure.axes) == 4 * len(eight)
    titles = [ax.get_title() for ax in figure.axes[: len(eight)]]
    assert titles == [run.classes[case.predicted] for case in eight.cases]
    assert len(set(titles)) == len(titles) > 1


def test_errors_stand_beside_look_alikes_with_the_features_of_their_pixels() -> None:
    run = small_runs.run("emotion")
    pairs = record_pairs(run, find_cases(run))
    pairs, rule = pairs.only(pairs.cases[:2]), RULES["literal"]
    axes = beside_lookalikes(run, pairs, rule).axes
    shown = [ax.images[0].get_array() for ax in axes]
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


def test_probabilities_figure_shows_the_table() -> None:
    run = small_runs.run("emotion")
    pairs = record_pairs(run, find_cases(run))
    after = rescore(pairs.wrong, pixel_sets(pairs, RULES["literal"]).unique)
    table = tables.probability_table(pairs, after, run.classes)
    assert list(table.index[:2]) == [(1, "before"), (1, "after")]
    np.testing.assert_allclose(table.loc[(2, "after")], after[1].softmax(0))
    np.testing.assert_allclose(table.loc[(2, "before")], pairs.wrong.probabilities[1])
    figure = figures.probabilities_figure(table, pairs.cases)
    widths = [bar.get_width() for bar in figure.axes[1].patches[: 2 * len(run.classes)]]
    assert widths == pytest.approx([*table.loc[(2, "before")], *table.loc[(2, "after")]])


def test_papers_table_is_shown_as_printed() -> None:
    table = tables.paper_probability_table()
    assert table.shape == (16, 8)
    assert table.loc[(1, "before"), "fearful"] == 9.89e-1
    assert table.loc[(8, "after"), "happy"] == 2.13e-2
    assert tables.scientific(table).loc[(1, "after"), "angry"] == f"5.57e{tables.MINUS}05"


def test_equal_entries_of_the_paper_are_counted_in_its_table() -> None:
    run = small_runs.run("emotion")
    pairs = record_pairs(run, find_cases(run))
    table = tables.equals_table(pairs, pairs.wrong.logits)
    fewest, most = (paper.number(f"t3.emotion.{name}_equal_after") for name in ("fewest", "most"))
    assert table.loc["after", "paper"] == f"{fewest} to {most}"
    assert table.loc["before", "paper"] == table.loc["before", "ours"] == "1"


def test_everything_says_so_where_there_is_no_pair(run: Run, pairs: Pairs) -> None:
    none = pairs.only([])
    empty = overlaps(none)
    changed = summaries(none, "changed", "random_common")
    confidences = {
        rule: tables.confidence_table(suppression_table(none, how), suppression_table(none, how))
        for rule, how in RULES.items()
    }
    drawn = [
        figures.pair_figure(run, none),
        figures.places_figure(none, RULES),
        figures.values_figure(none, none, RULES),
        figures.differences_figure(empty, empty),
        figures.confidence_figure(confidences, ["nothing", "common"]),
        figures.rates_figure(changed, ["common"], "changed"),
        figures.eight_figure(run, none, RULES),
        figures.probabilities_figure(
            tables.probability_table(none, none.wrong.logits, run.classes), ()
        ),
    ]
    for figure in drawn:
        assert isinstance(figure, style.Missing)
        assert "right" in figure.sentence
    assert "None of the" in tables.pair_sentence(run, none, none, "40")
    assert set(numbers.overlap_numbers(run, empty).values()) == {None}
    assert set(numbers.confidence_numbers(run, confidences).values()) == {None}
    assert numbers.common_numbers(run, changed, changed)["s3.subject.cases"] == 0
    logits = dict.fromkeys(RULES, none.wrong.logits)
    assert numbers.table3_numbers(run, none, logits) == {"t3.subject.cases": 0}
    assert tables.equals_table(none, none.wrong.logits).loc["after", "ours"] == paper.NOTHING
    assert tables.rates_table(changed["cutoff"], ["common"])["rate"].tolist() == [paper.NOTHING]
    for found in (
        verdicts.judge_pair(run, none),
        verdicts.judge_overlap(run, empty, empty),
        verdicts.judge_values(run, empty, empty),
        verdicts.judge_common(run, changed),
    ):
        assert found.verdict == "cannot be tested here"
        assert found.reason == "no error of this run has a right look-alike"


def test_claims_about_emotion_are_not_judged_on_identity(run: Run, pairs: Pairs) -> None:
    found = verdicts.judge_eight(run, pairs)
    assert (found.claim, found.verdict) == ("F11", "cannot be tested here")
    assert found.reason == "the claim is about emotion, this network tells subject"


def test_pair_sentence_says_whether_the_wanted_subject_is_shown(run: Run, pairs: Pairs) -> None:
    pair = pairs.only(pairs.cases[:1])
    name = run.classes[pair.cases[0].true]
    assert tables.pair_sentence(run, pairs, pair, name).startswith(f"Subject {name} has ")
    assert "has no subject 40;" in tables.pair_sentence(run, pairs, pair, "40")
    others = pairs.only([case for case in pairs.cases if run.classes[case.true] != name])
    said = tables.pair_sentence(run, others, others.only(others.cases[:1]), name)
    assert said.startswith(f"Subject {name} has no error with a right look-alike")


def test_pair_sentence_says_in_what_the_images_differ(run: Run, pairs: Pairs) -> None:
    case = next(case for case in pairs.cases if tables.differing(run, case) == ["gaze"])
    said = tables.pair_sentence(run, pairs, pairs.only([case]), "40")
    assert " differ in gaze; subject **" in said
    assert "does not say" not in said


def test_pair_sentence_claims_nothing_about_what_a_source_does_not_know() -> None:
    run = small_runs.run("class")
    pairs = record_pairs(run, find_cases(run))
    said = tables.pair_sentence(run, pairs, pairs.only(pairs.cases[:1]), "40")
    assert said.startswith("This run has no subject 40; shown is the closest of ")
    assert " are of the same class; class **" in said
    assert "pixels only" not in said
    assert said.endswith(
        "Whether they differ in subject, emotion, gaze or angle this source does not say."
    )


def test_the_pair_of_a_run_of_classes_is_recorded_as_one_of_classes() -> None:
    run = small_runs.run("class")
    pair = record_pairs(run, find_cases(run)[:1])
    labels = [paper.describe(key).full_label for key in numbers.pair_numbers(run, pair)]
    assert labels == [
        "class: class of both images",
        "class: class that the wrong image was taken for",
    ]


def test_a_chapter_says_when_the_network_tells_something_else(run: Run) -> None:
    assert tables.told_sentence(run, "subject") == "The network of this run tells 3 subjects."
    said = tables.told_sentence(small_runs.run("class"), "emotion")
    assert said.startswith("This source does not say which emotion an image shows")
    assert said.endswith(
        "where the text speaks of emotions, the network of this run tells 3 classes."
    )


def rates(**rows: tuple[float, float, float]) -> pd.DataFrame:
    """A summary by hand: rate, low and the low end of the difference of each set."""
    columns = ["rate", "low", "difference_low"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.assign(cases=8, count=8 * table["rate"], difference_high=1.0)


@pytest.mark.parametrize(
    ("low", "difference", "verdict"),
    [
        (0.6, 0.1, "holds"),
        (0.6, -0.1, "holds in part"),
        (0.4, 0.1, "holds in part"),
        (0.4, -0.1, "does not hold"),
    ],
)
def test_common_pixels_decide_if_most_answers_change_and_more_than_by_chance(
    run: Run, low: float, difference: float, verdict: str
) -> None:
    table = rates(common=(0.8, low, difference), random_common=(0.5, 0.4, 0))
    assert verdicts.judge_common(run, {"cutoff": table, "literal": table}).verdict == verdict


@pytest.mark.parametrize(
    ("eight", "common", "difference", "verdict"),
    [
        (1.0, 0.1, 0.1, "holds"),
        (0.9, 0.1, 0.1, "holds in part"),
        (1.0, 0.9, 0.1, "holds in part"),
        (1.0, 0.1, -0.1, "does not hold"),
    ],
)
def test_unique_pixels_decide_if_they_repair_all_eight_and_beat_chance_and_common_ones(
    eight: float, common: float, difference: float, verdict: str
) -> None:
    run = small_runs.run("emotion")
    other = dict.fromkeys(("random", "contrastive"), (0.2, 0.1, 0.0))
    table = rates(unique=(0.5, 0.4, difference), common=(common, 0, 0), **other)
    few = rates(unique=(eight, 0.6, 0.1), **other)
    found = verdicts.judge_unique(run, {"cutoff": few}, {"cutoff": table})
    assert found.verdict == verdict
    assert "by random pixels 20%" in found.reason


def test_values_that_differ_a_little_more_hold_in_part(run: Run) -> None:
    small = pd.DataFrame({"difference": [0.05, 0.06, 0.07, 0.06]})
    large = pd.DataFrame({"difference": [0.45, 0.5, 0.55, 0.5]})
    less = pd.DataFrame({"difference": [0.02, 0.02, 0.03, 0.03]})
    by = [
        verdicts.judge_values(run, {"a": x}, {"a": y}).verdict
        for x, y in ((large, less), (small, less), (less, small))
    ]
    assert by == ["holds", "holds in part", "does not hold"]


def test_numbers_have_the_papers_keys_for_the_published_rule(run: Run, pairs: Pairs) -> None:
    pair = pairs.only(pairs.cases[:1])
    found = numbers.overlap_numbers(run, overlaps(pair))
    mine = {key for key in found if not key.endswith("_literal")}
    assert mine == {key for key in paper.load().numbers if key.startswith("s1.subject.")}
    table = paper.compare(numbers.rows(found))
    assert "literal rule" in table["quantity"].iloc[-1]
    assert table["paper"].iloc[0] == "623"


def test_controls_line_up_with_their_errors(run: Run, pairs: Pairs) -> None:
    controls = find_controls(run, pairs.cases)
    compared, control = pairs.only(controls), record_pairs(run, controls.values())
    assert [case.lookalike for case in compared.cases] == [case.row for case in control.cases]
    figure = figures.differences_figure(overlaps(compared), overlaps(control))
    points = figure.axes[1].collections[0].get_offsets()
    expected = overlap_table(compared, RULES["literal"])["difference"]
    np.testing.assert_allclose(points[:, 1], expected)
