"""Figures of chapter 2: error rates over the epochs."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tinyvgg import paper
from tinyvgg.figures import style
from tinyvgg.findings.training import curve, majority
from tinyvgg.runs import Run
from tinyvgg.training.diagnosis import constant_loss
from tinyvgg.training.history import Epoch


@style.styled()
def error_rates(runs: Sequence[Run]) -> Figure:
    """Training and test error of each network over the epochs (Figure 5)."""
    figure, axes = style.grid(
        1, len(runs), cell=style.WIDTH / max(2, len(runs)), aspect=0.85, sharey=True
    )
    for axis, run in zip(axes[0], runs, strict=True):
        _error_rate(axis, run)
    axes[0, 0].set_ylabel("error rate")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=min(3, 1 + len(runs)))
    for line in legend.get_lines() if len(runs) > 1 else ():
        if line.get_color() in style.TASK_COLOURS.values():
            line.set_color("black")  # each panel has a colour of its own
    return figure


@style.styled()
def loss_and_error(run: Run) -> Figure:
    """Loss and error rate of one network over its epochs, beside those of a constant answer."""
    figure, axes = style.grid(1, 2, aspect=0.7)
    history, colour = run.history, style.TASK_COLOURS[run.task]
    epochs, (rates, bands) = history["epoch"], curve(run)
    labels = run.faces.index.labels(run.task)[run.split.train]
    loss, error = axes[0]
    loss.axhline(constant_loss(labels), color=style.GRAY, ls=":", label="constant answer")
    loss.plot(epochs, history["train_loss"], color=style.GRAY, label="training, in passing")
    loss.plot(epochs, history["test_loss"], color=colour, label="test, after the epoch")
    error.axhline(1 - majority(run.labels), color=style.GRAY, ls=":")
    error.plot(epochs, history["train_error"], color=style.GRAY)
    error.fill_between(epochs, bands[:, 0], bands[:, 1], color=colour, alpha=0.2, lw=0)
    error.plot(epochs, rates, color=colour)
    for axis, name in ((loss, "loss"), (error, "error rate")):
        axis.set(xlabel="epoch", ylabel=name, ylim=(0, 1.04 * axis.get_ylim()[1]))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    error.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@style.styled()
def learning_curve(history: Sequence[Epoch], epochs: int, title: str = "") -> Figure:
    """Training and test error of a training under way.

    Args:
        history: the epochs that are complete.
        epochs: how many there will be.
        title: what stands above it.
    """
    figure, axes = style.grid(1, 1, cell=style.WIDTH / 2, aspect=0.7)
    axis, numbers = axes[0, 0], [epoch.epoch for epoch in history]
    for name, colour, label in (
        ("train_error", style.GRAY, "training, in passing"),
        ("validation_error", style.GREEN, "validation"),
        ("test_error", style.BLUE, "test"),
    ):
        rates = [getattr(epoch, name) for epoch in history]
        if history and None not in rates:
            axis.plot(numbers, rates, color=colour, marker=".", label=f"{label} {rates[-1]:.1%}")
    axis.set(xlabel="epoch", ylabel="error rate", ylim=(0, 1), xlim=(0, epochs + 0.5), title=title)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if history:
        axis.legend(loc="upper right")
    return figure


def _error_rate(axis: Axes, run: Run) -> None:
    epochs = run.history["epoch"]
    colour = style.TASK_COLOURS[run.task]
    rates, bands = curve(run)
    axis.axhline(1 - majority(run.labels), color=style.GRAY, ls=":", label="constant answer")
    known = paper.load().numbers.get(f"t2.{run.task}.accuracy")
    if known and isinstance(known.value, float):
        axis.axhline(1 - known.value, color=style.RED, ls="--", lw=1, label="paper, at the end")
    axis.plot(epochs, run.history["train_error"], color=style.GRAY, label="training, in passing")
    axis.fill_between(epochs, bands[:, 0], bands[:, 1], color=colour, alpha=0.2, lw=0)
    axis.plot(epochs, rates, color=colour, label="test, after the epoch")
    axis.plot(epochs.iloc[-1], rates[-1], "o", color=colour, ms=5, label="network of this book")
    best = int(rates.argmin())
    axis.plot(
        epochs.iloc[best],
        rates[best],
        "v",
        mfc="none",
        color="black",
        ms=6,
        label="best on the test part",
    )
    name = style.TASK_NAMES[run.task]
    axis.set_title(f"{name}, {len(run.classes)} classes ({style.called(run.faces)})")
    axis.set(xlabel="epoch", ylim=(0, 1))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
