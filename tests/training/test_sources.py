"""Batches from images that stay on the device, and what becomes of their pixels."""

import numpy as np
import pandas as pd
import pytest
import torch

from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.training.batches import Scaling, fit_scaling, resident


@pytest.fixture
def faces() -> Faces:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (600, 8, 8, 3), dtype=np.uint8)
    images[..., 1] //= 2
    table = pd.DataFrame({"class": ["calm", "glad"] * 300})
    return Faces("folder:made up", FaceIndex(table), images, "0" * 16)


def test_batches_are_the_rows_asked_for_in_their_order(faces: Faces) -> None:
    groups = [np.array([7, 2, 599]), np.array([0])]
    source = resident(faces, "class", "cpu", Scaling())
    batches = list(source.batches(groups))
    assert list(source.batches([])) == []
    for (images, labels), rows in zip(batches, groups, strict=True):
        torch.testing.assert_close(images, faces.tensor(rows), rtol=0, atol=0)
        np.testing.assert_array_equal(labels, faces.index.labels("class")[rows])
        assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("rows", [np.arange(600), np.arange(0, 600, 7)])
def test_standardised_pixels_have_mean_0_and_deviation_1(faces: Faces, rows: np.ndarray) -> None:
    images = fit_scaling("standardised", faces, rows)(faces.pixels(rows)).double()
    for found, wanted in (
        (images.mean((0, 2, 3)), 0.0),
        (images.var((0, 2, 3), correction=0), 1.0),
    ):
        torch.testing.assert_close(found, torch.full_like(found, wanted), rtol=0, atol=1e-5)


def test_a_colour_that_is_the_same_throughout_is_not_blown_up(faces: Faces) -> None:
    images = faces.images.copy()
    images[..., 2] = 9
    images[599, ..., 2] = 11
    flat = Faces(faces.source, faces.index, images, faces.fingerprint)
    seen = fit_scaling("standardised", flat, np.arange(599))(flat.pixels())[:, 2]
    assert torch.equal(seen[:599], torch.zeros(599, 8, 8))
    assert torch.equal(seen[599], torch.full((8, 8), 2.0))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(Scaling(), [0.0, 0.5, 255 / 256]), (Scaling((128.0,) * 3, (128.0,) * 3), [-1, 0, 127 / 128])],
)
def test_pixels_are_scaled_as_stated(scale: Scaling, expected: list[float]) -> None:
    seen = scale(torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8))
    assert seen.flatten().tolist() == expected
