"""``tinyvgg runs`` and ``tinyvgg train``, from what is typed to what is printed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tinyvgg import cli

Capture = pytest.CaptureFixture[str]


def says(capsys: Capture, *arguments: str) -> str:
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def refuses(capsys: Capture, *arguments: str) -> str:
    """The one line that bad input gives."""
    assert cli.main(arguments) == cli.BAD_INPUT
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("command", [["runs"], ["runs", "list"]])
def test_runs_are_listed_in_columns_with_totals(
    shelf: Any, capsys: Capture, command: list[str]
) -> None:
    shelf.copy("first", age=7300)
    shelf.interrupted("second", epochs=1)
    (shelf.copy("third", age=3 * 86400) / "manifest.json").write_text("")
    header, *rows, totals = says(capsys, *command).splitlines()
    assert header.split() == "run profile seed epochs accuracy errors age size state".split()
    by_name = {row.split()[0]: row for row in rows}
    assert " 2 h " in by_name["first"]
    assert by_name["first"].endswith("complete")
    assert "smoke, epochs=3, initialisation=he" in by_name["second"]
    assert " 1/3 " in by_name["second"]
    assert by_name["third"].endswith("damaged: has no readable manifest")
    assert len({row.index("%") for row in rows}) == 1
    assert totals.startswith("3 runs: 1 complete, 1 interrupted, 1 damaged; ")


@pytest.mark.parametrize("command", [["runs", "--json"], ["runs", "list", "--json"]])
def test_scripts_read_the_list_as_json(shelf: Any, capsys: Capture, command: list[str]) -> None:
    folder = shelf.copy("first", age=100)
    (found,) = json.loads(says(capsys, *command))
    assert found["folder"] == str(folder)
    assert (found["name"], found["state"], found["seed"]) == ("first", "complete", 3)
    assert found["age"] == pytest.approx(100, abs=60)


def test_without_runs_it_says_what_makes_one(shelf: Any, capsys: Capture) -> None:
    said = says(capsys, "runs")
    assert "tinyvgg train" in said
    assert said.count("\n") == 1
    assert json.loads(says(capsys, "runs", "--json")) == []


def test_a_run_is_shown_by_part_of_its_name(shelf: Any, capsys: Capture) -> None:
    folder = shelf.copy("first", seconds=100.0, left_plateau=2)
    said = says(capsys, "runs", "show", "fir")
    history = pd.read_csv(folder / "history.csv")
    gradients = pd.read_csv(folder / "gradients.csv")
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line}
    assert lines["initialisation"] == ["initialisation", "he"]
    assert lines["plateau"][1:] == ["left", "in", "epoch", "2"]
    assert lines["wall"][2:] == ["100", "s", "(1", "min)"]
    assert lines["3"][1] == f"{history['train_loss'].iloc[-1]:.4g}"
    layer = gradients.columns[1]
    assert lines[layer][1:] == [f"{gradients[layer].iloc[place]:.2g}" for place in (0, -1)]
    best = 1 + int(history["test_error"].argmin())
    (line,) = [line for line in said.splitlines() if line.endswith("the lowest test_error")]
    assert line.split()[0] == str(best)
    assert "images/s" in said


@pytest.mark.parametrize("state", ["interrupted", "damaged", "empty"])
def test_what_is_there_of_any_run_is_shown(shelf: Any, capsys: Capture, state: str) -> None:
    if state == "interrupted":
        shelf.interrupted("first")
    elif state == "damaged":
        for path in shelf.copy("first").iterdir():
            path.write_bytes(b"\xff")
    else:
        (shelf.folder / "first").mkdir(parents=True)
    assert "first" in says(capsys, "runs", "show", "first")
    assert "first" in says(capsys, "runs")


@pytest.mark.parametrize("command", [("show", "x"), ("diff", "x", "first"), ("prune", "x")])
def test_an_unknown_run_is_one_line_with_those_there_are(
    shelf: Any, capsys: Capture, command: tuple[str, ...]
) -> None:
    shelf.copy("first")
    assert "run 'x' is not one of first" in refuses(capsys, "runs", *command)


def test_two_runs_are_set_side_by_side(shelf: Any, capsys: Capture) -> None:
    shelf.copy("first")
    shelf.configure(shelf.copy("second"), recipe={"rate": 0.25})
    said = says(capsys, "runs", "diff", "first", "second")
    assert ["rate", "0.05", "0.25"] in [line.split() for line in said.splitlines()]
    assert "McNemar's exact p = 1" in said
    assert "weights: identical" in said


def test_nothing_goes_until_yes(shelf: Any, capsys: Capture) -> None:
    kept, cut = shelf.copy("kept"), shelf.interrupted("cut")
    said = says(capsys, "runs", "prune", "--interrupted")
    assert "--yes removes them" in said
    assert "1 run: 1 interrupted; " in said
    assert cut.exists()
    assert says(capsys, "runs", "prune", "--interrupted", "--yes").startswith("removed: 1 run, ")
    assert kept.exists()
    assert not cut.exists()
    assert "no run is like that" in says(capsys, "runs", "prune", "--interrupted")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing says which runs"),
        (["--yes"], "nothing says which runs"),
        (["--keep", "x"], "keep 'x' is not a whole number from 0 on"),
        (["--keep", "-1"], "keep '-1' is not a whole number from 0 on"),
        (["--older", "nan"], "older 'nan' is not a number from 0 on"),
    ],
)
def test_a_removal_without_a_clear_selection_is_refused(
    shelf: Any, capsys: Capture, options: list[str], said: str
) -> None:
    folder = shelf.copy("first")
    assert said in refuses(capsys, "runs", "prune", *options)
    assert folder.exists()


def test_train_says_in_one_line_what_came_out_and_writes_curves(
    shelf: Any, faces: Path, tmp_path: Path, capsys: Capture
) -> None:
    given = ["train", "--profile", "smoke", "--faces", f"folder:{faces}", "--device", "cpu"]
    given += ["--seed", "5", "--set", "epochs=2", "--tensorboard", str(tmp_path / "curves")]
    said = says(capsys, *given)
    (folder,) = shelf.folder.iterdir()
    history = pd.read_csv(folder / "history.csv")
    wrong = history["test_error"].iloc[-1]
    assert said == f"class: accuracy {1 - wrong:.2%}, {round(10 * wrong)} of 10 wrong; {folder}\n"
    assert said == says(capsys, *given)
    curves = EventAccumulator(str(tmp_path / "curves" / folder.name)).Reload()
    losses = [point.value for point in curves.Scalars("loss/train")]
    assert losses == pytest.approx(history["train_loss"].tolist())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "fast"], "profile 'fast' is not one of smoke"),
        (["--task", "age"], "task 'age' is not one of subject, emotion of faces 'synthetic'"),
        (["--set", "optimiser=lion"], "optimiser 'lion' is not one of sgd"),
        (["--set", "optimiser=sgd,adam"], "a training takes one"),
        (["--set", "rate=1", "--set", "rate=2"], "a training takes one"),
        (["--device", "tpu"], "device 'tpu' is not one of cuda, mps, cpu"),
        (["--tensorboard", __file__], "is not a folder"),
    ],
)
def test_train_refuses_bad_input_before_anything_large_is_imported(
    shelf: Any, options: list[str], said: str
) -> None:
    code = (
        "import sys\nfrom tinyvgg import cli\n"
        f"assert cli.main(['train', *{options}]) == cli.BAD_INPUT\n"
        "print(*{'torch', 'pandas', 'numpy', 'tensorboard'}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not shelf.folder.exists()


def test_a_run_tells_of_photographs_that_are_left_out(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, draw_photographs: Any
) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    folder = draw_photographs(tmp_path / "faces")
    (folder / "calm" / "empty.jpg").write_bytes(b"")
    given = ["--profile", "smoke", "--faces", f"folder:{folder}::crop=centre", "--set", "epochs=1"]
    accuracy, left_out = says(capsys, "train", *given).splitlines()
    assert accuracy.startswith("class: accuracy")
    assert left_out == "1 file left out; 'tinyvgg faces sheets' says why"
    assert "crop centre, 1 file left out" in says(capsys, "runs", "show", "class-folder")
