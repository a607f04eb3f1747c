"""Photographs of one's own: folders with a sub-folder a class, and tables with a row an image."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import SUFFIXES, list_classes, list_table

FOUR = ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
NAMES = ("a/1.jpg", "a/2.png", "3.tif", "4.jpg")


def paths(folder: Path) -> list[str]:
    return [one.path for one in list_classes(folder).photographs]


def test_names_of_any_script_and_with_spaces_are_classes(touch) -> None:
    names = ["très heureux/1 a.jpg", "très heureux/2.jpg", "怒り/1.png", "怒り/深い/2.png"]
    folder = touch(*names)
    assert paths(folder) == names
    classes = [one.known["class"] for one in list_classes(folder).photographs]
    assert classes == ["très heureux", "très heureux", "怒り", "怒り"]


@pytest.mark.parametrize(("one", "other"), [("Happy", "happy"), ("cafe\u0301", "caf\u00e9")])
def test_classes_that_differ_in_capitals_or_in_encoding_alone_are_refused(touch, one, other):
    folder = touch(*(f"{name}/{number}.jpg" for name in (one, other, "sad") for number in range(2)))
    with pytest.raises(UserError, match=f"classes '{one}' and '{other}' .* letters are encoded"):
        list_classes(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf_8_are_left_out(touch) -> None:
    folder = touch(*FOUR)
    (folder / "a" / os.fsdecode(b"3\xff.jpg")).touch()
    (folder / os.fsdecode(b"c\xff")).mkdir()
    reason = "has a name that is not UTF-8; rename it"
    assert dict(list_classes(folder).left_out) == {"a/3\\udcff.jpg": reason, "c\\udcff": reason}
    assert paths(folder) == list(FOUR)


def test_links_that_loop_are_left_out(touch) -> None:
    folder = touch(*FOUR)
    (folder / "a" / "again").symlink_to(folder)
    (folder / "b" / "self.jpg").symlink_to("self.jpg")
    left_out = dict(list_classes(folder).left_out)
    assert left_out == {"a/again": "is a link to a folder that it lies in"}
    # it has the name of an image, and is refused once it is opened
    assert paths(folder) == [*FOUR, "b/self.jpg"]


def test_links_that_lead_to_each_other_come_to_an_end(touch) -> None:
    folder = touch(*FOUR)
    for name, other in ("ab", "ba"):
        (folder / name / "to").symlink_to(folder / other)
    assert {path for path, _ in list_classes(folder).left_out} == {"a/to/to", "b/to/to"}


def test_images_beside_the_classes_are_left_out(touch) -> None:
    folder = touch(*FOUR, "cover.jpg", "notes.txt", ".a/x.jpg")
    assert list_classes(folder).left_out == (("cover.jpg", "lies in no sub-folder"),)


def close(monkeypatch: pytest.MonkeyPatch, call: str, place: Path) -> None:
    """Let a call of the system refuse one folder, even to an administrator."""
    look = getattr(os, call)

    def refused(path):
        if Path(path) == place:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path)

    monkeypatch.setattr(os, call, refused)


def test_folders_that_may_not_be_read_are_left_out_or_named(touch, monkeypatch) -> None:
    folder = touch(*FOUR, "c/1.jpg", "c/2.jpg")
    close(monkeypatch, "scandir", folder / "c")
    assert dict(list_classes(folder).left_out) == {"c": "cannot be read (Permission denied)"}
    assert paths(folder) == list(FOUR)
    close(monkeypatch, "listdir", folder)
    with pytest.raises(UserError, match="photographs' cannot be read .Permission denied.; give"):
        list_classes(folder)


@pytest.fixture
def table(touch) -> Path:
    return touch(*NAMES) / "faces.csv"


def write(table: Path, columns: str, *rows: str) -> Path:
    table.write_text("\n".join((columns, *rows)) + "\n", "utf-8")
    return table


def rows_of(*labels: str) -> list[str]:
    return [f"{path},{label}" for path, label in zip(NAMES, labels, strict=True)]


def classes(table: Path) -> list[object]:
    return [one.known["class"] for one in list_table(table).photographs]


def test_every_column_of_the_index_may_be_there(table: Path) -> None:
    rows = rows_of(*(f"7,happy,left,{angle},male,tall,31,x" for angle in (0, 45, 90, 180)))
    rows[2:] = [row.replace(",7,", ",10,").replace("x", "y") for row in rows[2:]]
    listing = list_table(write(table, "path,subject,emotion,gaze,angle,sex,group,age,class", *rows))
    assert listing.tasks == ("subject", "class")  # everybody is happy
    assert "images of 1 emotion; it needs two" in listing.missing[0]
    known = {"subject": 7, "emotion": "happy", "gaze": "left", "angle": 0}
    known |= {"sex": "male", "group": "tall", "age": 31, "class": "x"}
    assert listing.photographs[0] == ("a/1.jpg", known)


def test_what_a_table_does_not_know_of_a_person_costs_no_image(table: Path) -> None:
    rows = rows_of("x,30,male", "x,,", "y,,male", "y,9,")
    listing = list_table(write(table, "path,class,age,sex", *rows))
    assert listing.left_out == ()
    assert [one.known.get("age") for one in listing.photographs] == [30, None, None, 9]
    sexes = [one.known["sex"] for one in listing.photographs]
    assert sexes == ["male", "unknown", "male", "unknown"]


def test_rows_that_cannot_be_used_are_left_out_with_the_reason(table: Path) -> None:
    long = f"{'a' * 300}.jpg"
    more = ["gone.jpg,x", "a/2.png,", ",y", "notes.txt,x", "", "a/1.jpg,x,very", "4.jpg,x"]
    more += [f"{long},x", "a/1.jpg/b.jpg,x"]
    listing = list_table(write(table, "path,class", *rows_of(*"xxyy"), *more))
    assert len(listing.photographs) == 4
    assert dict(listing.left_out) == {
        "gone.jpg": "does not exist (row 6 of faces.csv)",
        "a/2.png": "has no class in row 7 of faces.csv",
        "row 8": "has no path in row 8 of faces.csv",
        "notes.txt": f"is not one of {', '.join(SUFFIXES)}",
        "a/1.jpg": "has more cells than there are columns in row 11 of faces.csv",
        "4.jpg": "is in row 5 of faces.csv, and in row 12 again",
        long: "does not exist (row 13 of faces.csv)",
        "a/1.jpg/b.jpg": "does not exist (row 14 of faces.csv)",
    }


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_of_a_spreadsheet_is_understood(table: Path, delimiter: str) -> None:
    lines = ["path;class;;", ";;;", "", *(row.replace(",", ";") + ";;" for row in rows_of(*"xxyy"))]
    lines[-1] = '4.jpg;"y\r\ny";;'
    lines[-2] = lines[-2].replace(";y", ";y\u2028y")
    text = "\r\n".join(("\ufeffsep=;", *lines, ";;;\r\n"))
    table.write_bytes(text.replace(";", delimiter).encode())
    assert classes(table) == ["x", "x", "y y", "y y"]
    assert not list_table(table).left_out


def test_a_path_may_be_written_out(table: Path) -> None:
    rows = [f"{table.parent / path},{path[0]}" for path in ("a/1.jpg", "a/2.png")]
    listing = list_table(write(table, "path,class", *rows, *rows_of(*"aabb")))
    assert [one.path for one in listing.photographs] == list(NAMES)
    assert [path for path, _ in listing.left_out] == ["a/1.jpg", "a/2.png"]


def test_numbers_that_are_no_numbers_of_subjects_are_names(table: Path) -> None:
    write(table, "path,subject", *rows_of(*["1" * 5000] * 2, "2", "2"))
    assert list_table(table).photographs[2].known["subject"] == "2"


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ("path,class,class", [], "columns path, class, class; it needs 'path' and one at least"),
        ("path,sex", [], "it needs 'path' and one at least of subject, emotion, class"),
        ("path,class,angle", ["a/1.jpg,x,left"], "angle 'left' in row 2 .* is not a whole number"),
        ("path,class,age", [f"a/1.jpg,x,{'9' * 5000}"], "age '.*' in row 2 .* not a whole number"),
        ("path,class,age", ["a/1.jpg,x,151"], "age '151' in row 2 .* number of years, 0 to 150"),
        ("path,class", rows_of(*"xxxy"), "class 'y' in table .* has a single image"),
        ("path,class", rows_of(*"xxxx"), "images of 1 class; it needs two at least"),
        ("path,class", ["gone.jpg,x"], "has no image that can be used"),
        ("path,class,notes", ["a/1.jpg,x,"], "faces.csv': column 'notes' is not one of path, subj"),
    ],
)
def test_a_bad_table_is_one_line(table: Path, columns: str, rows: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        list_table(write(table, columns, *(rows or ["a/1.jpg,x,y"])))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "cannot be read .*No such file"),
        (os.mkfifo, "cannot be read .it is no file"),
        (
            lambda path: path.write_bytes(b"\xff\xfe\x00\x01"),
            "cannot be read .*; save it as CSV in",
        ),
        (lambda path: path.write_text('path,class\n"a/1.jpg,x\n'), "cannot be read"),
        (lambda path: path.write_text("path,class\n"), "is empty"),
    ],
)
def test_what_is_no_table_is_named(table: Path, make: Callable[[Path], object], said: str) -> None:
    make(table)
    with pytest.raises(UserError, match=rf"faces.csv' {said}"):
        list_table(table)
