"""What holds for every network of the kind, tried on random ones."""

from itertools import pairwise
from typing import NamedTuple

import hypothesis.strategies as st
import torch
from hypothesis import given, reject, settings
from torch import nn

from tests.helpers import small
from tinyvgg.backtracking import Contrastive, Contribution, Cutoff, Literal, backtrack, published
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.network import Pooling
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, suppress, track_features

RULES = [Literal(), Cutoff(), published(), Contribution(), Contribution(3), Contrastive(top=5)]
RULES += [Contrastive(), Contrastive(against=1)]
common = settings(max_examples=15, deadline=None, derandomize=True)


class Drawn(NamedTuple):
    net: nn.Sequential
    images: torch.Tensor


@st.composite
def networks(draw):
    """Convolutions, batch norms, ReLUs and max-pools of many kinds; an average; dense layers."""
    size = draw(st.integers(9, 20))
    layers, channels = [], 3
    for _ in range(draw(st.integers(1, 3))):
        width, kernel = draw(st.integers(1, 6)), draw(st.integers(1, 3))
        padding, bias = draw(st.integers(0, 1)), draw(st.booleans())
        stride = draw(st.integers(1, 2))
        layers.append(nn.Conv2d(channels, width, kernel, stride, padding, bias=bias))
        layers += [nn.BatchNorm2d(width)] if draw(st.booleans()) else []
        layers.append(nn.ReLU(inplace=draw(st.booleans())))
        pool = draw(st.sampled_from([(2, 2, 0), (2, 1, 0), (3, 2, 1), (3, 2, 0)]))
        layers.append(nn.MaxPool2d(*pool, ceil_mode=draw(st.booleans())))
        channels = width
    layers += [nn.AdaptiveAvgPool2d(draw(st.integers(1, 4)))] if draw(st.booleans()) else []
    layers += [nn.Flatten(), nn.Dropout()]
    try:
        inputs = nn.Sequential(*layers).eval()(torch.zeros(1, 3, size, size)).numel()
    except RuntimeError:  # no room left for a window
        reject()
    hidden = draw(st.lists(st.integers(4, 12), max_size=3))
    dense = [
        part
        for before, after in pairwise((inputs, *hidden, small.CLASSES))
        for part in (nn.Linear(before, after), nn.ReLU(inplace=draw(st.booleans())))
    ]
    net = nn.Sequential(*layers, *dense[:-1]).double()
    small.randomise(net, bias=0.3, seed=draw(st.integers(0, 99)))
    return Drawn(net, small.images(size=size))


@common
@given(networks(), st.sampled_from(RULES), st.sampled_from([{}, {"relu": False}, PUBLISHED]))
def test_the_record_is_what_the_network_gives_and_a_batch_equals_its_images(drawn, rule, options):
    trace = record(*drawn)
    torch.testing.assert_close(trace.logits, drawn.net.eval()(trace.images).detach())
    found = backtrack(trace, rule=rule)
    features, logits = track_features(trace, found.pixels, **options), rescore(trace, found.pixels)
    for row in range(len(trace)):
        one = record(drawn.net, trace.images[row : row + 1])
        alone = backtrack(one, rule=rule)
        assert torch.equal(alone.pixels[0], found.pixels[row])
        assert all(map(torch.equal, alone.neurons, (each[row : row + 1] for each in found.neurons)))
        torch.testing.assert_close(rescore(one, alone.pixels)[0], logits[row])
        torch.testing.assert_close(
            track_features(one, alone.pixels, **options)[0], features[row], rtol=1e-6, atol=1e-8
        )


@common
@given(networks(), st.sampled_from(RULES[:-1]), st.permutations(range(small.CLASSES)))
def test_permuting_the_classes_permutes_the_targets(drawn, rule, order):
    trace = record(*drawn)
    last = drawn.net[-1]
    before = [backtrack(trace, k, rule) for k in range(small.CLASSES)]
    with torch.no_grad():
        last.weight.copy_(last.weight[list(order)])
        last.bias.copy_(last.bias[list(order)])
    again = record(*drawn)
    for new, old in enumerate(order):
        assert torch.equal(backtrack(again, new, rule).pixels, before[old].pixels)


@common
@given(networks(), st.sampled_from(RULES), st.randoms(use_true_random=False))
def test_permuting_hidden_neurons_permutes_what_is_kept(drawn, rule, random):
    trace = record(*drawn)
    dense = [layer for layer in drawn.net if isinstance(layer, nn.Linear)]
    if len(dense) < 2 or rule == published():  # by value, the order decides
        return
    order = random.sample(range(dense[0].out_features), dense[0].out_features)
    before = backtrack(trace, rule=rule)
    with torch.no_grad():
        dense[0].weight.copy_(dense[0].weight[order])
        dense[0].bias.copy_(dense[0].bias[order])
        dense[1].weight.copy_(dense[1].weight[:, order])
    after = backtrack(record(*drawn), rule=rule)
    assert torch.equal(after.neurons[0], before.neurons[0][:, order])
    assert torch.equal(after.pixels, before.pixels)


@common
@given(networks())
def test_sets_shrink_as_a_cutoff_or_a_number_falls(drawn):
    trace = record(*drawn)
    larger = backtrack(trace).pixels
    for percentile in (0.0, 50.0, 90.0, 100.0):
        smaller = backtrack(trace, rule=Cutoff(percentile, floor=0.0)).pixels
        assert not (smaller & ~larger).any()
        larger = smaller
    larger = backtrack(trace, rule=Contrastive()).pixels
    for top in (9, 4, 1, 0):
        smaller = backtrack(trace, rule=Contrastive(top=top)).pixels
        assert not (smaller & ~larger).any()
        assert (smaller.flatten(1).sum(1) <= top).all()
        larger = smaller


@common
@given(networks())
def test_suppressing_nothing_changes_nothing(drawn):
    trace = record(*drawn)
    nothing = torch.zeros_like(trace.maps, dtype=torch.bool)
    assert torch.equal(rescore(trace, nothing), trace.logits)
    assert torch.equal(suppress(trace.maps, nothing), trace.maps)
    for options in ({}, PUBLISHED):
        assert not track_features(trace, nothing, **options).any()


@common
@given(networks())
def test_contributions_and_biases_sum_to_the_logit(drawn):
    """Without pixels but with the same neurons active, what is left of a logit is its biases."""
    trace = record(*drawn)
    rest = torch.zeros(len(trace), 0).double()
    active = [None, *(activation > 0 for activation in trace.dense)]
    for layer, on in zip(trace.network.dense, active, strict=True):
        weight, bias = layer.module.weight, layer.module.bias
        rest = bias.expand(len(trace), -1) if on is None else (rest * on) @ weight.T + bias
    for k in range(small.CLASSES):
        share = contributions(trace, k).flatten(1).sum(1)
        torch.testing.assert_close(share + rest[:, k].detach(), trace.logits[:, k])


@common
@given(networks())
def test_without_relu_projection_is_linear_and_without_bias_it_scales_with_the_maps(drawn):
    trace = record(*drawn)
    maps, other = trace.maps, trace.maps.flip(0)
    both = deconvolve(trace, maps - 2 * other, relu=False)
    apart = deconvolve(trace, maps, relu=False) - 2 * deconvolve(trace, other, relu=False)
    torch.testing.assert_close(both, apart)
    assert not deconvolve(trace, torch.zeros_like(maps)).any()
    torch.testing.assert_close(deconvolve(trace, 3 * maps), 3 * deconvolve(trace))


@common
@given(st.integers(2, 3), st.booleans(), st.integers(4, 13), st.integers(4, 13), st.integers(0, 99))
def test_what_is_unpooled_pools_to_the_same(kernel, ceil_mode, height, width, seed):
    pool = Pooling("pool", (kernel, kernel), (kernel, kernel), ceil_mode=ceil_mode)
    x = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    maps, switches = pool.forward(x)
    again, same = pool.forward(pool.transpose(maps, switches, (height, width)))
    assert torch.equal(again, maps)
    assert torch.equal(same, switches)
