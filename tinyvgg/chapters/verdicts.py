"""From measured facts to verdicts, the same way in every chapter."""

import ast
import math
import numbers as numeric
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import HTML, display

from tinyvgg import paper
from tinyvgg.book.claims import Verdict
from tinyvgg.book.notebooks import read as read_notebook
from tinyvgg.chapters.statistics import bootstrap_interval
from tinyvgg.errors import UserError

GLUED = "application/papermill.record/"
TEXT = GLUED + "text/plain"
KEY = re.compile(r"[a-z0-9]+(\.[a-z0-9_]+){2}")
Value = bool | int | float | str


@dataclass(frozen=True)
class Number:
    """A recorded quantity; a fresh one may differ from it by `tolerance`, in its own unit."""

    value: Value
    tolerance: float = 0.0

    def agrees(self, fresh: "Number") -> bool:
        """Whether a fresh value is within this one's tolerance; text has to be equal."""
        if isinstance(self.value, str) or isinstance(fresh.value, str):
            return self.value == fresh.value
        return abs(self.value - fresh.value) <= self.tolerance + 1e-12


@dataclass(frozen=True)
class Records:
    """All that notebooks recorded: numbers by key, verdicts by claim."""

    numbers: Mapping[str, Number] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def glued(self) -> set[str]:
        """The keys under which pages find all this."""
        return {*self.numbers, *(verdict_key(claim) for claim in self.verdicts)}


def record_number(key: str, value: object, tolerance: float = 0.0) -> None:
    """Record a number of the running notebook; pages show it, `make verify` compares it.

    Args:
        key: ``claim.task.name``, such as ``t2.subject.accuracy``; the paper's own number, where
            there is one, has the same key.
        value: a number or a name. None, or a number that is not finite, records nothing: there
            was nothing to measure, and readers see a dash.
        tolerance: by how much another machine's value may differ, in the unit of the value.

    Raises:
        UserError: a key of another form, or a value that is no number, name or None.
    """
    if not KEY.fullmatch(key):
        raise UserError(f"key {key!r} is not of the form 'claim.task.name', in lower case")
    plain = _plain(key, value)
    if plain is not None:
        _glue(key, plain, {"tolerance": float(tolerance)})


def record_verdict(claim: str, verdict: str, reason: str) -> None:
    """Record what became of a claim, such as ``B1``, and why in one sentence.

    Raises:
        UserError: a verdict that is not one of `tinyvgg.book.claims.VERDICTS`.
    """
    about = Verdict(claim, verdict, reason)
    _glue(verdict_key(about.claim), about.verdict, {"claim": claim, "reason": reason})


def verdict_key(claim: str) -> str:
    """The key under which pages find a claim's verdict."""
    return f"verdict.{claim}"


def numbers(notebook: Path) -> dict[str, Number]:
    """The numbers recorded in an executed notebook, by key."""
    return dict(read(notebook).numbers)


def verdicts(notebook: Path) -> dict[str, Verdict]:
    """The verdicts recorded in an executed notebook, by claim."""
    return dict(read(notebook).verdicts)


def read(notebook: Path) -> Records:
    """Everything recorded in one executed notebook."""
    return collect([notebook])


def collect(notebooks: Iterable[Path]) -> Records:
    """Everything recorded in several executed notebooks.

    Raises:
        UserError: a notebook that cannot be read, or a key that is recorded twice.
    """
    found_numbers: dict[str, Number] = {}
    found_verdicts: dict[str, Verdict] = {}
    for path in notebooks:
        for key, value, about in _glued(read_notebook(path)):
            claim = about.get("claim")
            if key in found_numbers or claim in found_verdicts:
                raise UserError(f"{key!r} is recorded twice; {path.name} has the second: rename it")
            if claim:
                found_verdicts[claim] = Verdict(claim, str(value), about["reason"])
            else:
                found_numbers[key] = Number(value, about["tolerance"])
    return Records(found_numbers, found_verdicts)


def _glued(notebook: Any) -> Iterable[tuple[str, Value, dict[str, Any]]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            about = output.get("metadata", {}).get("tinyvgg")
            if about is not None:
                name = output.metadata["scrapbook"]["name"]
                yield name, ast.literal_eval(output.data[TEXT]), dict(about)


def _glue(name: str, value: Value, about: dict[str, Any]) -> None:
    if get_ipython() is None:
        return
    metadata = {"scrapbook": {"name": name, "mime_prefix": GLUED}, "tinyvgg": about}
    display({TEXT: repr(value)}, raw=True, metadata=metadata)


def _plain(key: str, value: object) -> Value | None:
    item = getattr(value, "item", None)
    if callable(item):
        value = item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, numeric.Real):
        return float(value) if math.isfinite(value) else None
    raise UserError(f"number {key!r} is {value!r}; record a number, a name or None")


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
