"""Contact sheets of a set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvgg import cli
from tinyvgg.faces import index
from tinyvgg.faces.index import load_faces


@pytest.fixture
def folder(tmp_path: Path, draw_photographs: Callable[..., Path]) -> Path:
    return draw_photographs(tmp_path / "faces")


def read(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def source(folder: Path) -> str:
    return f"folder:{folder}::crop=centre"


def test_every_image_is_at_its_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "CELL", 16)
    monkeypatch.setattr(index, "SHEET", (4, 3))
    faces = load_faces(source(folder), 16, progress=False)
    first, second = map(read, index.write_sheets(faces, tmp_path / "sheets"))
    gap, down = index.GAP, 16 + index.CAPTION + index.GAP
    for sheet, row, column, number in ((first, 1, 2, 6), (second, 0, 0, 12), (second, 1, 3, 19)):
        top, left = gap + row * down, gap + column * (16 + gap)
        np.testing.assert_array_equal(sheet[top : top + 16, left : left + 16], faces.images[number])
    assert first.shape[0] == gap + 3 * down
    assert second.shape[0] == gap + 2 * down
    below = first[gap + 16 : gap + 16 + index.CAPTION, gap : gap + 16]
    assert below.min() < 100, "each has its name below it"


def test_sheets_of_an_earlier_call_are_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sheets").mkdir()
    for number in (1, 7):
        (tmp_path / "sheets" / f"sheet-00{number}.png").write_bytes(b"old")
    (tmp_path / "sheets" / "mine.png").write_bytes(b"mine")
    faces = load_faces(source(folder), 16, progress=False)
    (written,) = index.write_sheets(faces, tmp_path / "sheets")
    with Image.open(written) as opened:
        assert opened.width > 16 * 16
    names = {path.name for path in (tmp_path / "sheets").iterdir()}
    assert names == {"sheet-001.png", "mine.png"}


def test_the_command_says_what_is_left_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "calm" / "empty.jpg").write_bytes(b"")
    command = ["faces", "sheets", source(folder), "--size", "16", "-o", str(tmp_path / "sheets")]
    assert cli.main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "left out: calm/empty.jpg cannot be read (the file is empty)"
    assert said[1].startswith("20 images; sheets: 1; left out: 1; ")
    assert cli.main(["faces", "sheets", "folder:nowhere"]) == cli.BAD_INPUT
