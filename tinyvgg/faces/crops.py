"""Square parts of photographs: where they lie, and their pixels at the size that a network sees."""

from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from tinyvgg.face_parameters import Real

Pixels = UInt8[Tensor, "3 h w"]


@dataclass(frozen=True)
class Crop:
    """A square part of an upright image, in its pixels; it may leave the image.

    Attributes:
        x, y: its centre, from the left and from the top.
        side: of the square.
        turn: degrees by which its upper edge is turned clockwise.
    """

    x: Real
    y: Real
    side: Real
    turn: Real = 0.0


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


def _square(pixels: Pixels, x: Real, y: Real, side: Real) -> UInt8[Tensor, "3 s s"]:
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
