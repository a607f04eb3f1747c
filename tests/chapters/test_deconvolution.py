"""Chapters 5 and 10: sizes, counterparts, and what projections resemble."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tinyvgg.chapters import deconvolution as chapter
from tinyvgg.errors import UserError


def test_the_size_equation_is_that_of_a_convolution():
    for k, s, more, p in itertools.product(range(1, 5), range(1, 4), range(7), range(3)):
        i = k + more
        if (i - k + 2 * p) % s:
            with pytest.raises(UserError, match="no whole number"):
                chapter.convolved_size(i, k, p, s)
        else:
            image, weight = torch.zeros(1, 1, i, i), torch.zeros(1, 1, k, k)
            after = F.conv2d(image, weight, padding=p, stride=s).shape[-1]
            assert chapter.convolved_size(i, k, p, s) == after


def test_a_filter_that_does_not_fit_is_refused():
    for i, k, s in ((4, 5, 1), (0, 1, 1), (4, 3, 0)):
        with pytest.raises(UserError, match=f"filter of {k} .* image of {i} .*stride {s}"):
            chapter.convolved_size(i, k, 0, s)


def test_correlations_are_pearsons_over_each_image():
    draw = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 3, 4, 5, generator=draw), torch.rand(2, 3, 4, 5, generator=draw)
    pairs = zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
    np.testing.assert_allclose(chapter.correlations(first, second), expected, atol=1e-6)
    assert torch.isnan(chapter.correlations(first, torch.ones_like(second))).all()


def test_toy_figure_frames_the_maxima():
    x = torch.tensor([[1.0, 2, 0, 0], [3, 4, 0, 9], [5, 5, 1, 1], [5, 5, 1, 0]])
    before, pooled, switches, after = chapter.toy_pooling(x).axes
    framed = [text.get_text() for text in before.texts if text.get_bbox_patch() is not None]
    assert framed == ["4", "9", "5", "1"]
    assert [text.get_text() for text in pooled.texts] == ["4", "9", "5", "1"]
    assert [text.get_text() for text in switches.texts] == ["5", "7", "8", "10"]
    assert not any(text.get_bbox_patch() for text in [*pooled.texts, *switches.texts])
    assert sum(text.get_text() != "0" for text in after.texts) == 4
