"""``tinyvgg explain``, from what is typed to what is printed."""

import json
import os
import sys
from pathlib import Path

import pytest

from tinyvgg import cli

Capture = pytest.CaptureFixture[str]


def test_images_are_explained_into_a_folder(
    images: list[Path], tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "out"
    given = ["explain", *map(str, images), "--run", "folder", "--true", "glad", "-o", str(folder)]
    assert cli.main(given) == 0
    *answers, page = capsys.readouterr().out.splitlines()
    found = json.loads((folder / "explanation.json").read_text("utf-8"))
    for line, one in zip(answers, found["images"], strict=True):
        chance = max(one["probabilities"])
        assert line == f"{one['path']}: {one['predicted']}, probability {chance:.3f}"
    assert page == f"The page: {folder / 'explanation.html'}"


def test_the_folder_is_named_after_the_run_unless_one_is_given(
    images: list[Path], home: Path, capsys: Capture
) -> None:
    given = ["explain", str(images[0]), "--run", "folder", "--rule", "literal", "--target", "calm"]
    assert cli.main(given) == 0
    (run,) = (home / "runs").iterdir()
    folder = home / "build" / "explained" / run.name
    found = json.loads((folder / "explanation.json").read_text("utf-8"))
    assert (found["rule"], found["images"][0]["target"]) == ("Literal()", "calm")


def test_an_image_that_is_passed_over_is_told_of(
    images: list[Path], tmp_path: Path, capsys: Capture
) -> None:
    given = [str(images[0]), str(tmp_path / "no.png")]
    status = cli.main(["explain", *given, "--run", "folder", "-o", str(tmp_path / "out")])
    assert status == cli.SOME_UNREADABLE
    said = capsys.readouterr()
    assert "passed over: image" in said.err
    assert "no.png" in said.err
    assert str(images[0]) in said.out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_cannot_be_written_down_is_passed_over(
    images: list[Path], tmp_path: Path, capsys: Capture
) -> None:
    strange = tmp_path / os.fsdecode(b"strange\xff.png")
    strange.write_bytes(images[0].read_bytes())
    given = [str(images[0]), str(strange), "--run", "folder", "-o", str(tmp_path / "out")]
    assert cli.main(["explain", *given]) == cli.SOME_UNREADABLE
    assert "has a name that is not UTF-8; rename it" in capsys.readouterr().err
    found = json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))
    assert found["unreadable"][0]["path"].endswith("strange\\udcff.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "nothing"], "run 'nothing' is not one of class-folder"),
        (["--run", "folder", "--rule", "fuzzy"], "rule 'fuzzy' is not one of literal, cutoff"),
        (["--run", "folder", "--target", "sad"], "class 'sad' is not one of calm, glad"),
        (["--run", "folder", "-o", "there"], "output folder 'there' holds something else"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    images: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["explain", str(images[0]), *arguments]) == cli.BAD_INPUT
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert sorted(tmp_path.rglob("*")) == before
