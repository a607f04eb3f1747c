"""``tinyvgg faces``: what it writes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

import synthfaces as synthetic
from synthfaces import Difficulty, anatomy
from tinyvgg import cli


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


def test_a_missing_anatomy_is_one_line_with_the_way_out(home, capsys, monkeypatch):
    monkeypatch.setattr(anatomy, "_FILE", Path("missing.npz"))
    assert cli.main(["faces"]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert "'missing.json' is missing or damaged; install the package again" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--size", "0"], "'--size': 0 is not in the range 8<=x<=2048"),
        (["--difficulty", "hard=1"], "difficulty 'hard' is not one of intensity, "),
        (["--difficulty", "roll=x"], "roll 'x' is not a number from"),
        (
            ["--difficulty", "noise=0", "rafd", "s", "--difficulty", "noise=1"],
            "'noise' is given twice",
        ),
        (["rafd", "set", "--subjects", "68"], "68 is not in the range 1<=x<=67"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(given, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["faces", *given]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.rglob("*"))
