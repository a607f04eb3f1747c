import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision import models

from tests.helpers import small
from tinyvgg.backtracking import NAMED, Contrastive, backtrack
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.network import head
from tinyvgg.repairs import repair
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, track_features


def light(build, pixels):
    """A torchvision model with a small head, so that it fits a test."""
    with torch.device("meta"):
        net = build(weights=None, num_classes=4)
        net.classifier = nn.Sequential(
            nn.Linear(pixels, 12), nn.ReLU(True), nn.Dropout(), nn.Linear(12, 4)
        )
    return small.randomise(net.to_empty(device="cpu")).double()


def test_an_empty_batch_gives_empty_results():
    trace = small.trace(n=0)
    assert trace.logits.shape == (0, small.CLASSES)
    for rule in NAMED.values():
        assert backtrack(trace, rule=rule).pixels.shape == (0, 6, 3, 3)
    assert deconvolve(trace).shape == (0, 3, 12, 12)
    assert len(repair(trace, 0)) == 0


@pytest.mark.parametrize(
    ("build", "pixels", "pools", "size"),
    [
        (models.alexnet, 256 * 6 * 6, 3, 131),  # maps of 3 x 3, averaged to 6 x 6
        (models.vgg11_bn, 512 * 7 * 7, 5, 64),
    ],
)
def test_logits_are_those_of_torchvisions_models(build, pixels, pools, size):
    net = light(build, pixels)
    images = small.images(1, size)
    trace = record(net.train(), images)
    assert len(trace.pooled) == pools
    torch.testing.assert_close(trace.logits, net.eval()(images).detach())


def test_what_is_recorded_is_what_the_layers_give():
    net = small.model()
    images = small.images().requires_grad_()
    trace = record(net, images)
    first, before = net[:5](images), net[:4](images).flatten(2)
    assert torch.equal(trace.pooled[0], first)
    assert torch.equal(before.gather(2, trace.switches[0].flatten(2)), first.flatten(2))
    assert torch.equal(trace.maps, net[5:10](first))
    assert [a.shape[1] for a in trace.dense] == [16, 12, 10]
    assert torch.equal(trace.dense[0], net[10:13](trace.maps))
    assert torch.equal(trace.logits, net(images))
    assert torch.equal(trace.predicted, trace.logits.argmax(1))
    torch.testing.assert_close(trace.probabilities, trace.logits.softmax(1))
    assert torch.equal(head(trace.network, trace.maps), trace.logits)
    assert trace.network.body[0].module is net[0]  # and no copy of its weights
    assert trace.network.dense[-1].module is net[-1]
    assert trace.sizes == ((12, 12),) * 5 + ((6, 6),) * 5
    assert not any(part.requires_grad for part in (trace.images, trace.maps, trace.logits))


def test_the_images_passed_stay_as_they_are():
    layers = [nn.ReLU(True), nn.Conv2d(3, 2, 3), nn.ReLU(True), nn.MaxPool2d(2), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(50, 4)).double()
    images = small.images() - 0.5
    before = images.clone()
    record(net, images)
    assert torch.equal(images, before)


ROWS = [2, -1, slice(1, 3), [3, 0], [], torch.tensor([3, 1]), torch.arange(4) % 2 == 0]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_rows_of_a_trace_are_a_trace(rows):
    trace = small.trace()
    some, expected = trace[rows], torch.arange(4)[rows].reshape(-1)
    assert len(some) == len(expected)
    assert torch.equal(some.images, trace.images[expected])
    assert torch.equal(some.logits, trace.logits[expected])
    for part in ("pooled", "switches", "dense"):
        for a, b in zip(getattr(some, part), getattr(trace, part), strict=True):
            assert torch.equal(a, b[expected])
    with pytest.raises(IndexError, match="row 4"):
        trace[4]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (small.images()[0], r"shape \(3, 12, 12\)"),
        (small.images().float(), "dtype torch.float32 but the model has torch.float64"),
        ((255 * small.images()).byte(), "torch.uint8"),
        (small.images()[:, :1], r"cannot be run on images of shape \(1, 1, 12, 12\)"),
        (small.images().to("meta"), "device"),
        (small.images(size=16), r"shape \(1, 3, 16, 16\) .*made for"),
        (small.images(size=1), "too small.*: pass images"),
        (small.images().index_fill(0, torch.tensor([2]), torch.nan), "image 2 holds NaN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_images_that_the_model_cannot_take_are_refused(images, message):
    with pytest.raises(UserError, match=message) as error:
        small.as_users_run_it(record)(small.model(), images)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_everything_stays_on_the_device_of_the_model():
    trace = record(small.model().cuda(), small.images().cuda())
    parts = (*trace.pooled, *trace.switches, *trace.dense, trace.logits)
    assert all(part.is_cuda for part in parts)
    torch.testing.assert_close(trace.logits.cpu(), small.trace().logits)


class Waits(TorchDispatchMode):
    """Counts what would make a GPU wait: values read by Python, and tensors that change device."""

    read = moved = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self.read += function is torch.ops.aten._local_scalar_dense.default
        self.moved += function is torch.ops.aten._to_copy.default and "device" in kwargs
        return function(*args, **kwargs)


def waits(n):
    with Waits() as seen:
        trace = record(small.model(), small.images(n))
        pixels = backtrack(trace, rule=Contrastive()).pixels
        track_features(trace, pixels, bias=True, final_relu=True)
        rescore(trace, backtrack(trace).pixels)
    return seen.read, seen.moved


def test_nothing_is_copied_between_devices_and_little_is_read_however_many_images():
    read, moved = waits(40)
    assert (read, moved) == waits(2)
    assert read <= 6
    assert moved == 0


def test_a_trace_moves_with_its_weights_and_explains_as_before():
    trace = small.trace()
    moved = trace.to("cpu")
    assert trace.to("meta").network.dense[0].module.weight.is_meta
    pixels = backtrack(trace, rule="cutoff")
    assert torch.equal(rescore(moved, pixels), rescore(trace, pixels.pixels))
    own, copied = (each.network.dense[0].module.weight for each in (trace, moved))
    assert torch.equal(own, copied)
    assert own.data_ptr() != copied.data_ptr()
    with pytest.raises(UserError, match="rule 'cutof' is not one of literal, cutoff"):
        backtrack(trace, rule="cutof")


@pytest.mark.parametrize("layer", [None, "layer3"], ids=str)
def test_a_graph_that_was_read_takes_other_images_and_refuses_strange_ones(layer):
    net = small.randomise(models.resnet18(num_classes=4)).eval()
    images = torch.rand(3, 3, 64, 64)
    first = record(nn.DataParallel(net), images, layer=layer and net.layer3)
    network = first.network
    assert first.to("meta").logits.is_meta
    assert torch.equal(record(network, images[:0]).logits, first.logits[:0])
    torch.testing.assert_close(record(network, images[1:]).logits, net(images[1:]).detach())
    for strange, said in ((images.double(), "dtype"), (images[..., :32], "read with")):
        with pytest.raises(UserError, match=said):
            record(network, strange)


@pytest.mark.parametrize("layer", [None, "layer3"], ids=str)
def test_gradients_flow_through_a_traces_maps_where_they_are_asked_for(layer):
    net = small.randomise(models.resnet18(num_classes=4)).eval()
    trace = record(net, torch.rand(2, 3, 64, 64), layer=layer)
    assert not trace.with_maps(trace.maps).logits.requires_grad
    maps = trace.maps.clone().requires_grad_()
    logits = trace.with_maps(maps).logits
    (gradient,) = torch.autograd.grad(logits.gather(1, trace.predicted[:, None]).sum(), maps)
    torch.testing.assert_close(gradient * maps.detach(), contributions(trace))


def test_a_rule_as_a_class_and_a_layer_as_a_module_are_refused_in_one_line():
    trace = small.trace()
    with pytest.raises(UserError, match=r"rule is the class Contrastive: pass Contrastive\(\)"):
        small.as_users_run_it(backtrack)(trace, rule=Contrastive)
    with pytest.raises(UserError, match="layer is of type Conv2d: pass its name, or its place"):
        small.as_users_run_it(deconvolve)(trace, layer=nn.Conv2d(3, 3, 3))
