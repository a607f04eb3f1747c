"""The README's picture is made of computed parts."""

import matplotlib as mpl
import numpy as np
import pytest
import torch

from tinyvgg.chapters import overview, style
from tinyvgg.chapters.cases import RULES, closest, pixel_sets
from tinyvgg.errors import UserError
from tinyvgg.tracking import rescore

ORANGE = np.array(mpl.colors.to_rgb(style.ORANGE), np.float32)


def test_montage_marks_the_chosen_pixels_and_no_other():
    maps = torch.rand(5, 3, 4)
    pixels = torch.rand(5, 3, 4) > 0.7
    drawn = overview.montage(maps, pixels)
    assert drawn.shape == (2 * 4 - 1, 3 * 5 - 1, 3)
    assert int((drawn == ORANGE).all(2).sum()) == int(pixels.sum())
    fourth = drawn[4:7, 0:4]
    np.testing.assert_array_equal((fourth == ORANGE).all(2), pixels[3].numpy())


def test_picture_shows_a_repaired_error_where_there_is_one(run, pairs):
    unique = pixel_sets(pairs, RULES["cutoff"]).unique
    repaired = rescore(pairs.wrong, unique).argmax(1) == pairs.labels
    shown = overview.shown_pair(pairs)
    candidates = [case for case, done in zip(pairs.cases, repaired, strict=True) if done]
    assert list(shown.cases) == closest(candidates or pairs.cases)
    figure = overview.overview(run, shown)
    case = shown.cases[0]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), run.faces.images[case.row])
    after = rescore(shown.wrong, pixel_sets(shown, RULES["cutoff"]).unique).softmax(1)[0]
    widths = [bar.get_width() for bar in figure.axes[3].patches]
    assert widths[3:] == pytest.approx(after.tolist(), abs=1e-6)
    assert "synthetic faces" in figure.get_suptitle()


def test_a_picture_of_no_pair_is_refused(run, pairs):
    none = pairs.only([])
    assert overview.shown_pair(none).cases == ()
    with pytest.raises(UserError, match="look-alike"):
        overview.overview(run, none)
