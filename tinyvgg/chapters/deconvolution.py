"""Chapters 5 and 10: layers, their counterparts in reverse, and how alike projections are."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import max_pool2d, max_unpool2d

from tinyvgg.chapters import style
from tinyvgg.errors import UserError

DETAIL = 48
"""Side of the part of a photograph that is shown in detail."""


def convolved_size(i: int, k: int, p: int = 0, s: int = 1) -> int:
    """Return the side of an image of side i after a convolution (equation 1).

    The filter has side k and stride s, and p rows of zeros are put on each side of the image.
    """
    room = i - k + 2 * p
    if room < 0 or min(i, k, s, p + 1) < 1:
        raise UserError(f"a filter of {k} does not fit an image of {i} padded by {p}, stride {s}")
    if room % s:
        raise UserError(f"size ({i} - {k} + 2*{p})/{s} + 1 is no whole number: change p or s")
    return room // s + 1


def correlations(
    first: Float[Tensor, "n ..."], second: Float[Tensor, "n ..."]
) -> Float[Tensor, "n"]:
    """Return Pearson's correlation over the pixels of each image; NaN where one is constant."""
    a, b = (x.flatten(1).double() for x in (first, second))
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    found: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return found


def edges(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n h w"]:
    """Return the size of the gray image's gradient, which finds edges without any network."""
    gray = images.mean(1).double().numpy()
    return torch.from_numpy(np.stack([np.hypot(*np.gradient(image)) for image in gray]))


@style.styled()
def toy_pooling(x: Float[Tensor, "h w"]) -> Figure:
    """Draw an array, its maxima with their switches, and the array unpooled (Figure 4)."""
    values, switches = (each[0] for each in max_pool2d(x[None], 2, return_indices=True))
    back = max_unpool2d(values[None], switches[None], [2, 2])[0]
    shown = {"before": x, "max-pooled": values, "switches": switches, "unpooled": back}
    figure, axes = style.grid(1, 4)
    for ax, (title, array) in zip(axes[0], shown.items(), strict=True):
        whole = array.shape == x.shape
        window = np.indices(array.shape) // (2 if whole else 1)
        ax.imshow(window.sum(0) % 2, cmap="gray_r", vmin=0, vmax=12)
        for (row, column), value in np.ndenumerate(array.numpy()):
            text = ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=12)
            if whole and row * x.shape[1] + column in switches:
                frame = {"boxstyle": "round,pad=0.25", "edgecolor": style.RED, "facecolor": "none"}
                text.set_bbox(frame)
        ax.set_title(title)
        style.clear(ax)
    return figure


def photograph_pooling(photograph: Float[Tensor, "h w"]) -> Figure:
    """Draw a photograph, max-pooled and unpooled, whole and in detail (Figure 4)."""
    values, switches = max_pool2d(photograph[None], 2, return_indices=True)
    back, whole, details = max_unpool2d(values, switches, [2, 2])[0], [], []
    for title, array in (("before", photograph), ("max-pooled", values[0]), ("unpooled", back)):
        (height, width), image = array.shape, array.numpy().astype(np.uint8)
        side, top, left = DETAIL * height // photograph.shape[0], height // 5, width * 2 // 5
        whole.append((f"{title}, {height} x {width}", image))
        details.append(("", image[top : top + side, left : left + side]))
    return style.pictures([("whole", whole), ("detail", details)], aspect=1.0)


def signed(image: Float[Tensor, "3 h w"]) -> Float[np.ndarray, "h w 3"]:
    """Return an image with zero in mid-gray and its largest absolute value at an end."""
    top = float(image.abs().max()) or 1.0
    return np.asarray((image / (2 * top) + 0.5).permute(1, 2, 0))


def image_table(
    rows: Mapping[str, Mapping[str, Float[Tensor, "3 h w"]]], image: Shaped[np.ndarray, "h w 3"]
) -> Figure:
    """Draw an image and beside it projections, in labelled rows with a title each."""
    panels = [
        (label, [("image", image), *((title, signed(shown)) for title, shown in row.items())])
        for label, row in rows.items()
    ]
    return style.pictures(panels, aspect=1.18)


def projections_below(
    images: Sequence[Shaped[np.ndarray, "h w 3"]],
    projections: Mapping[str, Float[Tensor, "n 3 h w"]],
) -> Figure:
    """Draw images in the first row and below them their projections, a labelled row for each."""
    rows = {"image": images} | {name: map(signed, shown) for name, shown in projections.items()}
    panels = [(name, [("", picture) for picture in row]) for name, row in rows.items()]
    return style.pictures(panels, aspect=1.05)
