"""The deconvnet: maps projected back to the input through the network in reverse.

Zeiler and Fergus's walk in reverse order of the layers: unpool with the switches of the forward
pass, rectify where the network does, and convolve with the transposed filters.
"""

from typing import Final, TypedDict

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Network, Pooling
from tinyvgg.trace import Trace

SWITCHES = ("recorded",)


class Options(TypedDict, total=False):
    """Named choices of `deconvolve`, where its docstring says what each does."""

    bias: bool
    final_relu: bool
    switches: str


PUBLISHED: Final[Options] = {"bias": True, "final_relu": True, "switches": "recorded"}
"""What the paper's published code does."""


@torch.no_grad()
def deconvolve(
    trace: Trace,
    maps: Float[Tensor, "n k i j"] | None = None,
    level: int = -1,
    bias: bool = False,
    final_relu: bool = False,
    switches: str = "recorded",
) -> Float[Tensor, "n c h w"]:
    """Project pooled maps back to the input, through the network in reverse.

    Without bias the projection of zero is zero and it scales with maps of one sign; it is not
    linear, since ReLUs stand between.

    Args:
        trace: gives the switches and the sizes.
        maps: maps of the chosen level, changed or not; those of the trace if None.
        level: the max-pool to start from, an index into `trace.pooled`.
        bias: add to the output of each transposed convolution the bias of the previous
            convolution, whose maps these are; the last one adds none.
        final_relu: rectify the image as well, so that it has no negative values.
        switches: "recorded" puts a value where the maximum was in the forward pass; of tied
            maxima the first in reading order is paid.

    Raises:
        UserError: an unknown level or choice of switches, maps of another shape, dtype or device.
    """
    if switches not in SWITCHES:
        raise UserError(f"switches '{switches}' is not one of: {', '.join(SWITCHES)}")
    pool = _position(trace.network, level)
    signal: Tensor = trace.pooled[level] if maps is None else _checked(maps, trace.pooled[level])
    recorded = dict(zip(trace.network.poolings, trace.switches, strict=True))
    for position in reversed(range(pool + 1)):
        layer, size = trace.network.body[position], trace.sizes[position]
        if isinstance(layer, Pooling):
            signal = unpool(signal, recorded[position], size)
        elif isinstance(layer, Convolution):
            signal = layer.transpose(signal, size)
            if bias:
                signal = _add_previous_bias(signal, trace.network, position)
        else:
            signal = signal.relu()
    return signal.relu() if final_relu else signal


def unpool(
    maps: Float[Tensor, "*n i j"], switches: Int[Tensor, "*n i j"], size: tuple[int, int]
) -> Float[Tensor, "*n h w"]:
    """Put each value back to its switch in a plane of height and width `size`, zeros elsewhere.

    Where windows overlap, values of one switch add up: the gradient of the max-pool.
    """
    plane = maps.new_zeros((*maps.shape[:-2], size[0] * size[1]))
    plane.scatter_add_(-1, switches.flatten(-2), maps.flatten(-2))
    return plane.reshape(*maps.shape[:-2], *size)


def max_pool(
    x: Float[Tensor, "*n h w"], kernel: int, stride: int | None = None
) -> tuple[Float[Tensor, "*n i j"], Int[Tensor, "*n i j"]]:
    """The maximum of each window and its switch, the flat index in its plane.

    Of tied maxima the first in reading order is taken. Rows and columns that fill no window are
    left out. Windows do not overlap unless a stride is given.
    """
    step = kernel if stride is None else stride
    pool = Pooling("max_pool", (kernel, kernel), (step, step))
    values, switches = pool.forward(x.reshape(1, -1, *x.shape[-2:]))
    shape = (*x.shape[:-2], *values.shape[-2:])
    return values.reshape(shape), switches.reshape(shape)


def convolved_size(i: int, k: int, p: int = 0, s: int = 1) -> int:
    """Side of a square image after a convolution: (i - k + 2p) / s + 1 (equation 1).

    Args:
        i: side of the image.
        k: side of the filter.
        p: rows of zeros on each side.
        s: stride.

    Raises:
        UserError: the filter does not fit, or the stride leaves rows over, so that the size is
            no whole number.
    """
    _check_sizes(i=i, k=k, s=s)
    room = i - k + 2 * p
    if room < 0 or p < 0:
        raise UserError(f"a filter of {k} does not fit an image of {i} padded by {p}")
    if room % s:
        raise UserError(f"size ({i} - {k} + 2*{p})/{s} + 1 is no whole number: change p or s")
    return room // s + 1


def deconvolved_size_padded(i: int, k: int, p: int) -> int:
    """Side before a padded convolution of stride 1: i + (k - 1) - 2p (after equation 1, case 1).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse(i + (k - 1) - 2 * p, i, k, p, 1)


def deconvolved_size_strided(i: int, k: int, s: int) -> int:
    """Side before a strided convolution without padding: s (i - 1) + k (equation 1, case 2).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse(s * (i - 1) + k, i, k, 0, s)


def deconvolved_size(i: int, k: int) -> int:
    """Side before a convolution of stride 1 without padding: i + k - 1 (equation 1, case 3).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse(i + k - 1, i, k, 0, 1)


def _inverse(size: int, i: int, k: int, p: int, s: int) -> int:
    _check_sizes(i=i, k=k, s=s)
    if size < 1 or p < 0:
        raise UserError(f"no image has size {i} after a filter of {k}, padding {p}, stride {s}")
    return size


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{name} = {size} is not 1 or more")


def _position(network: Network, level: int) -> int:
    pools = network.poolings
    if not -len(pools) <= level < len(pools):
        raise UserError(
            f"level {level} is not one of the {len(pools)} max-pools, 0 to {len(pools) - 1}"
        )
    return pools[level]


def _checked(maps: Tensor, recorded: Tensor) -> Tensor:
    for what in ("shape", "dtype", "device"):
        have, want = getattr(maps, what), getattr(recorded, what)
        if have != want:
            have, want = (tuple(x) if what == "shape" else x for x in (have, want))
            raise UserError(f"maps have {what} {have} but the trace's have {want}: make them alike")
    return maps


def _add_previous_bias(signal: Tensor, network: Network, position: int) -> Tensor:
    before = [layer for layer in network.body[:position] if isinstance(layer, Convolution)]
    if not before or before[-1].module.bias is None:
        return signal
    return signal + before[-1].module.bias[:, None, None]
