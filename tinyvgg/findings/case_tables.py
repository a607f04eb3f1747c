"""The tables of the two case studies: text and rounded numbers, ready to show."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from tinyvgg import paper
from tinyvgg.cases import Case, Pairs
from tinyvgg.findings.data import PLURALS
from tinyvgg.runs import Run
from tinyvgg.suppression import equal_smallest, rectified

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
"""How tables and figures call the sets of `tinyvgg.suppression.SETS`."""

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
    """Mean of the columns of `tinyvgg.overlap.overlap_table` for each of several sets of pairs."""
    rows = {name: {"pairs": len(table), **table.mean().to_dict()} for name, table in tables.items()}
    shown = pd.DataFrame.from_dict(rows, orient="index")
    places = {"right": 1, "wrong": 1, "common": 1, "unique": 1}
    return shown.round({**dict.fromkeys(shown.columns, 3), **places})


def confidence_table(error: pd.DataFrame, lookalike: pd.DataFrame) -> pd.DataFrame:
    """Probabilities of one pair with and without pixels, means over draws (claim S2).

    Args:
        error: `tinyvgg.suppression.suppression_table` of the pair.
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
    """A summary of `tinyvgg.suppression.summarise` in words: counts, rates and differences."""
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
