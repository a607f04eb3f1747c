"""A folder of photographs on disk, one sub-folder for each class: which images it has."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tinyvgg.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".pgm", ".ppm", ".tif", ".tiff")


class Photograph(NamedTuple):
    """An image by its path below the folder, and its class."""

    path: str
    group: str


def list_photographs(folder: Path) -> list[Photograph]:
    """The images of a folder, sorted by class and path; none is opened.

    Raises:
        UserError: a folder that is missing or empty, with fewer than two classes, or with a class
            that has fewer than two images.
    """
    if not folder.is_dir():
        raise UserError(
            f"folder {str(folder)!r} does not exist; give a folder of class sub-folders"
        )
    found = [
        Photograph(image.relative_to(folder).as_posix(), group.name)
        for group in sorted(folder.iterdir())
        if group.is_dir() and not group.name.startswith(".")
        for image in sorted(group.rglob("*"))
        if image.suffix.lower() in SUFFIXES and not image.name.startswith(".")
    ]
    counts = Counter(image.group for image in found)
    if len(counts) < 2:
        raise UserError(
            f"folder {str(folder)!r} has images of {len(counts)} classes; "
            f"it needs two sub-folders at least with images ({', '.join(SUFFIXES)})"
        )
    fewest = min(counts, key=lambda group: counts[group])
    if counts[fewest] < 2:
        raise UserError(
            f"class {fewest!r} in {str(folder)!r} has a single image; "
            "give it two at least, one to train on and one to test, or remove its folder"
        )
    return found
