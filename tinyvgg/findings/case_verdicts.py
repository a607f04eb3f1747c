"""What becomes of the claims of the two case studies: the decision rules, on computed tables."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from tinyvgg.cases import Pairs
from tinyvgg.claims import Verdict
from tinyvgg.findings.case_tables import differing
from tinyvgg.metrics import bootstrap_interval
from tinyvgg.runs import Run
from tinyvgg.suppression import equal_smallest, rectified

UNTESTABLE = "cannot be tested here"
MAJORITY = 0.5
STRONGLY = 0.25
"""By this share of their mean values have to differ to differ strongly."""

COMPARED = ("unique", "random", "common", "contrastive")

Tables = Mapping[str, pd.DataFrame]
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
def judge_overlap(run: Run, shown: Tables, every: Tables) -> Judged:
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
def judge_values(run: Run, pairs: Tables, controls: Tables) -> Judged:
    """F10: common values differ strongly, and more than between two right images."""
    if not sum(len(table) for table in controls.values()):
        return Judged(UNTESTABLE, "no look-alike has a second right image to compare with")
    points, reasons = {}, []
    for rule, table in pairs.items():
        first, second = table["difference"].to_numpy(), controls[rule]["difference"].to_numpy()
        both = np.isfinite(first) & np.isfinite(second)
        low, high = bootstrap_interval(first[both] - second[both])
        more = low > 0
        points[rule] = int(more) + int(more and _mean(first, both) >= STRONGLY)
        reasons.append(
            f"{rule} rule: values differ by {_mean(first, both):.2f} of their mean,"
            f" between two right images by {_mean(second, both):.2f}"
            f" (difference {low:+.2f} to {high:+.2f})"
        )
    return Judged(combined(points), "; ".join(reasons))


def _mean(values: Float[np.ndarray, "n"], where: Any) -> float:
    return float(values[where].mean()) if where.any() else float("nan")


@_about("S2", "subject")
def judge_confidence(run: Run, errors: Tables, lookalikes: Tables) -> Judged:
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
def judge_common(run: Run, changed: Tables) -> Judged:
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
def judge_unique(run: Run, eight: Tables, every: Tables) -> Judged:
    """S4: unique pixels repair all of the eight, beat chance in all errors and the common pixels.

    Args:
        run: that the errors belong to.
        eight: summaries of ``repaired`` against ``random`` for the eight, by rule.
        every: the same for all errors.
    """
    points, reasons = {}, []
    for rule, table in every.items():
        few, unique = eight[rule].loc["unique"], table.loc["unique"]
        rates = {name: _percent(table, name) for name in COMPARED}
        better = bool(unique["difference_low"] > 0)
        whole = few["count"] == few["cases"] and unique["rate"] > table.loc["common"]["rate"]
        points[rule] = int(better) + int(better and bool(whole))
        reasons.append(
            f"{rule} rule: {few['count']:.0f} of {few['cases']:.0f} repaired, of all errors"
            f" {rates['unique']}, by random pixels {rates['random']}, by common ones"
            f" {rates['common']}, by contrastive ones {rates['contrastive']}"
        )
    return Judged(combined(points), "; ".join(reasons))


def _percent(summary: pd.DataFrame, name: str) -> str:
    return f"{summary['rate'][name]:.0%}"
