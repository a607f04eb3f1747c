"""Errors, their look-alikes, and the sets of pixels that a pair shares."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers import small_runs
from tinyvgg.chapters.cases import (
    RULES,
    Case,
    closest,
    find_cases,
    find_controls,
    pixel_sets,
    record_pairs,
)
from tinyvgg.training.runs import Run


@pytest.fixture(scope="module")
def run() -> Run:
    return small_runs.run()


def hand_made(run: Run, wrong: list[int], images: np.ndarray | None = None) -> Run:
    """The run with answers set by hand: right but for the rows in `wrong`."""
    labels = torch.from_numpy(run.faces.index.labels(run.task))
    answers = labels.clone()
    answers[wrong] = (answers[wrong] + 1) % len(run.classes)
    logits = torch.nn.functional.one_hot(answers, len(run.classes)).float()
    faces = run.faces if images is None else replace(run.faces, images=images)
    return run.having(logits=logits, faces=faces)


def slow_lookalike(run: Run, row: int) -> int | None:
    """The definition, read literally: a loop over all test images."""
    index, labels = run.faces.index, run.faces.index.labels(run.task)
    for columns in (["angle", "subject"], ["angle"]):
        known = index.table[[column for column in columns if index.has(column)]]
        near = []
        for place, other in enumerate(run.split.test):
            if run.predicted[place] != labels[other] or labels[other] != labels[row]:
                continue
            if other != row and known.iloc[other].equals(known.iloc[row]):
                a, b = (run.faces.images[i].astype(float).ravel() for i in (row, other))
                near.append((float(((a - b) ** 2).sum()), int(other)))
        if near:
            return min(near)[1]
    return None


@pytest.mark.parametrize("task", ["subject", "emotion", "class"])
def test_lookalike_is_the_nearest_by_the_definition_read_literally(task: str) -> None:
    run = small_runs.run(task)
    found = find_cases(run)
    assert len(found) == len(run.errors) > 3
    assert [case.row for case in found] == run.split.test[run.errors].tolist()
    assert [case.lookalike for case in found] == [slow_lookalike(run, case.row) for case in found]


def test_distance_is_the_root_mean_square_over_the_pixels(run: Run) -> None:
    images = np.zeros_like(run.faces.images)
    images[0] += 51
    case = find_cases(hand_made(run, [0], images))[0]
    assert case.distance == pytest.approx(0.2)


def test_equally_near_images_go_to_the_lower_row(run: Run) -> None:
    images = np.zeros_like(run.faces.images)
    table = run.faces.index.table
    case = find_cases(hand_made(run, [4], images))[0]
    alike = (table.subject == 1) & (table.emotion == "angry") & (table.angle == table.angle[4])
    assert case.lookalike == min(set(np.flatnonzero(alike)) - {4}) < 4


def test_an_error_without_right_image_of_its_class_and_angle_has_no_lookalike(run: Run) -> None:
    table = run.faces.index.table
    lost = np.flatnonzero((table.emotion == "sad") & (table.angle == 90)).tolist()
    wrong = hand_made(run, lost)
    found = find_cases(wrong)
    assert [case.lookalike for case in found] == [None] * len(lost)
    assert all(np.isnan(case.distance) for case in found)
    assert len(record_pairs(wrong, found)) == 0
    assert closest(found) == []


def test_a_run_without_errors_has_no_cases_and_no_pairs(run: Run) -> None:
    perfect = hand_made(run, [])
    pairs = record_pairs(perfect, find_cases(perfect))
    assert (find_cases(perfect), len(pairs), len(pairs.wrong), len(pairs.right)) == ([], 0, 0, 0)
    assert pixel_sets(pairs, RULES["literal"]).common.shape[0] == 0


def test_controls_compare_the_lookalike_with_another_right_image(run: Run) -> None:
    found = find_cases(run)
    controls = find_controls(run, found)
    assert controls
    recorded = record_pairs(run, controls.values()).cases
    assert [case.lookalike for case in controls] == [case.row for case in recorded]
    for case, control in controls.items():
        assert control.row == case.lookalike
        assert control.lookalike not in (None, case.lookalike, case.row)
        assert control.true == control.predicted == case.true
        assert control.lookalike == slow_lookalike(run, control.row)


def test_pairs_record_errors_and_lookalikes_in_order(run: Run) -> None:
    pairs = record_pairs(run, find_cases(run))
    assert len(pairs) > 3
    assert pairs.labels.tolist() == [case.true for case in pairs.cases]
    assert pairs.wrong.predicted.tolist() == [case.predicted for case in pairs.cases]
    assert pairs.right.predicted.tolist() == [case.true for case in pairs.cases]
    chosen = pairs.only([pairs.cases[2], pairs.cases[0]])
    assert torch.equal(chosen.wrong.maps, pairs.wrong.maps[[2, 0]])


def test_pairs_whose_recorded_answer_is_another_are_left_out(run: Run) -> None:
    found = find_cases(run)
    changed = replace(found[0], predicted=3 - found[0].true - found[0].predicted)
    kept = record_pairs(run, [changed, *found[1:]])
    assert changed.row not in {case.row for case in kept.cases}
    assert len(kept) == len(record_pairs(run, found)) - 1


def test_reversed_pairs_swap_the_sides_and_ask_for_the_mistaken_class(run: Run) -> None:
    pairs = record_pairs(run, find_cases(run))
    turned = pairs.reversed()
    assert torch.equal(turned.wrong.images, pairs.right.images)
    assert turned.labels.tolist() == [case.predicted for case in pairs.cases]
    assert turned.reversed().cases == pairs.cases


def test_closest_prefers_the_wanted_class_where_it_has_a_pair() -> None:
    made = [
        Case(0, 0, 1, 5, 0.1),
        Case(1, 1, 0, 6, 0.3),
        Case(2, 1, 2, 7, 0.2),
        Case(3, 2, 0, None, float("nan")),
    ]
    assert closest(made) == [made[0]]
    assert closest(made, true=1) == [made[2]]
    assert closest(made, true=2) == [made[0]]
