import itertools
from functools import cache

import pytest
import torch
from torch import nn

from tests.helpers import small
from tinyvgg import repairs as repairing
from tinyvgg.errors import UserError
from tinyvgg.network import head
from tinyvgg.repairs import margin, repair, smallest_repair
from tinyvgg.trace import record
from tinyvgg.tracking import rescore


def tiny(seed, negative=False):
    """A network of 12 pixels, so that all 4,096 sets of them can be tried."""
    layers = [nn.Conv2d(3, 3, 3), nn.Identity() if negative else nn.ReLU(), nn.MaxPool2d(5)]
    layers += [nn.Flatten(), nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 8), nn.ReLU()]
    return small.randomise(nn.Sequential(*layers, nn.Linear(8, 5)).double(), bias=0.3, seed=seed)


@cache
def every_set(pixels):
    masks = torch.tensor(list(itertools.product([False, True], repeat=pixels)))
    return masks, [frozenset(mask.nonzero().flatten().tolist()) for mask in masks]


def every_repairing_set(trace, label):
    """All sets of pixels of a one-image trace whose suppression gives the label, by brute force."""
    masks, sets = every_set(trace.maps.numel())
    maps = trace.maps.expand(len(masks), -1, -1, -1).masked_fill(
        masks.reshape(-1, *trace.maps.shape[1:]), 0
    )
    right = head(trace.network, maps).argmax(1) == label
    return list(itertools.compress(sets, right.tolist()))


def as_set(pixels):
    return frozenset(pixels.flatten().nonzero().flatten().tolist())


@pytest.mark.parametrize("negative", [False, True])
def test_sets_are_minimal_by_inclusion_and_nearly_always_the_smallest_there_are(negative):
    gaps, repairable = [], 0
    for seed, label in itertools.product(range(6), range(small.CLASSES)):
        trace = record(tiny(seed, negative), small.images(3, seed=seed))
        found = repair(trace, label, budget=2**12)
        for image in (trace.predicted != label).nonzero().flatten().tolist():
            sets, ours = every_repairing_set(trace[image], label), as_set(found.pixels[image])
            repairable += bool(sets)
            assert bool(found.repaired[image]) == bool(found.minimal[image]) == (ours in sets)
            if ours in sets:
                assert not [other for other in sets if other < ours]
                gaps.append(len(ours) - min(map(len, sets)))
    assert len(gaps) > 10
    assert sum(gap == 0 for gap in gaps) > 0.7 * len(gaps)
    assert sum(gaps) < 0.3 * len(gaps)
    assert len(gaps) > 0.85 * repairable


def test_the_smallest_repair_is_that_of_all_parts_of_a_set():
    trace = record(tiny(seed=0), small.images(3, seed=0))
    half = torch.rand(trace.maps.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    for label in range(small.CLASSES):
        for pixels in (half, torch.ones_like(half)):
            sizes = smallest_repair(trace, label, pixels).tolist()
            for image, size in enumerate(sizes):
                allowed = as_set(pixels[image])
                sets = [one for one in every_repairing_set(trace[image], label) if one <= allowed]
                assert size == min(map(len, sets), default=-1)


def test_a_batch_gives_the_stacked_results_of_its_images_and_the_trace_stays_as_it_is():
    trace = small.trace(n=5)
    wanted, before = trace.logits.sort(1).indices[:, -2], trace.maps.clone()
    found = repair(trace, wanted)
    for image in range(5):
        one = repair(trace[image], wanted[image : image + 1])
        assert torch.equal(one.pixels[0], found.pixels[image])
    assert torch.equal(trace.maps, before)


def test_the_result_is_what_rescoring_says():
    trace = small.trace(n=8)
    wanted = trace.logits.sort(1).indices[:, -2]
    found = repair(trace, wanted)
    logits = rescore(trace, found.pixels)
    assert torch.equal(found.repaired, logits.argmax(1) == wanted)
    assert torch.equal(found.margin, margin(logits, wanted))
    assert torch.equal(found.size, found.pixels.flatten(1).sum(1))
    assert torch.equal(found.true_class, wanted)
    assert len(found) == 8
    assert found.repaired.any()
    assert not (found.pixels & (trace.maps == 0)).any()
    right = repair(trace, trace.predicted)
    assert (right.repaired & right.minimal).all()
    assert not right.pixels.any()


def test_where_nothing_repairs_the_best_margin_is_kept_and_it_says_so():
    net = small.model()
    with torch.no_grad():
        net[-1].bias[3] = -100.0
    trace = small.trace(net)
    found = repair(trace, 3)
    assert not (found.repaired | found.minimal).any()
    before = margin(trace.logits, found.true_class)
    assert (found.margin >= before).all()
    assert (found.margin > before).any()


def test_no_single_pixel_of_a_large_set_can_be_left_out_whatever_the_budget():
    trace = small.trace(n=8, hidden=(16, 12), size=24)
    found = repair(trace, trace.logits.argmin(1), budget=0)
    large = found.repaired & (found.size > 3)
    assert large.any()
    for image in large.nonzero().flatten().tolist():
        assert found.depth[image] >= 1
        for pixel in found.pixels[image].nonzero():
            fewer = found.pixels[image].clone()
            fewer[tuple(pixel)] = False
            logits = rescore(trace[image], fewer[None])
            assert logits.argmax() != found.true_class[image]


def test_a_set_that_a_tie_undoes_is_not_taken(monkeypatch):
    trace = small.trace(n=8, size=24)
    wanted = trace.logits.argmin(1)
    monkeypatch.setattr(
        repairing, "_prune", lambda trace, label, pixels, budget: (torch.zeros_like(pixels), 7)
    )
    found = repair(trace, wanted)
    assert found.repaired.any()
    assert not found.depth.any()


@pytest.mark.parametrize(
    ("repairs", "message"),
    [
        (lambda trace: repair(trace, 5), "target 5"),
        (lambda trace: repair(trace, 0, budget=-1), "budget -1"),
        (lambda trace: smallest_repair(trace, 0, trace.maps < torch.inf), "54 pixels.* 16 at most"),
    ],
    ids=["class", "budget", "size"],
)
def test_bad_input_is_refused(repairs, message):
    with pytest.raises(UserError, match=message):
        repairs(small.trace())
