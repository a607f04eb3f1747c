"""The paper's splits (claims D3 and D4)."""

import itertools

import numpy as np
import pandas as pd
import pytest

from synthfaces import EMOTIONS, GAZES
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex
from tinyvgg.faces.splits import Split, hold_out, split, too_small, units

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


def test_a_given_split_is_obeyed_whatever_the_seed() -> None:
    parts = ["train", "test", "validation", "train", "test", "train"]
    index = FaceIndex(pd.DataFrame({"class": [*"ababab"], "split": parts}))
    for seed in range(3):
        given = split(index, "class", seed)
        assert (given.train.tolist(), given.test.tolist()) == ([0, 3, 5], [1, 4])
        assert hold_out(index, "class", given.train, seed).tolist() == [2]


@pytest.mark.parametrize("task", ["emotion", "subject"])
def test_persons_are_in_one_part_unless_they_are_the_classes(task: str) -> None:
    rows = itertools.product(range(1, 21), EMOTIONS, range(3))
    table = pd.DataFrame(rows, columns=["subject", "emotion", "shot"])
    index = FaceIndex(table.assign(together=table["subject"].astype(str)))
    for seed in range(3):
        parts = split(index, task, seed)
        held_out = hold_out(index, task, parts.train, seed)
        subjects = [
            set(table["subject"].iloc[rows])
            for rows in (np.setdiff1d(parts.train, held_out), held_out, parts.test)
        ]
        kept_apart = not any(a & b for a, b in itertools.combinations(subjects, 2))
        assert kept_apart == (task == "emotion")
        assert sorted([*parts.train, *parts.test]) == list(range(480))
        assert 0.4 <= len(parts.train) / 480 <= 0.6
        assert all(
            set(index.classes(task)) == set(table[task].iloc[p].astype(str))
            for p in parts_of(parts)
        )


def parts_of(parts: Split) -> tuple[np.ndarray, np.ndarray]:
    return parts.train, parts.test


def test_twins_are_in_one_part_and_all_else_is_drawn_in_halves() -> None:
    twins = np.r_[[0] * 3, [1] * 2, 2:97]
    table = pd.DataFrame({"class": [*"ab" * 50], "twins": twins})
    for seed in range(5):
        for part in parts_of(split(FaceIndex(table), "class", seed)):
            assert 40 <= len(part) <= 60
            for of_one in (range(3), range(3, 5)):
                assert len({*of_one} & {*part}) in (0, len(of_one))


def test_units_are_what_persons_and_twins_join() -> None:
    table = pd.DataFrame(
        {"class": [*"abab"], "together": ["p", "q", "p", None], "twins": [0, 1, 2, 1]}
    )
    first, second, third, fourth = units(table, "class")
    assert (first == third, second == fourth, first == second) == (True, True, False)
    assert units(table.drop(columns=["together", "twins"]), "class") is None
    assert units(table[["class"]].assign(twins=range(4)), "class") is None


def test_a_class_of_one_person_is_too_small_for_both_parts() -> None:
    table = pd.DataFrame({"path": [*"wxyz"], "class": [*"aabb"], "together": [*"ppqr"]})
    reason = "belongs to the only person or group of twins of its class"
    assert too_small(table, "class") == {"w": reason, "x": reason}
    given = table.assign(split=["train", "test", "test", "test"])
    reason = "is of a class that is not in both parts of the split"
    assert too_small(given, "class") == {"y": reason, "z": reason}
    with pytest.raises(UserError, match="cannot be drawn into both parts .*group=none"):
        split(FaceIndex(table), "class")
