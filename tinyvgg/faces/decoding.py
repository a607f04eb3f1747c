"""One photograph on disk as pixels: the same ones whether its set is streamed or in memory."""

import io
import stat
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.faces.crops import Crop, centred, cut

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
Pixels = UInt8[Tensor, "3 h w"]


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


def upright(content: Content) -> Pixels:
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


def _by_torchvision(content: Content) -> Pixels | None:
    """Upright RGB; None for what torchvision does not decode, or not wholly."""
    from torchvision.io import ImageReadMode, decode_image  # seconds, which few sources need

    try:
        pixels: Tensor = decode_image(
            torch.from_numpy(content), ImageReadMode.RGB, apply_exif_orientation=True
        )
    except RuntimeError:
        return None
    return pixels if pixels.dtype == torch.uint8 else _high_bytes(pixels)


def _high_bytes(pixels: Tensor) -> Pixels:
    """Of colours of 16 bits those of 8."""
    return torch.from_numpy((pixels.numpy() >> 8).astype(np.uint8))


def _by_pillow(image: Image.Image) -> Pixels:
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
