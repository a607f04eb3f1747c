"""Why backtracking is blind: the rule that keeps few neurons, the argument, and its limits."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from tests.helpers import loops, small
from tinyvgg.backtracking import NAMED, Literal, Strongest, backtrack
from tinyvgg.chapters import blindness
from tinyvgg.chapters.blindness import KEPT, compare, expected_overlap, random_head


def slowly(activations, weights, k, most):
    """Return the kept neurons of a_0, ..., a_n by plain loops, at most so many of a_1, ..., a_n."""
    kept = [{k}]
    for layer, (a, W) in reversed(list(enumerate(zip(activations, weights, strict=True)))):
        found = loops.step(a, W, kept[0])
        largest = {r: max(a[r] * W[r][i] for i in kept[0]) for r in found}
        order = sorted(found, key=lambda r: (-largest[r], r))
        kept.insert(0, set(order if layer == 0 else order[:most]))
    return kept[:-1]


@pytest.mark.parametrize(("most", "k"), list(product((1, 3, 1000), (0, 4))))
def test_only_the_neurons_of_the_largest_products_stay_in_hidden_layers(most, k):
    traces = small.trace(bias=0.3)
    found = backtrack(traces, k, Strongest(most))
    for image in range(len(traces)):
        layers = [found.pixels[image].flatten(), *(kept[image] for kept in found.neurons)]
        sets = [set(layer.nonzero().flatten().tolist()) for layer in layers]
        assert sets == slowly(*small.as_lists(traces[image]), k, most)
    if most == 1000:
        assert torch.equal(found.pixels, backtrack(traces, k, Literal()).pixels)


@pytest.mark.parametrize(("wrong", "common", "own"), [(0.5, 0, 3), (0.5, 2, 1), (0.9, 5, 10)])
def test_the_expected_overlap_is_that_of_random_signs(wrong, common, own):
    draw = np.random.default_rng(0)
    positive = draw.random((200_000, common + 2 * own)) > wrong
    first, second = positive[:, : common + own].any(1), positive[:, own:].any(1)
    overlap = (first & second).sum() / (first | second).sum()
    m, either = common + own, common + 2 * own
    assert expected_overlap(wrong, m, m, either) == pytest.approx(overlap, abs=0.005)
    least = (1 - wrong**m) / (1 + wrong**m)
    assert expected_overlap(wrong, m, m, 2 * m) == pytest.approx(least)
    assert expected_overlap(wrong, m, m, m) == 1


def test_an_untrained_head_loses_the_cells_that_coins_say_and_overlaps_as_expected():
    for width, density in ((4, 1.0), (16, 1.0), (64, 0.1)):
        head = random_head((width,), density=density)
        found = compare(head, head.predicted, (head.predicted + 1) % 8, Literal())
        assert found["wrong"] == pytest.approx(1 - density / 2, abs=0.03)
        assert found["pixels"] == pytest.approx(found["expected"], abs=0.05)
        assert ((head.maps > 0).double().mean() - 0.5).abs() < 0.02


def test_comparison_counts_neurons_losses_and_overlaps_of_each_layer():
    traces, (first, second) = small.trace(bias=0.3), torch.tensor([[0, 1, 2, 3], [4, 4, 4, 4]])
    found, overlaps, lost, counts = compare(traces, first, second, Strongest(2)), [], [], []
    for image in range(4):
        lists = small.as_lists(traces[image])
        one, other = (slowly(*lists, int(k[image]), 2) for k in (first, second))
        overlaps.append([len(a & b) / len(a | b) for a, b in zip(one, other, strict=True)])
        lost.append(1 - len(one[0]) / sum(a > 0 for a in lists[0][0]))
        counts.append((len(one[1]) + len(other[1])) / 2)
    names = ("pixels", "a_1", "a_2", "a_3")
    assert [found[name] for name in names] == pytest.approx(np.mean(overlaps, 0))
    assert (found["lost"], found["neurons"]) == pytest.approx((np.mean(lost), np.mean(counts)))


def test_nothing_is_lost_without_negative_weights_and_nothing_is_common_in_sparse_ones():
    head = random_head((32, 32), positive=True)
    found = compare(head, head.predicted, (head.predicted + 1) % 8, Strongest(1))
    assert (found["wrong"], found["lost"], found["pixels"]) == (0, 0, 1)
    sparse = random_head((256,), density=0.02)
    assert compare(sparse, sparse.predicted, (sparse.predicted + 1) % 8, Literal())["pixels"] < 0.1


def test_where_the_neurons_are_the_same_every_last_step_finds_the_same():
    trace = random_head((256, 256))
    for name in ("literal", "cutoff", "published"):
        one, other = (backtrack(trace, k, NAMED[name]) for k in (0, 1))
        assert torch.equal(one.neurons[0], other.neurons[0])
        assert not torch.equal(one.neurons[1], other.neurons[1])
        assert torch.equal(one.pixels, other.pixels)


def test_a_network_is_measured_with_few_and_with_all_neurons(run):
    row = blindness.blindness(run)
    assert row["images"] == len(run.errors)
    for name in ("a_1", "pixels", "expected", "neurons", "lost"):
        assert len(row[name]) == len(KEPT) + 1
    assert len(row["active"]) == len(row["selected"]) == 3
    assert all(a >= b for a, b in zip(row["active"], row["selected"], strict=True))
    assert math.isclose(row["neurons"][0], 1)
    assert 0 <= row["same_neurons"] <= row["same_cutoff"] <= 1
