"""How much backtracking depends on the class it starts from, and how much it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.backtracking import Backtrack, backtrack
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.metrics import LEVEL, Interval, bootstrap_interval
from tinyvgg.rules import Cutoff, Literal, Rule
from tinyvgg.runs import Run
from tinyvgg.trace import Trace, record

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
