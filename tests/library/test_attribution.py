"""For users of Captum and Quantus, and against Captum's own methods."""

import captum.attr
import numpy as np
import pytest
import torch
from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
from captum.metrics import infidelity, sensitivity_max

from tests.helpers import small
from tinyvgg.attribution import Backtracking, Deconvnet, FeatureTracking, quantus_explain
from tinyvgg.backtracking import Contribution, Cutoff, backtrack
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.errors import UserError
from tinyvgg.trace import record
from tinyvgg.tracking import track_features

pytestmark = pytest.mark.filterwarnings("ignore:Setting .*backward hooks")
METHODS = [Backtracking, FeatureTracking, Deconvnet]
TARGET = torch.tensor([0, 3, 1, 4])


@pytest.fixture
def net():
    return small.model(bias=0.3)


@pytest.fixture
def trace(net):
    return record(net, small.images())


@pytest.mark.parametrize("target", [None, 2, TARGET], ids=str)
def test_feature_tracking_is_that_of_the_functions(net, trace, target):
    pixels = backtrack(trace, target, Cutoff()).pixels
    made = FeatureTracking(net, Cutoff(), PUBLISHED).attribute(trace.images, target)
    assert torch.equal(made, track_features(trace, pixels, **PUBLISHED))
    assert made.any()


def test_backtracking_lays_the_kept_activations_over_the_image(net, trace):
    rule = Contribution(top=1)
    made = Backtracking(net, rule).attribute(trace.images, 2)
    assert made.shape == trace.images.shape
    assert torch.equal(made[:, 0], made[:, 2])
    for image, pixel in enumerate(backtrack(trace, 2, rule).pixels.flatten(1)):
        i, j = divmod(int(pixel.nonzero()[0]) % 9, 3)  # maps of 3 x 3, patches of 4 x 4
        inside = made[image, 0, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
        assert inside.max() == made[image].max() > 0
        assert inside.min() > 0


def test_the_deconvnet_is_that_of_the_function_whatever_the_target(net, trace):
    made = Deconvnet(net, layer="4", unit=1, options={"bias": True}).attribute(trace.images, 3)
    assert torch.equal(made, deconvolve(trace, layer=0, unit=1, bias=True))
    with pytest.raises(UserError, match="target 9"):
        Deconvnet(net).attribute(trace.images, 9)


@pytest.mark.parametrize("method", METHODS)
def test_captums_metrics_take_it(net, method):
    images, explain = small.images(), method(net.eval()).attribute
    stability = sensitivity_max(explain, images, target=TARGET, perturb_radius=1e-9)
    assert stability.shape == (4,)
    assert (stability < 0.1).all()

    def perturb(inputs):
        noise = 0.01 * torch.randn(inputs.shape, dtype=inputs.dtype)
        return noise, inputs - noise

    score = infidelity(net, perturb, images, explain(images, TARGET), target=TARGET)
    assert score.shape == (4,)
    assert score.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_inputs_come_back_in_the_form_in_which_they_were_passed(net, method):
    images = small.images().requires_grad_()
    alone = method(net).attribute(images)
    (of_a_tuple,) = method(net).attribute((images,))
    assert torch.equal(alone, of_a_tuple)
    assert alone.shape == images.shape
    assert not alone.requires_grad
    with pytest.raises(UserError, match="2 inputs"):
        small.as_users_run_it(method(net).attribute.__func__)(method(net), (images, images))


@pytest.mark.parametrize("method", METHODS)
def test_quantus_gets_one_channel_and_refuses_what_it_does_not_know(net, method):
    images = small.images()
    about = {"method": method.__name__, "device": "cpu"}
    made = quantus_explain(net, images.numpy(), TARGET.numpy(), **about)
    expected = method(net).attribute(images, TARGET).sum(1, keepdim=True)
    assert np.array_equal(made, expected.numpy())
    with pytest.raises(UserError, match="'Magic' is not one of Backtracking, FeatureTracking"):
        quantus_explain(net, images.numpy(), TARGET.numpy(), method="Magic")
    with pytest.raises(UserError, match="option 'rulee' of .* is not one of"):
        quantus_explain(net, images.numpy(), TARGET.numpy(), **about, rulee="cutoff")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "target", [2, (2,), torch.tensor(2), torch.tensor([2]), np.int64(2), [2] * 4, [(2,)] * 4]
)
def test_a_target_may_have_any_form_that_captum_takes(net, method, target):
    images = small.images()
    assert torch.equal(method(net).attribute(images, target), method(net).attribute(images, 2))


def test_the_model_may_take_more_than_images(net):
    class Shifted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, images, shift, scale=1.0):
            return self.net(images + shift) * scale

    images, each = small.images(), torch.arange(4.0, dtype=torch.float64).reshape(4, 1, 1, 1) / 9
    method = FeatureTracking(Shifted(), "contribution")
    whole = method.attribute(images, TARGET, (0.5, 2.0))
    alone = FeatureTracking(net, "contribution").attribute(images + 0.5, TARGET)
    torch.testing.assert_close(whole, alone)
    own = method.attribute(images, TARGET, additional_forward_args=each)
    for row, shift in enumerate(each):
        one = method.attribute(images[row, None], int(TARGET[row]), float(shift))
        torch.testing.assert_close(own[row, None], one)


@pytest.mark.parametrize("method", METHODS)
def test_captums_noise_tunnel_takes_it(net, method):
    tunnel, images = captum.attr.NoiseTunnel(method(net)), small.images()
    still = tunnel.attribute(images, nt_samples=3, stdevs=0.0, target=TARGET)
    torch.testing.assert_close(still, method(net).attribute(images, TARGET))
    assert not method(net).has_convergence_delta()


# --- against Captum's own


def test_deconvolution_from_a_logit_is_ours_from_the_signal_that_its_rule_brings_to_the_maps(
    net, trace
):
    """Captum starts at a logit and rectifies in the dense layers too; below, it is ours."""
    signal = torch.nn.functional.one_hot(TARGET, small.CLASSES).double()
    for layer in reversed(trace.network.dense):
        signal = (signal @ layer.module.weight).detach()
        if layer is not trace.network.dense[0]:
            signal = signal.relu()
    theirs = captum.attr.Deconvolution(net).attribute(trace.images.requires_grad_(), TARGET)
    torch.testing.assert_close(deconvolve(trace, signal.view_as(trace.maps)), theirs.detach())


def test_guided_backpropagation_agrees_where_every_unit_is_active_and_only_there(net, trace):
    def guided():
        """Every element of the maps weighted by its own value."""
        of_maps = captum.attr.NeuronGuidedBackprop(net, net[9])
        return of_maps.attribute(
            small.images().requires_grad_(), lambda m: (m * m.detach()).flatten(1).sum(1)
        ).detach()

    assert not torch.allclose(deconvolve(trace), guided())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    trace = record(net, small.images())
    assert (trace.maps > 0).all()
    torch.testing.assert_close(deconvolve(trace), guided())


@pytest.mark.parametrize(("rule", "value"), [(EpsilonRule, 1e-12), (GammaRule, 0.25)])
def test_lrp_agrees_with_contributions_where_epsilon_vanishes_and_not_with_a_gamma(
    net, trace, rule, value
):
    """Epsilon-LRP is gradient times input in a network of ReLUs, whatever its biases."""
    head = net[11:]  # it has no rule for nn.Flatten
    for layer in head[::2]:
        layer.rule = rule(value)
    maps = trace.maps.flatten(1).requires_grad_()
    theirs = captum.attr.LRP(head).attribute(maps, TARGET).detach()
    ours, agrees = contributions(trace, TARGET).flatten(1), rule is EpsilonRule
    assert torch.allclose(ours, theirs, rtol=1e-5 if agrees else 1e-2, atol=1e-7) == agrees
