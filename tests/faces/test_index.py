"""The index that every source yields, and its images as tensors and on contact sheets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tinyvgg import cli
from tinyvgg.chapters import photographs as module
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex, Faces, load_faces


def index(**columns: list[object]) -> FaceIndex:
    return FaceIndex(pd.DataFrame(columns))


def test_tasks_are_the_columns_that_can_be_classified() -> None:
    assert index(subject=[1], emotion=["sad"], angle=[90]).tasks == ("subject", "emotion")
    assert index(**{"class": ["a"]}).tasks == ("class",)
    with pytest.raises(UserError, match="'emotion' is not one of class"):
        index(**{"class": ["a"]}).labels("emotion")


def test_figures_call_a_folder_by_its_name_and_not_by_its_place() -> None:
    def called(source: str) -> str:
        return Faces(source, index(**{"class": ["a"]}), np.zeros((1, 2, 2, 3)), "f").called

    assert called("synthetic:noise=0.02") == "synthetic faces, noise=0.02"
    assert called("folder:/somewhere/my people") == "folder my people"


def test_subjects_are_ordered_as_numbers_and_labels_point_into_classes() -> None:
    faces = index(subject=[10, 9, 10, 2])
    assert faces.classes("subject") == ("2", "9", "10")
    np.testing.assert_array_equal(faces.labels("subject"), [2, 1, 2, 0])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("angle", 60, "angle 60 in 'x.jpg' is not one of 0, 45, 90, 135, 180"),
        ("emotion", "bored", "emotion 'bored' in 'x.jpg' is not one of angry"),
    ],
)
def test_strange_values_are_refused_by_name(column: str, value: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        index(path=["x.jpg"], **{column: [value]})


def test_tensor_is_rgb_by_256_channels_first_in_the_order_asked_for() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    faces = Faces("folder:x", index(**{"class": list("abab")}), images, "f")
    tensor = faces.tensor([3, 1])
    assert tensor.shape == (2, 3, 5, 6)
    assert tensor[0, 2, 4, 1].item() == images[3, 4, 1, 2] / 256
    assert tensor.max() < 1


@pytest.fixture
def source(tmp_path: Path, draw_photographs: Callable[..., Path]) -> str:
    return f"folder:{draw_photographs(tmp_path / 'faces')}::crop=centre"


def read(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def test_every_image_is_at_its_place_on_the_sheets(source, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "CELL", 16)
    monkeypatch.setattr(module, "SHEET", (4, 3))
    faces = load_faces(source, 16, progress=False)
    first, second = map(read, module.write_sheets(faces, tmp_path / "sheets"))
    gap, down = module.GAP, 16 + module.CAPTION + module.GAP
    for sheet, row, column, number in ((first, 1, 2, 6), (second, 0, 0, 12), (second, 1, 3, 19)):
        top, left = gap + row * down, gap + column * (16 + gap)
        np.testing.assert_array_equal(sheet[top : top + 16, left : left + 16], faces.images[number])
    assert (len(first), len(second)) == (gap + 3 * down, gap + 2 * down)
    below = first[gap + 16 : gap + 16 + module.CAPTION, gap : gap + 16]
    assert below.min() < 100, "each has its name below it"


def test_the_command_replaces_sheets_and_says_what_is_left_out(source, tmp_path, capsys) -> None:
    (tmp_path / "faces" / "calm" / "empty.jpg").write_bytes(b"")
    sheets = tmp_path / "sheets"
    sheets.mkdir()
    for name in ("sheet-001.png", "sheet-007.png", "mine.png"):
        (sheets / name).write_bytes(b"old")
    assert cli.main(["faces", "sheets", source, "--size", "16", "-o", str(sheets)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "left out: calm/empty.jpg cannot be read (the file is empty)"
    assert said[1].startswith("20 images; sheets: 1; left out: 1; ")
    assert {path.name for path in sheets.iterdir()} == {"sheet-001.png", "mine.png"}
    assert read(sheets / "sheet-001.png").shape[1] > 16 * 16
    assert cli.main(["faces", "sheets", "folder:nowhere"]) == cli.BAD_INPUT
