"""The command line: bad input is one line with the way out, and nothing is written."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tinyvgg import cli
from tinyvgg.book import reproduce
from tinyvgg.book.reproduce import Reproduction


def fails(capsys, *arguments: str) -> str:
    """Return the one line that bad input gives."""
    assert cli.main(arguments) == cli.BAD_INPUT
    *bars, said = capsys.readouterr().err.splitlines(keepends=True)
    assert said.startswith("tinyvgg")
    assert said.endswith("\n")
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
        ("notebook 01 -p epochs 3", "'epochs'", "profile, faces, seed"),
        ("reproduce --profile fast", "'fast'", "'smoke', 'quick', 'paper'"),
        ("reproduce --faces folder:no", "no", "does not exist"),
        ("reproduce --seed -1", "-1", "x>=0"),
        ("train --faces synthetic:loud=1", "'loud'", "intensity"),
        ("train --task class", "'class'", "subject, emotion"),
        ("train --set speed=3", "'speed'", "rate"),
        ("train --set rate=1,2", "'rate'", "takes one"),
        ("train --device abacus", "'abacus'", "cuda, mps, cpu"),
        ("sweep --workers 2 --scheduler tcp://a:1", "--scheduler", "--workers"),
        ("sweep --rules magic", "'magic'", "literal"),
        ("explain a.png --run x --rule magic", "'magic'", "'literal', 'cutoff'"),
        ("explain a.png --run nobody", "'nobody'", "run"),
        ("record", "nothing was reproduced", "make reproduce"),
        ("verify", "nothing was reproduced", "make reproduce"),
        ("publish web", "nothing was reproduced", "make reproduce"),
    ],
)
def test_bad_input_is_one_line_with_the_way_out(workshop, capsys, arguments, named, way_out):
    (workshop.root / "empty").mkdir()
    before = workshop.files()
    said = fails(capsys, *arguments.split())
    assert named in said
    assert way_out in said
    assert workshop.files() == before


def test_a_reader_that_has_seen_enough_is_no_error(workshop):
    command = [sys.executable, "-m", "tinyvgg", "notebooks"]
    ended = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ended.stdout.close()
    assert ended.stderr.read() == b""
    assert ended.wait() == 0
    ended.stderr.close()


def test_a_class_with_a_single_image_is_one_line_with_its_name(workshop, photographs, capsys):
    (photographs / "dark" / "1.png").unlink()
    assert "'dark'" in fails(capsys, "notebook", "01", "-p", "faces", f"folder:{photographs}")


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


def test_a_notebook_runs_and_its_result_is_named(workshop, prepared, capsys):
    assert cli.main(["notebook", "01", "-p", "profile", "smoke", "-p", "seed", "4"]) == 0
    said = capsys.readouterr().out.strip()
    target = workshop.root / said.removeprefix("The executed notebook: ")
    assert target == workshop.build / "executed" / "smoke-synthetic-4" / "01_first.ipynb"
    assert "smoke synthetic 4" in target.read_text()
    asked = {"profile": "smoke", "faces": "synthetic", "seed": 4, "training": False}
    assert prepared == [asked]


def test_verify_fails_when_a_number_is_out_of_tolerance(monkeypatch, capsys):
    columns = ["number", "committed", "fresh", "tolerance", "within"]
    rows = [("t2.a.b", "1", "1", "exact", True), ("t2.a.c", "1", "2", "", False)]
    monkeypatch.setattr(reproduce, "last", lambda root: Reproduction({}, Path()))
    for count, status in ((2, cli.OUT_OF_TOLERANCE), (1, 0)):
        table = pd.DataFrame(rows[:count], columns=columns)
        monkeypatch.setattr(reproduce, "verify", lambda made, table=table: table)
        assert cli.main(["verify"]) == status
        said = capsys.readouterr().out
        assert ("OUT" in said) == bool(status)
        assert f"1 of {count} are within" in said


def test_an_interruption_ends_with_one_line(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "last", interrupt)
    assert cli.main(["verify"]) == cli.INTERRUPTED
    assert "goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "file", "named"),
    [
        (errno.EROFS, "/somewhere/build", "'/somewhere/build'"),
        (errno.ENOSPC, None, "No space left"),
    ],
)
def test_a_disk_that_refuses_is_one_line_with_the_way_out(monkeypatch, capsys, number, file, named):
    def refused(*_):
        raise OSError(number, os.strerror(number), file)

    monkeypatch.setattr(reproduce, "last", refused)
    line = fails(capsys, "verify")
    assert named in line
    assert "or set TINYVGG_HOME" in line


@pytest.mark.parametrize(("rank", "said"), [("0", 1), ("1", 0)])
def test_an_interruption_of_torchrun_is_reported_once(monkeypatch, capsys, rank, said):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(cli, "GRACE", 0.0)
    cli._complain("interrupted", everyone=True)
    assert capsys.readouterr().err.count("\n") == said


def test_everything_made_lies_below_tinyvgg_home(workshop, monkeypatch):
    monkeypatch.setenv("TINYVGG_HOME", str(workshop.root / "elsewhere"))
    before = workshop.files()
    assert cli.main(["notebooks"]) == 0
    made = workshop.files() - before
    assert made
    assert all(name.startswith("elsewhere/build/") for name in made)


def test_runs_are_listed(workshop, capsys):
    assert cli.main(["runs"]) == 0
    assert "no runs" in capsys.readouterr().out


def test_the_program_knows_its_version():
    command = [sys.executable, "-m", "tinyvgg", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("tinyvgg ")


@pytest.mark.parametrize(("module", "extra"), [("distributed.comm", "dask"), ("cv2", "book")])
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr(cli.cli, "invoke", fail)
    assert cli.main(["runs"]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert repr(module.partition(".")[0]) in said
    assert f".[{extra}]" in said
