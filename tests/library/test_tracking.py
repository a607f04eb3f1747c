import pytest
import torch

from tests.helpers import small
from tinyvgg.backtracking import backtrack
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.errors import UserError
from tinyvgg.network import head
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, suppress, track_features


def half(trace):
    draw = torch.Generator().manual_seed(0)
    return torch.rand(trace.maps.shape, generator=draw) < 0.5


def test_suppressing_all_leaves_the_logits_of_empty_maps():
    trace = small.trace()
    everything = torch.ones_like(trace.maps, dtype=torch.bool)
    empty = head(trace.network, torch.zeros_like(trace.maps))
    assert torch.equal(rescore(trace, everything), empty)
    assert not torch.allclose(empty, trace.logits)
    assert torch.equal(track_features(trace, everything), deconvolve(trace).abs())


def test_only_the_pixels_take_the_value_and_the_maps_stay():
    trace = small.trace()
    pixels, before = half(trace), trace.maps.clone()
    changed = suppress(trace.maps, pixels, 0.25)
    assert (changed[pixels] == 0.25).all()
    assert torch.equal(changed[~pixels], trace.maps[~pixels])
    assert torch.equal(trace.maps, before)


def test_rescoring_runs_the_head_of_the_model_on_the_changed_maps():
    net = small.model()
    trace = record(net, small.images())
    pixels = half(trace)
    expected = net[10:](trace.maps.masked_fill(pixels, 0.5))
    torch.testing.assert_close(rescore(trace, pixels, 0.5), expected.detach())


def test_where_the_head_is_linear_a_pixel_takes_its_contribution_away():
    trace = small.trace(hidden=())
    pixels = half(trace)
    lost = (contributions(trace, 2) * pixels).flatten(1).sum(1)
    torch.testing.assert_close(rescore(trace, pixels)[:, 2], trace.logits[:, 2] - lost)


@pytest.mark.parametrize("options", [{}, PUBLISHED], ids=["plain", "published"])
def test_tracked_features_are_the_absolute_difference_of_two_projections(options):
    trace = small.trace()
    pixels = backtrack(trace).pixels
    without = trace.maps * ~pixels
    expected = (deconvolve(trace, **options) - deconvolve(trace, without, **options)).abs()
    assert torch.equal(track_features(trace, pixels, **options), expected)
    assert expected.any()


def test_tracking_is_not_linear():
    trace = small.trace()
    pixels = half(trace)
    of_the_difference = deconvolve(trace, trace.maps - suppress(trace.maps, pixels)).abs()
    assert (track_features(trace, pixels) - of_the_difference).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(4, 6, 3, 3), "dtype torch.float32: pass a boolean mask"),
        (torch.zeros(4, 6, 3, 2, dtype=torch.bool), r"shape \(4, 6, 3, 2\) but the maps"),
        (torch.zeros(1, 6, 3, 3, dtype=torch.bool), r"shape \(1, 6, 3, 3\)"),
        (torch.zeros(4, 6, 3, 3, dtype=torch.bool, device="meta"), "pixels are on meta"),
    ],
    ids=["dtype", "shape", "batch", "device"],
)
def test_pixels_unlike_the_maps_are_refused(pixels, message):
    with pytest.raises(UserError, match=message):
        small.as_users_run_it(suppress)(small.trace().maps, pixels)
