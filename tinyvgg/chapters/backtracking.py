"""How much backtracking depends on the class it starts from, and how much it keeps."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import Backtrack, Cutoff, Literal, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import LEVEL, Interval, bootstrap_interval, proportion_interval
from tinyvgg.chapters.verdicts import Part, Verdict, mean_with_interval, weigh
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.trace import Trace, record
from tinyvgg.training.runs import Run

RULES: Mapping[str, Rule] = MappingProxyType({"literal": Literal(), "cutoff": Cutoff()})
"""Algorithm 1 as printed, and with the published code's cutoff."""

PIXELS = "pixels"


def record_errors(run: Run) -> Trace:
    """One recorded pass of all misclassified test images, in the order of ``run.errors``."""
    return record(run.model, run.tensor(run.split.test[run.errors]))


def error_labels(run: Run) -> Int[Tensor, "n"]:
    """True labels of the misclassified test images."""
    return torch.from_numpy(run.labels[run.errors])


def sample_rows(run: Run, count: int, seed: int) -> Int[np.ndarray, "m"]:
    """At most `count` test rows at random, in ascending order."""
    rows = np.random.default_rng(seed).permutation(run.split.test)[:count]
    chosen: Int[np.ndarray, "m"] = np.sort(rows)
    return chosen


def random_classes(trace: Trace, labels: Int[Tensor, "n"], seed: int) -> Int[Tensor, "n"]:
    """A class at random that is neither predicted nor true; of two classes, the other one."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(trace.logits.shape, generator=generator)
    if trace.network.classes > 2:
        scores.scatter_(1, labels[:, None], -1)
    return scores.scatter(1, trace.predicted[:, None], -2).argmax(1)


@dataclass(frozen=True, eq=False)
class Followed:
    """Images followed back from three classes each, under several rules.

    Attributes:
        trace: of n images.
        targets: by name, ``predicted``, ``true`` and ``random``, the class of each image.
        found: by rule and by target.
    """

    trace: Trace
    targets: Mapping[str, Int[Tensor, "n"]]
    found: Mapping[str, Mapping[str, Backtrack]]

    def pixels(self, rule: str, target: str = "predicted") -> Bool[Tensor, "n c h w"]:
        """The pixels that a rule finds."""
        return self.found[rule][target].pixels


def follow(
    trace: Trace, labels: Int[Tensor, "n"], seed: int = 0, rules: Mapping[str, Rule] = RULES
) -> Followed:
    """Backtrack each image from the class it was given, its true class and a random other one."""
    targets = {
        "predicted": trace.predicted,
        "true": labels,
        "random": random_classes(trace, labels, seed),
    }
    found = {
        name: {target: backtrack(trace, classes, rule) for target, classes in targets.items()}
        for name, rule in rules.items()
    }
    return Followed(trace, targets, found)


def follow_errors(run: Run, seed: int = 0) -> Followed:
    """`follow` for all errors of a run."""
    return follow(record_errors(run), error_labels(run), seed)


def masks(found: Backtrack) -> dict[str, Bool[Tensor, "n _"]]:
    """What was kept by layer, in the order of the walk: a_n, ..., a_1, then the pixels."""
    return _by_layer([*found.neurons, found.pixels.flatten(1)])


def active(trace: Trace) -> dict[str, Bool[Tensor, "n _"]]:
    """Units with a positive activation by layer, in the order of `masks`."""
    return _by_layer([*(a > 0 for a in trace.dense), trace.maps.flatten(1) > 0])


def _by_layer(parts: Sequence[Tensor]) -> dict[str, Tensor]:
    *dense, pixels = parts
    names = [f"a_{layer}" for layer in range(1, len(dense) + 1)]
    return {**dict(reversed(list(zip(names, dense, strict=True)))), PIXELS: pixels}


def kept_table(followed: Followed) -> pd.DataFrame:
    """One row for each rule, layer and image, followed from the predicted class.

    Columns: ``rule``, ``layer``, ``image``, ``kept``, ``active``, ``total`` (units), and
    ``share``, the kept ones among the active; NaN where no unit is active.
    """
    on = active(followed.trace)
    parts = [
        _kept(rule, layer, kept, on[layer])
        for rule, found in followed.found.items()
        for layer, kept in masks(found["predicted"]).items()
    ]
    return pd.concat(parts, ignore_index=True)


def _kept(rule: str, layer: str, kept: Tensor, on: Tensor) -> pd.DataFrame:
    counts, of = kept.sum(1).numpy(), on.sum(1).numpy()
    share = np.divide(counts, of, out=np.full(len(of), np.nan), where=of > 0)
    return pd.DataFrame(
        {
            "rule": rule,
            "layer": layer,
            "image": np.arange(len(of)),
            "kept": counts,
            "active": of,
            "total": kept.shape[1],
            "share": share,
        }
    )


def jaccard(first: Bool[Tensor, "n ..."], second: Bool[Tensor, "n ..."]) -> Float[Tensor, "n"]:
    """Overlap of two sets for each image: intersection over union, NaN where both are empty."""
    both = (first & second).flatten(1).sum(1).double()
    either = (first | second).flatten(1).sum(1).double()
    return both / either


def overlap_table(followed: Followed) -> pd.DataFrame:
    """Overlap of the sets of the predicted class with those of the true and of a random class.

    One row for each rule, layer, other class and image; columns ``rule``, ``layer``, ``against``,
    ``image``, ``overlap``. The rule ``contribution`` is the control that knows the class: as many
    pixels as the last rule keeps, those with the largest exact share in the logit of the class.
    """
    sets = {
        rule: {target: masks(found) for target, found in by_target.items()}
        for rule, by_target in followed.found.items()
    }
    sets["contribution"] = contribution_sets(followed)
    rows = [
        pd.DataFrame(
            {
                "rule": rule,
                "layer": layer,
                "against": target,
                "image": np.arange(len(followed.trace)),
                "overlap": jaccard(kept, by_target[target][layer]).numpy(),
            }
        )
        for rule, by_target in sets.items()
        for target in ("true", "random")
        for layer, kept in by_target["predicted"].items()
    ]
    return pd.concat(rows, ignore_index=True)


def contribution_sets(followed: Followed) -> dict[str, dict[str, Bool[Tensor, "n _"]]]:
    """By class, as many pixels as the last rule keeps, of the largest share in its logit."""
    counts = list(followed.found.values())[-1]["predicted"].pixels.flatten(1).sum(1)
    return {
        target: {PIXELS: top_pixels(contributions(followed.trace, of), counts).flatten(1)}
        for target, of in followed.targets.items()
    }


def averages(table: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean of a column with its 95 % bootstrap interval (``low``, ``high``) and ``images``."""
    groups = table.dropna(subset=[value]).groupby(list(by), sort=False)[value]
    columns = [*by, "images", "mean", "low", "high"]
    return pd.DataFrame(
        [_average(key, part.to_numpy(float)) for key, part in groups], None, columns
    )


def _average(key: object, values: Float[np.ndarray, "n"]) -> list[object]:
    names = list(key) if isinstance(key, tuple) else [key]
    return [*names, len(values), values.mean(), *bootstrap_interval(values)]


def difference_interval(
    first: Float[np.ndarray, "n"],
    second: Float[np.ndarray, "m"],
    level: float = LEVEL,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the difference of the means of two separate groups."""
    if not len(first) or not len(second):
        return Interval(float("nan"), float("nan"))
    generator = np.random.default_rng(seed)
    means = [
        values[generator.integers(0, len(values), (draws, len(values)))].mean(1)
        for values in (first, second)
    ]
    low, high = np.quantile(means[0] - means[1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


@torch.no_grad()
def logit_terms(trace: Trace) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n"]]:
    """The terms of the winning logit: a_i W_ik of each neuron i, and b_k (equation 3)."""
    layer = trace.network.dense[-1].module
    products = trace.dense[-1] * layer.weight[trace.predicted]
    bias: Tensor | None = layer.bias
    if bias is None:
        return products, products.new_zeros(len(products))
    return products, bias[trace.predicted]


@torch.no_grad()
def logits_without_biases(trace: Trace, every: bool = False) -> Float[Tensor, "n k"]:
    """Logits without the biases of the last dense layer, or of `every` dense layer."""
    layers = [layer.module.weight for layer in trace.network.dense]
    if not every:
        return trace.dense[-1] @ layers[-1].T
    activations = trace.maps.flatten(1)
    for weight in layers[:-1]:
        activations = (activations @ weight.T).relu()
    return activations @ layers[-1].T


def bias_table(trace: Trace) -> pd.DataFrame:
    """One row an image: how much of the winning logit is bias, and whether the answer needs it.

    Columns: ``logit``, ``products`` (their sum), ``bias``; ``share``, the bias' size over the
    sizes of all terms; ``same_without_last`` and ``same_without_all``, whether the same class
    wins without the biases of the last and of every dense layer.
    """
    products, bias = logit_terms(trace)
    sizes = products.abs().sum(1) + bias.abs()
    return pd.DataFrame(
        {
            "logit": trace.logits.amax(1).numpy(),
            "products": products.sum(1).numpy(),
            "bias": bias.numpy(),
            "share": (bias.abs() / sizes.clamp_min(1e-30)).numpy(),
            "same_without_last": _same(trace, every=False),
            "same_without_all": _same(trace, every=True),
        }
    )


def _same(trace: Trace, every: bool) -> Bool[np.ndarray, "n"]:
    same: Bool[np.ndarray, "n"] = (
        logits_without_biases(trace, every).argmax(1) == trace.predicted
    ).numpy()
    return same


def example(run: Run) -> Trace:
    """A recorded pass of the first misclassified test image; of the first one where none is."""
    rows = run.split.test[run.errors] if len(run.errors) else run.split.test
    return record(run.model, run.tensor(rows[:1]))


BY_TASK = Mapping[str, Followed]
CLOSE = 1e-5
FEW = 0.05
FORGOTTEN = 0.99


def equation_table(image: Trace, classes: tuple[str, ...]) -> pd.DataFrame:
    """Equations 2 and 3 term by term for one image, beside what the network computes."""
    products, bias = logit_terms(image)
    z = image.logits[0].double()
    k = int(image.predicted[0])
    summed = float(products.double().sum() + bias.double())
    softmax = float(z[k].exp() / z.exp().sum())
    rows = {
        "k, the class that wins": classes[k],
        "neurons i with a_i W_ik > 0": int((products > 0).sum()),
        "neurons i with a_i W_ik < 0": int((products < 0).sum()),
        "sum of the positive a_i W_ik": f"{float(products.clamp_min(0).sum()):.4f}",
        "sum of the negative a_i W_ik": f"{float(products.clamp_max(0).sum()):.4f}",
        "b_k": f"{float(bias):.4f}",
        "x_k by equation 3": f"{summed:.4f}",
        "x_k in the network": f"{float(z[k]):.4f}",
        "probability by equation 2": f"{softmax:.4f}",
        "probability in the network": f"{float(image.probabilities[0, k]):.4f}",
    }
    return pd.DataFrame({"value": rows}).rename_axis("quantity")


def softmax_gap(trace: Trace) -> float:
    """Largest difference between equation 2 in float64 and the network's probabilities."""
    powers = (trace.logits.double() - trace.logits.double().amax(1, keepdim=True)).exp()
    return _largest((powers / powers.sum(1, keepdim=True) - trace.probabilities).abs())


def sum_gap(trace: Trace) -> float:
    """Largest difference between equation 3 and the winning logit, over the size of its terms."""
    products, bias = (values.double() for values in logit_terms(trace))
    size = (products.abs().sum(1) + bias.abs()).clamp_min(1e-30)
    return _largest((products.sum(1) + bias - trace.logits.double().amax(1)).abs() / size)


def _largest(values: torch.Tensor) -> float:
    return float(values.max()) if values.numel() else 0.0


def bias_summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How large the output biases are, and how often the answer stays without any, by task.

    Args:
        tables: by task, `tinyvgg.chapters.backtracking.bias_table` of its images.
    """
    rows = {
        paper.TASK_NAMES.get(task, task): {
            "images": len(table),
            "mean |b_k|": f"{table['bias'].abs().mean():.4f}",
            "mean |x_k|": f"{table['logit'].abs().mean():.4f}",
            "share of b_k in all terms": f"{table['share'].mean():.2%}",
            "same answer without the last layer's biases": _rate(table["same_without_last"]),
            "same answer without any dense bias": _rate(table["same_without_all"]),
        }
        for task, table in tables.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def _rate(answers: "pd.Series[bool]") -> str:
    low, high = proportion_interval(int(answers.sum()), len(answers))
    return f"{answers.mean():.3f} ({low:.3f} to {high:.3f})"


def step3_table(trace: Trace) -> pd.DataFrame:
    """The lengths that step 3 of Algorithm 1 pairs, as printed and as it must be read."""
    lengths = [trace.maps[0].numel(), *(a.shape[1] for a in trace.dense)]
    rows = [
        (j, length, below, below, length == below)
        for j, (below, length) in reversed(list(enumerate(pairwise(lengths), start=1)))
    ]
    columns = ["j", "elements of a_j", "rows of W_j", "elements of a_(j-1)", "step 3 fits"]
    return pd.DataFrame(rows, columns=columns).set_index("j")


def kept_summary(followed: BY_TASK) -> pd.DataFrame:
    """Share of active units kept, by layer (rows) and by task and rule (columns)."""
    return _wide(followed, lambda part: averages(kept_table(part), ["rule", "layer"], "share"))


def overlap_summary(followed: BY_TASK) -> pd.DataFrame:
    """Overlap with the sets of another class, by rule, layer and class; a column for each task."""
    by = ["rule", "layer", "against"]
    return _wide(followed, lambda part: averages(overlap_table(part), by, "overlap"))


def _wide(followed: BY_TASK, average: Callable[[Followed], pd.DataFrame]) -> pd.DataFrame:
    columns = []
    for task, part in followed.items():
        table = average(part)
        names = [name for name in table.columns if name not in ("images", "mean", "low", "high")]
        text = [
            f"{m:.3f} ({low:.3f} to {high:.3f})"
            for m, low, high in zip(table["mean"], table["low"], table["high"], strict=True)
        ]
        index = pd.MultiIndex.from_frame(table[names])
        columns.append(pd.Series(text, index, dtype=object, name=_name(task)))
    return pd.concat(columns, axis=1, sort=False).fillna(paper.NOTHING)


def pixel_counts(followed: Followed, rule: str) -> Float[np.ndarray, "n"]:
    """Backtracked pixels of each image."""
    counts: Float[np.ndarray, "n"] = (
        followed.pixels(rule).flatten(1).sum(1).numpy().astype(np.float64)
    )
    return counts


def pixel_numbers(followed: BY_TASK) -> dict[str, float]:
    """The numbers of claim B1 by key: mean pixels by rule, shares, active ones and all."""
    numbers: dict[str, float] = {}
    for task, part in followed.items():
        maps = part.trace.maps
        on = _mean((maps > 0).flatten(1).sum(1).numpy().astype(float))
        numbers |= {
            f"b1.{task}.active": on,
            f"b1.{task}.total": maps[0].numel() if len(maps) else 0,
        }
        for rule in part.found:
            mean = _mean(pixel_counts(part, rule))
            numbers[f"b1.{task}.pixels_{rule}"] = mean
            numbers[f"b1.{task}.share_{rule}"] = mean / max(1, maps.shape[1:].numel())
            numbers[f"b1.{task}.active_share_{rule}"] = mean / on if on else float("nan")
    return numbers


def _mean(values: Float[np.ndarray, "n"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def pixel_summary(followed: BY_TASK) -> pd.DataFrame:
    """The paper's mean number of pixels beside that of each rule, as numbers and as shares."""
    rows = [row for task, part in followed.items() for row in _pixel_rows(task, part)]
    columns = ["task", "of", "images", "mean pixels", "95 % interval", "of all pixels", "of active"]
    return pd.DataFrame(rows, columns=columns).set_index(["task", "of"])


def _pixel_rows(task: str, part: Followed) -> Iterable[tuple[object, ...]]:
    name, total = paper.TASK_NAMES.get(task, task), part.trace.maps.shape[1:].numel()
    on = (part.trace.maps > 0).flatten(1).sum(1).numpy().astype(float)
    key, dash = f"b1.{task}.pixels", paper.NOTHING
    if key in paper.load().numbers:
        theirs = paper.number(key)
        share = theirs / paper.number("t1.both.last_pixels")
        yield name, "paper", dash, paper.quantity(key).text, dash, f"{share:.3f}", dash
    for rule in part.found:
        counts = pixel_counts(part, rule)
        interval = paper.show_interval(bootstrap_interval(counts), "mean")
        mean = _mean(counts)
        shares = (mean / total, mean / on.mean() if on.sum() else float("nan"))
        shown = [paper.show(share, "share") for share in shares]
        yield name, rule, len(counts), paper.show(mean, "mean"), interval, *shown


def forgotten(followed: Followed, rule: str, against: str = "random") -> pd.DataFrame:
    """Overlap of the pixel sets of the predicted and another class: one row, or none."""
    table = overlap_table(followed)
    chosen = (table["rule"] == rule) & (table["layer"] == PIXELS) & (table["against"] == against)
    return averages(table[chosen], ["rule"], "overlap")


def overlap_numbers(followed: BY_TASK) -> dict[str, float]:
    """Mean overlap of the pixel sets of the predicted and another class, by key."""
    rules = ("literal", "cutoff", "contribution")
    return {
        f"a1.{task}.jaccard_{rule}{suffix}": float(forgotten(part, rule, against)["mean"].mean())
        for task, part in followed.items()
        for rule in rules
        for against, suffix in (("random", ""), ("true", "_true"))
    }


def largest_summary(followed: BY_TASK) -> pd.DataFrame:
    """Share of the cutoff's pixels that are among as many with the largest activations, by task.

    Beside it the share that as many active pixels at random would have.
    """
    rows = {
        _name(task): {
            "images with pixels": int(found.notna().sum()),
            "among as many of the largest activation": mean_with_interval(found),
            "expected of random active pixels": mean_with_interval(expected),
        }
        for task, (found, expected) in {t: _among_largest(p) for t, p in followed.items()}.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def largest_numbers(followed: BY_TASK) -> dict[str, float]:
    """The share of `largest_summary` by key."""
    return {
        f"a1.{task}.cutoff_in_largest": float(_among_largest(part)[0].mean())
        for task, part in followed.items()
    }


def _among_largest(part: Followed) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    pixels, maps = part.pixels("cutoff"), part.trace.maps
    counts = pixels.flatten(1).sum(1)
    both = (pixels & top_pixels(maps, counts)).flatten(1).sum(1).double()
    on = (maps > 0).flatten(1).sum(1).double()
    return pd.Series((both / counts).numpy()), pd.Series((counts / on).numpy())


def bias_numbers(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Numbers of claim E3 by key."""
    return {
        f"e3.{task}.{name}": float(table[column].mean())
        for task, table in tables.items()
        for name, column in (
            ("bias_share", "share"),
            ("unchanged_without_bias", "same_without_last"),
            ("unchanged_without_any_bias", "same_without_all"),
        )
    }


def equation_verdicts(
    samples: Mapping[str, Trace], tables: Mapping[str, pd.DataFrame]
) -> list[Verdict]:
    """E2, E3 and F6: whether the equations are what the network does, whether biases are small.

    Biases count as small for a task where leaving out those of the last layer changes fewer than
    `FEW` of the answers, the whole interval considered.
    """
    softmax = max(softmax_gap(trace) for trace in samples.values())
    sums = max(sum_gap(trace) for trace in samples.values())
    drift = f"{sums:.0e} of the size of its terms"
    small = []
    for task, table in tables.items():
        changed = int((~table["same_without_last"]).sum())
        high = proportion_interval(changed, len(table)).high
        what = f"{_name(task)}: without the last biases {changed} of {len(table)} answers change"
        small.append(Part(high < FEW, what))
    return [
        weigh("E2", [Part(softmax < CLOSE, f"largest deviation from equation 2: {softmax:.0e}")]),
        weigh("E3", [Part(sums < CLOSE, f"largest deviation from equation 3: {drift}"), *small]),
        weigh("F6", [Part(sums < CLOSE, "the terms drawn add up to the winning logit")]),
    ]


def _name(task: str) -> str:
    return paper.TASK_NAMES.get(task, task)


def algorithm_verdicts(followed: BY_TASK, step3: pd.DataFrame, agrees: bool) -> list[Verdict]:
    """A1, F7 and B1, from the errors of all tasks that have any."""
    with_errors = {task: part for task, part in followed.items() if len(part.trace)}
    if not with_errors:
        return [
            weigh(claim, "this run has no misclassified images") for claim in ("A1", "F7", "B1")
        ]
    fits = Part(bool(step3["step 3 fits"].all()), "step 3 can run as printed")
    runs = Part(agrees, "read with a_(j-1), its loops and the package find the same pixels")
    classes = [_looks_at_class(task, part) for task, part in with_errors.items()]
    return [weigh("A1", [fits, runs, *classes]), *_of_both_tasks(with_errors)]


def _looks_at_class(task: str, part: Followed) -> Part:
    found = forgotten(part, "literal")
    if not len(found):
        return Part(False, f"{_name(task)}: nothing is backtracked")
    mean, high = float(found["mean"].iloc[0]), float(found["high"].iloc[0])
    fact = f"{_name(task)}: pixels depend on the class (overlap with a random one {mean:.3f})"
    return Part(high < FORGOTTEN, fact)


def _partly(task: str, part: Followed) -> Part:
    on = (part.trace.maps > 0).flatten(1).sum(1).numpy()
    counts = pixel_counts(part, "cutoff")
    some = int(((counts > 0) & (counts < on)).sum())
    fact = (
        f"{_name(task)}: with the cutoff {some} of {len(on)} images lose some pixels and keep some"
    )
    return Part(some > len(on) / 2, fact)


def _of_both_tasks(followed: BY_TASK) -> list[Verdict]:
    if not {"subject", "emotion"} <= set(followed):
        return [
            weigh(claim, "errors of both identity and emotion are needed") for claim in ("F7", "B1")
        ]
    missing = [_partly(task, part) for task, part in followed.items()]
    more = [_more(followed, rule) for rule in followed["subject"].found]
    return [weigh("F7", missing), weigh("B1", more)]


def _more(followed: BY_TASK, rule: str) -> Part:
    first, second = (pixel_counts(followed[task], rule) for task in ("subject", "emotion"))
    low, high = difference_interval(first, second)
    fact = (
        f"{rule} rule: identity has {first.mean() - second.mean():+,.1f} pixels an image on average"
        f" ({low:+,.1f} to {high:+,.1f})"
    )
    return Part(low > 0, fact)


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
