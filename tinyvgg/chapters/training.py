"""Chapter 2: the network, its recipe, accuracies and overfitting beside the paper's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import log2
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import nn

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.deconvolution import convolved_size
from tinyvgg.chapters.statistics import (
    Estimate,
    Interval,
    difference,
    difference_interval,
    estimate,
    proportion_interval,
)
from tinyvgg.network import Convolution, Dense, Layer, Pooling
from tinyvgg.reading import read_network
from tinyvgg.trace import Trace
from tinyvgg.training.batches import resident
from tinyvgg.training.loop import predict
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import FITTED

FORMS = {
    "conv": "conv {field} × {field}, stride {stride}, padding {padding}, {maps} maps",
    "max-pool": "max-pool {field} × {field}, stride {stride}",
    "dense": "dense, {units} neurons",
}
"""The descriptions of layers in tables, by their names in Table 1."""
LITTLE, WELL = 0.25, 0.75
"""Skills from which errors are worth explaining, and from which a network has learned well."""


def network_table(run: Run) -> pd.DataFrame:
    """Return each layer as in Table 1 and as it runs here, with its output and parameters (T1)."""
    network = read_network(run.model, torch.zeros(1, 3, run.size, run.size))
    body = [layer for layer in network.body if isinstance(layer, Convolution | Pooling)]
    layers: list[Layer] = [*body, *network.dense]
    table_1 = paper.table1().fillna(0).to_dict("records")
    known = paper.load().numbers.get(f"t1.{run.task}.classes")
    table_1[-1]["units"] = known.value if known else paper.NOTHING
    ours = list(_described(map(_entry, layers), run.experiment.size))
    theirs = list(_described(table_1, int(paper.number("t1.both.size"))))
    if not known:
        theirs[-1] = ("one neuron a class",) * 2
    if len(theirs) != len(ours):
        theirs = [(paper.NOTHING, paper.NOTHING)] * len(ours)
    rows = [
        (said, runs, paper_output, output, f"{parameters(getattr(layer, 'module', None)):,}")
        for layer, (said, paper_output), (runs, output) in zip(layers, theirs, ours, strict=True)
    ]
    columns = "Table 1", "layer, this run", "output, paper", "output, this run", "parameters"
    return pd.DataFrame(rows, pd.Index([layer.name for layer in layers], name="layer"), columns)


def _entry(layer: Layer) -> dict[str, Any]:
    """Return a layer as an entry of Table 1."""
    if isinstance(layer, Dense):
        return {"layer": "dense", "units": layer.module.out_features}
    assert isinstance(layer, Convolution | Pooling)
    entry: dict[str, Any] = {"layer": "max-pool", "padding": layer.padding[0]}
    if isinstance(layer, Pooling):
        return entry | {"field": layer.kernel[0], "stride": layer.stride[0], "maps": 0}
    module = layer.module
    entry |= {"field": module.kernel_size[0], "stride": module.stride[0]}
    return entry | {"layer": "conv", "maps": module.out_channels}


def _described(entries: Iterable[Mapping[Any, Any]], size: int) -> Iterator[tuple[str, str]]:
    """Yield each entry of Table 1 in words, and its output for images of this side."""
    maps = 0
    for entry in entries:
        output = str(entry.get("units"))
        if entry["layer"] != "dense":
            size = convolved_size(size, entry["field"], entry["padding"], entry["stride"])
            maps = entry["maps"] or maps
            output = f"{size} × {size} × {maps}"
        yield FORMS[entry["layer"]].format(**entry), output


def parameters(model: nn.Module | None) -> int:
    """Return the number of weights and biases of a network or a layer."""
    return sum(weights.numel() for weights in model.parameters()) if model else 0


def majority(labels: Int[np.ndarray, "n"]) -> float:
    """Return the accuracy of the constant answer that is right most often."""
    return float(np.bincount(labels).max() / len(labels))


def accuracy_interval(run: Run) -> Interval:
    """Return Wilson's 95 % interval of the accuracy on the test part."""
    low, high = proportion_interval(len(run.errors), len(run.labels))
    return Interval(1 - high, 1 - low)


def learned(run: Run) -> bool:
    """Return True if the whole interval of the accuracy lies above the best constant answer."""
    return accuracy_interval(run).low > majority(run.labels)


def skill(run: Run) -> float:
    """Return where the accuracy lies between the best constant answer (0) and no error (1)."""
    best = majority(run.labels)
    return (run.accuracy - best) / (1 - best)


def worth_explaining(run: Run) -> bool:
    """Return whether a network has learned so much that its errors say something."""
    return learned(run) and skill(run) >= LITTLE


def grade(run: Run) -> str:
    """Say how much a network has learned, and what to do if that is too little."""
    tested, (low, high) = f"{len(run.labels):,} test images", accuracy_interval(run)
    name = "well" if skill(run) >= WELL else "in part" if skill(run) >= LITTLE else "little"
    said = (
        f"It has learned {name}: it is right in {skill(run):.1%} of what the best constant answer"
        f" gets wrong. {tested} tell an accuracy to about {50 * (high - low):.1f} points."
        if learned(run)
        else f"{tested} do not show that it has learned anything: it may as well guess."
    )
    if worth_explaining(run):
        return said
    return (
        f"{said} Its errors are not explained here: a network that knows so little is wrong for no"
        " reason of its own. Look at the pictures and labels below, add images to each class, or"
        " train otherwise, such as with --set epochs=200 or --set optimiser=adam."
    )


def with_twins(run: Run) -> str:
    """Say what near-twins in both parts would have done to the accuracy; empty without any."""
    known, paths = run.faces.originals, run.faces.index.table["path"].to_numpy()
    chances = np.zeros(1) if known is None else known.chance_of_a_twin(paths[run.split.test])
    if not chances.any():
        return ""
    missed = (run.predicted != run.labels) * (1 - chances)
    return (
        "Near-twins are never in two parts. Had they been drawn like other images, and were every"
        f" test image right whose twin was learned, {1 - missed.mean():.1%} would be right."
    )


def train_errors(run: Run) -> int:
    """Return the number of training images that the final weights misclassify."""
    source = resident(run.faces, run.task, "cpu", run.scaling)
    with torch.no_grad():
        logits, labels = predict(run.model, source, run.split.train)
    return int((logits.argmax(1) != labels).sum())


def gap(run: Run, wrong_in_training: int) -> tuple[float, Interval]:
    """Return test error minus training error of the final weights, and its 95 % interval (F5)."""
    counts = (len(run.errors), len(run.labels)), (wrong_in_training, len(run.split.train))
    test, train = ((wrong / images, proportion_interval(wrong, images)) for wrong, images in counts)
    return test[0] - train[0], difference_interval(*test, *train)


def gap_estimate(run: Run, wrong_in_training: int) -> Estimate:
    """Return the gap with the error of a mean over images, as `gap` has its interval."""
    train = np.arange(len(run.split.train)) < wrong_in_training
    return difference(estimate(run.predicted != run.labels), estimate(train))


def last_epochs(run: Run) -> dict[str, int | float]:
    """Return what the rule by which training ends sees, and the test errors of the last epochs."""
    found: dict[str, int | float] = {
        f"p1.{run.task}.epochs": len(run.history),
        f"p1.{run.task}.clean_epochs": int((run.history["train_error"] == 0)[::-1].cumprod().sum()),
    }
    errors = run.last_errors
    if len(errors) == FITTED:
        mean = float(np.mean(errors)) or 1.0
        found[f"t2.{run.task}.last_spread"] = (max(errors) - min(errors)) / mean
        found |= {f"t2.{run.task}.last_errors_{n}": e for n, e in enumerate(errors, start=1)}
    return found


def gap_table(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> pd.DataFrame:
    """Return the error rates of the final weights on both parts, and the gap between them."""
    rows = {}
    for run, wrong in zip(runs, wrong_in_training, strict=True):
        difference, interval = gap(run, wrong)
        rates = {"training error": wrong / len(run.split.train), "test error": 1 - run.accuracy}
        rates["gap"] = difference
        rows[paper.TASK_NAMES[run.task]] = {
            "classes": len(run.classes),
            **{name: paper.show(rate, "percent") for name, rate in rates.items()},
            "95 % interval": paper.show_interval(interval, "percent"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def shown(runs: Sequence[Run]) -> dict[str, str]:
    """Say how network (T1) and recipe (P1) of a run compare with the paper's."""
    return {"T1": _network(runs), "P1": _recipe(runs)}


def _network(runs: Sequence[Run]) -> str:
    tables = [network_table(run).iloc[:-1] for run in runs]
    same = all((table["Table 1"] == table["layer, this run"]).all() for table in tables)
    size, theirs = runs[0].experiment.size, int(paper.number("t1.both.size"))
    smaller = f", for images of {size} × {size} pixels instead of {theirs} × {theirs}"
    which = "every layer is" if same else "not every layer is"
    return f"{which} as in Table 1{smaller if size != theirs else ''}"


def _recipe(runs: Sequence[Run]) -> str:
    recipes, initial = [r.experiment.recipe for r in runs], runs[0].experiment.design.initialisation
    facts = [f"initial weights {initial}, optimiser {recipes[0].optimiser}"]
    trained = {name: [getattr(recipe, name) for recipe in recipes] for name in ("batch", "rate")}
    trained["epochs"] = [len(run.history) for run in runs]
    for name, values in trained.items():
        about = paper.quantity(f"p1.both.{name}")
        ours = " and ".join(dict.fromkeys(f"{value:g}" for value in values))
        said = "" if all(value == about.value for value in values) else f" instead of {about.text}"
        facts.append(f"{about.label} {ours}{said}")
    return ", ".join(facts)


@style.styled()
def error_rates(runs: Sequence[Run]) -> Figure:
    """Draw training and test error of each network over the epochs (Figure 5)."""
    cell = style.WIDTH / max(2, len(runs))
    figure, axes = style.grid(1, len(runs), cell=cell, aspect=0.85, sharey=True)
    for axis, run in zip(axes[0], runs, strict=True):
        colour = style.TASK_COLOURS[run.task]
        _curves(axis, run)
        known = paper.load().numbers.get(f"t2.{run.task}.accuracy")
        if known and isinstance(known.value, float):
            axis.axhline(1 - known.value, color=style.RED, ls="--", lw=1, label="paper, at the end")
        rates = run.history.set_index("epoch")["test_error"].dropna()
        last, best = rates.tail(1), rates[rates.index == rates.idxmin()]
        axis.plot(last, "o", color=colour, ms=5, label="network that is analysed")
        axis.plot(best, "v", mfc="none", color=style.GRAY, ms=6, label="best on the test part")
        name = f"{paper.TASK_NAMES[run.task]}, {len(run.classes)} classes"
        axis.set(ylim=(0, 1), title=f"{name} ({style.called(run.faces)})")
    axes[0, 0].set_ylabel("error rate")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=min(3, 1 + len(runs)))
    for line in legend.get_lines() if len(runs) > 1 else ():
        if line.get_color() in style.TASK_COLOURS.values():
            line.set_color(style.GRAY)  # each panel has a colour of its own
    return figure


def _curves(axis: Axes, run: Run) -> None:
    """Draw both error rates, with the test part's interval, and that of a constant answer."""
    rates, colour = run.history.set_index("epoch"), style.TASK_COLOURS[run.task]
    axis.axhline(1 - majority(run.labels), color=style.GRAY, ls=":", label="constant answer")
    axis.plot(rates["train_error"], color=style.GRAY, label="training, in passing")
    tested, images = rates["test_error"].dropna(), len(run.labels)
    axis.plot(tested, color=colour, marker=".", ms=3, label="test, after an epoch")
    bands = [proportion_interval(round(rate * images), images) for rate in tested]
    axis.fill_between(tested.index, *np.transpose(bands), color=colour, alpha=0.2, lw=0)
    axis.set(xlabel="\n".join(["epoch", *wrap(f"ended {run.ended}" if run.ended else "", 36)]))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.yaxis.set_major_formatter(PercentFormatter(1))


COLOURS = {"image": "#d9d9d9", "convolution": "#9ecae1", "pooling": "#fdae6b", "dense": "#a1d99b"}
KINDS = {
    "convolution": "convolution and ReLU;\ntransposed convolution",
    "pooling": "max-pooling; unpooling",
    "dense": "dense layer",
}
EDGE = style.GRAY
BELOW = -4.6


class Stage(NamedTuple):
    """The shape between two layers, and the kind of layer that makes it or is undone by it."""

    kind: str
    channels: int
    size: int


def forward_stages(trace: Trace) -> list[Stage]:
    """Return the image and the output of every convolution, max-pool and dense layer."""
    stages = [Stage("image", trace.images.shape[1], trace.images.shape[2])]
    after = [*(size[0] for size in trace.sizes[1:]), trace.maps.shape[2]]
    for layer, size in zip(trace.network.body, after, strict=True):
        if isinstance(layer, Convolution):
            stages.append(Stage("convolution", layer.module.out_channels, size))
        elif isinstance(layer, Pooling):
            stages.append(Stage("pooling", stages[-1].channels, size))
    return [*stages, *(Stage("dense", d.module.out_features, 1) for d in trace.network.dense)]


def backward_stages(stages: Sequence[Stage]) -> list[Stage]:
    """Return the shapes that the deconvnet makes of the last maps, each layer undone in turn."""
    body = [stage for stage in stages if stage.kind != "dense"][::-1]
    return [body[0], *(before._replace(kind=after.kind) for after, before in pairwise(body))]


@style.styled()
def diagram(trace: Trace) -> Figure:
    """Draw the network from left to right, below it the deconvnet from right to left (Figure 3)."""
    stages = forward_stages(trace)
    back = backward_stages(stages)
    figure, axes = style.grid(1, 1, cell=style.WIDTH * 1.15, aspect=0.5)
    axis: Axes = axes[0, 0]
    places = [1.05 * number for number in range(len(stages))]
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 6, "linewidth": 0.7}
    returning = places[: len(back)][::-1]
    for row, y, xs, leave, arrive in (
        (stages, 0.0, places, 0.48, -0.26),
        (back, BELOW, returning, -0.38, 0.4),
    ):
        for stage, x in zip(row, xs, strict=True):
            _slab(axis, stage, x, y, stages[0].size)
        for start, end in pairwise(xs):
            ends = (start + leave, y), (end + arrive, y)
            axis.add_patch(FancyArrowPatch(*ends, color=EDGE, **arrow))
    arrow |= {"linestyle": (0, (3, 2)), "connectionstyle": "arc3,rad=-0.15", "color": style.RED}
    for stage, x in zip(stages, places, strict=True):
        if stage.kind == "pooling":
            axis.add_patch(FancyArrowPatch((x, -2.0), (x - 0.5, -3.1), **arrow))
            axis.text(x + 0.05, -2.55, "switches", size=6.5, color=style.RED, va="center")
    axis.text(-0.8, 1.9, "(a) convolution", weight="bold")
    axis.text(-0.8, -2.75, "(b) deconvolution", weight="bold")
    handles = [
        Polygon([(0, 0)], facecolor=COLOURS[kind], edgecolor=EDGE, label=text)
        for kind, text in KINDS.items()
    ]
    axis.legend(handles=handles, loc="lower right", fontsize=7, bbox_to_anchor=(1.0, 0.02))
    axis.set(xlim=(-1.2, places[-1] + 1.2), ylim=(-6.8, 2.3), aspect="auto")
    axis.axis("off")
    return figure


def _slab(axis: Axes, stage: Stage, x: float, y: float, largest: int) -> None:
    """Draw a stage in oblique projection: its height goes with the logarithm of the side."""
    if stage.kind == "dense":
        height, width, slant = 0.4 + 0.16 * log2(stage.channels), 0.16, 0.12
        text = f"{stage.channels:,}"
    else:
        height = 0.5 + 2.3 * log2(stage.size) / log2(largest)
        width, slant = 0.1 + 0.06 * log2(max(2, stage.channels)), 0.35 * height / 2.8
        text = f"{stage.size}²\n× {stage.channels}"
    left, right, low, high = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    front = np.array([(left, low), (right, low), (right, high), (left, high)])
    solid = np.concatenate([front, front + slant])
    faces = front, solid[[3, 2, 6, 7]], solid[[1, 5, 6, 2]]  # beside the front, top and right
    for corners, alpha in zip(faces, (1.0, 0.75, 0.5), strict=True):
        shade = 1 - alpha + alpha * np.array(to_rgb(COLOURS[stage.kind]))
        axis.add_patch(Polygon(corners, facecolor=shade, edgecolor=EDGE, linewidth=0.6))
    axis.text(x, low - 0.12, text, ha="center", va="top", fontsize=6.5, linespacing=0.95)
