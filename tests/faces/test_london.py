"""The London Set: its folders and its table."""

from pathlib import Path

import pytest

from tinyvgg.errors import UserError
from tinyvgg.faces.london import list_london

TABLE = "face_id,face_age,face_gender,face_eth\n001,24,female,white\n002,NA,male,east_asian\n"
PEOPLE = "london_faces_info.csv"
SIDE = "left_3quarter"


def frontal(*people: int) -> list[str]:
    views = (("neutral_front", "03"), ("smiling_front", "08"))
    return [f"{folder}/{person:03d}_{view}.jpg" for folder, view in views for person in people]


def test_folders_and_table_give_the_columns(touch) -> None:
    folder = touch(*frontal(1, 2), "neutral_front/001_03.tem")
    (folder / PEOPLE).write_text(TABLE)
    listing = list_london(folder)
    assert [one.path for one in listing.photographs] == sorted(frontal(1, 2), key=lambda p: p[14:])
    known = {"subject": 1, "emotion": "happy", "gaze": "frontal", "angle": 90}
    known |= {"age": 24, "sex": "female", "group": "white"}
    assert listing.photographs[1].known == known
    assert "age" not in listing.photographs[2].known
    assert listing.tasks == ("subject", "emotion")
    assert "age of persons [2]" in listing.missing
    assert listing.left_out == ()


@pytest.mark.parametrize("number", ["001", "X001", "1"])
def test_persons_of_the_table_are_found_however_they_are_numbered(touch, number: str) -> None:
    folder = touch(*frontal(1, 3))
    (folder / "london_info.csv").write_text(TABLE.replace("001", number))
    listing = list_london(folder)
    assert [one.known["sex"] for one in listing.photographs] == ["female"] * 2 + ["unknown"] * 2
    assert "sex of persons [3]" in listing.missing


def test_other_angles_are_taken_in_and_profiles_are_kept_aside(touch) -> None:
    more = [f"neutral_{SIDE}/{person:03d}_02.jpg" for person in (1, 2)]
    profiles = ["neutral_right_profile/001_05.jpg"]
    listing = list_london(touch(*frontal(1, 2), *more, *profiles))
    angles = {one.path: one.known["angle"] for one in (*listing.photographs, *listing.beyond)}
    assert [angles[path] for path in (*more, *profiles)] == [135, 135, 0]
    assert [one.path for one in listing.beyond] == profiles
    assert "neutral_left_profile" in listing.missing[0]
    assert "neutral_right_profile" not in listing.missing[0]


def test_another_folder_is_told_where_to_get_the_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neutral_right_profile.*figshare.5047666"):
        list_london(tmp_path)


@pytest.mark.parametrize("content", [b"face_id\n001,\xe9\n", b"face_id\n" + b"1" * 200_000 + b"\n"])
def test_a_table_that_cannot_be_read_is_one_line(touch, content: bytes) -> None:
    folder = touch(*frontal(1, 2))
    (folder / PEOPLE).write_bytes(content)
    with pytest.raises(UserError, match=f"{PEOPLE}' cannot be read .* remove it") as error:
        list_london(folder)
    assert "\n" not in str(error.value)


def test_strange_rows_of_the_table_are_passed_over(touch) -> None:
    folder = touch(*frontal(1, 2))
    rows = ["face_age,face_id", "31", f"{'9' * 400},001", "24,002", f"24,{'1' * 5000}", "4,5,6"]
    (folder / PEOPLE).write_text("\n".join(rows))
    known = [one.known.get("age") for one in list_london(folder).photographs]
    assert known == [None, None, 24, 24]
