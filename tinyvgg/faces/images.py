"""Square parts of photographs: where they lie, and their pixels at the size that a network sees."""

import hashlib
import io
import json
import shutil
import sqlite3
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from math import cos, radians, sin
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Shaped, UInt8
from numpy.typing import DTypeLike
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.faces.detection import Face
from tinyvgg.faces.sources import synthfaces

Pixels = UInt8[Tensor, "3 h w"]


@dataclass(frozen=True)
class Crop:
    """A square part of an upright image, in its pixels; it may leave the image.

    Attributes:
        x, y: its centre, from the left and from the top.
        side: of the square.
        turn: degrees by which its upper edge is turned clockwise.
    """

    x: synthfaces.Real
    y: synthfaces.Real
    side: synthfaces.Real
    turn: synthfaces.Real = 0.0


def centred(height: int, width: int) -> Crop:
    """The largest square in the middle of an image."""
    side = min(height, width)
    return Crop((width - side) // 2 + side / 2, (height - side) // 2 + side / 2, side)


def cut(pixels: Pixels, crop: Crop, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The pixels of a crop, resized with antialiasing.

    Where the crop leaves the image, the pixels at its edge go on.

    Args:
        pixels: of the upright image.
        crop: the part of it.
        size: side of the result, in pixels.
    """
    if not crop.turn:
        return _resized(_square(pixels, crop.x, crop.y, crop.side), size)
    wider = abs(cos(radians(crop.turn))) + abs(sin(radians(crop.turn)))
    around = _square(pixels, crop.x, crop.y, wider * crop.side)
    large = round(size * around.shape[1] / crop.side)
    middle = (large - 1) / 2
    turned = np.asarray(cv2.getRotationMatrix2D((middle, middle), crop.turn, 1.0), np.float64)
    turned[:, 2] += (size - 1) / 2 - middle
    return np.asarray(
        cv2.warpAffine(
            _resized(around, large),
            turned,
            (size, size),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.uint8,
    )


def _square(
    pixels: Pixels, x: synthfaces.Real, y: synthfaces.Real, side: synthfaces.Real
) -> UInt8[Tensor, "3 s s"]:
    """A square around a point, in whole pixels."""
    height, width = pixels.shape[1:]
    length = max(1, round(side))
    top, left = round(y - length / 2), round(x - length / 2)
    if top < 0 or left < 0 or top + length > height or left + length > width:
        rows = torch.arange(top, top + length).clamp(0, height - 1)
        columns = torch.arange(left, left + length).clamp(0, width - 1)
        return pixels[:, rows][:, :, columns]
    return pixels[:, top : top + length, left : left + length]


def _resized(square: UInt8[Tensor, "3 s s"], size: int) -> UInt8[np.ndarray, "t t 3"]:
    resized = F.interpolate(square[None], (size, size), mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


VERSION = 2
"""Raised whenever a change of the decoding changes a pixel."""

MOST_PIXELS = 89_000_000
"""Of an image that is decoded; a larger one would take gigabytes of memory."""

MOST_BYTES = 2**30
"""Of a file that is read; what is larger is no photograph that could be decoded."""

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "PPM", "TIFF", "GIF", "AVIF", "JPEG2000")
"""Those that are decoded, whatever a file is called; not those that other programs would draw."""
_PICTURES_OF_CAMERAS = "MPO"
"""A format of JPEG files with a preview behind the photograph, which is no animation."""

_LONGEST = 120

Content = UInt8[np.ndarray, "_"]
decoding_Pixels = UInt8[Tensor, "3 h w"]


class Unusable(Exception):  # noqa: N818 - it is a finding, and no failure of the program
    """An image that cannot be used; says why, as a predicate."""


class UnusableNow(Unusable):
    """One that could be used another time, of which nothing is to be kept."""


def read_image(path: Path, size: int, crop: Crop | None = None) -> UInt8[np.ndarray, "s s 3"]:
    """Decode one image: upright (EXIF), RGB, a square part of it, resized with antialiasing.

    Args:
        path: of the file.
        size: side of the result, in pixels.
        crop: the part; the largest centred square for None.

    Raises:
        UserError: a file that cannot be read or decoded.
    """
    return decode(read_file(path), path, size, crop)


def read_file(path: Path) -> Content:
    """The bytes of a file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return content_of(path)
    except Unusable as error:
        raise _complaint(path, error) from None


def decode(
    content: Content, path: Path, size: int, crop: Crop | None = None
) -> UInt8[np.ndarray, "s s 3"]:
    """The bytes of an image file as `read_image` gives them.

    Args:
        content: the bytes.
        path: of the file, for the message.
        size: side of the result, in pixels.
        crop: the part; the largest centred square for None.

    Raises:
        UserError: bytes that cannot be decoded.
    """
    try:
        pixels = upright(content)
    except Unusable as error:
        raise _complaint(path, error) from None
    return cut(pixels, crop or centred(*pixels.shape[1:]), size)


def content_of(path: Path) -> Content:
    """The bytes of a file.

    Raises:
        Unusable: it cannot be read, is too large, or is no file but something that may never end.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise UnusableNow("is no file that could be read")
        if facts.st_size > MOST_BYTES:
            raise UnusableNow(f"cannot be read (it has more than {MOST_BYTES >> 20} MiB)")
        return np.fromfile(path, dtype=np.uint8)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or _short(error)
        raise UnusableNow(f"cannot be read ({reason})") from None
    except MemoryError:
        raise _no_memory() from None


def upright(content: Content) -> decoding_Pixels:
    """The bytes of an image file as upright RGB, with white where it is transparent.

    Raises:
        Unusable: bytes that are no whole image, an animation, or more pixels than `MOST_PIXELS`.
    """
    if not len(content):
        raise Unusable("cannot be read (the file is empty)")
    try:
        with Image.open(io.BytesIO(content.tobytes())) as opened:
            _check(opened)
            pixels = None if _needs_pillow(opened) else _by_torchvision(content)
            return _by_pillow(opened) if pixels is None else pixels
    except UnidentifiedImageError:
        raise Unusable("cannot be read (it is no image)") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except Unusable:
        raise
    except MemoryError:
        raise _no_memory() from None
    except Exception as error:  # what decoders raise on damaged files has no common class
        raise Unusable(f"cannot be read ({_short(error)})") from None


def _no_memory() -> Unusable:
    return UnusableNow("cannot be read (there is not enough memory)")


def _short(error: Exception) -> str:
    """What a decoder complains of, in one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."


def _check(image: Image.Image) -> None:
    """Refuse, by its header, what is not decoded."""
    if image.format not in _FORMATS:
        raise Unusable(f"is a file of the format {image.format}; save it as JPEG or PNG")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != _PICTURES_OF_CAMERAS:
        raise Unusable(f"has {frames} pictures; save the one that is meant by itself")
    if image.mode == "F":
        raise Unusable("has fractions as gray values; save it with 8 or 16 bits")
    if image.width * image.height > MOST_PIXELS:
        raise _too_large()


def _too_large() -> Unusable:
    most = MOST_PIXELS // 1_000_000
    return Unusable(f"cannot be read (it has more than {most} million pixels)")


def _needs_pillow(image: Image.Image) -> bool:
    """Whether torchvision would pass over how the image is turned, or where it is transparent."""
    turned_webp = image.format == "WEBP" and "exif" in image.info
    return turned_webp or "A" in image.getbands() or "transparency" in image.info


def _by_torchvision(content: Content) -> decoding_Pixels | None:
    """Upright RGB; None for what torchvision does not decode, or not wholly."""
    from torchvision.io import ImageReadMode, decode_image  # seconds, which few sources need

    try:
        pixels: Tensor = decode_image(
            torch.from_numpy(content), ImageReadMode.RGB, apply_exif_orientation=True
        )
    except RuntimeError:
        return None
    return pixels if pixels.dtype == torch.uint8 else _high_bytes(pixels)


def _high_bytes(pixels: Tensor) -> decoding_Pixels:
    """Of colours of 16 bits those of 8."""
    return torch.from_numpy((pixels.numpy() >> 8).astype(np.uint8))


def _by_pillow(image: Image.Image) -> decoding_Pixels:
    """Upright RGB."""
    turned = _eight_bits(ImageOps.exif_transpose(image))
    if "A" in turned.getbands() or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return torch.from_numpy(np.array(turned.convert("RGB"))).permute(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grays of 16 bits in 8, which `convert` would cut off at 255; others as they are."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _complaint(path: Path, error: Unusable) -> UserError:
    return UserError(f"image {str(path)!r} {error}; repair or remove it")


_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, bytes INTEGER, changed INTEGER, moved INTEGER, decoding INTEGER,
    sha256 TEXT, height INTEGER, width INTEGER, fault TEXT, detector TEXT, faces TEXT
);
"""
_COLUMNS = "path, bytes, changed, moved, sha256, height, width, fault, detector, faces"
_WAIT_SECONDS = 60.0
_DAMAGED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Codes of a file that is no data base, a broken one, or one with other tables."""
_BESIDE = ("", "-journal", "-wal", "-shm")

Result = TypeVar("Result")


class Stamp(NamedTuple):
    """How a file is recognised.

    Attributes:
        bytes: its size.
        changed: when its content was, in nanoseconds; programs that copy files often set it.
        moved: when its name, its rights or its content were; no program sets it.
    """

    bytes: int = 0
    changed: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Facts:
    """What a look at a file told.

    Attributes:
        stamp: of the file that was looked at.
        sha256: of its content; nothing where it cannot be read.
        height, width: of the upright image, in pixels.
        fault: why it cannot be used, as a predicate; nothing where it can.
        detector: that looked for faces (`tinyvgg.faces.detection.fingerprint`); nothing if none.
        faces: that it found, the largest first.
    """

    stamp: Stamp
    sha256: str = ""
    height: int = 0
    width: int = 0
    fault: str = ""
    detector: str = ""
    faces: tuple[Face, ...] = field(default=())


@dataclass(frozen=True)
class Known:
    """The data base of a folder.

    Attributes:
        path: of its file.
        decoding: version of the decoding; what another found is not known.
    """

    path: Path
    decoding: int

    def read(self) -> dict[str, Facts]:
        """All that is known, by path; nothing where it cannot be read."""

        def select(base: sqlite3.Connection) -> dict[str, Facts]:
            asked = f"SELECT {_COLUMNS} FROM files WHERE decoding = ?"
            return {row[0]: _facts(row) for row in base.execute(asked, [self.decoding])}

        return self._with_base(select) or {}

    def write(self, found: Mapping[str, Facts]) -> None:
        """Keep what was found, all of it or nothing."""
        rows = [_row(path, facts, self.decoding) for path, facts in found.items()]
        asked = f"INSERT OR REPLACE INTO files ({_COLUMNS}, decoding) VALUES ({_marks(11)})"
        self._with_base(lambda base: base.executemany(asked, rows))

    def _with_base(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """What work gives; None where the disk refuses. A damaged data base is begun anew."""
        for _ in range(2):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as base, base:
                    base.execute(_TABLE)
                    return work(base)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    return None
            except OSError:
                return None
            except (ValueError, TypeError, IndexError):  # rows with what nobody wrote
                pass
            self._remove()
        return None

    def _remove(self) -> None:
        for end in _BESIDE:
            with suppress(OSError):
                self.path.with_name(self.path.name + end).unlink()


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _row(path: str, facts: Facts, decoding: int) -> tuple[str | int, ...]:
    faces = [[*face.box.tolist(), *face.eyes.ravel().tolist(), face.score] for face in facts.faces]
    about = (facts.sha256, facts.height, facts.width, facts.fault, facts.detector)
    return (path, *facts.stamp, *about, json.dumps(faces), decoding)


def _facts(row: Sequence[object]) -> Facts:
    _, size, changed, moved, sha256, height, width, fault, detector, faces = row
    found = tuple(_face(numbers) for numbers in json.loads(str(faces)))
    stamp = Stamp(int(str(size)), int(str(changed)), int(str(moved)))
    shape = int(str(height)), int(str(width))
    return Facts(stamp, str(sha256), *shape, str(fault), str(detector), found)


def _face(numbers: Sequence[float]) -> Face:
    return Face(np.array(numbers[:4]), np.array(numbers[4:8]).reshape(2, 2), float(numbers[8]))


CHECK = 4
"""Bytes of the checksum before the pixels of an image."""
SHARE = 0.5
"""Of the space that is left on a disk, what the file may take."""


@dataclass(frozen=True)
class Place:
    """Where the pixels of an image belong.

    Attributes:
        slot: number of the record.
        seal: stands for what the pixels were made of; only who knows it finds them.
    """

    slot: int
    seal: int


@dataclass(frozen=True)
class Kept:
    """A file of images of one size, any of which may be missing; processes share it without locks.

    Whatever is not whole is missing: a checksum tells. All who write an image write the same bytes.

    Attributes:
        path: of the file.
        images: how many there can be.
        size: side of each, in pixels.
    """

    path: Path
    images: int
    size: int

    @property
    def record(self) -> int:
        """Bytes of an image with its checksum."""
        return CHECK + self.size * self.size * 3

    @property
    def fits(self) -> bool:
        """Whether there is room for the images that the file has not yet."""
        there = next(parent for parent in self.path.parents if parent.exists())
        taken = self.path.stat().st_size if self.path.exists() else 0
        return self.images * self.record - taken <= SHARE * shutil.disk_usage(there).free

    def get(self, place: Place) -> UInt8[np.ndarray, "s s 3"] | None:
        """An image; None where it is missing or damaged, or another was kept there."""
        try:
            with self.path.open("rb") as file:
                file.seek(place.slot * self.record)
                record = np.frombuffer(file.read(self.record), np.uint8)
        except OSError:
            return None
        check, pixels = record[:CHECK], record[CHECK:]
        if len(record) < self.record or check.tobytes() != _checksum(pixels, place):
            return None
        return pixels.reshape(self.size, self.size, 3)

    def put(self, place: Place, image: UInt8[np.ndarray, "s s 3"]) -> None:
        """Write an image; where the disk refuses it stays missing, which costs time alone."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            with self.path.open("r+b") as file:
                file.seek(place.slot * self.record)
                file.write(_checksum(image, place) + image.tobytes())


def _checksum(pixels: UInt8[np.ndarray, "..."], place: Place) -> bytes:
    return zlib.crc32(pixels.tobytes(), place.seal).to_bytes(CHECK, "little")


Key = int | np.integer | slice | Sequence[int] | Shaped[np.ndarray, "_"]


@dataclass(frozen=True)
class ImageFile:
    """A photograph on disk.

    Attributes:
        path: of the file.
        sha256: of its content, when it was looked at.
        crop: the part of it that is shown.
        place: where its pixels are kept.
    """

    path: Path
    sha256: str
    crop: Crop
    place: Place


@dataclass(frozen=True)
class ImageFiles:
    """Images that are decoded whenever they are asked for; otherwise like an array of them.

    Attributes:
        files: the photographs.
        size: side of the square images, in pixels.
        kept: where those are kept whose files are larger than what is made of them.
    """

    files: tuple[ImageFile, ...]
    size: int
    kept: Kept | None = None

    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As that of an array."""
        return (len(self.files), self.size, self.size, 3)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> UInt8[np.ndarray, "*m s s 3"]:
        rows = np.asarray(np.arange(len(self))[key])
        images = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        for place, row in np.ndenumerate(rows):
            images[place] = self._image(int(row))
        return images

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "s s 3"]]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All images, decoded; never a view, so that ``copy=False`` is refused.

        Raises:
            ValueError: as numpy says of what cannot be had without a copy.
        """
        if copy is False:
            raise ValueError("images on disk cannot be an array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def _image(self, row: int) -> UInt8[np.ndarray, "s s 3"]:
        file = self.files[row]
        kept = self.kept.get(file.place) if self.kept else None
        if kept is not None:
            return kept
        content = read_file(file.path)
        if hashlib.sha256(content.data).hexdigest() != file.sha256:
            raise UserError(
                f"image {str(file.path)!r} has changed since its folder was read; start again"
            )
        image = decode(content, file.path, self.size, file.crop)
        if self.kept and content.nbytes > image.nbytes:
            self.kept.put(file.place, image)
        return image
