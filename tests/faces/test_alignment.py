"""Crops around eyes: framed as the synthetic faces are, level, and steady from all sides."""

import cv2
import numpy as np
import pytest
from skimage import data

from synthfaces import face_spec, render_face
from tinyvgg.faces.cropping import around_eyes
from tinyvgg.faces.detection import Face, load_detector

SIZE = 224


def face(apart=30.0, forth=0.0, tilt=0.0):
    """Eyes so far apart, so far to the right of the box's middle, and tilted, in degrees."""
    along = np.array([np.cos(np.radians(tilt)), np.sin(np.radians(tilt))])
    middle = np.array([300.0 + forth, 235.0])
    eyes = middle + np.array([[-0.5], [0.5]]) * apart * along
    return Face(np.array([264.0, 200.0, 336.0, 296.0]), eyes, 0.9)


DIAGONAL = 120.0


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


def rotated(image, degrees, about):
    """Turned clockwise."""
    move = cv2.getRotationMatrix2D(about, -degrees, 1.0)
    return cv2.warpAffine(image, move, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def only(image):
    (found,) = load_detector()(image)
    return found


def test_eyes_seen_from_the_front_lie_level_above_the_middle():
    crop = around_eyes(face())
    assert inside(crop, face().eyes).mean(axis=0) == pytest.approx([0.5, 0.413], abs=0.001)
    assert crop.side == pytest.approx(1.02 * DIAGONAL)
    assert crop.turn == 0


@pytest.mark.parametrize("tilt", [-35, 20])
def test_tilted_eyes_lie_level_in_the_crop(tilt):
    crop, tilted = around_eyes(face(tilt=tilt)), face(tilt=tilt)
    assert crop.turn == pytest.approx(tilt)
    left, right = inside(crop, tilted.eyes)
    assert left[1] == pytest.approx(right[1])
    assert left[0] < right[0]
    assert left[1] == pytest.approx(0.413, abs=0.001)


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
    profile = around_eyes(face(apart=5, forth=17, tilt=tilt))
    assert profile.turn == 0
    assert numbers(profile) == pytest.approx(numbers(around_eyes(face(apart=0, forth=17))))
    assert profile.side == pytest.approx(1.46 * DIAGONAL)
    assert profile.x < 300 - 0.2 * DIAGONAL, "the back of the head is in it"


def test_from_the_front_to_the_side_nothing_jumps():
    apart = np.linspace(32, 0, 321)
    crops = np.array([numbers(around_eyes(face(one, (32 - one) / 2, 10))) for one in apart])
    steps = np.abs(np.diff(crops, axis=0)).max(axis=0)
    assert (steps < (1.5, 0.2, 1.5, 0.3)).all()
    assert np.ptp(crops[:, 2]) > 0.3 * DIAGONAL


@pytest.mark.parametrize("angle", [0, 45, 90])
def test_crops_of_synthetic_faces_are_their_own_frames(angle, anatomy_folder):
    image = render_face(face_spec(2, "neutral", angle=angle), SIZE, anatomy_folder)
    crop = around_eyes(only(image))
    assert crop.x / SIZE == pytest.approx(0.5, abs=0.08)
    assert crop.y / SIZE == pytest.approx(0.5, abs=0.06)
    assert crop.side / SIZE == pytest.approx(1, abs=0.15)
    assert crop.turn == pytest.approx(0, abs=10)


@pytest.mark.parametrize("turn", [-20, 20])
def test_a_photograph_that_is_turned_has_a_crop_that_is_turned(turn):
    image = data.astronaut()
    eyes = only(image).eyes
    about = tuple(eyes.mean(axis=0).tolist())
    before, after = around_eyes(only(image)), around_eyes(only(rotated(image, turn, about)))
    assert after.turn - before.turn == pytest.approx(turn, abs=5)
    assert after.side == pytest.approx(before.side, rel=0.08)
    middle = inside(after, np.array([about]))[0]
    assert middle == pytest.approx([0.5, 0.413], abs=0.05)
