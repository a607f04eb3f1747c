"""Chapters 5 and 10: layers and what undoes them, and what projections resemble."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Shaped
from matplotlib.figure import Figure
from torch import Tensor

from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import bootstrap_interval
from tinyvgg.chapters.verdicts import Part, Verdict, mean_with_interval, weigh
from tinyvgg.deconvolution import Options, deconvolve, max_pool, unpool
from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Pooling
from tinyvgg.trace import Trace

EXACT = 1e-9
ALIKE = 0.9
DETAIL = 48
"""Side of the part of a photograph that is shown in detail."""


def convolved_size(i: int, k: int, p: int = 0, s: int = 1) -> int:
    """Return the side of a square image after a convolution: (i - k + 2p) / s + 1 (equation 1).

    Args:
        i: side of the image.
        k: side of the filter.
        p: rows of zeros on each side.
        s: stride.

    Raises:
        UserError: the filter does not fit, or the stride leaves rows over.
    """
    room = i - k + 2 * p
    if room < 0 or min(i, k, s, p + 1) < 1:
        raise UserError(f"a filter of {k} does not fit an image of {i} padded by {p}, stride {s}")
    if room % s:
        raise UserError(f"size ({i} - {k} + 2*{p})/{s} + 1 is no whole number: change p or s")
    return room // s + 1


def counterparts(trace: Trace) -> pd.DataFrame:
    """Return each layer up to the last maps, in order, beside the layer that undoes it.

    Columns: ``layer``; ``input`` and ``output``, the sides of its maps; ``undone by``; and
    ``restores``, the side that the counterpart really returns for maps of the output's size.
    """
    sizes = [*trace.sizes, (trace.maps.shape[2], trace.maps.shape[3])]
    switches = iter(trace.switches)
    rows = []
    for layer, before, after in zip(trace.network.body, sizes[:-1], sizes[1:], strict=True):
        if isinstance(layer, Convolution):
            names = "convolution + ReLU", "ReLU + transposed convolution"
            back = layer.transpose(torch.zeros(1, layer.module.out_channels, *after), before)
        elif isinstance(layer, Pooling):
            names = "max-pooling", "unpooling with the switches"
            recorded = next(switches)[:1]
            back = unpool(torch.zeros(recorded.shape), recorded, before)
        else:
            continue
        sides = [" x ".join(map(str, size)) for size in (before, after, back.shape[-2:])]
        rows.append((names[0], sides[0], sides[1], names[1], sides[2]))
    return pd.DataFrame(rows, columns=["layer", "input", "output", "undone by", "restores"])


def correlations(
    first: Float[Tensor, "n ..."], second: Float[Tensor, "n ..."]
) -> Float[Tensor, "n"]:
    """Return Pearson's correlation over the pixels of each image; NaN where one is constant."""
    a, b = (x.flatten(1).double() for x in (first, second))
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    found: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return found


def ink(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Return the mean absolute value over the colours."""
    return images.abs().mean(1)


def edges(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n h w"]:
    """Return the size of the gray image's gradient, which finds edges without any network."""
    gray = images.mean(1).double().numpy()
    return torch.from_numpy(np.stack([np.hypot(*np.gradient(image)) for image in gray]))


def similarity_table(
    trained: Trace, random: Trace, levels: Iterable[int] = (0, 1, 2)
) -> pd.DataFrame:
    """Correlate the trained network's projections with others that owe nothing to its training.

    One row for each level, comparison (``with``) and image: the same projection from a random
    network on the same image, from the trained network on the next image, the image's edges.
    Of ``ink`` absolute values are compared, of ``signed`` those of all colours; edges have no sign.
    """
    outlines = edges(trained.images)
    parts = []
    for level in levels:
        own, other = deconvolve(trained, layer=level), deconvolve(random, layer=level)
        compared = (
            ("random weights, same image", "ink", ink(own), ink(other)),
            ("random weights, same image", "signed", own, other),
            ("trained weights, another image", "ink", ink(own), ink(own).roll(1, 0)),
            ("trained weights, another image", "signed", own, own.roll(1, 0)),
            ("edges of the image", "ink", ink(own), outlines),
        )
        for name, of, a, b in compared:
            found = correlations(a, b).numpy()
            part = {"level": level, "with": name, "of": of, "correlation": found}
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def choices_table(trace: Trace, options: Mapping[str, Options]) -> pd.DataFrame:
    """Correlate projections with the default one, the image's edges and another image's.

    Correlations of the ink over the pixels, means over images with 95 % intervals; a row for each
    of the options.
    """
    default, outlines = ink(deconvolve(trace)), edges(trace.images)
    rows = {}
    for name, chosen in options.items():
        own = ink(deconvolve(trace, **chosen))
        compared = {
            "default": default,
            "edges of the image": outlines,
            "another image, same choices": own.roll(1, 0),
        }
        rows[name] = {
            label: mean_with_interval(pd.Series(correlations(own, other).numpy()))
            for label, other in compared.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("choices")


def verdicts(
    sizes: pd.DataFrame,
    pooling: Mapping[str, float],
    layers: pd.DataFrame,
    gaps: Sequence[float],
    alike: Float[np.ndarray, "n"],
) -> list[Verdict]:
    """Weigh E1, F4 and F3.

    Args:
        sizes: columns ``i``; ``size`` and ``formula``, after a convolution by torch and by
            equation 1; ``whole``, whether the stride divides evenly; ``torch_back`` and
            ``formula_back``, after the transposed convolution and by the inverse.
        pooling: largest change of each array, pooled, unpooled and pooled again.
        layers: of `counterparts`.
        gaps: of each convolution and its transpose, how far they are from adjoint.
        alike: correlation of the projection of the last maps with its image, for each image.
    """
    even, back = sizes["whole"], sizes["torch_back"] == sizes["i"]
    formula = (sizes["formula"] == sizes["size"])[even].all()
    inverse = (sizes["formula_back"] == sizes["torch_back"]).all()
    restored = f"{back.sum():,} images have their size back; {(~even).sum():,} are uneven"
    of_sizes = [
        Part(bool(formula), f"equation 1 gives the size in all {even.sum():,} even cases"),
        Part(bool(inverse), f"the inverses give the size in all {len(sizes):,} cases"),
        Part(bool(back.all()), restored),
    ]
    of_pooling = [
        Part(gap == 0, f"{name}: unpooled and pooled again, the maxima differ by {gap:g}")
        for name, gap in pooling.items()
    ]
    same = bool((layers["input"] == layers["restores"]).all())
    known = alike[np.isfinite(alike)]
    mean = known.mean() if len(known) else float("nan")
    comes_back = bootstrap_interval(known).low > ALIKE
    of_layers = [
        Part(same, "each counterpart restores the size of its layer's input"),
        Part(max(gaps) < EXACT, "each transposed convolution is the adjoint of its convolution"),
        Part(comes_back, f"the image comes back (correlation {mean:.2f})"),
    ]
    return [weigh("E1", of_sizes), weigh("F4", of_pooling), weigh("F3", of_layers)]


@style.styled()
def toy_pooling(x: Float[Tensor, "h w"], kernel: int = 2) -> Figure:
    """Draw an array, its maxima with their switches, and the array unpooled (Figure 4)."""
    values, switches = max_pool(x, kernel)
    back = unpool(values, switches, (x.shape[0], x.shape[1]))
    shown = {"before": x, "max-pooled": values, "switches": switches, "unpooled": back}
    figure, axes = style.grid(1, 4)
    for ax, (title, array) in zip(axes[0], shown.items(), strict=True):
        whole = array.shape == x.shape
        window = np.indices(array.shape) // (kernel if whole else 1)
        ax.imshow(window.sum(0) % 2, cmap="gray_r", vmin=0, vmax=12)
        for (row, column), value in np.ndenumerate(array.numpy()):
            text = ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=12)
            if whole and row * x.shape[1] + column in switches:
                frame = {"boxstyle": "round,pad=0.25", "edgecolor": style.RED, "facecolor": "none"}
                text.set_bbox(frame)
        ax.set_title(title)
        style.clear(ax)
    return figure


@style.styled()
def photograph_pooling(photograph: Float[Tensor, "h w"], kernel: int = 2) -> Figure:
    """Draw a photograph, max-pooled and unpooled, whole and in detail (Figure 4)."""
    values, switches = max_pool(photograph, kernel)
    back = unpool(values, switches, (photograph.shape[0], photograph.shape[1]))
    figure, axes = style.grid(2, 3)
    shown = {"before": photograph, "max-pooled": values, "unpooled": back}
    for column, (title, image) in enumerate(shown.items()):
        height, width = image.shape
        style.show_image(axes[0, column], image.numpy(), f"{title}, {height} x {width}")
        side = DETAIL * height // photograph.shape[0]
        top, left = height // 5, width * 2 // 5
        detail = image[top : top + side, left : left + side]
        style.show_image(axes[1, column], detail.numpy())
    return figure


def signed(image: Float[Tensor, "3 h w"]) -> Float[np.ndarray, "h w 3"]:
    """Return an image with zero in mid-gray and its largest absolute value at an end."""
    top = float(image.abs().max()) or 1.0
    shown: Float[np.ndarray, "h w 3"] = (image / (2 * top) + 0.5).permute(1, 2, 0).numpy()
    return shown


@style.styled()
def image_table(
    rows: Mapping[str, Mapping[str, Float[Tensor, "3 h w"]]],
    image: Shaped[np.ndarray, "h w 3"],
) -> Figure:
    """Draw an image and beside it projections, in labelled rows with a title each."""
    figure, axes = style.grid(len(rows), 1 + max(map(len, rows.values())), aspect=1.18)
    for ax in axes.flat:
        style.clear(ax)
    for place, (line, (label, row)) in enumerate(zip(axes, rows.items(), strict=True)):
        style.show_image(line[0], image, "image" if place == 0 else "")
        line[0].set_ylabel(label)
        for ax, (title, projected) in zip(line[1:], row.items(), strict=False):
            style.show_image(ax, signed(projected), title)
    return figure


@style.styled()
def projections_below(
    images: Sequence[Shaped[np.ndarray, "h w 3"]],
    projections: Mapping[str, Float[Tensor, "n 3 h w"]],
) -> Figure:
    """Draw images in the first row and below them their projections, a labelled row for each."""
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
def similarity_plot(summary: pd.DataFrame) -> Figure:
    """Draw the correlations of the ink with their intervals, a panel for each level.

    Args:
        summary: averages of `similarity_table`, columns level, with, of, mean, low, high.
    """
    levels = summary["level"].unique().tolist()
    figure, axes = style.grid(1, len(levels), aspect=1.0, sharey=True, sharex=True)
    for ax, level in zip(axes[0], levels, strict=True):
        part = summary[(summary["level"] == level) & (summary["of"] == "ink")]
        places, mean = -np.arange(len(part)), part["mean"]
        bars = [mean - part["low"], part["high"] - mean]
        ax.errorbar(mean, places, xerr=bars, fmt="o", color=style.BLUE, capsize=2)
        ax.set_yticks(places, part["with"])
        ax.axvline(0, color=style.GRAY, linewidth=0.5)
        ax.set(title=f"max-pool {level + 1}", xlim=(-1.05, 1.05), xlabel="correlation")
    return figure
