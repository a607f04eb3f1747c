"""The Face Research Lab London Set as it is published (doi 10.6084/m9.figshare.5047666, CC BY 4.0).

Its folders are named after expression and view; in them the images are named after the person and
the number of the view, such as ``neutral_front/001_03.jpg``. Age, sex and group of the persons are
in a table beside them. It is published as an archive for each folder, and the table.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import UNKNOWN, Listing, Value, listing, walk
from tinyvgg.faces.rafd import USED_ANGLES
from tinyvgg.faces.sources import synthfaces

PUBLISHED = "https://doi.org/10.6084/m9.figshare.5047666"
EXPRESSIONS = {"neutral": "neutral", "smiling": "happy"}
_VIEWS = ("right_profile", "right_3quarter", "front", "left_3quarter", "left_profile")
VIEWS = dict(zip(_VIEWS, synthfaces.ANGLES, strict=True))
"""The angle of each view; a side is taken to be the person's own, as in RaFD."""

TABLES = ("london_faces_info.csv", "london_info.csv")
FOLDERS = tuple(f"{expression}_{view}" for expression in EXPRESSIONS for view in VIEWS)

_NAME = re.compile(r"(\d{3})_\d{2}\.jpe?g", re.IGNORECASE | re.ASCII)
_TABLE_COLUMNS = {"face_age": "age", "face_gender": "sex", "face_sex": "sex", "face_eth": "group"}
_DIGITS = 9


def list_london(folder: Path) -> Listing:
    """List the images of the views that are there, sorted by person and folder."""
    people = _people(folder)
    columns = sorted({name for person in people.values() for name in person})
    unknown = {name: UNKNOWN for name in columns if name != "age"}

    def facts_of(path: str) -> dict[str, Value]:
        person = _NAME.fullmatch(Path(path).name)
        expression, _, view = path.partition("/")[0].partition("_")
        if person is None:
            raise UserError("is not named as the set's images are")
        number = int(person[1])
        known: dict[str, Value] = {"subject": number, "emotion": EXPRESSIONS[expression]}
        known |= {"gaze": "frontal", "angle": VIEWS[view]}
        return {**known, **unknown, **people.get(number, {})}

    there = [name for name in FOLDERS if (folder / name).is_dir()]
    seen = walk(folder, there)
    named = seen.named(facts_of)
    beyond = [one for one in named if one.known["angle"] not in USED_ANGLES]
    used = [one for one in named if one.known["angle"] in USED_ANGLES]
    used.sort(key=lambda one: (one.known["subject"], one.path))
    if not used:
        raise UserError(
            f"folder {str(folder)!r} has none of the folders {', '.join(FOLDERS)} with images; "
            f"unpack the set's archives beside each other; they are at {PUBLISHED}"
        )
    gone = ", ".join(name for name in FOLDERS if name not in there)
    missing = [f"folders that are not there: {gone}"] if gone else []
    for name in columns:
        without = {one.known["subject"] for one in used if one.known.get(name, UNKNOWN) == UNKNOWN}
        if without:
            missing.append(f"{name} of persons {sorted(without)}")
    return listing(folder, used, seen.left_out, missing, beyond, reading=seen.beside)


def _people(folder: Path) -> dict[int, dict[str, Value]]:
    """Return age, sex and group of each person in the table; of none without a table."""
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
        if text in ("", "NA"):
            continue
        if column != "age":
            known[column] = text
        elif re.fullmatch(r"\d{1,3}(\.\d+)?", text, re.ASCII):
            known[column] = round(float(text))
    return number, known
