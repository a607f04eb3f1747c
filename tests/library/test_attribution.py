import captum.attr
import numpy as np
import pytest
import torch
from captum.attr import visualization
from captum.metrics import infidelity, sensitivity_max

from tests.helpers import small
from tinyvgg.attribution import Backtracking, Deconvnet, FeatureTracking, quantus_explain
from tinyvgg.backtracking import Contribution, Cutoff, backtrack
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.errors import UserError
from tinyvgg.trace import record
from tinyvgg.tracking import track_features

METHODS = [Backtracking, FeatureTracking, Deconvnet]


@pytest.mark.parametrize("target", [None, 2, torch.tensor([0, 3, 1, 4])], ids=str)
def test_feature_tracking_is_that_of_the_functions(target):
    net = small.model()
    trace = record(net, small.images())
    pixels = backtrack(trace, target, Cutoff()).pixels
    made = FeatureTracking(net, Cutoff(), PUBLISHED).attribute(trace.images, target)
    assert torch.equal(made, track_features(trace, pixels, **PUBLISHED))
    assert made.any()


def test_backtracking_lays_the_kept_activations_over_the_image():
    net = small.model()
    trace = record(net, small.images())
    rule = Contribution(top=1)
    made = Backtracking(net, rule).attribute(trace.images, 2)
    assert made.shape == trace.images.shape
    assert torch.equal(made[:, 0], made[:, 2])
    for image, pixel in enumerate(backtrack(trace, 2, rule).pixels.flatten(1)):
        i, j = divmod(int(pixel.nonzero()[0]) % 9, 3)  # maps of 3 x 3, patches of 4 x 4
        inside = made[image, 0, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
        assert inside.max() == made[image].max() > 0
        assert inside.min() > 0


def test_the_deconvnet_is_that_of_the_function_whatever_the_target():
    net = small.model()
    trace = record(net, small.images())
    made = Deconvnet(net, layer="4", unit=1, options={"bias": True}).attribute(trace.images, 3)
    assert torch.equal(made, deconvolve(trace, layer=0, unit=1, bias=True))
    with pytest.raises(UserError, match="target 9"):
        Deconvnet(net).attribute(trace.images, 9)


@pytest.mark.parametrize("method", METHODS)
def test_captums_metrics_take_it(method):
    net, images = small.model().eval(), small.images()
    target = torch.tensor([0, 3, 1, 4])
    explain = method(net).attribute
    stability = sensitivity_max(explain, images, target=target, perturb_radius=1e-9)
    assert stability.shape == (4,)
    assert (stability < 0.1).all()

    def perturb(inputs):
        noise = 0.01 * torch.randn(inputs.shape, dtype=inputs.dtype)
        return noise, inputs - noise

    score = infidelity(net, perturb, images, explain(images, target), target=target)
    assert score.shape == (4,)
    assert score.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_inputs_come_back_in_the_form_in_which_they_were_passed(method):
    net, images = small.model(), small.images().requires_grad_()
    theirs = captum.attr.Saliency(net).attribute(images, target=1)
    assert method(net).attribute(images, target=1).shape == theirs.shape
    alone = method(net).attribute(images)
    (of_a_tuple,) = method(net).attribute((images,))
    assert torch.equal(alone, of_a_tuple)
    assert not alone.requires_grad
    with pytest.raises(UserError, match="2 inputs were given"):
        small.as_users_run_it(method(net).attribute.__func__)(method(net), (images, images))


def test_captums_visualiser_takes_it():
    import matplotlib.pyplot as plt

    net, images = small.model(), small.images()
    made = FeatureTracking(net).attribute(images)[0].permute(1, 2, 0).float().numpy()
    photograph = images[0].permute(1, 2, 0).float().numpy()
    figure, _ = visualization.visualize_image_attr(
        made, photograph, method="blended_heat_map", sign="positive", use_pyplot=False
    )
    assert len(figure.axes) >= 1
    plt.close("all")


@pytest.mark.parametrize("method", METHODS)
def test_quantus_gets_arrays(method):
    net, images = small.model(), small.images()
    labels = np.array([0, 3, 1, 4])
    made = quantus_explain(net, images.numpy(), labels, method=method.__name__, device="cpu")
    expected = method(net).attribute(images, torch.from_numpy(labels))
    assert np.array_equal(made, expected.numpy())
    with pytest.raises(UserError, match="'Magic' is not one of: Backtracking, FeatureTracking"):
        quantus_explain(net, images.numpy(), labels, method="Magic")
