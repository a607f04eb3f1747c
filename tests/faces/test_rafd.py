"""The database's folder against its design."""

from itertools import product

import pytest

import synthfaces
from synthfaces import ANGLES, GAZES, SUBJECTS, design
from tinyvgg.errors import UserError
from tinyvgg.faces.rafd import list_rafd


def named(subject=1, emotion="happy", gaze="frontal", angle=90) -> str:
    return f"Rafd{angle:03d}_{subject:02d}_Caucasian_female_{emotion}_{gaze}.jpg"


def some(subjects=(1, 2), angles=ANGLES) -> list[str]:
    return [named(*shot) for shot in product(subjects, ("happy", "sad"), GAZES, angles)]


def test_the_whole_database_is_complete_whatever_its_sub_folders(touch) -> None:
    table = design(angles=ANGLES)
    listing = list_rafd(touch(*(f"{row.angle}/{row.path}" for row in table.itertuples())))
    assert (listing.missing, listing.left_out) == ((), ())
    assert len(listing.photographs) == 4824
    assert len(listing.beyond) == 8040 - 4824
    assert listing.tasks == ("subject", "emotion")
    used = table[table["angle"].isin((45, 90, 135))]
    paths = [f"{row.angle}/{row.path}" for row in used.itertuples()]
    assert [one.path for one in listing.photographs] == paths
    columns = ["angle", "subject", "group", "sex", "emotion", "gaze"]
    assert [one.known for one in listing.photographs] == used[columns].to_dict("records")


def test_what_is_missing_is_listed_and_not_guessed(touch) -> None:
    gone = (named(2, "sad", "left", 45), named(2, "sad", "right", 0))
    missing = list_rafd(touch(*(name for name in some() if name not in gone))).missing
    absent = [s for s in SUBJECTS if s not in (1, 2)]
    assert (
        missing[0]
        == f"subject: 65 of 67 are missing ({', '.join(map(str, absent[:6]))} and 59 more)"
    )
    assert missing[1].startswith(
        "emotion: 6 of 8 are missing (angry, contemptuous, disgusted, fearful, neutral, surp"
    )
    assert missing[2:] == ("subject 2: sad left 45, sad right 0",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Rafd060_01_Caucasian_female_happy_frontal.jpg", "has angle '060', which"),
        ("Rafd90_01_Caucasian_female_happy_frontal.jpg", "has angle '90', which"),
        ("Rafd090_06_Caucasian_female_happy_frontal.jpg", "has subject '06', which"),
        ("Rafd090_01_Caucasian_woman_happy_frontal.jpg", "has sex 'woman', which"),
        ("Rafd090_01_Caucasian_female_joyful_frontal.jpg", "has emotion 'joyful', which"),
        ("Rafd090_01_Caucasian_female_happy_up.jpg", "has gaze 'up', which"),
        ("Rafd090_01_Caucasian_female_happy_frontal (1).jpg", "has gaze 'frontal .1.', which"),
        ("rafd090_01_Caucasian_female_happy_frontal.jpg", "is not named as"),
        ("Rafd090_01_Caucasian_female_happy_frontal.png", "is not named as"),
        ("Rafd\u0660\u0669\u0660_01_Caucasian_female_happy_frontal.jpg", "is not named as"),
    ],
)
def test_names_that_are_almost_the_databases_are_refused(name: str, said: str) -> None:
    with pytest.raises(synthfaces.FaceError, match=said):
        synthfaces.read_rafd_name(name)


def test_a_second_image_of_a_shot_and_what_is_none_are_left_out(touch) -> None:
    surplus = f"copy/{named(1, 'sad', 'left', 45)}"
    listing = list_rafd(touch(*some(), surplus, "other/portrait.jpg"))
    assert dict(listing.left_out) == {
        surplus: f"shows the same shot as {named(1, 'sad', 'left', 45)}",
        "other/portrait.jpg": "is not named as the database names its images",
    }
    assert len(listing.photographs) == 2 * 2 * 3 * 3


def test_profiles_alone_are_not_enough(touch) -> None:
    with pytest.raises(UserError, match="no image of the database at 45, 90, 135 degrees"):
        list_rafd(touch(*some(angles=(0, 180))))
