"""Lists of photographs: folders with a sub-folder a class, and tables with a row an image."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_one_of, synthfaces

TASKS = ("subject", "emotion", "class")  # the columns that a network can classify
COLUMNS = ("path", "subject", "emotion", "gaze", "angle", "sex", "group", "age", "class")
ALLOWED: Mapping[str, tuple[object, ...]] = {
    "emotion": synthfaces.EMOTIONS,
    "gaze": synthfaces.GAZES,
    "angle": synthfaces.ANGLES,
}
UNKNOWN = "unknown"  # the sex or group of a person where a source does not give it
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".pgm", ".ppm", ".tif", ".tiff",
    ".gif", ".avif", ".jp2", ".j2k", ".heic", ".heif",
)  # fmt: skip

_PERSONAL = ("sex", "group", "age")
"""Columns about a person, which no network is trained to classify."""
_MOST_DIGITS, _OLDEST = 9, 150

Value = str | int


class Photograph(NamedTuple):
    """An image: its path below the folder, and the values known of it, by column."""

    path: str
    known: Mapping[str, Value]


class LeftOut(NamedTuple):
    """A file that is not used, and why not."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The photographs of a source, and the columns that a network can be trained to classify."""

    folder: Path  # that the paths start from
    photographs: tuple[Photograph, ...]
    tasks: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[str, ...] = ()
    """Parts of the source's design that are not there, in words."""
    beyond: tuple[Photograph, ...] = ()
    """Photographs of the design that networks do not learn from, such as full profiles."""


def listing(
    folder: Path,
    used: Sequence[Photograph],
    left_out: Sequence[LeftOut],
    missing: Sequence[str] = (),
    beyond: Sequence[Photograph] = (),
    where: str = "",
) -> Listing:
    """Return photographs with the columns that can be classified; list the others as missing.

    Raises:
        UserError: no column can be used: there are fewer than two classes, or one has a single
            image; two classes whose names differ in capitals alone.
    """
    where = where or f"folder {str(folder)!r}"
    if not used:
        raise UserError(f"{where} has no image that can be used; are the paths right?")
    tasks: list[str] = []
    faults: list[str] = []
    for task in TASKS:
        counts = Counter(str(one.known[task]) for one in used if task in one.known)
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
            tasks.append(task)
    if not tasks:
        raise UserError(faults[0])
    lacking = (*missing, *faults)
    return Listing(folder, tuple(used), tuple(tasks), tuple(left_out), lacking, tuple(beyond))


def _check_capitals(names: Mapping[str, int], where: str) -> None:
    seen: dict[str, str] = {}
    for name in sorted(names):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise UserError(
                f"classes {other!r} and {name!r} in {where} differ in capitals alone, or in how "
                "letters are encoded; rename one, or put their images together"
            )


def named_images(
    folder: Path, facts_of: Callable[[str], Mapping[str, Value]], below: Sequence[str] = ("",)
) -> tuple[list[Photograph], list[LeftOut]]:
    """List the images below a folder, or some of its sub-folders, sorted, without hidden ones.

    `facts_of` reads the values from a path; its `UserError` is the reason to leave an image out.
    """
    try:
        os.listdir(folder)  # noqa: PTH208 - a Path would make a list of paths
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = "does not exist" if missing else f"cannot be read ({error.strerror})"
        raise UserError(f"folder {str(folder)!r} {said}; give a folder of photographs") from None
    named: list[Photograph] = []
    left_out: list[LeftOut] = []
    for place in below:
        for path in _images_below(folder / place, folder, left_out):
            try:
                named.append(Photograph(path, facts_of(path)))
            except UserError as error:
                left_out.append(LeftOut(path, str(error)))
    return named, left_out


def _images_below(place: Path, folder: Path, left_out: list[LeftOut]) -> list[str]:
    """Return sorted paths from a folder; what cannot be followed or written down is left out."""

    def leave_out(path: str, reason: str) -> None:
        left_out.append(LeftOut(as_text(os.path.relpath(path, folder)), reason))

    def unreadable(error: OSError) -> None:
        leave_out(error.filename, f"cannot be read ({error.strerror})")

    found: list[str] = []
    for here, folders, names in os.walk(place, onerror=unreadable, followlinks=True):
        inside, above = folders[:], [p.resolve() for p in (Path(here), *Path(here).parents)]
        folders.clear()
        for name in (*inside, *names):
            path = f"{here}/{name}"
            if not is_text(name):
                leave_out(path, "has a name that is not UTF-8; rename it")
            elif name.startswith("."):
                continue
            elif name not in inside:
                if Path(name).suffix.lower() in SUFFIXES:
                    found.append(Path(path).relative_to(folder).as_posix())
            elif Path(path).resolve() in above:
                leave_out(path, "is a link to a folder that it lies in")
            else:
                folders.append(name)
    return sorted(found)


def is_text(name: str) -> bool:
    """Return True if a name can be written down, as all names in UTF-8 can."""
    return as_text(name) == name


def as_text(name: str) -> str:
    """Return a name that can be written down, with numbers for bytes that are not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def list_classes(folder: Path) -> Listing:
    """List the images of a folder with a sub-folder a class, sorted by class and path."""
    photographs, left_out = named_images(folder, _class_of)
    count = len({one.known["class"] for one in photographs})
    if count < 2:
        raise UserError(
            f"folder {str(folder)!r} has images of {count} class{'' if count else 'es'}; "
            f"it needs two sub-folders at least with images ({', '.join(SUFFIXES)})"
        )
    return listing(folder, photographs, left_out)


def _class_of(path: str) -> dict[str, Value]:
    name, slash, _ = path.partition("/")
    if not slash:
        raise UserError("lies in no sub-folder")
    return {"class": name}


def list_table(file: Path) -> Listing:
    """List the images that a table names, in its order.

    Its first row names the columns; they are separated by commas, semicolons or tabs. Paths are
    relative to the folder of the table. Rows that lack a value or an image are left out; sex, group
    and age may be unknown. An angle or an age that is no number is refused.
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
        elif not os.path.exists(file.parent / path):  # noqa: PTH110 - a Path raises where it is odd
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
    if all(_is_number(str(one.known.get("subject", ""))) for one in photographs):
        photographs = [
            Photograph(one, {**known, "subject": int(known["subject"])})
            for one, known in photographs
        ]
    return listing(file.parent, photographs, left_out, where=f"table {str(file)!r}")


def _below(folder: Path, path: str) -> str:
    """Return a path relative to the folder, or unchanged if it lies elsewhere."""
    for place in (folder.absolute(), folder.resolve()):
        if Path(path).is_relative_to(place):
            return Path(path).relative_to(place).as_posix()
    return path


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
    for name in columns:
        check_one_of(f"{where}: column", name, COLUMNS)
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
    if name == "age" and int(text) > _OLDEST:
        raise UserError(f"age {text!r} in {where} is not a number of years, 0 to {_OLDEST}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS
