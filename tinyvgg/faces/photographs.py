"""Photographs of any source, loaded: looked at once, cropped, and kept at the size that is used."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from tinyvgg import memory, paths
from tinyvgg.errors import UserError
from tinyvgg.faces.cameras import derive, read_boxes, spread
from tinyvgg.faces.cropping import AroundFace, Cropping, Middle, fitting
from tinyvgg.faces.crops import Crop
from tinyvgg.faces.decoding import VERSION
from tinyvgg.faces.files import ImageFile, ImageFiles
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.kept import Kept, Place
from tinyvgg.faces.known import Facts, Known
from tinyvgg.faces.looking import Look, Looker
from tinyvgg.faces.originals import Originals, as_table
from tinyvgg.faces.splits import cells
from tinyvgg.photographs import LeftOut, Listing, Photograph, list_photographs
from tinyvgg.photographs.listing import Value
from tinyvgg.sources import AROUND_FACES, AUTO, BY_CAMERA, Source

SHARE = 0.5
"""Of the memory that is available, what a set may take; a larger one is streamed."""
SAMPLE = 24
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
    sample = [listing.photographs[row] for row in spread(len(listing.photographs), SAMPLE)]
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
