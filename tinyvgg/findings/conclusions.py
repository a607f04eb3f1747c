"""From measured facts to verdicts, the same way in every chapter."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd
from IPython.display import HTML

from tinyvgg import paper
from tinyvgg.book.records import record_number, record_verdict
from tinyvgg.claims import Verdict
from tinyvgg.metrics import bootstrap_interval


class Part(NamedTuple):
    """One part of a claim: whether it was met, and what was measured, in words."""

    met: bool
    fact: str


def weigh(claim: str, parts: Iterable[Part]) -> Verdict:
    """A claim holds where all of its parts are met, in part where some are."""
    found = list(parts)
    met = [part.met for part in found]
    verdict = "holds" if all(met) else "holds in part" if any(met) else "does not hold"
    return Verdict(claim, verdict, "; ".join(f"{'✓' if p.met else '✗'} {p.fact}" for p in found))


def untestable(claims: Iterable[str], reason: str) -> list[Verdict]:
    """The verdict on claims that a source of faces, or a run, cannot speak to."""
    return [Verdict(claim, "cannot be tested here", reason) for claim in claims]


def whole(table: pd.DataFrame, otherwise: str = "There is nothing to show.") -> HTML:
    """A table with all of its text, which pandas alone would cut short; a sentence if empty."""
    if not len(table):
        return HTML(f"<p>{otherwise}</p>")
    with pd.option_context("display.max_colwidth", None):
        return HTML(table.to_html(escape=True, index=not isinstance(table.index, pd.RangeIndex)))


def in_words(task: str) -> str:
    """What a network tells, as sentences call it."""
    return paper.TASK_NAMES.get(task, "the classes of this source")


def mean_with_interval(values: "pd.Series[float]") -> str:
    """A mean with its 95 % bootstrap interval; values that are missing are left out."""
    known = values.dropna().to_numpy(float)
    if not len(known):
        return paper.NOTHING
    low, high = bootstrap_interval(known)
    return f"{known.mean():.3f} ({low:.3f} to {high:.3f})"


def conclude(verdicts: Iterable[Verdict]) -> HTML:
    """Record a chapter's verdicts and return them as the table that the chapter ends with."""
    rows = []
    for found in verdicts:
        record_verdict(found.claim, found.verdict, found.reason)
        about = paper.claim(found.claim).title
        rows.append((found.claim, about, found.verdict, found.reason))
    table = pd.DataFrame(rows, columns=["claim", "about", "verdict", "why"])
    return whole(table.set_index("claim"))


def record_numbers(numbers: Mapping[str, object], tolerance: float = 0.0) -> None:
    """Record several numbers that share a tolerance; those that are None are left out."""
    for key, value in numbers.items():
        record_number(key, value, tolerance)
