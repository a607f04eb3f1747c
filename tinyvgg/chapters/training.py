"""Accuracies and over-fitting, beside the paper's (T2, F5), and the chapter's verdicts."""

import time
from collections.abc import Hashable, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from math import log2, sqrt
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
import pandas as pd
import torch
from IPython.display import clear_output, display
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import nn

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.data import PLURALS
from tinyvgg.chapters.deconvolution import convolved_size
from tinyvgg.chapters.statistics import Interval, difference_interval, proportion_interval
from tinyvgg.chapters.verdicts import Part, Verdict, in_words, weigh
from tinyvgg.network import Convolution, Dense, Layer, Pooling
from tinyvgg.paper import TASK_NAMES
from tinyvgg.reading import read_network
from tinyvgg.trace import Trace
from tinyvgg.training.batches import resident
from tinyvgg.training.experiments import Study
from tinyvgg.training.loop import predict
from tinyvgg.training.runs import Run, build_model
from tinyvgg.training.watching import Epoch, Plan, Watcher, constant_loss

_ORDERS = {"reshuffled": "new each epoch", "fixed": "the same each epoch"}


def network_table(run: Run) -> pd.DataFrame:
    """Layer by layer: what Table 1 says, what runs here, output sizes and parameters (T1)."""
    network = read_network(run.model)
    layers: list[Layer] = [*network.body, *network.dense]
    ours = [layer for layer in layers if isinstance(layer, Convolution | Pooling | Dense)]
    theirs = paper.table1().to_dict("records")
    if len(ours) != len(theirs):
        theirs = [{}] * len(ours)
    rows = []
    classes = _classes(run.task)
    sizes = {"paper": int(paper.number("t1.both.size")), "here": run.experiment.size}
    maps = 0
    for entry, layer in zip(theirs, ours, strict=True):
        said, runs = _said(entry, classes), _runs(layer)
        maps = layer.module.out_channels if isinstance(layer, Convolution) else maps
        sizes = {who: _after(size, layer) for who, size in sizes.items()}
        rows.append(
            {
                "layer": layer.name,
                "Table 1": said,
                "this run": runs,
                "output, paper": _output(sizes["paper"], maps, layer, said),
                "output, this run": _output(sizes["here"], maps, layer, runs),
                "parameters, this run": f"{_parameters(layer):,}",
            }
        )
    return pd.DataFrame(rows).set_index("layer")


def _classes(task: str) -> int | None:
    known = paper.load().numbers.get(f"t1.{task}.classes")
    return int(known.value) if known and isinstance(known.value, int) else None


def _said(entry: Mapping[Hashable, Any], classes: int | None) -> str:
    if not entry:
        return paper.NOTHING
    if entry["layer"] == "conv":
        return _conv(entry["field"], entry["stride"], entry["padding"], entry["maps"])
    if entry["layer"] == "max-pool":
        return _pool(entry["field"], entry["stride"])
    units = classes if pd.isna(entry["units"]) else entry["units"]
    return "one neuron a class" if units is None else _dense(units)


def _runs(layer: Layer) -> str:
    if isinstance(layer, Convolution):
        module = layer.module
        return _conv(module.kernel_size[0], module.stride[0], layer.padding[0], module.out_channels)
    if isinstance(layer, Pooling):
        return _pool(layer.kernel[0], layer.stride[0])
    assert isinstance(layer, Dense)
    return _dense(layer.module.out_features)


def _conv(field: object, stride: object, padding: object, maps: object) -> str:
    return f"conv {field} × {field}, stride {stride}, padding {padding}, {maps} maps"


def _pool(field: object, stride: object) -> str:
    return f"max-pool {field} × {field}, stride {stride}"


def _dense(units: object) -> str:
    return f"dense, {units} neurons"


def _after(size: int, layer: Layer) -> int:
    if isinstance(layer, Convolution):
        module = layer.module
        return convolved_size(size, module.kernel_size[0], layer.padding[0], module.stride[0])
    if isinstance(layer, Pooling):
        return convolved_size(size, layer.kernel[0], layer.padding[0], layer.stride[0])
    return size


def _output(size: int, maps: int, layer: Layer, description: str) -> str:
    if isinstance(layer, Dense):
        return description.removeprefix("dense, ").removesuffix(" neurons")
    return f"{size} × {size} × {maps}"


def _parameters(layer: Layer) -> int:
    if isinstance(layer, Pooling) or not isinstance(layer, Convolution | Dense):
        return 0
    return sum(weights.numel() for weights in layer.module.parameters())


def parameters(model: nn.Module) -> int:
    """Weights and biases of a network."""
    return sum(weights.numel() for weights in model.parameters())


def parameters_sentence(run: Run) -> str:
    """How many parameters a network has, and how many of them follow the last maps."""
    network, total = read_network(run.model), parameters(run.model)
    first = network.dense[0]
    return (
        f"With all its weights and biases the network for {in_words(run.task)} has {total:,}"
        f" parameters; {_parameters(first) / total:.0%} of them sit where the last maps,"
        f" {first.module.in_features:,} pixels, meet the first dense layer."
    )


def recipe_table(study: Study) -> pd.DataFrame:
    """The settings of each network beside the paper's (P1)."""
    columns = {f"this run, {TASK_NAMES.get(t, t)}": _recipe(study, t) for t in study.tasks}
    said = {
        "initial weights": "Glorot and Bengio's",
        "optimiser": "plain gradient descent",
        "images a batch": paper.quantity("p1.both.batch").text,
        "learning rate": paper.quantity("p1.both.rate").text,
        "epochs": paper.quantity("p1.both.epochs").text,
        "order of the images": "not said",
        "pixels are divided by": f"{paper.quantity('p1.both.code_scale').text} (published code)",
        "side of an image": paper.quantity("d2.both.size").text,
    }
    return pd.DataFrame({"paper": said, **columns}).rename_axis("setting")


def _recipe(study: Study, task: str) -> dict[str, str]:
    experiment = study.experiment(task)
    recipe = experiment.recipe
    largest = max(_glorot_share(layer) for layer in build_model(experiment).modules())
    within = largest <= 1 + 1e-6
    return {
        "initial weights": "Glorot and Bengio's" if within else "beyond Glorot and Bengio's bound",
        "optimiser": "plain gradient descent",
        "images a batch": str(recipe.batch),
        "learning rate": f"{recipe.rate:g}",
        "epochs": str(recipe.epochs),
        "order of the images": "new each epoch"
        if recipe.order == "reshuffled"
        else "the same each epoch",
        "pixels are divided by": f"{_scale(study):g}",
        "side of an image": str(experiment.size),
    }


def _glorot_share(layer: nn.Module) -> float:
    """The largest weight of a layer by Glorot and Bengio's bound."""
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return 0.0
    taps = layer.weight[0, 0].numel()
    bound = sqrt(6 / (taps * (layer.weight.shape[0] + layer.weight.shape[1])))
    return float(layer.weight.detach().abs().max()) / bound


def _scale(study: Study) -> float:
    image = np.asarray(study.faces.images[:1])
    return float(image.max() / study.faces.tensor([0]).max())


MARGIN = 0.05
"""Accuracies this much below the paper's still count as met in part."""


def speed_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Device and time of each training; both differ from machine to machine."""
    rows = []
    for run in runs:
        seconds = float(run.timings["seconds"].sum())
        images = int(run.manifest["training_images"]) * len(run.history)
        rows.append(
            {
                "task": TASK_NAMES.get(run.task, run.task),
                "device": run.device,
                "minutes": round(seconds / 60, 1),
                "images a second": round(images / seconds),
                "images a second, paper": paper.quantity("p1.both.images_per_second").text,
            }
        )
    return pd.DataFrame(rows).set_index("task")


def tasks_sentence(study: Study) -> str:
    """What the networks of a study tell, and what the text means where these are other tasks."""
    told = [f"{len(study.faces.index.classes(task))} {PLURALS[task]}" for task in study.tasks]
    if set(study.tasks) >= {"subject", "emotion"}:
        return f"In this run one network tells {told[0]}, the other {told[-1]}."
    return (
        f"The source of this run does not know both of these tasks: what is trained here tells"
        f" {' and '.join(told)}, and comparisons of identity with emotion are left out."
    )


def majority(labels: Int[np.ndarray, "n"]) -> float:
    """Accuracy of the constant answer that is right most often."""
    return float(np.bincount(labels).max() / len(labels))


def train_errors(run: Run) -> int:
    """Training images that the final weights get wrong.

    The error rate of the history is another: that of the batches while the weights moved.
    """
    with torch.no_grad():
        logits, labels = predict(
            run.model, resident(run.faces, run.task, "cpu", run.scaling), run.split.train
        )
    return int((logits.argmax(1) != labels).sum())


def gap(run: Run, wrong_in_training: int) -> tuple[float, Interval]:
    """Test error less training error of the final weights, and its 95 % interval (F5)."""
    test, train = (
        _rate(len(run.errors), len(run.labels)),
        _rate(wrong_in_training, len(run.split.train)),
    )
    return test[0] - train[0], difference_interval(*test, *train)


def _rate(errors: int, images: int) -> tuple[float, Interval]:
    return errors / images, proportion_interval(errors, images)


def accuracy_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Table 2 beside ours, with Wilson's intervals and the constant answer (T2)."""
    rows: list[paper.Row] = []
    for run in runs:
        test, errors = len(run.labels), len(run.errors)
        low, high = proportion_interval(errors, test)
        key = f"t2.{run.task}"
        rows += [
            ("", f"{key}.train_size", len(run.split.train)),
            ("", f"{key}.test_size", test),
            ("", f"{key}.classes", len(run.classes)),
            ("", f"{key}.accuracy", run.accuracy, (1 - high, 1 - low)),
            ("", f"{key}.errors", errors, (float(round(low * test)), float(round(high * test)))),
            ("", f"{key}.majority", majority(run.labels)),
        ]
    return paper.compare(rows)


def best_epoch_sentence(runs: Sequence[Run]) -> str:
    """What the accuracies would read for the epoch that does best on the test part, in words."""
    readings = {run.task: _readings(run) for run in runs}
    other = [
        f"{best} for {in_words(task)} instead of {last}"
        for task, (best, last) in readings.items()
        if best != last
    ]
    same = [in_words(task) for task, (best, last) in readings.items() if best == last]
    last = f"For {' and '.join(same)} no epoch does better on the test part than the last one."
    if not other:
        return last
    noun = "accuracy" if len(other) == 1 else "accuracies"
    would = f"Had the best epoch on the test part been kept, the {noun} would read"
    return f"{would} {' and '.join(other)}.{f' {last}' if same else ''}"


def _readings(run: Run) -> tuple[str, str]:
    """The accuracies of the best and of the last epoch as tables show them."""
    best, last = (paper.show(value, "percent") for value in (best_accuracy(run), run.accuracy))
    return best, last


def best_accuracy(run: Run) -> float:
    """Accuracy of the epoch that does best on the test part."""
    return 1 - float(run.history["test_error"].min())


def gap_table(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> pd.DataFrame:
    """Error rates of the final weights on both parts, and the gap between them, in percent."""
    rows = []
    for run, wrong in zip(runs, wrong_in_training, strict=True):
        difference, interval = gap(run, wrong)
        rows.append(
            {
                "task": TASK_NAMES.get(run.task, run.task),
                "classes": len(run.classes),
                "training error": paper.show(wrong / len(run.split.train), "percent"),
                "while training": paper.show(float(run.history.train_error.iloc[-1]), "percent"),
                "test error": paper.show(1 - run.accuracy, "percent"),
                "gap": paper.show(difference, "percent"),
                "95 % interval": paper.show_interval(interval, "percent"),
            }
        )
    return pd.DataFrame(rows).set_index("task")


def numbers(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> dict[str, float]:
    """Rates that chapter 2 records, none of them exact on another machine."""
    found: dict[str, float] = {}
    for run, wrong in zip(runs, wrong_in_training, strict=True):
        found |= {
            f"t2.{run.task}.accuracy": run.accuracy,
            f"t2.{run.task}.best_accuracy": best_accuracy(run),
            f"f5.{run.task}.train_accuracy": 1 - wrong / len(run.split.train),
            f"f5.{run.task}.gap": gap(run, wrong)[0],
        }
    return found


def exact_numbers(runs: Sequence[Run]) -> dict[str, float]:
    """What follows from design and settings, and is the same on every machine."""
    found: dict[str, float] = {}
    for run in runs:
        recipe, key = run.experiment.recipe, run.task
        found |= {
            f"t1.{key}.classes": len(run.classes),
            f"t1.{key}.parameters": parameters(run.model),
            f"p1.{key}.epochs": recipe.epochs,
            f"t2.{key}.train_size": len(run.split.train),
            f"t2.{key}.test_size": len(run.labels),
            f"t2.{key}.majority": majority(run.labels),
        }
    first = runs[0]
    return found | {
        "t1.both.size": first.experiment.size,
        "t1.both.last_pixels": read_network(first.model).dense[0].module.in_features,
        "p1.both.batch": first.experiment.recipe.batch,
        "p1.both.rate": first.experiment.recipe.rate,
    }


def verdicts(study: Study, runs: Sequence[Run], wrong_in_training: Sequence[int]) -> list[Verdict]:
    """T1, P1, T2 and F5, by the rules that the chapter states."""
    return [
        _network_verdict(runs),
        _recipe_verdict(runs),
        *(
            [_accuracy_verdict(runs), _overfitting_verdict(runs, wrong_in_training)]
            if set(study.tasks) >= {"subject", "emotion"}
            else [
                weigh(claim, "the source has no two tasks of identity and emotion to compare")
                for claim in ("T2", "F5")
            ]
        ),
    ]


def _network_verdict(runs: Sequence[Run]) -> Verdict:
    tables = [network_table(run) for run in runs]
    layers = all(
        (table["Table 1"].iloc[:-1] == table["this run"].iloc[:-1]).all() for table in tables
    )
    size, papers = runs[0].experiment.size, int(paper.number("t1.both.size"))
    return weigh(
        "T1",
        [
            Part(
                layers, "every layer as in Table 1" if layers else "not every layer as in Table 1"
            ),
            Part(
                size == papers, f"images of {size} × {size} pixels, Table 1 has {papers} × {papers}"
            ),
        ],
    )


def _recipe_verdict(runs: Sequence[Run]) -> Verdict:
    recipes = [run.experiment.recipe for run in runs]
    parts = [Part(True, "Glorot and Bengio's initial weights, plain gradient descent")]
    for name in ("batch", "rate", "epochs"):
        about = paper.quantity(f"p1.both.{name}")
        values = [getattr(recipe, name) for recipe in recipes]
        same = all(value == about.value for value in values)
        shown = " and ".join(dict.fromkeys(f"{value:g}" for value in values))
        parts.append(Part(same, f"{about.label} {shown}" + ("" if same else f" for {about.text}")))
    return weigh("P1", parts)


def _accuracy_verdict(runs: Sequence[Run]) -> Verdict:
    """Met where the interval reaches the paper's accuracy; in part within `MARGIN` of it."""
    parts, near = [], False
    for run in runs:
        theirs = paper.number(f"t2.{run.task}.accuracy")
        low, high = proportion_interval(len(run.errors), len(run.labels))
        best, worst = 1 - low, 1 - high
        shown = paper.show_interval((worst, best), "percent")
        printed = paper.show(theirs, "percent")
        ours = paper.show(run.accuracy, "percent")
        fact = f"{TASK_NAMES[run.task]} {ours} ({shown}), paper {printed}"
        parts.append(Part(best >= theirs, fact))
        near |= run.accuracy >= theirs - MARGIN
    found = weigh("T2", parts)
    if found.verdict == "does not hold" and near:
        return Verdict("T2", "holds in part", found.reason)
    return found


def _overfitting_verdict(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> Verdict:
    """Holds where the gap of emotion exceeds that of identity by more than chance."""
    by_task = {
        run.task: (run, gap(run, wrong)) for run, wrong in zip(runs, wrong_in_training, strict=True)
    }
    learned = [
        proportion_interval(len(run.errors), len(run.labels)).high < 1 - majority(run.labels)
        for run, _ in by_task.values()
    ]
    if not all(learned):
        reason = "a network is no better than the constant answer, and cannot over-fit"
        return weigh("F5", reason)
    emotion, identity = by_task["emotion"][1], by_task["subject"][1]
    difference = emotion[0] - identity[0]
    interval = difference_interval(*emotion, *identity)
    fact = (
        f"gap between test and training error {paper.show(emotion[0], 'percent')} for emotion and "
        f"{paper.show(identity[0], 'percent')} for identity, difference "
        f"{paper.show(difference, 'percent')} ({paper.show_interval(interval, 'percent')})"
    )
    if interval.low > 0:
        return Verdict("F5", "holds", fact)
    if interval.high < 0:
        return Verdict("F5", "does not hold", fact)
    return Verdict(
        "F5", "holds in part" if difference > 0 else "does not hold", fact + ", within chance"
    )


def curve(run: Run) -> tuple[Float[np.ndarray, "e"], Float[np.ndarray, "e 2"]]:
    """Test error after each epoch and its 95 % interval."""
    rates = run.history["test_error"].to_numpy()
    test = len(run.labels)
    bands = [proportion_interval(round(rate * test), test) for rate in rates]
    return rates, np.array(bands)


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


COLOURS = {
    "image": "#d9d9d9",
    "convolution": "#9ecae1",
    "pooling": "#fdae6b",
    "dense": "#a1d99b",
    "unpooling": "#fdae6b",
    "deconvolution": "#9ecae1",
}
SLANT = 0.35


class Stage(NamedTuple):
    """What stands between two layers: which kind of layer made it, and its shape."""

    kind: str
    channels: int
    size: int

    @property
    def text(self) -> str:
        """The shape as the figure writes it."""
        if self.kind == "dense":
            return f"{self.channels:,}"
        return f"{self.size}²\n× {self.channels}"


def forward_stages(trace: Trace) -> list[Stage]:
    """The image and the output of every convolution, max-pool and dense layer."""
    body = trace.network.body
    stages = [Stage("image", trace.images.shape[1], trace.images.shape[2])]
    after = [*(size[0] for size in trace.sizes[1:]), trace.maps.shape[2]]
    for layer, size in zip(body, after, strict=True):
        if isinstance(layer, Convolution):
            stages.append(Stage("convolution", layer.module.out_channels, size))
        elif isinstance(layer, Pooling):
            stages.append(Stage("pooling", stages[-1].channels, size))
    dense: Sequence[Dense] = trace.network.dense
    return stages + [Stage("dense", layer.module.out_features, 1) for layer in dense]


def backward_stages(stages: Sequence[Stage]) -> list[Stage]:
    """What the deconvnet makes of the last maps, in its own order: each stage undone in turn."""
    body = [stage for stage in stages if stage.kind != "dense"]
    undone = {"pooling": "unpooling", "convolution": "deconvolution"}
    made = [Stage("pooling", body[-1].channels, body[-1].size)]
    for before, after in zip(reversed(body[:-1]), reversed(body), strict=False):
        made.append(Stage(undone[after.kind], before.channels, before.size))
    return made


@style.styled()
def diagram(trace: Trace) -> Figure:
    """The network from left to right, and below it the deconvnet from right to left (Figure 3)."""
    stages = forward_stages(trace)
    back = backward_stages(stages)
    figure, axes = style.grid(1, 1, cell=style.WIDTH * 1.15, aspect=0.5)
    axis: Axes = axes[0, 0]
    largest = stages[0].size
    places = _draw_row(axis, stages, 0.0, largest)
    body = places[: len(back)]
    for stage, (x, _) in zip(back, reversed(body), strict=True):
        _draw(axis, stage, x, -4.6, largest)
    _arrows(axis, [x for x, _ in places], 0.0, 1)
    _arrows(axis, [x for x, _ in reversed(body)], -4.6, -1)
    for stage, (x, _) in zip(stages, body, strict=False):
        if stage.kind == "pooling":
            _switches(axis, x)
    axis.text(-0.8, 1.9, "(a) convolution", weight="bold", ha="left")
    axis.text(-0.8, -2.75, "(b) deconvolution", weight="bold", ha="left")
    _legend(axis)
    axis.set(xlim=(-1.2, places[-1][0] + 1.2), ylim=(-6.8, 2.3), aspect="auto")
    axis.axis("off")
    return figure


def _draw_row(
    axis: Axes, stages: Sequence[Stage], y: float, largest: int
) -> list[tuple[float, float]]:
    places = []
    x = 0.0
    for before, stage in zip([None, *stages], stages, strict=False):
        if before is not None:
            x += 1.05
        _draw(axis, stage, x, y, largest)
        places.append((x, y))
    return places


def _height(stage: Stage, largest: int) -> float:
    """Height of a slab: by the logarithm of the size, so that small maps can still be seen."""
    if stage.kind == "dense":
        return 0.4 + 0.16 * log2(stage.channels)
    return 0.5 + 2.3 * log2(stage.size) / log2(largest)


def _draw(axis: Axes, stage: Stage, x: float, y: float, largest: int) -> None:
    """A slab in oblique projection; its width grows with the number of maps."""
    height = _height(stage, largest)
    width = 0.16 if stage.kind == "dense" else 0.1 + 0.06 * log2(max(2, stage.channels))
    slant = 0.12 if stage.kind == "dense" else SLANT * height / 2.8
    left, right = x - width / 2, x + width / 2
    low, high = y - height / 2, y + height / 2
    colour = COLOURS[stage.kind]
    sides = (
        ([(left, low), (right, low), (right, high), (left, high)], 1.0),
        (
            [
                (left, high),
                (right, high),
                (right + slant, high + slant),
                (left + slant, high + slant),
            ],
            0.75,
        ),
        (
            [
                (right, low),
                (right + slant, low + slant),
                (right + slant, high + slant),
                (right, high),
            ],
            0.5,
        ),
    )
    for corners, alpha in sides:
        axis.add_patch(Polygon(corners, facecolor="white", edgecolor="none"))
        axis.add_patch(
            Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="#404040", linewidth=0.6)
        )
    axis.text(x, low - 0.12, stage.text, ha="center", va="top", fontsize=6.5, linespacing=0.95)


def _arrows(axis: Axes, places: Sequence[float], y: float, direction: int) -> None:
    for start, end in pairwise(places):
        axis.add_patch(
            FancyArrowPatch(
                (start + 0.38 * direction + (0.1 if direction > 0 else 0), y),
                (end - 0.26 * direction + (0.0 if direction > 0 else 0.14), y),
                arrowstyle="-|>",
                mutation_scale=6,
                linewidth=0.7,
                color="#404040",
            )
        )


def _switches(axis: Axes, x: float) -> None:
    axis.add_patch(
        FancyArrowPatch(
            (x, -2.0),
            (x - 0.5, -3.1),
            connectionstyle="arc3,rad=-0.15",
            arrowstyle="-|>",
            mutation_scale=7,
            linewidth=0.8,
            linestyle=(0, (3, 2)),
            color=style.RED,
        )
    )
    axis.text(x + 0.05, -2.55, "switches", fontsize=6.5, color=style.RED, ha="left", va="center")


def _legend(axis: Axes) -> None:
    kinds = {
        "convolution": "convolution and ReLU;\ntransposed convolution",
        "pooling": "max-pooling; unpooling",
        "dense": "dense layer",
    }
    handles = [
        Polygon([(0, 0)], facecolor=COLOURS[kind], edgecolor="#404040", label=text)
        for kind, text in kinds.items()
    ]
    axis.legend(handles=handles, loc="lower right", fontsize=7, bbox_to_anchor=(1.0, 0.02))


SHARE = 0.05
"""At most this share of the time goes into drawing."""


class LiveErrors(Watcher):
    """Training and test error over the epochs, drawn anew while the network learns.

    Args:
        title: what stands above the curves.
        keep: whether they stay when the training has ended; otherwise the cell's output is cleared.
    """

    def __init__(self, title: str = "", keep: bool = True) -> None:
        self.title, self.keep = title, keep
        self.image = ipywidgets.Image(format="png", layout={"max_width": "32em"})
        self.history: list[Epoch] = []
        self.epochs = 1
        self._due = 0.0

    def begin(self, plan: Plan) -> None:
        """Show the curves so far."""
        self.history, self.epochs = list(plan.history), plan.epochs
        display(self.image)
        self._draw()

    def epoch(self, epoch: Epoch, images: int) -> None:
        """Add an epoch, and draw unless that was done just before."""
        self.history.append(epoch)
        if time.monotonic() >= self._due:
            self._draw()

    def end(self) -> None:
        """Draw the last state, or clear it away."""
        self._draw()
        if not self.keep:
            clear_output()

    def _draw(self) -> None:
        started = time.monotonic()
        buffer = BytesIO()
        learning_curve(self.history, self.epochs, self.title).savefig(buffer, format="png")
        self.image.value = buffer.getvalue()
        now = time.monotonic()
        self._due = now + (now - started) / SHARE
