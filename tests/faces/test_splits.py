"""The paper's splits (claims D3 and D4)."""

import itertools

import numpy as np
import pandas as pd
import pytest

from synthfaces import EMOTIONS, GAZES
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex
from tinyvgg.faces.splits import hold_out, split


@pytest.fixture(scope="module")
def rafd_design() -> FaceIndex:
    rows = itertools.product(range(1, 68), EMOTIONS, GAZES, (45, 90, 135))
    return FaceIndex(pd.DataFrame(rows, columns=["subject", "emotion", "gaze", "angle"]))


@pytest.mark.parametrize(
    ("task", "train", "test", "cell"),
    [("subject", 2412, 2412, 12), ("emotion", 2400, 2424, 100)],
)
def test_every_cell_gives_the_papers_count(
    rafd_design: FaceIndex, task: str, train: int, test: int, cell: int
) -> None:
    parts = split(rafd_design, task, seed=0)
    assert (len(parts.train), len(parts.test)) == (train, test)
    counts = rafd_design.table.iloc[parts.train].groupby([task, "angle"]).size()
    assert set(counts) == {cell}


def test_the_texts_count_of_emotions_can_be_had(rafd_design: FaceIndex) -> None:
    parts = split(rafd_design, "emotion", per_cell=101)
    assert (len(parts.train), len(parts.test)) == (2424, 2400)


@pytest.mark.parametrize("task", ["subject", "emotion"])
def test_no_image_is_in_both_parts_and_none_is_lost(rafd_design: FaceIndex, task: str) -> None:
    parts = split(rafd_design, task, seed=3)
    both = np.concatenate([parts.train, parts.test])
    assert sorted(both) == list(range(len(rafd_design)))


def test_same_seed_same_split_other_seed_other_split(rafd_design: FaceIndex) -> None:
    first, again, other = (split(rafd_design, "emotion", seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.train, again.train)
    assert not np.array_equal(first.train, other.train)


def test_single_image_of_a_cell_is_refused_by_name() -> None:
    index = FaceIndex(pd.DataFrame({"class": ["a", "a", "b"]}))
    with pytest.raises(UserError, match="class 'b' has 1 image.*; give it two"):
        split(index, "class")


def test_per_cell_that_leaves_no_test_image_is_refused() -> None:
    index = FaceIndex(pd.DataFrame({"class": ["a", "a", "b", "b"]}))
    with pytest.raises(UserError, match="choose per_cell from 1 to 1"):
        split(index, "class", per_cell=2)


@pytest.mark.parametrize(("task", "count"), [("subject", 2), ("emotion", 16)])
def test_the_validation_part_has_the_same_count_of_every_cell(
    rafd_design: FaceIndex, task: str, count: int
) -> None:
    train = split(rafd_design, task).train
    held_out = hold_out(rafd_design, task, train)
    assert set(held_out) < set(train)
    counts = rafd_design.table.iloc[held_out].groupby([task, "angle"]).size()
    assert set(counts) == {count}
    assert len(counts) == len(rafd_design.table.groupby([task, "angle"]))


def test_the_seed_decides_the_validation_part(rafd_design: FaceIndex) -> None:
    train = split(rafd_design, "subject").train
    first, again, other = (hold_out(rafd_design, "subject", train, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cells_too_small_to_hold_anything_out_are_refused() -> None:
    index = FaceIndex(pd.DataFrame({"class": ["a", "b"] * 10}))
    with pytest.raises(UserError, match="no cell has 6 training images"):
        hold_out(index, "class", split(index, "class").train)
