"""Misclassified images and their look-alikes: the pairs that both case studies compare."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.backtracking import Backtrack, Rule, backtrack
from tinyvgg.runs import Run
from tinyvgg.trace import Trace, record

PIXEL_MAX = 255.0


@dataclass(frozen=True)
class Case:
    """One misclassified test image.

    Attributes:
        row: of the image in the faces.
        true: its label.
        predicted: the label it was given.
        lookalike: row of the look-alike; None where there is none.
        distance: root mean square difference of the two images' pixels, from 0 to 1; NaN where
            there is no look-alike.
    """

    row: int
    true: int
    predicted: int
    lookalike: int | None
    distance: float


def find_cases(run: Run) -> list[Case]:
    """All errors of a run on its test part, in the order of their rows.

    The look-alike of an error is the correctly classified test image of its true class, of the
    same subject where that class has one, at the same angle, nearest in L2 over the pixels; of
    equal ones the lower row.
    """
    right = run.split.test[run.predicted == run.labels]
    return [
        _case(run, int(run.split.test[place]), int(run.predicted[place]), right)
        for place in run.errors
    ]


def _case(run: Run, row: int, predicted: int, right: Int[np.ndarray, "r"]) -> Case:
    true = int(run.faces.index.labels(run.task)[row])
    candidates = _candidates(run, row, right)
    if not len(candidates):
        return Case(row, true, predicted, None, float("nan"))
    distances = _distances(run, row, candidates)
    nearest = int(distances.argmin())
    return Case(row, true, predicted, int(candidates[nearest]), float(distances[nearest]))


def _candidates(run: Run, row: int, right: Int[np.ndarray, "r"]) -> Int[np.ndarray, "c"]:
    table = run.faces.index.table
    labels = run.faces.index.labels(run.task)
    found: Int[np.ndarray, "c"] = right[labels[right] == labels[row]]
    if run.faces.index.has("angle"):
        angles = table["angle"].to_numpy()
        found = found[angles[found] == angles[row]]
    if run.faces.index.has("subject"):
        subjects = table["subject"].to_numpy()
        same = found[subjects[found] == subjects[row]]
        found = same if len(same) else found
    return found


def _distances(run: Run, row: int, candidates: Int[np.ndarray, "c"]) -> Float[np.ndarray, "c"]:
    images = run.faces.images
    difference = images[candidates].astype(np.float64) - images[row]
    root: Float[np.ndarray, "c"] = np.sqrt((difference**2).mean((1, 2, 3))) / PIXEL_MAX
    return root


@dataclass(frozen=True)
class Pairs:
    """Errors that have a look-alike, with a recorded pass of both sides.

    Attributes:
        cases: n of them.
        wrong: trace of the misclassified images, in their order.
        right: trace of their look-alikes.
        labels: the true labels.
    """

    cases: tuple[Case, ...]
    wrong: Trace
    right: Trace
    labels: Int[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.cases)


def record_pairs(run: Run, cases: Sequence[Case]) -> Pairs | None:
    """Traces of the cases that have a look-alike; None where no case has one."""
    paired = tuple(case for case in cases if case.lookalike is not None)
    if not paired:
        return None
    wrong = run.faces.tensor([case.row for case in paired])
    right = run.faces.tensor([case.lookalike for case in paired if case.lookalike is not None])
    labels = run.logits.new_tensor([case.true for case in paired]).long()
    return Pairs(paired, record(run.model, wrong), record(run.model, right), labels)


@dataclass(frozen=True)
class PixelSets:
    """Pixels that backtracking finds in an error and in its look-alike, by position.

    Attributes:
        wrong: in the error, followed back from the class it was taken for.
        right: in the look-alike, followed back from its class.
    """

    wrong: Bool[Tensor, "n c h w"]
    right: Bool[Tensor, "n c h w"]

    @property
    def common(self) -> Bool[Tensor, "n c h w"]:
        """In both (claim S1)."""
        return self.wrong & self.right

    @property
    def unique(self) -> Bool[Tensor, "n c h w"]:
        """In the error's alone (claim S4)."""
        return self.wrong & ~self.right


def pixel_sets(pairs: Pairs, rule: Rule) -> PixelSets:
    """The sets of every pair under a rule, from the classes that the network gave."""
    wrong, right = (_pixels(trace, rule) for trace in (pairs.wrong, pairs.right))
    return PixelSets(wrong, right)


def _pixels(trace: Trace, rule: Rule) -> Bool[Tensor, "n c h w"]:
    found: Backtrack = backtrack(trace, rule=rule)
    return found.pixels


def closest(cases: Sequence[Case], true: int | None = None) -> Case | None:
    """The case that looks most like its look-alike, of a true class where that has one."""
    paired = [case for case in cases if case.lookalike is not None]
    preferred = [case for case in paired if case.true == true]
    return min(preferred or paired, key=lambda case: case.distance, default=None)


def closest_by_prediction(cases: Sequence[Case]) -> dict[int, Case]:
    """For each class that something was taken for, the case closest to its look-alike."""
    classes = sorted({case.predicted for case in cases})
    found = {label: closest([c for c in cases if c.predicted == label]) for label in classes}
    return {label: case for label, case in found.items() if case is not None}
