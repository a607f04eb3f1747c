"""What the backtracked pixels of two images have in common, and how their values differ."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tinyvgg.cases import Pairs, pixel_sets
from tinyvgg.contribution import top_pixels
from tinyvgg.rules import Rule

COLUMNS = (
    "right",
    "wrong",
    "common",
    "unique",
    "jaccard",
    "chance",
    "largest",
    "correlation",
    "difference",
)


def overlap_table(pairs: Pairs, rule: Rule) -> pd.DataFrame:
    """One row for each pair: the sizes of both sets, their overlap, and the common values.

    Columns: ``right``, ``wrong``, ``common``, ``unique`` (to the error), numbers of pixels;
    ``jaccard``, common pixels over those of either set, and ``chance``, the same for sets of these
    sizes drawn from the active pixels of each image, and ``largest``, for those of largest
    activation; ``correlation`` of the common pixels' values
    and their ``difference``, mean absolute difference over mean value, from 0 to 2.
    Where there is nothing to compute from, NaN.
    """
    sets = pixel_sets(pairs, rule)
    sides = zip(sets.wrong, sets.right, pairs.wrong.maps, pairs.right.maps, strict=True)
    rows = [_compared(*side) for side in sides]
    index = pd.Index([case.row for case in pairs.cases], dtype="int64", name="case")
    return pd.DataFrame(rows, columns=list(COLUMNS), index=index)


def common_values(
    pairs: Pairs, rule: Rule
) -> list[tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]]:
    """For each pair the values of its common pixels, in the look-alike and in the error."""
    common = pixel_sets(pairs, rule).common
    maps = zip(pairs.right.maps, pairs.wrong.maps, common, strict=True)
    return [(right[kept].numpy(), wrong[kept].numpy()) for right, wrong, kept in maps]


def _compared(
    wrong: Bool[Tensor, "c h w"],
    right: Bool[Tensor, "c h w"],
    wrong_maps: Float[Tensor, "c h w"],
    right_maps: Float[Tensor, "c h w"],
) -> tuple[float | int, ...]:
    common = wrong & right
    sizes = [int(part.sum()) for part in (right, wrong, common, wrong & ~right)]
    values = wrong_maps[common], right_maps[common]
    return (
        *sizes,
        _ratio(sizes[2], int((wrong | right).sum())),
        _chance(sizes[0], sizes[1], right_maps > 0, wrong_maps > 0),
        _largest(sizes[0], sizes[1], right_maps, wrong_maps),
        _correlation(*values),
        _ratio(
            float((values[0] - values[1]).abs().sum()), float((values[0] + values[1]).sum()) / 2
        ),
    )


def _chance(
    right: int, wrong: int, right_active: Bool[Tensor, "*n"], wrong_active: Bool[Tensor, "*n"]
) -> float:
    both = int((right_active & wrong_active).sum())
    expected = (
        both * _ratio(right, int(right_active.sum())) * _ratio(wrong, int(wrong_active.sum()))
    )
    return _ratio(expected, right + wrong - expected)


def _largest(
    right: int, wrong: int, right_maps: Float[Tensor, "c h w"], wrong_maps: Float[Tensor, "c h w"]
) -> float:
    first, second = top_pixels(right_maps[None], right), top_pixels(wrong_maps[None], wrong)
    return _ratio(int((first & second).sum()), int((first | second).sum()))


def _ratio(part: float | int, whole: float | int) -> float:
    return part / whole if whole else float("nan")


def _correlation(first: Float[Tensor, "m"], second: Float[Tensor, "m"]) -> float:
    if len(first) < 2:
        return float("nan")
    return float(torch.corrcoef(torch.stack([first, second]).double())[0, 1])
