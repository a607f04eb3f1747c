"""Patching cells of errors with the values of their look-alikes, on small runs."""

from dataclasses import replace

import pytest
import torch

from tests.helpers import small
from tinyvgg.chapters import patching
from tinyvgg.chapters.cases import pixel_sets
from tinyvgg.contribution import patch_effects
from tinyvgg.network import dense_forward, head
from tinyvgg.trace import record
from tinyvgg.tracking import rescore


def slowly(trace, other, scores, count):
    """Return the answers once `count` cells hold the other's values, one cell after the other."""
    found = []
    for maps, values, score in zip(trace.maps, other.maps, scores, strict=True):
        patched, flat = maps.clone().flatten(), score.flatten().tolist()
        for cell in sorted(range(len(flat)), key=lambda cell: -flat[cell])[:count]:
            patched[cell] = values.flatten()[cell]
        found.append(int(head(trace.network, patched.reshape(maps[None].shape)).argmax()))
    return found


def test_the_score_is_the_gradient_of_both_logits_difference_times_that_of_the_maps():
    net = small.model()
    trace, other = record(net, small.images(6)), record(net, small.images(6, seed=2))
    other = replace(other, logits=other.logits.roll(1, 1))
    maps = trace.maps.clone().requires_grad_()
    logits = dense_forward(trace.network, maps)[1]
    given, against = (logits.gather(1, each.predicted[:, None]).sum() for each in (trace, other))
    (gradient,) = torch.autograd.grad(given - against, maps)
    expected = gradient * (trace.maps - other.maps)
    assert expected.any()
    torch.testing.assert_close(patch_effects(trace, other), expected)


@pytest.mark.parametrize("behind", [torch.nn.Identity, torch.nn.ReLU])
def test_a_network_linear_above_its_pixels_changes_by_the_sum_of_the_scores(behind):
    torch.manual_seed(0)
    body = [torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2)]
    body += [torch.nn.ReLU()] if behind is torch.nn.ReLU else []
    net = torch.nn.Sequential(*body, torch.nn.Flatten(), torch.nn.Linear(100, 3)).double().eval()
    trace, other = (record(net, small.images(4, seed=seed)) for seed in (0, 2))
    assert bool((trace.maps < 0).any())
    scores, some = patch_effects(trace, other, 0, 1), torch.rand(trace.maps.shape) < 0.5
    before, after = (z[:, 0] - z[:, 1] for z in (trace.logits, rescore(trace, some, other.maps)))
    torch.testing.assert_close(before - after, (scores * some).flatten(1).sum(1))


def test_curves_are_what_patching_one_cell_after_the_other_does(pairs):
    wrong, right = pairs.wrong, pairs.right
    size = wrong.maps[0].numel()
    for drawn in patching.rankings(pairs).values():
        found = patching.curve(wrong, right, drawn[-1])
        counts = [*(2**power for power in range(len(found) - 1)), size]
        assert counts[-2] < size <= 2 * counts[-2]
        for count, share in zip(counts, found, strict=True):
            right_now = torch.tensor(slowly(wrong, right, drawn[-1], count)) == pairs.labels
            assert share == pytest.approx(float(right_now.double().mean()))
        assert found[-1] == 1


def test_backtracking_begins_with_what_is_unique_to_the_error_and_chance_with_what_differs(pairs):
    ranked, sets = patching.rankings(pairs), pixel_sets(pairs, patching.CUTOFF)
    for place in range(len(pairs)):
        maps, unique, found = (
            each[place].flatten() for each in (pairs.wrong.maps, sets.unique, sets.wrong)
        )
        order = sorted(range(len(maps)), key=lambda c: (not unique[c], not found[c], -maps[c]))
        scores = ranked["backtracking"][0][place].flatten()
        assert [*maps[order]] == [*maps[scores.argsort(descending=True, stable=True)]]
    ranks, apart = patching.ranks(ranked["random"][0]), pairs.wrong.maps != pairs.right.maps
    assert torch.equal(ranks < apart.flatten(1).sum(1)[:, None, None, None], apart)
    assert len({tuple(scores.flatten().tolist()) for scores in ranked["random"]}) > 1


def test_a_row_has_curves_controls_and_the_pictures_of_an_error_that_is_repaired(run, pairs):
    row = patching.patches(run)
    assert (row["pairs"], row["cells"]) == (len(pairs), pairs.wrong.maps[0].numel())
    assert {values[-1] for values in row["curves"].values()} == {1}
    eight = patch_effects(pairs.right, pairs.wrong)
    taken = torch.tensor(slowly(pairs.right, pairs.wrong, eight, patching.EIGHT))
    expected = float((taken == pairs.wrong.predicted).double().mean())
    assert row["curves"]["back"][3] == pytest.approx(expected)
    assert row["filled"][0] == pytest.approx(row["curves"]["gradient"][3])
    assert row["pictures"]["images"].shape == (2, 16, 16, 3)
    assert row["pictures"]["inks"].shape == (2, 16, 16)
    assert {row["given"], row["true"]} <= set(run.classes)
    assert row["given"] != row["true"]
