"""Chapter 4: what backtracking keeps and how it depends on the class, on small random networks."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers import small, small_runs
from tests.helpers.made_up import sentence
from tinyvgg.backtracking import Literal, backtrack
from tinyvgg.chapters import backtracking as chapter
from tinyvgg.chapters.backtracking import follow_errors, kept_table, overlap_table
from tinyvgg.chapters.statistics import averages, bootstrap_difference
from tinyvgg.trace import record


@pytest.fixture(scope="module")
def run():
    return small_runs.run("subject")


@pytest.fixture(scope="module")
def followed(run):
    return follow_errors(run)


@pytest.fixture(scope="module")
def overlap(followed):
    return averages(overlap_table(followed), ["rule", "layer", "against"], "overlap")


def by_claim(verdicts):
    return {each.claim: each for each in verdicts}


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


def test_a_digest_changes_with_a_single_pixel(followed):
    pixels = followed.pixels("cutoff")
    other = pixels.clone()
    other[1, 2, 0, 1] ^= True
    assert chapter.digest(pixels) == chapter.digest(pixels.clone()) != chapter.digest(other)
    assert len(chapter.digest(pixels[:0])) == 16


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
    assert shown.index.tolist() == [("cutoff", "pixels", "true"), ("cutoff", "pixels", "random")]
    assert shown["identity"].tolist() == ["1.000 (1.000 to 1.000)", "0.750 (0.250 to 1.000)"]
    assert "literal: a_2, pixels; cutoff: a_2." in left_out


def test_terms_add_up_to_the_winning_logit(run):
    trace = record(run.model, run.faces.tensor(run.split.test))
    products, bias = chapter.logit_terms(trace)
    torch.testing.assert_close(products.sum(1) + bias, trace.logits.amax(1))


@pytest.mark.parametrize(
    ("softmax", "sums", "changed", "expected"),
    [
        (1e-7, 1e-7, 0, ("holds", "holds", "holds")),
        (1e-7, 1e-7, 20, ("holds", "holds in part", "holds")),
        (1.0, 1.0, 20, ("does not hold", "does not hold", "does not hold")),
    ],
)
def test_equations_hold_where_the_network_follows_them(softmax, sums, changed, expected):
    same = np.arange(100) >= changed
    table = pd.DataFrame({"softmax_gap": softmax, "sum_gap": sums, "same_without_last": same})
    found = by_claim(chapter.equation_verdicts({"subject": table}))
    assert tuple(found[claim].verdict for claim in ("E2", "E3", "F6")) == expected
    assert f"identity: without the last biases {changed} of 100" in found["E3"].reason


def test_identity_draws_on_more_pixels_only_where_it_does_and_emotion_is_there(followed, overlap):
    other = follow_errors(small_runs.run("emotion"))
    of_both = {"subject": followed, "emotion": other}
    overlaps = dict.fromkeys(of_both, overlap)
    found = by_claim(chapter.algorithm_verdicts(of_both, overlaps, False, True))
    counts = [chapter.pixel_counts(part, "literal") for part in (followed, other)]
    low, _ = bootstrap_difference(*counts)
    assert ("✓ literal" in found["B1"].reason) == (low > 0)
    assert "✗ step 3" in found["A1"].reason
    only = chapter.algorithm_verdicts({"class": followed}, {"class": overlap}, False, True)
    assert by_claim(only)["B1"].verdict == "cannot be tested here"
    assert by_claim(only)["A1"].verdict != "cannot be tested here"


def test_run_without_errors_says_so_in_every_figure_and_verdict(run):
    run = run.having(logits=torch.eye(3)[run.labels])
    followed = follow_errors(run)
    kept = averages(kept_table(followed), ["rule", "layer"], "share")
    assert len(kept) == len(chapter.layer_summary({"subject": kept})[0]) == 0
    found = chapter.algorithm_verdicts({"subject": followed}, {"subject": kept}, False, True)
    assert {each.verdict for each in found} == {"cannot be tested here"}
    for figure in (
        chapter.layers_figure({"subject": kept}, "share"),
        chapter.maps_without_pixels([(run, followed)]),
        chapter.pixel_histograms({"subject": followed}),
    ):
        assert sentence(figure).startswith("No image of this run is misclassified")


def test_last_layers_figure_shows_the_terms_it_draws(run):
    image = record(run.model, run.faces.tensor(run.split.test[:1]))
    figure = chapter.last_layers(image, run.classes)
    shown = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert f"{float(image.logits.amax()):.3f}" in shown
    assert shown.count("$i$ =") == 16
