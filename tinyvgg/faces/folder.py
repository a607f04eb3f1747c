"""Lists of photographs, and folders of them with a sub-folder a class, as people have them."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from PIL import Image

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_one_of, some, synthfaces
from tinyvgg.faces.splits import PARTS, TEST, TRAIN, VALIDATION, too_small

TASKS = ("subject", "emotion", "class")  # the columns that a network can classify
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
_RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
UNREAD: Mapping[str, str] = {
    **dict.fromkeys(_RAW, "is a camera's raw file; export it as JPEG"),
    **dict.fromkeys((".dcm", ".dicom"), "is a DICOM file; export it as PNG"),
    **dict.fromkeys((".psd", ".xcf", ".svg", ".eps"), "is a drawing program's file; export it"),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".3gp"), "is a video"),
    ".pdf": "is a PDF; export its pictures as PNG",
}
"""Files that show something but are not read, by suffix, and what to do with them."""
TOOLS = ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "lost+found")
"""Folders that programs and network drives put beside photographs: thumbnails, waste."""

_FEW = 0.1
"""Share of the images that a task of several may cost, by classes that are too small for it."""

Value = str | int


class Photograph(NamedTuple):
    """An image: its path below the folder, and the values known of it, by column.

    Beside the columns that sources know, `split` is the part that it belongs to, and `together`
    the person or session whose images all belong to one part.
    """

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
    reading: str = ""
    """How the folder was read: its classes, parts and depth, and what lies beside the images."""


def listing(
    folder: Path,
    used: Sequence[Photograph],
    left_out: Sequence[LeftOut],
    missing: Sequence[str] = (),
    beyond: Sequence[Photograph] = (),
    where: str = "",
    reading: str = "",
) -> Listing:
    """Return photographs with the columns that can be classified; list the others as missing.

    Images of classes that are too small to be learned and tested are left out.

    Raises:
        UserError: no column can be used, since fewer than two classes have enough images; two
            classes whose names differ in capitals alone.
    """
    where = where or f"folder {str(folder)!r}"
    if not used:
        raise UserError(f"{where} has no image that can be used; are the paths right?")
    table = pd.DataFrame([{"path": one.path, **one.known} for one in used])
    present = [task for task in TASKS if task in table]
    tasks: list[str] = []
    faults: list[str] = []
    dropped: dict[str, str] = {}
    for task in present:
        classes, small = table[task].astype(str), too_small(table, task)
        _check_capitals(classes, where)
        kept, why = classes[~table["path"].isin(small)].nunique(), next(iter(small.values()), "")
        if kept < 2:
            has = "enough images" if classes.nunique() > 1 else "images"
            lost = f" ({len(small)} cannot be used: each {why})" if small else ""
            faults.append(f"{where} has {has} of {kept} {task}; it needs two at least{lost}")
        elif len(present) > 1 and len(small) > _FEW * len(table):
            faults.append(f"{task}: {len(small)} of {len(table)} images cannot be used: each {why}")
        else:
            tasks.append(task)
            dropped |= small
    if not tasks:
        raise UserError(faults[0])
    kept_ones = tuple(one for one in used if one.path not in dropped)
    every = (*left_out, *(LeftOut(path, reason) for path, reason in dropped.items()))
    lacking = (*missing, *faults)
    return Listing(folder, kept_ones, tuple(tasks), every, lacking, tuple(beyond), reading)


def _check_capitals(names: Iterable[str], where: str) -> None:
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise UserError(
                f"classes {other!r} and {name!r} in {where} differ in capitals alone, or in how "
                "letters are encoded; rename one, or put their images together"
            )


class Files(NamedTuple):
    """The files below a folder, as `walk` saw them."""

    images: list[str]  # paths
    left_out: list[LeftOut]  # files that show something but are not read
    folders: list[str]
    others: Counter[str]  # files beside the images, by kind

    def named(self, facts_of: Callable[[str], Mapping[str, Value]]) -> list[Photograph]:
        """Return the images with the values that a function reads from their paths.

        Its error is the reason to leave an image out.
        """
        named: list[Photograph] = []
        for path in self.images:
            try:
                named.append(Photograph(path, facts_of(path)))
            except (UserError, synthfaces.FaceError) as error:
                self.left_out.append(LeftOut(path, str(error)))
        return named

    @property
    def beside(self) -> str:
        """A sentence that counts by kind what lies beside the images."""
        if not self.others:
            return ""
        counts = [f"{kind} ({count:,})" for kind, count in self.others.most_common()]
        return f"What lies beside them is not read: {some(counts)}."


def walk(folder: Path, below: Sequence[str] = ("",)) -> Files:
    """Look at every file below a folder, or some of its sub-folders; images are sorted.

    What cannot be followed or written down is left out.
    """
    try:
        os.listdir(folder)  # noqa: PTH208 - a Path would make a list of paths
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = "does not exist" if missing else f"cannot be read ({error.strerror})"
        raise UserError(f"folder {str(folder)!r} {said}; give a folder of photographs") from None
    seen = Files([], [], [], Counter())

    def leave_out(path: str, reason: str) -> None:
        seen.left_out.append(LeftOut(as_text(os.path.relpath(path, folder)), reason))

    def unreadable(error: OSError) -> None:
        leave_out(error.filename, f"cannot be read ({error.strerror})")

    for place in below:
        for here, folders, names in os.walk(folder / place, onerror=unreadable, followlinks=True):
            inside, above = folders[:], [p.resolve() for p in (Path(here), *Path(here).parents)]
            folders.clear()
            for name in (*inside, *names):
                path = f"{here}/{name}"
                if name != as_text(name):
                    leave_out(path, "has a name that is not UTF-8; rename it")
                elif name in TOOLS:
                    seen.others["folders of other programs"] += 1
                elif name.startswith("."):
                    seen.others["hidden files"] += 1
                elif name not in inside:
                    kind = kind_of_file(Path(path))
                    if not kind:
                        seen.images.append(Path(path).relative_to(folder).as_posix())
                    elif kind in UNREAD.values():
                        leave_out(path, kind)
                    else:
                        seen.others[kind] += 1
                elif Path(path).resolve() in above:
                    leave_out(path, "is a link to a folder that it lies in")
                else:
                    folders.append(name)
                    seen.folders.append(Path(path).relative_to(folder).as_posix())
    seen.images.sort()
    return seen


def kind_of_file(path: Path) -> str:
    """Return the kind of a file that is no image, or why it is not read; nothing of an image."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return ""
    if suffix:
        return UNREAD.get(suffix, f"{suffix} files")
    return "" if _is_image(path) else "files without a suffix"


def _is_image(path: Path) -> bool:
    try:
        if path.is_file():  # a pipe has no end
            with Image.open(path):
                return True
    except Exception:
        pass
    return False


def as_text(name: str) -> str:
    """Return a name that can be written down, with numbers for bytes that are not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class _Layout:
    """Where in a path its class and its part stand, as places of folders; what is above both."""

    above: tuple[str, ...]
    of_class: int
    of_part: int | None = None

    def known(self, path: str, group: str) -> dict[str, Value]:
        """Return class, part and group of an image; raise `UserError` where it has no class."""
        folders = path.split("/")[:-1]
        deepest = max(self.of_class, self.of_part or 0)
        if len(folders) <= deepest or tuple(folders[: len(self.above)]) != self.above:
            what = "no sub-folder" if self.of_part is None else "no sub-folder of a class and part"
            raise UserError(f"lies in {what}")
        known: dict[str, Value] = {"class": folders[self.of_class]}
        if self.of_part is not None:
            known["split"] = PARTS[folders[self.of_part].casefold()]
        inside = "/".join(folders[deepest + 1 :])
        together = inside if group == "folder" else _person(Path(path).name, group)
        return {**known, "together": together} if together else known


def _person(name: str, group: str) -> str:
    """Return what the name of a file says about the person it shows, if anything."""
    if group == "name":
        return re.split(r"[\W_]", name)[0]
    try:
        return "" if group else str(synthfaces.read_rafd_name(name)["subject"])
    except synthfaces.FaceError:
        return ""


def _layout(folder: Path, paths: Sequence[str]) -> _Layout:
    """Recognise classes, and parts above or below them, perhaps within folders that hold all.

    Raises:
        UserError: folders can be read as parts of a split and as classes.
    """
    every, depth = [path.split("/")[:-1] for path in paths], 0
    while len({names[depth] for names in every if len(names) > depth}) == 1 and any(
        len(names) > depth + 1 for names in every
    ):
        depth += 1
    above = tuple(next((names[:depth] for names in every if len(names) > depth), ()))
    inside = [names[depth:] for names in every if tuple(names[:depth]) == above]
    first, second = ({names[n] for names in inside if len(names) > n} for n in (0, 1))
    if _are_parts(second) and not _are_parts(first):
        return _Layout(above, depth, depth + 1)
    if not _are_parts(name for name in first if name.casefold() in PARTS):
        return _Layout(above, depth)
    classes: dict[str, set[str]] = defaultdict(set)
    for names in inside:
        if len(names) > 1:
            classes[PARTS.get(names[0].casefold(), "")].add(names[1])
    others = classes.keys() - {TRAIN}
    odd = sorted(name for name in first if name.casefold() not in PARTS)
    if odd:
        wrong = f"{some(odd)} beside them would have to go"
    elif not all(classes[TRAIN] & classes[part] for part in others) or not others:
        wrong = "each would need a sub-folder for each class, of the same name in all"
    else:
        return _Layout(above, depth + 1, depth)
    parts = some(sorted(first - set(odd)))
    raise UserError(
        f"folder {str(folder)!r} can be read in two ways: {parts} as parts of a split ({wrong}), or"
        " as classes (rename these, such as to 'train-station')"
    )


def _are_parts(names: Iterable[str]) -> bool:
    """Return True if names are those of a training part and another one, and no others."""
    parts = {PARTS.get(name.casefold()) for name in names}
    return None not in parts and TRAIN in parts and len(parts) > 1


def list_classes(folder: Path, group: str = "") -> Listing:
    """List the images of a folder with a sub-folder a class, sorted by class and path.

    Parts of a split, such as ``train`` and ``val``, may stand above the classes or below them.
    With the group ``folder`` images stay together that lie in folders of the same name below their
    classes, and with ``name`` those whose names begin with the same letters and digits. Without
    one, the persons of RaFD's names are kept apart; ``none`` keeps nothing together.
    """
    if group:
        check_one_of("group of a folder", group, ("folder", "name", "none"))
    seen = walk(folder)
    layout = _layout(folder, seen.images)
    photographs = with_parts(seen.named(lambda path: layout.known(path, group)))
    classes = Counter(str(one.known["class"]) for one in photographs)
    if len(classes) < 2:
        raise UserError(
            f"folder {str(folder)!r} has images of {len(classes)} class{'' if classes else 'es'}; "
            f"it needs two sub-folders at least with images ({', '.join(SUFFIXES)})"
        )
    level = len(layout.above) + 1 + (layout.of_part is not None)
    for place in seen.folders:
        inside = f"{place}/"
        named = (*seen.images, *(one.path for one in seen.left_out))
        if place.count("/") < level and not any(f"{one}/".startswith(inside) for one in named):
            seen.left_out.append(LeftOut(place, "is a folder without images"))
    within = f" in {'/'.join(layout.above)!r}" if layout.above else ""
    deepest = max(path.count("/") for path in seen.images)
    deep = f", up to {deepest} folders deep" if deepest > level else ""
    reading = f"The folder is read{within} as {in_words(photographs)}{deep}."
    return listing(folder, photographs, seen.left_out, reading=f"{reading} {seen.beside}".strip())


def with_parts(photographs: Sequence[Photograph]) -> list[Photograph]:
    """Return photographs whose validation part is the test part where they have no other."""
    parts = {one.known.get("split") for one in photographs}
    if VALIDATION not in parts or TEST in parts:
        return list(photographs)
    return [
        one._replace(known={**one.known, "split": TEST})
        if one.known["split"] == VALIDATION
        else one
        for one in photographs
    ]


def in_words(photographs: Sequence[Photograph]) -> str:
    """Return words on images: their classes, their parts, and what stays together."""
    said = f"{len(photographs):,} images"
    for task in TASKS:
        names = sorted({str(one.known[task]) for one in photographs if task in one.known})
        many = f"{task}es" if task == "class" else f"{task}s"
        said += f" of {len(names):,} {many}: {some(names)}," if names else ""
    counts = Counter(str(one.known["split"]) for one in photographs if "split" in one.known)
    if counts:
        each = [f"{part} ({counts[part]:,})" for part in (TRAIN, VALIDATION, TEST) if counts[part]]
        said += f" in a split of its own: {', '.join(each)},"
    if groups := {one.known["together"] for one in photographs if "together" in one.known}:
        said += f" of {len(groups):,} persons or sessions, each in one part,"
    return said.rstrip(",")
