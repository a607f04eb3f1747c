"""Against the same or related methods of Captum: where they must agree, and where they must not."""

import pytest
import torch
from captum.attr import (
    LRP,
    Deconvolution,
    GuidedBackprop,
    InputXGradient,
    LayerGradientXActivation,
    NeuronDeconvolution,
    NeuronGuidedBackprop,
)
from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
from torch import nn

from tests.helpers import small
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.trace import record
from tinyvgg.tracking import suppress, track_features

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks"),
]
TARGET = torch.tensor([0, 3, 1, 4])


def own_value(maps):
    """Every element weighted by its own value, which the gradient then starts from."""
    return (maps * maps.detach()).flatten(1).sum(1)


def head_of(net):
    return nn.Sequential(*net[10:])


@pytest.fixture
def net():
    return small.model(bias=0.3)


@pytest.fixture
def trace(net):
    return record(net, small.images())


def test_deconvolution_from_a_logit_is_ours_from_the_signal_that_its_rule_brings_to_the_maps(
    net, trace
):
    """Captum starts at a logit and rectifies in the dense layers too; below, it is ours."""
    signal = torch.nn.functional.one_hot(TARGET, small.CLASSES).double()
    for layer in reversed(trace.network.dense):
        signal = (signal @ layer.module.weight).detach()
        if layer is not trace.network.dense[0]:
            signal = signal.relu()
    theirs = Deconvolution(net).attribute(trace.images.requires_grad_(), TARGET)
    torch.testing.assert_close(deconvolve(trace, signal.view_as(trace.maps)), theirs.detach())


def test_feature_tracking_is_the_difference_of_two_neuron_deconvolutions(net, trace):
    pixels = contributions(trace, None) > 0
    left = suppress(trace.maps, pixels)
    theirs = NeuronDeconvolution(net, net[9])
    images = trace.images.requires_grad_()
    whole = theirs.attribute(images, own_value)
    rest = theirs.attribute(images, lambda maps: (maps * left).flatten(1).sum(1))
    expected = (whole - rest).abs().detach()
    assert expected.any()
    torch.testing.assert_close(track_features(trace, pixels), expected)


def test_guided_backpropagation_agrees_where_every_unit_is_active_and_only_there(net, trace):
    theirs = NeuronGuidedBackprop(net, net[9]).attribute(trace.images.requires_grad_(), own_value)
    assert not torch.allclose(deconvolve(trace), theirs.detach())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    trace = record(net, small.images())
    assert (trace.maps > 0).all()
    theirs = NeuronGuidedBackprop(net, net[9]).attribute(trace.images.requires_grad_(), own_value)
    torch.testing.assert_close(deconvolve(trace), theirs.detach())
    logit = GuidedBackprop(net).attribute(trace.images.requires_grad_(), TARGET)
    weights = [layer.module.weight for layer in trace.network.dense]
    signal = (weights[3][TARGET] @ weights[2] @ weights[1] @ weights[0]).detach()
    torch.testing.assert_close(deconvolve(trace, signal.view_as(trace.maps)), logit.detach())


def test_contributions_are_gradient_times_activation(net, trace):
    theirs = LayerGradientXActivation(net, net[9]).attribute(trace.images, TARGET)
    torch.testing.assert_close(contributions(trace, TARGET), theirs.detach())
    head = InputXGradient(head_of(net)).attribute(trace.maps.requires_grad_(), TARGET)
    torch.testing.assert_close(contributions(trace, TARGET), head.detach())


def lrp(net, maps, rule):
    head = head_of(net)[1:]  # it has no rule for nn.Flatten
    for layer in head:
        if isinstance(layer, nn.Linear):
            layer.rule = rule()
    relevance = LRP(head).attribute(maps.flatten(1).requires_grad_(), TARGET)
    return relevance.detach().view_as(maps)


def test_lrp_agrees_with_contributions_where_epsilon_vanishes_and_not_with_a_gamma(net, trace):
    """Epsilon-LRP is gradient times input in a network of ReLUs, whatever its biases."""
    theirs = lrp(net, trace.maps, lambda: EpsilonRule(1e-12))
    torch.testing.assert_close(contributions(trace, TARGET), theirs, rtol=1e-5, atol=1e-7)
    theirs = lrp(net, trace.maps, lambda: GammaRule(gamma=0.25))
    assert not torch.allclose(contributions(trace, TARGET), theirs, rtol=1e-2)
