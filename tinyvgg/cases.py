"""Misclassified images and their look-alikes: the pairs that both case studies compare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tinyvgg.backtracking import backtrack
from tinyvgg.rules import Cutoff, Literal, Rule
from tinyvgg.runs import Run
from tinyvgg.trace import Trace, record

PIXEL_MAX = 255.0

RULES: Mapping[str, Rule] = MappingProxyType({"cutoff": Cutoff(), "literal": Literal()})
"""The rules that the case studies compare: the published code's cutoff and Algorithm 1."""


@dataclass(frozen=True)
class Case:
    """A test image and its look-alike.

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
    """All errors of a run on its test part, in the order of that part.

    The look-alike of an error is the correctly classified test image of its true class, of the
    same subject where that class has one, at the same angle, nearest in L2 over the pixels; of
    equally near ones the lower row.
    """
    errors = zip(run.split.test[run.errors], run.predicted[run.errors], strict=True)
    return [_case(run, int(row), int(predicted)) for row, predicted in errors]


def find_controls(run: Run, cases: Iterable[Case]) -> dict[Case, Case]:
    """The same comparison between two right images, for the cases that allow it.

    The look-alike of a case is compared with the right image that looks most like it, by the rule
    of `find_cases`. A case without look-alike, or whose look-alike has none, is left out.
    """
    found = {}
    for case in cases:
        if case.lookalike is not None:
            other = _case(run, case.lookalike, case.true)
            if other.lookalike is not None:
                found[case] = other
    return found


def _case(run: Run, row: int, predicted: int) -> Case:
    true = int(run.faces.index.labels(run.task)[row])
    candidates = _candidates(run, row)
    if not len(candidates):
        return Case(row, true, predicted, None, float("nan"))
    squares = _squares(run, row, candidates)
    nearest = int(squares.argmin())
    root = float(np.sqrt(squares[nearest] / run.faces.images[row].size))
    return Case(row, true, predicted, int(candidates[nearest]), root / PIXEL_MAX)


def _candidates(run: Run, row: int) -> Int[np.ndarray, "c"]:
    """Right images of the same class and angle, of the same subject where there are such."""
    right = np.sort(run.split.test[run.predicted == run.labels])
    same = run.faces.index.labels(run.task)[right] == run.faces.index.labels(run.task)[row]
    found: Int[np.ndarray, "c"] = right[same & (right != row)]
    found = found[_shared(run, "angle", row, found)]
    alike = found[_shared(run, "subject", row, found)]
    return alike if len(alike) else found


def _shared(run: Run, column: str, row: int, rows: Int[np.ndarray, "c"]) -> Bool[np.ndarray, "c"]:
    """Which rows have the row's value in a column; all where the source lacks the column."""
    if not run.faces.index.has(column):
        return np.ones(len(rows), dtype=bool)
    values = run.faces.index.table[column].to_numpy()
    same: Bool[np.ndarray, "c"] = values[rows] == values[row]
    return same


def _squares(run: Run, row: int, rows: Int[np.ndarray, "c"]) -> Int[np.ndarray, "c"]:
    """Sums of squared differences of 8-bit pixels, exact, so that ties are ties."""
    images = run.faces.images
    differences = (images[other].astype(np.int64) - images[row] for other in rows)
    return np.array([int((d**2).sum()) for d in differences], dtype=np.int64)


@dataclass(frozen=True)
class Pairs:
    """Images and their look-alikes with a recorded pass of both; there may be none.

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

    def only(self, cases: Iterable[Case]) -> "Pairs":
        """The pairs of some of the cases, in the order of these; others are passed over."""
        place = {case.row: place for place, case in enumerate(self.cases)}
        places = [place[case.row] for case in cases if case.row in place]
        chosen = tuple(self.cases[place] for place in places)
        return Pairs(chosen, self.wrong[places], self.right[places], self.labels[places])

    def without(self, cases: Iterable[Case]) -> "Pairs":
        """All pairs but those of some cases."""
        rows = {case.row for case in cases}
        return self.only([case for case in self.cases if case.row not in rows])

    def reversed(self) -> "Pairs":
        """The pairs seen from the look-alike, as if it were to become what the error was taken for.

        `wrong` holds the look-alikes and `labels` the errors' predicted classes, so that whatever
        is done to the errors can be done to the right images for comparison.
        """
        cases = tuple(
            Case(case.lookalike, case.predicted, case.true, case.row, case.distance)
            for case in self.cases
            if case.lookalike is not None
        )
        return Pairs(cases, self.right, self.wrong, self.wrong.predicted)


def record_pairs(run: Run, cases: Iterable[Case]) -> Pairs:
    """Traces of the cases that have a look-alike, and of these.

    A pair is left out where the answers recorded here are not those that the run keeps, as may
    happen to a logit as good as equal to another on another device.
    """
    paired = tuple(case for case in cases if case.lookalike is not None)
    wrong = run.tensor([case.row for case in paired])
    right = run.tensor([case.lookalike for case in paired if case.lookalike is not None])
    labels = torch.tensor([case.true for case in paired], dtype=torch.int64)
    pairs = Pairs(paired, record(run.model, wrong), record(run.model, right), labels)
    given = torch.tensor([case.predicted for case in paired], dtype=torch.int64)
    same = (pairs.wrong.predicted == given) & (pairs.right.predicted == labels)
    return pairs if bool(same.all()) else pairs.only(compress(paired, same))


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
    return backtrack(trace, rule=rule).pixels


def closest(cases: Iterable[Case], true: int | None = None) -> list[Case]:
    """The case that looks most like its look-alike, of a true class where that has one.

    A list of one; empty where no case has a look-alike.
    """
    paired = [case for case in cases if case.lookalike is not None]
    preferred = [case for case in paired if case.true == true]
    return sorted(preferred or paired, key=lambda case: case.distance)[:1]


def closest_by_prediction(cases: Sequence[Case]) -> list[Case]:
    """For each class that something was taken for, the case closest to its look-alike."""
    classes = sorted({case.predicted for case in cases})
    return [case for label in classes for case in closest(c for c in cases if c.predicted == label)]


def label_of(run: Run, name: str) -> int | None:
    """The label of a class by its name; None where the run has no such class."""
    return run.classes.index(name) if name in run.classes else None
