"""Figures of chapter 3: where the errors are, and what they look like."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from tinyvgg import paper
from tinyvgg.figures import style
from tinyvgg.findings.chances import CLAIMS
from tinyvgg.findings.errors import all_rates, rates, tested
from tinyvgg.metrics import confusion
from tinyvgg.runs import Run

READABLE = 12
"""Up to so many classes a confusion matrix shows its numbers."""

TICKS = 24
"""Of more classes, about so many are named along the axes."""


@style.styled()
def rates_figure(runs: Sequence[Run]) -> Figure:
    """Error rates by angle, gaze, emotion, sex and group, with 95 % intervals."""
    tables = [all_rates(run) for run in runs]
    height = 0.1 + 0.2 * max(map(len, tables))
    cell = style.WIDTH / len(runs)
    figure, axes = style.grid(1, len(runs), cell=cell, aspect=(height + 1.0) / cell, sharey=True)
    for axis, run, table in zip(axes[0], runs, tables, strict=True):
        _dots(axis, run, table)
    axes[0, 0].invert_yaxis()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _dots(axis: Axes, run: Run, table: pd.DataFrame) -> None:
    factors = table.index.get_level_values("factor")
    breaks = np.cumsum(np.r_[0, factors[1:] != factors[:-1]])
    places = np.arange(len(table)) + 0.7 * breaks
    colour = style.TASK_COLOURS[run.task]
    axis.axvline(1 - run.accuracy, color=style.GRAY, lw=0.8, ls=":")
    axis.hlines(places, table["low"], table["high"], color=colour, lw=1.5)
    axis.plot(table["rate"], places, "o", color=colour, ms=4, label="this run, 95 % interval")
    known = papers_rates(run.task)
    levels = [str(level) for _, level in table.index]
    shown = [(known[level], y) for level, y in zip(levels, places, strict=True) if level in known]
    if shown:
        axis.plot(*zip(*shown, strict=True), "D", mfc="none", color="black", ms=4, label="paper")
    axis.set_yticks(places, [_level(factor, level) for factor, level in table.index])
    axis.tick_params(axis="y", length=0, labelleft=True)
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.set(xlabel="error rate", xlim=(0, None))
    axis.set_title(f"{style.TASK_NAMES[run.task]} ({style.called(run.faces)})")


def _level(factor: str, level: object) -> str:
    return {"angle": f"{level}°", "gaze": f"gaze {level}"}.get(factor, style.short(str(level), 24))


def papers_rates(task: str) -> dict[str, float]:
    """The paper's error rates by level; its test images are as many at each level."""
    if task not in CLAIMS:
        return {}
    test = paper.number(f"t2.{task}.test_size")
    names = {f"{angle}": (f"errors_{angle}", 3) for angle in (45, 90, 135)}
    if task == "emotion":
        classes = int(paper.number("t2.emotion.classes"))
        names |= {name: (f"{name}_errors", classes) for name in ("sad", "surprised")}
    return {
        level: paper.number(f"{CLAIMS[task]}.{task}.{name}") * levels / test
        for level, (name, levels) in names.items()
    }


@style.styled()
def subjects_figure(runs: Sequence[Run]) -> style.Drawn:
    """Error rate of each subject with its 95 % interval, a row for each task."""
    if not runs[0].faces.index.has("subject"):
        return style.Missing("Errors by subject: this source does not say who an image shows.")
    figure, axes = style.grid(len(runs), 1, cell=style.WIDTH, aspect=0.28, sharex=True)
    for axis, run in zip(axes[:, 0], runs, strict=True):
        table = rates(run, "subject")
        places, colour = np.arange(len(table)), style.TASK_COLOURS[run.task]
        axis.axhline(1 - run.accuracy, color=style.GRAY, lw=0.8, ls=":")
        axis.vlines(places, table["low"], table["high"], color=colour, lw=1, alpha=0.6)
        axis.plot(places, table["rate"], "o", color=colour, ms=3)
        axis.set(ylim=(0, None), ylabel="error rate", xlim=(-1, len(table)))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.set_title(f"{style.TASK_NAMES[run.task]} ({style.called(run.faces)})")
        axis.set_xticks(places, table.index.astype(str), rotation=90, fontsize=6)
    axes[-1, 0].set_xlabel("subject")
    return figure


@style.styled()
def confusion_figure(run: Run) -> Figure:
    """Confusion matrix: numbers for a few classes, a map for many; errors coloured."""
    counts = confusion(run.labels, run.predicted, len(run.classes))
    few = len(run.classes) <= READABLE
    cell = max(3.4, 1.8 + 0.35 * len(run.classes)) if few else 5.4
    figure, axes = style.grid(1, 1, cell=cell, aspect=0.95 if few else 0.9)
    axis: Axes = axes[0, 0]
    errors = counts - np.diag(np.diag(counts))
    shown = axis.imshow(errors, cmap="Reds", vmin=0, vmax=max(1, errors.max()))
    places, names = np.arange(len(run.classes)), [style.short(name, 16) for name in run.classes]
    if few:
        _numbers(axis, counts, errors)
        axis.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
        axis.set_yticks(places, names)
    else:
        axis.plot(places, places, "s", color="#e0e0e0", ms=2.2)
        every = -(-len(run.classes) // TICKS)
        axis.set_xticks(places[::every], names[::every], rotation=90, fontsize=7)
        axis.set_yticks(places[::every], names[::every], fontsize=7)
        figure.colorbar(shown, ax=axis, shrink=0.6, label="images", ticks=_whole(int(errors.max())))
    axis.tick_params(length=0)
    axis.set(xlabel="taken for", ylabel="true")
    name = style.TASK_NAMES[run.task]
    called = style.called(run.faces)
    axis.set_title(f"{name}: {len(run.errors)} errors of {len(run.labels):,} ({called})")
    return figure


def _whole(top: int) -> list[int]:
    return sorted({int(tick) for tick in np.linspace(0, max(1, top), min(6, max(1, top) + 1))})


def _numbers(axis: Axes, counts: Int[np.ndarray, "k k"], errors: Int[np.ndarray, "k k"]) -> None:
    dark = errors.max() / 2
    for (true, taken), count in np.ndenumerate(counts):
        if true == taken:
            axis.add_patch(_square(taken, true))
        colour = "white" if true != taken and count > dark else "black"
        if count:
            axis.text(taken, true, str(count), ha="center", va="center", color=colour, fontsize=8)


def _square(x: int, y: int) -> Rectangle:
    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="#eeeeee", edgecolor="none")


def surest_errors(run: Run, most: int) -> Int[np.ndarray, "m"]:
    """Places in the test part of the errors with the most probable wrong answers, in that order."""
    sure = run.probabilities[run.errors].max(1)
    chosen: Int[np.ndarray, "m"] = run.errors[np.argsort(-sure, kind="stable")[:most]]
    return chosen


def top_classes(
    probabilities: Float[np.ndarray, "k"], true: int, most: int = 3
) -> Int[np.ndarray, "m"]:
    """The most probable classes in order; the true one takes the last place if it is not in."""
    order = np.argsort(-probabilities, kind="stable")[: min(most, len(probabilities))]
    if true not in order:
        order[-1] = true
    return order


@style.styled()
def gallery(run: Run, most: int = 24, columns: int = 6) -> style.Drawn:
    """The errors that the network was surest of, with its most probable classes."""
    chosen = surest_errors(run, most)
    name = style.TASK_NAMES[run.task]
    if not len(chosen):
        return style.Missing(f"The network for {name} makes no error on the test part.")
    rows = -(-len(chosen) // columns)
    figure, axes = style.grid(
        2 * rows, columns, cell=1.25, aspect=0.72, height_ratios=[2.0, 1.0] * rows
    )
    for axis in axes.flat:
        axis.axis("off")
    for number, place in enumerate(chosen):
        row, column = divmod(number, columns)
        _error(axes[2 * row, column], axes[2 * row + 1, column], run, int(place))
    figure.suptitle(
        f"{name}: {len(chosen)} of {len(run.errors)} errors, surest first "
        f"({style.called(run.faces)})",
        fontsize=9,
    )
    return figure


def _error(above: Axes, below: Axes, run: Run, place: int) -> None:
    true, predicted = int(run.labels[place]), int(run.predicted[place])
    style.show_image(above, run.faces.images[run.split.test[place]])
    above.axis("on")
    title = f"{style.short(run.classes[true])} as {style.short(run.classes[predicted])}"
    above.set_title(title, fontsize=7, pad=2)
    shares = run.probabilities[place]
    for line, label in enumerate(top_classes(shares, true)):
        colour = {true: style.GREEN, predicted: style.RED}.get(int(label), "#b0b0b0")
        below.barh(-line, shares[label], color=colour, height=0.85)
        text = f"{style.short(run.classes[label], 16)} {shares[label]:.2f}"
        below.text(0.02, -line, text, va="center", fontsize=6)
    below.set(xlim=(0, 1), ylim=(-2.6, 0.6))


def counterparts(run: Run, label: int) -> pd.DataFrame:
    """A class's errors, and for each the image that was expected for what it was taken for.

    That image has the class it was taken for and agrees in as many other factors as it can; of
    equals the first. Columns row, taken_for and counterpart, the most frequent confusion first.
    """
    table = run.faces.index.table.reset_index(drop=True)
    found = tested(run)
    mine = found[found["wrong"] & (found["true"] == run.classes[label])]
    times = mine["taken_for"].map(mine["taken_for"].value_counts())
    mine = mine.assign(times=times).sort_values(
        ["times", "taken_for", "row"], ascending=[False, True, True], kind="stable"
    )
    others = [c for c in ("subject", "emotion", "gaze", "angle") if c in table and c != run.task]
    rows = [
        (int(row), taken, _closest(table, run.task, taken, int(row), others))
        for row, taken in zip(mine["row"], mine["taken_for"], strict=True)
    ]
    return pd.DataFrame(rows, columns=["row", "taken_for", "counterpart"])


def _closest(table: pd.DataFrame, task: str, wanted: str, row: int, others: Sequence[str]) -> int:
    candidates = table[table[task].astype(str) == wanted]
    agreement = (candidates[list(others)] == table.loc[row, list(others)]).sum(axis=1)
    return int(agreement.index[int(agreement.argmax())])


@style.styled()
def worst_figure(run: Run, most: int = 7) -> style.Drawn:
    """The errors of the class with most of them, above what they were taken for."""
    name = style.TASK_NAMES[run.task]
    if not len(run.errors):
        return style.Missing(f"The network for {name} makes no error on the test part.")
    label = int(np.bincount(run.labels[run.errors], minlength=len(run.classes)).argmax())
    pairs = counterparts(run, label)
    shown = pairs.head(most)
    figure, axes = style.grid(2, most, aspect=1.15)
    for axis in axes.flat:
        style.clear(axis)
    for column, (row, taken, other) in enumerate(shown.itertuples(index=False)):
        style.show_image(axes[0, column], run.faces.images[row])
        style.show_image(axes[1, column], run.faces.images[other])
        axes[1, column].set_title(f"as {style.short(taken, 12)}", fontsize=7)
    figure.suptitle(
        f"{name}: {style.short(run.classes[label], 16)}, {len(shown)} of {len(pairs)} errors "
        f"({style.called(run.faces)})",
        fontsize=9,
    )
    return figure
