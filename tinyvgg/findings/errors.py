"""Who is misclassified, as what, and whether more often than chance would have it (M1, M2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import fisher_exact

from tinyvgg import paper
from tinyvgg.claims import Verdict
from tinyvgg.findings.chances import CLAIMS, DRAWS, Chance, chance, papers_angles, papers_subjects
from tinyvgg.findings.conclusions import Part, untestable, weigh
from tinyvgg.findings.training import majority
from tinyvgg.metrics import Interval, confusion, error_table, proportion_interval
from tinyvgg.paper import TASK_NAMES
from tinyvgg.runs import Run

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
        found += untestable([claim], reason)
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
