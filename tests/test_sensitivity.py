"""What backtracking keeps and how it depends on the class, on small random networks."""

import numpy as np
import pytest
import torch

from tests.helpers import networks
from tinyvgg.backtracking import Literal, backtrack
from tinyvgg.chapters.backtracking import (
    PIXELS,
    averages,
    bias_table,
    difference_interval,
    example,
    follow_errors,
    jaccard,
    kept_table,
    logit_terms,
    logits_without_biases,
    masks,
    overlap_table,
    random_classes,
    record_errors,
    sample_rows,
)
from tinyvgg.trace import record


@pytest.fixture(scope="module")
def run():
    return networks.run()


@pytest.fixture(scope="module")
def followed(run):
    return follow_errors(run)


def test_overlap_is_intersection_over_union_and_unknown_for_two_empty_sets():
    first = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    second = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    found = jaccard(first, second).tolist()
    assert found[:2] == [pytest.approx(1 / 3), 1.0]
    assert np.isnan(found[2])


def test_random_class_is_neither_predicted_nor_true(followed):
    trace = followed.trace
    labels = followed.targets["true"]
    for seed in range(10):
        classes = random_classes(trace, labels, seed)
        assert not (classes == trace.predicted).any()
        assert not (classes == labels).any()
    draws = torch.stack([random_classes(trace, labels, seed) for seed in range(10)])
    assert len(draws.unique(dim=0)) > 1


def test_walk_is_reported_from_the_last_hidden_layer_down(followed):
    found = followed.found["literal"]["predicted"]
    assert list(masks(found)) == ["a_3", "a_2", "a_1", PIXELS]
    assert masks(found)["a_3"].shape[1] == 12
    assert torch.equal(masks(found)["a_1"], found.neurons[0])


def test_kept_units_are_counted_among_the_active_ones(followed):
    table = kept_table(followed)
    row = table[(table["rule"] == "literal") & (table["layer"] == "a_2")].iloc[1]
    on = followed.trace.dense[1][1] > 0
    kept = followed.found["literal"]["predicted"].neurons[1][1]
    assert row["active"] == int(on.sum())
    assert row["kept"] == int(kept.sum())
    assert row["share"] == pytest.approx(int(kept.sum()) / int(on.sum()))
    assert (table["share"].dropna() <= 1).all()


def test_overlap_compares_the_sets_of_two_walks(followed):
    table = overlap_table(followed)
    chosen = table.query("rule == 'literal' and layer == 'a_3' and against == 'true'")
    sets = [
        backtrack(followed.trace, followed.targets[name], Literal()).neurons[-1]
        for name in ("predicted", "true")
    ]
    expected = jaccard(*sets).numpy()
    np.testing.assert_allclose(chosen["overlap"].to_numpy(), expected)
    assert set(table["rule"]) == {"literal", "cutoff", "contribution"}


def test_averages_leave_out_unknown_values_and_bracket_the_mean(followed):
    table = kept_table(followed)
    table.loc[0, "share"] = np.nan
    found = averages(table, ["rule", "layer"], "share")
    assert found["images"].iloc[0] == len(followed.trace) - 1
    assert ((found["low"] <= found["mean"]) & (found["mean"] <= found["high"])).all()


def test_difference_interval_sees_a_difference_and_its_sign():
    draw = np.random.default_rng(0)
    first, second = draw.normal(3, 1, 50), draw.normal(1, 1, 80)
    low, high = difference_interval(first, second)
    assert 1 < low < 2 < high < 3
    assert np.isnan(difference_interval(first, second[:0]).low)


def test_terms_add_up_to_the_winning_logit(run):
    trace = record(run.model, run.faces.tensor(run.split.test))
    products, bias = logit_terms(trace)
    torch.testing.assert_close(products.sum(1) + bias, trace.logits.amax(1))


@torch.no_grad()
def test_logits_without_biases_are_those_of_a_network_without(run):
    images = run.faces.tensor(run.split.test)
    trace = record(run.model, images)
    bare = networks.run().model
    bare.classifier[-1].bias.zero_()
    torch.testing.assert_close(logits_without_biases(trace), bare(images))
    for layer in bare.classifier:
        if hasattr(layer, "bias") and layer.bias is not None:
            layer.bias.zero_()
    torch.testing.assert_close(logits_without_biases(trace, every=True), bare(images))


def test_share_of_the_bias_is_of_the_sizes_of_all_terms(run):
    trace = record(run.model, run.faces.tensor(run.split.test))
    products, bias = logit_terms(trace)
    row = bias_table(trace).iloc[0]
    whole = products[0].abs().sum() + bias[0].abs()
    assert row["share"] == pytest.approx(float(bias[0].abs() / whole), rel=1e-5)


def test_sample_is_of_test_rows_without_repetition(run):
    rows = sample_rows(run, 5, seed=3)
    assert len(set(rows.tolist())) == 5
    assert set(rows) <= set(run.split.test)
    assert len(sample_rows(run, 500, seed=0)) == len(run.split.test)


def test_run_without_errors_gives_empty_tables_and_still_an_example():
    run = networks.run(wrong=False)
    followed = follow_errors(run)
    assert len(record_errors(run)) == 0
    assert len(kept_table(followed)) == 0
    assert len(averages(overlap_table(followed), ["rule"], "overlap")) == 0
    assert torch.equal(example(run).images, run.faces.tensor(run.split.test[:1]))
