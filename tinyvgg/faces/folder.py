"""What a list of photographs holds, and what it must have to be of use."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces

TASKS = ("subject", "emotion", "class")
"""The columns that a network can be trained to tell."""
UNKNOWN = "unknown"
"""Sex or group of a person of whom a source does not know it."""

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
        tasks: the columns that a network can be trained to tell.
        left_out: files that are not, with the reason.
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
    """The columns that a network can be trained to tell, and why others cannot be.

    Args:
        photographs: all of them.
        where: what they are of, for the message.

    Raises:
        UserError: no column can be told: there are fewer than two classes, or one has a single
            image; two classes whose names differ in capitals alone.
    """
    if not photographs:
        raise UserError(f"{where} has no image that can be used; are the paths right?")
    usable: list[str] = []
    faults: list[str] = []
    for task in TASKS:
        values = [str(one.known[task]) for one in photographs if task in one.known]
        if not values:
            continue
        _check_capitals(values, where)
        fault = _fault(task, Counter(values), where)
        faults += [fault] if fault else []
        usable += [] if fault else [task]
    if not usable:
        raise UserError(faults[0])
    return tuple(usable), tuple(faults)


def _fault(task: str, counts: Counter[str], where: str) -> str:
    """What is wrong with the classes of a task; nothing where nothing is."""
    if len(counts) < 2:
        return f"{where} has images of {counted(len(counts), task)}; it needs two at least"
    fewest = min(counts, key=lambda name: counts[name])
    if counts[fewest] > 1:
        return ""
    return (
        f"{task} {fewest!r} in {where} has a single image; "
        "give it two at least, one to train on and one to test, or remove it"
    )


def _check_capitals(names: Iterable[str], where: str) -> None:
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


def counted(count: int, task: str) -> str:
    """How many classes of a task: ``1 subject``, ``0 classes``."""
    plural = "classes" if task == "class" else f"{task}s"
    return f"{count} {task if count == 1 else plural}"


SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".pgm", ".ppm", ".tif", ".tiff")

_Place = tuple[int, int]


def check_folder(folder: Path) -> None:
    """Refuse what is no folder, or cannot be listed.

    Raises:
        UserError: it is missing, a file, or may not be read.
    """
    try:
        if not folder.is_dir():
            said = "is not a folder" if folder.exists() else "does not exist"
            raise UserError(f"folder {str(folder)!r} {said}; give a folder of photographs")
        os.listdir(folder)  # noqa: PTH208 - a Path would make a list of paths
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be read ({error.strerror}); change its permissions"
        ) from None


def images_below(folder: Path, left_out: list[LeftOut]) -> Iterator[str]:
    """The paths of images below a folder, relative to it, sorted; hidden ones are passed over.

    Args:
        folder: where to begin.
        left_out: takes folders and links that cannot be followed, and names that are not UTF-8.
    """
    yield from sorted(_walk(folder, "", (), left_out))


def _walk(
    folder: Path, below: str, above: tuple[_Place, ...], left_out: list[LeftOut]
) -> Iterator[str]:
    try:
        facts = (folder / below).stat()
        place = (facts.st_dev, facts.st_ino)
        if place in above:
            left_out.append(LeftOut(below, "is a link to a folder that it lies in"))
            return
        with os.scandir(folder / below) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        left_out.append(LeftOut(below, f"cannot be read ({error.strerror})"))
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if not is_text(entry.name):
            left_out.append(LeftOut(as_text(path), "has a name that is not UTF-8; rename it"))
            continue
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from _walk(folder, path, (*above, place), left_out)
        elif Path(entry.name).suffix.lower() in SUFFIXES:
            yield path


def is_text(name: str) -> bool:
    """Whether a name is what it seems to be: one that is not UTF-8 cannot be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(name: str) -> str:
    """A name that can be written down, with what is not UTF-8 in numbers."""
    return name.encode("utf-8", "backslashreplace").decode()


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself; as a file it is refused with that reason
        return False


def list_classes(folder: Path) -> Listing:
    """The images of a folder, sorted by class and path.

    Raises:
        UserError: a folder that is missing or empty, with fewer than two classes, with a class
            that has fewer than two images, or with classes that differ in capitals alone.
    """
    check_folder(folder)
    left_out: list[LeftOut] = []
    paths = [path.partition("/") for path in images_below(folder, left_out)]
    photographs = tuple(Photograph("".join(path), {"class": path[0]}) for path in paths if path[1])
    loose = [LeftOut(name, "lies in no sub-folder") for name, slash, _ in paths if not slash]
    where = f"folder {str(folder)!r}"
    classes = {photograph.known["class"] for photograph in photographs}
    if len(classes) < 2:
        raise UserError(
            f"{where} has images of {counted(len(classes), 'class')}; "
            f"it needs two sub-folders at least with images ({', '.join(SUFFIXES)})"
        )
    tasks, _ = usable_tasks(photographs, where)
    return Listing(folder, photographs, tasks, (*left_out, *loose))


COLUMNS = ("path", "subject", "emotion", "gaze", "angle", "sex", "group", "age", "class")
_ABOUT = ("sex", "group", "age")
"""Columns about a person, which no network is trained to tell."""
_NUMBERS = ("angle", "age")
_ALLOWED: Mapping[str, tuple[Value, ...]] = {
    "emotion": synthfaces.EMOTIONS,
    "gaze": synthfaces.GAZES,
    "angle": synthfaces.ANGLES,
}
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
