"""Which part of a photograph becomes an image: around its eyes, or its middle; and its pixels."""

import numpy as np
import pytest
import torch

from tinyvgg.faces.cropping import Cropping, around_eyes, clear_face, cropping_of, fitting
from tinyvgg.faces.detection import Face
from tinyvgg.faces.images import Crop, Facts, Unusable, centred, cut
from tinyvgg.faces.sources import AROUND_FACES, BY_CAMERA, CENTRE

DIAGONAL = 120.0


def face(apart=30.0, forth=0.0, tilt=0.0):
    """Eyes so far apart, so far to the right of the box's middle, and tilted, in degrees."""
    along = np.array([np.cos(np.radians(tilt)), np.sin(np.radians(tilt))])
    middle = np.array([300.0 + forth, 235.0])
    eyes = middle + np.array([[-0.5], [0.5]]) * apart * along
    return Face(np.array([264.0, 200.0, 336.0, 296.0]), eyes, 0.9)


def moved(one, factor, shift):
    return Face(one.box * factor + np.tile(shift, 2), one.eyes * factor + shift, one.score)


def mirrored(one, width):
    left, top, right, bottom = one.box
    box = np.array([width - right, top, width - left, bottom])
    return Face(box, (one.eyes * (-1, 1) + (width, 0))[::-1], one.score)


def numbers(crop):
    return np.array([crop.x, crop.y, crop.side, crop.turn])


def inside(crop, points):
    """Where points lie in a crop, as shares of its side."""
    turn = np.radians(crop.turn)
    right = np.array([np.cos(turn), np.sin(turn)])
    offset = points - (crop.x, crop.y)
    return np.stack([offset @ right, offset @ (-right[1], right[0])], axis=1) / crop.side + 0.5


@pytest.mark.parametrize(("shows", "side", "height"), [("head", 1.02, 0.413), ("face", 0.8, 0.335)])
@pytest.mark.parametrize("tilt", [-35, 0, 20])
def test_eyes_seen_from_the_front_lie_level_above_the_middle(tilt, shows, side, height):
    tilted = face(tilt=tilt)
    crop = around_eyes(tilted, shows)
    left, right = inside(crop, tilted.eyes)
    assert crop.turn == pytest.approx(tilt)
    assert crop.side == pytest.approx(side * DIAGONAL)
    assert left[1] == pytest.approx(right[1])
    assert left[1] == pytest.approx(height, abs=0.001)
    assert left[0] < right[0]
    assert left[0] + right[0] == pytest.approx(1, abs=abs(tilt) / 150)


@pytest.mark.parametrize("apart", [0, 12, 30])
@pytest.mark.parametrize("forth", [-18, 0])
def test_larger_photographs_have_larger_crops_and_mirrored_ones_mirrored_crops(apart, forth):
    one = face(apart, forth, tilt=10)
    crop = numbers(around_eyes(one))
    larger = numbers(around_eyes(moved(one, 3, (50, -20))))
    assert larger == pytest.approx(crop * (3, 3, 3, 1) + (50, -20, 0, 0))
    other = numbers(around_eyes(mirrored(one, 800)))
    assert other == pytest.approx(crop * (-1, 1, 1, -1) + (800, 0, 0, 0))


@pytest.mark.parametrize("tilt", [-90, -50, 0, 50, 90])
def test_eyes_at_nearly_one_place_neither_turn_nor_shrink_the_crop(tilt):
    profile = around_eyes(face(apart=5, forth=17, tilt=tilt), "head")
    assert profile.turn == 0
    assert numbers(profile) == pytest.approx(numbers(around_eyes(face(apart=0, forth=17), "head")))
    assert profile.side == pytest.approx(1.46 * DIAGONAL)
    assert profile.x < 300 - 0.2 * DIAGONAL, "the back of the head is in it"


def test_from_the_front_to_the_side_nothing_jumps():
    apart = np.linspace(32, 0, 321)
    faces = [face(one, (32 - one) / 2, 10) for one in apart]
    crops = np.array([numbers(around_eyes(one, "head")) for one in faces])
    steps = np.abs(np.diff(crops, axis=0)).max(axis=0)
    assert (steps < (1.5, 0.2, 1.5, 0.3)).all()
    assert np.ptp(crops[:, 2]) > 0.3 * DIAGONAL


@pytest.mark.parametrize("apart", [3, 30])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_was_found_turned_has_the_crop_of_an_upright_one_turned(apart, quarters):
    upright = face(apart, 8, tilt=5)
    turn = np.array([[0, -1], [1, 0]])  # clockwise by 90 degrees about the corner
    middle, eyes = upright.middle, upright.eyes
    for _ in range(quarters):
        middle, eyes = turn @ middle, eyes @ turn.T
    box = np.concatenate([middle - upright.size / 2, middle + upright.size / 2])
    x, y, side, degrees = numbers(around_eyes(upright))
    crop = around_eyes(Face(box, eyes, 0.9, 90.0 * quarters))
    assert (crop.side, crop.turn) == pytest.approx((side, degrees + 90 * quarters))
    assert (crop.x, crop.y) == pytest.approx(tuple(np.linalg.matrix_power(turn, quarters) @ (x, y)))


def large(height: float, x: float = 300.0) -> Face:
    """A frontal face as tall as that, with its middle at a column."""
    factor = height / 96
    return moved(face(), factor, (x - 300 * factor, 400 - 248 * factor))


def facts(*faces: Face, fault: str = "") -> Facts:
    return Facts("x", 800, 600, fault, "detector", faces)


def test_one_face_is_clear_and_so_is_one_much_larger_than_all_others() -> None:
    largest = large(200)
    assert clear_face([largest, large(99)]) is largest
    assert clear_face([largest, large(101), large(99)]) is None


def cropped(unclear: str, *faces: Face) -> Crop | str:
    """The part that is used of a photograph with these faces, or why none is."""
    try:
        return Cropping(AROUND_FACES, unclear).crop({}, facts(*faces))
    except Unusable as error:
        return str(error)


@pytest.mark.parametrize("unclear", ["skip", "centre", "largest"])
def test_the_user_decides_what_becomes_of_unclear_images(unclear: str) -> None:
    none, first, middle = "shows no face that was found", large(200), centred(800, 600)
    expected = {
        "skip": (none, "shows 2 faces"),
        "centre": (middle, middle),
        "largest": (none, around_eyes(first)),
    }
    assert cropped(unclear, first) == around_eyes(first)
    assert (cropped(unclear), cropped(unclear, first, large(180, 500.0))) == expected[unclear]


def test_sets_without_faces_or_cropped_already_are_taken_from_their_middle() -> None:
    found = facts(large(200))
    assert fitting([facts()] * 6 + [found] * 5, "skip").how == CENTRE
    assert fitting([facts()] * 5 + [found] * 5, "skip").how == AROUND_FACES
    assert fitting([facts(fault="x")] * 3, "skip").how == CENTRE
    # A face of 200 pixels needs a square of about 200: a third of 600, and 98 % of 204.
    close = fitting([Facts("x", 204, 300, faces=(large(200),))] * 4, "skip")
    assert close.how == CENTRE
    assert "4 images that were looked at" in close.about


def test_plain_data_stand_for_a_cropping() -> None:
    cameras = Cropping(BY_CAMERA, boxes={0: Crop(1, 2, 3), 90: Crop(4, 5, 6)}, frame=(9, 8))
    heads = Cropping(AROUND_FACES, "largest", "head")
    deep = Cropping(CENTRE, bits=12)
    for cropping in (Cropping(CENTRE), Cropping(AROUND_FACES, "largest"), heads, cameras, deep):
        assert cropping_of(cropping.plain) == cropping


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
