"""Max-pooling and back: switches, and where values go when a max-pool is undone."""

from collections.abc import Iterator
from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.network import Pooling

SWITCHES = ("recorded", "none", "random")
TIES = ("first", "all")


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


def unpool(
    maps: Float[Tensor, "*n i j"], switches: Int[Tensor, "*n i j"], size: tuple[int, int]
) -> Float[Tensor, "*n h w"]:
    """Put each value back to its switch in a plane of height and width `size`, zeros elsewhere.

    Where windows overlap, values of one switch add up: the gradient of the max-pool.
    """
    plane = maps.new_zeros((*maps.shape[:-2], size[0] * size[1]))
    plane.scatter_add_(-1, switches.flatten(-2), maps.flatten(-2))
    return plane.reshape(*maps.shape[:-2], *size)


def unpool_ties(
    maps: Float[Tensor, "n c i j"],
    pool: Pooling,
    before: Float[Tensor, "n c h w"],
) -> Float[Tensor, "n c h w"]:
    """Put each value back to every element of its window that equals the window's maximum.

    Args:
        maps: the values.
        pool: the max-pool that is undone.
        before: what it was given.
    """
    maxima, _ = pool.forward(before)
    size = (before.shape[2], before.shape[3])
    plane, seen = before.new_zeros(before.shape).flatten(2), before.flatten(2)
    for index, inside in _taps(pool, size, (maps.shape[2], maps.shape[3])):
        index, inside = index.to(maps.device), inside.to(maps.device)
        tied = (seen[..., index] == maxima) & inside
        plane.index_add_(2, index.flatten(), (maps * tied).flatten(2))
    return plane.reshape(before.shape)


def fixed_switches(
    pool: Pooling, size: tuple[int, int], shape: tuple[int, int, int]
) -> Int[Tensor, "c i j"]:
    """The first element of each window that lies in the plane.

    Args:
        pool: the max-pool.
        size: height and width of its input.
        shape: channels, height and width of its output.
    """
    rows, columns = (_inside(pool, axis, size[axis], shape[1 + axis]) for axis in (0, 1))
    switches = torch.stack([row[0] for row in rows])[:, None] * size[1]
    return (switches + torch.stack([column[0] for column in columns])).expand(shape)


def random_switches(
    pool: Pooling, size: tuple[int, int], shape: tuple[int, int, int], generator: torch.Generator
) -> Int[Tensor, "c i j"]:
    """An element of each window at random, of those that lie in the plane.

    Args:
        pool: the max-pool.
        size: height and width of its input.
        shape: channels, height and width of its output.
        generator: to draw from.
    """
    drawn = []
    for axis in (0, 1):
        places = _inside(pool, axis, size[axis], shape[1 + axis])
        counts = torch.tensor([len(of_a_window) for of_a_window in places])
        table = torch.nn.utils.rnn.pad_sequence(places, batch_first=True)
        counts = counts[:, None] if axis == 0 else counts
        picks = (torch.rand(shape, generator=generator, dtype=torch.float64) * counts).long()
        windows = torch.arange(len(places))
        drawn.append(table[windows[:, None] if axis == 0 else windows, picks])
    return drawn[0] * size[1] + drawn[1]


def _inside(pool: Pooling, axis: int, size: int, windows: int) -> list[Int[Tensor, "m"]]:
    """Of each window along an axis, the rows (or columns) that lie in the plane."""
    taps = torch.arange(pool.kernel[axis]) * pool.dilation[axis] - pool.padding[axis]
    places = torch.arange(windows)[:, None] * pool.stride[axis] + taps
    return [row[(row >= 0) & (row < size)] for row in places]


def _taps(
    pool: Pooling, size: tuple[int, int], windows: tuple[int, int]
) -> Iterator[tuple[Int[Tensor, "i j"], Bool[Tensor, "i j"]]]:
    """For each element of a window, its flat index in every window, and whether that exists."""
    for tap in product(range(pool.kernel[0]), range(pool.kernel[1])):
        rows, columns = (
            torch.arange(windows[axis]) * pool.stride[axis]
            + tap[axis] * pool.dilation[axis]
            - pool.padding[axis]
            for axis in (0, 1)
        )
        inside = ((rows >= 0) & (rows < size[0]))[:, None] & (columns >= 0) & (columns < size[1])
        index = rows.clamp(0, size[0] - 1)[:, None] * size[1] + columns.clamp(0, size[1] - 1)
        yield index, inside
