"""What is counted when face detectors are compared."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from synthfaces import FacePart, Landmarks
from tinyvgg.errors import UserError
from tinyvgg.faces.detection import SIDES, THRESHOLD, Face

ROOT = Path(__file__).resolve().parents[2]
BOX = np.array([40.0, 50.0, 80.0, 100.0])
EYES = np.array([[50.0, 70.0], [70.0, 70.0]])
IMAGE = np.zeros((120, 120, 3), np.uint8)


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("measure_detectors")


@pytest.fixture
def trials(tool):
    return tool


def test_faces_found_and_others_are_counted_apart(tool, trials):
    one = trials.Shown("london", "one.jpg", IMAGE, BOX, EYES)
    two = trials.Shown("london", "two.jpg", IMAGE, BOX)
    none = trials.Shown("london", "none.jpg", IMAGE)
    right, unsure = Face(BOX + 1, np.add(EYES, (3, 4)), 0.9), Face(BOX, EYES, 0.3)
    wrong, hardly = Face(BOX + 60, EYES, 0.7), Face(BOX - 40, EYES, 0.4)
    count = tool.count(
        [(one, ([right, wrong], 10.0)), (two, ([unsure], 30.0)), (none, ([hardly], 20.0))]
    )
    assert count == {
        "shown": 3,
        "faces": 2,
        "found": 1,
        "elsewhere": 1,
        "least_score_of_faces": 0.3,
        "greatest_score_elsewhere": 0.7,
        "eye_error": pytest.approx(5 / 50),
        "ms": 20.0,
        "missed": ["two.jpg"],
    }


def test_eyes_that_are_not_seen_are_not_measured(tool, trials):
    eyes = np.array([[np.nan, np.nan], [70.0, 70.0]])
    shown = trials.Shown("0", "one.jpg", IMAGE, BOX, eyes)
    assert tool.eye_errors(Face(BOX, EYES + 10, 0.9), shown) == [pytest.approx(np.sqrt(200) / 50)]


def test_an_eye_is_seen_if_its_pupil_or_its_lid_is(trials):
    names = ("left-pupil", "right-pupil", "left-upper-lid", "right-upper-lid")
    points = np.array([[70.0, 60.0], [30.0, 62.0], [70.0, 57.0], [30.0, 58.0]])
    seen = np.array([False, False, True, False])
    eyes = trials.seen_eyes(Landmarks(names, points, seen, (FacePart.EYES,) * 4))
    np.testing.assert_array_equal(eyes, [[np.nan, np.nan], [70, 60]])


def test_small_faces_are_where_they_are_said_to_be(trials):
    image = np.zeros((600, 600, 3), np.uint8)
    image[100:200, 300:400] = 255
    small = trials.made_small(
        trials.Shown("london", "one.jpg", image, np.array([300.0, 100.0, 400.0, 200.0]))
    )
    rows, columns = np.nonzero(small.image[..., 0] == 255)
    assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == small.face.tolist()
    assert len(rows) == 100


def test_grey_and_bilevel_pictures_are_shown_in_colour(trials):
    two_levels = trials.in_colour(np.array([[True, False]]))
    assert two_levels.tolist() == [[[255] * 3, [0] * 3]]


def test_a_folder_without_photographs_is_named(trials, tmp_path):
    with pytest.raises(UserError, match="neutral_front' has no photographs"):
        next(trials.photographs(tmp_path))


def test_the_library_uses_what_was_measured_and_found_all_faces():
    report = json.loads((ROOT / "results" / "detectors.json").read_text())
    sides = ", then ".join(map(str, SIDES))
    assert report["used"] == {
        "detector": "CenterFace",
        "long_side": sides,
        "threshold": THRESHOLD,
    }
    rows = [row for row in report["measured"] if row["long_side"] == sides]
    groups = {"london", "small", "astronaut", "none", "0", "45", "90", "135", "180"}
    assert {row["group"] for row in rows} == groups
    for row in rows:
        assert row["found"] == row["faces"]
        assert row["elsewhere"] == 0
