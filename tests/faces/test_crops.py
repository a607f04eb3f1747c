"""Square parts of photographs."""

import numpy as np
import pytest
import torch

from tinyvgg.faces.images import Crop, centred, cut


def image(height: int, width: int) -> torch.Tensor:
    """Red grows to the right, green downwards; blue says where the image is."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([columns, rows, np.full_like(rows, 200)])
    return torch.from_numpy(pixels.astype(np.uint8))


@pytest.mark.parametrize(("height", "width"), [(40, 21), (21, 40), (30, 30), (7, 7)])
def test_the_centred_square_is_the_largest_there_is(height: int, width: int) -> None:
    pixels, side = image(height, width), min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    found = cut(pixels, centred(height, width), side)
    expected = pixels[:, top : top + side, left : left + side].permute(1, 2, 0)
    np.testing.assert_array_equal(found, expected)


def test_outside_the_image_its_edge_goes_on() -> None:
    found = cut(image(50, 60), Crop(x=0, y=50, side=20), 20)
    assert (found[:, :10, 0] == 0).all()
    assert (found[10:, :, 1] == 49).all()
    assert found[0, -1].tolist() == [9, 40, 200]


def test_a_crop_is_resized_to_what_is_asked_for() -> None:
    found = cut(image(200, 200), Crop(100, 100, 160), 40).astype(int)
    assert found.shape == (40, 40, 3)
    steps = np.diff(found[20, :, 0])
    assert abs(steps.mean() - 4) < 0.05


@pytest.mark.parametrize("turn", [20.0, -35.0, 90.0, 180.0])
def test_a_turned_crop_shows_level_what_is_turned_in_the_image(turn: float) -> None:
    # A bar from the centre along the direction of the crop's upper edge.
    pixels = torch.zeros(3, 200, 240, dtype=torch.uint8)
    angle = np.radians(turn)
    for step in np.linspace(8, 60, 400):
        x, y = 120 + step * np.cos(angle), 100 + step * np.sin(angle)
        pixels[:, round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 255
    found = cut(pixels, Crop(120, 100, 140, turn), 140)[..., 0]
    rows, columns = np.nonzero(found > 128)
    assert abs(rows.mean() - 69.5) < 1.5
    assert rows.max() - rows.min() < 9
    assert abs(columns.min() - (69.5 + 6)) < 4
    assert abs(columns.max() - (69.5 + 62)) < 4


def test_a_turned_crop_has_the_scale_of_a_straight_one() -> None:
    fine = torch.from_numpy((np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8))
    found = cut(fine.expand(3, -1, -1), Crop(200, 200, 300, 30.0), 30)
    assert np.abs(found.astype(int) - 127).max() <= 3
