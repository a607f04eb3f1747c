"""Figures of how few pixels repair an error."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tinyvgg.cases import Pairs
from tinyvgg.figures import style
from tinyvgg.findings.repairs import SET
from tinyvgg.repairs import Repair
from tinyvgg.runs import Run
from tinyvgg.tracking import track_features

LINES = {
    SET: (style.RED, "-", 4.0),
    "contrastive": (style.BLUE, "-", 2.0),
    "contribution": (style.GREEN, "--", 1.5),
    "largest": (style.PURPLE, "-.", 1.5),
    "random": (style.GRAY, ":", 1.5),
}
"""Colour, dashes and width of each curve: those that coincide can all be seen."""
MARKS = {"unique": "s", "common": "o"}
NO_ERROR = "No error of this run has a right look-alike: there is nothing to repair."


def curves_figure(
    curves: Mapping[str, pd.DataFrame], points: Mapping[str, pd.DataFrame]
) -> style.Drawn:
    """Share of errors repaired against the number of pixels suppressed.

    Args:
        curves: by task, `tinyvgg.findings.repairs.curve_table`.
        points: by task, `tinyvgg.findings.repairs.set_points`.
    """
    if not any(table["share"].notna().any() for table in curves.values()):
        return style.Missing(NO_ERROR)
    figure, axes = style.grid(1, len(curves), aspect=0.85 if len(curves) > 1 else 0.5)
    with style.styled():
        for ax, (task, table) in zip(axes[0], curves.items(), strict=True):
            _curves(ax, table)
            _points(ax, points[task])
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
            ax.set(title=style.TASK_NAMES[task], xlabel="pixels suppressed", ylim=(-0.03, 1.03))
        axes[0, 0].set_ylabel("errors repaired")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _curves(ax: Axes, table: pd.DataFrame) -> None:
    for name, (colour, dashes, width) in LINES.items():
        part = table[table["chosen"] == name]
        x = part["pixels"].to_numpy(float)
        line: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": width}
        ax.plot(x, part["share"], marker=".", label=name, **line)
        ax.fill_between(x, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)


def _points(ax: Axes, table: pd.DataFrame) -> None:
    for row in table.to_dict("records"):
        kind, rule = row["chosen"].split(", ")
        face = style.ORANGE if rule == "cutoff" else "none"
        marks: dict[str, Any] = {"marker": MARKS[kind], "mfc": face, "mec": style.ORANGE}
        x, y = np.array([row["pixels"]]), np.array([row["share"]])
        ax.plot(x, y, linestyle="none", label=f"{kind}, {rule} rule", **marks)


def sizes_figure(repairs: Mapping[str, tuple[Pairs, Repair]]) -> style.Drawn:
    """How many pixels the repair sets have, a bar for each size."""
    if not any(len(found) for _, found in repairs.values()):
        return style.Missing(NO_ERROR)
    figure, axes = style.grid(1, len(repairs), aspect=0.6 if len(repairs) > 1 else 0.35)
    with style.styled():
        for ax, (task, (_, found)) in zip(axes[0], repairs.items(), strict=True):
            sizes = found.size[found.repaired].numpy()
            counts = np.bincount(sizes)[1:] if len(sizes) else np.zeros(1)
            ax.bar(range(1, len(counts) + 1), counts, color=style.TASK_COLOURS[task])
            for axis in (ax.xaxis, ax.yaxis):
                axis.get_major_locator().set_params(integer=True)
            ax.set(title=style.TASK_NAMES[task], xlabel="pixels in the repair set")
        axes[0, 0].set_ylabel("errors")
    return figure


def examples_figure(run: Run, pairs: Pairs, found: Repair, most: int = 6) -> style.Drawn:
    """Errors, their repair sets' tracked features, and their look-alikes; first the smallest sets.

    Args:
        run: gives images and names.
        pairs: the errors.
        found: their repairs.
        most: columns at most.
    """
    smallest_first = found.size.argsort(stable=True)
    order = smallest_first[found.repaired[smallest_first]][:most].tolist()
    if not order:
        return style.Missing(NO_ERROR)
    features = style.strength(track_features(pairs.wrong[order], found.pixels[order]))
    figure, axes = style.grid(3, len(order), cell=style.WIDTH / most, aspect=1.35)
    with style.styled():
        for column, (place, ink) in enumerate(zip(order, features, strict=True)):
            case = pairs.cases[place]
            names = [style.short(run.classes[label]) for label in (case.predicted, case.true)]
            size = int(found.size[place])
            image = np.asarray(run.faces.images[case.row])
            style.show_image(axes[0, column], image, f"taken for\n{names[0]}")
            style.show_map(axes[1, column], ink)
            axes[1, column].set_title(f"{size} pixel{'s' if size > 1 else ''}")
            other = np.asarray(run.faces.images[case.lookalike])
            style.show_image(axes[2, column], other, f"right:\n{names[1]}")
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure
