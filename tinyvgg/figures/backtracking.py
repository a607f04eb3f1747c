"""Figures of backtracking: the last layers, what is kept, what depends on the class."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from tinyvgg.figures import style
from tinyvgg.runs import Run
from tinyvgg.sensitivity import PIXELS, Followed, logit_terms
from tinyvgg.trace import Trace

RULE_COLOURS = {"literal": style.BLUE, "cutoff": style.ORANGE, "contribution": style.GREEN}
RULE_NAMES = {
    "literal": "literal rule",
    "cutoff": "published cutoff",
    "contribution": "exact share (control)",
}
MARKS = {"true": "o", "random": "s"}
GAP = 1


@style.styled()
def last_layers(image: Trace, classes: Sequence[str], neurons: int = 24, shown: int = 10) -> Figure:
    """How the last hidden layer feeds the winning class of one image (Figure 6).

    Args:
        image: trace of one image.
        classes: names of the outputs.
        neurons: how many of the last hidden layer are drawn, those with the largest products.
        shown: how many outputs are drawn, those with the largest probabilities.
    """
    figure, axes = style.grid(1, 1, cell=style.WIDTH, aspect=0.62)
    ax = axes[0, 0]
    products, bias = logit_terms(image)
    order = products[0].abs().argsort(descending=True)[:neurons].numpy()
    heights = np.linspace(1, 0, len(order))
    outputs = image.logits[0].argsort(descending=True)[:shown].numpy()
    places = np.linspace(0.95, 0.05, len(outputs))
    strongest = max(float(products.abs().max()), 1e-12)
    for neuron, height in zip(order, heights, strict=True):
        product = float(products[0, neuron])
        colour = style.BLUE if product > 0 else style.RED
        width = 0.3 + 4 * abs(product) / strongest
        ax.plot(
            [0.06, 0.6], [height, places[0]], color=colour, linewidth=width, alpha=0.5, zorder=1
        )
    activations = image.dense[-1][0, order].numpy()
    size: dict[str, Any] = {"s": 60, "edgecolors": style.GRAY, "zorder": 2}
    ax.scatter(np.full(len(order), 0.06), heights, c=activations, cmap="gray_r", vmin=0, **size)
    for neuron, height in zip(order, heights, strict=True):
        text = f"$i$ = {neuron}   {float(products[0, neuron]):+.2f}"
        ax.text(0.03, height, text, ha="right", va="center", fontsize=7)
    _outputs(ax, image, classes, outputs, places)
    rest = float(products.sum() - products[0, order].sum())
    ax.text(
        0.33,
        -0.1,
        f"$\\sum_i a_i W_{{ik}}$ = {float(products.sum()):.3f}   ({rest:+.3f} of it from neurons"
        f" not drawn),   $b_k$ = {float(bias):+.3f},   $x_k$ = {float(image.logits.amax()):.3f}",
        ha="center",
    )
    ax.set(xlim=(-0.12, 1.18), ylim=(-0.14, 1.1))
    for x, title in ((0.06, "$a_n$"), (0.6, "$x$"), (0.77, "class"), (1.02, "softmax")):
        ax.text(x, 1.05, title, ha="center", fontsize=11)
    ax.axis("off")
    return figure


def _outputs(
    ax: Axes,
    image: Trace,
    classes: Sequence[str],
    outputs: Shaped[np.ndarray, "s"],
    places: Float[np.ndarray, "s"],
) -> None:
    probabilities = image.probabilities[0, outputs].numpy()
    colours = [style.BLUE] + [style.GRAY] * (len(outputs) - 1)
    ax.scatter(np.full(len(outputs), 0.6), places, s=90, c=colours, zorder=3)
    for label, place, probability, colour in zip(
        outputs, places, probabilities, colours, strict=True
    ):
        ax.text(0.63, place, f"{float(image.logits[0, label]):+.2f}", va="center")
        ax.text(0.75, place, style.short(classes[label], style.LONGEST), va="center")
        ax.barh(place, 0.16 * probability, left=0.94, height=0.04, color=colour)
        ax.text(0.95 + 0.16 * probability, place, f"{probability:.3f}", va="center", fontsize=7)


@style.styled()
def kept_by_layer(tables: Mapping[str, pd.DataFrame]) -> style.Drawn:
    """Share of active units kept, layer by layer from the class down, for each task and rule.

    Args:
        tables: by task, averages with columns rule, layer, mean, low, high.
    """
    if not any(len(table) for table in tables.values()):
        return style.Missing("No image of this run is misclassified: nothing was backtracked.")
    figure, axes = style.grid(1, len(tables), aspect=0.62, cell=_cell(tables), sharey=True)
    for ax, (task, table) in zip(axes[0], tables.items(), strict=True):
        for offset, (rule, part) in enumerate(table.groupby("rule", sort=False)):
            _points(ax, part, RULE_COLOURS[str(rule)], "o", RULE_NAMES[str(rule)], 0.12 * offset)
        ax.set(title=style.TASK_NAMES.get(task, task), ylim=(-0.03, 1.06))
    axes[0, 0].set_ylabel("share of active units kept")
    axes[0, 0].legend(loc="lower left")
    return figure


@style.styled()
def class_overlap(tables: Mapping[str, pd.DataFrame]) -> style.Drawn:
    """Overlap of what is kept for the predicted class with what is kept for another class.

    Args:
        tables: by task, averages with columns rule, layer, against, mean, low, high.
    """
    if not any(len(table) for table in tables.values()):
        return style.Missing("No image of this run is misclassified: nothing was backtracked.")
    wide = len(tables) == 1
    cell, aspect = (style.WIDTH, 0.45) if wide else (_cell(tables), 0.75)
    figure, axes = style.grid(1, len(tables), aspect=aspect, cell=cell, sharey=True)
    for ax, (task, table) in zip(axes[0], tables.items(), strict=True):
        groups = table.groupby(["rule", "against"], sort=False)
        for place, ((rule, against), part) in enumerate(groups):
            label = f"{RULE_NAMES[str(rule)]}, {against} class"
            colour, mark = RULE_COLOURS[str(rule)], MARKS[str(against)]
            _points(ax, part, colour, mark, label, 0.1 * (place - 2))
        ax.set(title=style.TASK_NAMES.get(task, task), ylim=(-0.03, 1.06))
    axes[0, 0].set_ylabel("overlap with the predicted class's set")
    handles, labels = max(
        (ax.get_legend_handles_labels() for ax in axes[0]), key=lambda h: len(h[0])
    )
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7)
    return figure


def _cell(tables: Mapping[str, pd.DataFrame]) -> float:
    return style.WIDTH / max(2, len(tables))


def _points(
    ax: Axes, table: pd.DataFrame, colour: str, mark: str, label: str, offset: float
) -> None:
    names = ["a_3", "a_2", "a_1", PIXELS]
    known = list(dict.fromkeys([*table["layer"]]))
    order = names if set(known) <= set(names) else known
    places = np.array([order.index(layer) for layer in table["layer"]]) + offset
    mean = table["mean"].to_numpy()
    bars = np.abs(np.stack([mean - table["low"], table["high"] - mean]))
    ax.errorbar(places, mean, bars, fmt=mark, color=colour, label=label, capsize=2, markersize=5)
    ax.set_xticks(range(len(order)), [f"${name}$" if "_" in name else name for name in order])


@style.styled()
def pixel_histograms(
    followed: Mapping[str, Followed], means: Mapping[tuple[str, str], float]
) -> style.Drawn:
    """How many pixels are backtracked in each misclassified image, by task and rule.

    Args:
        followed: by task.
        means: by task and rule, the mean to be marked.
    """
    tasks = [task for task, part in followed.items() if len(part.trace)]
    if not tasks:
        return style.Missing("No image of this run is misclassified: nothing was backtracked.")
    rules = list(followed[tasks[0]].found)
    figure, axes = style.grid(1, len(rules), aspect=0.7)
    for ax, rule in zip(axes[0], rules, strict=True):
        counts = {t: followed[t].pixels(rule).flatten(1).sum(1).numpy() for t in tasks}
        edges = np.histogram_bin_edges(np.concatenate(list(counts.values())), bins=25)
        for task, values in counts.items():
            colour = style.TASK_COLOURS[task]
            ax.hist(values, edges, color=colour, alpha=0.55, label=style.TASK_NAMES[task])
            ax.axvline(means[task, rule], color=colour, linestyle="--")
        ax.set(title=RULE_NAMES[rule], xlabel="backtracked pixels", ylabel="images")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(tasks))
    return figure


@dataclass(frozen=True)
class Panel:
    """One misclassified image with its last maps and what each rule finds in them."""

    image: UInt8[np.ndarray, "h w 3"]
    title: str
    maps: Float[np.ndarray, "c i j"]
    pixels: Mapping[str, Bool[np.ndarray, "c i j"]]


def panels(run: Run, followed: Followed, count: int = 2) -> list[Panel]:
    """The first misclassified images of a run, each of another true class where possible."""
    labels, predicted = run.labels[run.errors], run.predicted[run.errors]
    _, first = np.unique(labels, return_index=True)
    chosen = [*np.sort(first), *np.setdiff1d(np.arange(len(labels)), first)][:count]
    rows, names = run.split.test[run.errors], [style.short(name, 12) for name in run.classes]
    return [
        Panel(
            run.faces.images[rows[place]],
            f"{names[labels[place]]} taken\nfor {names[predicted[place]]}",
            followed.trace.maps[place].numpy(),
            {rule: followed.pixels(rule)[place].numpy() for rule in followed.found},
        )
        for place in chosen
    ]


@style.styled()
def maps_without_pixels(shown: Sequence[Panel]) -> style.Drawn:
    """Image, its last maps, and the maps without the pixels of each rule (Figure 7).

    Missing pixels are red. Ink is activation, each map to its own maximum.
    """
    if not shown:
        return style.Missing("No image of this run is misclassified: there are no maps to show.")
    rules = list(shown[0].pixels)
    ratios = [1.1, *[2.0] * (1 + len(rules))]
    figure, axes = style.grid(
        len(shown), len(ratios), aspect=0.72, gridspec_kw={"width_ratios": ratios}
    )
    for row, panel in zip(axes, shown, strict=True):
        style.show_image(row[0], panel.image, panel.title)
        _show_maps(row[1], panel.maps, np.zeros_like(panel.maps, dtype=bool))
        row[1].set_title(f"{len(panel.maps)} maps, {int((panel.maps > 0).sum()):,} active")
        for ax, (rule, missing) in zip(row[2:], panel.pixels.items(), strict=True):
            _show_maps(ax, panel.maps, missing)
            ax.set_title(f"{RULE_NAMES[rule]}: {int(missing.sum()):,} missing")
    return figure


def montage(
    maps: Shaped[np.ndarray, "c h w"], columns: int, gap: float
) -> Shaped[np.ndarray, "H W"]:
    """Maps side by side, `columns` a row, with lines of the value `gap` between them."""
    count, height, width = maps.shape
    rows = -(-count // columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    sheet = np.full(shape, gap, dtype=np.float64)
    for place, values in enumerate(maps):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = values
    return sheet


def _show_maps(
    ax: Axes, maps: Float[np.ndarray, "c h w"], missing: Bool[np.ndarray, "c h w"]
) -> None:
    columns = math.ceil(math.sqrt(2 * len(maps)))
    ink = maps / np.maximum(maps.max((1, 2), keepdims=True), 1e-12)
    paper = 0.15 + 0.85 * np.where(missing, 0, ink)
    ax.imshow(montage(paper, columns, np.nan), cmap="gray_r", vmin=0, vmax=1)
    ax.imshow(
        montage(np.where(missing, 1.0, np.nan), columns, np.nan), cmap=ListedColormap([style.RED])
    )
    style.clear(ax)
