"""Tables of photographs: a row an image, as programs and people write them."""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import (
    SUFFIXES,
    TASKS,
    UNKNOWN,
    LeftOut,
    Listing,
    Photograph,
    Value,
    in_words,
    kind_of_file,
    listing,
    with_parts,
)
from tinyvgg.faces.sources import check_one_of, some
from tinyvgg.faces.splits import PARTS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "path": ("filename", "file", "file_name", "filepath", "image", "image_path", "img", "image_id"),
    "subject": ("person", "identity", "subject_id", "person_id", "participant"),
    "emotion": ("expression",),
    "gaze": (),
    "angle": (),
    "sex": ("gender",),
    "group": ("ethnicity", "race"),
    "age": (),
    "class": ("label", "category", "target", "class_name"),
    "split": ("part", "partition", "subset", "usage"),
}
"""The columns that mean something, and other names that they have in tables."""
RESERVED = ("source", "together", "twins")  # columns that the index has of its own
_PERSONAL = ("sex", "group", "age")
"""Columns about a person, which no network is trained to classify."""
_MOST_DIGITS, _OLDEST = 9, 150


def list_table(file: Path, group: str = "", outside: bool = False) -> Listing:
    """List the images that a table names, in its order.

    Its first row names the columns (see `ALIASES`); they are separated by commas, semicolons or
    tabs. Columns without a meaning here are kept as they are. Paths are relative to the folder of
    the table. Rows that lack a value or an image are left out; sex, group and age may be unknown.
    An angle or an age that is no number is refused.

    Args:
        file: the table.
        group: the column whose images stay in one part; the subject where there is one, unless
            this is ``none``.
        outside: whether images may lie outside of the table's folder.
    """
    names, rows = _rows(file)
    meant = _meant(names, f"table {str(file)!r}")
    columns = [meant.get(name, name) for name in names]
    if group not in ("", "none"):
        check_one_of("group", group, (*names, *columns, "none"))
    kept = {"": "subject"}.get(group, meant.get(group, group))
    seen: dict[str, int] = {}
    photographs: list[Photograph] = []
    left_out: list[LeftOut] = []
    for number, cells in rows:
        row = dict(zip(columns, cells, strict=False))
        path = _below(file.parent, row.get("path", "").replace("\\", "/"))
        needed = [name for name in columns if name in (*meant.values(), kept)]
        lacking = [name for name in needed if not row.get(name) and name not in _PERSONAL]
        where = f"row {number} of {file.name}"
        if any(cells[len(columns) :]):
            reason = f"has more cells than there are columns in {where}"
        elif lacking:
            reason = f"has no {' and no '.join(lacking)} in {where}"
        elif not outside and (PurePath(path).is_absolute() or ".." in PurePath(path).parts):
            path = ""  # it may be private
            reason = "is outside of the table's folder; ::outside=allow allows that"
        elif PurePath(path).suffix and kind_of_file(Path(path)):
            reason = f"is not one of {', '.join(SUFFIXES)}"
        elif not (path := _there(file.parent, path)):
            path, reason = row["path"], f"does not exist ({where})"
        elif seen.setdefault(path, number) != number:
            reason = f"is in row {seen[path]} of {file.name}, and in row {number} again"
        else:
            known = {
                name: _value(name, row.get(name) or UNKNOWN * (name in _PERSONAL), where)
                for name in columns
                if name != "path" and (row.get(name) or name != "age")
            }
            if kept in row:
                known["together"] = row[kept]
            photographs.append(Photograph(path, known))
            continue
        left_out.append(LeftOut(path or f"row {number}", reason))
    if all(_is_number(str(one.known.get("subject", ""))) for one in photographs):
        photographs = [
            Photograph(one, {**known, "subject": int(known["subject"])})
            for one, known in photographs
        ]
    photographs = with_parts(photographs)
    others = [name for name in columns if name not in ALIASES]
    said = [f"{old!r} as {new}" for old, new in meant.items() if old != new]
    reading = f"The table is read{', with ' * bool(said)}{', '.join(said)}, as "
    reading += f"{in_words(photographs)}."
    reading += f" Its other columns are kept: {some(others)}." if others else ""
    where = f"table {str(file)!r}"
    return listing(file.parent, photographs, left_out, where=where, reading=reading)


def _below(folder: Path, path: str) -> str:
    """Return a path relative to the folder if it lies there, or as it is, without detours."""
    for place in (folder.absolute(), folder.resolve()):
        if Path(path).is_relative_to(place):
            path = Path(path).relative_to(place).as_posix()
    return os.path.normpath(path) if path else ""


def _there(folder: Path, path: str) -> str:
    """Return the path of a file that is there, which a table may name without its suffix."""
    suffixes = ("",) if PurePath(path).suffix else ("", *SUFFIXES)
    there = (path + suffix for suffix in suffixes)
    # a Path raises where a name is odd
    return next((one for one in there if os.path.isfile(folder / one)), "")  # noqa: PTH113


def _rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the rows that are not empty with their numbers."""
    where = f"table {str(file)!r}"
    try:
        if file.exists() and not file.is_file():
            raise ValueError("it is no file")
        text = file.read_bytes().decode("utf-8-sig")
        first = text.lstrip().partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{where} cannot be read ({error}); save it as CSV in UTF-8") from None
    stripped = [[cell.strip() for cell in cells] for cells in found]
    rows = [(number, cells) for number, cells in enumerate(stripped, start=1) if any(cells)]
    if first.startswith("sep="):  # as spreadsheets write it, and hide it
        rows = rows[1:]
    if len(rows) < 2:
        raise UserError(f"{where} is empty; name columns, then an image in each row")
    columns = rows[0][1]
    while not columns[-1]:
        columns.pop()
    return [name or f"column {place}" for place, name in enumerate(columns, start=1)], rows[1:]


def _meant(columns: Sequence[str], where: str) -> dict[str, str]:
    """Return the columns that mean something, and the names that they have here."""
    plain = {re.sub(r"\W+", "_", name.casefold()): name for name in columns}
    meant: dict[str, str] = {}
    for name, others in ALIASES.items():
        found = next((plain[each] for each in (name, *others) if each in plain), None)
        if found is not None:
            meant[found] = name
    used = {meant.get(name, name) for name in columns}
    if "path" not in used or not used & set(TASKS) or len(used) < len(columns):
        raise UserError(
            f"{where} has the columns {', '.join(columns)}; it needs 'path' and one at least of "
            f"{', '.join(TASKS)}, each once"
        )
    return meant | {name: f"{name} (of the table)" for name in RESERVED if name in used}


def _value(name: str, text: str, where: str) -> Value:
    text = " ".join(text.split())
    if name == "split":
        check_one_of(f"split in {where}", text.casefold(), (*PARTS,))
        return PARTS[text.casefold()]
    if name not in ("angle", "age"):
        return text
    if not _is_number(text):
        raise UserError(f"{name} {text!r} in {where} is not a whole number; correct it")
    if name == "age" and int(text) > _OLDEST:
        raise UserError(f"age {text!r} in {where} is not a number of years, 0 to {_OLDEST}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS
