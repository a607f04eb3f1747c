"""What backtracking keeps, whether it looks at the class, and how large biases are."""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from tinyvgg import paper
from tinyvgg.claims import Verdict
from tinyvgg.contribution import top_pixels
from tinyvgg.findings.conclusions import Part, mean_with_interval, untestable, weigh
from tinyvgg.metrics import bootstrap_interval, proportion_interval
from tinyvgg.sensitivity import (
    PIXELS,
    Followed,
    averages,
    difference_interval,
    kept_table,
    logit_terms,
    overlap_table,
)
from tinyvgg.trace import Trace

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
        tables: by task, `tinyvgg.sensitivity.bias_table` of its images.
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
        return untestable(("A1", "F7", "B1"), "this run has no misclassified images")
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
        return untestable(("F7", "B1"), "errors of both identity and emotion are needed")
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
