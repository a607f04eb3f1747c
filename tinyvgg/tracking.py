"""Suppression of pixels, the answer without them, and what they show (Algorithm 2)."""

from typing import Protocol, TypeAlias, Unpack, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tinyvgg.deconvolution import Options, deconvolve
from tinyvgg.errors import UserError
from tinyvgg.network import head
from tinyvgg.trace import Trace


@runtime_checkable
class Chosen(Protocol):
    """What has chosen pixels, such as a `Backtrack` or a `Repair`."""

    @property
    def pixels(self) -> Bool[Tensor, "n c h w"]:
        """The mask of the pixels."""


Pixels: TypeAlias = Bool[Tensor, "n c h w"] | Chosen


def suppress(
    maps: Float[Tensor, "n c h w"], pixels: Pixels, fill: Float[Tensor, "..."] | float = 0.0
) -> Float[Tensor, "n c h w"]:
    """Return the maps with the pixels replaced by a fill; the given maps are left as they are.

    Args:
        maps: the maps of n images.
        pixels: a mask of their elements, or what has one, such as a `Backtrack`.
        fill: a number, or a tensor that broadcasts to the maps: a value for each channel, say, of
            shape (c, 1, 1), or the maps of other images, (n, c, h, w).

    Raises:
        UserError: pixels are not boolean, or differ from the maps in shape or device; a fill that
            does not broadcast to the maps.
    """
    pixels = getattr(pixels, "pixels", pixels)
    if not isinstance(pixels, Tensor) or pixels.dtype != torch.bool:
        kind = getattr(pixels, "dtype", type(pixels).__name__)
        raise UserError(f"pixels are of {kind}: pass a boolean tensor")
    if pixels.shape != maps.shape:
        raise UserError(
            f"pixels have shape {tuple(pixels.shape)} but the maps {tuple(maps.shape)}:"
            " pass one boolean for each element of the maps"
        )
    if pixels.device != maps.device:
        raise UserError(f"pixels are on {pixels.device} but the maps on {maps.device}: move them")
    values = torch.as_tensor(fill, dtype=maps.dtype, device=maps.device)
    try:
        values = values.expand_as(maps)
    except RuntimeError:
        raise UserError(
            f"fill has shape {tuple(values.shape)}, which does not broadcast to the maps'"
            f" {tuple(maps.shape)}: pass a number, (c, 1, 1) or (n, c, h, w)"
        ) from None
    return torch.where(pixels, values, maps)


@torch.no_grad()
def rescore(
    trace: Trace, pixels: Pixels, fill: Float[Tensor, "..."] | float = 0.0
) -> Float[Tensor, "n k"]:
    """Return the logits of the dense layers once the pixels of the last maps hold `fill`.

    Zero suppresses them; `other.maps` of another trace of n images patches them, so that the
    answer is the other's once all pixels are (see `suppress`).

    Raises:
        UserError: pixels or a fill that do not match the last maps.
    """
    return head(trace.network, suppress(trace.maps, pixels, fill))


@torch.no_grad()
def track_features(
    trace: Trace, pixels: Pixels, **options: Unpack[Options]
) -> Float[Tensor, "n k i j"]:
    """Return the features of the pixels in the image: ``|D(M) - D(M')|`` (Algorithm 2).

    M' is M without the pixels; both projections use the switches of the one recorded pass. The
    projection is not linear, so the result differs from the projection of M - M'.

    Args:
        trace: a trace of n images.
        pixels: a mask of pixels of the last maps.
        options: choices of `deconvolve`; `**PUBLISHED` are those of the published code.

    Raises:
        UserError: pixels do not match the last maps, or an unknown choice.
    """
    without = deconvolve(trace, suppress(trace.maps, pixels), **options)
    return (deconvolve(trace, **options) - without).abs()
