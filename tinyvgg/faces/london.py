"""The Face Research Lab London Set as it is published (doi 10.6084/m9.figshare.5047666).

Its folders are named after expression and view; in them the images are named after the person and
the number of the view, such as ``neutral_front/001_03.jpg``. Age, sex and group of the persons are
in a table beside them.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import (
    UNKNOWN,
    LeftOut,
    Listing,
    Photograph,
    Value,
    check_folder,
    images_below,
    usable_tasks,
)

EXPRESSIONS: Mapping[str, str] = MappingProxyType({"neutral": "neutral", "smiling": "happy"})
VIEWS: Mapping[str, int] = MappingProxyType(
    {
        "right_profile": 0,
        "right_3quarter": 45,
        "front": 90,
        "left_3quarter": 135,
        "left_profile": 180,
    }
)
"""The angle of each view; a side is taken to be the person's own, as in RaFD."""

TABLES = ("london_faces_info.csv", "london_info.csv")
FOLDERS = tuple(f"{expression}_{view}" for expression in EXPRESSIONS for view in VIEWS)

_NAME = re.compile(r"(?P<person>\d{3})_(?P<view>\d{2})\.jpe?g", re.IGNORECASE | re.ASCII)
_TABLE_COLUMNS = {"face_age": "age", "face_gender": "sex", "face_sex": "sex", "face_eth": "group"}
_UNKNOWN = ("", "NA")
_DIGITS = 9


def list_london(folder: Path) -> Listing:
    """The images of the set, sorted by person and folder.

    Views other than the frontal one are taken in where they are there, but for full profiles.

    Raises:
        UserError: the folder is missing, or has none of the set's folders; there are too few
            images to train on.
    """
    check_folder(folder)
    left_out: list[LeftOut] = []
    people = _people(folder)
    used: list[Photograph] = []
    beyond: list[Photograph] = []
    for name in FOLDERS:
        if not (folder / name).is_dir():
            continue
        expression, _, view = name.partition("_")
        for path in images_below(folder / name, left_out):
            person = _NAME.fullmatch(Path(path).name)
            if person is None:
                left_out.append(LeftOut(f"{name}/{path}", "is not named as the set's images are"))
                continue
            number = int(person["person"])
            known: dict[str, Value] = {
                "subject": number,
                "emotion": EXPRESSIONS[expression],
                "gaze": "frontal",
                "angle": VIEWS[view],
                **people.get(number, {}),
            }
            photograph = Photograph(f"{name}/{path}", known)
            (beyond if view.endswith("profile") else used).append(photograph)
    where = f"folder {str(folder)!r}"
    if not used:
        raise UserError(
            f"{where} has none of the folders {', '.join(FOLDERS)} with images; give the folder "
            "that holds them, or fetch them: tinyvgg faces fetch london FOLDER"
        )
    used, missing = _with_the_same_columns(used)
    tasks, faults = usable_tasks(used, where)
    gone = [name for name in FOLDERS if not (folder / name).is_dir()]
    absent = [f"folders that are not there: {', '.join(gone)}"] if gone else []
    order = sorted(used, key=lambda one: (one.known["subject"], one.path))
    lacking = (*absent, *missing, *faults)
    return Listing(folder, tuple(order), tasks, tuple(left_out), lacking, tuple(beyond))


def _people(folder: Path) -> dict[int, dict[str, Value]]:
    """Age, sex and group by person, of those that the table knows; none without a table."""
    for place in (folder / name for name in TABLES):
        if place.is_file():
            try:
                with place.open(encoding="utf-8-sig", newline="") as file:
                    return dict(map(_person, csv.DictReader(file)))
            except (OSError, ValueError, csv.Error) as error:
                raise UserError(
                    f"table {str(place)!r} cannot be read ({error}); repair it as CSV in UTF-8, or "
                    "remove it to go without age, sex and group"
                ) from None
    return {}


def _person(row: Mapping[str, str]) -> tuple[int, dict[str, Value]]:
    number = int(re.sub(r"\D", "", row.get("face_id") or "")[:_DIGITS] or 0)
    known: dict[str, Value] = {}
    for name, column in _TABLE_COLUMNS.items():
        text = (row.get(name) or "").strip()
        if text in _UNKNOWN:
            continue
        if column != "age":
            known[column] = text
        elif re.fullmatch(r"\d{1,3}(\.\d+)?", text, re.ASCII):
            known[column] = round(float(text))
    return number, known


def _with_the_same_columns(used: list[Photograph]) -> tuple[list[Photograph], list[str]]:
    """Columns that are not known of everybody are said to be unknown where they are not."""
    columns = {name for photograph in used for name in photograph.known}
    lacking = {
        name: sorted({int(one.known["subject"]) for one in used if name not in one.known})
        for name in sorted(columns)
    }
    filled = [
        Photograph(one.path, {**dict.fromkeys(columns - {"age"}, UNKNOWN), **one.known})
        for one in used
    ]
    said = [f"{name} of persons {people}" for name, people in lacking.items() if people]
    return filled, said
