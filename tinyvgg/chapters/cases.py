"""Misclassified images and their look-alikes: the pairs that both case studies compare."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import compress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, Shaped
from matplotlib.axes import Axes
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import Cutoff, Literal, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.data import PLURALS
from tinyvgg.chapters.statistics import bootstrap_interval, proportion_interval
from tinyvgg.chapters.verdicts import Verdict
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.paper import Interval, Row, Value, describe
from tinyvgg.repairs import margin, repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

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


ASPECTS = ("subject", "emotion", "gaze", "angle")
SET_NAMES = {
    "nothing": "nothing",
    "all": "all backtracked",
    "common": "common",
    "random_common": "random, as many as common",
    "contrastive_common": "contrastive, up to as many as common",
    "unique": "unique to the error",
    "random": "random, as many as unique",
    "largest": "largest, as many as unique",
    "contrastive": "contrastive, up to as many as unique",
    "repair": "repair set, the fewest found",
}
"""How tables and figures call the sets of `tinyvgg.chapters.cases.SETS`."""

IMAGES = ("(a) right", "(b) wrong")


def name_of(run: Run, row: int) -> str:
    """What the index knows about an image, in words; the file's name where it knows nothing."""
    values = run.faces.index.table.iloc[row]
    known = [aspect for aspect in ASPECTS if run.faces.index.has(aspect)]
    words = {
        "subject": "subject {}",
        "emotion": "{}",
        "gaze": "gaze {}",
        "angle": "{}°",
    }
    return ", ".join(words[a].format(values[a]) for a in known) or Path(str(values["path"])).name


def differing(run: Run, case: Case) -> list[str]:
    """The aspects in which an error and its look-alike differ, of those that the index knows."""
    table = run.faces.index.table
    known = [aspect for aspect in ASPECTS if run.faces.index.has(aspect)]
    if case.lookalike is None:
        return []
    first, second = table.iloc[case.row], table.iloc[case.lookalike]
    return [aspect for aspect in known if first[aspect] != second[aspect]]


def told_sentence(run: Run, asked: str) -> str:
    """What the network of a chapter tells, and that it is not what the chapter's text speaks of.

    Args:
        run: that the chapter looks at.
        asked: the column that its text speaks of, ``subject`` or ``emotion``.
    """
    tells = f"the network of this run tells {len(run.classes)} {PLURALS[run.task]}"
    if run.task == asked:
        return f"{tells[0].upper()}{tells[1:]}."
    return (
        f"This source does not say which {asked} an image shows: where the text speaks of"
        f" {PLURALS[asked]}, {tells}."
    )


def pair_sentence(run: Run, pairs: Pairs, pair: Pairs, wanted: str) -> str:
    """Which pair a chapter looks at, why this one, and in what its images differ."""
    if not len(pair):
        return f"None of the {len(run.errors)} errors of this run has a right look-alike."
    case = pair.cases[0]
    return (
        f"{_chosen(run, pairs, wanted)} The right image ({name_of(run, case.lookalike or 0)}) and"
        f" the wrong one ({name_of(run, case.row)}) {_difference(run, case)}; {run.task}"
        f" **{run.classes[case.true]}** was taken for **{run.classes[case.predicted]}**."
        f"{_unsaid(run)}"
    )


def _chosen(run: Run, pairs: Pairs, wanted: str) -> str:
    closest = f"shown is the closest of the {len(pairs)} pairs that there are."
    if run.task != "subject" or wanted not in run.classes:
        return f"This run has no subject {wanted}; {closest}"
    own = sum(run.classes[other.true] == wanted for other in pairs.cases)
    if not own:
        return f"Subject {wanted} has no error with a right look-alike in this run; {closest}"
    return (
        f"Subject {wanted} has {own} of the {len(pairs)} errors that have a right look-alike;"
        " shown is the one that is closest to it."
    )


def _difference(run: Run, case: Case) -> str:
    known = differing(run, case)
    if known:
        return f"differ in {' and '.join(known)}"
    return f"are of the same {run.task}" if _unknown(run) else "differ in pixels only"


def _unsaid(run: Run) -> str:
    unknown = _unknown(run)
    if not unknown:
        return ""
    *others, last = unknown
    listed = f"{', '.join(others)} or {last}" if others else last
    return f" Whether they differ in {listed} this source does not say."


def _unknown(run: Run) -> list[str]:
    return [aspect for aspect in ASPECTS if not run.faces.index.has(aspect)]


def cases_table(run: Run, pairs: Pairs) -> pd.DataFrame:
    """The errors with what they were taken for and their look-alikes."""
    rows = [
        {
            "case": number,
            "error": name_of(run, case.row),
            "taken for": run.classes[case.predicted],
            "truly": run.classes[case.true],
            "look-alike": name_of(run, case.lookalike),
            "distance": round(case.distance, 3),
        }
        for number, case in enumerate(pairs.cases, start=1)
        if case.lookalike is not None
    ]
    columns = ["case", "error", "taken for", "truly", "look-alike", "distance"]
    return pd.DataFrame(rows, columns=columns).set_index("case")


def overlaps_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean of the columns of `overlap_table` for each of several sets of pairs."""
    rows = {name: {"pairs": len(table), **table.mean().to_dict()} for name, table in tables.items()}
    shown = pd.DataFrame.from_dict(rows, orient="index")
    places = {"right": 1, "wrong": 1, "common": 1, "unique": 1}
    return shown.round({**dict.fromkeys(shown.columns, 3), **places})


def confidence_table(error: pd.DataFrame, lookalike: pd.DataFrame) -> pd.DataFrame:
    """Probabilities of one pair with and without pixels, means over draws (claim S2).

    Args:
        error: `tinyvgg.chapters.cases.suppression_table` of the pair.
        lookalike: the same of the reversed pair.

    Returns:
        Rows of image and set; columns ``pixels``, ``true``, ``mistaken``, ``other``: the
        probabilities of the true class, of the one that the error was taken for, and of the rest.
    """
    parts = {
        IMAGES[0]: _confidences(lookalike, true="p_predicted_after", mistaken="p_true_after"),
        IMAGES[1]: _confidences(error, true="p_true_after", mistaken="p_predicted_after"),
    }
    return pd.concat(parts, names=["image", "set"])


def _confidences(table: pd.DataFrame, true: str, mistaken: str) -> pd.DataFrame:
    means = table.groupby("set", observed=True)[["pixels", true, mistaken]].mean()
    means.columns = pd.Index(["pixels", "true", "mistaken"])
    return means.assign(other=(1 - means["true"] - means["mistaken"]).clip(lower=0))


def readable(table: pd.DataFrame, sets: Sequence[str]) -> pd.DataFrame:
    """Some sets of a table that has them in its index, named, with numbers of three digits."""
    level = table.index.names.index("set")
    chosen = table[table.index.get_level_values(level).isin(sets)]
    return chosen.rename(index=SET_NAMES, level=level if table.index.nlevels > 1 else None).map(
        three_digits
    )


def three_digits(value: float | int) -> str:
    """A number as tables show it: whole ones as they are, others with three digits."""
    if np.isnan(value):
        return paper.NOTHING
    whole = float(value).is_integer() or abs(value) >= 100
    return f"{value:.0f}" if whole else f"{value:.3g}"


def probability_table(
    pairs: Pairs, after: Float[Tensor, "n k"], classes: tuple[str, ...]
) -> pd.DataFrame:
    """Probabilities of all classes before and after suppression, in the form of Table 3."""
    states = {"before": pairs.wrong.logits, "after": after}
    parts = [
        pd.DataFrame(logits.softmax(1).numpy(), columns=list(classes)).assign(
            case=range(1, len(pairs) + 1), state=state
        )
        for state, logits in states.items()
    ]
    return _by_case_and_state(pd.concat(parts))


def paper_probability_table() -> pd.DataFrame:
    """The paper's Table 3 in the same form."""
    long = paper.table3()
    parts = [
        long.pivot(index="case", columns="class", values=state).reset_index().assign(state=state)
        for state in ("before", "after")
    ]
    return _by_case_and_state(pd.concat(parts).rename_axis(None, axis=1))


def _by_case_and_state(table: pd.DataFrame) -> pd.DataFrame:
    state = pd.Categorical(table["state"], categories=["before", "after"], ordered=True)
    ordered = table.assign(state=state).sort_values(["case", "state"], kind="stable")
    return ordered.astype({"state": str}).set_index(["case", "state"])


MINUS = "\N{MINUS SIGN}"
"""Unlike a hyphen it is no place to break a line."""


def scientific(table: pd.DataFrame) -> pd.DataFrame:
    """Probabilities with three digits and their power of ten, as Table 3 prints them."""
    return table.map(lambda value: f"{value:.2e}".replace("-", MINUS))


def equals_table(pairs: Pairs, after: Float[Tensor, "n k"]) -> pd.DataFrame:
    """How many entries equal the smallest of their row, with and without a ReLU on the logits.

    Columns: ``paper``, ``plain``, ``rectified``; rows of state: fewest and most, over the cases.
    """
    ours = {"before": pairs.wrong.logits, "after": after}
    theirs = paper_probability_table()
    rows = {
        state: {
            "paper": _range(_equal(theirs[theirs.index.get_level_values("state") == state])),
            "ours": _range(equal_smallest(logits.softmax(1)).tolist()),
            "ours, ReLU on the logits": _range(
                equal_smallest(rectified(logits).softmax(1)).tolist()
            ),
        }
        for state, logits in ours.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("state")


def _equal(table: pd.DataFrame) -> list[int]:
    return [int(n) for n in table.eq(table.min(axis=1), axis=0).sum(axis=1)]


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return paper.NOTHING
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def rates_table(summary: pd.DataFrame, sets: Sequence[str]) -> pd.DataFrame:
    """A summary of `tinyvgg.chapters.cases.summarise` in words: counts, rates and differences."""
    rows = {
        SET_NAMES[str(name)]: {
            "pixels": three_digits(round(row["pixels"], 1)),
            "count": three_digits(round(row["count"], 1)),
            "rate": _percent(row["rate"]),
            "95 % interval": _interval(row["low"], row["high"]),
            "difference to control": _points(row["difference"]),
            "its 95 % interval": _interval(
                row["difference_low"], row["difference_high"], signed=True
            ),
        }
        for name, row in summary.loc[list(sets)].iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("suppressed")


def _percent(value: float) -> str:
    return paper.NOTHING if np.isnan(value) else f"{value:.1%}"


def _points(value: float) -> str:
    return paper.NOTHING if np.isnan(value) else f"{100 * value:+.1f} points"


def _interval(low: float, high: float, signed: bool = False) -> str:
    """An interval in percent; a bootstrap says nothing of cases that all differ alike."""
    if np.isnan(low) or low == high:
        return paper.NOTHING
    return f"{100 * low:+.1f} to {100 * high:+.1f}" if signed else f"{low:.1%} to {high:.1%}"


Tables = Mapping[str, pd.DataFrame]
Numbers = dict[str, object]

OVERLAP = {
    "pixels_right": "right",
    "pixels_wrong": "wrong",
    "common": "common",
    "unique_wrong": "unique",
    "jaccard": "jaccard",
}
REPAIRS = {
    "repaired_unique": "unique",
    "repaired_common": "common",
    "repaired_all": "all",
    "repaired_random": "random",
    "repaired_largest": "largest",
    "repaired_contrast": "contrastive",
}


ALL = "all_"
"""Begins the names of numbers of all errors, where the paper's are of chosen ones."""


def pair_numbers(run: Run, pair: Pairs) -> Numbers:
    """Who is shown (F9): classes are recorded by name, subjects as numbers."""
    return {
        f"f9.{run.task}.{name}": _name(run.classes[label])
        for case in pair.cases
        for name, label in (("subject", case.true), ("taken_for", case.predicted))
    }


def _name(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def overlap_numbers(run: Run, tables: Tables) -> Numbers:
    """Sizes of the sets of the shown pair (S1), under each rule."""
    return {
        f"s1.{run.task}.{name}{_suffix(rule)}": _first(table[column])
        for rule, table in tables.items()
        for name, column in OVERLAP.items()
    }


def _suffix(rule: str) -> str:
    """Numbers of the published code's rule have the paper's keys, others are told apart."""
    return "" if rule == "cutoff" else f"_{rule}"


def _first(column: "pd.Series[float]") -> float | int | None:
    if not len(column):
        return None
    value = float(column.iloc[0])
    return int(value) if value.is_integer() and column.name != "jaccard" else value


def value_numbers(run: Run, pairs: Tables, controls: Tables) -> Numbers:
    """How much common values differ (F10), between error and look-alike and between right ones."""
    return {
        f"f10.{run.task}.{name}{_suffix(rule)}": _mean_case_numbers(table[column])
        for rule in pairs
        for name, table, column in (
            ("difference", pairs[rule], "difference"),
            ("difference_right", controls[rule], "difference"),
            ("correlation", pairs[rule], "correlation"),
            ("correlation_right", controls[rule], "correlation"),
        )
    }


def _mean_case_numbers(column: "pd.Series[float]") -> float | None:
    return float(column.mean()) if column.notna().any() else None


def confidence_numbers(run: Run, tables: Tables) -> Numbers:
    """Probabilities of the shown pair with and without its common pixels (S2)."""
    right, wrong = IMAGES
    wanted = {
        "right_before_true": (right, "nothing", "true"),
        "wrong_before_predicted": (wrong, "nothing", "mistaken"),
        "wrong_before_true": (wrong, "nothing", "true"),
        "right_after_true": (right, "common", "true"),
        "wrong_after_predicted": (wrong, "common", "mistaken"),
        "wrong_after_true": (wrong, "common", "true"),
        "wrong_after_elsewhere": (wrong, "common", "other"),
    }
    return {
        f"s2.{run.task}.{name}{_suffix(rule)}": _cell(table, *place)
        for rule, table in tables.items()
        for name, place in wanted.items()
        if rule == "cutoff" or "after" in name
    }


def _cell(table: pd.DataFrame, image: str, name: str, column: str) -> float | None:
    found = table.loc[[label == (image, name) for label in table.index], column]
    return float(found.iloc[0]) if len(found) else None


def common_numbers(run: Run, changed: Tables, repaired: Tables) -> Numbers:
    """What happens to the other errors without the common pixels (S3)."""
    key = f"s3.{run.task}."
    numbers: Numbers = {f"{key}cases": int(changed["cutoff"]["cases"]["common"])}
    for rule in changed:
        counts = {
            "changed_common": changed[rule]["count"]["common"],
            "changed_random": changed[rule]["count"]["random_common"],
            "repaired_common": repaired[rule]["count"]["common"],
            "repaired_unique": repaired[rule]["count"]["unique"],
            "repaired_random": repaired[rule]["count"]["random_common"],
        }
        numbers |= {f"{key}{name}{_suffix(rule)}": whole_or_mean(n) for name, n in counts.items()}
    return numbers


def whole_or_mean(count: float) -> int | float:
    """A count as a whole number, a mean over draws as it is."""
    return int(count) if float(count).is_integer() else float(count)


def table3_numbers(run: Run, eight: Pairs, after: Mapping[str, Tensor]) -> Numbers:
    """Equal smallest probabilities (T3): without and with a ReLU on the logits."""
    key = f"t3.{run.task}."
    numbers: Numbers = {f"{key}cases": len(eight)}
    if not len(eight):
        return numbers
    before = equal_smallest(eight.wrong.logits.softmax(1))
    numbers[f"{key}rows_equal_before"] = int((before > 1).sum())
    for rule, logits in after.items():
        for name, values in (("", logits), ("_relu", rectified(logits))):
            equal = equal_smallest(values.softmax(1))
            end = name + _suffix(rule)
            numbers[f"{key}fewest_equal_after{end}"] = int(equal.min())
            numbers[f"{key}most_equal_after{end}"] = int(equal.max())
    return numbers


def repair_numbers(run: Run, eight: Tables, every: Tables) -> Numbers:
    """Repairs of the chosen cases and of all errors (S4)."""
    key = f"s4.{run.task}."
    numbers: Numbers = {
        f"{key}cases": int(eight["cutoff"]["cases"]["unique"]),
        f"{key}{ALL}cases": int(every["cutoff"]["cases"]["unique"]),
    }
    for start, tables in (("", eight), (ALL, every)):
        for rule, table in tables.items():
            numbers |= {
                f"{key}{start}{name}{_suffix(rule)}": whole_or_mean(table["count"][column])
                for name, column in REPAIRS.items()
            }
    return numbers


def count_interval(summary: pd.DataFrame, name: str) -> Interval | None:
    """The 95 % interval of a rate as one of the count."""
    row = summary.loc[name]
    if not row["cases"]:
        return None
    return float(row["low"] * row["cases"]), float(row["high"] * row["cases"])


def rows(numbers: Numbers, intervals: Mapping[str, Interval | None] | None = None) -> list[Row]:
    """Rows for `tinyvgg.paper.compare`; numbers of the literal rule say so.

    Args:
        numbers: to show; those that were not measured are left out.
        intervals: of some of them; where given, only numbers that it names are shown.
    """
    shown = dict.fromkeys(numbers) if intervals is None else intervals
    return [_row(key, numbers[key], shown[key]) for key in shown if numbers.get(key) is not None]


def _row(key: str, value: object, interval: Interval | None) -> Row:
    """Numbers that only differ in the rule or the cases from a known one are called after it."""
    plain = key.removesuffix("_literal").replace(f".{ALL}", ".")
    words = [describe(plain).full_label]
    words += ["all errors"] if f".{ALL}" in key else []
    words += ["literal rule"] if key.endswith("_literal") else []
    return ", ".join(words) if plain != key else "", key, cast(Value, value), interval


UNTESTABLE = "cannot be tested here"
MAJORITY = 0.5
STRONGLY = 0.25
"""By this share of their mean values have to differ to differ strongly."""

COMPARED = ("unique", "random", "common", "contrastive")

case_verdicts_Tables = Mapping[str, pd.DataFrame]
"""A table for each backtracking rule, by its name."""


class Judged(NamedTuple):
    """A verdict and its reason."""

    verdict: str
    reason: str


def _about(claim: str, task: str) -> Callable[[Callable[..., Judged]], Callable[..., Verdict]]:
    """Claims about a task are judged on runs of that task that have errors with look-alikes."""

    def decorate(judge: Callable[..., Judged]) -> Callable[..., Verdict]:
        @wraps(judge)
        def judged(run: Run, *facts: Any) -> Verdict:
            if run.task != task:
                reason = f"the claim is about {task}, this network tells {run.task}"
            elif not any(len(fact) for fact in _leaves(facts)):
                reason = "no error of this run has a right look-alike"
            else:
                return Verdict(claim, *judge(run, *facts))
            return Verdict(claim, UNTESTABLE, reason)

        return judged

    return decorate


def _leaves(facts: Any) -> list[Any]:
    if isinstance(facts, Mapping):
        facts = tuple(facts.values())
    if isinstance(facts, tuple):
        return [leaf for fact in facts for leaf in _leaves(fact)]
    return [facts[facts["cases"] > 0]] if _is_summary(facts) else [facts]


def _is_summary(fact: Any) -> bool:
    return isinstance(fact, pd.DataFrame) and "cases" in fact


def combined(points: Mapping[str, int]) -> str:
    """One verdict of the points that a claim gets under each rule: 0 no, 1 in part, 2 it holds."""
    if all(point == 2 for point in points.values()):
        return "holds"
    return "holds in part" if any(points.values()) else "does not hold"


@_about("F9", "subject")
def judge_pair(run: Run, pair: Pairs) -> Judged:
    """F9: an error has a right look-alike of the same subject that differs in gaze only."""
    differs = differing(run, pair.cases[0])
    verdict = "holds" if differs == ["gaze"] else "holds in part"
    return Judged(
        verdict,
        f"an error and a right image of subject {run.classes[pair.cases[0].true]} at the same angle"
        f" differ in {' and '.join(differs) or 'nothing that the index knows'}",
    )


@_about("S1", "subject")
def judge_overlap(run: Run, shown: case_verdicts_Tables, every: case_verdicts_Tables) -> Judged:
    """S1: in the shown pair most pixels of either set are in both (Jaccard above one half)."""
    points = {rule: 2 * int(table["jaccard"].iloc[0] > MAJORITY) for rule, table in shown.items()}
    reasons = [
        f"{rule} rule: {table['jaccard'].iloc[0]:.2f} of the pixels of either image are common"
        f" (mean of {len(every[rule])} errors {every[rule]['jaccard'].mean():.2f},"
        f" by chance {every[rule]['chance'].mean():.2f})"
        for rule, table in shown.items()
    ]
    return Judged(combined(points), "; ".join(reasons))


@_about("F10", "subject")
def judge_values(run: Run, pairs: case_verdicts_Tables, controls: case_verdicts_Tables) -> Judged:
    """F10: common values differ strongly, and more than between two right images."""
    if not sum(len(table) for table in controls.values()):
        return Judged(UNTESTABLE, "no look-alike has a second right image to compare with")
    points, reasons = {}, []
    for rule, table in pairs.items():
        first, second = table["difference"].to_numpy(), controls[rule]["difference"].to_numpy()
        both = np.isfinite(first) & np.isfinite(second)
        low, high = bootstrap_interval(first[both] - second[both])
        more = low > 0
        points[rule] = int(more) + int(more and _mean_case_verdicts(first, both) >= STRONGLY)
        reasons.append(
            f"{rule} rule: values differ by {_mean_case_verdicts(first, both):.2f} of their mean,"
            f" between two right images by {_mean_case_verdicts(second, both):.2f}"
            f" (difference {low:+.2f} to {high:+.2f})"
        )
    return Judged(combined(points), "; ".join(reasons))


def _mean_case_verdicts(values: Float[np.ndarray, "n"], where: Any) -> float:
    return float(values[where].mean()) if where.any() else float("nan")


@_about("S2", "subject")
def judge_confidence(
    run: Run, errors: case_verdicts_Tables, lookalikes: case_verdicts_Tables
) -> Judged:
    """S2: without the common pixels both answers change, and mostly not without random ones."""
    points, reasons = {}, []
    for rule in errors:
        shares = {
            name: [_share(by[rule], name) for by in (lookalikes, errors)]
            for name in ("common", "random_common")
        }
        changed = min(shares["common"]) == 1
        points[rule] = int(changed) + int(changed and max(shares["random_common"]) <= MAJORITY)
        reasons.append(
            f"{rule} rule: without the common pixels {sum(shares['common']):.0f} of 2 answers"
            f" change, without as many random ones {sum(shares['random_common']):.1f}"
        )
    return Judged(combined(points), "; ".join(reasons))


def _share(table: pd.DataFrame, name: str) -> float:
    return float(table.loc[table["set"] == name, "changed"].mean())


@_about("S3", "subject")
def judge_common(run: Run, changed: case_verdicts_Tables) -> Judged:
    """S3: without the common pixels most answers change, and more than without random ones.

    Args:
        run: that the errors belong to.
        changed: summaries of ``changed`` against ``random_common``, by rule.
    """
    points, reasons = {}, []
    for rule, table in changed.items():
        common, chance = table.loc["common"], table.loc["random_common"]
        most, more = common["low"] > MAJORITY, common["difference_low"] > 0
        points[rule] = int(bool(most)) + int(bool(more))
        reasons.append(
            f"{rule} rule: {common['rate']:.0%} of {common['cases']:.0f} answers change,"
            f" without as many random pixels {chance['rate']:.0%} (difference"
            f" {100 * common['difference_low']:+.0f} to {100 * common['difference_high']:+.0f}"
            " points)"
        )
    return Judged(combined(points), "; ".join(reasons))


@_about("F11", "emotion")
def judge_eight(run: Run, eight: Pairs) -> Judged:
    """F11: something was taken for every emotion, and has a right look-alike."""
    found, wanted = len(eight), len(run.classes)
    verdict = "holds" if found == wanted else "holds in part"
    return Judged(verdict, f"{found} of {wanted} emotions have an error with a right look-alike")


@_about("T3", "emotion")
def judge_table3(run: Run, eight: Pairs, after: Mapping[str, Tensor]) -> Judged:
    """T3: after suppression the true class has the largest probability in every row."""
    points, reasons = {}, []
    for rule, logits in after.items():
        right = int((logits.argmax(1) == eight.labels).sum())
        points[rule] = int(right > 0) + int(right == len(eight))
        reasons.append(f"{rule} rule: the true emotion is largest in {right} of {len(eight)} rows")
    plain, clipped = (
        max(int(equal_smallest(f(logits).softmax(1)).max()) for logits in after.values())
        for f in (lambda x: x, rectified)
    )
    reasons.append(
        f"at most {plain} of the smallest entries of a row are equal, {clipped} with a ReLU on the"
        " logits"
    )
    return Judged(combined(points), "; ".join(reasons))


@_about("S4", "emotion")
def judge_unique(run: Run, eight: case_verdicts_Tables, every: case_verdicts_Tables) -> Judged:
    """S4: unique pixels repair all of the eight, beat chance in all errors and the common pixels.

    Args:
        run: that the errors belong to.
        eight: summaries of ``repaired`` against ``random`` for the eight, by rule.
        every: the same for all errors.
    """
    points, reasons = {}, []
    for rule, table in every.items():
        few, unique = eight[rule].loc["unique"], table.loc["unique"]
        rates = {name: _percent_case_verdicts(table, name) for name in COMPARED}
        better = bool(unique["difference_low"] > 0)
        whole = few["count"] == few["cases"] and unique["rate"] > table.loc["common"]["rate"]
        points[rule] = int(better) + int(better and bool(whole))
        reasons.append(
            f"{rule} rule: {few['count']:.0f} of {few['cases']:.0f} repaired, of all errors"
            f" {rates['unique']}, by random pixels {rates['random']}, by common ones"
            f" {rates['common']}, by contrastive ones {rates['contrastive']}"
        )
    return Judged(combined(points), "; ".join(reasons))


def _percent_case_verdicts(summary: pd.DataFrame, name: str) -> str:
    return f"{summary['rate'][name]:.0%}"


NO_PAIR = "No error of this run has a right look-alike: there is nothing to show."
TRUE, MISTAKEN, OTHER = style.BLUE, style.RED, "#c9c9c9"


def pair_figure(run: Run, pair: Pairs) -> style.Drawn:
    """A right image, its misclassified look-alike, and what differs between them (Figure 9)."""
    if not len(pair):
        return style.Missing(NO_PAIR)
    case = pair.cases[0]
    right, wrong = _image(run, case.lookalike), _image(run, case.row)
    difference = np.abs(right.astype(np.float64) - wrong).mean(2)
    figure, axes = style.grid(1, 3, aspect=1.25)
    with style.styled():
        style.show_image(axes[0, 0], right, _answer(run, pair.right.probabilities[0], "a"))
        style.show_image(axes[0, 1], wrong, _answer(run, pair.wrong.probabilities[0], "b"))
        style.show_map(axes[0, 2], difference)
        axes[0, 2].set_title("difference of both, darkest where largest")
        axes[0, 0].set_xlabel(_wrapped(name_of(run, case.lookalike or 0)))
        axes[0, 1].set_xlabel(_wrapped(name_of(run, case.row)))
        axes[0, 2].set_xlabel(f"root mean square {case.distance:.3f} of the range")
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


def _image(run: Run, row: int | None) -> Float[np.ndarray, "h w 3"] | np.ndarray:
    assert row is not None
    return np.asarray(run.faces.images[row])


def _answer(run: Run, probabilities: Float[Tensor, "k"], letter: str) -> str:
    best = int(probabilities.argmax())
    answer = style.short(run.classes[best], 16)
    return f"({letter}) answer {answer}, p = {float(probabilities[best]):.2g}"


def _wrapped(words: str) -> str:
    parts = words.split(", ")
    middle = (len(parts) + 1) // 2
    return "\n".join(filter(None, [", ".join(parts[:middle]), ", ".join(parts[middle:])]))


def places_figure(pair: Pairs, rules: Mapping[str, Rule]) -> style.Drawn:
    """Where in the last maps each set of a pair's pixels lies, summed over the maps (claim S1)."""
    if not len(pair):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(len(rules), 4, aspect=1.15)
    with style.styled():
        for row, (name, rule) in zip(axes, rules.items(), strict=True):
            sets = pixel_sets(pair, rule)
            shown = {
                "right image": sets.right,
                "wrong image": sets.wrong,
                "common": sets.common,
                "only the wrong": sets.unique,
            }
            for ax, (title, pixels) in zip(row, shown.items(), strict=True):
                style.show_map(ax, pixels[0].sum(0).double().numpy(), float(pixels.shape[1]))
                ax.set_title(f"{title}: {int(pixels.sum())}")
                _frame(ax)
            row[0].set_ylabel(f"{name} rule")
    return figure


def _frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set(visible=True, color="#dddddd")


def values_figure(pair: Pairs, control: Pairs, rules: Mapping[str, Rule]) -> style.Drawn:
    """Values of the common pixels of one image against the other's (Figure 10), and a control.

    Args:
        pair: an error and its look-alike.
        control: the look-alike and another right image; there may be none.
        rules: a row of panels each.
    """
    if not len(pair):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(len(rules), 2, aspect=0.85)
    with style.styled():
        for row, (name, rule) in zip(axes, rules.items(), strict=True):
            _scatter(row[0], pair, rule, "wrong image (b)")
            row[0].set_title(f"{name} rule: right and wrong image")
            _scatter(row[1], control, rule, "another right image")
            row[1].set_title(f"{name} rule: two right images")
            _same_limits(row)
    return figure


def _scatter(ax: Axes, pair: Pairs, rule: Rule, other: str) -> None:
    ax.set(xlabel="value in the right image (a)", ylabel=f"value in {other}")
    if not len(pair):
        ax.text(0.5, 0.5, "no second right image", ha="center", transform=ax.transAxes)
        return
    first, second = common_values(pair, rule)[0]
    ax.scatter(first, second, s=6, alpha=0.5, color=style.BLUE, edgecolors="none")
    ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
    ax.text(0.97, 0.04, f"{len(first)} pixels", ha="right", transform=ax.transAxes)


def _same_limits(axes: Shaped[np.ndarray, "a"]) -> None:
    top = max(max(ax.dataLim.x1, ax.dataLim.y1) for ax in axes if len(ax.collections))
    for ax in axes:
        limit = 1.05 * top if np.isfinite(top) and top > 0 else 1.0
        ax.set(xlim=(0, limit), ylim=(0, limit))


def differences_figure(
    pairs: Mapping[str, pd.DataFrame], controls: Mapping[str, pd.DataFrame]
) -> style.Drawn:
    """Relative difference of common values, errors against controls, for each rule (claim F10).

    Args:
        pairs: `tinyvgg.chapters.cases.overlap_table` of errors and look-alikes, by rule.
        controls: the same of look-alikes and other right images, in the same order.
    """
    if not sum(len(table) for table in controls.values()):
        return style.Missing("No look-alike has a second right image to be compared with.")
    figure, axes = style.grid(1, len(pairs), aspect=0.95)
    with style.styled():
        for ax, (name, table) in zip(axes[0], pairs.items(), strict=True):
            x, y = controls[name]["difference"].to_numpy(), table["difference"].to_numpy()
            ax.scatter(x, y, s=12, alpha=0.6, color=style.BLUE, edgecolors="none")
            ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
            ax.set(xlabel="two right images", ylabel="error and look-alike")
            above = int(np.nansum(y > x))
            ax.set_title(f"{name} rule: {above} of {len(y)} above the line")
        _same_limits(axes[0])
    return figure


def confidence_figure(tables: Mapping[str, pd.DataFrame], sets: Sequence[str]) -> style.Drawn:
    """Probabilities of a pair with and without pixels, for each rule (claim S2).

    Args:
        tables: `tinyvgg.chapters.cases.confidence_table` by rule.
        sets: to show, from top to bottom.
    """
    if not sum(len(table) for table in tables.values()):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(len(tables), 2, aspect=0.55, sharex=True, sharey=True)
    with style.styled():
        for row, (rule, table) in zip(axes, tables.items(), strict=True):
            for ax, image in zip(row, IMAGES, strict=True):
                _bars(ax, _rows(table, image).loc[list(sets)])
                ax.set_title(f"{image}, {rule} rule")
        for ax in axes[-1]:
            ax.set_xlabel(f"probability\n(random: mean of {DRAWS} draws)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _rows(table: pd.DataFrame, label: str | int) -> pd.DataFrame:
    """The rows of one label of the outer level, by the labels of the inner one."""
    return table[table.index.get_level_values(0) == label].droplevel(0)


def _bars(ax: Axes, table: pd.DataFrame) -> None:
    names = [SET_NAMES[str(name)] for name in table.index]
    left = np.zeros(len(table))
    parts = {
        "true": (TRUE, "true class"),
        "mistaken": (MISTAKEN, "class that (b) was taken for"),
        "other": (OTHER, "all other classes"),
    }
    for column, (colour, label) in parts.items():
        width = table[column].to_numpy()
        ax.barh(np.arange(len(table)), width, left=left, color=colour, label=label)
        left = left + width
    for place, pixels in enumerate(table["pixels"]):
        box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
        ax.text(0.985, place, f"{pixels:.0f}", ha="right", va="center", fontsize=7, bbox=box)
    ax.set_yticks(np.arange(len(table)), names)
    ax.set_xlim(0, 1)
    if not ax.yaxis_inverted():
        ax.invert_yaxis()


def rates_figure(
    summaries: Mapping[str, pd.DataFrame], sets: Sequence[str], outcome: str
) -> style.Drawn:
    """How often something happened under each set, with 95 % intervals, a panel for each rule.

    Args:
        summaries: of `tinyvgg.chapters.cases.summarise`, by title.
        sets: to show, from top to bottom.
        outcome: in words, for the axis.
    """
    if not sum(table["cases"].sum() for table in summaries.values()):
        return style.Missing(NO_PAIR)
    height = 0.09 * len(sets) + 0.25
    figure, axes = style.grid(1, len(summaries), aspect=height, sharey=True)
    with style.styled():
        for ax, (title, summary) in zip(axes[0], summaries.items(), strict=True):
            _rates(ax, summary.loc[list(sets)])
            ax.set_title(title)
        words = f"share of cases {outcome} (random pixels: mean of {DRAWS} draws)"
        figure.supxlabel(words, fontsize=9)
    return figure


def _rates(ax: Axes, part: pd.DataFrame) -> None:
    places = np.arange(len(part))
    rate = part["rate"].to_numpy()
    error = np.abs(np.stack([rate - part["low"], part["high"] - rate]))
    controls = part.index.str.startswith("random")
    colours = [style.GRAY if control else style.BLUE for control in controls]
    for place, middle, spread, colour in zip(places, rate, error.T, colours, strict=True):
        ax.errorbar(middle, place, xerr=spread[:, None], fmt="o", ms=4, color=colour, capsize=2)
    ax.set_yticks(places, [SET_NAMES[str(name)] for name in part.index])
    ax.set(xlim=(-0.03, 1.03), ylim=(len(part) - 0.5, -0.5))
    ax.grid(axis="x", color="#e5e5e5")


def eight_figure(run: Run, pairs: Pairs, rules: Mapping[str, Rule]) -> style.Drawn:
    """An error for each class that something was taken for, and its look-alike (Figure 11).

    Rows: errors, look-alikes, and for each rule the tracked features of the pixels unique to the
    error, each on its own scale.
    """
    if not len(pairs):
        return style.Missing(NO_PAIR)
    figure, axes = style.grid(2 + len(rules), len(pairs), cell=style.WIDTH / 8, aspect=1.2)
    with style.styled():
        for ax, case in zip(axes[0], pairs.cases, strict=True):
            name = style.short(run.classes[case.predicted], 16)
            style.show_image(ax, _image(run, case.row), name)
        for ax, case in zip(axes[1], pairs.cases, strict=True):
            name = style.short(run.classes[case.true], 16)
            style.show_image(ax, _image(run, case.lookalike), name)
        for row, (name, rule) in zip(axes[2:], rules.items(), strict=True):
            ink = style.strength(track_features(pairs.wrong, pixel_sets(pairs, rule).unique))
            for ax, values in zip(row, ink, strict=True):
                style.show_map(ax, values.astype(np.float64))
            row[0].set_ylabel(f"features,\n{name}", fontsize=7)
        axes[0, 0].set_ylabel("A, taken for", fontsize=7)
        axes[1, 0].set_ylabel("B, right as", fontsize=7)
        for ax in axes.flat:
            ax.title.set_fontsize(7)
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


def probabilities_figure(table: pd.DataFrame, cases: Sequence[Case]) -> style.Drawn:
    """Table 3 as a picture: probabilities before and after, the true class framed.

    Args:
        table: of `tinyvgg.chapters.cases.probability_table`.
        cases: in its order.
    """
    if not len(table):
        return style.Missing(NO_PAIR)
    rows = -(-len(cases) // 4)
    figure, axes = style.grid(rows, 4, aspect=1.1, sharey=True)
    with style.styled():
        for number, (ax, case) in enumerate(zip(axes.flat, cases, strict=False), start=1):
            _before_after(ax, _rows(table, number), case)
            ax.set_title(f"case {number}")
        for ax in list(axes.flat)[len(cases) :]:
            ax.axis("off")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _before_after(ax: Axes, part: pd.DataFrame, case: Case) -> None:
    places = np.arange(part.shape[1])
    for offset, (state, colour) in enumerate((("before", "#b8b8b8"), ("after", style.BLUE))):
        values = part.loc[state].to_numpy(dtype=float)
        ax.barh(places + 0.4 * offset - 0.2, values, 0.4, color=colour, label=state, zorder=2)
    ax.set_yticks(places, [str(name) for name in part.columns], fontsize=7)
    ax.set(xlim=(0, 1), ylim=(part.shape[1] - 0.5, -0.5))
    ax.axhspan(case.true - 0.5, case.true + 0.5, color=style.GREEN, alpha=0.15, lw=0, zorder=0)
    ax.axhspan(
        case.predicted - 0.5, case.predicted + 0.5, color=style.RED, alpha=0.12, lw=0, zorder=0
    )
