"""A folder with one sub-folder of photographs for each class."""

from pathlib import Path

from tinyvgg.errors import UserError
from tinyvgg.photographs.listing import LeftOut, Listing, Photograph, counted, usable_tasks
from tinyvgg.photographs.walking import SUFFIXES, check_folder, images_below


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
