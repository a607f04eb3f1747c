"""The set as RaFD's folder: names, frames, what they show, and that work is not done twice."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthfaces import FaceError, rafd
from synthfaces.parameters import ANGLES
from synthfaces.people import design
from synthfaces.photograph import Studio
from synthfaces.rafd import write_rafd
from synthfaces.specification import face_spec
from synthfaces.truth import find_landmarks

FEW = {"emotions": ["neutral"], "gazes": ["frontal"], "workers": 1, "progress": False}
SEEN_FROM = (0, 90, 135)
MAN, GIRL_WITH_LARGEST_HEAD = 2, 41


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A subject at some angles."""
    folder = tmp_path_factory.mktemp("rafd") / "new" / "RaFD"
    write_rafd(folder, 1, angles=SEEN_FROM, **FEW)
    return folder


@pytest.fixture(scope="module")
def studio(written) -> Callable[[int], Studio]:
    return lambda number: rafd.portrait_studio(face_spec(number, "neutral"))


@pytest.fixture
def taken(monkeypatch) -> list[tuple[int, int]]:
    """Subject and angle of each portrait that is taken; they are grey."""
    found: list[tuple[int, int]] = []

    def grey(studio, spec):
        found.append((spec.subject, spec.angle))
        return np.full((rafd.HEIGHT, rafd.WIDTH, 3), 128, np.uint8)

    monkeypatch.setattr(rafd, "portrait", grey)
    monkeypatch.setattr(rafd, "portrait_studio", lambda *_: object())
    return found


def opened(path: Path) -> Image.Image:
    with Image.open(path) as found:
        found.load()
    return found


def test_files_are_those_of_the_design_and_of_rafds_size(written):
    names = {path.name for path in written.glob("*.jpg")}
    assert names == set(design(1, SEEN_FROM, ["neutral"], ["frontal"])["path"])
    assert "Rafd090_01_Caucasian_female_neutral_frontal.jpg" in names
    assert {opened(written / name).size for name in names} == {(681, 1024)}


def test_the_folder_says_that_nobody_is_shown_and_whose_the_images_are(written):
    about = (written / "README.txt").read_text()
    for said in ("None of these images shows a person", "BSD 3-Clause", "CC0", "Langner"):
        assert said in about
    for path in written.glob("*.jpg"):
        assert b"no person" in opened(path).info["comment"]
    kept = json.loads((written / rafd.MANIFEST).read_text())
    assert set(kept) == {"fingerprint", "seed", "difficulty", "what"}
    assert kept["seed"] == 0


def test_a_head_stands_over_a_black_shirt_before_white(written):
    for path in written.glob("*.jpg"):
        picture = np.asarray(opened(path)).astype(int)
        assert min(picture[:60, :100].min(), picture[:60, -100:].min()) > 230
        bottom, head = picture[-4:, 300:380], picture[300:600, 240:440]
        assert bottom.mean() < 75
        assert bottom.max() < 110
        assert 90 < head.mean() < 220
        assert head[..., 0].mean() > head[..., 2].mean() + 15, "skin is redder than shirt and wall"


@pytest.mark.parametrize("number", [1, 2, 4])
def test_the_face_is_where_rafd_has_it(number, studio):
    sitting = studio(number)
    view = rafd.portrait_camera(sitting, face_spec(number, "neutral"))
    marks = find_landmarks(sitting, view, rafd.WIDTH)
    at = dict(zip(marks.names, marks.points / (681, 1024), strict=True))
    eyes = (at["left-pupil"] + at["right-pupil"]) / 2
    assert eyes == pytest.approx([0.5, 0.40], abs=0.035)
    assert at["chin"][1] - eyes[1] == pytest.approx(0.25, abs=0.03)
    assert at["left-pupil"][0] > at["right-pupil"][0], "the subject's left is at the right"
    assert marks.visible.all()


@pytest.mark.parametrize("number", [MAN, GIRL_WITH_LARGEST_HEAD])
def test_nothing_is_cut_but_by_the_frame(number, studio):
    sitting = studio(number)
    mesh, points = sitting.mesh, sitting.pose.vertices.astype(np.float64)
    corners = np.sort(mesh.triangles[mesh.material == 0], axis=1)
    sides = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    sides, times = np.unique(sides, axis=0, return_counts=True)
    rim = np.unique(sides[times == 1])
    rim = rim[mesh.template[rim, 1] < 5.5]
    assert len(rim) > 20
    for angle in ANGLES:
        view = rafd.portrait_camera(sitting, face_spec(number, "neutral", angle=angle))
        ends = view.project(points[rim])
        assert not ((ends > -0.02) & (ends < 1.02)).all(axis=1).any()
        head = view.project(points[mesh.template[:, 1] > 6.3])
        assert head.min() > 0
        assert head.max() < 1


def test_what_is_there_is_not_rendered_again_and_what_is_torn_is(tmp_path, taken):
    folder = tmp_path / "RaFD"
    write_rafd(folder, 1, angles=[0, 90], **FEW)
    assert taken == [(1, 0), (1, 90)]
    cut, whole = sorted(folder.glob("*.jpg"))
    before, since = cut.read_bytes(), whole.stat().st_mtime_ns
    for torn in (b"", before[:40], before[:-2], before[:-200] + bytes(200), b"text"):
        cut.write_bytes(torn)
        taken.clear()
        write_rafd(folder, 1, angles=[0, 90], **FEW)
        assert taken == [(1, 0)]
        assert cut.read_bytes() == before
    assert whole.stat().st_mtime_ns == since
    Image.new("RGB", (681, 681)).save(whole)
    (folder / ".Rafd180_01.0123abcd.jpg").write_bytes(b"killed while it was written")
    taken.clear()
    write_rafd(folder, 2, angles=[0, 90], **FEW)
    assert len(list(folder.rglob("*.jpg"))) == 4
    assert sorted(taken) == [(1, 90), (2, 0), (2, 90)]
    assert opened(whole).size == (681, 1024)


def test_the_work_can_be_handed_to_other_processes(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(rafd, "work_off", lambda jobs, *_: given.extend(jobs))
    write_rafd(tmp_path, 2, **FEW)
    assert [job.images for job in given] == [5, 5]
    assert pickle.loads(pickle.dumps(given)) == given


def test_faces_of_another_seed_or_version_are_not_mixed(tmp_path, taken, monkeypatch):
    write_rafd(tmp_path, 1, **FEW)
    with pytest.raises(FaceError, match="holds the faces of seed 0, not 1; name another folder"):
        write_rafd(tmp_path, 1, seed=1, **FEW)
    monkeypatch.setattr(rafd, "VERSION", -1)
    with pytest.raises(FaceError, match="holds the faces of another version"):
        write_rafd(tmp_path, 1, **FEW)
    assert len(taken) == 5


def test_a_folder_of_photographs_is_never_written_to(tmp_path, taken):
    photograph = tmp_path / "Rafd090_01_Caucasian_female_neutral_frontal.jpg"
    photograph.write_bytes(b"somebody")
    with pytest.raises(FaceError, match="holds files that are no synthetic faces; name a new or"):
        write_rafd(tmp_path, 1, **FEW)
    assert [path.name for path in tmp_path.iterdir()] == [photograph.name]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed": 0}'])
def test_a_damaged_manifest_is_refused(text, tmp_path, taken):
    (tmp_path / rafd.MANIFEST).write_text(text)
    with pytest.raises(FaceError, match=r"file 'synthetic.json' of folder .* is damaged"):
        write_rafd(tmp_path, 1, **FEW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "subjects 0 is not a number from 1 to 67"),
        ({"subjects": 68}, "subjects 68 is not a number from 1 to 67"),
        ({"angles": [60]}, "angle 60 is not one of 0, 45, 90, 135, 180"),
        ({"angles": []}, "no image is requested"),
        ({"workers": 0}, "workers 0 is not a positive number"),
    ],
)
def test_bad_input_is_refused_before_a_folder_is_made(options, message, tmp_path):
    with pytest.raises(FaceError, match=message):
        write_rafd(tmp_path / "RaFD", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["taken", "taken/below"])
def test_a_place_that_cannot_be_a_folder_is_refused(place, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(FaceError, match=r"folder .* cannot be written to \(.*\); name another"):
        write_rafd(tmp_path / place, 1)
