"""Sizes through convolutions and back, adjoints, and what deconvolved images resemble."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import bootstrap_interval
from tinyvgg.chapters.verdicts import Part, Verdict, weigh
from tinyvgg.deconvolution import deconvolve, max_pool, unpool
from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Pooling
from tinyvgg.trace import Trace, record
from tinyvgg.training.runs import Run, build_model


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
    return _inverse_sizes(i + (k - 1) - 2 * p, i, k, p, 1)


def deconvolved_size_strided(i: int, k: int, s: int) -> int:
    """Side before a strided convolution without padding: s (i - 1) + k (equation 1, case 2).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse_sizes(s * (i - 1) + k, i, k, 0, s)


def deconvolved_size(i: int, k: int) -> int:
    """Side before a convolution of stride 1 without padding: i + k - 1 (equation 1, case 3).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse_sizes(i + k - 1, i, k, 0, 1)


def _inverse_sizes(size: int, i: int, k: int, p: int, s: int) -> int:
    _check_sizes(i=i, k=k, s=s)
    if size < 1 or p < 0:
        raise UserError(f"no image has size {i} after a filter of {k}, padding {p}, stride {s}")
    return size


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{name} = {size} is not 1 or more")


CASES = ("1: s = 1, p > 0", "2: s > 1, p = 0", "3: s = 1, p = 0")
EXACT = 1e-9
ALIKE = 0.9


def size_table(
    sides: Iterable[int] = range(4, 33),
    kernels: Iterable[int] = (1, 2, 3, 4, 5, 7),
    paddings: Iterable[int] = (0, 1, 2, 3),
    strides: Iterable[int] = (1, 2, 3, 4),
) -> pd.DataFrame:
    """Equation 1 and its three inverses beside what torch's layers return.

    One row for each combination that the three inverses speak of, with a filter that fits the
    padded image and a padding smaller than the filter. Columns: ``case``, ``i``, ``k``, ``p``,
    ``s``; ``whole``, whether s divides evenly; ``size`` of torch's convolution and ``formula``,
    the same by equation 1 (missing where it is no whole number); ``torch_back``, the size after
    torch's transposed convolution, and ``formula_back``, by the inverse.
    """
    combined = product(sides, kernels, paddings, strides)
    rows = [_sizes(i, k, p, s) for i, k, p, s in combined if _covered(i, k, p, s)]
    columns = ["case", "i", "k", "p", "s", "whole", "size", "formula", "torch_back", "formula_back"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(formula=table["formula"].astype("Int64"))


def _covered(i: int, k: int, p: int, s: int) -> bool:
    return p < k <= i + 2 * p and (s == 1 or p == 0)


def _sizes(i: int, k: int, p: int, s: int) -> tuple[object, ...]:
    image, kernel = torch.zeros(1, 1, i, i), torch.zeros(1, 1, k, k)
    after = F.conv2d(image, kernel, stride=s, padding=p)
    back = F.conv_transpose2d(after, kernel, stride=s, padding=p).shape[-1]
    size = after.shape[-1]
    whole = (i - k + 2 * p) % s == 0
    return _case(p, s), i, k, p, s, whole, size, _formula(i, k, p, s), back, _inverse(size, k, p, s)


def _case(p: int, s: int) -> str:
    return CASES[1] if s > 1 else CASES[0] if p else CASES[2]


def _formula(i: int, k: int, p: int, s: int) -> int | None:
    try:
        return convolved_size(i, k, p, s)
    except UserError:
        return None


def _inverse(size: int, k: int, p: int, s: int) -> int:
    if s > 1:
        return deconvolved_size_strided(size, k, s)
    return deconvolved_size_padded(size, k, p) if p else deconvolved_size(size, k)


def size_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Counts by case, and by whether the stride divides evenly."""
    checked = table.assign(
        equation_1=table["formula"] == table["size"],
        inverse=table["formula_back"] == table["torch_back"],
        restored=table["torch_back"] == table["i"],
    )
    names = {
        "combinations": "combinations",
        "equation_1": "equation 1 gives torch's size",
        "inverse": "the inverse gives torch's size",
        "restored": "the image has its size back",
    }
    groups = checked.groupby(["case", "whole"], sort=True)
    counts = groups[["equation_1", "inverse", "restored"]].sum().astype(int)
    counts.insert(0, "combinations", groups.size())
    return counts.rename(columns=names).rename_axis(["case", "s divides evenly"])


def counterparts(trace: Trace) -> pd.DataFrame:
    """Each layer up to the last maps, in their order, and the layer that undoes it.

    Columns: ``layer``, ``input`` and ``output`` (side of the maps), ``undone by``, ``restores``,
    the side that the counterpart really returns for maps of the output's size.
    """
    sizes = [*trace.sizes, (trace.maps.shape[2], trace.maps.shape[3])]
    rows = []
    switches = iter(trace.switches)
    for layer, before, after in zip(trace.network.body, sizes[:-1], sizes[1:], strict=True):
        if isinstance(layer, Convolution):
            signal = torch.zeros(1, layer.module.out_channels, *after)
            back = layer.transpose(signal, before)
            undone = "ReLU + transposed convolution"
            rows.append(("convolution + ReLU", before, after, undone, back))
        elif isinstance(layer, Pooling):
            recorded = next(switches)[:1]
            back = unpool(torch.zeros(recorded.shape), recorded, before)
            rows.append(("max-pooling", before, after, "unpooling with the switches", back))
    shown = [(a, _side(b), _side(c), d, _side(e.shape[-2:])) for a, b, c, d, e in rows]
    return pd.DataFrame(shown, columns=["layer", "input", "output", "undone by", "restores"])


def _side(size: Iterable[int]) -> str:
    return " x ".join(str(side) for side in size)


@torch.no_grad()
def adjoint_gaps(trace: Trace, seed: int = 0) -> list[float]:
    """For each convolution, |<conv x, y> - <x, conv* y>| over its size, in float64."""
    generator = torch.Generator().manual_seed(seed)
    gaps = []
    for layer, size in zip(trace.network.body, trace.sizes, strict=True):
        if isinstance(layer, Convolution):
            gaps.append(_adjoint_gap(layer, size, generator))
    return gaps


def _adjoint_gap(layer: Convolution, size: tuple[int, int], generator: torch.Generator) -> float:
    module: nn.Conv2d = deepcopy(layer.module).double()
    module.bias = None
    exact = replace(layer, module=module)
    x = torch.randn(1, module.in_channels, *size, generator=generator, dtype=torch.float64)
    after = exact.forward(x)
    y = torch.randn(after.shape, generator=generator, dtype=torch.float64)
    one, other = (after * y).sum(), (x * exact.transpose(y, size)).sum()
    return float((one - other).abs() / after.norm() / y.norm())


def pooling_gap(x: Float[Tensor, "h w"], kernel: int) -> float:
    """Largest difference between pooled values and those of the unpooled array, pooled again."""
    values, switches = max_pool(x, kernel)
    again, _ = max_pool(unpool(values, switches, (x.shape[0], x.shape[1])), kernel)
    return float((again - values).abs().max())


def property_table(trace: Trace) -> pd.DataFrame:
    """What biases and the last ReLU do to three properties of the projection D of the last maps."""
    rows = {}
    at_zero = "largest |D(0)|, of the largest |D(M)|"
    at_double = "largest |D(2M) - 2 D(M)|, likewise"
    for bias, final_relu in product((False, True), (False, True)):
        maps = trace.maps
        whole = deconvolve(trace, maps, bias=bias, final_relu=final_relu)
        twice = deconvolve(trace, 2 * maps, bias=bias, final_relu=final_relu)
        nothing = deconvolve(trace, torch.zeros_like(maps), bias=bias, final_relu=final_relu)
        size = float(whole.abs().max()) or 1.0
        rows[_option(bias), _option(final_relu)] = {
            at_zero: f"{float(nothing.abs().max()) / size:.3f}",
            at_double: f"{float((twice - 2 * whole).abs().max()) / size:.3f}",
            "share of negative values": f"{float((whole < 0).float().mean()):.3f}",
        }
    index = ["biases", "ReLU on the image"]
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index)


def _option(on: bool) -> str:
    return "yes" if on else "no"


def untrained(run: Run, images: Float[Tensor, "n 3 h w"], seed: int) -> Trace:
    """A pass of the images through a network of the run's shape with other random weights."""
    experiment = replace(run.experiment, seed=run.experiment.seed + 1 + seed)
    return record(build_model(experiment).eval(), images)


def correlations(
    first: Float[Tensor, "n ..."], second: Float[Tensor, "n ..."]
) -> Float[Tensor, "n"]:
    """Pearson's correlation over the pixels of each image; NaN where one of both is constant."""
    a, b = (x.flatten(1).double() for x in (first, second))
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    found: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return found


def strongest_maps(maps: Float[Tensor, "c h w"], count: int) -> list[int]:
    """Numbers of the maps with the largest sums, largest first."""
    order: list[int] = maps.sum((1, 2)).argsort(descending=True, stable=True).tolist()
    return order[:count]


def ink(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Mean absolute value over the colours."""
    return images.abs().mean(1)


def edges(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n h w"]:
    """Size of the gray image's gradient: it finds edges, and no network has a part in it."""
    gray = images.mean(1).double().numpy()
    return torch.from_numpy(np.stack([np.hypot(*np.gradient(image)) for image in gray]))


def similarity_table(
    trained: Trace, random: Trace, levels: Iterable[int] = (0, 1, 2)
) -> pd.DataFrame:
    """How alike the trained network's projections are to others that know nothing of its training.

    One row for each level, comparison and image. ``ink`` compares absolute values, ``signed`` the
    values of all colours; edges have no sign. Comparisons: the same projection from a random
    network on the same image, from the trained network on the next image, the image's edges.
    """
    found = edges(trained.images)
    rows = []
    for level in levels:
        own, other = deconvolve(trained, layer=level), deconvolve(random, layer=level)
        for name, values, signed in (
            ("random weights, same image", ink(other), other),
            ("trained weights, another image", ink(own).roll(1, 0), own.roll(1, 0)),
            ("edges of the image", found, None),
        ):
            rows.append((level, name, "ink", correlations(ink(own), values)))
            if signed is not None:
                rows.append((level, name, "signed", correlations(own, signed)))
    parts = [
        pd.DataFrame({"level": level, "with": name, "of": of, "correlation": values.numpy()})
        for level, name, of, values in rows
    ]
    return pd.concat(parts, ignore_index=True)


def similarity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means with 95 % bootstrap intervals over images: levels in rows."""
    groups = table.dropna().groupby(["level", "with", "of"], sort=False)["correlation"]
    rows = [(*key, *_average(part)) for key, part in groups]
    return pd.DataFrame(rows, columns=["level", "with", "of", "images", "mean", "low", "high"])


def _average(values: "pd.Series[float]") -> tuple[int, float, float, float]:
    interval = bootstrap_interval(values.to_numpy(float))
    return len(values), float(values.mean()), interval.low, interval.high


def similarity_shown(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as text: levels in columns."""
    text = [
        f"{row['mean']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        for _, row in summary.iterrows()
    ]
    shown = summary.assign(text=text, level="max-pool " + (summary["level"] + 1).astype(str))
    return shown.pivot(index=["with", "of"], columns="level", values="text").rename_axis(
        columns=None
    )


def similarity_rows(summary: pd.DataFrame) -> dict[str, list[tuple[str, float, float, float]]]:
    """The summary of the ink as rows to plot, by level."""
    of_ink = summary[summary["of"] == "ink"]
    return {
        f"max-pool {int(str(level)) + 1}": list(
            part[["with", "mean", "low", "high"]].itertuples(index=False, name=None)
        )
        for level, part in of_ink.groupby("level", sort=False)
    }


def similarity_numbers(task: str, summary: pd.DataFrame) -> dict[str, float]:
    """Mean correlations for the last maps, by key."""
    short = {
        "random weights, same image": "random_weights",
        "trained weights, another image": "other_image",
        "edges of the image": "edges",
    }
    last = summary[summary["level"] == summary["level"].max()]
    return {
        f"f3.{task}.{row['of']}_{short[row['with']]}": float(row["mean"])
        for _, row in last.iterrows()
    }


def verdicts(
    sizes: pd.DataFrame,
    pooling: Mapping[str, float],
    layers: pd.DataFrame,
    gaps: list[float],
    alike: Float[np.ndarray, "n"],
) -> list[Verdict]:
    """E1, F4 and F3.

    Args:
        sizes: of `size_table`.
        pooling: `pooling_gap` of each array shown.
        layers: of `counterparts`.
        gaps: of `adjoint_gaps`.
        alike: correlation of the projection of the last maps with its image, for each image.
    """
    return [_sizes_hold(sizes), _pooling_holds(pooling), _undone(layers, gaps, alike)]


def _sizes_hold(table: pd.DataFrame) -> Verdict:
    even, back = table["whole"], table["torch_back"] == table["i"]
    uneven = int((~even).sum())
    formula = bool((table["formula"] == table["size"])[even].all())
    inverse = bool((table["formula_back"] == table["torch_back"]).all())
    kept = int(back.sum())
    return weigh(
        "E1",
        [
            Part(formula, f"equation 1 gives the size in all {int(even.sum()):,} even cases"),
            Part(inverse, f"the inverses give the size in all {len(table):,} cases"),
            Part(bool(back.all()), f"{kept:,} images have their size back; {uneven:,} are uneven"),
        ],
    )


def _pooling_holds(gaps: Mapping[str, float]) -> Verdict:
    parts = [
        Part(gap == 0, f"{name}: unpooled and pooled again, the maxima differ by {gap:g}")
        for name, gap in gaps.items()
    ]
    return weigh("F4", parts)


def _undone(layers: pd.DataFrame, gaps: list[float], alike: Float[np.ndarray, "n"]) -> Verdict:
    sizes = bool((layers["input"] == layers["restores"]).all())
    low = bootstrap_interval(alike[np.isfinite(alike)]).low
    mean = np.nanmean(alike) if np.isfinite(alike).any() else float("nan")
    return weigh(
        "F3",
        [
            Part(sizes, "each counterpart restores the size of its layer's input"),
            Part(
                max(gaps) < EXACT, "each transposed convolution is the adjoint of its convolution"
            ),
            Part(low > ALIKE, f"the image comes back (correlation {mean:.2f})"),
        ],
    )


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
