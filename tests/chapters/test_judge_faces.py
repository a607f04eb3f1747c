import importlib
from pathlib import Path

import numpy as np
import pytest

from synthfaces import EMOTIONS, FacePart, design

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FACE = np.array([40.0, 50.0, 80.0, 100.0])


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("judge_faces")


@pytest.fixture
def judges(tool):
    return tool


def test_all_subjects_are_seen_by_all_cameras_with_all_emotions(tool):
    table = tool.shots(67)
    assert len(table) == 67 * 8 * 5
    assert set(table["gaze"]) == {"frontal"}


@pytest.mark.parametrize(
    ("box", "overlap"),
    [
        ([40, 50, 80, 100], 1),
        ([40, 50, 60, 100], 0.5),
        ([60, 50, 100, 100], 1 / 3),
        ([0, 0, 200, 200], 0.05),  # nearly everything
        ([42, 52, 52, 62], 0.05),  # an eye
        ([150, 20, 200, 200], 0),
    ],
)
def test_detections_overlap_the_face_by_what_both_cover(box, overlap, tool):
    boxes = np.array([box, [0, 0, 1, 1]], dtype=float)
    assert tool.overlaps(boxes, FACE) == pytest.approx([overlap, 0])


def test_the_face_is_where_its_own_parts_are(tool):
    parts = np.full((8, 8), FacePart.HAIR, np.uint8)
    parts[4:6, 2:5] = FacePart.CHEEKS
    parts[6, 3] = FacePart.CHIN
    parts[5, 5:] = FacePart.EARS
    parts[7] = FacePart.NECK
    assert tool.around(parts).tolist() == [2, 4, 5, 7]


def test_each_image_has_the_box_of_its_own_face(tool, tmp_path):
    table = design(1, (45, 90))
    table = table[(table["gaze"] == "frontal") & table["emotion"].isin(["neutral", "surprised"])]
    found = {
        (angle, emotion): tool.face_box((1, emotion, angle), seed=0, folder=tmp_path)
        for angle, emotion in zip(table["angle"], table["emotion"], strict=True)
    }
    for angle in (45, 90):
        neutral, surprised = found[angle, "neutral"], found[angle, "surprised"]
        assert surprised[3] > neutral[3] + 4  # the jaw drops
        assert tool.SIZE / 2 < neutral[3] - neutral[1] < tool.SIZE
    assert np.ptp(found[45, "neutral"][::2]) < np.ptp(found[90, "neutral"][::2])


def test_faces_found_are_counted_for_each_camera(tool):
    table = design(1, (45, 90)).head(4)
    elsewhere = [150.0, 150.0, 200.0, 200.0]
    said = iter([[FACE, elsewhere], [], [FACE + 100], [FACE]])

    def detect(image: np.ndarray) -> np.ndarray:
        return np.array(next(said)).reshape(-1, 4)

    images = np.zeros((4, 8, 8, 3), np.uint8)
    faces = np.stack([FACE, FACE, FACE + 100, FACE])
    counts = tool.count_found(table, images, faces, {"one": detect})
    assert counts["one"] == {
        "45": {"shown": 2, "found": 2, "elsewhere": 1, "missed": []},
        "90": {"shown": 2, "found": 1, "elsewhere": 0, "missed": [table["path"][1]]},
    }


def test_readings_are_counted_without_contempt(tool):
    table = tool.shots(2)
    images = np.zeros((len(table), 8, 8, 3), np.uint8)
    images[:, 0, 0, 0] = table["emotion"].map(sorted(EMOTIONS).index)

    def says_happy_for_sad(image: np.ndarray) -> str:
        emotion = sorted(EMOTIONS)[image[0, 0, 0]]
        return {"sad": "happy", "contemptuous": "angry"}.get(emotion, emotion)

    report = tool.count_read(table, images, says_happy_for_sad)
    assert report["confusion"]["sad"] == dict.fromkeys(report["right"], 0) | {"happy": 2}
    assert report["confusion"]["contemptuous"]["angry"] == 2
    assert report["right"] == dict.fromkeys(report["right"], 1.0) | {"sad": 0.0}
    assert set(report["right"]) == set(EMOTIONS) - {"contemptuous"}
    assert report["right_of_all"] == round(12 / 14, 4)


def test_photographs_are_moved_until_their_eyes_lie_as_in_the_set(judges):
    photograph = np.zeros((600, 600, 3), np.uint8)
    eyes = np.array([[255.0, 270.0], [345.0, 270.0]])
    for x, y in eyes.astype(int):
        photograph[y - 4 : y + 5, x - 4 : x + 5] = 255
    rows, columns = np.nonzero(judges.reframe(photograph, eyes)[..., 0] > 128)
    assert rows.mean() / judges.SIZE == pytest.approx(judges.EYES_FROM_TOP, abs=0.01)
    right, left = columns[columns < 112].mean(), columns[columns > 112].mean()
    assert (left - right) / judges.SIZE == pytest.approx(judges.EYE_DISTANCE, abs=0.01)
    assert (left + right) / 2 / judges.SIZE == pytest.approx(0.5, abs=0.01)
