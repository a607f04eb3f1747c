"""Figures of deconvolution: pooling and unpooling, and faces projected back from each level."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from tinyvgg.figures import style
from tinyvgg.unpooling import max_pool, unpool

DETAIL = 48


def toy_array(side: int = 4, seed: int = 3) -> Float[Tensor, "s s"]:
    """Whole numbers from 0 to 9 at random."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 10, (side, side), generator=generator).float()


@style.styled()
def toy_pooling(x: Float[Tensor, "h w"], kernel: int = 2) -> Figure:
    """An array, its maxima with their switches, and the array unpooled, as numbers (Figure 4)."""
    values, switches = max_pool(x, kernel)
    back = unpool(values, switches, (x.shape[0], x.shape[1]))
    figure, axes = style.grid(1, 4)
    _numbers(axes[0, 0], x.numpy(), kernel, "before")
    _numbers(axes[0, 1], values.numpy(), 1, "max-pooled")
    _numbers(axes[0, 2], switches.numpy(), 1, "switches")
    _numbers(axes[0, 3], back.numpy(), kernel, "unpooled")
    for ax in (axes[0, 0], axes[0, 3]):
        _mark(ax, switches, x.shape[1])
    return figure


def _numbers(ax: Axes, values: Shaped[np.ndarray, "h w"], window: int, title: str) -> None:
    tiles = np.add.outer(np.arange(values.shape[0]) // window, np.arange(values.shape[1]) // window)
    ax.imshow(tiles % 2, cmap="gray_r", vmin=0, vmax=12)
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=12)
    ax.set_title(title)
    style.clear(ax)


def _mark(ax: Axes, switches: Int[Tensor, "i j"], width: int) -> None:
    for switch in switches.flatten().tolist():
        row, column = divmod(switch, width)
        box = {"boxstyle": "round,pad=0.25", "edgecolor": style.RED, "facecolor": "none"}
        text = ax.texts[row * width + column]
        text.set_bbox(box)


@style.styled()
def photograph_pooling(photograph: Float[Tensor, "h w"], kernel: int = 2) -> Figure:
    """A photograph, max-pooled and unpooled, whole and in detail (Figure 4)."""
    values, switches = max_pool(photograph, kernel)
    back = unpool(values, switches, (photograph.shape[0], photograph.shape[1]))
    figure, axes = style.grid(2, 3)
    parts = {"before": photograph, "max-pooled": values, "unpooled": back}
    for column, (title, image) in enumerate(parts.items()):
        pixels = image.numpy()
        shown = f"{title}, {pixels.shape[0]} x {pixels.shape[1]}"
        style.show_image(axes[0, column], pixels, shown)
        style.show_image(axes[1, column], _detail(pixels, kernel if column == 1 else 1))
    return figure


def _detail(image: Float[np.ndarray, "h w"], scale: int) -> Float[np.ndarray, "d d"]:
    """A square in the upper middle, the same part of the scene at every scale."""
    side = DETAIL // scale
    top, left = image.shape[0] // 5, image.shape[1] * 2 // 5
    return image[top : top + side, left : left + side]


def signed(image: Float[Tensor, "3 h w"]) -> Float[np.ndarray, "h w 3"]:
    """An image with zero in mid-gray and the largest absolute value at the end of the range."""
    top = float(image.abs().max()) or 1.0
    shown: Float[np.ndarray, "h w 3"] = (image / (2 * top) + 0.5).permute(1, 2, 0).numpy()
    return shown


@style.styled()
def image_table(
    rows: Mapping[str, Mapping[str, Float[Tensor, "3 h w"]]],
    image: Shaped[np.ndarray, "h w 3"],
) -> Figure:
    """The image once, and beside it projections in labelled rows with a title each."""
    columns = 1 + max(len(row) for row in rows.values())
    figure, axes = style.grid(len(rows), columns, aspect=1.18)
    for ax in axes.flat:
        style.clear(ax)
    for place, (ax_row, (label, row)) in enumerate(zip(axes, rows.items(), strict=True)):
        style.show_image(ax_row[0], image, "image" if place == 0 else "")
        ax_row[0].set_ylabel(label)
        for ax, (title, projected) in zip(ax_row[1:], row.items(), strict=False):
            style.show_image(ax, signed(projected), title)
    return figure


@style.styled()
def trained_and_random(
    images: Sequence[Shaped[np.ndarray, "h w 3"]],
    projections: Mapping[str, Float[Tensor, "n 3 h w"]],
) -> Figure:
    """Images in the first row, projections of the same images below, a row for each network."""
    figure, axes = style.grid(1 + len(projections), len(images), aspect=1.05)
    for ax, image in zip(axes[0], images, strict=True):
        style.show_image(ax, image)
    axes[0, 0].set_ylabel("image")
    for row, (name, projected) in zip(axes[1:], projections.items(), strict=True):
        for ax, part in zip(row, projected, strict=True):
            style.show_image(ax, signed(part))
        row[0].set_ylabel(name)
    return figure


@style.styled()
def similarity_plot(tables: Mapping[str, Sequence[tuple[str, float, float, float]]]) -> Figure:
    """Correlations with their intervals: a panel for each key, a line for each comparison."""
    figure, axes = style.grid(1, len(tables), aspect=1.0, sharey=True, sharex=True)
    for ax, (title, rows) in zip(axes[0], tables.items(), strict=True):
        for place, (_, mean, low, high) in enumerate(rows):
            ax.errorbar(
                mean,
                -place,
                xerr=[[mean - low], [high - mean]],
                fmt="o",
                color=style.BLUE,
                capsize=2,
            )
        ax.set_yticks([-place for place in range(len(rows))], [row[0] for row in rows])
        ax.axvline(0, color=style.GRAY, linewidth=0.5)
        ax.set(title=title, xlim=(-1.05, 1.05), xlabel="correlation")
    return figure
