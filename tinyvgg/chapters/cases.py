"""Case studies: errors beside their look-alikes, and what suppression does to both."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import NAMED, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import bootstrap_interval, proportion_interval
from tinyvgg.chapters.verdicts import Part, Verdict, either, lacking, weigh
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore
from tinyvgg.training.runs import Run

RULES: Mapping[str, Rule] = {name: NAMED[name] for name in ("cutoff", "literal")}
"""The rules that the case studies compare: the published code's cutoff and Algorithm 1."""
PIXEL_MAX = 255.0
Tables = Mapping[str, pd.DataFrame]
"""A table for each rule, by its name."""


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
    """Return one case; sums of squares of 8-bit pixels are exact, so that ties are ties."""
    labels, index, images = run.faces.index.labels(run.task), run.faces.index, run.faces.images
    right = np.sort(run.split.test[run.predicted == run.labels])
    found = right[(labels[right] == labels[row]) & (right != row)]
    for column in filter(index.has, ("angle", "subject")):
        values = index.table[column].to_numpy()
        same = found[values[found] == values[row]]
        found = same if column == "angle" or len(same) else found
    if not len(found):
        return Case(row, int(labels[row]), predicted, None, float("nan"))
    squares = [int(((images[other].astype(np.int64) - images[row]) ** 2).sum()) for other in found]
    nearest = int(np.argmin(squares))
    distance = float(np.sqrt(squares[nearest] / images[row].size)) / PIXEL_MAX
    return Case(row, int(labels[row]), predicted, int(found[nearest]), distance)


@dataclass(frozen=True)
class Pairs:
    """Errors and their look-alikes with a recorded pass of both, and the true labels."""

    cases: tuple[Case, ...]
    wrong: Trace
    right: Trace
    labels: Int[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.cases)

    def only(self, cases: Iterable[Case]) -> "Pairs":
        """Return the pairs of some of the cases, in the order of these; others are ignored."""
        place = {case.row: place for place, case in enumerate(self.cases)}
        places = [place[case.row] for case in cases if case.row in place]
        chosen = tuple(self.cases[place] for place in places)
        return Pairs(chosen, self.wrong[places], self.right[places], self.labels[places])

    def reversed(self) -> "Pairs":
        """Return the pairs with their sides swapped, to treat right images as if they were errors.

        `labels` are then the classes that the errors were taken for.
        """
        cases = tuple(
            Case(case.lookalike, case.predicted, case.true, case.row, case.distance)
            for case in self.cases
            if case.lookalike is not None
        )
        return Pairs(cases, self.right, self.wrong, self.wrong.predicted)


def record_pairs(run: Run, cases: Iterable[Case]) -> Pairs:
    """Record the cases that have a look-alike, and their look-alikes.

    A pair whose recorded answers are not those that the run keeps is left out: on another device
    nearly equal logits may change places.
    """
    paired = tuple(case for case in cases if case.lookalike is not None)
    wrong = run.tensor([case.row for case in paired])
    right = run.tensor([case.lookalike for case in paired if case.lookalike is not None])
    labels = torch.tensor([case.true for case in paired], dtype=torch.int64)
    pairs = Pairs(paired, record(run.model, wrong), record(run.model, right), labels)
    given = torch.tensor([case.predicted for case in paired], dtype=torch.int64)
    same = (pairs.wrong.predicted == given) & (pairs.right.predicted == labels)
    return pairs if bool(same.all()) else pairs.only(compress(paired, same))


class PixelSets(NamedTuple):
    """Pixels found in errors and in their look-alikes, each from the class that was given."""

    wrong: Bool[Tensor, "n c h w"]
    right: Bool[Tensor, "n c h w"]
    common: Bool[Tensor, "n c h w"]  # in both (claim S1)
    unique: Bool[Tensor, "n c h w"]  # in the error's alone (claim S4)


def pixel_sets(pairs: Pairs, rule: Rule) -> PixelSets:
    """Return the sets of every pair under a rule, from the classes that the network gave."""
    wrong, right = (backtrack(trace, rule=rule).pixels for trace in (pairs.wrong, pairs.right))
    return PixelSets(wrong, right, wrong & right, wrong & ~right)


def closest(cases: Iterable[Case], true: int | None = None) -> list[Case]:
    """Return the one case nearest to its look-alike, of a true class where possible, or none."""
    paired = [case for case in cases if case.lookalike is not None]
    preferred = [case for case in paired if case.true == true]
    return sorted(preferred or paired, key=lambda case: case.distance)[:1]


OVERLAP = [
    *("right", "wrong", "common", "unique", "jaccard", "chance", "largest"),
    *("correlation", "difference"),
]


def overlap_table(pairs: Pairs, rule: Rule) -> pd.DataFrame:
    """Return the sizes of both sets, their overlap, and the common values, one row a pair.

    ``jaccard`` is the common pixels' share of those of either set, ``chance`` that of sets of these
    sizes drawn from the active pixels, ``largest`` that of the most active pixels. ``correlation``
    and ``difference`` (mean absolute difference over mean value, from 0 to 2) are of the common
    pixels' values. NaN stands where there is nothing to compute from.
    """
    sets, rows = pixel_sets(pairs, rule), []
    sides = zip(sets.right, sets.wrong, pairs.right.maps, pairs.wrong.maps, strict=True)
    for right, wrong, a, b in sides:
        common = right & wrong
        of_right, of_wrong, of_both = (int(part.sum()) for part in (right, wrong, common))
        drawn = int(((a > 0) & (b > 0)).sum()) * _ratio(of_right, int((a > 0).sum()))
        drawn *= _ratio(of_wrong, int((b > 0).sum()))
        first, second = top_pixels(a[None], of_right), top_pixels(b[None], of_wrong)
        x, y = a[common], b[common]
        values = torch.stack([y, x]).double()
        rows.append(
            (
                *(of_right, of_wrong, of_both, of_wrong - of_both),
                _ratio(of_both, int((right | wrong).sum())),
                _ratio(drawn, of_right + of_wrong - drawn),
                _ratio(int((first & second).sum()), int((first | second).sum())),
                float(torch.corrcoef(values)[0, 1]) if len(x) > 1 else float("nan"),
                _ratio(float((y - x).abs().sum()), float((y + x).sum()) / 2),
            )
        )
    return pd.DataFrame(rows, columns=OVERLAP, index=[case.row for case in pairs.cases])


def _ratio(part: float | int, whole: float | int) -> float:
    return part / whole if whole else float("nan")


SETS = {
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
"""Sets of pixels to suppress, in words; see `fixed_sets` and `random_sets`."""
DRAWS = 20


def random_pixels(
    maps: Float[Tensor, "n c h w"], counts: Int[Tensor, "n"], seed: int
) -> Bool[Tensor, "n c h w"]:
    """Draw `counts[i]` active pixels of image i; all of them where it has fewer."""
    generator = torch.Generator().manual_seed(seed)
    scores = 1 - torch.rand(maps.shape, generator=generator, dtype=torch.float64).to(maps.device)
    return top_pixels(scores * (maps > 0), counts)


def counted(pixels: Bool[Tensor, "n c h w"]) -> Int[Tensor, "n"]:
    """Count the pixels in the set of each image."""
    return pixels.flatten(1).sum(1)


def fixed_sets(pairs: Pairs, sets: PixelSets) -> dict[str, Tensor]:
    """Return the sets of the misclassified images that involve no chance, by their names in `SETS`.

    ``contrastive`` pixels have the largest share in the wrong logit minus the true one; only
    positive shares count, so that such a set may be smaller than the one it is compared with.
    ``repair`` is the smallest set found that makes the answer right, whatever the rule.
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
    """Draw ``random``, as many active pixels as ``unique`` has, and ``random_common``."""
    maps = pairs.wrong.maps
    return {
        "random": random_pixels(maps, counted(sets.unique), 2 * seed),
        "random_common": random_pixels(maps, counted(sets.common), 2 * seed + 1),
    }


def suppression_table(pairs: Pairs, rule: Rule, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Suppress every set of every pair; only random sets are drawn more than once.

    A row for each pair (its place), set and draw has the number of pixels, whether the answer is
    ``changed`` and ``repaired``, the new probabilities of the true and of the first predicted
    class, and whether the same pixels suppressed in the look-alike change its answer (``harmed``).
    """
    sets = pixel_sets(pairs, rule)
    suppressed = list(fixed_sets(pairs, sets).items())
    for draw in range(draws):
        suppressed += random_sets(pairs, sets, seed * draws + draw).items()
    tables = [_outcomes(pairs, name, pixels) for name, pixels in suppressed]
    return pd.concat(tables, ignore_index=True)


def _outcomes(pairs: Pairs, name: str, pixels: Bool[Tensor, "n c h w"]) -> pd.DataFrame:
    given, logits = pairs.wrong.predicted, rescore(pairs.wrong, pixels)
    answer, chances = logits.argmax(1), logits.softmax(1)
    columns = {
        "pixels": counted(pixels),
        "changed": answer != given,
        "repaired": answer == pairs.labels,
        "p_true": chances.gather(1, pairs.labels[:, None])[:, 0],
        "p_predicted": chances.gather(1, given[:, None])[:, 0],
        "harmed": rescore(pairs.right, pixels).argmax(1) != pairs.right.predicted,
    }
    named = pd.Categorical([name] * len(pairs), categories=list(SETS))
    values = {key: column.numpy() for key, column in columns.items()}
    return pd.DataFrame({"pair": range(len(pairs)), "set": named, **values})


def summarise(
    table: pd.DataFrame, outcome: str = "repaired", against: str = "random"
) -> pd.DataFrame:
    """Count how often an outcome of a `suppression_table` happened under each set.

    A row for each set has the ``cases``, the mean of ``pixels``, the ``count`` (mean over draws),
    the ``rate`` with Wilson's interval over the cases, and its ``difference`` to the control set's
    (`against`) with a paired bootstrap interval over cases, NaN for the control itself.
    """
    names = table["set"].astype("category").cat.categories
    parts = {name: table[table["set"] == name] for name in names}
    means = {name: p.groupby("pair")[outcome].mean().to_numpy(float) for name, p in parts.items()}
    rows = {}
    for name, values in means.items():
        apart = values - means[against] if name != against else np.full_like(values, np.nan)
        rate, difference = (float(v.mean()) if len(v) else float("nan") for v in (values, apart))
        count, size = float(values.sum()), float(parts[name]["pixels"].mean())
        interval = proportion_interval(count, len(values))
        change = (difference, *bootstrap_interval(apart))
        rows[name] = (len(values), size, count, rate, *interval, *change)
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
    table = run.faces.index.table
    known = {a: table[a].to_numpy() for a in ASPECTS if run.faces.index.has(a)}
    return [a for a, values in known.items() if values[case.row] != values[case.lookalike]]


def network_sentence(run: Run, asked: str) -> str:
    """Describe a run's network, and the columns that the run lacks for a chapter."""
    plurals = {"subject": "subjects", "emotion": "emotions", "class": "classes"}
    about = (
        f"he network of this run classifies {len(run.classes)} {plurals[run.task]}; its training"
        f" ended {run.ended}."
    )
    lacks = lacking(run, asked).removesuffix(".")
    return f"{lacks}: where the text speaks of {plurals[asked]}, t{about}" if lacks else f"T{about}"


def pair_sentence(run: Run, pairs: Pairs, pair: Pairs, wanted: str) -> str:
    """Describe the pair that a chapter shows: the reason for it, and how its images differ."""
    if not len(pair):
        return f"None of the {len(run.errors)} errors of this run has a right look-alike."
    text = style.in_markdown
    case, closest = pair.cases[0], f"shown is the closest of the {len(pairs)} pairs that there are."
    own = sum(run.classes[other.true] == wanted for other in pairs.cases)
    if run.task != "subject" or wanted not in run.classes:
        chosen = f"This run has no subject {text(wanted)}; {closest}"
    elif not own:
        chosen = (
            f"Subject {text(wanted)} has no error with a right look-alike in this run; {closest}"
        )
    else:
        chosen = (
            f"Subject {text(wanted)} has {own} of the {len(pairs)} errors that have a right"
            " look-alike; shown is the one that is closest to it."
        )
    unknown = [aspect for aspect in ASPECTS if not run.faces.index.has(aspect)]
    same = f"are of the same {run.task}" if unknown else "differ in pixels only"
    found = " and ".join(differing(run, case))
    unsaid = f" Whether they differ in {either(unknown)} this source does not say."
    return (
        f"{chosen} The right image ({text(name_of(run, case.lookalike or 0))}) and the wrong one"
        f" ({text(name_of(run, case.row))}) {f'differ in {found}' if found else same};"
        f" {run.task} **{text(run.classes[case.true])}** was taken for"
        f" **{text(run.classes[case.predicted])}**.{unsaid if unknown else ''}"
    )


IMAGES = ("(a) right", "(b) wrong")


def confidence_table(error: pd.DataFrame, lookalike: pd.DataFrame) -> pd.DataFrame:
    """Return the probabilities of one pair by image and set, means over draws (claim S2).

    From the `suppression_table` of the pair and of the reversed pair; the columns are of the true
    class, of the error's ``predicted`` class, and of all ``other`` classes.
    """
    turned = lookalike.rename(columns={"p_true": "p_predicted", "p_predicted": "p_true"})
    parts = {}
    for image, table in zip(IMAGES, (turned, error), strict=True):
        columns = {"pixels": "pixels", "p_true": "true", "p_predicted": "predicted"}
        means = table.groupby("set", observed=True)[list(columns)].mean().rename(columns=columns)
        other = (1 - means["true"] - means["predicted"]).clip(lower=0)
        parts[image] = means.assign(other=other)
    return pd.concat(parts, names=["image", "set"])


def rates_table(summary: pd.DataFrame, sets: Iterable[str]) -> pd.DataFrame:
    """Return a summary of `summarise` in words: counts, rates and differences, with intervals."""
    rows, found = {}, summary.to_dict("index")
    for name in sets:
        row = found[name]
        share = [row[column] for column in ("rate", "low", "high")]
        points = [row[f"difference{end}"] for end in ("", "_low", "_high")]
        rows[SETS[name]] = {
            "pixels": paper.show(row["pixels"], "mean"),
            "count": f"{row['count']:.4g}",
            "share (95 % interval)": _percent(share, "", "%"),
            "points above control (95 % interval)": _percent(points, "+", ""),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("suppressed")


def _percent(found: Sequence[float], sign: str, unit: str) -> str:
    """Print a value and its interval; a bootstrap has none for cases that all differ alike."""
    value, low, high = found
    interval = f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}" if low != high else paper.NOTHING
    return f"{100 * value:{sign}.1f}{unit} ({interval})" if value == value else paper.NOTHING


Numbers = Mapping[str, object]


def keyed(claim: str, run: Run, values: Mapping[str, Numbers]) -> dict[str, object]:
    """Key the numbers of each rule; those of the published code's cutoff have the paper's keys."""
    return {
        f"{claim}.{run.task}.{name}{'' if rule == 'cutoff' else f'_{rule}'}": value
        for rule, named in values.items()
        for name, value in named.items()
    }


def beside_paper(numbers: Numbers) -> pd.DataFrame:
    """Set the paper's numbers beside ours under each rule, from `keyed` numbers."""
    shown = {key: numbers[key] for key in numbers if not key.endswith("_literal")}
    table = paper.compare(("", key, cast(Any, value)) for key, value in shown.items())
    units = {key: paper.describe(key).unit for key in shown}
    literal = [paper.show(cast(Any, numbers.get(f"{k}_literal")), u) for k, u in units.items()]
    table = table.drop(columns="95 % interval").rename(columns={"ours": "ours, cutoff"})
    table.insert(3, "ours, literal rule", literal)
    return table


def count(summary: pd.DataFrame, name: str) -> int | float:
    """Return a count of a summary as a whole number, a mean over draws as it is."""
    value = float(summary["count"][name])
    return int(value) if value.is_integer() else value


def count_interval(summary: pd.DataFrame, name: str) -> tuple[float, float] | None:
    """Return the 95 % interval of a rate as one of the count; None without cases."""
    row = summary.to_dict("index")[name]
    return (row["low"] * row["cases"], row["high"] * row["cases"]) if row["cases"] else None


MAJORITY = 0.5
STRONGLY = 0.25
"""Values differ strongly if they differ by at least this share of their mean."""
NO_LOOKALIKE = "no error of this run has a right look-alike"


def _judge(
    claim: str, task: str, nothing: str = NO_LOOKALIKE
) -> Callable[[Callable[..., Iterable[Part]]], Callable[..., Verdict]]:
    """Weigh a claim about a task on runs of that task that have errors with look-alikes."""

    def decorate(parts: Callable[..., Iterable[Part]]) -> Callable[..., Verdict]:
        @wraps(parts)
        def judged(run: Run, *facts: Any) -> Verdict:
            if run.task != task:
                reason = f"the claim is about {task}, this network classifies {run.task}"
                return weigh(claim, reason)
            if not _cases(facts[0]):
                return weigh(claim, nothing)
            return weigh(claim, parts(run, *facts))

        return judged

    return decorate


def _cases(fact: Pairs | Tables) -> int:
    """Count the cases of pairs, or of a table for each rule."""
    if isinstance(fact, Pairs):
        return len(fact)
    return sum(int(t["cases"].sum()) if "cases" in t else len(t) for t in fact.values())


def _part(rule: str, fact: str, *met: bool | np.bool_) -> Part:
    """Give a rule its points: the claim holds where it gets all of them under all rules."""
    return Part(sum(map(bool, met)) / len(met), f"{rule} rule: {fact}", marked=False)


@_judge("F9", "subject")
def judge_pair(run: Run, pair: Pairs) -> Iterable[Part]:
    """Weigh F9: an error has a right look-alike of the same subject that differs in gaze only."""
    differs = differing(run, pair.cases[0])
    yield Part(
        1 if differs == ["gaze"] else 0.5,
        f"an error and a right image of subject {run.classes[pair.cases[0].true]} at the same angle"
        f" differ in {' and '.join(differs) or 'nothing that the index knows'}",
        marked=False,
    )


@_judge("S1", "subject")
def judge_overlap(run: Run, shown: Tables, every: Tables) -> Iterable[Part]:
    """Weigh S1: in the shown pair most pixels of either set are in both (Jaccard above 0.5)."""
    for rule, table in every.items():
        jaccard = shown[rule]["jaccard"].iloc[0]
        fact = (
            f"{jaccard:.2f} of the pixels of either image are common (mean of {len(table)} errors"
            f" {table['jaccard'].mean():.2f}, by chance {table['chance'].mean():.2f})"
        )
        yield _part(rule, fact, jaccard > MAJORITY)


@_judge("F10", "subject", "no look-alike has a second right image to compare with")
def judge_values(run: Run, pairs: Tables, controls: Tables) -> Iterable[Part]:
    """Weigh F10: common values differ strongly, and more than between two right images."""
    for rule, table in pairs.items():
        sides = np.stack([table["difference"], controls[rule]["difference"]])
        sides = sides[:, ~np.isnan(sides).any(0)]
        first, second = sides.mean(1)
        low, high = bootstrap_interval(sides[0] - sides[1])
        fact = (
            f"values differ by {first:.2f} of their mean, between two right images by"
            f" {second:.2f} (difference {low:+.2f} to {high:+.2f})"
        )
        yield _part(rule, fact, low > 0, low > 0 and first >= STRONGLY)


@_judge("S2", "subject")
def judge_confidence(run: Run, errors: Tables, lookalikes: Tables) -> Iterable[Part]:
    """Weigh S2: without the common pixels both answers change, without random ones mostly none."""
    for rule in errors:
        shares = [
            by[rule].groupby("set", observed=True)["changed"].mean() for by in (lookalikes, errors)
        ]
        common, drawn = ([share[name] for share in shares] for name in ("common", "random_common"))
        fact = f"without the common pixels {sum(common):.0f} of 2 answers change"
        fact += f", without as many random ones {sum(drawn):.1f}"
        changed = min(common) == 1
        yield _part(rule, fact, changed, changed and max(drawn) <= MAJORITY)


@_judge("S3", "subject")
def judge_common(run: Run, changed: Tables) -> Iterable[Part]:
    """Weigh S3: without the common pixels most answers change, more than without random ones."""
    for rule, table in changed.items():
        common, chance = (table.to_dict("index")[name] for name in ("common", "random_common"))
        low, high = common["difference_low"], common["difference_high"]
        fact = (
            f"{common['rate']:.0%} of {common['cases']:.0f} answers change, without as many"
            f" random pixels {chance['rate']:.0%} (difference {100 * low:+.0f} to"
            f" {100 * high:+.0f} points)"
        )
        yield _part(rule, fact, common["low"] > MAJORITY, low > 0)


@_judge("F11", "emotion")
def judge_eight(run: Run, eight: Pairs) -> Iterable[Part]:
    """Weigh F11: for every emotion, an image taken for it has a right look-alike."""
    found, wanted = len(eight), len(run.classes)
    fact = f"{found} of {wanted} emotions have an error with a right look-alike"
    yield Part(1 if found == wanted else 0.5, fact, marked=False)


@_judge("T3", "emotion")
def judge_table3(run: Run, eight: Pairs, after: Mapping[str, Tensor]) -> Iterable[Part]:
    """Weigh T3: after suppression the true class has the largest probability in every row."""
    parts = []
    for rule, logits in after.items():
        right = int((logits.argmax(1) == eight.labels).sum())
        fact = f"the true emotion is largest in {right} of {len(eight)} rows"
        parts.append(_part(rule, fact, right > 0, right == len(eight)))
    plain, clipped = (
        max(int(equal_smallest(f(logits).softmax(1)).max()) for logits in after.values())
        for f in (torch.clone, torch.relu)
    )
    equal = f"at most {plain} of the smallest entries of a row are equal, {clipped} with a ReLU"
    parts[-1] = parts[-1]._replace(fact=f"{parts[-1].fact}; {equal} on the logits")
    return parts


@_judge("S4", "emotion")
def judge_unique(run: Run, eight: Tables, every: Tables) -> Iterable[Part]:
    """Weigh S4: unique pixels repair all of the eight, and more errors than other sets do."""
    for rule, table in every.items():
        few, rate = eight[rule].loc["unique"], table["rate"]
        fact = (
            f"{few['count']:.0f} of {few['cases']:.0f} repaired, of all errors"
            f" {rate['unique']:.0%}, by random pixels {rate['random']:.0%}, by common ones"
            f" {rate['common']:.0%}, by contrastive ones {rate['contrastive']:.0%}"
        )
        better = table["difference_low"]["unique"] > 0
        whole = few["count"] == few["cases"] and rate["unique"] > rate["common"]
        yield _part(rule, fact, better, better and whole)


NO_PAIR = style.Missing("No error of this run has a right look-alike: there is nothing to show.")


@style.styled()
def rates_figure(summaries: Tables, sets: Sequence[str], outcome: str) -> style.Drawn:
    """Draw how often an outcome, in words, happened under each set, from `summarise` by rule."""
    if not _cases(summaries):
        return NO_PAIR
    figure, axes = style.grid(1, len(summaries), aspect=0.09 * len(sets) + 0.25, sharey=True)
    for ax, (title, summary) in zip(axes[0], summaries.items(), strict=True):
        for place, name in enumerate(sets):
            row = summary.loc[name]
            spread = np.abs([[row["rate"] - row["low"]], [row["high"] - row["rate"]]])
            colour = style.GRAY if name.startswith("random") else style.BLUE
            ax.errorbar(row["rate"], place, xerr=spread, fmt="o", ms=4, color=colour, capsize=2)
        ax.set_yticks(range(len(sets)), [SETS[name] for name in sets])
        ax.set(xlim=(-0.03, 1.03), ylim=(len(sets) - 0.5, -0.5), title=title)
        ax.grid(axis="x", color="#e5e5e5")
    words = f"share of cases {outcome} (random pixels: mean of {DRAWS} draws)"
    figure.supxlabel(words, fontsize=9)
    return figure
