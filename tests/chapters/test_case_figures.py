"""Figures, tables, numbers and verdicts of the case studies, on their data."""

import numpy as np
import pandas as pd
import pytest

from tests.helpers import small_runs
from tinyvgg.chapters import cases, style
from tinyvgg.chapters.cases import RULES, Pairs, pixel_sets, suppression_table
from tinyvgg.chapters.feature_tracking import beside_lookalikes
from tinyvgg.chapters.statistics import NONE
from tinyvgg.tracking import rescore, track_features

TASK = "subject"


def suppressed(pairs: Pairs) -> dict[str, pd.DataFrame]:
    return {rule: suppression_table(pairs, how, draws=2) for rule, how in RULES.items()}


def confidences(pair: Pairs) -> dict[str, pd.DataFrame]:
    errors, others = suppressed(pair), suppressed(pair.reversed())
    return {rule: cases.confidence_table(errors[rule], others[rule]) for rule in RULES}


def summaries(pairs: Pairs) -> dict[str, pd.DataFrame]:
    tables = suppressed(pairs)
    return {rule: cases.summarise(tables[rule], "changed", "random_common") for rule in RULES}


def test_confidences_are_those_of_both_images(pairs):
    pair = pairs.only(pairs.cases[:1])
    found, case = confidences(pair), pair.cases[0]
    for table in found.values():
        np.testing.assert_allclose(table[["true", "predicted", "other"]].sum(axis=1), 1, atol=1e-6)
    common = pixel_sets(pair, RULES["literal"]).common
    for image, trace in zip(cases.IMAGES, (pair.right, pair.wrong), strict=True):
        chances = rescore(trace, common).softmax(1)[0]
        row = found["literal"].loc[(image, "common")]
        assert row["true"] == pytest.approx(float(chances[case.true]), abs=1e-6)
        assert row["predicted"] == pytest.approx(float(chances[case.predicted]), abs=1e-6)


def test_errors_stand_beside_look_alikes_with_the_features_of_their_pixels(run, pairs):
    pairs, rule = pairs.only(pairs.cases[:2]), RULES["literal"]
    shown = [ax.images[0].get_array() for ax in beside_lookalikes(run, pairs, rule).axes]
    sets = pixel_sets(pairs, rule)
    walks = (pairs.wrong, sets.wrong), (pairs.right, sets.right), (pairs.wrong, sets.unique)
    inks = [style.strength(track_features(trace, pixels)) for trace, pixels in walks]
    for column, case in enumerate(pairs.cases):
        error, features, other, others, unique = shown[column::2]
        np.testing.assert_array_equal(error, run.faces.images[case.row])
        np.testing.assert_array_equal(other, run.faces.images[case.lookalike])
        for found, ink in zip((features, others, unique), inks, strict=True):
            np.testing.assert_allclose(found, ink[column], rtol=1e-5)


def test_nothing_is_drawn_where_there_is_no_pair(run, pairs):
    none = pairs.only([])
    changed = summaries(none)
    assert not any(map(len, confidences(none).values()))
    assert cases.rates_figure(changed, ["common"], "changed") is None
    assert beside_lookalikes(run, none, RULES["literal"]) is None


def test_images_are_named_and_compared_by_what_their_source_knows(run, pairs):
    gaze = next(case for case in pairs.cases if cases.differing(run, case) == ["gaze"])
    both = [cases.name_of(run, row).split(", ") for row in (gaze.row, gaze.lookalike)]
    words = [pair for pair in zip(*both, strict=True) if pair[0] != pair[1]]
    assert [word.split()[0] for word in words[0]] == ["gaze", "gaze"]
    assert len(words) == 1
    folder = small_runs.run("class")
    case = next(case for case in cases.find_cases(folder) if case.lookalike is not None)
    assert cases.differing(folder, case) == []
    assert cases.name_of(folder, case.row) == folder.faces.index.table["path"][case.row]


def test_names_of_the_users_stay_text_in_markdown():
    assert style.in_markdown("a_b* |\n`x`$<b>{doc}") == r"a\_b\* \| \`x\`\$\<b\>\{doc\}"


def test_numbers_have_the_papers_keys_for_the_published_rule(run):
    found = cases.keyed("s1", run, {"cutoff": {"common": 5}, "literal": {"common": 7}})
    assert found == {"s1.subject.common": 5, "s1.subject.common_literal": 7}
    (row,) = cases.beside_paper(found, NONE).to_dict("records")
    assert (row["paper"], row["ours"]) == ("547", "5")
