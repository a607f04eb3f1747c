import numpy as np
import pytest
import torch

from tests.helpers import small
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.errors import UserError
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, suppress, track_features


def half(trace):
    draw = torch.Generator().manual_seed(0)
    return torch.rand(trace.maps.shape, generator=draw) < 0.5


def test_rescoring_runs_the_head_on_maps_of_which_only_the_pixels_take_the_value():
    net = small.model()
    trace = record(net, small.images())
    pixels, before = half(trace), trace.maps.clone()
    changed = suppress(trace.maps, pixels, 0.5)
    assert (changed[pixels] == 0.5).all()
    assert torch.equal(changed[~pixels], trace.maps[~pixels])
    torch.testing.assert_close(rescore(trace, pixels, 0.5), net[10:](changed).detach())
    everything = torch.ones_like(pixels)
    assert torch.equal(rescore(trace, everything), net[10:](torch.zeros_like(before)).detach())
    assert torch.equal(trace.maps, before)


def test_a_fill_is_a_number_a_value_a_channel_or_the_maps_of_other_images():
    trace = record(small.model(), small.images())
    pixels, others = half(trace), trace[list(reversed(range(len(trace))))]
    channels = trace.maps.mean((0, 2, 3))[:, None, None]
    for fill in (0.5, channels, others.maps):
        values = torch.as_tensor(fill).expand_as(trace.maps)
        changed = suppress(trace.maps, pixels, fill)
        for place in np.ndindex(tuple(pixels.shape)):
            assert changed[place] == (values if pixels[place] else trace.maps)[place]
        assert torch.equal(rescore(trace, pixels, fill), trace.with_maps(changed).logits)
    assert torch.equal(rescore(trace, torch.ones_like(pixels), others.maps), others.logits)
    with pytest.raises(UserError, match=r"fill has shape \(7, 1, 1\)"):
        suppress(trace.maps, pixels, torch.zeros(7, 1, 1))


@pytest.mark.parametrize("options", [{}, PUBLISHED], ids=["plain", "published"])
def test_tracked_features_are_the_absolute_difference_of_two_projections(options):
    trace = small.trace()
    pixels = half(trace)
    without = trace.maps * ~pixels
    expected = (deconvolve(trace, **options) - deconvolve(trace, without, **options)).abs()
    assert torch.equal(track_features(trace, pixels, **options), expected)
    projected = deconvolve(trace, trace.maps - without, **options).abs()
    assert (expected - projected).abs().max() > 1e-3  # it is not linear


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(4, 6, 3, 3), "of torch.float32"),
        (torch.zeros(4, 6, 3, 2, dtype=torch.bool), r"shape \(4, 6, 3, 2\)"),
        (torch.zeros(1, 6, 3, 3, dtype=torch.bool), r"shape \(1, 6, 3, 3\)"),
        (torch.zeros(4, 6, 3, 3, dtype=torch.bool, device="meta"), "on meta"),
    ],
    ids=["dtype", "shape", "batch", "device"],
)
def test_pixels_unlike_the_maps_are_refused(pixels, message):
    with pytest.raises(UserError, match=message):
        small.as_users_run_it(suppress)(small.trace().maps, pixels)
