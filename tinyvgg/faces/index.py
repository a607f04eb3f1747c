"""Images with an index, as every source of faces yields them, and their loading."""

import hashlib
import shutil
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from jaxtyping import Float, Int, Integer, Shaped, UInt8
from torch import Tensor
from tqdm.auto import tqdm

from tinyvgg import files
from tinyvgg.errors import UserError
from tinyvgg.faces import images as photographs
from tinyvgg.faces import sources, twins
from tinyvgg.faces.cropping import Cropping, choose, with_bits
from tinyvgg.faces.folder import ALLOWED, TASKS, LeftOut, Listing, Photograph
from tinyvgg.faces.images import Crop, Facts, Looker, Pixels, Square, Unusable
from tinyvgg.faces.sources import synthfaces
from tinyvgg.faces.splits import TEST, TRAIN, VALIDATION, too_small

LARGEST = 400
"""Largest height of a whole photograph that is shown, pixels: none is shown at its full size."""

SUM = 4
"""Bytes of the checksum behind a cut photograph."""
COPY, CONFLICT, NEAR = "copy", "conflict", "near-twin"
"""Kinds of twins that are left out: the same picture of one class and of several; the same shot in
a later part of a split."""

Rows = Integer[np.ndarray, "m"] | Sequence[int]


@dataclass(frozen=True)
class FaceIndex:
    """The table of a set of images, with the columns that its source knows.

    Raises:
        UserError: an unknown emotion, gaze or angle.
    """

    table: pd.DataFrame
    trainable: tuple[str, ...] = TASKS  # the columns that a listing did not find unfit

    def __post_init__(self) -> None:
        for column, allowed in ALLOWED.items():
            fine = self.table[column].isin(allowed) if self.has(column) else np.ones(1, bool)
            if not fine.all():
                strange, known = self.table[~fine].to_dict("records")[0], map(str, allowed)
                raise UserError(
                    f"{column} {strange[column]!r} in {strange.get('path')!r} is not one of "
                    f"{', '.join(known)}; correct it, or use the column 'class'"
                )

    def __len__(self) -> int:
        return len(self.table)

    def has(self, *columns: str) -> bool:
        """Return True if the source knows all of these columns."""
        return all(column in self.table for column in columns)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The columns that a network can be trained to classify."""
        return tuple(task for task in self.trainable if task in self.table)

    def classes(self, task: str) -> tuple[str, ...]:
        """Return the names of the classes of a task, in the order of their labels."""
        return tuple(str(value) for value in sorted(self._column(task).unique()))

    def labels(self, task: str) -> Int[np.ndarray, "n"]:
        """Return the label of each image: the place of its class in `classes`."""
        codes = self._column(task).astype("category").cat.codes
        return codes.to_numpy(dtype=np.int64)

    def _column(self, task: str) -> "pd.Series[str]":
        sources.check_one_of("task", task, self.tasks)
        return self.table[task]


class Seen(NamedTuple):
    """A whole photograph, scaled down, and the part of it that is used."""

    image: UInt8[np.ndarray, "h w 3"]
    crop: Crop  # in pixels of the image
    portrait: Square


@dataclass(frozen=True)
class Originals:
    """The photographs of a source, all of them."""

    listing: Listing
    cropping: Cropping
    left_out: pd.DataFrame  # columns path, reason, and kind of twins
    looker: Looker
    twins: Mapping[str, int]  # number of the cluster of each photograph that has near-twins

    def chance_of_a_twin(self, paths: Iterable[str]) -> Float[np.ndarray, "m"]:
        """Return how probable a near-twin in training was for test images, were none kept apart.

        By a given split it is there or not; else each image would be in either part by even odds.
        """
        known, parts = dict(self.listing.photographs), defaultdict[int, list[object]](list)
        for path, cluster in self.twins.items():
            parts[cluster].append(known[path].get("split"))
        found = []
        for path in paths:
            beside = parts.get(self.twins.get(path, -1), [None])
            given = any(part is not None for part in beside)
            found.append(float(TRAIN in beside) if given else 1 - 0.5 ** (len(beside) - 1))
        return np.array(found)

    @property
    def plain(self) -> dict[str, Any]:
        """The cropping, the photographs left out and those missing, as plain data."""
        return {
            "cropping": self.cropping.plain,
            "left_out": self.left_out.to_dict("records"),
            "missing": list(self.listing.missing),
        }

    def shots(self) -> pd.DataFrame:
        """Return a row for each photograph, those that no network learns from included."""
        every = (*self.listing.photographs, *self.listing.beyond)
        return pd.DataFrame([{"path": one.path, **one.known} for one in every])

    def portraits(self, paths: Sequence[str], size: int) -> UInt8[np.ndarray, "n s s 3"]:
        """Return photographs cropped as networks see them, at another size; white if unusable."""
        portraits = np.full((len(paths), size, size, 3), 255, np.uint8)
        for place, crop, pixels in self._usable(paths):
            portraits[place] = photographs.cut(pixels, crop, size)
        return portraits

    def seen(self, paths: Sequence[str], height: int, size: int) -> dict[str, Seen]:
        """Return what is seen of photographs, by path, without those that cannot be used.

        The height of the whole ones is given in pixels, and never larger than `LARGEST`; the part
        that is used has another size.
        """
        found = {}
        for place, crop, pixels in self._usable(paths):
            zoom = min(height, LARGEST) / pixels.shape[1]
            shape = [max(1, round(side * zoom)) for side in pixels.shape[1:]]
            part = Crop(zoom * crop.x, zoom * crop.y, zoom * crop.side, crop.turn)
            portrait = photographs.cut(pixels, crop, size)
            found[paths[place]] = Seen(photographs.resized(pixels, *shape), part, portrait)
        return found

    def _usable(self, paths: Sequence[str]) -> Iterable[tuple[int, Crop, Pixels]]:
        """Return place, crop and pixels of the photographs that can be used."""
        known = dict((*self.listing.photographs, *self.listing.beyond))
        facts = self.looker.look(paths, self.cropping.how == sources.AROUND_FACES)
        for place, (path, seen) in enumerate(zip(paths, facts, strict=True)):
            crop = _crop(self.cropping, known[path], seen)
            with suppress(Unusable):
                if isinstance(crop, Crop):
                    file, bits = self.listing.folder / path, self.cropping.bits
                    yield place, crop, photographs.pixels_of(file, bits=bits)


@dataclass(frozen=True)
class Faces:
    """Images with their index."""

    source: str
    index: FaceIndex
    images: Shaped[np.ndarray, "n h w 3"]
    """8-bit RGB; photographs are mapped from a file, and may be larger than the memory."""
    fingerprint: str  # a hash of what made the pixels; the same images have the same one
    originals: Originals | None = None
    """The photographs behind the images; None for synthetic ones."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def left_out(self) -> pd.DataFrame:
        """Photographs that are not used: `Originals.left_out`; none of synthetic faces."""
        return _as_table([], {}) if self.originals is None else self.originals.left_out

    @property
    def kind(self) -> str:
        """The first part of the source: ``synthetic``, ``rafd``, ``london``, ``folder``."""
        return self.source.partition(":")[0]

    @property
    def called(self) -> str:
        """The name in figures: ``synthetic faces``, and a folder's by its name, not its place."""
        kind, _, name = sources.named(self.source).partition(":")
        if kind in sources.OPTIONS:
            return f"folder {name or 'faces'}"
        return f"{kind} faces, {name}" if name else f"{kind} faces"

    def pixels(self, rows: Rows | None = None) -> UInt8[Tensor, "m h w 3"]:
        """Return 8-bit pixels of images."""
        chosen = self.images if rows is None else self.images[np.asarray(rows, dtype=np.int64)]
        return torch.from_numpy(np.ascontiguousarray(chosen))

    def tensor(self, rows: Rows | None = None) -> Float[Tensor, "m 3 h w"]:
        """Return images as the paper's network sees them: RGB divided by 256 (published code)."""
        return self.pixels(rows).permute(0, 3, 1, 2).float() / sources.PIXEL_SCALE


def load_faces(source: str, size: int, subjects: int | None = None, progress: bool = True) -> Faces:
    """Load a source of faces at one size; rendered or decoded images are kept.

    Args:
        source: ``synthetic``, ``synthetic:KNOB=VALUE,...`` with other knobs of its
            `synthfaces.Difficulty`; ``rafd:PATH``, the folder of the Radboud Faces Database;
            ``london:PATH``, that of the Face Research Lab London Set; ``folder:PATH``, one
            sub-folder a class or a CSV file with a row an image. Options of photographs follow
            behind ``::`` (`tinyvgg.faces.sources.OPTIONS`).
        size: side of the square images, in pixels.
        subjects: number of synthetic subjects; None for all 67.
        progress: whether to show progress bars.

    Raises:
        UserError: a source that cannot be listed, or with too few photographs that can be used.
    """
    asked = sources.parse_source(source)
    if not asked.is_synthetic:
        return _load_photographs(asked, size, progress)
    table = synthfaces.design() if subjects is None else synthfaces.design(subjects)
    knobs, cache = synthfaces.difficulty_of(source), files.faces_cache()
    rendered = synthfaces.render(table, size, cache, progress=progress, difficulty=knobs)
    made_by = synthfaces.fingerprint(size, 0, knobs)
    return Faces(knobs.source, FaceIndex(table), rendered, made_by)


class _Part(NamedTuple):
    """A part of a photograph as it was when it was looked at."""

    path: Path
    sha256: str
    crop: Crop
    bits: int = 0  # of values of 16 bits

    @property
    def name(self) -> str:
        """A name that says what decides its pixels."""
        return hashlib.sha256(f"{self.sha256} {self.crop} {self.bits}".encode()).hexdigest()


def _load_photographs(source: sources.Source, size: int, progress: bool) -> Faces:
    """Load photographs; one that cannot be used is left out and listed with the reason."""
    listing = sources.list_photographs(source)
    place = hashlib.sha256(str(listing.folder.resolve()).encode()).hexdigest()[:16]
    cache = files.faces_cache() / f"photographs-{place}"
    looker = Looker(listing.folder, cache / f"known-{photographs.VERSION}.json", progress)
    FaceIndex(_table(source, listing.photographs))  # refuses strange values before the work
    cropping = choose(source, listing, looker)
    known = dict(listing.photographs)
    own = cache / hashlib.sha256(sources.absolute(str(source)).encode()).hexdigest()[:8]
    squares = _Squares(own / f"{size}-{photographs.VERSION}", size, progress)

    def cut(path: str, seen: Facts, pixels: Pixels) -> None:
        crop = _crop(cropping, known[path], seen)
        if isinstance(crop, Crop) and seen.bits == 8:
            squares.add(_Part(listing.folder / path, seen.sha256, crop), pixels)

    faces = cropping.how == sources.AROUND_FACES
    facts = looker.look([*known], faces, f"reading {source.path.name}", cut)
    cropping = with_bits(cropping, facts)
    clusters = np.arange(len(known))
    if source.kind != sources.RAFD:  # its shots differ in gaze alone, and its split is the paper's
        clusters = _clusters(listing, facts, cropping, cache / "twins.json", progress)
    several = np.bincount(clusters)[clusters] > 1
    numbers = zip(known, clusters.tolist(), several, strict=True)
    cluster_of = {path: number for path, number, near in numbers if near}
    parts, left_out, kinds = _parts(listing, facts, cropping, clusters)
    table = _table(source, [one for one in listing.photographs if one.path in parts])
    if cluster_of:
        table["twins"] = table["path"].map(cluster_of).astype("Int64")
    decoding = f"decoding {photographs.VERSION}, {cropping.bits} bits"
    digest = hashlib.sha256(f"{decoding}\n{table.to_csv(index=False)}".encode())
    for part in parts.values():
        digest.update(f"{part.sha256} {part.crop}\n".encode())
    fingerprint = digest.hexdigest()[:16]
    pixels = _pixels([*parts.values()], own / f"{fingerprint}-{size}.npy", squares)
    lost = _as_table([*listing.left_out, *left_out], kinds)
    originals = Originals(listing, cropping, lost, looker, cluster_of)
    return Faces(str(source), FaceIndex(table, listing.tasks), pixels, fingerprint, originals)


def _crop(cropping: Cropping, known: Mapping[str, Any], facts: Facts) -> Crop | str:
    """Return the part of a photograph that is used, or the reason why none is."""
    try:
        return facts.fault or cropping.crop(known, facts)
    except Unusable as error:
        return str(error)


def _parts(
    listing: Listing, facts: Sequence[Facts], cropping: Cropping, clusters: Int[np.ndarray, "n"]
) -> tuple[dict[str, _Part], list[LeftOut], dict[str, str]]:
    """Return the parts that are used by path, the other photographs, and the kinds of twins."""
    left_out: list[LeftOut] = []
    kinds: dict[str, str] = {}
    parts: dict[str, _Part] = {}
    first = twins.exact(facts, _decoder(listing, cropping))
    copies, near = (defaultdict[int, list[Photograph]](list) for _ in range(2))
    for one, copy in zip(listing.photographs, first, strict=True):
        copies[copy].append(one)
    rows = []
    for one, seen, copy, cluster in zip(listing.photographs, facts, first, clusters, strict=True):
        same, crop = copies[copy], _crop(cropping, one.known, seen)
        odd = [o.path for o in same if any(o.known[t] != one.known[t] for t in listing.tasks)]
        rows.append((one, seen, crop, odd, same, near[cluster]))
        if isinstance(crop, Crop) and not odd:
            near[cluster].append(one)
    for one, seen, crop, odd, same, alike in rows:
        kind = why = ""
        if isinstance(crop, str):
            why = crop
        elif odd:
            kind, why = CONFLICT, f"is the same picture as {odd[0]}, of another class"
        elif (kept := max(same, key=_held)) is not one:
            kind, why = COPY, f"is the same picture as {kept.path}"
        elif _held(shown := max(alike, key=_held)) > _held(one):
            part = shown.known["split"]
            kind, why = NEAR, f"is nearly the same picture as {shown.path}, of the {part} part"
        else:
            path, bits = listing.folder / one.path, cropping.bits * (seen.bits > 8)
            parts[one.path] = _Part(path, seen.sha256, crop, bits)
            continue
        left_out.append(LeftOut(one.path, why))
        kinds[one.path] = kind
    table = pd.DataFrame([{"path": path, **known} for path, known in listing.photographs])
    table["twins"] = clusters
    tasks = listing.tasks * bool(parts)
    used = table["path"].isin(parts)
    while small := dict(one for task in tasks for one in too_small(table[used], task).items()):
        left_out += map(LeftOut, *zip(*small.items(), strict=True))
        parts = {path: part for path, part in parts.items() if path not in small}
        used &= ~table["path"].isin(small)
    if not parts:
        ((usual, _),) = Counter(reason for _, reason in left_out).most_common(1)
        raise UserError(
            f"none of the {len(facts)} images in {str(listing.folder)!r} can be used (most of "
            f"them: {usual}); if these are no portraits, take their middle: ::crop=centre"
        )
    return parts, left_out, kinds


def _held(one: Photograph) -> int:
    """Return how far a given split holds an image out of the training."""
    return (TRAIN, VALIDATION, TEST).index(str(one.known.get("split", TRAIN)))


def _decoder(listing: Listing, cropping: Cropping) -> twins.Decode:
    paths = [listing.folder / one.path for one in listing.photographs]
    return lambda place: photographs.pixels_of(paths[place], bits=cropping.bits)


def _clusters(
    listing: Listing, facts: Sequence[Facts], cropping: Cropping, file: Path, progress: bool
) -> Int[np.ndarray, "n"]:
    """Return the number of the cluster of near-twins of each photograph, from its file if there."""
    digest = hashlib.sha256("".join(seen.sha256 for seen in facts).encode()).hexdigest()
    of, kept = f"{twins.VERSION} {photographs.VERSION} {cropping.bits} {digest}", files.sealed(file)
    if kept.get("of") != of:
        found = twins.near(facts, _decoder(listing, cropping), progress)
        kept = {"of": of, "clusters": found.tolist()}
        files.write_sealed(file, kept)
    return np.array(kept["clusters"], np.int64)


def _table(source: sources.Source, listed: Sequence[Photograph]) -> pd.DataFrame:
    table = pd.DataFrame([{"path": one.path, **one.known} for one in listed])
    table = table.assign(source=source.kind)
    return table.astype({"age": "Int64"}) if "age" in table else table


def _as_table(left_out: Sequence[LeftOut], kinds: Mapping[str, str]) -> pd.DataFrame:
    rows = [(path, reason, kinds.get(path, "")) for path, reason in sorted(left_out)]
    return pd.DataFrame(rows, columns=["path", "reason", "kind"], dtype=object)


def _pixels(
    parts: Sequence[_Part], file: Path, squares: "_Squares"
) -> UInt8[np.ndarray, "n s s 3"]:
    """Map images from their file, which one process makes while others wait."""
    shape, about = (len(parts), squares.size, squares.size, 3), file.with_suffix(".json")

    def join(to: Path) -> None:
        whole = np.lib.format.open_memmap(to, "w+", np.uint8, shape)
        for place, part in enumerate(parts):
            whole[place] = squares[part]

    with FileLock(squares.folder.with_suffix(".lock")):
        if files.sealed(about) != {"crc32": _sum(file)}:
            squares.cut(parts)
            files.write_whole(file, join)
            files.write_sealed(about, {"crc32": _sum(file)})
            for old in {*file.parent.glob(f"*-{squares.size}.npy")} - {file}:
                with suppress(OSError):  # a process that has mapped it keeps it
                    old.unlink()
                    old.with_suffix(".json").unlink(missing_ok=True)
        shutil.rmtree(squares.folder, ignore_errors=True)
    mapped: UInt8[np.ndarray, "n s s 3"] = np.load(file, mmap_mode="c")
    return mapped


def _sum(file: Path) -> int | None:
    """Return the checksum of a file; None where there is nothing in it."""
    there = file.is_file() and file.stat().st_size
    return zlib.crc32(np.memmap(file, np.uint8, "r").data) if there else None


@dataclass(frozen=True)
class _Squares:
    """Parts of photographs at one size, cut while these are looked at.

    Each is kept in a file of its own until all are joined: an interruption loses none.
    """

    folder: Path
    size: int
    progress: bool

    def __getitem__(self, part: _Part) -> Square:
        pixels = np.fromfile(self.folder / part.name, np.uint8)[:-SUM]
        return pixels.reshape(self.size, self.size, 3)

    def add(self, part: _Part, pixels: Pixels) -> None:
        """Cut a part out of a photograph's pixels, and keep it."""
        square = photographs.cut(pixels, part.crop, self.size).tobytes()
        kept = square + zlib.crc32(square).to_bytes(SUM)
        with suppress(FileNotFoundError):  # another process has made all, and removed this folder
            files.write_whole(self.folder / part.name, lambda to: to.write_bytes(kept))

    def cut(self, parts: Sequence[_Part]) -> None:
        """Cut parts that are missing out of their files; refuse those that have changed."""
        missing = [part for part in parts if not self._keeps(part)]
        quiet = not (self.progress and missing)
        with photographs.one_thread_each() as pool:
            for _ in tqdm(pool.map(self._cut, missing), "cutting", len(missing), disable=quiet):
                pass

    def _keeps(self, part: _Part) -> bool:
        file = self.folder / part.name
        kept = file.read_bytes() if file.is_file() else b""
        whole = len(kept) == 3 * self.size**2 + SUM
        return whole and zlib.crc32(kept[:-SUM]).to_bytes(SUM) == kept[-SUM:]

    def _cut(self, part: _Part) -> None:
        try:
            pixels = photographs.pixels_of(part.path, part.sha256, part.bits)
        except Unusable as error:
            raise UserError(f"image {str(part.path)!r} {error}; start again") from None
        self.add(part, pixels)
