"""Chapter 4: what backtracking keeps and how it depends on the class, on small random networks."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers import small, small_runs
from tinyvgg.backtracking import Literal, backtrack
from tinyvgg.chapters import backtracking as chapter
from tinyvgg.chapters.backtracking import follow_errors, kept_table, overlap_table
from tinyvgg.chapters.statistics import averages
from tinyvgg.chapters.style import share_in_words
from tinyvgg.trace import record

TASK = "subject"


@pytest.fixture(scope="module")
def followed(run):
    return follow_errors(run)


@pytest.fixture(scope="module")
def overlap(followed):
    return averages(overlap_table(followed), ["rule", "layer", "against"], "overlap")


def test_overlap_is_intersection_over_union_and_unknown_for_two_empty_sets():
    first = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    second = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    found = chapter.jaccard(first, second).tolist()
    assert found == pytest.approx([1 / 3, 1.0, np.nan], nan_ok=True)


def test_random_class_is_neither_predicted_nor_true():
    trace, labels = small.trace(), torch.tensor([0, 1, 2, 3])
    draws = torch.stack([chapter.random_classes(trace, labels, seed) for seed in range(10)])
    assert not ((draws == trace.predicted) | (draws == labels)).any()
    assert len(draws.unique(dim=0)) > 1


def test_kept_units_are_counted_among_the_active_ones(followed):
    table = kept_table(followed)
    assert table["layer"].unique().tolist() == ["a_2", "a_1", "pixels"]
    row = table.query("rule == 'literal' and layer == 'a_1'").iloc[1]
    active = int((followed.trace.dense[0][1] > 0).sum())
    kept = int(followed.found["literal"]["predicted"].neurons[0][1].sum())
    assert (row["active"], row["kept"]) == (active, kept)
    assert row["share"] == pytest.approx(kept / active)
    assert (table["share"].dropna() <= 1).all()


def test_overlap_compares_the_sets_of_two_walks(followed):
    table = overlap_table(followed)
    chosen = table.query("rule == 'literal' and layer == 'a_2' and against == 'true'")
    targets = (followed.targets[name] for name in ("predicted", "true"))
    sets = [backtrack(followed.trace, target, Literal()).neurons[-1] for target in targets]
    np.testing.assert_allclose(chosen["overlap"].to_numpy(), chapter.jaccard(*sets).numpy())
    assert set(table["rule"]) == {"literal", "cutoff", "contribution"}


def test_pixels_of_both_tasks_are_compared_by_their_means_over_errors(followed):
    other = follow_errors(small_runs.run("emotion"))
    found = chapter.more_pixels({"subject": followed, "emotion": other})
    counts = [[int(image.sum()) for image in part.pixels("cutoff")] for part in (followed, other)]
    squares = sum(np.var(count, ddof=1) / len(count) for count in counts)
    apart = np.mean(counts[0]) - np.mean(counts[1])
    assert found["cutoff"] == pytest.approx((apart, squares**0.5))
    assert chapter.more_pixels({"class": followed}) == {}


def test_averages_leave_out_unknown_values_and_bracket_the_mean(followed):
    table = kept_table(followed)
    table.loc[0, "share"] = np.nan
    found = averages(table, ["rule", "layer"], "share")
    assert found["images"].iloc[0] == len(followed.trace) - 1
    assert ((found["low"] <= found["mean"]) & (found["mean"] <= found["high"])).all()


def test_layers_that_are_one_for_every_task_are_named_once_and_not_listed():
    keys = itertools.product(("literal", "cutoff"), ("a_2", "pixels"), ("true", "random"), range(3))
    table = pd.DataFrame(keys, columns=["rule", "layer", "against", "image"]).assign(overlap=1.0)
    table.loc[table.index[-3:], "overlap"] = 0.25, 1.0, 1.0
    averaged = averages(table, ["rule", "layer", "against"], "overlap")
    shown, left_out = chapter.layer_summary({"subject": averaged, "emotion": averaged})
    assert shown.index.tolist() == [("cutoff", "cells", "true"), ("cutoff", "cells", "random")]
    assert shown["identity"].tolist() == ["1.000", "0.750 (0.250 to 1.000)"]
    assert left_out.endswith(": a_2, cells (literal) and a_2 (cutoff).")
    assert chapter.layer_summary({"subject": averaged[averaged["mean"] < 1]})[1] == ""


def test_terms_add_up_to_the_winning_logit(run):
    trace = record(run.model, run.faces.tensor(run.split.test))
    products, bias = chapter.logit_terms(trace)
    torch.testing.assert_close(products.sum(1) + bias, trace.logits.amax(1))


def test_what_is_shown_comes_from_the_deviations_and_from_what_each_rule_leaves(followed):
    table = pd.DataFrame({"softmax_gap": [1e-7, 2e-7], "sum_gap": [3e-6, 0.0]})
    found = chapter.shown({"subject": table}, {"subject": followed})
    assert "2e-07" in found["E2"]
    assert "3e-06" in found["F6"]
    active, kept = followed.trace.maps > 0, followed.pixels("cutoff")
    images = list(zip(active, kept, strict=True))
    some = sum(bool(on.any()) and bool((of & ~on).any()) for of, on in images)
    none = sum(not (of & ~on).any() for of, on in images)
    counts = {"some": some, "none": none, "all": len(images) - some - none}
    said = [f"{word} in {share_in_words(int(n), len(images))}" for word, n in counts.items() if n]
    assert f"published cutoff leaves {', '.join(said)}" in found["F7"]


def test_run_without_errors_has_nothing_to_list(run):
    followed = follow_errors(run.having(logits=torch.eye(3)[run.labels]))
    kept = averages(kept_table(followed), ["rule", "layer"], "share")
    summary, elsewhere = chapter.layer_summary({"subject": kept})
    assert (len(kept), len(summary), elsewhere) == (0, 0, "")


def test_layers_are_drawn_downwards_and_the_last_one_is_called_cells(followed):
    kept = averages(kept_table(followed), ["rule", "layer"], "share")
    (axes,) = chapter.layers_figure({"subject": kept}, "share").axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["$a_2$", "$a_1$", "cells"]


def test_last_layers_figure_shows_the_terms_it_draws(run):
    image = record(run.model, run.faces.tensor(run.split.test[:1]))
    figure = chapter.last_layers(image, run.classes)
    shown = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert f"{float(image.logits.amax()):.3f}" in shown
    assert shown.count("$i$ =") == 16
