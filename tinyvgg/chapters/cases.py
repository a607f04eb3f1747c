"""Case studies: errors beside their look-alikes, and what suppression does to both."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import NAMED, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import jaccard
from tinyvgg.chapters.statistics import Estimate, bootstrap_interval, estimate, proportion_interval
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore
from tinyvgg.training.runs import Run

RULES: Mapping[str, Rule] = {name: NAMED[name] for name in ("cutoff", "literal")}
"""The rules that the case studies compare: the published code's cutoff and Algorithm 1."""
PART = 64
"""Images whose pixels are compared, or that are recorded, at a time."""
Cells = Bool[Tensor, "n c h w"]
"""A set of cells of each image, by their place in the last maps."""
Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A test image, its true and its given label, and its look-alike; see `find_cases`."""

    row: int
    true: int
    predicted: int
    lookalike: int | None  # its row
    distance: float  # root mean square difference of the pixels, from 0 to 1, or NaN


def find_cases(run: Run) -> list[Case]:
    """Return all errors of a run on its test part, in order, with their look-alikes.

    The look-alike of an error is the correctly classified test image of its true class, of the
    same subject where that class has one, at the same angle, nearest in L2 over the pixels; of
    equally near ones the lower row.
    """
    errors = zip(run.split.test[run.errors], run.predicted[run.errors], strict=True)
    return [_case(run, int(row), int(predicted)) for row, predicted in errors]


def find_controls(run: Run, cases: Iterable[Case]) -> dict[Case, Case]:
    """Return the look-alike of each case as a case of its own, where it has a look-alike, too."""
    found = {c: _case(run, c.lookalike, c.true) for c in cases if c.lookalike is not None}
    return {case: other for case, other in found.items() if other.lookalike is not None}


def _case(run: Run, row: int, predicted: int) -> Case:
    true = int(run.faces.index.labels(run.task)[row])
    return Case(row, true, predicted, *nearest(run, row, true))


def nearest(run: Run, row: int, label: int) -> tuple[int | None, float]:
    """Return the right test image of a class that is nearest to an image, and how far it is.

    It is at the same angle, and of the same subject where the class has one; see `find_cases`.
    """
    labels, index, images = run.faces.index.labels(run.task), run.faces.index, run.faces.images
    right = np.sort(run.split.test[run.predicted == run.labels])
    found = right[(labels[right] == label) & (right != row)]
    for column in filter(index.has, ("angle", "subject")):
        values = index.table[column].to_numpy()
        same = found[values[found] == values[row]]
        found = same if column == "angle" or len(same) else found
    if not len(found):
        return None, float("nan")
    squares = _squares(images, np.array([row]), found)[0]
    first = int(np.argmin(squares))
    return int(found[first]), float(np.sqrt(squares[first] / images[row].size)) / 255


def _squares(
    images: UInt8[np.ndarray, "_ h w c"], rows: Int[np.ndarray, "m"], others: Int[np.ndarray, "n"]
) -> Float[np.ndarray, "m n"]:
    """Return squared distances; sums of whole numbers are exact, so that ties are ties."""
    flat = images.reshape(len(images), -1)
    near, squares = flat[rows].astype(float), []
    for part in np.array_split(others, 1 + len(others) // PART):
        far = flat[part].astype(float)
        squares.append((near**2).sum(1)[:, None] + (far**2).sum(1) - 2 * near @ far.T)
    return np.hstack(squares)


def find_others(run: Run, cases: Sequence[Case]) -> Int[np.ndarray, "n"]:
    """Return for each case the row of the nearest right image of a third class (a control).

    It is the correctly classified test image of neither the true nor the given class, at the same
    angle where angles are known, nearest in L2. Where there is none it is the case's own image.
    """
    index, labels = run.faces.index, run.faces.index.labels(run.task)
    right = np.sort(run.split.test[run.predicted == run.labels])
    angles = index.table["angle"].to_numpy() if index.has("angle") else np.zeros(len(labels))
    found = np.array([case.row for case in cases], dtype=np.int64)
    for angle in np.unique(angles[found]):
        places, near = np.flatnonzero(angles[found] == angle), right[angles[right] == angle]
        squares = _squares(run.faces.images, found[places], near)
        for place, row in zip(places, squares, strict=True):
            case = cases[int(place)]
            row[np.isin(labels[near], (case.true, case.predicted))] = np.inf
            if np.isfinite(row).any():
                found[place] = near[np.argmin(row)]
    return found


class PixelSets(NamedTuple):
    """Pixels found in errors and in their look-alikes, each from the class that was given."""

    wrong: Cells
    right: Cells
    other: Cells  # in the right image of a third class
    common: Cells  # in both (claim S1)
    unique: Cells  # in the error's alone (claim S4)


@dataclass(frozen=True)
class Pairs:
    """Errors and their look-alikes with a recorded pass of both, and the true labels."""

    cases: tuple[Case, ...]
    wrong: Trace
    right: Trace
    other: Trace  # of right images of a third class, see `find_others`
    labels: Int[Tensor, "n"]
    sets: dict[Rule, PixelSets] = field(default_factory=dict, repr=False)  # found so far

    def __len__(self) -> int:
        return len(self.cases)

    def only(self, cases: Iterable[Case]) -> "Pairs":
        """Return the pairs of some of the cases, in the order of these; others are ignored."""
        place = {case.row: place for place, case in enumerate(self.cases)}
        places = [place[case.row] for case in cases if case.row in place]
        chosen = tuple(self.cases[place] for place in places)
        wrong, right, other = self.wrong[places], self.right[places], self.other[places]
        sets = {r: PixelSets(*(part[places] for part in s)) for r, s in self.sets.items()}
        return Pairs(chosen, wrong, right, other, self.labels[places], sets)

    def reversed(self) -> "Pairs":
        """Return the pairs with their sides swapped, to treat right images as if they were errors.

        `labels` are then the classes that the errors were taken for.
        """
        cases = tuple(
            Case(cast(int, case.lookalike), case.predicted, case.true, case.row, case.distance)
            for case in self.cases
        )
        sets = {r: _sets(s.right, s.wrong, s.other) for r, s in self.sets.items()}
        return Pairs(cases, self.right, self.wrong, self.other, self.wrong.predicted, sets)


def record_pairs(run: Run, cases: Iterable[Case]) -> Pairs:
    """Record the cases that have a look-alike, and their look-alikes.

    A pair whose recorded answers are not those that the run keeps is left out: on another device
    nearly equal logits may change places.
    """
    paired = tuple(case for case in cases if case.lookalike is not None)
    sides = [case.row for case in paired], [cast(int, case.lookalike) for case in paired]
    wrong, right = (record(run.model, run.tensor(rows)) for rows in sides)
    other = record(run.model, run.tensor(find_others(run, paired)))
    labels = torch.tensor([case.true for case in paired], dtype=torch.int64)
    pairs = Pairs(paired, wrong, right, other, labels)
    given = torch.tensor([case.predicted for case in paired], dtype=torch.int64)
    same = (pairs.wrong.predicted == given) & (pairs.right.predicted == labels)
    return pairs if bool(same.all()) else pairs.only(compress(paired, same))


def pixel_sets(pairs: Pairs, rule: Rule) -> PixelSets:
    """Return the sets of every pair under a rule, found once from the classes that were given."""
    if rule not in pairs.sets:
        traces = (pairs.wrong, pairs.right, pairs.other)
        pairs.sets[rule] = _sets(*(backtrack(trace, rule=rule).pixels for trace in traces))
    return pairs.sets[rule]


def _sets(wrong: Tensor, right: Tensor, other: Tensor) -> PixelSets:
    return PixelSets(wrong, right, other, wrong & right, wrong & ~right)


def closest(cases: Iterable[Case], true: int | None = None) -> list[Case]:
    """Return the one case nearest to its look-alike, of a true class where possible, or none."""
    paired = [case for case in cases if case.lookalike is not None]
    preferred = [case for case in paired if case.true == true]
    return sorted(preferred or paired, key=lambda case: case.distance)[:1]


OVERLAP = ["right", "wrong", "common", "unique"]
"""The sets whose sizes an `overlap_table` has."""


def overlap_table(pairs: Pairs, rule: Rule) -> pd.DataFrame:
    """Return the sizes of both sets, their overlap, and the common values, one row a pair.

    ``jaccard`` is the common pixels' share of those of either set, ``chance`` that of sets of these
    sizes drawn from the active pixels, ``largest`` that of the most active pixels. ``correlation``
    and ``difference`` (mean absolute difference over mean value, from 0 to 2) are of the common
    pixels' values. NaN stands where there is nothing to compute from.
    """
    sets, a, b = pixel_sets(pairs, rule), pairs.right.maps, pairs.wrong.maps
    counts = {name: counted(getattr(sets, name)) for name in OVERLAP}
    right, wrong = counts["right"].double(), counts["wrong"].double()
    drawn = counted((a > 0) & (b > 0)) * (right / counted(a > 0)) * (wrong / counted(b > 0))
    columns = counts | {
        "jaccard": jaccard(sets.right, sets.wrong),
        "chance": drawn / (right + wrong - drawn),
        "largest": jaccard(top_pixels(a, counts["right"]), top_pixels(b, counts["wrong"])),
    }
    shared = [torch.stack([y[at], x[at]]) for x, y, at in zip(a, b, sets.common, strict=True)]
    alike = [float(torch.corrcoef(v.double())[0, 1]) if len(v[0]) > 1 else np.nan for v in shared]
    apart = [float((y - x).abs().sum().double() / (y + x).sum().double()) for y, x in shared]
    table = pd.DataFrame(columns, index=[case.row for case in pairs.cases])
    return table.assign(correlation=alike, difference=2 * np.array(apart))


SETS = {
    "nothing": "nothing",
    "all": "all backtracked",
    "common": "common",
    "largest_common": "largest activations, same number as common",
    "random_common": "random, same number as common",
    "unique": "unique to the error",
    "excess": "largest excess, same number as unique",
    "largest": "largest activations, same number as unique",
    "subset": "any of the error's backtracked",
    "other": "unique beside another class",
    "random": "random, same number as unique",
    "contrastive": "contrastive, at most as many cells as unique",
    "repair": "repair set, the fewest found",
}
"""Sets of pixels to suppress, in words; see `fixed_sets` and `random_sets`.

Those between ``unique`` and ``contrastive`` have as many pixels as ``unique``.
"""
DRAWN = ("random_common", "subset", "other", "random")
"""The sets that are drawn at random, several times."""
DRAWS = 10
Fill = Tensor | float
ZERO: Mapping[str, Sequence[Fill]] = {"zero": [0.0]}
FILLS = {
    "zero": "zero",
    "mean": "the channel's mean",
    "resampled": "another image's",
    "patched": "the look-alike's",
}
"""Values that replace those of a set of pixels, in words; see `fill_values`."""
SAMPLE = 500
"""Right test images, at most, from which means and values of other images are taken."""


def random_pixels(maps: Float[Tensor, "n c h w"], counts: Int[Tensor, "n"], seed: int) -> Cells:
    """Draw `counts[i]` active pixels of image i; all of them where it has fewer."""
    return _drawn(maps > 0, counts, seed)


def _drawn(pixels: Cells, counts: Int[Tensor, "n"], seed: int, first: Cells | int = 0) -> Cells:
    """Draw as many of the pixels of each image, those of `first` before the others."""
    generator = torch.Generator().manual_seed(seed)
    scores = 1 - torch.rand(pixels.shape, generator=generator, dtype=torch.float64)
    return top_pixels((scores + first) * pixels, counts)


def counted(pixels: Cells) -> Int[Tensor, "n"]:
    """Count the pixels in the set of each image."""
    return pixels.flatten(1).sum(1)


def fixed_sets(pairs: Pairs, sets: PixelSets, names: Iterable[str] = SETS) -> dict[str, Cells]:
    """Return those of the sets of the misclassified images that involve no chance.

    ``excess`` pixels are those whose activation exceeds the look-alike's most, without any
    backtracking. ``contrastive`` ones have the largest share in the wrong logit minus the true
    one; only positive shares count, so that such a set may be smaller than the one it is compared
    with. ``repair`` is the smallest set found that makes the answer right, whatever the rule.
    """
    maps, common, unique = pairs.wrong.maps, counted(sets.common), counted(sets.unique)
    excess = maps.double() - pairs.right.maps
    excess += 1 - excess.flatten(1).amin(1)[:, None, None, None]  # `top_pixels` wants positive ones
    shares = contributions(pairs.wrong, None, against=pairs.labels)
    made: dict[str, Callable[[], Tensor]] = {
        "nothing": lambda: torch.zeros_like(sets.wrong),
        "all": lambda: sets.wrong,
        "common": lambda: sets.common,
        "largest_common": lambda: top_pixels(maps, common),
        "unique": lambda: sets.unique,
        "excess": lambda: top_pixels(excess, unique),
        "largest": lambda: top_pixels(maps, unique),
        "contrastive": lambda: top_pixels(shares, unique),
        "repair": lambda: repair(pairs.wrong, pairs.labels).pixels,
    }
    return {name: made[name]() for name in names if name in made}


def random_sets(pairs: Pairs, sets: PixelSets, seed: int) -> dict[str, Cells]:
    """Draw those of the sets that involve chance.

    ``random`` is of active pixels, as many as ``unique`` has, and ``random_common`` as many as
    common. ``subset`` is of the pixels found in the error, as many as ``unique``, and so is
    ``other``: those not found in a right image of a third class (`find_others`) come first.
    """
    active, common, unique = pairs.wrong.maps > 0, counted(sets.common), counted(sets.unique)
    return {
        "random": _drawn(active, unique, 4 * seed),
        "random_common": _drawn(active, common, 4 * seed + 1),
        "subset": _drawn(sets.wrong, unique, 4 * seed + 2),
        "other": _drawn(sets.wrong, unique, 4 * seed + 3, first=sets.wrong & ~sets.other),
    }


def fill_values(run: Run, pairs: Pairs, seed: int = 0) -> dict[str, Sequence[Fill]]:
    """Return the values of each of `FILLS`, a list of several where they are drawn at random.

    ``mean`` has the mean of each map over right test images, at most `SAMPLE` of them, and
    ``resampled`` the maps of one of these at random for each error. ``patched`` are the maps of the
    look-alikes.
    """
    generator = np.random.default_rng(seed)
    right = run.split.test[run.predicted == run.labels]
    rows = generator.permutation(right)[:SAMPLE]
    parts = np.array_split(rows, 1 + len(rows) // PART)
    maps = torch.cat([record(run.model, run.tensor(part)).maps for part in parts])
    taken = generator.integers(max(len(rows), 1), size=(DRAWS // 2, len(pairs)))
    return {
        **ZERO,
        "mean": [maps.mean((0, 2, 3))[:, None, None]],
        "resampled": [maps[one] for one in taken],
        "patched": [pairs.right.maps],
    }


def suppression_table(
    pairs: Pairs,
    rule: Rule,
    names: Iterable[str] = SETS,
    fills: Mapping[str, Sequence[Fill]] = ZERO,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the pixels of every set of every pair other values; see `SETS` and `fill_values`.

    A row for each pair (its place), set, fill and draw has the number of pixels, whether the answer
    is ``changed`` and ``repaired``, the new probabilities of the true and of the first predicted
    class, and whether the same fill of the same pixels changes the look-alike's (``harmed``).
    """
    sets, names, tables = pixel_sets(pairs, rule), list(names), []
    fixed = fixed_sets(pairs, sets, names)
    for draw in range(draws):
        drawn = random_sets(pairs, sets, seed * draws + draw)
        drawn = {name: drawn[name] for name in names if name in DRAWN}
        for fill, values in fills.items():
            again = draw < len(values)  # sets that are not drawn have an outcome for each value
            for name, pixels in {**(fixed if again else {}), **drawn}.items():
                found = _outcomes(pairs, pixels, values[draw % len(values)])
                tables.append(found.assign(set=name, fill=fill))
    table = pd.concat(tables, ignore_index=True)
    known = {"set": pd.CategoricalDtype(names), "fill": pd.CategoricalDtype(list(fills))}
    return table.astype(known)


def _outcomes(pairs: Pairs, pixels: Cells, fill: Fill) -> pd.DataFrame:
    given, logits = pairs.wrong.predicted, rescore(pairs.wrong, pixels, fill)
    answer, chances = logits.argmax(1), logits.softmax(1)
    columns = {
        "pair": range(len(pairs)),
        "pixels": counted(pixels),
        "changed": answer != given,
        "repaired": answer == pairs.labels,
        "p_true": chances.gather(1, pairs.labels[:, None])[:, 0],
        "p_predicted": chances.gather(1, given[:, None])[:, 0],
        "harmed": rescore(pairs.right, pixels, fill).argmax(1) != pairs.right.predicted,
    }
    return pd.DataFrame(columns)


def by_pair(table: pd.DataFrame, outcome: str = "repaired") -> pd.DataFrame:
    """Return an outcome of each pair (rows) under each set and fill (columns), means over draws."""
    means = table.groupby(["set", "fill", "pair"], observed=True)[outcome].mean().astype(float)
    columns = pd.MultiIndex.from_product([table[key].cat.categories for key in ("set", "fill")])
    return means.unstack(["set", "fill"]).reindex(columns=columns)


def advantage(
    table: pd.DataFrame, first: str, second: str, outcome: str = "repaired", fill: str = "zero"
) -> Estimate:
    """Return how much more often an outcome happens under one set than under another, by pair."""
    by = by_pair(table, outcome)
    return estimate((by[first, fill] - by[second, fill]).to_numpy())


def fills_table(table: pd.DataFrame, outcome: str, names: Iterable[str]) -> pd.DataFrame:
    """Return the share of an outcome with its standard error, by set (rows) and fill (columns)."""
    by = by_pair(table, outcome)
    cells = {
        FILLS[fill]: {SETS[name]: with_error(estimate(by[name, fill].to_numpy())) for name in names}
        for fill in table["fill"].cat.categories
    }
    return pd.DataFrame(cells).rename_axis("cells")


def with_error(found: Estimate) -> str:
    """Print a share and its standard error in percent."""
    if found.value != found.value:
        return paper.NOTHING
    return f"{100 * found.value:.1f}% ± {100 * found.error:.1f}"


def summarise(
    table: pd.DataFrame, outcome: str = "repaired", against: str = "random"
) -> pd.DataFrame:
    """Count how often an outcome of a `suppression_table` happened under each set, at zero.

    A row for each set has the ``cases``, the mean of ``pixels``, the ``count`` (mean over draws),
    the ``rate`` with Wilson's interval over the cases, and its ``difference`` to the control set's
    (`against`) with a paired bootstrap interval over cases, NaN for the control itself.
    """
    by, sizes = (by_pair(table, x).xs("zero", axis=1, level=1) for x in (outcome, "pixels"))
    rows = {}
    for name in map(str, by):
        values = by[name]
        apart = values - by[against] if name != against else values * np.nan
        shares = values.sum(), values.mean(), *proportion_interval(values.sum(), len(values))
        change = apart.mean(), *bootstrap_interval(apart.to_numpy())
        rows[name] = (len(values), sizes[name].mean(), *shares, *change)
    columns = ["cases", "pixels", "count", "rate", "low", "high", "difference"]
    columns += ["difference_low", "difference_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("set")


def equal_smallest(probabilities: Float[Tensor, "n k"]) -> Int[Tensor, "n"]:
    """Count the entries of each row that are exactly equal to its smallest, that one included."""
    return (probabilities == probabilities.amin(1, keepdim=True)).sum(1)


ASPECTS = {"subject": "subject {}", "emotion": "{}", "gaze": "gaze {}", "angle": "{}°"}


def name_of(run: Run, row: int) -> str:
    """Describe an image by the columns of the index; name its file where there are none."""
    values = run.faces.index.table.iloc[row]
    words = [words.format(values[a]) for a, words in ASPECTS.items() if run.faces.index.has(a)]
    return ", ".join(words) or Path(str(values["path"])).name


def differing(run: Run, case: Case) -> list[str]:
    """Return the aspects that the index knows in which an error and its look-alike differ."""
    known = {a: run.faces.index.table[a].to_numpy() for a in ASPECTS if run.faces.index.has(a)}
    return [a for a, values in known.items() if values[case.row] != values[case.lookalike]]


IMAGES = ("(a) right", "(b) wrong")


def confidence_table(error: pd.DataFrame, lookalike: pd.DataFrame) -> pd.DataFrame:
    """Return the probabilities of one pair by image and set, means over draws (claim S2).

    From the `suppression_table` of the pair and of the reversed pair, at zero; the columns are of
    the true class, of the error's ``predicted`` class, and of all ``other`` classes.
    """
    turned = lookalike.rename(columns={"p_true": "p_predicted", "p_predicted": "p_true"})
    both = pd.concat(dict(zip(IMAGES, (turned, error), strict=True)), names=["image"])
    both = both[both["fill"] == "zero"].rename(columns=lambda name: name.removeprefix("p_"))
    means = both.groupby(["image", "set"], observed=True)[["pixels", "true", "predicted"]].mean()
    return means.assign(other=(1 - means["true"] - means["predicted"]).clip(lower=0))


def keyed(claim: str, run: Run, values: Mapping[str, Numbers]) -> dict[str, object]:
    """Key the numbers of each rule; those of the published code's cutoff have the paper's keys."""
    return {
        f"{claim}.{run.task}.{name}{'' if rule == 'cutoff' else f'_{rule}'}": value
        for rule, named in values.items()
        for name, value in named.items()
    }


def beside_paper(numbers: Numbers, networks: paper.Measured) -> pd.DataFrame:
    """Set the paper's numbers beside ours under the published code's cutoff, and networks'."""
    rows = [("", key, value) for key, value in numbers.items() if not key.endswith("_literal")]
    return paper.compare(rows, networks).drop(columns=["95 % interval", "place in the paper"])


def count(summary: pd.DataFrame, name: str) -> int | float:
    """Return a count of a summary as a whole number, a mean over draws as it is."""
    value = float(summary["count"][name])
    return int(value) if value.is_integer() else value


@style.styled()
def rates_figure(
    summaries: Mapping[str, pd.DataFrame], sets: Sequence[str], outcome: str
) -> Figure | None:
    """Draw how often an outcome, in words, happened under each set, from `summarise` by rule."""
    if not any(summary["cases"].any() for summary in summaries.values()):
        return None
    aspect = (0.09 * len(sets) + 0.25) * len(summaries) / len(RULES)
    figure, axes = style.grid(1, len(summaries), aspect=aspect, sharey=True)
    for ax, (title, summary) in zip(axes[0], summaries.items(), strict=True):
        for place, name in enumerate(sets):
            row = summary.loc[name]
            spread = np.abs([[row["rate"] - row["low"]], [row["high"] - row["rate"]]])
            colour = style.GRAY if name in DRAWN else style.BLUE
            ax.errorbar(row["rate"], place, xerr=spread, fmt="o", ms=4, color=colour, capsize=2)
        ax.set_yticks(range(len(sets)), [SETS[name] for name in sets])
        ax.set(xlim=(-0.03, 1.03), ylim=(len(sets) - 0.5, -0.5), title=title)
        ax.grid(axis="x", color="#e5e5e5")
    figure.supxlabel(f"share of errors {outcome} (gray: mean of {DRAWS} draws)", fontsize=9)
    return figure
