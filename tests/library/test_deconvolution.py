import itertools

import pytest
import torch
import torch.nn.functional as F
from captum.attr import NeuronDeconvolution
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tests.helpers import loops, small
from tinyvgg import trace as tracing
from tinyvgg.deconvolution import (
    PUBLISHED,
    deconvolve,
    unpool_ties,
)
from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Pooling
from tinyvgg.trace import record
from tinyvgg.training.tiny_vgg import TinyVGG

CONVOLUTIONS = [
    {"stride": stride, "padding": padding, "kernel_size": kernel, "dilation": dilation}
    for stride, padding, kernel, dilation in itertools.product((1, 2, 4), (0, 1), (2, 3), (1, 2))
] + [
    {"kernel_size": (3, 5), "stride": (2, 3), "padding": (1, 2)},
    {"kernel_size": 11, "stride": 4, "padding": 2},
    {"kernel_size": 3, "padding": "same", "dilation": 2},
    {"kernel_size": 3, "padding": "valid", "stride": 2},
    {"kernel_size": 3, "padding": 1, "groups": 2},
]
POOLS = [
    Pooling("p", (2, 2), (2, 2)),
    Pooling("p", (3, 3), (2, 2)),
    Pooling("p", (3, 2), (1, 2)),
    Pooling("p", (2, 2), (2, 2), ceil_mode=True),
    Pooling("p", (3, 3), (2, 2), padding=(1, 1), ceil_mode=True),
    Pooling("p", (2, 2), (1, 1), dilation=(2, 2)),
]


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def inner(a, b):
    return (a * b).sum()


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("size", [(13, 13), (14, 17)])
def test_transposed_convolution_is_the_adjoint(options, size):
    torch.manual_seed(0)
    layer = Convolution("c", nn.Conv2d(4, 6, bias=False, **options).double())
    x = draw(2, 4, *size)
    forward = layer.forward(x)
    y = draw(*forward.shape, seed=1)
    back = layer.transpose(y, size)
    torch.testing.assert_close(inner(forward, y), inner(x, back), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_unpooling_is_the_gradient_of_the_pool_and_the_adjoint_of_picking_the_maxima(pool, layout):
    size = (7, 8)
    x = draw(2, 3, *size).contiguous(memory_format=layout).requires_grad_()
    values, switches = pool.forward(x)
    y = draw(*values.shape, seed=1).contiguous(memory_format=layout)
    (gradient,) = torch.autograd.grad(values, x, y)
    back = torch.zeros(2, 3, size[0] * size[1], dtype=y.dtype)
    back.scatter_add_(2, switches.contiguous().flatten(2), y.contiguous().flatten(2))
    back = back.unflatten(2, size)
    torch.testing.assert_close(back, gradient.contiguous())
    undone = pool.transpose(y, switches, size)
    torch.testing.assert_close(undone.contiguous(), back)
    assert undone.is_contiguous(memory_format=layout)
    other = draw(2, 3, *size, seed=2)
    picked = other.flatten(2).gather(2, switches.contiguous().flatten(2)).view_as(values)
    torch.testing.assert_close(inner(picked, y), inner(other, back))


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_the_layout_of_memory_does_not_decide_a_tie(pool):
    x = draw(2, 5, 8, 9).relu().round().float()
    _, plain = pool.forward(x)
    _, other = pool.forward(x.contiguous(memory_format=torch.channels_last))
    assert torch.equal(plain, other)


def normalized():
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 9), nn.ReLU(), nn.Linear(9, 5)]
    return small.randomise(nn.Sequential(*layers).double(), bias=0.4).eval()


def strided():
    """A network whose pools overlap and whose convolutions stride, dilate or come in groups."""
    layers = [nn.Conv2d(3, 6, 5, 2, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
    layers += [nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    return small.randomise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(72, 5)).double())


def tiny_vgg():
    return small.randomise(TinyVGG(5, 32, maps=8, dense=(12,)).double().eval())


def captums(net, layer, images):
    """Captum's deconvolution of the output of a layer, each element weighted by its own value."""
    deconvolution = NeuronDeconvolution(net, net.get_submodule(layer))
    return deconvolution.attribute(
        images.clone().requires_grad_(), lambda maps: (maps * maps.detach()).flatten(1).sum(1)
    ).detach()


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
@pytest.mark.parametrize(("build", "size"), [(normalized, 12), (strided, 25), (tiny_vgg, 32)])
def test_it_is_captums_deconvolution_from_every_layer_by_its_name(build, size):
    net = build()
    trace = record(net, small.images(3, size))
    torch.testing.assert_close(trace.logits, net(trace.images).detach())
    for layer in trace.network.body:
        expected = captums(net, layer.name, trace.images)
        assert expected.abs().max() > 1e-6
        torch.testing.assert_close(deconvolve(trace, layer=layer.name), expected)
    assert torch.equal(deconvolve(trace, layer=layer.name), deconvolve(trace))


def test_the_published_options_are_the_published_chain():
    net = small.model(bias=0.3)
    trace = small.trace(net)
    first, second, third, fourth = (layer for layer in net if isinstance(layer, nn.Conv2d))
    before = [net[:9](trace.images), net[:4](trace.images)]
    signal = loops.unpool_ties(trace.maps, before[0], 2)
    signal = F.conv_transpose2d(signal, fourth.weight, third.bias, padding=1).relu()
    signal = F.conv_transpose2d(signal, third.weight, second.bias, padding=1).relu()
    signal = loops.unpool_ties(signal, before[1], 2)
    signal = F.conv_transpose2d(signal, second.weight, first.bias, padding=1).relu()
    signal = F.conv_transpose2d(signal, first.weight, None, padding=1).relu()
    assert not torch.allclose(signal, deconvolve(trace, **{**PUBLISHED, "ties": "first"}))
    torch.testing.assert_close(deconvolve(trace, **PUBLISHED), signal.detach())


@pytest.mark.parametrize("options", [{}, {"bias": True}, PUBLISHED], ids=str)
def test_single_precision_gives_nearly_what_double_does(options):
    net = normalized()
    exact = record(net, small.images())
    trace = record(net.float(), small.images(dtype=torch.float32))
    assert trace.maps.is_contiguous()
    assert all(torch.equal(a, b) for a, b in zip(trace.switches, exact.switches, strict=True))
    torch.testing.assert_close(trace.maps.double(), exact.maps, rtol=1e-4, atol=1e-5)
    made = deconvolve(trace, **options).double()
    net.double()
    torch.testing.assert_close(made, deconvolve(exact, **options), rtol=1e-3, atol=1e-4)


def windows(pool, size, out):
    """Of every window, its elements in the plane as flat indices, in reading order."""
    for i, j in itertools.product(*(range(n) for n in out)):
        rows, columns = (
            [at * stride - pad + tap * dilation for tap in range(kernel)]
            for at, stride, pad, kernel, dilation in zip(
                (i, j), pool.stride, pool.padding, pool.kernel, pool.dilation, strict=True
            )
        )
        places = itertools.product(rows, columns)
        inside = [r * size[1] + c for r, c in places if 0 <= r < size[0] and 0 <= c < size[1]]
        yield (i, j), inside


@pytest.mark.parametrize("pool", POOLS, ids=str)
@pytest.mark.parametrize("size", [(7, 7), (8, 9)])
def test_paying_all_ties_pays_every_maximum_of_a_window(pool, size):
    x = draw(2, 3, *size).relu().round(decimals=0)  # many equal values, and windows of zeros
    values, _ = pool.forward(x)
    y = draw(*values.shape, seed=1)
    expected = torch.zeros_like(x).flatten(2)
    for (i, j), inside in windows(pool, size, values.shape[2:]):
        for index in inside:
            tied = x.flatten(2)[..., index] == values[..., i, j]
            expected[..., index] += y[..., i, j] * tied
    torch.testing.assert_close(unpool_ties(y, pool, x).flatten(2), expected)


@pytest.mark.parametrize("switches", ["none", "random"])
def test_a_value_goes_to_the_first_or_to_a_random_element_of_its_window(switches):
    net = nn.Sequential(nn.MaxPool2d(3, 3), nn.Flatten(), nn.Linear(3 * 16, 2))
    images = torch.rand(1, 3, 12, 12) + 0.5
    places = torch.zeros(9)
    for seed in range(60):
        back = deconvolve(record(net, images), switches=switches, seed=seed)
        inside = (back[0].unfold(1, 3, 3).unfold(2, 3, 3) != 0).flatten(3)
        assert (inside.sum(3) == 1).all()
        places += inside.sum((0, 1, 2))
    drawn = 60 * 48
    if switches == "none":
        assert places.tolist() == [drawn] + [0] * 8
    else:  # five standard deviations of a count of even chances
        assert ((places - drawn / 9).abs() < 5 * (drawn * 8 / 81) ** 0.5).all()


@pytest.mark.parametrize("switches", ["none", "random"])
def test_other_switches_change_the_image_and_are_the_same_for_every_image(switches):
    trace = small.trace()
    made = deconvolve(trace, switches=switches)
    assert not torch.allclose(made, deconvolve(trace))
    torch.testing.assert_close(deconvolve(trace[2], switches=switches), made[2:3])
    other = deconvolve(trace, switches=switches, seed=1)
    assert torch.equal(other, made) == (switches == "none")


def test_without_relu_it_is_the_adjoint_of_the_layers_with_their_switches():
    trace = small.trace(bias=0.5)
    x, y = draw(4, 3, 12, 12, seed=3), draw(*trace.maps.shape, seed=4)
    forward, level = x, 0
    for layer in trace.network.body:
        if isinstance(layer, Convolution):
            forward = F.conv2d(forward, layer.module.weight, padding=layer.padding)
        elif isinstance(layer, Pooling):
            switches = trace.switches[level]
            forward = forward.flatten(2).gather(2, switches.flatten(2)).view_as(switches)
            level += 1
    back = deconvolve(trace, y, relu=False)
    torch.testing.assert_close(inner(forward, y), inner(x, back))
    assert not torch.allclose(back, deconvolve(trace, y))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_a_batch_norm_counts_as_part_of_its_convolution(bias, training):
    net = normalized()
    first, last = fuse_conv_bn_eval(net[0], net[1]), fuse_conv_bn_eval(net[6], net[7])
    fused = nn.Sequential(first, *net[2:6], last, *net[8:])
    ours, theirs = record(net.train(training), small.images()), record(fused, small.images())
    torch.testing.assert_close(ours.logits, theirs.logits)
    torch.testing.assert_close(ours.maps, theirs.maps)
    torch.testing.assert_close(deconvolve(ours, bias=bias), deconvolve(theirs, bias=bias))


def test_a_batch_norm_on_its_own_has_no_part_in_a_bias():
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.MaxPool2d(2)]
    trace = record(nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 5)).double(), small.images())
    assert deconvolve(trace).any()
    with pytest.raises(UserError, match=r"'2' \(BatchNorm2d\).*use bias=False"):
        deconvolve(trace, bias=True)


def test_one_map_or_one_pixel_is_projected_alone():
    trace = small.trace()
    alone = torch.zeros_like(trace.maps)
    alone[:, 4] = trace.maps[:, 4]
    assert torch.equal(deconvolve(trace, unit=4), deconvolve(trace, alone))
    one = torch.zeros_like(trace.maps)
    one[:, 4, 2, 1] = 1.0
    ones = torch.ones_like(trace.maps)
    assert torch.equal(deconvolve(trace, ones, unit=(4, 2, 1)), deconvolve(trace, one))
    assert (ones == 1).all()
    assert torch.equal(deconvolve(trace, layer="4"), deconvolve(trace, layer=0))


def test_a_layer_that_runs_twice_cannot_be_named():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu, nn.MaxPool2d(2))
    trace = record(nn.Sequential(net, nn.Flatten(), nn.Linear(64, 5)).double(), small.images())
    with pytest.raises(UserError, match=r"layer '0\.1' runs 2 times"):
        deconvolve(trace, layer="0.1")


@pytest.mark.parametrize("options", [{}, PUBLISHED, {"switches": "random"}], ids=str)
def test_parts_of_a_batch_give_what_the_whole_gives(options, monkeypatch):
    net = normalized()
    whole = record(net, small.images(5))
    monkeypatch.setattr(tracing, "PART", 2 * 8 * 144)
    trace = record(net, small.images(5))
    assert len(tracing.parts(trace.images, trace.network)) == 3
    torch.testing.assert_close(trace.logits, whole.logits)
    assert all(torch.equal(a, b) for a, b in zip(trace.switches, whole.switches, strict=True))
    torch.testing.assert_close(deconvolve(trace, **options), deconvolve(whole, **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 2}, "layer 2 is not one of the 2 max-pools"),
        ({"layer": -3}, "layer -3 is not one of the 2 max-pools"),
        ({"layer": "99"}, "layer '99' is not one of: 0, 1, 2"),
        ({"ties": "all", "switches": "none"}, "ties 'all' goes .*'none'"),
        ({"ties": "some"}, "ties 'some' is not one of: first, all"),
        ({"switches": "lucky"}, "switches 'lucky' is not one of: recorded, none, random"),
        ({"maps": torch.zeros(4, 6, 3, 3).double(), "layer": 0}, r"\(4, 6, 3, 3\) .*\(4, 4,"),
        ({"maps": torch.zeros(4, 6, 3, 3)}, r"dtype torch\.float32"),
        *[({"unit": u}, r"unit .* no map .*\(6, 3, 3\)") for u in (6, -1, (4, 3, 0), (4, -1, 0))],
    ],
    ids=str,
)
def test_what_the_trace_does_not_have_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        small.as_users_run_it(deconvolve)(small.trace(), **options)
