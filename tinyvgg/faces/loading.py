"""The square that each camera of a set is cropped to: worked out from landmarks, or given."""

import csv
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from numpy import ndarray

from tinyvgg import files as paths
from tinyvgg import memory
from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import (
    AroundFace,
    ByCamera,
    Cropping,
    Middle,
    around_eyes,
    clear_face,
    cropping_of,
    fitting,
)
from tinyvgg.faces.detection import load_detector
from tinyvgg.faces.folder import LeftOut, Listing, Photograph, Value
from tinyvgg.faces.images import (
    VERSION,
    Crop,
    Facts,
    ImageFile,
    ImageFiles,
    Kept,
    Known,
    Place,
    Stamp,
    Unusable,
    content_of,
    cut,
    upright,
)
from tinyvgg.faces.images import decoding_Pixels as Pixels
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.looking import Look, Looker, Originals, as_table
from tinyvgg.faces.photographs_of import list_photographs
from tinyvgg.faces.rafd import facts_of
from tinyvgg.faces.sources import (
    AROUND_FACES,
    AUTO,
    BY_CAMERA,
    LARGEST,
    Source,
    check_one_of,
    parse_source,
    synthfaces,
)
from tinyvgg.faces.splits import cells

SAMPLE = 40
"""Photographs of each camera that are looked at."""
FEWEST = 3
"""Of each camera, faces that have to be found for a square of its own."""
_COLUMNS = ("angle", "left", "top", "side")

Found = Mapping[int, Sequence[Facts]]


def derive(photographs: Sequence[Photograph], looker: Looker) -> ByCamera:
    """The squares of all cameras, from faces with a neutral expression where there are such.

    A square is around the eyes, by `tinyvgg.faces.cropping.around_eyes`, and level; its middle
    and its side are medians over the people. A camera that sees too few faces, as one of full
    profiles may, gets the height and the side that the others have, in the middle.

    Args:
        photographs: of all cameras.
        looker: looks at a sample of them.

    Raises:
        UserError: no camera sees faces.
    """
    sample = {angle: _sample(photographs, angle) for angle in synthfaces.ANGLES}
    everything = [photograph for chosen in sample.values() for photograph in chosen]
    facts = iter(looker.look(everything, faces=True, title="looking for faces"))
    found = {
        angle: [facts_of for facts_of in (next(facts) for _ in chosen) if not facts_of.fault]
        for angle, chosen in sample.items()
    }
    frame = _frame(found)
    crops = {angle: _crops(seen, frame) for angle, seen in found.items()}
    boxes = {
        angle: _median(seen)
        for angle, seen in crops.items()
        if len(seen) >= min(FEWEST, len(sample[angle]) or FEWEST)
    }
    if not boxes:
        raise UserError(
            "no camera of these photographs sees faces; give the squares: ::boxes=FILE.csv with "
            f"the columns {', '.join(_COLUMNS)}; or go without: ::crop=centre"
        )
    height, side = (
        float(np.median([getattr(box, of) for box in boxes.values()])) for of in ("y", "side")
    )
    usual = Crop(frame[1] / 2, height, side)
    looked = sum(map(len, crops.values()))
    why = f"(It was worked out from {looked} faces that were found in {len(everything)} images.)"
    return ByCamera({angle: boxes.get(angle, usual) for angle in synthfaces.ANGLES}, frame, why)


def read_boxes(file: Path, photographs: Sequence[Photograph], looker: Looker) -> ByCamera:
    """The squares that a table gives: a row a camera, in pixels of the photographs.

    Raises:
        UserError: a table that cannot be read, has other columns than angle, left, top and side,
            lacks an angle of the photographs, or has what is no number.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"boxes {str(file)!r} cannot be read ({error}); give a CSV file") from None
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise UserError(
            f"boxes {str(file)!r} has the columns {', '.join(reader.fieldnames or ['none'])}; "
            f"it needs {', '.join(_COLUMNS)}"
        )
    boxes: dict[int, Crop] = {}
    for angle, box in (_box(row, file) for row in rows):
        if angle in boxes:
            raise UserError(f"boxes {str(file)!r} has two for angle {angle}; remove one")
        boxes[angle] = box
    for angle in sorted({int(one.known["angle"]) for one in photographs}):
        if angle not in boxes:
            raise UserError(f"boxes {str(file)!r} has none for angle {angle}; add a row")
    shapes = [facts for facts in looker.look(list(photographs[:SAMPLE])) if not facts.fault]
    frame = _frame({0: shapes})
    for angle, box in boxes.items():
        _check_inside(angle, box, frame, file)
    return ByCamera(boxes, frame, "(It was given.)")


def _check_inside(angle: int, box: Crop, frame: tuple[int, int], file: Path) -> None:
    height, width = frame
    if not (0 <= box.x <= width and 0 <= box.y <= height and box.side <= 2 * max(frame)):
        raise UserError(
            f"the box of angle {angle} in {str(file)!r} leaves the photographs of {width} x "
            f"{height} pixels; its middle has to lie in them, and its side be at most twice theirs"
        )


def _box(row: Mapping[str, str], file: Path) -> tuple[int, Crop]:
    try:
        angle, left, top, side = (float(row[name]) for name in _COLUMNS)
    except (TypeError, ValueError):
        raise UserError(f"boxes {str(file)!r} has {dict(row)}, not four numbers") from None
    check_one_of("angle of boxes", int(angle) if angle.is_integer() else angle, synthfaces.ANGLES)
    if not (side >= 1 and np.isfinite([left, top, side]).all()):
        raise UserError(f"boxes {str(file)!r} has a side of {side:g}; give 1 or more pixels")
    return int(angle), Crop(left + side / 2, top + side / 2, side)


def _sample(photographs: Sequence[Photograph], angle: int) -> list[Photograph]:
    """Of a camera: neutral and looking ahead where possible, spread over all."""
    of_camera = [one for one in photographs if one.known["angle"] == angle]
    plain = [
        one
        for one in of_camera
        if (one.known.get("emotion"), one.known.get("gaze")) == ("neutral", "frontal")
    ]
    chosen = plain if len(plain) >= FEWEST else of_camera
    return [chosen[place] for place in spread(len(chosen), SAMPLE)]


def spread(count: int, most: int) -> list[int]:
    """Places in a list, evenly spread, all of them where they are few."""
    if count <= most:
        return list(range(count))
    return [place * count // most for place in range(most)]


def _frame(found: Found) -> tuple[int, int]:
    """Height and width of most photographs."""
    shapes = [(facts.height, facts.width) for seen in found.values() for facts in seen]
    if not shapes:
        raise UserError(
            "none of the photographs that were looked at can be decoded; are they whole?"
        )
    return max(sorted(set(shapes)), key=shapes.count)


def _crops(seen: Sequence[Facts], frame: tuple[int, int]) -> list[Crop]:
    faces = [clear_face(facts.faces) for facts in seen if (facts.height, facts.width) == frame]
    return [around_eyes(face) for face in faces if face is not None]


def _median(crops: Sequence[Crop]) -> Crop:
    x, y, side = np.median([(crop.x, crop.y, crop.side) for crop in crops], axis=0)
    return Crop(float(x), float(y), float(side))


SHARE = 0.5
"""Of the memory that is available, what a set may take; a larger one is streamed."""
PHOTOGRAPHS_SAMPLE = 24
"""Images that are looked at to find out whether a set is cropped already."""


def load(source: Source, size: int, progress: bool = True, stream: bool | None = None) -> Faces:
    """All photographs of a source at one size.

    Each is read, decoded and cropped once; what became of it is kept, and an interrupted call goes
    on where it was. A photograph that cannot be used is left out and listed with the reason.

    Args:
        source: where they are, and how they are cropped.
        size: side of the square images, in pixels.
        progress: whether to show progress bars.
        stream: whether they stay on disk and are decoded when they are asked for; None leaves
            there what would take more than half of the memory that is available.

    Raises:
        UserError: a source that cannot be listed; too few of its photographs can be used.
    """
    listing = list_photographs(source)
    cache = cache_of(listing.folder)
    looker = Looker(listing.folder, Known(cache / "known.sqlite", VERSION), progress)
    cropping = choose(source, listing, looker)
    kept = Kept(_pixels(cache, source, size), len(listing.photographs), size)
    taker = _Taker(listing, cropping, kept if kept.fits else None, size)
    if not (_is_large(len(listing.photographs), size) if stream is None else stream):
        taker.array = np.empty((len(listing.photographs), size, size, 3), np.uint8)
    facts = looker.look(
        listing.photographs, cropping.looks_for_faces, taker, f"reading {source.path.name}"
    )
    rows, left_out = _usable(listing, facts)
    files = tuple(taker.file(row, facts[row]) for row in rows)
    table = _table(source, [listing.photographs[row] for row in rows])
    images = ImageFiles(files, size, taker.kept) if taker.array is None else taker.chosen(rows)
    originals = Originals(listing, cropping, as_table((*listing.left_out, *left_out)), looker)
    return Faces(str(source), FaceIndex(table), images, _fingerprint(table, files), originals)


def choose(source: Source, listing: Listing, looker: Looker) -> Cropping:
    """How the photographs of a source are cropped, by its options and by what they show."""
    crop, unclear = source.option("crop"), source.option("unclear")
    if crop == BY_CAMERA:
        boxes = source.option("boxes")
        photographs = (*listing.photographs, *listing.beyond)
        if boxes:
            return read_boxes(Path(boxes).expanduser(), photographs, looker)
        return derive(photographs, looker)
    if crop == AROUND_FACES:
        return AroundFace(unclear)
    if crop != AUTO:
        return Middle()
    sample = [
        listing.photographs[row] for row in spread(len(listing.photographs), PHOTOGRAPHS_SAMPLE)
    ]
    return fitting(looker.look(sample, faces=True, title="looking for faces"), unclear)


def cache_of(folder: Path) -> Path:
    """Where it is kept what is known of the photographs of a folder."""
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return paths.faces_cache() / f"photographs-{digest}"


@dataclass
class _Taker:
    """Takes photographs while they are looked at: crops them, and keeps their pixels.

    Attributes:
        listing: of the photographs.
        cropping: how they are cropped.
        kept: where their pixels are kept; None for nowhere.
        size: side of the square images, in pixels.
        array: takes the pixels, too; None where they stay on disk.
    """

    listing: Listing
    cropping: Cropping
    kept: Kept | None
    size: int
    array: UInt8[np.ndarray, "n s s 3"] | None = None
    crops: dict[int, Crop] = field(default_factory=dict)

    def __call__(self, row: int, look: Look) -> None:
        crop = self.crops[row] = self.cropping.crop(self._known(row), look.facts)
        place = _place(row, look.facts, crop)
        pixels = self.kept.get(place) if self.kept else None
        worth_keeping = look.facts.stamp.bytes > self.size**2 * 3
        if pixels is None and (worth_keeping or self.array is not None):
            pixels = look.cut(crop, self.size)
            if self.kept and worth_keeping:
                self.kept.put(place, pixels)
        if self.array is not None:
            self.array[row] = pixels

    def _known(self, row: int) -> Mapping[str, Value]:
        return self.listing.photographs[row].known

    def file(self, row: int, facts: Facts) -> ImageFile:
        """A photograph as it stays on disk."""
        path = self.listing.folder / self.listing.photographs[row].path
        crop = self.crops[row]
        return ImageFile(path, facts.sha256, crop, _place(row, facts, crop))

    def chosen(self, rows: Sequence[int]) -> UInt8[np.ndarray, "m s s 3"]:
        """The pixels of some of them, in their order; the others are overwritten."""
        assert self.array is not None
        for place, row in enumerate(rows):
            if place != row:
                self.array[place] = self.array[row]
        return self.array[: len(rows)]


def _place(row: int, facts: Facts, crop: Crop) -> Place:
    return Place(row, zlib.crc32(f"{VERSION} {facts.sha256} {crop}".encode()))


def _pixels(cache: Path, source: Source, size: int) -> Path:
    """The file of pixels; sets that are cropped in other ways do not get into each other's way."""
    digest = hashlib.sha256(source.absolute.encode()).hexdigest()[:8]
    return cache / f"{size}px-{digest}.pixels"


def _is_large(images: int, size: int) -> bool:
    return images * size * size * 3 > SHARE * memory.available()


def _usable(listing: Listing, facts: Sequence[Facts]) -> tuple[list[int], list[LeftOut]]:
    """Rows that can be used, and the others with the reason."""
    left_out: list[LeftOut] = []
    rows: list[int] = []
    first: dict[str, str] = {}
    for row, (photograph, known) in enumerate(zip(listing.photographs, facts, strict=True)):
        original = first.setdefault(known.sha256, photograph.path)
        if known.fault:
            left_out.append(LeftOut(photograph.path, known.fault))
        elif original != photograph.path:
            left_out.append(LeftOut(photograph.path, f"is the same file as {original}"))
        else:
            rows.append(row)
    rows, alone = _with_company(listing, rows)
    if not rows:
        raise UserError(_too_few(listing, left_out))
    return rows, [*left_out, *alone]


def _with_company(listing: Listing, rows: list[int]) -> tuple[list[int], list[LeftOut]]:
    """Without images that are the only one left of their class and angle: none could be tested."""
    left_out: list[LeftOut] = []
    while True:
        table = pd.DataFrame([listing.photographs[row].known for row in rows])
        alone = np.zeros(len(rows), dtype=bool)
        for task in listing.tasks if len(rows) else ():
            by_cell = table.groupby(cells(FaceIndex(table), task))
            alone |= (by_cell[task].transform("size") < 2).to_numpy()
        if not alone.any():
            return rows, left_out
        left_out += [_lonely(listing.photographs[row]) for row in compress(rows, alone)]
        rows = list(compress(rows, ~alone))


def _lonely(photograph: Photograph) -> LeftOut:
    return LeftOut(photograph.path, "is the only usable one of its class, at its angle")


def _too_few(listing: Listing, left_out: Iterable[LeftOut]) -> str:
    reasons = pd.Series([reason for _, reason in left_out], dtype=object).value_counts()
    most = f"most of them: {reasons.index[0]}" if len(reasons) else "each is alone in its class"
    return (
        f"none of the {len(listing.photographs)} images in {str(listing.folder)!r} can be used "
        f"({most}); if these are no portraits, take their middle: ::crop=centre"
    )


def _table(source: Source, photographs: Sequence[Photograph]) -> pd.DataFrame:
    rows = [{"path": one.path, **one.known} for one in photographs]
    table = pd.DataFrame(rows).assign(source=source.kind)
    return table.astype({"age": "Int64"}) if "age" in table else table


def _fingerprint(table: pd.DataFrame, files: Iterable[ImageFile]) -> str:
    """A hash of all that decides the pixels; their place is not part of it."""
    digest = hashlib.sha256(f"decoding {VERSION}\n{table.to_csv(index=False)}".encode())
    for file in files:
        digest.update(f"{file.sha256} {file.crop}\n".encode())
    return digest.hexdigest()[:16]


def read_face(path: Path, size: int, cropping: Mapping[str, Any] | None) -> UInt8[ndarray, "s s 3"]:
    """A photograph as a network takes it.

    Args:
        path: of the file.
        size: side of the result, in pixels.
        cropping: how the photographs of a network were cropped, as its manifest has it for
            `tinyvgg.faces.cropping.cropping_of`; None where they were not. An image that is not
            cropped yet is then cropped around its face. Where each camera has a square of its own,
            a file that is named like the data base's gets that of its camera, and another is
            cropped around its face.

    Raises:
        UserError: it cannot be read or decoded, or has no face where one is looked for.
    """
    try:
        pixels = upright(content_of(path))
        facts = Facts(Stamp(), height=pixels.shape[1], width=pixels.shape[2])
        how = None if cropping is None else cropping_of(cropping)
        return cut(pixels, _crop(path, pixels, facts, how), size)
    except Unusable as error:
        raise UserError(f"image {str(path)!r} {error}; give another") from None


def _crop(path: Path, pixels: Pixels, facts: Facts, how: Cropping | None) -> Crop:
    if isinstance(how, ByCamera):
        try:
            return how.crop(facts_of(path.name), facts)
        except UserError:
            how = AroundFace(LARGEST)
    if how is None or how.looks_for_faces:
        faces = tuple(load_detector()(pixels.permute(1, 2, 0).contiguous().numpy()))
        facts = Facts(facts.stamp, height=facts.height, width=facts.width, faces=faces)
    return (how or fitting([facts], LARGEST)).crop({}, facts)


def load_faces(
    source: str,
    size: int,
    subjects: int | None = None,
    seed: int = 0,
    progress: bool = True,
    stream: bool | None = None,
) -> Faces:
    """Load a source of faces at one size; synthetic ones are rendered once and kept.

    Args:
        source: ``synthetic``, ``synthetic:KNOB=VALUE,...`` with other knobs of its
            `synthfaces.Difficulty`; ``rafd:PATH``, the folder of the Radboud Faces
            Database; ``london:PATH``, that of the Face Research Lab London Set; ``folder:PATH``,
            one sub-folder a class or a CSV file with a row an image. Options of photographs
            follow behind ``::`` (`tinyvgg.faces.sources.OPTIONS`).
        size: side of the square images, in pixels.
        subjects: how many of the 67 synthetic subjects; None for all. Photographs are taken whole.
        seed: of the synthetic set. It is not an experiment's seed: the data set stays the same
            when the split and the initial weights change.
        progress: whether to show progress bars.
        stream: whether photographs of a folder stay on disk and are decoded when they are asked
            for; None leaves there what would take more than half of the memory that is available.
            It changes no pixel, and so no result.
    """
    asked = parse_source(source)
    if not asked.is_synthetic:
        # the detector's requirements are those of folders

        return load(asked, size, progress, stream)
    return _load_synthetic(source, size, subjects, seed, progress)


def _load_synthetic(
    source: str, size: int, subjects: int | None, seed: int, progress: bool
) -> Faces:

    table = synthfaces.design() if subjects is None else synthfaces.design(subjects)
    knobs, cache = synthfaces.difficulty_of(source), paths.faces_cache()
    images = synthfaces.render(table, size, cache, seed, progress=progress, difficulty=knobs)
    made_by = synthfaces.fingerprint(size, seed, knobs)
    return Faces(knobs.source, FaceIndex(table), images, made_by)
