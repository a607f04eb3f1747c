"""What suppression does to decisions, beside controls of equal size."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.cases import Pairs, PixelSets, pixel_sets
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.metrics import bootstrap_interval, proportion_interval
from tinyvgg.repairs import margin, repair
from tinyvgg.rules import Rule
from tinyvgg.tracking import rescore

SETS = (
    "nothing",
    "all",
    "common",
    "random_common",
    "contrastive_common",
    "unique",
    "random",
    "largest",
    "contrastive",
    "repair",
)
"""Sets of pixels to suppress; see `fixed_sets` and `random_sets`."""

DRAWS = 20


def random_pixels(
    maps: Float[Tensor, "n c h w"], counts: Int[Tensor, "n"], seed: int
) -> Bool[Tensor, "n c h w"]:
    """As many active pixels of each image at random; all of them where it has fewer."""
    generator = torch.Generator().manual_seed(seed)
    scores = 1 - torch.rand(maps.shape, generator=generator, dtype=torch.float64).to(maps.device)
    return top_pixels(scores * (maps > 0), counts)


def counted(pixels: Bool[Tensor, "n c h w"]) -> Int[Tensor, "n"]:
    """Pixels in the set of each image."""
    return pixels.flatten(1).sum(1)


def fixed_sets(pairs: Pairs, sets: PixelSets) -> dict[str, Tensor]:
    """The sets of the misclassified images that involve no chance.

    ``nothing``; ``all`` that the rule finds; ``common`` and ``unique`` as in the paper. As many
    pixels as ``unique`` have ``largest``, of largest activation, and ``contrastive``, of largest
    share in the wrong logit less the true one. ``contrastive_common`` has as many as ``common``.
    Of shares only positive ones are taken, so a contrastive set may be smaller. ``repair`` is the
    smallest set found that makes the answer right, whatever the rule.
    """
    contrast = contributions(pairs.wrong, None, against=pairs.labels)
    return {
        "nothing": torch.zeros_like(sets.wrong),
        "all": sets.wrong,
        "common": sets.common,
        "contrastive_common": top_pixels(contrast, counted(sets.common)),
        "unique": sets.unique,
        "largest": top_pixels(pairs.wrong.maps, counted(sets.unique)),
        "contrastive": top_pixels(contrast, counted(sets.unique)),
        "repair": repair(pairs.wrong, pairs.labels).pixels,
    }


def random_sets(pairs: Pairs, sets: PixelSets, seed: int) -> dict[str, Tensor]:
    """One draw of ``random``, as many active pixels as ``unique``, and of ``random_common``."""
    maps = pairs.wrong.maps
    return {
        "random": random_pixels(maps, counted(sets.unique), 2 * seed),
        "random_common": random_pixels(maps, counted(sets.common), 2 * seed + 1),
    }


def suppression_table(pairs: Pairs, rule: Rule, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """One row for each case, set and draw; only random sets are drawn more than once.

    Columns: ``pair`` (its place), ``case`` (row of the image), ``set`` (one of `SETS`), ``draw``,
    ``pixels`` (suppressed), ``true``, ``before``, ``after`` (classes), ``changed``, ``repaired``,
    ``p_true_*`` and ``p_predicted_*`` (probabilities of the true and of the first predicted class
    before and after), ``margin_before``, ``margin_after`` (true logit less the largest other), and
    ``harmed``: whether the same pixels suppressed in the look-alike change its decision.
    """
    sets = pixel_sets(pairs, rule)
    tables = [_outcomes(pairs, name, 0, pixels) for name, pixels in fixed_sets(pairs, sets).items()]
    for draw in range(draws):
        drawn = random_sets(pairs, sets, seed * draws + draw)
        tables += [_outcomes(pairs, name, draw, pixels) for name, pixels in drawn.items()]
    return pd.concat(tables, ignore_index=True)


def _outcomes(pairs: Pairs, name: str, draw: int, pixels: Bool[Tensor, "n c h w"]) -> pd.DataFrame:
    labels, given = pairs.labels, pairs.wrong.predicted
    before, after = pairs.wrong.logits, rescore(pairs.wrong, pixels)
    answer = after.argmax(1)
    columns = {
        "pixels": counted(pixels),
        "true": labels,
        "before": given,
        "after": answer,
        "changed": answer != given,
        "repaired": answer == labels,
        "p_true_before": _of(before.softmax(1), labels),
        "p_true_after": _of(after.softmax(1), labels),
        "p_predicted_before": _of(before.softmax(1), given),
        "p_predicted_after": _of(after.softmax(1), given),
        "margin_before": margin(before, labels),
        "margin_after": margin(after, labels),
        "harmed": rescore(pairs.right, pixels).argmax(1) != pairs.right.predicted,
    }
    return pd.DataFrame(
        {
            "pair": np.arange(len(pairs)),
            "case": np.array([case.row for case in pairs.cases], dtype=np.int64),
            "set": pd.Categorical([name] * len(pairs), categories=SETS),
            "draw": draw,
            **{key: values.numpy() for key, values in columns.items()},
        }
    )


def _of(values: Float[Tensor, "n k"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    return values.gather(1, labels[:, None])[:, 0]


def summarise(
    table: pd.DataFrame, outcome: str = "repaired", against: str = "random"
) -> pd.DataFrame:
    """How often something happened under each set, with 95 % intervals, and against a control.

    Args:
        table: of `suppression_table`.
        outcome: a column that is true or false: ``repaired``, ``changed``, ``harmed``.
        against: the set that serves as control.

    Returns:
        A row for each set of the table: ``cases``, ``pixels`` (mean), ``count`` (mean over draws),
        ``rate`` with ``low`` and ``high`` (Wilson's over the cases, also for random sets, whose
        rate is a mean over draws), ``difference`` of the rate to the control's with
        ``difference_low`` and ``difference_high`` (paired bootstrap over cases), missing for the
        control itself.
    """
    control = _by_case(table, against, outcome)
    names = [name for name in SETS if name in table["set"].astype("category").cat.categories]
    rows = {name: _summary(table, name, outcome, against, control) for name in names}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("set")


def _summary(
    table: pd.DataFrame, name: str, outcome: str, against: str, control: Float[np.ndarray, "n"]
) -> dict[str, float | int]:
    part = table[table["set"] == name]
    values = _by_case(table, name, outcome)
    interval = proportion_interval(float(values.sum()), len(values))
    apart = values - control if name != against else np.full_like(values, np.nan)
    difference = bootstrap_interval(apart)
    return {
        "cases": len(values),
        "pixels": float(part["pixels"].mean()),
        "count": float(values.sum()),
        "rate": _mean(values),
        "low": interval.low,
        "high": interval.high,
        "difference": _mean(apart),
        "difference_low": difference.low,
        "difference_high": difference.high,
    }


def _mean(values: Float[np.ndarray, "n"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _by_case(table: pd.DataFrame, name: str, column: str) -> Float[np.ndarray, "n"]:
    part = table[table["set"] == name]
    means: Float[np.ndarray, "n"] = part.groupby("pair")[column].mean().to_numpy(dtype=np.float64)
    return means


def rectified(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Logits after a ReLU: one reading of the equal probabilities in the paper's Table 3."""
    return logits.relu()


def equal_smallest(probabilities: Float[Tensor, "n k"]) -> Int[Tensor, "n"]:
    """How many entries of each row are exactly equal to its smallest, that one included."""
    return (probabilities == probabilities.amin(1, keepdim=True)).sum(1)
