"""A table of photographs: a CSV file with a row an image, and any of the index's columns."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from tinyvgg.errors import UserError
from tinyvgg.face_parameters import ANGLES, EMOTIONS, GAZES
from tinyvgg.photographs.listing import (
    TASKS,
    UNKNOWN,
    LeftOut,
    Listing,
    Photograph,
    Value,
    usable_tasks,
)
from tinyvgg.photographs.walking import SUFFIXES

COLUMNS = ("path", "subject", "emotion", "gaze", "angle", "sex", "group", "age", "class")
_ABOUT = ("sex", "group", "age")
"""Columns about a person, which no network is trained to tell."""
_NUMBERS = ("angle", "age")
_ALLOWED: Mapping[str, tuple[Value, ...]] = {"emotion": EMOTIONS, "gaze": GAZES, "angle": ANGLES}
_DELIMITERS = ",;\t"
_SAYS_DELIMITER = "sep="
_OLDEST = 150
_LONGEST_NUMBER = 9


def list_table(file: Path) -> Listing:
    """The images that a table lists, in its order.

    Its first row names the columns; they are separated by commas, semicolons or tabs. Paths are
    relative to the folder of the table. A row that lacks a value or has more cells than there are
    columns, whose image is missing or in a row above, is left out; sex, group and age may be
    unknown.

    Raises:
        UserError: a table that cannot be read, an unknown column or one that is there twice, no
            column ``path`` or none that a network can be trained to tell, a value that an emotion,
            a gaze or an angle cannot have, and what `usable_tasks` refuses.
    """
    columns, rows = _rows(file)
    _check_columns(columns, file)
    seen: dict[str, int] = {}
    places = (file.parent.absolute(), file.parent.resolve())
    known = [name for name in columns if name != "path"]
    photographs: list[Photograph] = []
    left_out: list[LeftOut] = []
    for number, cells in rows:
        row = dict(zip(columns, cells, strict=False))
        path = _below(places, row.get("path", "").replace("\\", "/"))
        lacking = [name for name in columns if not row.get(name) and name not in _ABOUT]
        if any(cells[len(columns) :]):
            reason = f"has more cells than there are columns in row {number} of {file.name}"
            left_out.append(LeftOut(path or f"row {number}", reason))
        elif lacking:
            reason = f"has no {' and no '.join(lacking)} in row {number} of {file.name}"
            left_out.append(LeftOut(path or f"row {number}", reason))
        elif Path(path).suffix.lower() not in SUFFIXES:
            left_out.append(LeftOut(path, f"is not one of {', '.join(SUFFIXES)}"))
        elif not _is_there(file.parent / path):
            left_out.append(LeftOut(path, f"does not exist (row {number} of {file.name})"))
        elif seen.setdefault(path, number) != number:
            reason = f"is in row {seen[path]} of {file.name}, and in row {number} again"
            left_out.append(LeftOut(path, reason))
        else:
            values = {
                name: _value(name, row.get(name) or UNKNOWN, number, file)
                for name in known
                if row.get(name) or name != "age"
            }
            photographs.append(Photograph(path, values))
    tasks, faults = usable_tasks(photographs, f"table {str(file)!r}")
    numbered = tuple(_numbered(photographs))
    return Listing(file.parent, numbered, tasks, tuple(left_out), missing=faults)


def _below(places: tuple[Path, ...], path: str) -> str:
    """A path as it begins at a folder, if it lies below it: pages show no more of a machine."""
    whole = Path(path)
    for place in places if whole.is_absolute() else ():
        if whole.is_relative_to(place):
            return whole.relative_to(place).as_posix()
    return path


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or a folder that may not be looked into
        return False


def _rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and the rows that are not empty with their numbers."""
    try:
        if file.exists() and not file.is_file():
            raise ValueError("it is no file")
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"table {str(file)!r} does not exist; give a CSV file") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"table {str(file)!r} cannot be read ({error}); save it as CSV in UTF-8"
        ) from None
    first = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UserError(f"table {str(file)!r} is damaged ({error}); save it as CSV") from None
    stripped = [[cell.strip() for cell in cells] for cells in found]
    rows = [(number, cells) for number, cells in enumerate(stripped, start=1) if any(cells)]
    if first.startswith(_SAYS_DELIMITER):  # as spreadsheets write it, and hide it
        rows = rows[1:]
    if len(rows) < 2:
        raise UserError(f"table {str(file)!r} is empty; name columns, then an image in each row")
    columns = rows[0][1]
    while not columns[-1]:
        columns.pop()
    return columns, rows[1:]


def _check_columns(columns: list[str], file: Path) -> None:
    where = f"table {str(file)!r}"
    for name in columns:
        if name not in COLUMNS:
            raise UserError(
                f"column {name!r} in {where} is not one of {', '.join(COLUMNS)}; rename or drop it"
            )
        if columns.count(name) > 1:
            raise UserError(f"column {name!r} in {where} is there twice; drop one")
    if "path" not in columns or not set(columns) & set(TASKS):
        raise UserError(
            f"{where} has the columns {', '.join(columns)}; it needs 'path' and one at least of "
            f"{', '.join(TASKS)}"
        )


def _value(name: str, text: str, row: int, file: Path) -> Value:
    text = " ".join(text.split())
    value: Value = int(text) if name in _NUMBERS and _is_number(text) else text
    allowed = _ALLOWED.get(name)
    if allowed is not None and value not in allowed:
        raise UserError(
            f"{name} {text!r} in row {row} of {str(file)!r} is not one of "
            f"{', '.join(map(str, allowed))}; correct it, or use the column 'class'"
        )
    if name in _NUMBERS and not isinstance(value, int):
        raise UserError(f"{name} {text!r} in row {row} of {str(file)!r} is not a whole number")
    if name == "age" and int(value) > _OLDEST:
        raise UserError(
            f"age {text!r} in row {row} of {str(file)!r} is not a number of years, 0 to {_OLDEST}"
        )
    return value


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _LONGEST_NUMBER


def _numbered(photographs: list[Photograph]) -> Iterator[Photograph]:
    """Subjects as numbers where all of them are."""
    names = [str(photograph.known.get("subject", "")) for photograph in photographs]
    if not all(map(_is_number, names)):
        yield from photographs
        return
    for photograph, name in zip(photographs, names, strict=True):
        yield Photograph(photograph.path, {**photograph.known, "subject": int(name)})
