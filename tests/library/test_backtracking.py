import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers import loops, small
from tinyvgg import edges
from tinyvgg import trace as tracing
from tinyvgg.backtracking import Cutoff, Literal, backtrack, published
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.errors import UserError
from tinyvgg.trace import record

HIDDEN = [(), (9,), (14, 9), (16, 12, 10), (16, 14, 12, 10)]
RULES = [Literal(), Cutoff(), Cutoff(percentile=50.0, floor=0.0), published()]


def slow(rule, activations, weights, k):
    if isinstance(rule, Literal):
        return loops.literal(activations, weights, k)
    return loops.cutoff(activations, weights, k, rule.percentile, rule.floor, rule.first_of_equals)


def kept(found, image):
    masks = [found.pixels[image].flatten(), *(mask[image] for mask in found.neurons)]
    return [set(mask.nonzero().flatten().tolist()) for mask in masks]


def agrees_with_loops(trace, rule, target=None):
    found = backtrack(trace, target, rule)
    for image in range(len(trace)):
        activations, weights = small.as_lists(trace[image])
        assert kept(found, image) == slow(rule, activations, weights, int(found.target[image]))
    return found


def same(found, other):
    parts = [(each.target, each.pixels, *each.neurons) for each in (found, other)]
    return all(map(torch.equal, *parts))


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda h: f"{len(h)}_hidden")
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_agrees_with_the_loops_of_algorithm_1(hidden, rule):
    found = agrees_with_loops(small.trace(hidden=hidden), rule)
    assert len(found.neurons) == len(hidden)
    assert found.pixels.any()
    assert not found.pixels.all()


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda h: f"{len(h)}_hidden")
def test_neurons_with_equal_products_collapse_into_the_first_as_in_the_published_code(hidden):
    trace = record(small.few_valued(hidden), (4 * small.images()).round() / 4)
    found = agrees_with_loops(trace, Cutoff(percentile=40.0, first_of_equals=True))
    every = agrees_with_loops(trace, Cutoff(percentile=40.0))
    assert every.pixels.any()
    differ = [*zip(found.neurons, every.neurons, strict=True), (found.pixels, every.pixels)]
    assert any((few.sum(0) < many.sum(0)).any() for few, many in differ)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_neuron_counts_only_where_it_is_the_first_with_its_product(threshold):
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        products = torch.randint(0, 3, (3, 4), generator=draw, dtype=torch.float64)
        expected = loops.by_value_step([1.0] * 4, products.T.tolist(), {0, 1, 2}, threshold)
        first = edges.first_of_equals(products, threshold)
        assert set(first.nonzero().flatten().tolist()) == expected


def test_agrees_with_the_loops_where_maps_are_negative():
    layers = [nn.Conv2d(3, 5, 3), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(45, 8), nn.ReLU()]
    net = small.randomise(nn.Sequential(*layers, nn.Linear(8, small.CLASSES)).double())
    trace = record(net, small.images())
    assert (trace.maps < 0).any()
    for rule in RULES:
        agrees_with_loops(trace, rule)


def test_a_relu_after_the_last_max_pool_keeps_negative_pixels_out():
    layers = [nn.Conv2d(3, 5, 3), nn.MaxPool2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(45, 8)]
    layers += [nn.ReLU(), nn.Linear(8, small.CLASSES)]
    net = small.randomise(nn.Sequential(*layers).double())
    trace = record(net, small.images())
    assert (trace.maps < 0).any()
    assert torch.equal(trace.logits, net(trace.images))
    maps = trace.maps.clone().requires_grad_()
    net[2:](maps)[:, 1].sum().backward()
    torch.testing.assert_close(contributions(trace, 1), trace.maps * maps.grad)
    for rule in RULES:
        pixels = backtrack(trace, rule=rule).pixels
        assert pixels.any()
        assert not (pixels & (trace.maps <= 0)).any()


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
def test_products_held_a_few_at_a_time_give_the_same(rule, monkeypatch):
    trace = small.trace()
    whole = backtrack(trace, rule=rule)
    for name, value in {"CHUNK": 100, "PART": 100, "BLOCK": 2, "SAMPLE": 3}.items():
        monkeypatch.setattr(edges, name, value)
    assert same(backtrack(trace, rule=rule), whole)


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
    for image, one in enumerate(wanted.tolist()):
        assert kept(backtrack(trace[image], one), 0) == kept(found, image)


def test_where_no_product_exceeds_the_floor_no_pixel_is_kept_but_the_neurons_are():
    trace = small.trace()
    found = backtrack(trace, rule=Cutoff(floor=1e6))
    assert not found.pixels.any()
    assert not backtrack(trace, rule=Cutoff(100.0)).pixels.any()  # none is above the largest
    assert all(map(torch.equal, found.neurons, backtrack(trace).neurons))


@pytest.mark.parametrize("length", [1, 2, 11, 1001])
def test_the_percentile_is_numpys_and_found_from_the_largest_values_alone(length):
    values = torch.rand(length, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for percentile in (0.0, 12.5, 50.0, 90.0, 99.9, 100.0):
        expected = np.percentile(values.numpy(), percentile)
        assert float(edges.percentile_of_largest(values, length, percentile)) == expected
    largest = values.sort().values[-(length // 10 + 2) :]
    assert float(edges.percentile_of_largest(largest, length, 90.0)) == np.percentile(values, 90.0)


def test_a_percentile_between_two_neighbouring_floats_separates_them():
    low = torch.tensor(1.0)
    high = low.nextafter(torch.tensor(2.0))
    values = torch.stack([low, high])
    for percentile in (1.0, 50.0, 99.0):
        cut = edges.percentile_of_largest(values, len(values), percentile)
        assert (values > cut).tolist() == [False, True]


@pytest.mark.parametrize("above", [0.0, 0.2, 1e3])
def test_a_sample_that_misleads_changes_nothing(above, monkeypatch):
    trace = small.trace()
    expected = backtrack(trace, rule=Cutoff(60.0)).pixels
    monkeypatch.setattr(edges, "_guess", lambda *given: above)
    assert torch.equal(backtrack(trace, rule=Cutoff(60.0)).pixels, expected)


@pytest.mark.parametrize(
    ("options", "value"),
    [({"percentile": 101.0}, "101.0"), ({"percentile": -1.0}, "-1.0"), ({"floor": -0.1}, "-0.1")],
)
def test_a_cutoff_out_of_range_is_refused(options, value):
    with pytest.raises(UserError, match=value):
        Cutoff(**options)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (5, "target 5 is not one of the classes 0 to 4"),
        (-1, "target -1"),
        (torch.tensor([0, 1]), r"shape \(2,\).*4 images"),
        (torch.tensor([0.0, 1.0, 2.0, 3.0]), "float32"),
        (1.0, "target 1.0 is no class: pass an int"),
        ("cat", "target 'cat' is no class"),
        (["cat"] * 4, "is no class"),
        ([0, 1], r"shape \(2,\).*4 images"),
    ],
)
def test_a_bad_target_is_refused(target, message):
    with pytest.raises(UserError, match=message):
        small.as_users_run_it(tracing.check_target)(small.trace(), target)


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda h: f"{len(h)}_hidden")
def test_contributions_are_activation_times_gradient(hidden):
    net = small.model(hidden=hidden)
    trace = small.trace(net)
    maps = trace.maps.clone().requires_grad_()
    logits = net[-(1 + 2 * len(hidden)) :](maps.flatten(1))
    (logits[:, 3].sum() - logits[:, 1].sum()).backward()
    torch.testing.assert_close(contributions(trace, 3, 1), maps.detach() * maps.grad)


def test_contributions_to_the_predicted_class_and_against_another():
    trace = small.trace()
    torch.testing.assert_close(contributions(trace, None), contributions(trace, trace.predicted))
    difference = contributions(trace, 0) - contributions(trace, 2)
    torch.testing.assert_close(contributions(trace, 0, against=2), difference)


def test_top_pixels_are_the_largest_positive_scores_in_a_count_that_is_given():
    scores = torch.tensor([[3.0, 1.0, 2.0, -1.0], [0.0, 5.0, 5.0, 5.0]]).reshape(2, 1, 2, 2)
    top = top_pixels(scores, torch.tensor([2, 2])).flatten(1)
    assert top.tolist() == [[True, False, True, False], [False, True, True, False]]
    assert top_pixels(scores, 4).flatten(1).sum(1).tolist() == [3, 3]
    assert not top_pixels(scores, 0).any()
    for counts in (torch.tensor([1, 2, 3]), -1):
        with pytest.raises(UserError, match="count"):
            small.as_users_run_it(top_pixels)(scores, counts)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_where_no_neuron_is_kept_above_none_is_kept_below(rule):
    net = small.model()
    with torch.no_grad():
        net[-1].weight[2] = -net[-1].weight[2].abs()
    trace = record(net, torch.rand(2, 3, 12, 12, dtype=torch.float64))
    assert trace.maps.gt(0).any()
    found = backtrack(trace, 2, rule)
    assert not any(mask.any() for mask in (found.pixels, *found.neurons))
    agrees_with_loops(trace, rule, 2)
