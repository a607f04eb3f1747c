"""Lists of photographs: folders with a sub-folder a class, and tables with a row an image."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces

TASKS = ("subject", "emotion", "class")
"""The columns that a network can be trained to classify."""
COLUMNS = ("path", "subject", "emotion", "gaze", "angle", "sex", "group", "age", "class")
ALLOWED: Mapping[str, tuple[object, ...]] = {
    "emotion": synthfaces.EMOTIONS,
    "gaze": synthfaces.GAZES,
    "angle": synthfaces.ANGLES,
}
UNKNOWN = "unknown"
"""Sex or group of a person of whom a source does not know it."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".pgm", ".ppm", ".tif", ".tiff")

_PERSONAL = ("sex", "group", "age")
"""Columns about a person, which no network is trained to classify."""
_MOST_DIGITS = 9

Value = str | int


class Photograph(NamedTuple):
    """An image by its path below the folder, and what is known of it."""

    path: str
    known: Mapping[str, Value]


class LeftOut(NamedTuple):
    """A file that is not used, and why not."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The photographs of a source.

    Attributes:
        folder: that the paths start from.
        photographs: those that may be used, in their order.
        tasks: the columns that a network can be trained to classify.
        left_out: files that are not used, with the reason.
        missing: what the source's design asks for and does not find, in words.
        beyond: photographs that belong to the design but not to what networks learn from, such as
            full profiles.
    """

    folder: Path
    photographs: tuple[Photograph, ...]
    tasks: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[str, ...] = ()
    beyond: tuple[Photograph, ...] = ()


def usable_tasks(
    photographs: Sequence[Photograph], where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that a network can be trained to classify, and why others cannot be.

    Raises:
        UserError: no column can be used: there are fewer than two classes, or one has a single
            image; two classes whose names differ in capitals alone.
    """
    if not photographs:
        raise UserError(f"{where} has no image that can be used; are the paths right?")
    usable: list[str] = []
    faults: list[str] = []
    for task in TASKS:
        counts = Counter(str(one.known[task]) for one in photographs if task in one.known)
        _check_capitals(counts, where)
        fewest = min(counts, key=lambda name: counts[name], default="")
        if len(counts) == 1:
            faults.append(f"{where} has images of 1 {task}; it needs two at least")
        elif counts and counts[fewest] < 2:
            faults.append(
                f"{task} {fewest!r} in {where} has a single image; "
                "give it two at least, one to train on and one to test, or remove it"
            )
        elif counts:
            usable.append(task)
    if not usable:
        raise UserError(faults[0])
    return tuple(usable), tuple(faults)


def _check_capitals(names: Mapping[str, int], where: str) -> None:
    seen: dict[str, str] = {}
    for name in sorted(names):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            same = unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name)
            said = "how letters are encoded" if same else "capitals"
            raise UserError(
                f"classes {other!r} and {name!r} in {where} differ in {said} alone; "
                "rename one, or put their images together"
            )


def check_folder(folder: Path) -> None:
    """Refuse what is missing, is no folder, or may not be read, with a `UserError`."""
    try:
        if not folder.is_dir():
            said = "is not a folder" if folder.exists() else "does not exist"
            raise UserError(f"folder {str(folder)!r} {said}; give a folder of photographs")
        os.listdir(folder)  # noqa: PTH208 - a Path would make a list of paths
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be read ({error.strerror}); change its permissions"
        ) from None


def images_below(folder: Path, left_out: list[LeftOut]) -> list[str]:
    """Return the sorted paths of images below a folder, relative to it, without hidden ones.

    Args:
        folder: where to begin.
        left_out: takes folders and links that cannot be followed, and names that are not UTF-8.
    """

    def leave_out(path: str, reason: str) -> None:
        left_out.append(LeftOut(as_text(os.path.relpath(path, folder)), reason))

    def unreadable(error: OSError) -> None:
        leave_out(error.filename, f"cannot be read ({error.strerror})")

    found: list[str] = []
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        here, inside = Path(place).resolve(), folders[:]
        folders.clear()
        for name in (*inside, *names):
            path = f"{place}/{name}"
            if not is_text(name):
                leave_out(path, "has a name that is not UTF-8; rename it")
            elif name.startswith("."):
                continue
            elif name not in inside:
                if Path(name).suffix.lower() in SUFFIXES:
                    found.append(Path(path).relative_to(folder).as_posix())
            elif Path(path).resolve() in (here, *here.parents):
                leave_out(path, "is a link to a folder that it lies in")
            else:
                folders.append(name)
    return sorted(found)


def is_text(name: str) -> bool:
    """Whether a name can be written down: one that is not UTF-8 cannot."""
    return as_text(name) == name


def as_text(name: str) -> str:
    """Return a name that can be written down, with what is not UTF-8 in numbers."""
    return name.encode("utf-8", "backslashreplace").decode()


def list_classes(folder: Path) -> Listing:
    """List the images of a folder with a sub-folder a class, sorted by class and path.

    Raises:
        UserError: a folder that is missing or empty, with fewer than two classes, with a class
            that has fewer than two images, or with classes that differ in capitals alone.
    """
    check_folder(folder)
    left_out: list[LeftOut] = []
    photographs: list[Photograph] = []
    for path in images_below(folder, left_out):
        name, slash, _ = path.partition("/")
        if slash:
            photographs.append(Photograph(path, {"class": name}))
        else:
            left_out.append(LeftOut(path, "lies in no sub-folder"))
    where, count = f"folder {str(folder)!r}", len({one.known["class"] for one in photographs})
    if count < 2:
        raise UserError(
            f"{where} has images of {count} class{'' if count else 'es'}; "
            f"it needs two sub-folders at least with images ({', '.join(SUFFIXES)})"
        )
    tasks, _ = usable_tasks(photographs, where)
    return Listing(folder, tuple(photographs), tasks, tuple(left_out))


def list_table(file: Path) -> Listing:
    """List the images that a table names, in its order.

    Its first row names the columns; they are separated by commas, semicolons or tabs. Paths are
    relative to the folder of the table. A row that lacks a value or has more cells than there are
    columns, whose image is missing or in a row above, is left out; sex, group and age may be
    unknown.

    Raises:
        UserError: a table that cannot be read or lacks a column, an angle or an age that is no
            number, and what `usable_tasks` refuses.
    """
    columns, rows = _rows(file)
    seen: dict[str, int] = {}
    photographs: list[Photograph] = []
    left_out: list[LeftOut] = []
    for number, cells in rows:
        row = dict(zip(columns, cells, strict=False))
        path = _below(file.parent, row.get("path", "").replace("\\", "/"))
        lacking = [name for name in columns if not row.get(name) and name not in _PERSONAL]
        where = f"row {number} of {file.name}"
        if any(cells[len(columns) :]):
            reason = f"has more cells than there are columns in {where}"
        elif lacking:
            reason = f"has no {' and no '.join(lacking)} in {where}"
        elif Path(path).suffix.lower() not in SUFFIXES:
            reason = f"is not one of {', '.join(SUFFIXES)}"
        elif not _is_there(file.parent / path):
            reason = f"does not exist ({where})"
        elif seen.setdefault(path, number) != number:
            reason = f"is in row {seen[path]} of {file.name}, and in row {number} again"
        else:
            known = {
                name: _value(name, row.get(name) or UNKNOWN, f"row {number} of {str(file)!r}")
                for name in columns
                if name != "path" and (row.get(name) or name != "age")
            }
            photographs.append(Photograph(path, known))
            continue
        left_out.append(LeftOut(path or f"row {number}", reason))
    tasks, faults = usable_tasks(photographs, f"table {str(file)!r}")
    listing = Listing(file.parent, tuple(photographs), tasks, tuple(left_out), missing=faults)
    names = [str(one.known.get("subject", "")) for one in photographs]
    if not all(map(_is_number, names)):
        return listing
    numbered = [
        Photograph(path, {**known, "subject": int(known["subject"])}) for path, known in photographs
    ]
    return replace(listing, photographs=tuple(numbered))


def _below(folder: Path, path: str) -> str:
    """Return a path as it begins at the folder, if it lies below it."""
    for place in (folder.absolute(), folder.resolve()):
        if Path(path).is_relative_to(place):
            return Path(path).relative_to(place).as_posix()
    return path


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or a folder that may not be looked into
        return False


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
    except FileNotFoundError:
        raise UserError(f"{where} does not exist; give a CSV file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{where} cannot be read ({error}); save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{where} is damaged ({error}); save it as CSV") from None
    stripped = [[cell.strip() for cell in cells] for cells in found]
    rows = [(number, cells) for number, cells in enumerate(stripped, start=1) if any(cells)]
    if first.startswith("sep="):  # as spreadsheets write it, and hide it
        rows = rows[1:]
    if len(rows) < 2:
        raise UserError(f"{where} is empty; name columns, then an image in each row")
    columns = rows[0][1]
    while not columns[-1]:
        columns.pop()
    if "path" not in columns or not set(columns) & set(TASKS) or len(set(columns)) < len(columns):
        raise UserError(
            f"{where} has the columns {', '.join(columns)}; it needs 'path' and one at least of "
            f"{', '.join(TASKS)}, each once"
        )
    return columns, rows[1:]


def _value(name: str, text: str, where: str) -> Value:
    text = " ".join(text.split())
    if name not in ("angle", "age"):
        return text
    if not _is_number(text):
        raise UserError(f"{name} {text!r} in {where} is not a whole number; correct it")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS
