"""Images that look unlike those that a network learned from are noticed, and hardly any others."""

import os
from pathlib import Path

import numpy as np
import pytest

from synthfaces import design, render
from tinyvgg.faces.cropping import read_face
from tinyvgg.training.looks import RATE, looks_of

PHOTOS = os.environ.get("TINYVGG_PHOTOS")
SIZE = 32
DRAW = np.random.default_rng(0)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Faces of ten people, in an order of chance."""
    table = design(10, angles=(90,))
    images = render(table, SIZE, tmp_path_factory.mktemp("faces"), progress=False)
    return images[np.random.default_rng(0).permutation(len(images))]


@pytest.fixture(scope="module")
def looks(faces):
    third = len(faces) // 3
    return looks_of(faces, np.arange(third), np.arange(third, 2 * third))


def test_fresh_images_of_the_set_are_strange_at_the_rate_that_is_said(faces, looks):
    assert looks.strange(faces[2 * len(faces) // 3 :]).mean() <= 5 * RATE


@pytest.mark.parametrize(
    "change",
    [
        lambda faces: faces[:, ::-1],
        lambda faces: 255 - faces,
        lambda faces: np.roll(faces, SIZE // 4, axis=1),
        lambda faces: np.repeat(faces[..., :1], 3, axis=-1),
        lambda faces: DRAW.integers(0, 256, faces.shape, dtype=np.uint8),
        lambda faces: np.full_like(faces, 128),
    ],
    ids=["upside down", "negative", "moved", "gray", "noise", "blank"],
)
def test_images_that_look_otherwise_are_strange(change, faces, looks):
    assert looks.strange(change(faces[-80:])).mean() > 0.95


@pytest.mark.skipif(not PHOTOS, reason="TINYVGG_PHOTOS names no folder with the London Set")
def test_photographs_are_strange_to_a_network_for_synthetic_faces(looks):
    paths = sorted(Path(str(PHOTOS)).glob("*_front/*.jpg"))[::20]
    seen = np.stack([read_face(path, SIZE, {"how": "auto", "shows": "face"}) for path in paths])
    assert looks.strange(seen).mean() >= 0.8


def test_distances_are_those_of_mahalanobis_whatever_the_batch(faces, looks, monkeypatch):
    rows = np.arange(7)
    whole = looks.distances(faces, rows)
    monkeypatch.setattr("tinyvgg.training.looks._BATCH", 3)
    np.testing.assert_allclose(looks.distances(faces, rows), whole)
    grid = faces[:7].reshape(7, 4, SIZE // 4, 4, SIZE // 4, 3).mean((2, 4)) / 255
    apart = grid.transpose(0, 3, 1, 2).reshape(7, -1) - looks.mean
    expected = [one @ looks.inverse @ one for one in apart]
    np.testing.assert_allclose(whole, expected)


def test_few_or_equal_images_do_no_harm():
    same = np.full((4, 8, 8, 3), 9, np.uint8)
    found = looks_of(same, np.array([0]), np.array([1]))
    assert not found.strange(same).any()
    assert found.strange(same + 30).all()
