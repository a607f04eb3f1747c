"""``tinyvgg train``, from what is typed to what is printed."""

from pathlib import Path

import pandas as pd
import pytest

from tinyvgg import cli

Capture = pytest.CaptureFixture[str]


def says(capsys: Capture, *arguments: str) -> str:
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def test_train_says_what_came_out(faces: str, home: Path, tmp_path: Path, capsys: Capture) -> None:
    given = ["train", "--profile", "smoke", "--faces", faces, "--device", "cpu"]
    given += ["--seed", "5", "--set", "epochs=2"]
    said = says(capsys, *given)
    (run,) = (home / "runs").iterdir()
    history = pd.read_csv(run / "history.csv")
    wrong = history["test_error"].iloc[-1]
    begin, ended, folder = said.rstrip("\n").split("; ")
    assert begin == f"class: accuracy {1 - wrong:.2%}, {round(10 * wrong)} of 10 wrong"
    assert ended.startswith("ended after 2 epochs, the most that its recipe allows, with ")
    assert folder == str(run)
    assert said == says(capsys, *given)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "fast"], "fast"),
        (["--task", "age"], "age"),
        (["--set", "optimiser=sgd,adam"], "several values"),
        (["--set", "rate=1", "--set", "rate=2"], "twice"),
        (["--device", "tpu"], "tpu"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(
    home: Path, capsys: Capture, options: list[str], said: str
) -> None:
    assert cli.main(["train", *options]) == cli.BAD_INPUT
    assert said in capsys.readouterr().err
    assert not (home / "runs").exists()


def test_photographs_left_out_are_counted(folder: Path, faces: str, capsys: Capture) -> None:
    (folder / "calm" / "empty.jpg").write_bytes(b"")
    given = ["--profile", "smoke", "--faces", faces, "--set", "epochs=1"]
    accuracy, left_out = says(capsys, "train", *given).splitlines()
    assert accuracy.startswith("class: accuracy")
    assert "left out: 1" in left_out
