"""Which part of a photograph becomes an image."""

import numpy as np
import pytest

from tinyvgg.faces.cropping import (
    Cropping,
    around_eyes,
    clear_face,
    cropping_of,
    fitting,
)
from tinyvgg.faces.detection import Face
from tinyvgg.faces.images import Crop, Facts, Unusable, centred
from tinyvgg.faces.sources import AROUND_FACES, BY_CAMERA, CENTRE


def face(height: float, x: float = 300.0) -> Face:
    """As tall as that, seen from the front."""
    width = 0.75 * height
    box = np.array([x - width / 2, 400 - height / 2, x + width / 2, 400 + height / 2])
    eyes = np.array([[x - width / 4, 380.0], [x + width / 4, 380.0]])
    return Face(box, eyes, 0.9)


def facts(*faces: Face, fault: str = "") -> Facts:
    return Facts("x", 800, 600, fault, "detector", faces)


def test_one_face_is_clear_and_so_is_one_much_larger_than_all_others() -> None:
    large, half, medium = face(200), face(99), face(101)
    assert clear_face([large]) is large
    assert clear_face([large, half]) is large
    assert clear_face([large, medium, half]) is None
    assert clear_face([]) is None


@pytest.mark.parametrize(
    ("unclear", "none", "several"),
    [
        ("skip", "shows no face that was found", "shows 2 faces"),
        ("centre", centred(800, 600), centred(800, 600)),
        ("largest", "shows no face that was found", around_eyes(face(200))),
    ],
)
def test_the_user_decides_what_becomes_of_unclear_images(
    unclear: str, none: str | Crop, several: str | Crop
) -> None:
    cropping = Cropping(AROUND_FACES, unclear)
    assert cropping.crop({}, facts(face(200))) == around_eyes(face(200))
    for found, expected in ((facts(), none), (facts(face(200), face(180, 500.0)), several)):
        if isinstance(expected, Crop):
            assert cropping.crop({}, found) == expected
        else:
            with pytest.raises(Unusable, match=expected):
                cropping.crop({}, found)


def test_sets_without_faces_are_taken_from_their_middle() -> None:
    assert fitting([facts()] * 6 + [facts(face(200))] * 5, "skip").how == CENTRE
    assert fitting([facts()] * 5 + [facts(face(200))] * 5, "skip").how == AROUND_FACES
    assert fitting([facts(fault="x")] * 3, "skip").how == CENTRE


def test_sets_that_are_cropped_already_are_not_cropped_again() -> None:
    # A face of 200 pixels needs a square of about 255: 43 % of 600, and 98 % of 260.
    close = Facts("x", 260, 300, faces=(face(200),))
    assert fitting([close] * 4, "skip").how == CENTRE
    assert fitting([facts(face(200))] * 4, "skip").how == AROUND_FACES
    assert "4 images that were looked at" in fitting([close] * 4, "skip").about


@pytest.mark.parametrize(
    "cropping",
    [
        Cropping(CENTRE),
        Cropping(AROUND_FACES, "largest"),
        Cropping(BY_CAMERA, boxes={0: Crop(1, 2, 3), 90: Crop(4, 5, 6)}, frame=(9, 8)),
    ],
)
def test_plain_data_stand_for_a_cropping(cropping: Cropping) -> None:
    assert cropping_of(cropping.plain) == cropping
