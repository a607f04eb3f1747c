"""What the tools count that make the reports in ``results``."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

import synthfaces
from synthfaces import FacePart, Landmarks
from tests.helpers.made_up import made_up_faces
from tinyvgg import files
from tinyvgg.faces.detection import SIDES, THRESHOLD, Face
from tinyvgg.training import experiments

FACE = np.array([40.0, 50.0, 80.0, 100.0])
EYES = np.array([[50.0, 70.0], [70.0, 70.0]])
IMAGE = np.zeros((120, 120, 3), np.uint8)


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(files.project() / "tools")
    return importlib.import_module


@pytest.fixture
def judges(tool):
    return tool("measure_faces")


@pytest.fixture
def detectors(tool):
    return tool("measure_detectors")


def test_detections_overlap_the_face_by_what_both_cover(judges):
    half, other, corner = [60, 50, 100, 100], [150, 20, 200, 200], [0, 0, 1, 1]
    everything, eye = [0, 0, 200, 200], [42, 52, 52, 62]
    boxes = np.array([FACE, half, everything, eye, other, corner], dtype=float)
    assert judges.overlaps(boxes, FACE) == pytest.approx([1, 1 / 3, 0.05, 0.05, 0, 0])


def test_the_face_is_where_its_own_parts_are(judges):
    parts = np.full((8, 8), FacePart.HAIR, np.uint8)
    parts[4:6, 2:5] = FacePart.CHEEKS
    parts[6, 3] = FacePart.CHIN
    parts[5, 5:] = FacePart.EARS
    assert judges.around(parts, 16).tolist() == [4, 8, 10, 14]
    moods = ("neutral", "surprised")
    neutral, surprised = (judges.face_box(1, mood, 90) for mood in moods)
    assert surprised[3] > neutral[3] + 4  # the jaw drops


def test_faces_found_are_counted_for_each_camera(judges):
    table = synthfaces.design(1, (45, 90)).head(4)
    elsewhere = [150.0, 150.0, 200.0, 200.0]
    said = iter([[FACE, elsewhere], [], [FACE + 100], [FACE]])
    faces = [FACE, FACE, FACE + 100, FACE]
    found = judges.count_found(
        table, IMAGE[:4], faces, lambda image: np.array(next(said)).reshape(-1, 4)
    )
    assert found == {
        "45": {"shown": 2, "found": 2, "elsewhere": 1, "missed": []},
        "90": {"shown": 2, "found": 1, "elsewhere": 0, "missed": [table["path"][1]]},
    }


def test_readings_are_counted_by_true_emotion(judges):
    table = synthfaces.design(2).query("gaze == 'frontal'")
    wrong = {"sad": "happy", "contemptuous": "angry"}
    images = table["emotion"].to_numpy()
    confusion = judges.count_read(table, images, lambda emotion: wrong.get(emotion, emotion))
    assert confusion["sad"] == dict.fromkeys(judges.OURS, 0) | {"happy": 2}
    assert confusion["contemptuous"]["angry"] == 2


def test_photographs_are_moved_until_their_eyes_lie_as_in_the_set(judges):
    photograph = np.zeros((600, 600, 3), np.uint8)
    eyes = np.array([[255.0, 270.0], [345.0, 270.0]])
    photograph[266:275, 251:260] = photograph[266:275, 341:350] = 255
    rows, columns = np.nonzero(judges.reframe(photograph, eyes)[..., 0] > 128)
    assert rows.mean() / judges.SIZE == pytest.approx(judges.EYES_FROM_TOP, abs=0.01)
    right, left = columns[columns < 112].mean(), columns[columns > 112].mean()
    assert (left - right) / judges.SIZE == pytest.approx(judges.EYE_DISTANCE, abs=0.01)


def test_faces_found_and_others_are_counted_apart(detectors):
    right, unsure = Face(FACE + 1, np.add(EYES, (3, 4)), 0.9), Face(FACE, EYES, 0.3)
    wrong, hardly = Face(FACE + 60, EYES, 0.7), Face(FACE - 40, EYES, 0.4)
    seen = [
        detectors.Shown("london", "one.jpg", IMAGE, FACE, EYES, [right, wrong], 10.0),
        detectors.Shown("london", "two.jpg", IMAGE, FACE, found=[unsure], ms=30.0),
        detectors.Shown("london", "none.jpg", IMAGE, found=[hardly], ms=20.0),
    ]
    assert detectors.count(seen) == {
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


def test_an_eye_is_measured_if_its_pupil_or_its_lid_is_seen(detectors):
    names = ("left-pupil", "right-pupil", "left-upper-lid", "right-upper-lid")
    points = np.array([[70.0, 60.0], [30.0, 62.0], [70.0, 57.0], [30.0, 58.0]])
    seen = np.array([False, False, True, False])
    eyes = detectors.seen_eyes(Landmarks(names, points, seen, (FacePart.EYES,) * 4))
    np.testing.assert_array_equal(eyes, [[np.nan, np.nan], [70, 60]])
    shown = detectors.Shown("0", "one.jpg", IMAGE, FACE, eyes, [Face(FACE, EYES, 0.9)])
    assert detectors.count([shown])["eye_error"] == pytest.approx(10 / 50)


def test_the_library_uses_what_was_measured_and_found_all_faces():
    report = json.loads((files.results() / "detectors.json").read_text("utf-8"))
    sides = ", then ".join(map(str, SIDES))
    assert report["used"] == {"detector": "CenterFace", "long_side": sides, "threshold": THRESHOLD}
    rows = [row for row in report["measured"] if row["long_side"] == sides]
    groups = {"london", "small", "astronaut", "none", "0", "45", "90", "135", "180"}
    assert {row["group"] for row in rows} == groups
    assert all(row["found"] == row["faces"] and not row["elsewhere"] for row in rows)


def test_areas_are_shares_of_the_images_at_each_angle(judges, monkeypatch, tmp_path):
    faces = made_up_faces(3)
    monkeypatch.setattr(experiments, "open_study", lambda *_, **__: SimpleNamespace(faces=faces))
    seen = np.zeros((len(faces), 16, 16), np.uint8)
    seen[:, :4] = FacePart.NOSE
    seen[:, 4] = FacePart.HAIR
    monkeypatch.setattr(synthfaces, "parts_seen", lambda *_, **__: seen)
    shares = {"face": 0.25, "ears, hair, neck": 0.0625, "background": 0.6875}
    judges.main(["areas", str(tmp_path / "areas.json")], standalone_mode=False)
    by_angle = dict.fromkeys(map(str, sorted(set(faces.index.table["angle"]))), shares)
    for found in files.report(tmp_path / "areas.json")["areas"].values():
        assert found == {"size": 8, "fingerprint": faces.fingerprint, "by_angle": by_angle}
