"""Photographs of one's own: folders with a sub-folder a class, and tables with a row an image."""

import errno
import os
import sys
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import SUFFIXES, list_classes
from tinyvgg.faces.tables import list_table

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


def two(*places: str) -> list[str]:
    """Name two images in each of some folders."""
    return [f"{place}/{number}.jpg" for place in places for number in range(2)]


def parts(folder: Path) -> Counter[tuple[object, object]]:
    return Counter(
        (one.known["class"], one.known["split"]) for one in list_classes(folder).photographs
    )


@pytest.mark.parametrize(
    ("names", "third"),
    [
        (two("train/cat", "train/dog", "val/cat", "val/dog"), "test"),
        (two("a/b/Training/cat", "a/b/Training/dog", "a/b/TEST/cat", "a/b/TEST/dog"), "test"),
        (two("cat/train", "cat/validation", "dog/train", "dog/validation"), "test"),
        (
            two(
                *(f"{part}/{name}" for part in ("train", "val", "test") for name in ("cat", "dog"))
            ),
            "",
        ),
    ],
)
def test_a_split_of_folders_is_read_as_such(touch, names: list[str], third: str) -> None:
    folder = touch(*names)
    expected = {(name, part): 2 for name in ("cat", "dog") for part in ("train", "test")}
    if not third:
        expected |= {(name, "validation"): 2 for name in ("cat", "dog")}
    assert parts(folder) == expected
    assert (
        "of 2 classes: cat, dog, in a split of its own: train (4)" in list_classes(folder).reading
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (two("train", "val"), "train, val as parts of a split .each would need a sub-folder"),
        (two("train/a", "train/b", "test/c", "test/d"), "of the same name in all.*or as classes"),
        (
            two("train/a", "train/b", "val/a", "val/b", "more/a"),
            "more beside them would have to go",
        ),
    ],
)
def test_a_folder_with_two_readings_is_refused_with_both(touch, names, said: str) -> None:
    with pytest.raises(UserError, match=f"can be read in two ways: .*{said}"):
        list_classes(touch(*names))


def test_a_class_may_have_the_name_of_a_part(touch) -> None:
    listing = list_classes(touch(*two("train", "bus")))
    assert listing.reading == "The folder is read as 4 images of 2 classes: bus, train."


def test_every_file_is_accounted_for(touch, tmp_path: Path) -> None:
    names = ("a/1.NEF", "b/2.dcm", "b/film.mp4", "b/paper.pdf", "a/notes.txt", "b/more.txt")
    folder = touch(*FOUR, *names, ".hidden", "@eaDir/1.jpg", "a/deep/er/3.jpg", "a/nothing")
    (folder / "empty").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "b" / "picture", "PNG")
    listing = list_classes(folder)
    assert paths(folder) == [
        "a/1.jpg",
        "a/2.jpg",
        "a/deep/er/3.jpg",
        "b/1.jpg",
        "b/2.jpg",
        "b/picture",
    ]
    assert dict(listing.left_out) == {
        "a/1.NEF": "is a camera's raw file; export it as JPEG",
        "b/2.dcm": "is a DICOM file; export it as PNG",
        "b/film.mp4": "is a video",
        "b/paper.pdf": "is a PDF; export its pictures as PNG",
        "empty": "is a folder without images",
    }
    assert listing.reading == (
        "The folder is read as 6 images of 2 classes: a, b, up to 3 folders deep. What lies beside"
        " them is not read: .txt files (2), folders of other programs (1), hidden files (1),"
        " files without a suffix (1)."
    )


def test_classes_that_are_too_small_are_listed_all_at_once(touch) -> None:
    listing = list_classes(touch(*FOUR, "rare/1.jpg", "rarer/1.jpg"))
    reason = "is the only usable one of its class"
    assert dict(listing.left_out) == {"rare/1.jpg": reason, "rarer/1.jpg": reason}
    assert [one.path for one in listing.photographs] == list(FOUR)


@pytest.mark.parametrize(
    ("group", "together"),
    [("folder", ["1", "1", "2", "2"] * 2), ("name", ["0", "1"] * 4), ("none", [None] * 8)],
)
def test_a_folder_says_what_stays_together(touch, group: str, together: list[str | None]) -> None:
    folder = touch(*two("happy/1", "happy/2", "sad/1", "sad/2"))
    listed = list_classes(folder, group).photographs
    assert [one.known.get("together") for one in listed] == together
    with pytest.raises(UserError, match="group of a folder 'age' is not one of folder, name, none"):
        list_classes(folder, "age")


def test_persons_of_radboud_s_names_stay_together(touch) -> None:
    names = [
        f"{emotion}/Rafd090_{subject}_Caucasian_female_{emotion}_frontal.jpg"
        for emotion, subject in product(("happy", "sad"), ("01", "02"))
    ]
    assert [one.known["together"] for one in list_classes(touch(*names)).photographs] == [
        "1",
        "2",
    ] * 2


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
    rows = rows_of(*(f"7,happy,left,{angle},male,tall,31,x" for angle in (0, 0, 45, 45)))
    rows[2:] = [row.replace(",7,", ",10,").replace("x", "y") for row in rows[2:]]
    listing = list_table(write(table, "path,subject,emotion,gaze,angle,sex,group,age,class", *rows))
    assert listing.tasks == ("subject", "class")  # everybody is happy
    assert "images of 1 emotion; it needs two" in listing.missing[0]
    known = {"subject": 7, "emotion": "happy", "gaze": "left", "angle": 0}
    known |= {"sex": "male", "group": "tall", "age": 31, "class": "x", "together": "7"}
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


@pytest.mark.parametrize(
    ("columns", "meant"),
    [
        ("filename,label", "'filename' as path, 'label' as class"),
        ("File Name,Category,place", "'File Name' as path, 'Category' as class"),
        ("path,class,label", ""),
    ],
)
def test_columns_are_found_by_other_names_and_others_are_kept(table, columns, meant: str) -> None:
    more = ",beach" * (columns.count(",") - 1)
    listing = list_table(write(table, columns, *(f"{row}{more}" for row in rows_of(*"xxyy"))))
    assert [one.known["class"] for one in listing.photographs] == list("xxyy")
    assert meant in listing.reading
    other = columns.split(",")[2:]
    assert listing.photographs[0].known == {"class": "x", **dict.fromkeys(other, "beach")}
    assert ("columns are kept" in listing.reading) == bool(other)


def test_a_table_s_split_and_groups_are_kept(table: Path) -> None:
    parts = ("Training,p", "PrivateTest,q", "training,r", "TEST,s")
    rows = [f"{row},{part}" for row, part in zip(rows_of(*"xxyy"), parts, strict=True)]
    listing = list_table(write(table, "path,class,usage,session", *rows), "session")
    known = [one.known for one in listing.photographs]
    assert [one["split"] for one in known] == ["train", "test"] * 2
    assert [one["together"] for one in known] == list("pqrs")
    assert "train (2), test (2), of 4 persons or sessions" in listing.reading
    with pytest.raises(UserError, match="group 'place' is not one of path, class, usage, session"):
        list_table(table, "place")


def test_images_outside_of_the_folder_are_refused_and_not_named(table: Path) -> None:
    outside = table.parents[1] / "private.jpg"
    outside.touch()
    rows = [*rows_of(*"xxyy"), f"{outside},x", "../private.jpg,y"]
    listing = list_table(write(table, "path,class", *rows))
    reason = "is outside of the table's folder; ::outside=allow allows that"
    assert dict(listing.left_out) == {"row 6": reason, "row 7": reason}
    allowed = list_table(table, outside=True).photographs
    assert [one.path for one in allowed[4:]] == [str(outside), "../private.jpg"]


def test_a_table_may_name_images_without_their_suffix(table: Path) -> None:
    rows = [row.replace(".jpg", "").replace(".png", "") for row in rows_of(*"xxyy")]
    assert [one.path for one in list_table(write(table, "image_id,label", *rows)).photographs] == [
        *NAMES
    ]


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
        ("path,class", rows_of(*"xxxy"), "enough images of 1 class.* only usable one of its class"),
        ("path,class", rows_of(*"xxxx"), "images of 1 class; it needs two at least"),
        ("path,class", ["gone.jpg,x"], "has no image that can be used"),
        ("path,class,split", ["a/1.jpg,x,often"], "split in row 2 .* 'often' is not one of train"),
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
