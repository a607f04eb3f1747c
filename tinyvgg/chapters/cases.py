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
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import NAMED, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import bootstrap_interval, proportion_interval
from tinyvgg.chapters.verdicts import Part, Verdict, either, lacking, weigh
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

RULES: Mapping[str, Rule] = {name: NAMED[name] for name in ("cutoff", "literal")}
"""The rules that the case studies compare: the published code's cutoff and Algorithm 1."""
PIXEL_MAX = 255.0
Tables = Mapping[str, pd.DataFrame]
"""A table for each rule, by its name."""


@dataclass(frozen=True)
class Case:
    """A test image, its true and its given label, and its look-alike.

    The look-alike is a row, None where there is none; the distance is the root mean square
    difference of the two images' pixels, from 0 to 1, NaN where there is no look-alike.
    """

    row: int
    true: int
    predicted: int
    lookalike: int | None
    distance: float


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
    """Compare exact sums of squares of 8-bit pixels, so that ties are ties."""
    labels, index, images = run.faces.index.labels(run.task), run.faces.index, run.faces.images
    right = np.sort(run.split.test[run.predicted == run.labels])
    found = right[(labels[right] == labels[row]) & (right != row)]
    if index.has("angle"):
        angles = index.table["angle"].to_numpy()
        found = found[angles[found] == angles[row]]
    if index.has("subject"):
        subjects = index.table["subject"].to_numpy()
        own = found[subjects[found] == subjects[row]]
        found = own if len(own) else found
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
        """Return the pairs seen from the look-alike, as if it were to become the mistaken class.

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
    """Record the cases that have a look-alike, and these.

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
    """Pixels found in errors and in their look-alikes, each from the class that was given."""

    wrong: Bool[Tensor, "n c h w"]
    right: Bool[Tensor, "n c h w"]

    @property
    def common(self) -> Bool[Tensor, "n c h w"]:
        """Pixels in both (claim S1)."""
        return self.wrong & self.right

    @property
    def unique(self) -> Bool[Tensor, "n c h w"]:
        """Pixels in the error's alone (claim S4)."""
        return self.wrong & ~self.right


def pixel_sets(pairs: Pairs, rule: Rule) -> PixelSets:
    """Return the sets of every pair under a rule, from the classes that the network gave."""
    return PixelSets(*(backtrack(t, rule=rule).pixels for t in (pairs.wrong, pairs.right)))


def closest(cases: Iterable[Case], true: int | None = None) -> list[Case]:
    """Return the one case nearest to its look-alike, of a true class where possible, or none."""
    paired = [case for case in cases if case.lookalike is not None]
    preferred = [case for case in paired if case.true == true]
    return sorted(preferred or paired, key=lambda case: case.distance)[:1]


def closest_by_prediction(cases: Sequence[Case]) -> list[Case]:
    """Return, for each class that something was taken for, the case closest to its look-alike."""
    classes = sorted({case.predicted for case in cases})
    return [case for label in classes for case in closest(c for c in cases if c.predicted == label)]


OVERLAP = [
    *("right", "wrong", "common", "unique", "jaccard", "chance", "largest"),
    *("correlation", "difference"),
]


def overlap_table(pairs: Pairs, rule: Rule) -> pd.DataFrame:
    """Return the sizes of both sets, their overlap, and the common values, one row a pair.

    Columns: ``right``, ``wrong``, ``common``, ``unique`` (to the error), numbers of pixels;
    ``jaccard``, common pixels over those of either set; the same for sets of these sizes drawn
    from the active pixels of each image (``chance``), and for those of largest activation
    (``largest``); ``correlation`` of the common pixels' values and their ``difference``, mean
    absolute difference over mean value, from 0 to 2. Where there is nothing to compute from, NaN.
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
    """Draw so many active pixels of each image; all of them where it has fewer."""
    generator = torch.Generator().manual_seed(seed)
    scores = 1 - torch.rand(maps.shape, generator=generator, dtype=torch.float64).to(maps.device)
    return top_pixels(scores * (maps > 0), counts)


def counted(pixels: Bool[Tensor, "n c h w"]) -> Int[Tensor, "n"]:
    """Count the pixels in the set of each image."""
    return pixels.flatten(1).sum(1)


def fixed_sets(pairs: Pairs, sets: PixelSets) -> dict[str, Tensor]:
    """Return the sets of the misclassified images that involve no chance.

    ``nothing``; ``all`` that the rule finds; ``common`` and ``unique`` as in the paper. As many
    pixels as ``unique`` have ``largest``, of largest activation, and ``contrastive``, of largest
    share in the wrong logit minus the true one. ``contrastive_common`` has as many as ``common``.
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
    """Draw ``random``, as many active pixels as ``unique`` has, and ``random_common``."""
    maps = pairs.wrong.maps
    return {
        "random": random_pixels(maps, counted(sets.unique), 2 * seed),
        "random_common": random_pixels(maps, counted(sets.common), 2 * seed + 1),
    }


def suppression_table(pairs: Pairs, rule: Rule, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Suppress every set of every pair; only random sets are drawn more than once.

    Returns:
        A row for each pair, set and draw. Columns: ``pair`` (its place), ``set`` (one of `SETS`),
        ``pixels`` (suppressed), ``changed`` and ``repaired`` (the answer), ``p_true`` and
        ``p_predicted`` (new probabilities of the true and of the first predicted class), and
        ``harmed``: whether the same pixels suppressed in the look-alike change its answer.
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
    """Count how often something happened under each set of a `suppression_table`.

    Args:
        table: the outcomes.
        outcome: a column that is true or false: ``repaired``, ``changed``, ``harmed``.
        against: the set that serves as control.

    Returns:
        A row for each set: ``cases``, ``pixels`` (mean), ``count`` (mean over draws), ``rate`` with
        Wilson's interval over the cases from ``low`` to ``high``, ``difference`` of the rate to the
        control's with a paired bootstrap interval over cases, missing for the control itself.
    """
    by_set = table.astype({"set": "category"}).groupby(["set", "pair"], observed=True)[outcome]
    means, names = by_set.mean(), table["set"].astype("category").cat.categories
    by_case = {
        name: means[means.index.get_level_values("set") == name].to_numpy(float) for name in names
    }
    rows = {}
    for name, values in by_case.items():
        apart = values - by_case[against] if name != against else np.full_like(values, np.nan)
        rate, difference = (float(v.mean()) if len(v) else float("nan") for v in (values, apart))
        rows[name] = (
            len(values),
            float(table.loc[table["set"] == name, "pixels"].mean()),
            float(values.sum()),
            *(rate, *proportion_interval(float(values.sum()), len(values))),
            *(difference, *bootstrap_interval(apart)),
        )
    columns = ["cases", "pixels", "count", "rate", "low", "high", "difference"]
    columns += ["difference_low", "difference_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("set")


def equal_smallest(probabilities: Float[Tensor, "n k"]) -> Int[Tensor, "n"]:
    """Count the entries of each row that are exactly equal to its smallest, that one included."""
    return (probabilities == probabilities.amin(1, keepdim=True)).sum(1)


ASPECTS = {"subject": "subject {}", "emotion": "{}", "gaze": "gaze {}", "angle": "{}°"}


def name_of(run: Run, row: int) -> str:
    """Say what the index knows about an image; name its file where it knows nothing."""
    values = run.faces.index.table.iloc[row]
    words = [words.format(values[a]) for a, words in ASPECTS.items() if run.faces.index.has(a)]
    return ", ".join(words) or Path(str(values["path"])).name


def differing(run: Run, case: Case) -> list[str]:
    """Return the aspects that the index knows in which an error and its look-alike differ."""
    table = run.faces.index.table
    known = {a: table[a].to_numpy() for a in ASPECTS if run.faces.index.has(a)}
    return [a for a, values in known.items() if values[case.row] != values[case.lookalike]]


def network_sentence(run: Run, asked: str) -> str:
    """Say what a run's network classifies, and whether a chapter asks for something else."""
    plurals = {"subject": "subjects", "emotion": "emotions", "class": "classes"}
    about = f"he network of this run classifies {len(run.classes)} {plurals[run.task]}."
    lacks = lacking(run, asked).removesuffix(".")
    return f"{lacks}: where the text speaks of {plurals[asked]}, t{about}" if lacks else f"T{about}"


def pair_sentence(run: Run, pairs: Pairs, pair: Pairs, wanted: str) -> str:
    """Say which pair a chapter looks at, why this one, and in what its images differ."""
    if not len(pair):
        return f"None of the {len(run.errors)} errors of this run has a right look-alike."
    case, closest = pair.cases[0], f"shown is the closest of the {len(pairs)} pairs that there are."
    own = sum(run.classes[other.true] == wanted for other in pairs.cases)
    if run.task != "subject" or wanted not in run.classes:
        chosen = f"This run has no subject {wanted}; {closest}"
    elif not own:
        chosen = f"Subject {wanted} has no error with a right look-alike in this run; {closest}"
    else:
        chosen = (
            f"Subject {wanted} has {own} of the {len(pairs)} errors that have a right look-alike;"
            " shown is the one that is closest to it."
        )
    unknown = [aspect for aspect in ASPECTS if not run.faces.index.has(aspect)]
    same = f"are of the same {run.task}" if unknown else "differ in pixels only"
    found = " and ".join(differing(run, case))
    unsaid = f" Whether they differ in {either(unknown)} this source does not say."
    return (
        f"{chosen} The right image ({name_of(run, case.lookalike or 0)}) and the wrong one"
        f" ({name_of(run, case.row)}) {f'differ in {found}' if found else same};"
        f" {run.task} **{run.classes[case.true]}** was taken for"
        f" **{run.classes[case.predicted]}**.{unsaid if unknown else ''}"
    )


IMAGES = ("(a) right", "(b) wrong")


def confidence_table(error: pd.DataFrame, lookalike: pd.DataFrame) -> pd.DataFrame:
    """Return the probabilities of one pair with and without pixels, means over draws (claim S2).

    Args:
        error: `suppression_table` of the pair.
        lookalike: the same of the reversed pair.

    Returns:
        Rows of image and set; columns ``pixels`` and the probabilities of the ``true`` class, of
        the one that the error was taken for (``mistaken``), and of all others (``other``).
    """
    turned = lookalike.rename(columns={"p_true": "p_predicted", "p_predicted": "p_true"})
    parts = {}
    for image, table in zip(IMAGES, (turned, error), strict=True):
        columns = {"pixels": "pixels", "p_true": "true", "p_predicted": "mistaken"}
        means = table.groupby("set", observed=True)[list(columns)].mean().rename(columns=columns)
        other = (1 - means["true"] - means["mistaken"]).clip(lower=0)
        parts[image] = means.assign(other=other)
    return pd.concat(parts, names=["image", "set"])


def rates_table(summary: pd.DataFrame, sets: Iterable[str]) -> pd.DataFrame:
    """Return a summary of `summarise` in words: counts, rates and differences, with intervals."""
    rows, found = {}, summary.to_dict("index")
    for name in sets:
        row = found[name]
        rate, difference = (
            f"{100 * row[value]:{sign}.1f}{unit} ({_points(row[low], row[high], sign)})"
            if row[value] == row[value]
            else paper.NOTHING
            for value, low, high, sign, unit in (
                ("rate", "low", "high", "", "%"),
                ("difference", "difference_low", "difference_high", "+", ""),
            )
        )
        rows[SETS[name]] = {
            "pixels": paper.show(row["pixels"], "mean"),
            "count": f"{row['count']:.4g}",
            "share (95 % interval)": rate,
            "points above control (95 % interval)": difference,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("suppressed")


def _points(low: float, high: float, sign: str) -> str:
    """Print an interval in percent; a bootstrap says nothing of cases that all differ alike."""
    return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}" if low != high else paper.NOTHING


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
"""By this share of their mean values have to differ to differ strongly."""


def _judge(
    claim: str, task: str
) -> Callable[[Callable[..., Iterable[Part]]], Callable[..., Verdict]]:
    """Weigh a claim about a task on runs of that task that have errors with look-alikes."""

    def decorate(parts: Callable[..., Iterable[Part]]) -> Callable[..., Verdict]:
        @wraps(parts)
        def judged(run: Run, *facts: Any) -> Verdict:
            if run.task != task:
                reason = f"the claim is about {task}, this network classifies {run.task}"
                return weigh(claim, reason)
            if not _cases(facts[0]):
                return weigh(claim, "no error of this run has a right look-alike")
            return weigh(claim, parts(run, *facts))

        return judged

    return decorate


def _cases(fact: Any) -> int:
    """Count the cases of pairs, of a table, or of a table for each rule."""
    if isinstance(fact, Mapping):
        return sum(map(_cases, fact.values()))
    return int(fact["cases"].sum()) if "cases" in getattr(fact, "columns", ()) else len(fact)


def _part(rule: str, fact: str, *met: bool | np.bool_) -> Part:
    """Give a rule its points: the claim holds where it gets all of them under all rules."""
    return Part(sum(map(bool, met)) / len(met), f"{rule} rule: {fact}", marked=False)


@_judge("F9", "subject")
def judge_pair(run: Run, pair: Pairs) -> Iterable[Part]:
    """F9: an error has a right look-alike of the same subject that differs in gaze only."""
    differs = differing(run, pair.cases[0])
    yield Part(
        1 if differs == ["gaze"] else 0.5,
        f"an error and a right image of subject {run.classes[pair.cases[0].true]} at the same angle"
        f" differ in {' and '.join(differs) or 'nothing that the index knows'}",
        marked=False,
    )


@_judge("S1", "subject")
def judge_overlap(run: Run, shown: Tables, every: Tables) -> Iterable[Part]:
    """S1: in the shown pair most pixels of either set are in both (Jaccard above one half)."""
    for rule, table in every.items():
        jaccard = shown[rule]["jaccard"].iloc[0]
        fact = (
            f"{jaccard:.2f} of the pixels of either image are common (mean of {len(table)} errors"
            f" {table['jaccard'].mean():.2f}, by chance {table['chance'].mean():.2f})"
        )
        yield _part(rule, fact, jaccard > MAJORITY)


@_judge("F10", "subject")
def judge_values(run: Run, pairs: Tables, controls: Tables) -> Iterable[Part]:
    """F10: common values differ strongly, and more than between two right images."""
    for rule, table in pairs.items():
        columns = {"pair": table["difference"], "control": controls[rule]["difference"].to_numpy()}
        both = pd.DataFrame(columns).dropna()
        first, second = both["pair"].mean(), both["control"].mean()
        low, high = bootstrap_interval((both["pair"] - both["control"]).to_numpy())
        fact = (
            f"values differ by {first:.2f} of their mean, between two right images by"
            f" {second:.2f} (difference {low:+.2f} to {high:+.2f})"
        )
        yield _part(rule, fact, low > 0, low > 0 and first >= STRONGLY)


@_judge("S2", "subject")
def judge_confidence(run: Run, errors: Tables, lookalikes: Tables) -> Iterable[Part]:
    """S2: without the common pixels both answers change, and mostly not without random ones."""
    for rule in errors:
        shares = [
            by[rule].groupby("set", observed=True)["changed"].mean() for by in (lookalikes, errors)
        ]
        common, drawn = ([share[name] for share in shares] for name in ("common", "random_common"))
        fact = (
            f"without the common pixels {sum(common):.0f} of 2 answers change, without as many"
            f" random ones {sum(drawn):.1f}"
        )
        changed = min(common) == 1
        yield _part(rule, fact, changed, changed and max(drawn) <= MAJORITY)


@_judge("S3", "subject")
def judge_common(run: Run, changed: Tables) -> Iterable[Part]:
    """S3: without the common pixels most answers change, and more than without random ones."""
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
    """F11: something was taken for every emotion, and has a right look-alike."""
    found, wanted = len(eight), len(run.classes)
    fact = f"{found} of {wanted} emotions have an error with a right look-alike"
    yield Part(1 if found == wanted else 0.5, fact, marked=False)


@_judge("T3", "emotion")
def judge_table3(run: Run, eight: Pairs, after: Mapping[str, Tensor]) -> Iterable[Part]:
    """T3: after suppression the true class has the largest probability in every row."""
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
    """S4: unique pixels repair all of the eight, and more of all errors than other sets do."""
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
COLOURS = {
    "true": (style.BLUE, "true class"),
    "mistaken": (style.RED, "class that (b) was taken for"),
    "other": ("#c9c9c9", "all other classes"),
}


def _image(run: Run, row: int | None) -> Shaped[np.ndarray, "h w 3"]:
    return np.asarray(run.faces.images[cast(int, row)])


@style.styled()
def pair_figure(run: Run, pair: Pairs) -> style.Drawn:
    """Draw a right image, its misclassified look-alike, and their difference (Figure 9)."""
    if not len(pair):
        return NO_PAIR
    case = pair.cases[0]
    figure, axes = style.grid(1, 3, aspect=1.25)
    images = []
    for ax, letter, row, trace in zip(
        axes[0], "ab", (case.lookalike, case.row), (pair.right, pair.wrong), strict=False
    ):
        images.append(_image(run, row))
        answer, chance = int(trace.predicted[0]), float(trace.probabilities[0].max())
        name = style.short(run.classes[answer], 16)
        style.show_image(ax, images[-1], f"({letter}) answer {name}, p = {chance:.2g}")
        parts = name_of(run, cast(int, row)).split(", ")
        words = [style.short(part, style.LONGEST) for part in parts]
        middle = (len(words) + 1) // 2
        ax.set_xlabel("\n".join(filter(None, map(", ".join, (words[:middle], words[middle:])))))
    style.show_map(axes[0, 2], np.abs(images[0].astype(np.float64) - images[1]).mean(2))
    axes[0, 2].set_title("difference of both, darkest where largest")
    axes[0, 2].set_xlabel(f"root mean square {case.distance:.3f} of the range")
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


class Points(NamedTuple):
    """A panel of points about the diagonal, with some words in its corner."""

    title: str
    labels: tuple[str, str]
    values: tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]
    words: str


@style.styled()
def diagonal_figure(panels: Sequence[Sequence[Points]]) -> style.Drawn:
    """Draw one image's values against another's (Figure 10); the panels of a row share a scale."""
    if not any(len(panel.values[0]) for row in panels for panel in row):
        return NO_PAIR
    figure, axes = style.grid(len(panels), len(panels[0]), aspect=0.9)
    for row, shown in zip(axes, panels, strict=True):
        top = 1.05 * max(np.nanmax([*x, *y, 0]) for _, _, (x, y), _ in shown) or 1
        for ax, panel in zip(row, shown, strict=True):
            ax.scatter(*panel.values, s=8, alpha=0.5, color=style.BLUE, edgecolors="none")
            ax.axline((0, 0), slope=1, color=style.GRAY, linewidth=0.8)
            ax.text(0.97, 0.04, panel.words, ha="right", transform=ax.transAxes)
            ax.set(title=panel.title, xlim=(0, top), ylim=(0, top))
            ax.set(xlabel=panel.labels[0], ylabel=panel.labels[1])
    return figure


@style.styled()
def confidence_figure(tables: Tables, sets: Sequence[str]) -> style.Drawn:
    """Draw probabilities of a pair without sets of pixels, from `confidence_table` by rule (S2)."""
    if not _cases(tables):
        return NO_PAIR
    figure, axes = style.grid(len(tables), 2, aspect=0.55, sharex=True, sharey=True)
    colours, names = map(list, zip(*COLOURS.values(), strict=True))
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
    for row, (rule, table) in zip(axes, tables.items(), strict=True):
        for ax, image in zip(row, IMAGES, strict=True):
            shown = table.loc[image].loc[list(sets)].rename(index=SETS)
            bars = shown[list(COLOURS)].set_axis(names, axis=1)
            bars.plot.barh(stacked=True, ax=ax, color=colours, width=0.8, legend=False)
            for place, pixels in enumerate(shown["pixels"]):
                words: Any = {"ha": "right", "va": "center", "fontsize": 7, "bbox": box}
                ax.text(0.985, place, f"{pixels:.0f}", **words)
            ax.set(xlim=(0, 1), ylim=(len(sets) - 0.5, -0.5), ylabel="")
            ax.set_title(f"{image}, {rule} rule")
    for ax in axes[-1]:
        ax.set_xlabel(f"probability\n(random: mean of {DRAWS} draws)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


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


@style.styled()
def eight_figure(run: Run, pairs: Pairs) -> style.Drawn:
    """Draw errors, look-alikes, and what the pixels unique to the error show (Figure 11)."""
    if not len(pairs):
        return NO_PAIR
    figure, axes = style.grid(2 + len(RULES), len(pairs), cell=style.WIDTH / 8, aspect=1.2)
    names = [style.short(name, 16) for name in run.classes]
    for column, case in zip(axes.T, pairs.cases, strict=True):
        style.show_image(column[0], _image(run, case.row), names[case.predicted])
        style.show_image(column[1], _image(run, case.lookalike), names[case.true])
    for row, rule in zip(axes[2:], RULES.values(), strict=True):
        features = track_features(pairs.wrong, pixel_sets(pairs, rule).unique)
        for ax, values in zip(row, style.strength(features), strict=True):
            style.show_map(ax, values.astype(np.float64))
    labels = ["A, taken for", "B, right as", *(f"features,\n{rule}" for rule in RULES)]
    for ax, words in zip(axes[:, 0], labels, strict=True):
        ax.set_ylabel(words, fontsize=7)
    for ax in axes.flat:
        ax.title.set_fontsize(7)
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


@style.styled()
def probabilities_figure(run: Run, eight: Pairs, after: Float[Tensor, "n k"]) -> style.Drawn:
    """Draw Table 3: probabilities before and after, the true class on a green ground."""
    if not len(eight):
        return NO_PAIR
    figure, axes = style.grid(-(-len(eight) // 4), 4, aspect=1.1, sharey=True)
    places, names = np.arange(len(run.classes)), [style.short(name, 16) for name in run.classes]
    states = {
        "before": (-0.2, "#b8b8b8", eight.wrong.probabilities),
        "after": (0.2, style.BLUE, after.softmax(1)),
    }
    for number, (ax, case) in enumerate(zip(axes.flat, eight.cases, strict=False)):
        for state, (offset, colour, chances) in states.items():
            ax.barh(places + offset, chances[number], 0.4, color=colour, label=state, zorder=2)
        ax.set_yticks(places, names, fontsize=7)
        ax.set(xlim=(0, 1), ylim=(len(places) - 0.5, -0.5), title=f"case {number + 1}")
        grounds = ((case.true, style.GREEN, 0.15), (case.predicted, style.RED, 0.12))
        for label, colour, alpha in grounds:
            ax.axhspan(label - 0.5, label + 0.5, color=colour, alpha=alpha, lw=0, zorder=0)
    for ax in list(axes.flat)[len(eight) :]:
        ax.axis("off")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
