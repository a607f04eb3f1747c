"""What each choice of the deconvnet does, measured."""

import numpy as np
import pytest
import torch

from tests.helpers import small
from tinyvgg.chapters import deconvnet_choices as choices
from tinyvgg.chapters.deconvolution import ink
from tinyvgg.deconvolution import deconvolve


@pytest.fixture(scope="module")
def trace():
    return small.trace(small.model(dtype=torch.float64, bias=0.3))


def test_the_combinations_are_all_eight_and_one_is_the_default(trace):
    assert len(choices.COMBINATIONS) == 8
    made = {name: deconvolve(trace, **chosen) for name, chosen in choices.COMBINATIONS.items()}
    assert torch.equal(made["S R ·"], deconvolve(trace))
    names = list(made)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            assert not torch.allclose(made[name], made[other]), (name, other)


def test_likeness_is_the_correlation_of_the_ink_over_the_pixels(trace):
    options = {"default": {}, "random": {"switches": "random"}}
    table = choices.choices_table(trace, options)
    assert table.loc["default", "default"] == "1.000 (1.000 to 1.000)"
    own, default = ink(deconvolve(trace, switches="random")), ink(deconvolve(trace))
    pairs = zip(own.flatten(1).numpy(), default.flatten(1).numpy(), strict=True)
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    assert table.loc["random", "default"].startswith(f"{expected:.3f} (")
    turned = own.roll(1, 0).flatten(1).numpy()
    pairs = zip(own.flatten(1).numpy(), turned, strict=True)
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    assert table.loc["random", "another image, same choices"].startswith(f"{expected:.3f} (")


def test_windows_of_zeros_are_counted_by_max_pool(trace):
    table = choices.ties_table(trace)
    assert table.index.tolist() == ["4", "9"]
    zeros = np.mean([value == 0 for value in trace.pooled[1].flatten().tolist()])
    assert table.loc["9", "windows of zeros"] == f"{zeros:.1%}"


def test_layers_are_projected_by_name_whole_and_in_parts(trace):
    shown = choices.by_layer(trace[0])
    assert list(shown) == ["3", "4", "8", "9"]
    for layer, row in shown.items():
        whole, one, pixel = row.values()
        assert torch.equal(whole, deconvolve(trace[0], layer=layer)[0])
        assert 0 < (pixel != 0).sum() <= (one != 0).sum() <= whole.numel()
