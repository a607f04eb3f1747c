"""The command line: bad input is one line with the way out, and nothing is written."""

import errno
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tinyvgg import cli
from tinyvgg.backtracking import NAMED
from tinyvgg.book import reproduce, verify
from tinyvgg.book.reproduce import Reproduction
from tinyvgg.book.verify import Outcome


def fails(capsys, *arguments: str) -> str:
    assert cli.main(arguments) == cli.BAD_INPUT
    *bars, said = capsys.readouterr().err.splitlines(keepends=True)
    assert said.startswith("tinyvgg")
    assert all("\r" in line or "%|" in line for line in bars)
    return said


@pytest.mark.parametrize(
    ("arguments", "named", "way_out"),
    [
        ("", "Missing command", "--help"),
        ("bogus", "'bogus'", "tinyvgg --help"),
        ("site --x", "--x", "tinyvgg site --help"),
        ("notebook 12", "'12'", "01_first"),
        ("notebook 01 -p seed", "'-p'", "2 arguments"),
        ("notebook 01 -p profile fast", "'fast'", "smoke, quick, paper"),
        ("notebook 01 -p faces rafd", "'rafd'", "folder:PATH"),
        ("notebook 01 -p faces synthetic:noise=7", "noise 7.0", "from 0.0 to 0.3"),
        ("notebook 01 -p faces folder:nowhere", "nowhere", "does not exist"),
        ("notebook 01 -p faces folder:empty", "empty", "sub-folders"),
        ("notebook 01 -p seed one", "'one'", "whole number"),
        ("notebook 01 -p seed -1", "-1", "whole number"),
        ("notebook 01 -o folder.html", "folder.html", "name a file"),
        ("notebook 01 -o ~", "is a folder", "name a file"),
        ("notebook 01 -p epochs 3", "'epochs'", "profile, faces, seed"),
        ("reproduce --profile fast", "'fast'", "'smoke', 'quick', 'paper'"),
        ("reproduce --seed -1", "-1", "x>=0"),
        ("train --faces synthetic:loud=1", "'loud'", "intensity"),
        ("train --set speed=3", "'speed'", "rate"),
        ("sweep --workers 2 --scheduler tcp://a:1", "--scheduler", "--workers"),
        ("explain a.png --run x --rule magic", "'magic'", "'literal', 'cutoff'"),
        ("explain a.png --run nobody", "'nobody'", "run"),
        ("report --faces folder:nowhere", "nowhere", "does not exist"),
        ("report --task class", "'class'", "subject, emotion"),
        ("report --set speed=3", "'speed'", "rate"),
        ("report -o report.pdf", "report.pdf", ".html"),
        ("report -o notes.html", "notes.html", "name another"),
        ("report -o other.html", "other.json", "name another"),
        ("report -o folder.html", "folder.html", "name another"),
        ("record", "nothing was reproduced", "make reproduce"),
        ("verify", "nothing was reproduced", "make reproduce"),
        ("seeds --seeds 3-1", "'3-1'", "1-3"),
        ("seeds --faces folder:nowhere", "nowhere", "does not exist"),
        ("publish web", "nothing was reproduced", "make reproduce"),
    ],
)
def test_bad_input_is_one_line_with_the_way_out(workshop, capsys, arguments, named, way_out):
    for folder in ("empty", "folder.html"):
        (workshop.root / folder).mkdir()
    for name in ("notes.html", "other.json"):
        (workshop.root / name).write_text("{}")
    before = workshop.files()
    said = fails(capsys, *arguments.split())
    assert named in said
    assert way_out in said
    assert workshop.files() == before


def test_every_rule_of_the_library_can_be_chosen():
    assert set(cli.RULES) == set(NAMED)


def test_a_reader_that_has_seen_enough_is_no_error(workshop):
    command = [sys.executable, "-m", "tinyvgg", "notebooks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ended:
        ended.stdout.close()
        assert ended.stderr.read() == b""
    assert ended.returncode == 0


def test_a_damaged_run_folder_is_one_line_with_the_way_out(workshop, draw_photographs, capsys):
    faces = f"folder:{draw_photographs(workshop.root / 'photographs')}"
    reproduce.prepare({"profile": "smoke", "faces": faces, "seed": 0})
    capsys.readouterr()
    for name in ("weights.safetensors", "manifest.json"):
        (damaged,) = workshop.root.rglob(name)
        damaged.write_text("{}")
        said = fails(capsys, "reproduce", "--profile", "smoke", "--faces", faces)
        assert "remove the folder" in said


def test_verify_fails_when_one_of_its_levels_does(monkeypatch, capsys):
    table = pd.DataFrame({"fresh": [3]}, index=pd.Index(["t2.a.c"], name="number"))
    good, bad = Outcome(table[:0], "level", passed=True), Outcome(table, "level", passed=False)
    monkeypatch.setattr(reproduce, "last", lambda root: Reproduction({}, Path()))
    monkeypatch.setattr(verify, "known_networks", lambda made: "known")
    for exact, second, status in ((good, good, 0), (good, bad, 1), (bad, good, 1)):
        monkeypatch.setattr(verify, "exact", lambda exact=exact: exact)
        monkeypatch.setattr(verify, "in_distribution", lambda *_, second=second: second)
        assert cli.main(["verify"]) == status
        said = capsys.readouterr().out
        assert ("t2.a.c" in said, "FAILED" in said) == (bool(status), bool(status))
        assert cli.main(["verify", "--exact"]) == (exact is bad)
        assert capsys.readouterr().out.count("level") == 1


@pytest.mark.parametrize(
    ("error", "named", "way_out"),
    [
        (KeyboardInterrupt(), "interrupted", "goes on from here"),
        (OSError(errno.EROFS, "x", "/a/build"), "'/a/build'", "or set TINYVGG_HOME"),
        (OSError(errno.ENOSPC, "No space left"), "No space left", "or set TINYVGG_HOME"),
        (ModuleNotFoundError(name="distributed.comm"), "'distributed'", ".[dask]"),
        (ModuleNotFoundError(name="cv2"), "'cv2'", ".[book]"),
    ],
)
def test_what_a_command_meets_is_one_line_with_the_way_out(
    monkeypatch, capsys, error, named, way_out
):
    def fail(*_):
        raise error

    monkeypatch.setattr(reproduce, "last", fail)
    interrupted = isinstance(error, KeyboardInterrupt)
    assert cli.main(["verify"]) == (cli.INTERRUPTED if interrupted else cli.BAD_INPUT)
    said = capsys.readouterr().err
    assert named in said
    assert way_out in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("rank", "said"), [("0", 1), ("1", 0)])
def test_an_interruption_of_torchrun_is_reported_once(monkeypatch, capsys, rank, said):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(cli, "GRACE", 0.0)
    cli._complain("interrupted", everyone=True)
    assert capsys.readouterr().err.count("\n") == 1, "without torchrun a rank means nothing"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a test")
    monkeypatch.setenv("WORLD_SIZE", "2")
    cli._complain("interrupted", everyone=True)
    assert capsys.readouterr().err.count("\n") == said


def test_everything_made_lies_below_tinyvgg_home(workshop, monkeypatch, capsys):
    monkeypatch.setenv("TINYVGG_HOME", str(workshop.root / "elsewhere"))
    before = workshop.files()
    assert cli.main(["notebooks"]) == 0
    made = workshop.files() - before
    assert made
    assert all(name.startswith("elsewhere/build/") for name in made)
    capsys.readouterr()
    assert cli.main(["runs"]) == 0
    assert str(workshop.root / "elsewhere" / "runs") in capsys.readouterr().out
