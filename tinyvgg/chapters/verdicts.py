"""Verdicts and recorded numbers, made the same way in every chapter."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import HTML, Markdown, display

from tinyvgg import paper
from tinyvgg.chapters.statistics import Estimate, bootstrap_interval
from tinyvgg.chapters.style import Missing
from tinyvgg.errors import UserError
from tinyvgg.training.runs import Run

VERDICTS = ("holds", "holds in part", "does not hold", "cannot be tested here")
GLUED = "application/papermill.record/"
TEXT = GLUED + "text/plain"
KEY = re.compile(r"[a-z0-9]+(\.[a-z0-9_]+){2}")
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim: one of `VERDICTS`, and its reason in one sentence."""

    claim: str
    verdict: str
    reason: str

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            known = ", ".join(VERDICTS)
            raise UserError(f"verdict '{self.verdict}' of {self.claim} is not one of {known}")


class Part(NamedTuple):
    """One part of a claim: how far it is met, from 0 to 1, and what was measured, in words."""

    met: float
    fact: str
    marked: bool = True


def weigh(claim: str, parts: Iterable[Part] | str) -> Verdict:
    """Weigh a claim: it holds where all of its parts are met, in part where some are at all.

    A text in place of parts is the reason why the claim cannot be tested here.
    """
    if isinstance(parts, str):
        return Verdict(claim, "cannot be tested here", parts)
    found = list(parts)
    met = [part.met for part in found]
    verdict = "holds" if min(met) >= 1 else "holds in part" if max(met) > 0 else "does not hold"
    facts = [f"{'✓' if p.met >= 1 else '✗'} {p.fact}" if p.marked else p.fact for p in found]
    return Verdict(claim, verdict, "; ".join(facts))


def lacking(of: Any, *columns: str) -> str:
    """Return a sentence on the columns that a source lacks, an empty one where it lacks none.

    It asks the index of a study, a run, several runs of one source, or faces; or that index.
    """
    first = of[0] if isinstance(of, Sequence) else of
    index: Any = getattr(getattr(first, "faces", first), "index", first)
    missing = [column for column in columns if not index.has(column)]
    return f"This source does not say which {either(missing)} an image shows." if missing else ""


def endings(*runs: Run) -> Markdown:
    """Show when and why the training of each network ended, and whether it is a shipped one."""
    names = paper.TASK_NAMES
    said = [f"Training for {names[r.task]} ended {r.ended}." for r in runs]
    ships = any(run.manifest.get("rounded") for run in runs)
    said += ["What is shown is of the networks that ship with the project."] if ships else []
    return Markdown(" ".join(said))


def either(words: Sequence[str]) -> str:
    """Join words as in "one, another or a third"."""
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def needs(*columns: str) -> Callable[[Callable[P, R]], Callable[P, R | Missing]]:
    """Show the sentence of `lacking` in place of a figure or table of what a source lacks.

    The source is that of the function's first argument.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R | Missing]:
        @wraps(function)
        def where_known(*args: P.args, **kwargs: P.kwargs) -> R | Missing:
            sentence = lacking(args[0], *columns)
            return Missing(sentence) if sentence else function(*args, **kwargs)

        return where_known

    return decorate


def whole(table: pd.DataFrame | Missing, otherwise: str = "There is nothing to show.") -> Any:
    """Show a table with all of its text, which pandas cuts short; a sentence where it is empty."""
    if isinstance(table, Missing):
        return table
    if not len(table):
        return HTML(f"<p>{otherwise}</p>")
    with pd.option_context("display.max_colwidth", None):
        return HTML(table.to_html(escape=True, index=not isinstance(table.index, pd.RangeIndex)))


def mean_with_interval(values: "pd.Series[float]") -> str:
    """Return the mean of the known values with its 95 % bootstrap interval, as text."""
    known = values.dropna().to_numpy(float)
    if not len(known):
        return paper.NOTHING
    low, high = bootstrap_interval(known)
    return f"{known.mean():.3f} ({low:.3f} to {high:.3f})"


def record_numbers(numbers: Mapping[str, object], tolerance: float = 0.0) -> None:
    """Record numbers of the running notebook; pages show them, `make verify` compares them.

    Their keys, ``claim.task.name`` such as ``t2.subject.accuracy``, are also those of the paper's
    own numbers. An `Estimate` is recorded with its error. None, or a number that is not finite, is
    left out: there was nothing to measure.
    """
    for key, found in numbers.items():
        if not KEY.fullmatch(key):
            raise UserError(f"key {key!r} is not of the form 'claim.task.name', in lower case")
        value, error = found if isinstance(found, Estimate) else (found, 0.0)
        plain = value.item() if hasattr(value, "item") else value
        if plain is None or (isinstance(plain, float) and not math.isfinite(plain)):
            continue
        if not isinstance(plain, paper.Value):
            raise UserError(f"number {key!r} is {plain!r}; record a number, a name or None")
        _glue(key, plain, {"error": float(error), "tolerance": float(tolerance)})


def conclude(verdicts: Iterable[Verdict]) -> Any:
    """Record a chapter's verdicts and return them as the table that the chapter ends with."""
    rows = []
    for found in verdicts:
        about = {"claim": found.claim, "reason": found.reason}
        _glue(f"verdict.{found.claim}", found.verdict, about)
        rows.append((found.claim, paper.claim(found.claim).title, found.verdict, found.reason))
    return whole(
        pd.DataFrame(rows, columns=["claim", "about", "verdict", "why"]).set_index("claim")
    )


def _glue(name: str, value: paper.Value, about: dict[str, Any]) -> None:
    if get_ipython() is not None:
        metadata = {"scrapbook": {"name": name, "mime_prefix": GLUED}, "tinyvgg": about}
        display({TEXT: repr(value)}, raw=True, metadata=metadata)
