import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers import loops, small
from tinyvgg import edges
from tinyvgg.backtracking import (
    NAMED,
    Contrastive,
    Contribution,
    Cutoff,
    Literal,
    Rule,
    Stepwise,
    backtrack,
    published,
)
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.errors import UserError
from tinyvgg.repairs import repair
from tinyvgg.trace import check_target, record

HIDDEN = [(), (9,), (14, 9), (16, 12, 10), (16, 14, 12, 10)]
RULES = [Literal(), Cutoff(), Cutoff(percentile=50.0, floor=0.0), published()]
of_any_depth = pytest.mark.parametrize("hidden", HIDDEN, ids=lambda h: f"{len(h)}_hidden")


def kept(found, image):
    masks = [found.pixels[image].flatten(), *(mask[image] for mask in found.neurons)]
    return [set(mask.nonzero().flatten().tolist()) for mask in masks]


def agrees_with_loops(trace, rule, target=None):
    found = backtrack(trace, target, rule)
    for image in range(len(trace)):
        given = (*small.as_lists(trace[image]), int(found.target[image]))
        if isinstance(rule, Cutoff):
            slow = loops.cutoff(*given, rule.percentile, rule.floor, rule.first_of_equals)
        else:
            slow = loops.literal(*given)
        assert kept(found, image) == slow
    return found


def same(found, other):
    parts = [(each.target, each.pixels, *each.neurons) for each in (found, other)]
    return all(map(torch.equal, *parts))


@of_any_depth
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_agrees_with_the_loops_of_algorithm_1(hidden, rule):
    found = agrees_with_loops(small.trace(hidden=hidden), rule)
    assert len(found.neurons) == len(hidden)
    assert found.pixels.any()
    assert not found.pixels.all()


@of_any_depth
def test_neurons_with_equal_products_collapse_into_the_first_as_in_the_published_code(hidden):
    trace = record(small.few_valued(hidden), (4 * small.images()).round() / 4)
    found = agrees_with_loops(trace, Cutoff(percentile=40.0, first_of_equals=True))
    every = agrees_with_loops(trace, Cutoff(percentile=40.0))
    assert every.pixels.any()
    differ = [*zip(found.neurons, every.neurons, strict=True), (found.pixels, every.pixels)]
    assert any((few.sum(0) < many.sum(0)).any() for few, many in differ)


@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_neuron_counts_only_where_it_is_the_first_with_its_product(threshold, rows, monkeypatch):
    monkeypatch.setattr(edges, "ROWS", rows)
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        products = torch.randint(0, 3, (3, 4), generator=draw, dtype=torch.float64)
        expected = loops.step([1.0] * 4, products.T.tolist(), {0, 1, 2}, threshold, True)
        first = edges.first_of_equals(products, threshold)
        assert set(first.nonzero().flatten().tolist()) == expected


@pytest.mark.parametrize("rule", [*RULES, Cutoff(100.0), Cutoff(floor=1e6)], ids=repr)
@pytest.mark.parametrize("neck", [[], [nn.ReLU()]], ids=["negative", "rectified"])
def test_agrees_with_the_loops_where_maps_are_negative_or_nothing_is_kept(rule, neck):
    layers = [nn.Conv2d(3, 5, 3), nn.MaxPool2d(3), *neck, nn.Flatten(), nn.Linear(45, 8)]
    layers += [nn.ReLU(), nn.Linear(8, small.CLASSES)]
    net = small.randomise(nn.Sequential(*layers).double())
    trace = record(net, small.images())
    assert (trace.maps < 0).any()
    assert torch.equal(trace.logits, net(trace.images))
    seen = trace.with_maps(trace.maps.relu()) if neck else trace
    assert same(backtrack(trace, rule=rule), agrees_with_loops(seen, rule))
    torch.testing.assert_close(contributions(trace, 1), contributions(seen, 1))
    with torch.no_grad():
        net[-1].weight[2] = -net[-1].weight[2].abs()
    found = agrees_with_loops(seen, rule, 2)
    assert not any(mask.any() for mask in (found.pixels, *found.neurons))


def test_float32_agrees_with_the_loops_run_on_its_own_products():
    net = small.model(dtype=torch.float32)
    trace = record(net, small.images(dtype=torch.float32))
    for image in range(len(trace)):
        one = trace[image]
        above = backtrack(one).neurons[0][0]
        products = one.maps.flatten() * one.network.dense[0].module.weight[above]
        over = products[products > 0.05].detach().double().numpy()
        expected = (products.double() > np.percentile(over, 90.0)).any(0)
        assert torch.equal(backtrack(one, rule=Cutoff()).pixels.flatten(), expected)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_weights_compared_a_few_at_a_time_change_nothing(rule, monkeypatch):
    trace = small.trace()
    whole = backtrack(trace, rule=rule)
    monkeypatch.setattr(edges, "CHUNK", 100)
    assert same(backtrack(trace, rule=rule), whole)


@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_neurons_whose_products_cannot_exceed_the_floor_are_not_multiplied(floor):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 40, generator=draw)
    activations = torch.randn(2, 40, generator=draw).clamp(min=-0.5) * (torch.arange(40) % 3 > 0)
    above = torch.tensor([[True] * 5, [False, True, False, True, False]])
    for image, some, found in edges.products(weight, activations, above, floor):
        whole = weight * activations[image]
        assert some.tolist() == (whole > floor).any(0).nonzero()[:, 0].tolist()
        assert torch.equal(found, whole[above[image]][:, some])
        assert 0 < len(some) < 40


def test_pixels_are_in_the_order_channel_row_column():
    net = small.model(hidden=(), maps=(4, 6), bias=0.0)
    trace = record(net, small.images())
    active = (trace.maps > 0).all(0).nonzero()
    for place in active[::5]:
        position = np.ravel_multi_index(tuple(place.tolist()), (6, 3, 3))
        with torch.no_grad():
            net[-1].weight.zero_()
            net[-1].weight[1, position] = 1.0
        found = backtrack(trace, 1).pixels
        assert (found.nonzero()[:, 1:] == place).all()
        assert found.flatten(1).sum(1).eq(1).all()


def test_the_target_is_the_predicted_class_unless_given():
    trace = small.trace()
    assert torch.equal(backtrack(trace).target, trace.logits.argmax(1))
    assert backtrack(trace, 3).target.tolist() == [3] * 4
    wanted = torch.tensor([4, 0, 2, 1])
    found = backtrack(trace, wanted)
    assert torch.equal(found.target, wanted)
    assert same(backtrack(trace, wanted.numpy()), found)
    assert same(backtrack(trace, wanted.tolist()), found)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (5, "target 5 is not one of the classes 0 to 4"),
        (-1, "target -1"),
        (torch.tensor([0, 1]), r"shape \(2,\).*4 images"),
        (torch.tensor([0.0, 1.0, 2.0, 3.0]), "float32"),
        (1.0, "target 1.0"),
        ("cat", "target 'cat'"),
        (["cat"] * 4, "target .*'cat'"),
        ([0, 1], r"shape \(2,\).*4 images"),
    ],
)
def test_a_bad_target_is_refused(target, message):
    with pytest.raises(UserError, match=message):
        small.as_users_run_it(check_target)(small.trace(), target)


@pytest.mark.parametrize("length", [1, 2, 11, 1001])
def test_the_percentile_is_numpys(length):
    values = torch.rand(length, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for percentile in (0.0, 12.5, 50.0, 90.0, 99.9, 100.0):
        expected = np.percentile(values.numpy(), percentile)
        assert float(edges.percentile_of(values, percentile)) == expected


def test_a_percentile_between_two_neighbouring_floats_separates_them():
    values = torch.tensor([1.0, 1.0 + torch.finfo().eps])
    for percentile in (1.0, 50.0, 99.0):
        cut = edges.percentile_of(values, percentile)
        assert (values > cut).tolist() == [False, True]


@pytest.mark.parametrize(
    ("rule", "options", "value"),
    [
        (Cutoff, {"percentile": 101.0}, "percentile 101.0"),
        (Cutoff, {"percentile": -1.0}, "percentile -1.0"),
        (Cutoff, {"floor": -0.1}, "floor -0.1"),
        (Contribution, {"top": -1}, "count -1"),
        (Contrastive, {"top": -1}, "count -1"),
    ],
)
def test_an_option_out_of_range_is_refused(rule, options, value):
    with pytest.raises(UserError, match=value):
        backtrack(small.trace(), rule=rule(**options))


def test_all_rules_are_rules_and_one_of_the_users_own_needs_only_a_step():
    class Strong(Stepwise):
        def step(self, activations, weight, above, last):
            return (activations > 0) & ((weight.clamp(min=0).T @ above.double().T).T > 0.5)

    assert all(isinstance(rule, Rule) for rule in (*NAMED.values(), Strong()))
    trace = small.trace()
    pixels = backtrack(trace, rule=Strong()).pixels
    assert pixels.any()
    assert not (pixels & ~backtrack(trace).pixels).any()
    with pytest.raises(TypeError, match="Stepwise"):
        backtrack(trace, rule=Stepwise())


# --- exact shares


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


@of_any_depth
@pytest.mark.parametrize("against", [2, torch.tensor([1, 1, 0, 0]), None, "nothing"], ids=str)
def test_shares_are_activation_times_gradient_of_a_logit_or_of_a_difference(hidden, against):
    net = small.model(hidden=hidden)
    trace = small.trace(net)
    target = torch.tensor([3, 0, 4, 3])
    rule = Contribution() if against == "nothing" else Contrastive(against)
    if against is None:
        against = trace.logits.scatter(1, target[:, None], -torch.inf).argmax(1)

    def wanted(logits):
        logit = logits[range(4), target]
        if against == "nothing":
            return logit
        return logit - logits[range(4), torch.as_tensor(against).expand(4)]

    shares = shares_by_autograd(net, trace, wanted)
    other = None if against == "nothing" else against
    torch.testing.assert_close(contributions(trace, target, other), shares[0])
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
        assert torch.equal(some.pixels, top_pixels(shares, top))


def test_top_pixels_are_the_largest_positive_scores_in_a_count_that_is_given():
    scores = torch.tensor([[3.0, 1.0, 2.0, -1.0], [0.0, 5.0, 5.0, 5.0]]).reshape(2, 1, 2, 2)
    top = top_pixels(scores, torch.tensor([2, 2])).flatten(1)
    assert top.tolist() == [[True, False, True, False], [False, True, True, False]]
    assert top_pixels(scores, 4).flatten(1).sum(1).tolist() == [3, 3]
    assert not top_pixels(scores, 0).any()
    for counts, value in ((torch.tensor([1, 2, 3]), "length 3"), (-1, "count -1")):
        with pytest.raises(UserError, match=value):
            small.as_users_run_it(top_pixels)(scores, counts)


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


@pytest.mark.parametrize(
    ("size", "relu"), [(1, False), (2, True), (3, False), (5, True), (7, True), ((None, 3), False)]
)
def test_an_average_and_the_first_dense_layer_are_one_linear_layer(size, relu):
    net, plain = averaged(size, relu)
    ours, theirs = record(net, small.images()), record(plain, small.images())
    torch.testing.assert_close(ours.logits, net(small.images()).detach())
    torch.testing.assert_close(ours.logits, theirs.logits)
    torch.testing.assert_close(contributions(ours, 1, 2), contributions(theirs, 1, 2))
    for rule in (Literal(), Cutoff(), Contribution(top=7), Contrastive(against=2)):
        one, other = backtrack(ours, 1, rule), backtrack(theirs, 1, rule)
        assert one.pixels.any()
        assert torch.equal(one.pixels, other.pixels)
    wanted = ours.logits.argmin(1)
    assert torch.equal(repair(ours, wanted).pixels, repair(theirs, wanted).pixels)
