"""Chapter 3: errors by the columns of the index, beside those of chance (M1, M2)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy.stats import hypergeom
from seaborn import heatmap

from tinyvgg import paper
from tinyvgg.chapters import statistics, style
from tinyvgg.chapters.statistics import Estimate, Interval, difference, estimate
from tinyvgg.training.runs import Run

CLAIMS = {"subject": "m1", "emotion": "m2"}
FACTORS = ("angle", "gaze", "emotion", "sex", "group", "class")
DRAWS = 4000
READABLE = 12
"""The most classes with which a confusion matrix shows its numbers."""
TICKS = 24
"""The number of classes, about, that are named along the axes where there are more."""


class Chance(NamedTuple):
    """Errors on groups of images, beside 95 % of errors that fall on images at random."""

    p_value: float  # share of random errors as uneven by the chi-squared statistic
    involved: int  # groups with an error
    involved_by_chance: Interval
    largest: int  # errors of the group with most
    largest_by_chance: Interval
    least: int  # errors of the group with fewest
    least_by_chance: Interval


def chance(errors: Int[np.ndarray, "g"], images: Int[np.ndarray, "g"]) -> Chance:
    """Compare errors by group with the same number of errors on images drawn at random."""
    total, generator = int(errors.sum()), np.random.default_rng(0)
    draws = generator.multivariate_hypergeometric(images, total, size=DRAWS, method="marginals")
    expected = np.maximum(total * images / images.sum(), 1e-12)
    both = np.vstack([errors, draws])
    unevenness = ((both - expected) ** 2 / expected).sum(1)
    as_uneven = int((unevenness[1:] >= unevenness[0] - 1e-9).sum())
    facts: list[Any] = []
    for counts in ((both > 0).sum(1), both.max(1), both.min(1)):
        facts += int(counts[0]), Interval(*np.quantile(counts[1:], [0.025, 0.975]).tolist())
    return Chance((1 + as_uneven) / (1 + DRAWS), *facts)


def unevenness(errors: Int[np.ndarray, "g"], images: Int[np.ndarray, "g"]) -> float:
    """Return the chi-squared statistic of errors by group over its mean under `chance`.

    It is NaN where nothing can be uneven: one group, no error, or errors alone.
    """
    total, every = int(errors.sum()), int(images.sum())
    if len(images) < 2 or not 0 < total < every:
        return float("nan")
    expected = total * images / every
    by_chance = (len(images) - 1) * (every - total) / (every - 1)
    return float(((errors - expected) ** 2 / expected).sum() / by_chance)


def involvement(errors: Int[np.ndarray, "g"], images: Int[np.ndarray, "g"]) -> float:
    """Return the number of groups with an error over its mean under `chance`; NaN without one."""
    total = int(errors.sum())
    spared = hypergeom.pmf(0, int(images.sum()), images, total)
    return float((errors > 0).sum() / (1 - spared).sum()) if total else float("nan")


def papers_chances(task: str) -> dict[str, Chance]:
    """Return `chance` for the paper's errors by angle, subject and emotion, in its two tasks.

    Each group has equally many of the paper's test images. The paper prints few counts by subject
    and emotion; those that are not known are 0 here.
    """
    if task not in CLAIMS:
        return {}
    key, test = f"{CLAIMS[task]}.{task}", int(paper.number(f"t2.{task}.test_size"))
    given = paper.load().numbers
    known = {name.rpartition(".")[2]: n.value for name, n in given.items() if key in name}

    def beside(groups: int, *errors: Any) -> Chance:
        counts, places = np.zeros(groups, np.int64), np.arange(groups + 1) * test // groups
        counts[: len(errors)] = errors
        return chance(counts, np.diff(places))

    def printed(of: str, **counts: Any) -> Chance:
        none: dict[str, Any] = {"p_value": float("nan"), "involved": 0, "largest": 0, "least": 0}
        groups = int(paper.number(f"d1.both.{of}"))
        return beside(groups, known["errors"])._replace(**none | counts)

    worst = known.get("worst_subject_errors", 0)
    found = {
        "angle": beside(3, *(known[f"errors_{angle}"] for angle in (45, 90, 135))),
        "subject": printed("subjects", involved=known["subjects_involved"], largest=worst),
    }
    if task == "emotion":
        sad, surprised = known["sad_errors"], known["surprised_errors"]
        found["emotion"] = printed("emotions", largest=sad, least=surprised)
    return found


def tested(run: Run) -> pd.DataFrame:
    """Return the test part of the index, with columns row, true, taken_for and wrong."""
    table = run.faces.index.table.iloc[run.split.test].reset_index(drop=True)
    true, taken_for = (np.array(run.classes)[labels] for labels in (run.labels, run.predicted))
    wrong = run.predicted != run.labels
    return table.assign(row=run.split.test, true=true, taken_for=taken_for, wrong=wrong)


def rates(run: Run, column: str) -> pd.DataFrame:
    """Return images, errors, rate and 95 % interval by a column; empty if the index lacks it."""
    table = tested(run)
    if column not in table:
        return pd.DataFrame(columns=["images", "errors", "rate", "low", "high"])
    groups = table.groupby(column)["wrong"]
    found = pd.DataFrame({"images": groups.size(), "errors": groups.sum()})
    bounds = map(statistics.proportion_interval, found["errors"], found["images"])
    low, high = zip(*bounds, strict=True)
    return found.assign(rate=found["errors"] / found["images"], low=low, high=high)


def by_chance(run: Run, column: str) -> Chance | None:
    """Return `chance` for errors by a column; None without the column or without errors."""
    table = rates(run, column)
    if not len(table) or not len(run.errors):
        return None
    return chance(*table[["errors", "images"]].to_numpy(np.int64).T)


def show_p(found: Chance | None) -> str:
    """Return the p value as tables show it; a dash where there is none."""
    if found is None or np.isnan(found.p_value):
        return paper.NOTHING
    least = 1 / (1 + DRAWS)
    return f"< {2 * least:.4f}" if found.p_value <= 1.5 * least else f"{found.p_value:.3f}"


def _confused(run: Run) -> Int[np.ndarray, "k k"]:
    """Count the errors by true class (rows) and answer (columns)."""
    counts = np.zeros((len(run.classes), len(run.classes)), np.int64)
    np.add.at(counts, (run.labels[run.errors], run.predicted[run.errors]), 1)
    return counts


def confused_pair(run: Run) -> tuple[tuple[str, str], int]:
    """Return the two classes that are taken for each other most often, and how often."""
    both = np.triu(_confused(run) + _confused(run).T)
    first, second = divmod(int(both.argmax()), len(both))
    return (run.classes[first], run.classes[second]), int(both.max())


def missed(run: Run) -> pd.DataFrame:
    """Return `rates` of each class, and the class it is most often taken for.

    A class with a single image has no interval.
    """
    found = rates(run, run.task)
    found.loc[found["images"] == 1, ["low", "high"]] = float("nan")
    errors = _confused(run)[[run.classes.index(str(name)) for name in found.index]]
    names = [run.classes[row.argmax()] if row.any() else paper.NOTHING for row in errors]
    return found.assign(taken_for=names, times=errors.max(1))


def missed_table(run: Run, most: int = 12) -> pd.DataFrame:
    """Return `missed` as text, classes with the largest rate first."""
    found = missed(run).sort_values("rate", ascending=False, kind="stable").head(most)
    bounds = map(tuple, found[["low", "high"]].to_numpy())
    shown = {
        **({"images": found["images"]} if found["images"].nunique() > 1 else {}),
        "errors": found["errors"],
        "rate": [paper.show(rate, "percent") for rate in found["rate"]],
        "95 % interval": [paper.show_interval(both, "percent") for both in bounds],
        "most often taken for": found["taken_for"],
        "times": found["times"],
    }
    return pd.DataFrame(shown).rename_axis(paper.TASK_NAMES[run.task])


def counts(run: Run) -> dict[str, tuple[Any, int | None]]:
    """Return the counts that the paper has, too, each with the number of images it is out of."""
    if run.task not in CLAIMS:
        return {}
    table, angles, subjects = tested(run), rates(run, "angle"), rates(run, "subject")["errors"]
    found: dict[str, tuple[Any, int | None]] = {"errors": (len(run.errors), len(table))}
    for angle, errors, images in angles[["errors", "images"]].itertuples():
        found[f"errors_{angle}"] = int(errors), int(images)
    if len(subjects):
        found["subjects_involved"] = int((subjects > 0).sum()), None
    if run.task == "subject" and len(run.errors):
        found["worst_subject"] = subjects.index[int(subjects.argmax())], None
        found["worst_subject_errors"] = int(subjects.max()), None
    if run.task == "emotion":
        sad, surprised = (table[table["true"] == name] for name in ("sad", "surprised"))
        found["sad_errors"] = int(sad["wrong"].sum()), len(sad)
        found["sad_as_neutral"] = int((sad["taken_for"] == "neutral").sum()), len(sad)
        found["surprised_errors"] = int(surprised["wrong"].sum()), len(surprised)
    return {f"{CLAIMS[run.task]}.{run.task}.{name}": count for name, count in found.items()}


def spread(run: Run) -> dict[str, Estimate | float]:
    """Return the numbers by which claims are judged, beside `counts`: how errors are spread.

    Errors on subjects and angles are compared with chance; sad and surprised with the other
    emotions, where the source has them.
    """
    if run.task not in CLAIMS:
        return {}
    found: dict[str, Estimate | float] = {}
    asked = ("involved", "subject", involvement), ("uneven_angles", "angle", unevenness)
    for name, column, of in asked:
        if len(table := rates(run, column)):
            found[name] = of(*table[["errors", "images"]].to_numpy(np.int64).T)
    if run.task == "emotion":
        found |= _of_emotions(tested(run))
    return {f"{CLAIMS[run.task]}.{run.task}.{name}": value for name, value in found.items()}


def _of_emotions(table: pd.DataFrame) -> dict[str, Estimate]:
    missed = {str(name): estimate(wrong) for name, wrong in table.groupby("true")["wrong"]}
    if not {"sad", "surprised"} <= set(missed):
        return {}
    most = max(share for name, share in missed.items() if name != "sad")
    least = min(share for name, share in missed.items() if name != "surprised")
    taken_for = table.loc[(table["true"] == "sad") & table["wrong"], "taken_for"]
    return {
        "sad_most": difference(missed["sad"], most),
        "surprised_least": difference(least, missed["surprised"]),
        "sad_as_neutral_share": estimate(taken_for == "neutral"),
    }


@style.styled()
def rates_figure(runs: Sequence[Run]) -> Figure | None:
    """Draw error rates by angle, gaze, emotion, sex and group, with 95 % intervals."""
    known = [factor for factor in FACTORS if runs[0].faces.index.has(factor)]
    if not known:
        return None
    tables = [pd.concat({name: rates(run, name) for name in known}) for run in runs]
    cell, height = style.WIDTH / len(runs), 1.1 + 0.2 * max(map(len, tables))
    figure, axes = style.grid(1, len(runs), cell=cell, aspect=height / cell, sharey=True)
    for axis, run, table in zip(axes[0], runs, tables, strict=True):
        factors = table.index.get_level_values(0)
        places = np.arange(len(table)) + 0.7 * np.cumsum(np.r_[0, factors[1:] != factors[:-1]])
        axis.set_title(f"{paper.TASK_NAMES[run.task]} ({style.called(run.faces)})")
        axis.axvline(1 - run.accuracy, color=style.GRAY, lw=0.8, ls=":")
        colour = style.TASK_COLOURS[run.task]
        axis.hlines(places, table["low"], table["high"], color=colour, lw=1.5)
        axis.plot(table["rate"], places, "o", color=colour, ms=4)
        said = {"angle": "{}°", "gaze": "gaze {}"}
        names = [said.get(x, "{}").format(style.short(str(level), 24)) for x, level in table.index]
        axis.set_yticks(places, names)
        axis.tick_params(axis="y", length=0, labelleft=True)
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.set(xlabel="error rate", xlim=(0, None))
    axes[0, 0].invert_yaxis()
    return figure


@style.styled()
def confusion_figure(run: Run) -> Figure:
    """Draw the confusion matrix: numbers for a few classes, a map for many; errors coloured."""
    errors, classes = _confused(run), len(run.classes)
    counts = errors + np.diag(np.bincount(run.labels, minlength=classes) - errors.sum(1))
    few = classes <= READABLE
    cell = max(3.4, 1.8 + 0.35 * classes) if few else 5.4
    figure, ((axis,),) = style.grid(1, 1, cell=cell, aspect=0.95 if few else 0.9)
    right, named = np.eye(classes, dtype=bool), [style.short(name, 16) for name in run.classes]
    every = range(0, classes, 1 if few else -(-classes // TICKS))
    top = max(1, int(errors.max()))
    ticks = np.array(MaxNLocator(5, integer=True).tick_values(0, top))
    bar = {"shrink": 0.6, "label": "images", "ticks": ticks[ticks <= top]}
    numbers = np.where(counts > 0, counts.astype(str), "") if few else False
    shared = {"annot": numbers, "fmt": "", "annot_kws": {"size": 8}, "square": True, "ax": axis}
    heatmap(errors, mask=right, vmin=0, vmax=top, cmap="Reds", cbar=not few, cbar_kws=bar, **shared)
    heatmap(errors, mask=~right, cmap=["#e6e6e6"], cbar=False, **shared)
    places, names = [place + 0.5 for place in every], [named[place] for place in every]
    slanted: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(places, names, **(slanted if few else {"rotation": 90, "size": 7}))
    axis.set_yticks(places, names, rotation=0, size=9 if few else 7)
    axis.tick_params(length=0)
    of = f"{len(run.errors)} errors of {len(run.labels):,} ({style.called(run.faces)})"
    axis.set(xlabel="taken for", ylabel="true", title=f"{paper.TASK_NAMES[run.task]}: {of}")
    return figure


@style.styled()
def gallery(run: Run, most: int = 24, columns: int = 6) -> Figure | None:
    """Draw the errors that the network was surest of, with its most probable classes."""
    sure = run.probabilities[run.errors].max(1)
    chosen, name = run.errors[np.argsort(-sure, kind="stable")[:most]], paper.TASK_NAMES[run.task]
    if not len(chosen):
        return None
    rows = -(-len(chosen) // columns)
    heights = [2.0, 1.0] * rows
    figure, axes = style.grid(2 * rows, columns, cell=1.25, aspect=0.72, height_ratios=heights)
    for axis in axes.flat:
        axis.axis("off")
    for above, below, place in zip(axes[::2].flat, axes[1::2].flat, chosen, strict=False):
        _draw_error(above, below, run, int(place))
    of = f"{len(chosen)} of {len(run.errors)} errors, surest first ({style.called(run.faces)})"
    figure.suptitle(f"{name}: {of}", fontsize=9)
    return figure


def _draw_error(above: Axes, below: Axes, run: Run, place: int) -> None:
    true, predicted = int(run.labels[place]), int(run.predicted[place])
    style.show_image(above, run.faces.images[run.split.test[place]])
    title = f"{style.short(run.classes[true])} as {style.short(run.classes[predicted])}"
    above.set_title(title, fontsize=7, pad=2)
    shares = run.probabilities[place]
    likeliest = np.argsort(-shares, kind="stable")[:3]
    if true not in likeliest:
        likeliest[-1] = true
    for line, label in enumerate(likeliest):
        colour = {true: style.GREEN, predicted: style.RED}.get(int(label), "#b0b0b0")
        below.barh(-line, shares[label], color=colour, height=0.85)
        text = f"{style.short(run.classes[label], 16)} {shares[label]:.2f}"
        shade: dict[str, Any] = {"color": "white"} if shares[label] > 0.5 else {}
        below.text(0.02, -line, text, va="center", fontsize=6, **shade)
    below.set(xlim=(0, 1), ylim=(-2.6, 0.6))
