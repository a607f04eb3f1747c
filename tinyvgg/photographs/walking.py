"""The images below a folder, with its links followed and none of them twice."""

import os
from collections.abc import Iterator
from pathlib import Path

from tinyvgg.errors import UserError
from tinyvgg.photographs.listing import LeftOut

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
