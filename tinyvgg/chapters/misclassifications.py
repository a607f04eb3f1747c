"""Who is misclassified, as what, and whether more often than chance would have it (M1, M2)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter
from scipy.stats import fisher_exact

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import LEVEL, Interval, confusion, error_table, proportion_interval
from tinyvgg.chapters.training import majority
from tinyvgg.chapters.verdicts import Part, Verdict, weigh
from tinyvgg.paper import TASK_NAMES
from tinyvgg.training.runs import Run

CLAIMS = {"subject": "m1", "emotion": "m2"}
DRAWS = 4000


class Chance(NamedTuple):
    """Errors that fall on groups of images, beside errors that fall on images at random.

    Attributes:
        p_value: how often as many random errors are spread as unevenly (chi-squared statistic).
        involved: groups with an error.
        involved_by_chance: where that lies for random errors, 95 %.
        largest: errors of the group with most.
        largest_by_chance: where that lies for random errors, 95 %.
    """

    p_value: float
    involved: int
    involved_by_chance: Interval
    largest: int
    largest_by_chance: Interval


def chance(errors: Int[np.ndarray, "g"], images: Int[np.ndarray, "g"], seed: int = 0) -> Chance:
    """Compare errors by group with the same number of errors on images drawn at random."""
    total = int(errors.sum())
    generator = np.random.default_rng(seed)
    draws = generator.multivariate_hypergeometric(images, total, size=DRAWS, method="marginals")
    unevenness = _unevenness(draws, images)
    observed = _unevenness(errors[None], images)[0]
    p_value = (1 + int((unevenness >= observed - 1e-9).sum())) / (1 + DRAWS)
    return Chance(
        p_value,
        int((errors > 0).sum()),
        _middle((draws > 0).sum(1)),
        int(errors.max()),
        _middle(draws.max(1)),
    )


def _unevenness(
    errors: Int[np.ndarray, "d g"], images: Int[np.ndarray, "g"]
) -> Float[np.ndarray, "d"]:
    """The chi-squared statistic, up to a factor that all draws share."""
    expected = errors.sum(1, keepdims=True) * images / images.sum()
    squares = np.where(expected > 0, (errors - expected) ** 2 / np.maximum(expected, 1e-12), 0.0)
    statistic: Float[np.ndarray, "d"] = squares.sum(1)
    return statistic


def _middle(values: Int[np.ndarray, "d"]) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def papers_angles(task: str) -> Chance | None:
    """`chance` for the paper's errors by angle; its test images are as many at each angle."""
    if task not in CLAIMS:
        return None
    key = f"{CLAIMS[task]}.{task}"
    errors = [int(paper.number(f"{key}.errors_{angle}")) for angle in (45, 90, 135)]
    return chance(np.array(errors), _evenly(int(paper.number(f"t2.{task}.test_size")), len(errors)))


def papers_subjects(task: str) -> Chance | None:
    """What chance makes of the paper's number of errors among its subjects.

    Only the number of subjects with an error is printed (and the worst one's, for identity), so
    p value and largest count of the result are those of no particular arrangement: nan and 0.
    """
    if task not in CLAIMS:
        return None
    key = f"{CLAIMS[task]}.{task}"
    images = _evenly(
        int(paper.number(f"t2.{task}.test_size")), int(paper.number("d1.both.subjects"))
    )
    errors = np.zeros_like(images)
    errors[0] = int(paper.number(f"{key}.errors"))
    random = chance(errors, images)
    worst = paper.load().numbers.get(f"{key}.worst_subject_errors")
    return random._replace(
        p_value=float("nan"),
        involved=int(paper.number(f"{key}.subjects_involved")),
        largest=int(worst.value) if worst and isinstance(worst.value, int) else 0,
    )


def _evenly(images: int, groups: int) -> Int[np.ndarray, "g"]:
    return np.diff(np.arange(groups + 1) * images // groups)


FACTORS = ("angle", "gaze", "emotion", "sex", "group", "class")
SIGNIFICANT = 0.05


def tested(run: Run) -> pd.DataFrame:
    """The test part: the columns of the index with columns row, true, taken_for and wrong."""
    table = run.faces.index.table.iloc[run.split.test].reset_index(drop=True)
    names = np.array(run.classes)
    return table.assign(
        row=run.split.test,
        true=names[run.labels],
        taken_for=names[run.predicted],
        wrong=run.predicted != run.labels,
    )


def rates(run: Run, column: str) -> pd.DataFrame:
    """Images, errors, rate and 95 % interval by a column of the index; empty if it has none."""
    table = tested(run)
    if column not in table:
        return pd.DataFrame(columns=["images", "errors", "rate", "low", "high"])
    return error_table(table[column], table["wrong"].to_numpy())


def all_rates(run: Run) -> pd.DataFrame:
    """The rates by every factor but the subject, stacked; index factor and level."""
    found = {factor: rates(run, factor) for factor in FACTORS if run.faces.index.has(factor)}
    return pd.concat(found, names=["factor", "level"])


def by_chance(run: Run, column: str) -> Chance | None:
    """`chance` for the errors of a run by a column; None without the column or without errors."""
    table = rates(run, column)
    if not len(table) or not len(run.errors):
        return None
    return chance(table["errors"].to_numpy(np.int64), table["images"].to_numpy(np.int64))


def chance_table(runs: Sequence[Run]) -> pd.DataFrame:
    """How the errors spread, the paper's and ours, beside errors that strike at random."""
    found = {TASK_NAMES.get(run.task, run.task): _chances(run) for run in runs}
    return pd.concat(found, names=["task", "errors"])


def _chances(run: Run) -> pd.DataFrame:
    columns, dash = ["paper", "paper, by chance", "this run", "this run, by chance"], paper.NOTHING
    theirs_angle, ours_angle = papers_angles(run.task), by_chance(run, "angle")
    theirs, ours = papers_subjects(run.task), by_chance(run, "subject")
    rows = {
        "unevenness over angles, p": [_p(theirs_angle), dash, _p(ours_angle), dash],
        "subjects with an error": [*_involved(theirs), *_involved(ours)],
        "errors of the worst subject": [*_largest(theirs), *_largest(ours)],
        "unevenness over subjects, p": [_p(theirs), dash, _p(ours), dash],
    }
    for factor in ("emotion", "gaze", "group", "sex", "class"):
        found = by_chance(run, factor)
        if found is not None:
            rows[f"unevenness over {factor}, p"] = [dash, dash, _p(found), dash]
    known = {name: row for name, row in rows.items() if set(row) - {dash}}
    return pd.DataFrame.from_dict(known, orient="index", columns=columns)


def _p(found: Chance | None) -> str:
    if found is None or np.isnan(found.p_value):
        return paper.NOTHING
    least = 1 / (1 + DRAWS)
    return f"< {2 * least:.4f}" if found.p_value <= 1.5 * least else f"{found.p_value:.3f}"


def _involved(found: Chance | None) -> tuple[str, str]:
    if found is None:
        return paper.NOTHING, paper.NOTHING
    return str(found.involved), _between(found.involved_by_chance)


def _largest(found: Chance | None) -> tuple[str, str]:
    if found is None:
        return paper.NOTHING, paper.NOTHING
    return str(found.largest) if found.largest else paper.NOTHING, _between(found.largest_by_chance)


def _between(interval: Interval) -> str:
    return f"{interval.low:.0f} to {interval.high:.0f}"


def confusions(run: Run, most: int = 10) -> pd.DataFrame:
    """The most frequent confusions: true class, taken for, how often, and the other way round."""
    counts = confusion(run.labels, run.predicted, len(run.classes))
    errors = counts - np.diag(np.diag(counts))
    order = np.argsort(-errors, axis=None, kind="stable")[:most]
    rows = [
        (run.classes[t], run.classes[p], int(errors[t, p]), int(errors[p, t]))
        for t, p in zip(*np.unravel_index(order, errors.shape), strict=True)
        if errors[t, p]
    ]
    table = pd.DataFrame(rows, columns=["true", "taken for", "images", "the other way round"])
    return table.assign(**{"of its class's images": _shares(run, table)})


def _shares(run: Run, table: pd.DataFrame) -> list[str]:
    images = pd.Series(np.array(run.classes)[run.labels]).value_counts()
    return [
        paper.show(count / images[true], "percent")
        for true, count in zip(table["true"], table["images"], strict=True)
    ]


def missed(run: Run) -> pd.DataFrame:
    """Each class: images, errors, rate with interval, and what it is most often taken for."""
    table = tested(run)
    wrong = table[table["wrong"]]
    found = rates(run, run.task)
    favourite, times = [], []
    for name in found.index:
        taken = wrong.loc[wrong["true"] == str(name), "taken_for"].value_counts().sort_index()
        taken = taken.sort_values(ascending=False, kind="stable")
        favourite.append(str(taken.index[0]) if len(taken) else paper.NOTHING)
        times.append(int(taken.iloc[0]) if len(taken) else 0)
    return found.assign(taken_for=favourite, times=times)


def missed_table(run: Run, most: int = 12) -> pd.DataFrame:
    """`missed` as text, those missed most often first."""
    found = missed(run).sort_values(["rate"], ascending=False, kind="stable").head(most)
    return pd.DataFrame(
        {
            "images": found["images"],
            "errors": found["errors"],
            "rate": [paper.show(rate, "percent") for rate in found["rate"]],
            "95 % interval": [
                paper.show_interval((low, high), "percent")
                for low, high in zip(found["low"], found["high"], strict=True)
            ],
            "most often taken for": found["taken_for"],
            "so often": found["times"],
        }
    ).rename_axis(TASK_NAMES.get(run.task, run.task))


def confidence_table(runs: Sequence[Run]) -> pd.DataFrame:
    """The probability that a network gives its answer, where it is right and where it is wrong."""
    rows = []
    for run in runs:
        sure = run.probabilities.max(1)
        wrong = run.predicted != run.labels
        truth = run.probabilities[np.arange(len(run.labels)), run.labels]
        rows.append(
            {
                "task": TASK_NAMES.get(run.task, run.task),
                "right: median of the answer": _median(sure[~wrong]),
                "wrong: median of the answer": _median(sure[wrong]),
                "wrong: median of the truth": _median(truth[wrong]),
                "wrong: truth comes second": _second(run, wrong),
            }
        )
    return pd.DataFrame(rows).set_index("task")


def _median(values: Float[np.ndarray, "n"]) -> str:
    return paper.show(float(np.median(values)), "probability") if len(values) else paper.NOTHING


def _second(run: Run, wrong: np.ndarray) -> str:
    if not wrong.any():
        return paper.NOTHING
    second = np.argsort(-run.logits.numpy()[wrong], axis=1, kind="stable")[:, 1]
    return f"{int((second == run.labels[wrong]).sum())} of {int(wrong.sum())}"


def numbers(run: Run) -> dict[str, int]:
    """The counts under which the paper has its own; none for a task that it does not have."""
    if run.task not in CLAIMS:
        return {}
    key = f"{CLAIMS[run.task]}.{run.task}"
    angles, subjects = rates(run, "angle"), rates(run, "subject")
    found = {f"{key}.errors": len(run.errors)}
    found |= {f"{key}.errors_{a}": int(angles["errors"][a]) for a in angles.index}
    if len(subjects):
        found[f"{key}.subjects_involved"] = int((subjects["errors"] > 0).sum())
    if run.task == "subject" and len(run.errors):
        found[f"{key}.worst_subject"] = int(subjects.index[int(subjects["errors"].argmax())])
        found[f"{key}.worst_subject_errors"] = int(subjects["errors"].max())
    if run.task == "emotion":
        found |= _emotion_numbers(run, key)
    return found


def _emotion_numbers(run: Run, key: str) -> dict[str, int]:
    wrong = tested(run).query("wrong")
    sad = wrong[wrong["true"] == "sad"]
    return {
        f"{key}.sad_errors": len(sad),
        f"{key}.sad_as_neutral": int((sad["taken_for"] == "neutral").sum()),
        f"{key}.surprised_errors": int((wrong["true"] == "surprised").sum()),
    }


def comparison(runs: Sequence[Run]) -> pd.DataFrame:
    """The paper's counts beside ours, with intervals where a count is one of images."""
    rows: list[paper.Row] = []
    for run in runs:
        trials = _trials(run)
        for key, value in numbers(run).items():
            rows.append(("", key, value, _count_interval(value, trials.get(key.split(".")[2]))))
    return paper.compare(rows)


def _trials(run: Run) -> dict[str, int]:
    table = tested(run)
    trials = {"errors": len(table)}
    if "angle" in table:
        trials |= {f"errors_{a}": int(n) for a, n in table["angle"].value_counts().items()}
    if run.task == "emotion":
        sad = int((table["true"] == "sad").sum())
        surprised = int((table["true"] == "surprised").sum())
        trials |= {"sad_errors": sad, "sad_as_neutral": sad, "surprised_errors": surprised}
    return trials


def _count_interval(count: int, images: int | None) -> Interval | None:
    if images is None:
        return None
    low, high = proportion_interval(count, images)
    return Interval(float(round(low * images)), float(round(high * images)))


def verdicts(runs: Sequence[Run]) -> list[Verdict]:
    """M1 and M2, by the rules that the chapter states."""
    by_task = {run.task: run for run in runs}
    rules = {"subject": _identity_verdict, "emotion": _emotion_verdict}
    found = []
    for task, rule in rules.items():
        claim, run = CLAIMS[task].upper(), by_task.get(task)
        if run is None:
            reason = f"the source has no task of {TASK_NAMES[task]}"
        elif not len(run.errors):
            reason = "the network makes no error"
        elif proportion_interval(len(run.errors), len(run.labels)).high >= 1 - majority(run.labels):
            reason = "the network is no better than the constant answer"
        else:
            found.append(rule(run))
            continue
        found += [weigh(claim, reason)]
    return found


def _angle_part(run: Run) -> Part:
    angles = by_chance(run, "angle")
    assert angles is not None
    even = angles.p_value >= SIGNIFICANT
    counts = ", ".join(str(count) for count in rates(run, "angle")["errors"])
    word = "within chance" if even else "beyond chance"
    return Part(even, f"errors at the three angles {counts}, uneven {word} (p {_p(angles)})")


def _identity_verdict(run: Run) -> Verdict:
    subjects = by_chance(run, "subject")
    assert subjects is not None
    involved, largest = subjects.involved_by_chance, subjects.largest_by_chance
    everyone = len(run.classes)
    return weigh(
        "M1",
        [
            _angle_part(run),
            Part(
                subjects.involved >= involved.low,
                f"{subjects.involved} of {everyone} subjects with an error, "
                f"chance gives {_between(involved)}",
            ),
            Part(
                subjects.largest <= largest.high,
                f"the worst subject has {subjects.largest}, chance gives {_between(largest)}",
            ),
        ],
    )


def _emotion_verdict(run: Run) -> Verdict:
    found = missed(run)
    most, least = str(found["rate"].idxmax()), str(found["rate"].idxmin())
    sad_errors = numbers(run)["m2.emotion.sad_errors"]
    as_neutral = numbers(run)["m2.emotion.sad_as_neutral"]
    subjects = by_chance(run, "subject")
    assert subjects is not None
    everyone = int(tested(run)["subject"].nunique())
    return weigh(
        "M2",
        [
            _angle_part(run),
            Part(
                2 * subjects.involved > everyone,
                f"{subjects.involved} of {everyone} subjects with an error",
            ),
            Part(most == "sad", f"missed most: {most} ({found['errors'][most]})" + _ahead(found)),
            Part(
                2 * as_neutral > sad_errors,
                f"sad taken for neutral in {as_neutral} of {sad_errors}",
            ),
            Part(least == "surprised", f"missed least: {least} ({found['errors'][least]})"),
        ],
    )


def _ahead(found: pd.DataFrame) -> str:
    """How sure it is that the class missed most is missed more than the next (Fisher's test)."""
    first, second = found.sort_values("rate", ascending=False, kind="stable").index[:2]
    table = [
        [int(found["errors"][name]), int(found["images"][name] - found["errors"][name])]
        for name in (first, second)
    ]
    p_value = float(fisher_exact(table)[1])
    return f", next {second} ({found['errors'][second]}; p {p_value:.3f})"


READABLE = 12
"""Up to so many classes a confusion matrix shows its numbers."""

TICKS = 24
"""Of more classes, about so many are named along the axes."""


@style.styled()
def rates_figure(runs: Sequence[Run]) -> Figure:
    """Error rates by angle, gaze, emotion, sex and group, with 95 % intervals."""
    tables = [all_rates(run) for run in runs]
    height = 0.1 + 0.2 * max(map(len, tables))
    cell = style.WIDTH / len(runs)
    figure, axes = style.grid(1, len(runs), cell=cell, aspect=(height + 1.0) / cell, sharey=True)
    for axis, run, table in zip(axes[0], runs, tables, strict=True):
        _dots(axis, run, table)
    axes[0, 0].invert_yaxis()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _dots(axis: Axes, run: Run, table: pd.DataFrame) -> None:
    factors = table.index.get_level_values("factor")
    breaks = np.cumsum(np.r_[0, factors[1:] != factors[:-1]])
    places = np.arange(len(table)) + 0.7 * breaks
    colour = style.TASK_COLOURS[run.task]
    axis.axvline(1 - run.accuracy, color=style.GRAY, lw=0.8, ls=":")
    axis.hlines(places, table["low"], table["high"], color=colour, lw=1.5)
    axis.plot(table["rate"], places, "o", color=colour, ms=4, label="this run, 95 % interval")
    known = papers_rates(run.task)
    levels = [str(level) for _, level in table.index]
    shown = [(known[level], y) for level, y in zip(levels, places, strict=True) if level in known]
    if shown:
        axis.plot(*zip(*shown, strict=True), "D", mfc="none", color="black", ms=4, label="paper")
    axis.set_yticks(places, [_level(factor, level) for factor, level in table.index])
    axis.tick_params(axis="y", length=0, labelleft=True)
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.set(xlabel="error rate", xlim=(0, None))
    axis.set_title(f"{style.TASK_NAMES[run.task]} ({style.called(run.faces)})")


def _level(factor: str, level: object) -> str:
    return {"angle": f"{level}°", "gaze": f"gaze {level}"}.get(factor, style.short(str(level), 24))


def papers_rates(task: str) -> dict[str, float]:
    """The paper's error rates by level; its test images are as many at each level."""
    if task not in CLAIMS:
        return {}
    test = paper.number(f"t2.{task}.test_size")
    names = {f"{angle}": (f"errors_{angle}", 3) for angle in (45, 90, 135)}
    if task == "emotion":
        classes = int(paper.number("t2.emotion.classes"))
        names |= {name: (f"{name}_errors", classes) for name in ("sad", "surprised")}
    return {
        level: paper.number(f"{CLAIMS[task]}.{task}.{name}") * levels / test
        for level, (name, levels) in names.items()
    }


@style.styled()
def subjects_figure(runs: Sequence[Run]) -> style.Drawn:
    """Error rate of each subject with its 95 % interval, a row for each task."""
    if not runs[0].faces.index.has("subject"):
        return style.Missing("Errors by subject: this source does not say who an image shows.")
    figure, axes = style.grid(len(runs), 1, cell=style.WIDTH, aspect=0.28, sharex=True)
    for axis, run in zip(axes[:, 0], runs, strict=True):
        table = rates(run, "subject")
        places, colour = np.arange(len(table)), style.TASK_COLOURS[run.task]
        axis.axhline(1 - run.accuracy, color=style.GRAY, lw=0.8, ls=":")
        axis.vlines(places, table["low"], table["high"], color=colour, lw=1, alpha=0.6)
        axis.plot(places, table["rate"], "o", color=colour, ms=3)
        axis.set(ylim=(0, None), ylabel="error rate", xlim=(-1, len(table)))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.set_title(f"{style.TASK_NAMES[run.task]} ({style.called(run.faces)})")
        axis.set_xticks(places, table.index.astype(str), rotation=90, fontsize=6)
    axes[-1, 0].set_xlabel("subject")
    return figure


@style.styled()
def confusion_figure(run: Run) -> Figure:
    """Confusion matrix: numbers for a few classes, a map for many; errors coloured."""
    counts = confusion(run.labels, run.predicted, len(run.classes))
    few = len(run.classes) <= READABLE
    cell = max(3.4, 1.8 + 0.35 * len(run.classes)) if few else 5.4
    figure, axes = style.grid(1, 1, cell=cell, aspect=0.95 if few else 0.9)
    axis: Axes = axes[0, 0]
    errors = counts - np.diag(np.diag(counts))
    shown = axis.imshow(errors, cmap="Reds", vmin=0, vmax=max(1, errors.max()))
    places, names = np.arange(len(run.classes)), [style.short(name, 16) for name in run.classes]
    if few:
        _numbers(axis, counts, errors)
        axis.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
        axis.set_yticks(places, names)
    else:
        axis.plot(places, places, "s", color="#e0e0e0", ms=2.2)
        every = -(-len(run.classes) // TICKS)
        axis.set_xticks(places[::every], names[::every], rotation=90, fontsize=7)
        axis.set_yticks(places[::every], names[::every], fontsize=7)
        figure.colorbar(shown, ax=axis, shrink=0.6, label="images", ticks=_whole(int(errors.max())))
    axis.tick_params(length=0)
    axis.set(xlabel="taken for", ylabel="true")
    name = style.TASK_NAMES[run.task]
    called = style.called(run.faces)
    axis.set_title(f"{name}: {len(run.errors)} errors of {len(run.labels):,} ({called})")
    return figure


def _whole(top: int) -> list[int]:
    return sorted({int(tick) for tick in np.linspace(0, max(1, top), min(6, max(1, top) + 1))})


def _numbers(axis: Axes, counts: Int[np.ndarray, "k k"], errors: Int[np.ndarray, "k k"]) -> None:
    dark = errors.max() / 2
    for (true, taken), count in np.ndenumerate(counts):
        if true == taken:
            axis.add_patch(_square(taken, true))
        colour = "white" if true != taken and count > dark else "black"
        if count:
            axis.text(taken, true, str(count), ha="center", va="center", color=colour, fontsize=8)


def _square(x: int, y: int) -> Rectangle:
    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="#eeeeee", edgecolor="none")


def surest_errors(run: Run, most: int) -> Int[np.ndarray, "m"]:
    """Places in the test part of the errors with the most probable wrong answers, in that order."""
    sure = run.probabilities[run.errors].max(1)
    chosen: Int[np.ndarray, "m"] = run.errors[np.argsort(-sure, kind="stable")[:most]]
    return chosen


def top_classes(
    probabilities: Float[np.ndarray, "k"], true: int, most: int = 3
) -> Int[np.ndarray, "m"]:
    """The most probable classes in order; the true one takes the last place if it is not in."""
    order = np.argsort(-probabilities, kind="stable")[: min(most, len(probabilities))]
    if true not in order:
        order[-1] = true
    return order


@style.styled()
def gallery(run: Run, most: int = 24, columns: int = 6) -> style.Drawn:
    """The errors that the network was surest of, with its most probable classes."""
    chosen = surest_errors(run, most)
    name = style.TASK_NAMES[run.task]
    if not len(chosen):
        return style.Missing(f"The network for {name} makes no error on the test part.")
    rows = -(-len(chosen) // columns)
    figure, axes = style.grid(
        2 * rows, columns, cell=1.25, aspect=0.72, height_ratios=[2.0, 1.0] * rows
    )
    for axis in axes.flat:
        axis.axis("off")
    for number, place in enumerate(chosen):
        row, column = divmod(number, columns)
        _error(axes[2 * row, column], axes[2 * row + 1, column], run, int(place))
    figure.suptitle(
        f"{name}: {len(chosen)} of {len(run.errors)} errors, surest first "
        f"({style.called(run.faces)})",
        fontsize=9,
    )
    return figure


def _error(above: Axes, below: Axes, run: Run, place: int) -> None:
    true, predicted = int(run.labels[place]), int(run.predicted[place])
    style.show_image(above, run.faces.images[run.split.test[place]])
    above.axis("on")
    title = f"{style.short(run.classes[true])} as {style.short(run.classes[predicted])}"
    above.set_title(title, fontsize=7, pad=2)
    shares = run.probabilities[place]
    for line, label in enumerate(top_classes(shares, true)):
        colour = {true: style.GREEN, predicted: style.RED}.get(int(label), "#b0b0b0")
        below.barh(-line, shares[label], color=colour, height=0.85)
        text = f"{style.short(run.classes[label], 16)} {shares[label]:.2f}"
        below.text(0.02, -line, text, va="center", fontsize=6)
    below.set(xlim=(0, 1), ylim=(-2.6, 0.6))


def counterparts(run: Run, label: int) -> pd.DataFrame:
    """A class's errors, and for each the image that was expected for what it was taken for.

    That image has the class it was taken for and agrees in as many other factors as it can; of
    equals the first. Columns row, taken_for and counterpart, the most frequent confusion first.
    """
    table = run.faces.index.table.reset_index(drop=True)
    found = tested(run)
    mine = found[found["wrong"] & (found["true"] == run.classes[label])]
    times = mine["taken_for"].map(mine["taken_for"].value_counts())
    mine = mine.assign(times=times).sort_values(
        ["times", "taken_for", "row"], ascending=[False, True, True], kind="stable"
    )
    others = [c for c in ("subject", "emotion", "gaze", "angle") if c in table and c != run.task]
    rows = [
        (int(row), taken, _closest(table, run.task, taken, int(row), others))
        for row, taken in zip(mine["row"], mine["taken_for"], strict=True)
    ]
    return pd.DataFrame(rows, columns=["row", "taken_for", "counterpart"])


def _closest(table: pd.DataFrame, task: str, wanted: str, row: int, others: Sequence[str]) -> int:
    candidates = table[table[task].astype(str) == wanted]
    agreement = (candidates[list(others)] == table.loc[row, list(others)]).sum(axis=1)
    return int(agreement.index[int(agreement.argmax())])


@style.styled()
def worst_figure(run: Run, most: int = 7) -> style.Drawn:
    """The errors of the class with most of them, above what they were taken for."""
    name = style.TASK_NAMES[run.task]
    if not len(run.errors):
        return style.Missing(f"The network for {name} makes no error on the test part.")
    label = int(np.bincount(run.labels[run.errors], minlength=len(run.classes)).argmax())
    pairs = counterparts(run, label)
    shown = pairs.head(most)
    figure, axes = style.grid(2, most, aspect=1.15)
    for axis in axes.flat:
        style.clear(axis)
    for column, (row, taken, other) in enumerate(shown.itertuples(index=False)):
        style.show_image(axes[0, column], run.faces.images[row])
        style.show_image(axes[1, column], run.faces.images[other])
        axes[1, column].set_title(f"as {style.short(taken, 12)}", fontsize=7)
    figure.suptitle(
        f"{name}: {style.short(run.classes[label], 16)}, {len(shown)} of {len(pairs)} errors "
        f"({style.called(run.faces)})",
        fontsize=9,
    )
    return figure
