"""Faces are found where they are: in photographs, in synthetic faces, and nowhere else."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from synthfaces import Difficulty, face_spec, ground_truth, render_face
from tinyvgg.errors import UserError
from tinyvgg.faces import detection
from tinyvgg.faces.cropping import Cropping, around_eyes
from tinyvgg.faces.detection import SIDES, CenterFace, new_detector
from tinyvgg.faces.images import Facts, Unusable

PHOTOS = os.environ.get("TINYVGG_PHOTOS")
FACE = np.array([182.0, 70.0, 267.0, 179.0])
EYES = np.array([[204.0, 101.0], [247.0, 103.0]])
"""Of the astronaut, by hand."""
SIZE = 224
DARK = np.zeros((64, 64, 3), np.uint8)


@pytest.fixture
def detect():
    return new_detector()


@pytest.fixture
def astronaut():
    return data.astronaut()


class Network:
    """Says the same of every photograph, and keeps what it was given last."""

    def __init__(self, *seen):
        self.seen, self.looks = seen, 0

    def setInput(self, blob):
        self.blob, self.looks = blob, self.looks + 1

    def forward(self, names):
        height, width = (side // 4 for side in self.blob.shape[2:])
        maps = [np.zeros((1, n, height, width), np.float32) for n in (1, 2, 2, 10)]
        for row, column, *values in self.seen:
            for each, value in zip(maps, values, strict=True):
                each[0, :, row, column] = value
        return maps


def shared(box, other):
    """What two boxes share, as a share of what they cover."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    common = sides.clip(min=0).prod()
    areas = sum((one[2:] - one[:2]).prod() for one in (box, other))
    return common / (areas - common)


def scaled(image, factor):
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)


def test_the_face_of_a_photograph_is_found_with_its_eyes_however_large_it_is(detect, astronaut):
    (face,) = detect(astronaut)
    assert shared(face.box, FACE) > 0.7
    assert face.eyes == pytest.approx(EYES, abs=5)
    assert 0.7 < face.score <= 1
    for factor in (0.3, 2.0):
        (other,) = detect(scaled(astronaut, factor))
        assert other.box / factor == pytest.approx(face.box, abs=6)
        assert other.eyes / factor == pytest.approx(face.eyes, abs=4)


def test_of_two_faces_the_largest_comes_first(detect, astronaut):
    small = scaled(astronaut, 0.6)
    both = np.full((512, 512 + small.shape[1], 3), 200, np.uint8)
    both[: len(small), : small.shape[1]] = small
    both[:, small.shape[1] :] = astronaut
    large, other = detect(both)
    assert large.eyes == pytest.approx(np.add(EYES, (small.shape[1], 0)), abs=6)
    assert other.eyes == pytest.approx(EYES * 0.6, abs=6)


@pytest.mark.parametrize("name", ["cat", "rocket"])
def test_nothing_is_found_where_there_is_no_face(name, detect):
    assert detect(getattr(data, name)()) == []


def test_a_face_that_is_small_in_its_photograph_is_found_by_a_second_look(detect, astronaut):
    photograph = np.full((3600, 3600, 3), 200, np.uint8)
    photograph[1000:1512, 1200:1712] = astronaut
    assert new_detector(SIDES[:1])(photograph) == []
    (face,) = detect(photograph)
    assert face.eyes == pytest.approx(np.add(EYES, (1200, 1000)), abs=15)


@pytest.mark.parametrize(
    ("crop", "angle"), [("head", 0), ("head", 45), ("head", 90), ("face", 45), ("face", 90)]
)
def test_synthetic_faces_are_found_in_their_crops(crop, angle, detect):
    spec = face_spec(2, "happy", angle=angle, difficulty=Difficulty(crop=crop))
    (face,) = detect(render_face(spec, SIZE))
    marks = ground_truth(spec, SIZE).landmarks
    left, right = (marks.points[marks.names.index(f"{side}-pupil")] for side in ("left", "right"))
    if angle >= 90:  # the subject's left eye is the one at the right of the picture, or hidden
        assert face.eyes[int(angle < 180)] == pytest.approx(left, abs=0.06 * SIZE)
    if angle <= 90:
        assert face.eyes[int(angle == 0)] == pytest.approx(right, abs=0.06 * SIZE)
    for name in ("nose-bridge", "upper-lip", "chin"):
        point = marks.points[marks.names.index(name)]
        assert (face.box[:2] - 8 < point).all(), name
        assert (point < face.box[2:] + 8).all(), name
    found = around_eyes(face, crop)
    assert found.x / SIZE == pytest.approx(0.5, abs=0.08)
    assert found.y / SIZE == pytest.approx(0.5, abs=0.06)
    assert found.side / SIZE == pytest.approx(1, abs=0.2)
    assert found.turn == pytest.approx(0, abs=10)


def turned(image, degrees):
    """A whole image turned clockwise, on grey, and the matrix of its points."""
    shape = np.array(image.shape[1::-1])
    matrix = cv2.getRotationMatrix2D((0, 0), -degrees, 1.0)
    size = np.rint(np.abs(matrix[:, :2]) @ shape).astype(int)
    matrix[:, 2] = (size - 1) / 2 - matrix[:, :2] @ ((shape - 1) / 2)
    return cv2.warpAffine(image, matrix, size.tolist(), borderValue=(90, 90, 90)), matrix


def check_upright(detect, image, eyes, degrees):
    """Check that the crop of a turned photograph has these eyes level in its upper half."""
    photograph, matrix = turned(image, degrees)
    faces = detect(photograph)
    assert faces[0].eyes == pytest.approx(eyes @ matrix[:, :2].T + matrix[:, 2], abs=8)
    crop = Cropping("faces", "skip").crop({}, Facts("x", *photograph.shape[:2], faces=(*faces,)))
    right = np.array([np.cos(np.radians(crop.turn)), np.sin(np.radians(crop.turn))])
    seen = eyes @ matrix[:, :2].T + matrix[:, 2] - (crop.x, crop.y)
    across, down = seen @ right / crop.side, seen @ (-right[1], right[0]) / crop.side
    assert across[0] < -0.1 < 0.1 < across[1]
    assert np.degrees(np.arctan2(down[1] - down[0], across[1] - across[0])) == pytest.approx(
        0, abs=8
    )
    assert down == pytest.approx(-0.165, abs=0.06)


@pytest.mark.parametrize("degrees", [90, 180, 270, 45, -45, 30, 140])
def test_a_photograph_that_lies_or_is_tilted_is_cropped_upright(detect, astronaut, degrees):
    check_upright(detect, astronaut, EYES, degrees)


@pytest.mark.skipif(not PHOTOS, reason="TINYVGG_PHOTOS names no folder with the London Set")
def test_photographs_of_the_london_set_are_cropped_upright(detect):
    for number, path in enumerate(sorted(Path(PHOTOS).glob("*_front/*.jpg"))[::12]):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        (face,) = detect(image)
        check_upright(detect, image, face.eyes, (90, 180, 270, 45, -45)[number % 5])


def test_one_look_is_enough_where_a_face_stands_upright():
    network = Network(seen(5, 7))
    (face,) = CenterFace(network, (64,), 0.5)(DARK)
    assert (face.turn, network.looks) == (0, 1)


def test_it_is_uncertain_how_a_face_stands_that_looks_alike_from_all_sides():
    network = Network((*seen(8, 8, 0.7)[:-1], [0.5] * 10))
    faces = CenterFace(network, (64,), 0.5)(DARK)
    assert [face.turn for face in faces] == [None]
    for unclear in ("skip", "largest"):
        with pytest.raises(Unusable, match="how it stands is uncertain"):
            Cropping("faces", unclear).crop({}, Facts("x", 64, 64, faces=(*faces,)))
    assert Cropping("faces", "centre").crop({}, Facts("x", 64, 64, faces=(*faces,))).side == 64


@pytest.mark.skipif(not PHOTOS, reason="TINYVGG_PHOTOS names no folder with the London Set")
def test_the_faces_of_the_london_set_are_found(detect):
    paths = sorted(Path(PHOTOS).glob("*_front/*.jpg"))[::12]
    assert paths
    for path in paths:
        (face,) = detect(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
        assert shared(face.box, np.array([205, 165, 395, 425])) > 0.5, path.name
        across, down = face.eyes[1] - face.eyes[0]
        assert 70 < across < 120, path.name
        assert abs(down) < 12, path.name
        assert 0.3 < (face.eyes[0, 1] - face.box[1]) / face.size[1] < 0.5, path.name


def seen(row, column, score=0.9):
    """A face of 32 x 24 pixels (rows come first) that stands upright."""
    marks = [0.5, 0.25, 0.48, 0.75, 0.6, 0.5, 0.8, 0.3, 0.8, 0.7]
    return row, column, score, np.log([8, 6]), (0.25, -0.5), marks


def test_what_the_network_says_is_read_as_it_is_meant():
    network = Network(seen(5, 7))
    (face,) = CenterFace(network, (64,), 0.5)(np.full((96, 128, 3), (10, 20, 30), np.uint8))
    assert network.blob.shape == (1, 3, 64, 64), "64 x 48, and black below it"
    assert network.blob[0, :, 47, 3].tolist() == [10, 20, 30], "red comes first"
    assert network.blob[0, :, 48:].max() == 0
    middle = np.array([7 - 0.5 + 0.5, 5 + 0.25 + 0.5]) * 4
    start = (middle - (12, 16)) * 2
    assert face.box == pytest.approx([*start, *np.add(start, (48, 64))])
    eyes = start + np.array([[0.25 * 48, 0.5 * 64], [0.75 * 48, 0.48 * 64]])
    assert face.eyes == pytest.approx(eyes, rel=1e-5)
    assert face.score == pytest.approx(0.9)


def test_of_detections_on_top_of_each_other_the_surest_stays():
    network = Network(seen(8, 4, 0.6), seen(8, 5, 0.8), seen(9, 5, 0.7), seen(8, 12, 0.55))
    faces = CenterFace(network, (64,), 0.5)(DARK)
    assert sorted(round(face.score, 3) for face in faces) == [0.55, 0.8]
    assert CenterFace(network, (64,), 0.85)(DARK) == []


@pytest.mark.parametrize("name", ["altered.onnx", "missing.onnx"])
def test_missing_or_damaged_weights_are_named_with_the_way_out(name, tmp_path, monkeypatch):
    for path in (tmp_path / "altered.onnx", (tmp_path / name).with_suffix(".json")):
        content = detection.WEIGHTS.with_suffix(path.suffix).read_bytes()
        path.write_bytes(content + (b"" if path.suffix == ".json" else b"\0"))
    monkeypatch.setattr(detection, "WEIGHTS", tmp_path / name)
    said = rf"file '.*{name}' is missing or damaged; install the package again"
    for use in (new_detector, detection.fingerprint):
        with pytest.raises(UserError, match=said):
            use()
