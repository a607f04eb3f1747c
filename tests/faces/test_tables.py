"""Tables of photographs."""

import os
from pathlib import Path

import pytest

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import list_table

NAMES = ("a/1.jpg", "a/2.png", "3.tif", "4.jpg")


@pytest.fixture
def table(touch) -> Path:
    return touch(*NAMES) / "faces.csv"


def write(table: Path, columns: str, *rows: str) -> Path:
    table.write_text("\n".join((columns, *rows)) + "\n", "utf-8")
    return table


def classes(*labels: str) -> list[str]:
    return [f"{path},{label}" for path, label in zip(NAMES, labels, strict=True)]


def test_every_column_of_the_index_may_be_there(table: Path) -> None:
    rows = [
        f"{path},{subject},happy,left,{angle},male,tall,31,x"
        for path, subject, angle in zip(NAMES, (7, 7, 10, 10), (0, 45, 90, 180), strict=True)
    ]
    rows = [row.replace("x", "y") if "10," in row else row for row in rows]
    listing = list_table(write(table, "path,subject,emotion,gaze,angle,sex,group,age,class", *rows))
    assert listing.tasks == ("subject", "class")  # everybody is happy
    assert "images of 1 emotion; it needs two" in listing.missing[0]
    assert listing.photographs[0] == (
        "a/1.jpg",
        {
            "subject": 7,
            "emotion": "happy",
            "gaze": "left",
            "angle": 0,
            "sex": "male",
            "group": "tall",
            "age": 31,
            "class": "x",
        },
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_separators_and_a_byte_order_mark_are_understood(table: Path, delimiter: str) -> None:
    rows = [row.replace(",", delimiter) for row in classes("x", "x", "y", "y")]
    write(table, f"\ufeffpath{delimiter}class", *rows)
    assert [one.known["class"] for one in list_table(table).photographs] == ["x", "x", "y", "y"]


def test_what_a_table_does_not_know_of_a_person_costs_no_image(table: Path) -> None:
    rows = classes("x,30,male", "x,,", "y,,male", "y,9,")
    listing = list_table(write(table, "path,class,age,sex", *rows))
    assert listing.left_out == ()
    assert [one.known.get("age") for one in listing.photographs] == [30, None, None, 9]
    sexes = [one.known["sex"] for one in listing.photographs]
    assert sexes == ["male", "unknown", "male", "unknown"]


def test_rows_that_cannot_be_used_are_left_out_with_the_reason(table: Path) -> None:
    more = ["gone.jpg,x", "a/2.png,", ",y", "notes.txt,x", ""]
    listing = list_table(write(table, "path,class", *classes("x", "x", "y", "y"), *more))
    assert len(listing.photographs) == 4
    assert dict(listing.left_out) == {
        "gone.jpg": "does not exist (row 6 of faces.csv)",
        "a/2.png": "has no class in row 7 of faces.csv",
        "row 8": "has no path in row 8 of faces.csv",
        "notes.txt": "is not one of .jpg, .jpeg, .png, .webp, .bmp, .pgm, .ppm, .tif, .tiff",
    }


def test_a_table_of_a_spreadsheet_is_understood(table: Path) -> None:
    lines = ["sep=;", "path;class;;", *(row.replace(",", ";") + ";;" for row in classes(*"xxyy"))]
    lines[2:2] = [";;;", ""]
    lines[-1] = '4.jpg;"y\r\ny";;'
    lines[-2] = lines[-2].replace(";y", ";y\u2028y")
    table.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n;;;\r\n").encode())
    listing = list_table(table)
    assert [one.known["class"] for one in listing.photographs] == ["x", "x", "y y", "y y"]
    assert not listing.left_out


def test_a_path_may_be_written_out(table: Path) -> None:
    rows = [f"{table.parent / path},{path[0]}" for path in ("a/1.jpg", "a/2.png")]
    write(table, "path,class", *rows, *classes("a", "a", "b", "b"))
    listing = list_table(table)
    assert [one.path for one in listing.photographs] == ["a/1.jpg", "a/2.png", "3.tif", "4.jpg"]
    assert [path for path, _ in listing.left_out] == ["a/1.jpg", "a/2.png"]


def test_rows_that_shift_their_cells_or_come_twice_are_left_out(table: Path) -> None:
    long = f"{'a' * 300}.jpg"
    more = ["a/1.jpg,x,very", "4.jpg,x", f"{long},x", "a/1.jpg/b.jpg,x"]
    listing = list_table(write(table, "path,class", *classes("x", "x", "y", "y"), *more))
    assert len(listing.photographs) == 4
    assert listing.left_out == (
        ("a/1.jpg", "has more cells than there are columns in row 6 of faces.csv"),
        ("4.jpg", "is in row 5 of faces.csv, and in row 7 again"),
        (long, "does not exist (row 8 of faces.csv)"),
        ("a/1.jpg/b.jpg", "does not exist (row 9 of faces.csv)"),
    )


def test_numbers_that_are_no_numbers_of_subjects_are_names(table: Path) -> None:
    write(table, "path,subject", *classes(*["1" * 5000] * 2, "2", "2"))
    assert list_table(table).photographs[2].known["subject"] == "2"


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ("path,class,class", [], "columns path, class, class; it needs 'path' and one at least"),
        ("path,sex", [], "it needs 'path' and one at least of subject, emotion, class"),
        ("path,class,angle", ["a/1.jpg,x,left"], "angle 'left' in row 2 .* is not a whole number"),
        ("path,class,age", [f"a/1.jpg,x,{'9' * 5000}"], "age '.*' in row 2 .* not a whole number"),
        ("path,class", classes("x", "x", "x", "y"), "class 'y' in table .* has a single image"),
        ("path,class", classes("x", "x", "x", "x"), "images of 1 class; it needs two at least"),
        ("path,class", classes("x", "x", "X", "X"), "'X' and 'x' .* differ in capitals"),
        ("path,class", ["gone.jpg,x"], "has no image that can be used"),
    ],
)
def test_a_bad_table_is_one_line(table: Path, columns: str, rows: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        list_table(write(table, columns, *(rows or ["a/1.jpg,x,y"])))
    assert "\n" not in str(error.value)


def test_what_is_no_table_is_named(table: Path) -> None:
    with pytest.raises(UserError, match=r"faces.csv' cannot be read .*No such file"):
        list_table(table)
    table.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match=r"faces.csv' cannot be read .* save it as CSV in UTF-8"):
        list_table(table)
    table.write_text('path,class\n"a/1.jpg,x\n')
    with pytest.raises(UserError, match=r"faces.csv' cannot be read"):
        list_table(table)
    table.unlink()
    os.mkfifo(table)
    with pytest.raises(UserError, match=r"faces.csv' cannot be read .it is no file"):
        list_table(table)
    table.unlink()
    table.write_text("path,class\n")
    with pytest.raises(UserError, match=r"faces.csv' is empty"):
        list_table(table)
