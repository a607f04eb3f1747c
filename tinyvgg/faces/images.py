"""Photographs as pixels: decoded, looked at once, and their square parts cut out."""

import base64
import hashlib
import io
import stat
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from math import cos, radians, sin
from pathlib import Path
from textwrap import shorten
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from tqdm.auto import tqdm

from tinyvgg import files
from tinyvgg.faces.detection import Face, fingerprint, new_detector
from tinyvgg.faces.sources import synthfaces

VERSION = 4
"""A number to be raised whenever a change here changes a pixel, or what is kept of a look."""

MOST_PIXELS = 89_000_000
"""The most pixels of an image that is decoded; more would take gigabytes of memory."""
MOST_BYTES = 2**30
"""The most bytes of a file that is read; a larger one is no photograph that could be decoded."""
_TOO_LARGE = f"cannot be read (it has more than {MOST_PIXELS // 1_000_000} million pixels)"

THUMBNAIL = 16
"""Side of thumbnails, pixels."""
BLOCK = 1000
"""The number of photographs after which findings are kept; an interruption loses no more."""

LEAST_SIDE = 8
"""The fewest pixels on a side of an image that is used."""
DARK = 1 / 16
"""A share of the range of values; images without any above it are hardly meant to be seen so."""

_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "PPM", "TIFF", "GIF", "AVIF", "JPEG2000", "HEIF",
)  # fmt: skip
"""Formats that are decoded, whatever a file is called: none that another program would draw."""
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

Real = float | int
Content = UInt8[np.ndarray, "_"]
Pixels = UInt8[Tensor, "3 h w"]
Values = UInt[Tensor, "3 h w"]  # of 8 or 16 bits
Square = UInt8[np.ndarray, "s s 3"]


@dataclass(frozen=True)
class Crop:
    """A square part of an upright image, in its pixels; it may leave the image."""

    x: Real
    y: Real  # place of its centre, from the left and from the top
    side: Real
    turn: Real = 0.0  # degrees by which its upper edge is turned clockwise


def centred(height: int, width: int) -> Crop:
    """Return the largest square in the middle of an image."""
    side = min(height, width)
    return Crop((width - side) // 2 + side / 2, (height - side) // 2 + side / 2, side)


def cut(pixels: Pixels, crop: Crop, size: int) -> Square:
    """Return the pixels of a crop, resized with antialiasing; beyond the image its edge goes on."""
    if not crop.turn:
        return resized(_square(pixels, crop.x, crop.y, crop.side), size, size)
    wider = abs(cos(radians(crop.turn))) + abs(sin(radians(crop.turn)))
    around = _square(pixels, crop.x, crop.y, wider * crop.side)
    large = round(size * around.shape[1] / crop.side)
    middle = (large - 1) / 2
    turned = np.asarray(cv2.getRotationMatrix2D((middle, middle), crop.turn, 1.0), np.float64)
    turned[:, 2] += (size - 1) / 2 - middle
    how, beyond, image = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE, resized(around, large, large)
    upright = cv2.warpAffine(image, turned, (size, size), flags=how, borderMode=beyond)
    return np.asarray(upright, dtype=np.uint8)


def _square(pixels: Pixels, x: Real, y: Real, side: Real) -> UInt8[Tensor, "3 s s"]:
    height, width = pixels.shape[1:]
    length = max(1, round(side))
    top, left = round(y - length / 2), round(x - length / 2)
    if top < 0 or left < 0 or top + length > height or left + length > width:
        rows = torch.arange(top, top + length).clamp(0, height - 1)
        columns = torch.arange(left, left + length).clamp(0, width - 1)
        return pixels[:, rows][:, :, columns]
    return pixels[:, top : top + length, left : left + length]


def resized(pixels: Pixels, height: int, width: int) -> UInt8[np.ndarray, "r c 3"]:
    """Return an image at another size, with antialiasing."""
    scaled = F.interpolate(pixels[None], (height, width), mode="bicubic", antialias=True)
    return scaled[0].permute(1, 2, 0).contiguous().numpy()


class Unusable(Exception):  # noqa: N818 - it is a finding, not a failure of the program
    """A finding: an image cannot be used, for a reason that is given as a predicate."""


def pixels_of(path: Path, sha256: str = "", bits: int = 0) -> Pixels:
    """Decode a file as upright RGB; `Unusable` where that fails or it has another SHA-256.

    For `bits` see `eight_bits`.
    """
    content = content_of(path)
    if sha256 and hashlib.sha256(content.data).hexdigest() != sha256:
        raise Unusable("has changed since its folder was read")
    return eight_bits(upright(content), bits)


def content_of(path: Path) -> Content:
    """Return the bytes of a file; refuse one that is too large, and a pipe, which has no end."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise Unusable("is no file that could be read")
        if facts.st_size > MOST_BYTES:
            raise Unusable(f"cannot be read (it has more than {MOST_BYTES >> 20} MiB)")
        return np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror or error})") from None


def upright(content: Content) -> Values:
    """Decode the bytes of an image file as upright RGB, with white where it is transparent.

    The values of files of 16 bits are returned as they are: see `eight_bits`.
    """
    if not len(content):
        raise Unusable("cannot be read (the file is empty)")
    try:
        with _open(content.tobytes()) as opened:
            _check(opened)
            # torchvision would pass over the turn of a WEBP, and over transparency
            turned_webp = opened.format == "WEBP" and "exif" in opened.info
            pixels = None if turned_webp or _is_clear(opened) else _by_torchvision(content)
            return _by_pillow(opened) if pixels is None else pixels
    except UnidentifiedImageError:
        raise Unusable("cannot be read (it is no image)") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unusable(_TOO_LARGE) from None
    except Unusable:
        raise
    except Exception as error:  # decoders' errors on damaged files have no common class
        said = str(error).strip() or type(error).__name__
        raise Unusable(f"cannot be read ({shorten(said, 120, placeholder='...')})") from None


def eight_bits(values: Values, bits: int = 0) -> Pixels:
    """Return values of 8 bits as they are, and those of 16 bits so that 2 ** bits would be 256.

    With 0 the image alone has to tell: by its greatest value, if it would be all but black.
    """
    if values.dtype == torch.uint8:
        return values
    deep = values.numpy()
    needed = bits_of(int(deep.max()))
    used = bits or (needed if 2**needed <= DARK * 2**16 else 16)
    return torch.from_numpy((deep >> (used - 8)).clip(max=255).astype(np.uint8))


def bits_of(value: int) -> int:
    """Return how many bits a value of a file of 16 bits needs, 8 at least."""
    return max(8, value.bit_length())


def _open(content: bytes) -> Image.Image:
    """Open an image, and one in HEIC if the package for it is installed."""
    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        if content[4:8] != b"ftyp" or content[8:12] not in _HEIC:
            raise
    try:
        import pillow_heif
    except ImportError:
        said = "is a file of the format HEIC; pip install pillow-heif, or save it as JPEG"
        raise Unusable(said) from None
    pillow_heif.register_heif_opener()
    return Image.open(io.BytesIO(content))


def _check(image: Image.Image) -> None:
    """Refuse by its header an image that is not decoded."""
    if image.format not in _FORMATS:
        raise Unusable(f"is a file of the format {image.format}; save it as JPEG or PNG")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG with a preview behind it
        raise Unusable(f"has {frames} pictures; save the one that is meant by itself")
    if image.mode == "F":
        raise Unusable("has fractions as gray values; save it with 8 or 16 bits")
    if min(image.size) < LEAST_SIDE:
        shape = f"{image.width} x {image.height}"
        raise Unusable(f"has {shape} pixels; it needs {LEAST_SIDE} on a side at least")
    if image.width * image.height > MOST_PIXELS:
        raise Unusable(_TOO_LARGE)


def _is_clear(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _by_torchvision(content: Content) -> Values | None:
    """Return upright RGB, or None for what torchvision does not decode, or not wholly."""
    from torchvision.io import ImageReadMode, decode_image  # seconds, which few sources need

    try:
        encoded = torch.from_numpy(content)
        pixels: Tensor = decode_image(encoded, ImageReadMode.RGB, apply_exif_orientation=True)
    except RuntimeError:
        return None
    return pixels


def _by_pillow(image: Image.Image) -> Values:
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):  # grays of 16 bits, which `convert` would cut off at 255
        deep = np.asarray(turned).astype(np.int64).clip(0, 2**16 - 1).astype(np.uint16)
        return torch.from_numpy(np.stack([deep] * 3))
    if _is_clear(turned):
        clear = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return torch.from_numpy(np.array(turned.convert("RGB"))).permute(2, 0, 1)


@dataclass(frozen=True)
class Facts:
    """The findings of a look at a photograph."""

    sha256: str = ""
    height: int = 0
    width: int = 0
    fault: str = ""  # the reason why it cannot be used, as a predicate; empty where it can
    detector: str = ""  # the fingerprint of the detector that looked for faces; empty if none did
    faces: tuple[Face, ...] = ()  # the largest first
    bits: int = 8  # of a value in the file, 8 or 16
    greatest: int = 0  # value of the file
    thumbnail: bytes = b""  # `thumbnail_of` the photograph


Each = Callable[[str, Facts, Pixels], None]
"""A function of a photograph's path, its facts and its pixels."""


def thumbnail_of(pixels: Pixels) -> bytes:
    """Return the gray levels of a whole image in a square of `THUMBNAIL` pixels, row by row."""
    step = max(1, min(pixels.shape[1:]) // (8 * THUMBNAIL))
    gray = pixels[:, ::step, ::step].sum(0, dtype=torch.float32) / 3
    return F.adaptive_avg_pool2d(gray[None], THUMBNAIL).round().byte().numpy().tobytes()


_own = threading.local()


def find_faces(pixels: Pixels) -> tuple[Face, ...]:
    """Find the faces of an image with the detector of this thread."""
    if not hasattr(_own, "detector"):
        _own.detector = new_detector()
    return tuple(_own.detector(pixels.permute(1, 2, 0).contiguous().numpy()))


@dataclass
class Looker:
    """A reader of one folder's photographs, which looks at each only once while it is unchanged."""

    folder: Path
    file: Path  # keeps what was found
    progress: bool = True
    _known: dict[str, tuple[list[int], Facts]] = field(default_factory=dict, repr=False)
    _new: bool = False

    def __post_init__(self) -> None:
        # there may be nothing yet, or it is damaged
        with suppress(KeyError, ValueError, TypeError, AttributeError):
            kept = files.sealed(self.file)["photographs"]
            self._known = {path: (stamp, _facts(*rest)) for path, (stamp, *rest) in kept.items()}

    def look(
        self, paths: Sequence[str], faces: bool = False, title: str = "", each: Each | None = None
    ) -> list[Facts]:
        """Return the facts of photographs, in their order, with their faces if asked for.

        Threads call `each` with those that have to be decoded and can be used.
        """
        detector = fingerprint() if faces else ""
        found: list[Facts] = []
        bar = tqdm(total=len(paths), desc=title, disable=not (self.progress and title))
        with one_thread_each() as pool, bar:
            look = partial(self._one, detector=detector, each=each)
            for start in range(0, len(paths), BLOCK):
                for facts in pool.map(look, paths[start : start + BLOCK]):
                    found.append(facts)
                    bar.update()
                if self._new:
                    self._keep()
        return found

    def _one(self, path: str, detector: str, each: Each | None) -> Facts:
        try:
            seen = (self.folder / path).stat()
            stamp = [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]
            before, facts = self._known.get(path, (None, Facts()))
            if before == stamp and (not detector or facts.detector == detector):
                return facts
            content = content_of(self.folder / path)
            values = upright(content)
            most = int(values.numpy().max())
            pixels = eight_bits(values, bits_of(most))
            sparse, first = pixels[:, ::16, ::16], pixels[:, :1, :1]  # nearly always enough
            if bool((sparse == first).all()) and bool((pixels == first).all()):
                raise Unusable("has the same colour everywhere")
        except OSError as error:
            return Facts(fault=f"cannot be read ({error.strerror})")
        except Unusable as error:
            return Facts(fault=str(error))
        shown = find_faces(pixels) if detector else ()
        (height, width), digest = pixels.shape[1:], hashlib.sha256(content.data).hexdigest()
        bits = 8 * values.element_size()
        about = digest, height, width, "", detector, shown, bits, most, thumbnail_of(pixels)
        facts = Facts(*about)
        if each is not None:
            each(path, facts, pixels)
        self._known[path], self._new = (stamp, facts), True
        return facts

    def _keep(self) -> None:
        plain = {path: [stamp, *_plain(facts)] for path, (stamp, facts) in self._known.items()}
        files.write_sealed(self.file, {"photographs": plain})
        self._new = False


def _plain(facts: Facts) -> list[Any]:
    faces = [[one.box.tolist(), one.eyes.tolist(), one.score, one.turn] for one in facts.faces]
    kept = [facts.sha256, facts.height, facts.width, facts.detector, faces, facts.bits]
    return [*kept, facts.greatest, base64.b64encode(facts.thumbnail).decode()]


def _facts(
    sha256: str, height: int, width: int, detector: str, faces: list[Any], *others: Any
) -> Facts:
    found = tuple(Face(np.array(box), np.array(eyes), *more) for box, eyes, *more in faces)
    bits, most, thumbnail = others
    seen = base64.b64decode(thumbnail, validate=True)
    return Facts(sha256, height, width, "", detector, found, bits, most, seen)


@contextmanager
def one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """Open as many threads as processors, each of which computes alone.

    Decoding, resizing and detection release the interpreter's lock.
    """
    cv2.setNumThreads(1)
    before = torch.get_num_threads()
    threads = ThreadPoolExecutor(synthfaces.cores(), initializer=partial(torch.set_num_threads, 1))
    try:
        with warnings.catch_warnings(), threads as pool:
            # faults of photographs are listed, not warned of
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield pool
    finally:
        torch.set_num_threads(before)
