"""The rules of our own, and an average between the last maps and the dense layers."""

import pytest
import torch
from torch import nn

from tests.helpers import small
from tinyvgg.backtracking import (
    NAMED,
    Contrastive,
    Contribution,
    Cutoff,
    Literal,
    Rule,
    Stepwise,
    backtrack,
)
from tinyvgg.contribution import contributions
from tinyvgg.errors import UserError
from tinyvgg.repairs import repair
from tinyvgg.trace import record

HIDDEN = [(), (9,), (16, 12, 10)]


def shares_by_autograd(net, trace, logit):
    """Activation times gradient of a scalar of the logits, for the pixels and each hidden layer."""
    maps = trace.maps.clone().requires_grad_()
    layers, value = [maps], maps
    for layer in net[10:]:
        value = layer(value)
        if isinstance(layer, nn.ReLU):
            layers.append(value)
    gradients = torch.autograd.grad(logit(value).sum(), layers)
    return [(a * g).detach() for a, g in zip(layers, gradients, strict=True)]


@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
@pytest.mark.parametrize("against", [2, torch.tensor([1, 1, 0, 0]), None, "nothing"], ids=str)
def test_what_is_kept_adds_to_the_logit_or_to_the_difference_of_two(hidden, against):
    net = small.model(hidden=hidden)
    trace = small.trace(net)
    target = torch.tensor([3, 0, 4, 3])
    rule = Contribution() if against == "nothing" else Contrastive(against)
    if against is None:
        others = trace.logits.clone()
        others[range(4), target] = -torch.inf
        against = others.argmax(1)

    def wanted(logits):
        logit = logits.gather(1, target[:, None])[:, 0]
        if isinstance(rule, Contribution):
            return logit
        return logit - logits[range(4), torch.as_tensor(against).expand(4)]

    shares = shares_by_autograd(net, trace, wanted)
    found = backtrack(trace, target, rule)
    for kept, share in zip((found.pixels, *found.neurons), shares, strict=True):
        assert torch.equal(kept, share > 0)


@pytest.mark.parametrize("rule", [Contribution, Contrastive])
def test_top_keeps_the_largest_shares_and_all_neurons(rule):
    trace = small.trace()
    whole = backtrack(trace, rule=rule())
    shares = contributions(trace, None)
    if rule is Contrastive:
        shares = contributions(trace, None, trace.logits.sort(1).indices[:, -2])
    for top in (0, 1, 4, 10_000):
        some = backtrack(trace, rule=rule(top=top))
        assert all(map(torch.equal, some.neurons, whole.neurons))
        for image in range(4):
            count = min(top, int(whole.pixels[image].sum()))
            best = shares[image].flatten().topk(count).indices.sort().values
            assert torch.equal(some.pixels[image].flatten().nonzero().flatten(), best)


def test_contrastive_repairs_more_than_the_literal_rule_can_tell_apart():
    trace = small.trace(n=8)
    wanted = trace.logits.sort(1).indices[:, -2]
    contrast = backtrack(trace, None, Contrastive(wanted)).pixels
    assert not torch.equal(contrast, backtrack(trace).pixels)
    found = repair(trace, wanted)
    assert found.repaired.any()
    assert (found.pixels & contrast).any()


def test_a_negative_number_of_pixels_and_a_class_that_is_not_there_are_refused():
    for rule in (Contribution, Contrastive):
        with pytest.raises(UserError, match="top -1 is negative"):
            rule(top=-1)
    with pytest.raises(UserError, match="target 7 is not one of the classes 0 to 4"):
        backtrack(small.trace(), 0, Contrastive(against=7))


def test_all_rules_are_rules_and_one_of_the_users_own_needs_only_a_step():
    class Strong(Stepwise):
        def step(self, activations, weight, above, last):
            return (activations > 0) & ((weight.clamp(min=0).T @ above.double().T).T > 0.5)

    assert all(isinstance(rule, Rule) for rule in (*NAMED.values(), Strong()))
    trace = small.trace()
    pixels = backtrack(trace, rule=Strong()).pixels
    assert pixels.any()
    assert not (pixels & ~backtrack(trace).pixels).any()
    with pytest.raises(TypeError, match="Stepwise has to define step"):
        backtrack(trace, rule=Stepwise())


def averaged(size, relu):
    """A network with an average before the head, and the same one without: a larger first layer."""
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.AdaptiveAvgPool2d(size)] + ([nn.ReLU()] if relu else []) + [nn.Flatten()]
    inputs = nn.Sequential(*layers)(torch.zeros(1, 3, 12, 12)).numel()
    head = [nn.Linear(inputs, 9), nn.ReLU(), nn.Linear(9, 5)]
    net = small.randomise(nn.Sequential(*layers, *head).double(), bias=0.3, seed=3)
    ones = torch.eye(100).double().reshape(100, 4, 5, 5)
    composed = nn.Linear(100, 9).double()
    with torch.no_grad():
        composed.weight.copy_(net[-3].weight @ net[3](ones).flatten(1).T)
        composed.bias.copy_(net[-3].bias)
    return net, nn.Sequential(*net[:3], nn.Flatten(), composed, *net[-2:])


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 7, (None, 3)], ids=str)
def test_an_average_and_the_first_dense_layer_are_one_linear_layer(size, relu):
    net, plain = averaged(size, relu)
    ours, theirs = record(net, small.images()), record(plain, small.images())
    torch.testing.assert_close(ours.logits, theirs.logits)
    torch.testing.assert_close(contributions(ours, 1, 2), contributions(theirs, 1, 2))
    for rule in (Literal(), Cutoff(), Contribution(top=7), Contrastive(against=2)):
        one, other = backtrack(ours, 1, rule), backtrack(theirs, 1, rule)
        assert one.pixels.any()
        assert torch.equal(one.pixels, other.pixels)
    wanted = ours.logits.argmin(1)
    assert torch.equal(repair(ours, wanted).pixels, repair(theirs, wanted).pixels)
