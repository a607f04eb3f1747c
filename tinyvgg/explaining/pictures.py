"""Pixels of the last maps as pictures: laid over the image, and map by map."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from tinyvgg.drawing import ink

ORANGE = np.array([230, 159, 0], dtype=np.float64)
PAPER = np.array([235, 235, 235], dtype=np.uint8)
MOST_MAPS = 32
"""Maps that are shown, those with the most pixels."""
COLUMNS = 8
TILE = 64
"""Side of a map in a picture, about."""
STRONGEST = 0.8
"""Share of orange where the most maps have a pixel."""


def over_image(
    image: UInt8[np.ndarray, "s s 3"], pixels: Bool[Tensor, "c h w"]
) -> UInt8[np.ndarray, "s s 3"]:
    """Where pixels of the last maps lie in the image: the more maps, the more orange.

    Each element of a map is drawn over the part of the image that lies at its place; what it
    responds to reaches further.
    """
    counts = pixels.sum(0).float()
    size = (image.shape[0], image.shape[1])
    grown = torch.nn.functional.interpolate(counts[None, None], size, mode="nearest-exact")[0, 0]
    share = STRONGEST * grown.numpy() / max(float(counts.max()), 1.0)
    mixed = image * (1 - share[..., None]) + ORANGE * share[..., None]
    shown: UInt8[np.ndarray, "s s 3"] = mixed.round().astype(np.uint8)
    return shown


def shown_maps(pixels: Bool[Tensor, "c h w"]) -> Int[np.ndarray, "m"]:
    """The maps with the most pixels, in that order; equals by their number; none without pixels."""
    counts = pixels.flatten(1).sum(1).numpy()
    order = np.argsort(-counts, kind="stable")[:MOST_MAPS]
    chosen: Int[np.ndarray, "m"] = order[counts[order] > 0]
    return chosen


def map_sheet(
    maps: Float[Tensor, "c h w"], pixels: Bool[Tensor, "c h w"]
) -> UInt8[np.ndarray, "a b 3"]:
    """The maps of `shown_maps`, strength as ink on one scale, with their pixels in orange."""
    chosen = shown_maps(pixels)
    if not len(chosen):
        return np.full((TILE, TILE, 3), 255, dtype=np.uint8)
    top = float(maps.abs().max())
    tiles = [_tile(maps[number].abs(), pixels[number], top) for number in chosen]
    height, width, _ = tiles[0].shape
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + 4), columns * (width + 4), 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        row, column = place // columns * (height + 4), place % columns * (width + 4)
        sheet[row : row + height, column : column + width] = tile
    return sheet


def _tile(
    values: Float[Tensor, "h w"], pixels: Bool[Tensor, "h w"], top: float
) -> UInt8[np.ndarray, "a b 3"]:
    gray = np.repeat(ink(values.numpy(), top)[..., None], 3, 2)
    gray = np.minimum(gray, PAPER)  # a map can be told from the page
    orange = 0.35 * gray + 0.65 * ORANGE
    tile = np.where(pixels.numpy()[..., None], orange, gray).round().astype(np.uint8)
    return enlarge(tile, TILE)


def enlarge(image: UInt8[np.ndarray, "h w *c"], side: int) -> UInt8[np.ndarray, "a b *c"]:
    """Every pixel a square, as large as brings the image up to about that side."""
    factor = max(1, round(side / max(image.shape[:2])))
    large: UInt8[np.ndarray, "a b *c"] = image.repeat(factor, 0).repeat(factor, 1)
    return large
