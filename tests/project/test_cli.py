"""The command line: bad input is one line with the way out, and nothing is written."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tinyvgg import cli
from tinyvgg.book import committed, reproduce
from tinyvgg.book import reproduce as reproduction
from tinyvgg.book.reproduce import Difference, Reproduction

LARGE = {"torch", "pandas", "numpy", "IPython", "nbformat", "jupytext", "papermill", "yaml", "tqdm"}


def fails(capsys, *arguments: str) -> str:
    """The one line that bad input gives."""
    assert cli.main(arguments) == cli.BAD_INPUT
    *bars, said = capsys.readouterr().err.splitlines(keepends=True)
    assert said.startswith("tinyvgg: ")
    assert said.endswith("\n")
    assert all("\r" in line or "%|" in line for line in bars)
    return said


@pytest.mark.parametrize(
    ("pair", "named", "way_out"),
    [
        (("profile", "fast"), "'fast'", "smoke, quick, paper"),
        (("faces", "rafd"), "'rafd'", "folder:PATH"),
        (("faces", "folder:"), "'folder:", "folder"),
        (("faces", "synthetic:noise"), "'noise'", "intensity=0.7"),
        (("faces", "synthetic:noise=7"), "noise 7.0", "from 0.0 to 0.3"),
        (("faces", "folder:nowhere"), "nowhere", "does not exist"),
        (("faces", "folder:empty"), "empty", "sub-folders"),
        (("seed", "one"), "'one'", "whole number"),
        (("seed", "-1"), "-1", "whole number"),
        (("epochs", "3"), "'epochs'", "profile, faces, seed"),
    ],
)
def test_a_bad_parameter_of_a_notebook_is_one_line_and_writes_nothing(
    workshop, capsys, pair, named, way_out
):
    (workshop.root / "empty").mkdir()
    before = workshop.files()
    said = fails(capsys, "notebook", "01", "-p", *pair)
    assert named in said
    assert way_out in said
    assert workshop.files() == before


@pytest.mark.parametrize(
    "option",
    [("--profile", "fast"), ("--faces", "rafd"), ("--faces", "folder:no"), ("--seed", "x")],
)
def test_a_bad_option_of_reproduce_is_one_line_and_writes_nothing(workshop, capsys, option):
    before = workshop.files()
    assert option[1].removeprefix("folder:") in fails(capsys, "reproduce", *option)
    assert workshop.files() == before


def test_a_reader_that_has_seen_enough_is_no_error(workshop, repository):
    command = [sys.executable, "-m", "tinyvgg", "notebooks"]
    ended = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ended.stdout.close()
    assert ended.stderr.read() == b""
    assert ended.wait() == 0
    ended.stderr.close()


def test_an_unknown_notebook_is_one_line(workshop, capsys):
    assert "01_first" in fails(capsys, "notebook", "12")


def test_a_class_with_a_single_image_is_one_line_with_its_name(workshop, photographs, capsys):
    (photographs / "dark" / "1.png").unlink()
    assert "'dark'" in fails(capsys, "notebook", "01", "-p", "faces", f"folder:{photographs}")


def test_an_unreadable_image_is_left_out_and_listed_in_the_notebook(
    workshop, photographs, repository
):
    copy = workshop.notebooks / "02_data.py"
    copy.write_bytes((repository / "notebooks" / "01_data.py").read_bytes())
    (photographs / "dark" / "broken.png").write_bytes(b"no image")
    given = ["-p", "profile", "smoke", "-p", "faces", f"folder:{photographs}"]
    assert cli.main(["notebook", "02", *given]) == 0
    (executed,) = (workshop.build / "executed").rglob("02_data.ipynb")
    assert "dark/broken.png" in executed.read_text("utf-8")
    assert "it is no image" in executed.read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["reproduce", "--profile", "fast"],
        ["reproduce", "--faces", "rafd"],
        ["reproduce", "--faces", "folder:nowhere"],
        ["reproduce", "--faces", "synthetic:noise=7"],
        ["train", "--faces", "synthetic:loud=1"],
        ["sweep", "--faces", "synthetic:"],
        ["reproduce", "--faces", "folder:."],
        ["reproduce", "--seed", "-1"],
        ["notebook", "01", "-p", "profile", "fast"],
        ["notebook", "01", "-p", "seed", "one"],
        ["notebook", "01", "-p", "colour", "red"],
        ["notebook", "12"],
        ["record"],
        ["verify"],
        ["faces", "--size", "0"],
        ["faces", "--difficulty", "noise=7"],
        ["faces", "show", "6", "happy", "-o", "face.png", "--head", "turn=99"],
        ["faces", "show", "6", "happy", "-o", "face.png"],
        ["faces", "show", "1", "happy", "-o", "face.png", "--set", "jawOpen=2"],
    ],
)
def test_bad_input_is_refused_before_anything_large_is_imported(workshop, arguments):
    code = (
        "import sys\nfrom tinyvgg import cli, paths\nfrom pathlib import Path\n"
        f"paths.project = lambda: Path({str(workshop.root)!r})\n"
        f"assert cli.main({arguments}) == cli.BAD_INPUT\n"
        f"print(*{LARGE}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("damage", ["manifest.json", "weights.safetensors"])
def test_a_damaged_run_folder_is_one_line_with_the_way_out(workshop, photographs, capsys, damage):
    for folder in photographs.iterdir():
        for number in range(2, 4):
            Image.new("RGB", (8, 8), (number, 99, 9)).save(folder / f"{number}.png")
    parameters = {"profile": "smoke", "faces": f"folder:{photographs}", "seed": 0}
    reproduce.prepare(parameters)
    (damaged,) = workshop.root.rglob(damage)
    damaged.write_text("{}")
    given = [f"--{name}={value}" for name, value in parameters.items()]
    assert "remove the folder" in fails(capsys, "reproduce", *given)


@pytest.mark.parametrize(
    "arguments", [["bogus"], [], ["notebook"], ["notebook", "01", "-p", "seed"], ["site", "--x"]]
)
def test_wrong_usage_is_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--help" in said


def test_a_notebook_runs_and_says_where_the_result_is(workshop, prepared, capsys):
    assert cli.main(["notebook", "01", "-p", "profile", "smoke", "-p", "seed", "4"]) == 0
    said = capsys.readouterr().out.strip()
    target = workshop.root / said.removeprefix("The executed notebook: ")
    assert target == workshop.build / "executed" / "smoke-synthetic-4" / "01_first.ipynb"
    assert "smoke synthetic 4" in target.read_text()
    asked = {"profile": "smoke", "faces": "synthetic", "seed": 4, "training": False}
    assert prepared == [asked]


def test_verify_fails_when_a_number_is_out_of_tolerance(monkeypatch, capsys):
    rows = [
        Difference("t2.a.b", "1", "1", "exact", True),
        Difference("t2.a.c", "1", "2", "", False),
    ]
    monkeypatch.setattr(reproduction, "last", lambda root: Reproduction({}, Path()))
    monkeypatch.setattr(committed, "verify", lambda made: rows)
    assert cli.main(["verify"]) == cli.OUT_OF_TOLERANCE
    assert "OUT" in capsys.readouterr().out
    monkeypatch.setattr(committed, "verify", lambda made: rows[:1])
    assert cli.main(["verify"]) == 0
    assert "OUT" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["record", "verify"])
def test_without_a_reproduction_there_is_nothing_to_take_over(workshop, capsys, command):
    assert "make reproduce" in fails(capsys, command)


def test_an_interruption_ends_with_one_line(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduction, "last", interrupt)
    assert cli.main(["verify"]) == cli.INTERRUPTED
    assert "goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (
            errno.EROFS,
            "/somewhere/build",
            "'/somewhere/build' cannot be written or read (Read",
        ),
        (errno.ENOSPC, None, "what is made cannot be written or read (No space left on device)"),
    ],
)
def test_a_disk_that_refuses_is_one_line_with_the_way_out(monkeypatch, capsys, number, file, said):
    def refused(*_):
        raise OSError(number, os.strerror(number), file)

    monkeypatch.setattr(reproduction, "last", refused)
    line = fails(capsys, "verify")
    assert said in line
    assert "or set TINYVGG_HOME" in line


def test_everything_made_lies_where_tinyvgg_home_says(workshop, prepared, monkeypatch, capsys):
    monkeypatch.setenv("TINYVGG_HOME", str(workshop.root / "elsewhere"))
    before = workshop.files()
    assert cli.main(["notebooks"]) == 0
    made = workshop.files() - before
    assert made
    assert all(name.startswith("elsewhere/build/") for name in made)


def test_the_program_says_its_version():
    command = [sys.executable, "-m", "tinyvgg.cli", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("tinyvgg ")
