"""What suppression does to decisions, beside controls of equal size."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.backtracking import Rule, contributions, top_pixels
from tinyvgg.cases import Case, Pairs, pixel_sets
from tinyvgg.metrics import bootstrap_interval, proportion_interval
from tinyvgg.tracking import rescore

PixelMasks = Mapping[str, Bool[Tensor, "n c h w"]]
DRAWS = 20


def random_pixels(
    maps: Float[Tensor, "n c h w"], counts: Int[Tensor, "n"], seed: int
) -> Bool[Tensor, "n c h w"]:
    """As many active pixels of each image at random; all of them where it has fewer."""
    generator = torch.Generator().manual_seed(seed)
    scores = 1 - torch.rand(maps.shape, generator=generator).to(maps.device)
    return top_pixels(scores * (maps > 0), counts)


def counted(pixels: Bool[Tensor, "n c h w"]) -> Int[Tensor, "n"]:
    """Pixels in the set of each image."""
    return pixels.flatten(1).sum(1)


def suppression_sets(pairs: Pairs, rule: Rule, seed: int = 0) -> dict[str, Tensor]:
    """The sets whose suppression is compared, for the misclassified image of every pair.

    ``all``: everything that the rule finds; ``common`` and ``unique`` as in the paper; and two
    controls with as many pixels as ``unique``: ``random`` active ones, and ``contrastive``, those
    with the largest share in the wrong logit minus the true one. ``random_common`` has as many as
    ``common``.
    """
    sets = pixel_sets(pairs, rule)
    maps = pairs.wrong.maps
    contrast = contributions(pairs.wrong, None, against=pairs.labels)
    return {
        "all": sets.wrong,
        "common": sets.common,
        "unique": sets.unique,
        "random": random_pixels(maps, counted(sets.unique), seed),
        "random_common": random_pixels(maps, counted(sets.common), seed + 1),
        "contrastive": top_pixels(contrast, counted(sets.unique)),
    }


def suppression_table(pairs: Pairs, rule: Rule, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """One row for each case, set and draw; only random sets are drawn more than once.

    Columns: ``case`` (row of the image), ``set``, ``draw``, ``pixels`` (suppressed), ``true``,
    ``before``, ``after`` (classes), ``repaired``, ``p_true_before``, ``p_true_after``,
    ``margin_before``, ``margin_after`` (true logit minus the largest other), and ``harmed``:
    whether the same pixels suppressed in the look-alike, which was right, make it wrong.
    """
    tables = [
        _outcomes(pairs, name, draw, pixels)
        for draw in range(draws)
        for name, pixels in suppression_sets(pairs, rule, seed + 2 * draw).items()
        if draw == 0 or name.startswith("random")
    ]
    return pd.concat(tables, ignore_index=True)


def _outcomes(pairs: Pairs, name: str, draw: int, pixels: Bool[Tensor, "n c h w"]) -> pd.DataFrame:
    labels = pairs.labels
    before, after = pairs.wrong.logits, rescore(pairs.wrong, pixels)
    return pd.DataFrame(
        {
            "case": [case.row for case in pairs.cases],
            "set": name,
            "draw": draw,
            "pixels": counted(pixels).numpy(),
            "true": labels.numpy(),
            "before": before.argmax(1).numpy(),
            "after": after.argmax(1).numpy(),
            "repaired": (after.argmax(1) == labels).numpy(),
            "p_true_before": _of(before.softmax(1), labels).numpy(),
            "p_true_after": _of(after.softmax(1), labels).numpy(),
            "margin_before": margin(before, labels).numpy(),
            "margin_after": margin(after, labels).numpy(),
            "harmed": (rescore(pairs.right, pixels).argmax(1) != labels).numpy(),
        }
    )


def margin(logits: Float[Tensor, "n k"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """The true logit minus the largest other: positive where the decision is right."""
    others = logits.scatter(1, labels[:, None], float("-inf")).amax(1)
    return _of(logits, labels) - others


def _of(values: Float[Tensor, "n k"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    return values.gather(1, labels[:, None])[:, 0]


def repair_summary(table: pd.DataFrame, against: str = "random") -> pd.DataFrame:
    """Repairs and harm of each set, with 95 % intervals and the paired difference to a control.

    Columns: ``cases``, ``pixels`` (mean), ``repaired`` (mean number over draws), ``rate`` with
    ``low`` and ``high`` (Wilson), ``difference`` of the rate to the control's with
    ``difference_low`` and ``difference_high`` (paired bootstrap over cases), ``flipped`` (mean
    number that change to any other class), ``harmed`` (mean number).
    """
    control = _by_case(table, against, "repaired")
    rows = {name: _summary(table, str(name), control) for name in table["set"].unique()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("set")


def _summary(table: pd.DataFrame, name: str, control: Float[np.ndarray, "n"]) -> dict[str, float]:
    part = table[table["set"] == name]
    repaired = _by_case(table, name, "repaired")
    flipped = part.assign(flipped=part["before"] != part["after"])
    cases, count = len(repaired), repaired.sum()
    interval = proportion_interval(round(count), cases)
    difference = bootstrap_interval(repaired - control)
    return {
        "cases": cases,
        "pixels": float(part["pixels"].mean()),
        "repaired": float(count),
        "rate": float(repaired.mean()),
        "low": interval.low,
        "high": interval.high,
        "difference": float((repaired - control).mean()),
        "difference_low": difference.low,
        "difference_high": difference.high,
        "flipped": float(_by_case(flipped, name, "flipped").sum()),
        "harmed": float(_by_case(table, name, "harmed").sum()),
    }


def _by_case(table: pd.DataFrame, name: str, column: str) -> Float[np.ndarray, "n"]:
    part = table[table["set"] == name]
    means: Float[np.ndarray, "n"] = part.groupby("case")[column].mean().to_numpy(dtype=np.float64)
    return means


def rectified(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Logits after a ReLU: one reading of the equal probabilities in the paper's Table 3."""
    return logits.relu()


def probability_table(
    logits: Mapping[str, Float[Tensor, "n k"]], classes: tuple[str, ...], cases: list[Case]
) -> pd.DataFrame:
    """Probabilities in the form of Table 3: rows of case and state, a column for each class."""
    parts = [
        pd.DataFrame(values.softmax(1).numpy(), columns=list(classes)).assign(
            case=range(1, len(cases) + 1), state=state
        )
        for state, values in logits.items()
    ]
    table = pd.concat(parts).set_index(["case", "state"])
    order = pd.MultiIndex.from_product([range(1, len(cases) + 1), list(logits)])
    return table.loc[order].rename_axis(["case", "state"])
