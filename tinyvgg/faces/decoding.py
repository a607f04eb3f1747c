"""One photograph on disk as pixels: the same ones whether its set is streamed or in memory."""

import io
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from tinyvgg.errors import UserError

VERSION = 1
"""Raised whenever a change of the decoding changes a pixel."""

Content = UInt8[np.ndarray, "_"]


def read_image(path: Path, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Decode one image: upright (EXIF), RGB, the largest centred square, resized with antialiasing.

    Raises:
        UserError: a file that cannot be read or decoded.
    """
    return decode(read_file(path), path, size)


def read_file(path: Path) -> Content:
    """The bytes of a file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise _unreadable(path, error) from None


def decode(content: Content, path: Path, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The bytes of an image file as `read_image` gives them.

    Args:
        content: the bytes.
        path: of the file, for the message.
        size: side of the result, in pixels.

    Raises:
        UserError: bytes that cannot be decoded.
    """
    try:
        pixels = _by_torchvision(content)
        return _square(_by_pillow(content) if pixels is None else pixels, size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from None


def _by_torchvision(content: Content) -> UInt8[Tensor, "3 h w"] | None:
    """Upright RGB; None for what torchvision does not decode, or not wholly."""
    from torchvision.io import ImageReadMode, decode_image  # seconds, which few sources need

    if not len(content) or _is_webp_with_exif(content):
        return None
    try:
        pixels: Tensor = decode_image(
            torch.from_numpy(content), ImageReadMode.RGB, apply_exif_orientation=True
        )
    except RuntimeError:
        return None
    if pixels.ndim != 3:  # an animation
        return None
    return pixels if pixels.dtype == torch.uint8 else _high_bytes(pixels)


def _is_webp_with_exif(content: Content) -> bool:
    """Whether the image may have to be turned in a way that torchvision passes over."""
    start = content[:16].tobytes()
    return start.startswith(b"RIFF") and start[8:12] == b"WEBP" and b"EXIF" in content.tobytes()


def _high_bytes(pixels: Tensor) -> UInt8[Tensor, "3 h w"]:
    """Of colours of 16 bits those of 8."""
    return torch.from_numpy((pixels.numpy() >> 8).astype(np.uint8))


def _by_pillow(content: Content) -> UInt8[Tensor, "3 h w"]:
    """Upright RGB."""
    with Image.open(io.BytesIO(content.tobytes())) as opened:
        upright = ImageOps.exif_transpose(opened)
        pixels = np.array(_eight_bits(upright).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grays of 16 bits in 8, which `convert` would cut off at 255; others as they are."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _square(pixels: UInt8[Tensor, "3 h w"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    side = min(pixels.shape[1:])
    top, left = ((length - side) // 2 for length in pixels.shape[1:])
    square = pixels[None, :, top : top + side, left : left + side]
    resized = F.interpolate(square, (size, size), mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"image {str(path)!r} cannot be read ({error}); repair or remove it")
