"""The paper's splits (claims D3 and D4)."""

import itertools

import numpy as np
import pandas as pd
import pytest

from synthfaces import EMOTIONS, GAZES
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex
from tinyvgg.faces.splits import hold_out, split

ROWS = itertools.product(range(1, 68), EMOTIONS, GAZES, (45, 90, 135))
RAFD = FaceIndex(pd.DataFrame(ROWS, columns=["subject", "emotion", "gaze", "angle"]))


def per_cell(task: str, rows: np.ndarray) -> list[int]:
    """How many rows each cell of the design has."""
    return RAFD.table.iloc[rows].groupby([task, "angle"]).size().tolist()


def of_classes(*names: str) -> FaceIndex:
    return FaceIndex(pd.DataFrame({"class": names}))


@pytest.mark.parametrize(
    ("task", "asked", "cell", "cells"),
    # the last is what the paper's text says of emotions
    [("subject", None, 12, 201), ("emotion", None, 100, 24), ("emotion", 101, 101, 24)],
)
def test_every_cell_gives_the_papers_count_and_no_image_is_lost(task, asked, cell, cells) -> None:
    parts = split(RAFD, task, seed=3, per_cell=asked)
    assert per_cell(task, parts.train) == [cell] * cells
    both = np.concatenate([parts.train, parts.test])
    assert sorted(both) == list(range(4824))


@pytest.mark.parametrize(("task", "count", "cells"), [("subject", 2, 201), ("emotion", 16, 24)])
def test_the_validation_part_has_the_same_count_of_every_cell(task, count, cells) -> None:
    train = split(RAFD, task).train
    held_out = hold_out(RAFD, task, train)
    assert set(held_out) < set(train)
    assert per_cell(task, held_out) == [count] * cells


def test_the_seed_decides_both_parts() -> None:
    train, again, other = (split(RAFD, "emotion", seed).train for seed in (5, 5, 6))
    np.testing.assert_array_equal(train, again)
    assert not np.array_equal(train, other)
    first, again, other = (hold_out(RAFD, "emotion", train, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cells_that_are_too_small_are_refused_by_name() -> None:
    with pytest.raises(UserError, match="class 'b' has 1 image.*; give it two"):
        split(of_classes("a", "a", "b"), "class")
    with pytest.raises(UserError, match="choose per_cell from 1 to 1"):
        split(of_classes("a", "a", "b", "b"), "class", per_cell=2)
    few = of_classes(*"ab" * 10)
    with pytest.raises(UserError, match="no cell has 6 training images"):
        hold_out(few, "class", split(few, "class").train)
