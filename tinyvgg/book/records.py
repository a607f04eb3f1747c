"""Numbers and verdicts that notebooks recorded: read, committed, and compared."""

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd

import tinyvgg
from tinyvgg import files, paper
from tinyvgg.book.notebooks import DEFAULTS
from tinyvgg.chapters.verdicts import TEXT, Verdict, results_of
from tinyvgg.errors import UserError

SLACK = 1e-4
"""The most by which floats of the same networks differ, absolute plus relative."""


@dataclass(frozen=True)
class Number:
    """A recorded quantity, with its standard error where it is the mean of a network's cases."""

    value: paper.Value
    error: float = 0.0

    def same(self, other: "Number") -> bool:
        """Whether another value is this one: equal, or as near as floats of two machines are."""
        if isinstance(self.value, float) and isinstance(other.value, float):
            pairs = (other.value, other.error), (self.value, self.error)
            return np.allclose(*pairs, rtol=SLACK, atol=SLACK)
        return self == other


@dataclass(frozen=True)
class Records:
    """All that notebooks recorded: numbers by key, verdicts by claim."""

    numbers: Mapping[str, Number] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def glued(self) -> set[str]:
        """The keys under which pages find all this."""
        return {*self.numbers, *(f"verdict.{claim}" for claim in self.verdicts)}


def collect(notebooks: Iterable[Path]) -> Records:
    """Return everything that was recorded in executed notebooks."""
    numbers: dict[str, Number] = {}
    verdicts: dict[str, Verdict] = {}
    for path in notebooks:
        outputs = [each for cell in read_notebook(path).cells for each in cell.get("outputs", [])]
        for output in outputs:
            about = output.get("metadata", {}).get("tinyvgg")
            if about is None:
                continue
            try:
                key, claim = output.metadata["scrapbook"]["name"], about.get("claim")
                value = ast.literal_eval(output.data[TEXT])
                reason, error = about["reason"] if claim else "", float(about.get("error", 0.0))
            except (LookupError, ValueError, SyntaxError, TypeError, AttributeError):
                raise _damaged(path) from None
            if key in numbers or claim in verdicts:
                raise UserError(f"{key!r} is recorded twice; {path.name} has the second: rename it")
            if claim:
                verdicts[claim] = Verdict(claim, str(value), reason, results_of(about))
            else:
                numbers[key] = Number(value, error)
    return Records(numbers, verdicts)


def read_notebook(executed: Path) -> Any:
    """Read an executed notebook."""
    try:
        return nbformat.read(executed, as_version=4)
    except (OSError, ValueError, TypeError, AttributeError, nbformat.ValidationError):
        raise _damaged(executed) from None


def _damaged(executed: Path) -> UserError:
    return UserError(f"notebook {str(executed)!r} is missing or damaged: run 'make reproduce'")


def results_path(parameters: Mapping[str, Any]) -> Path:
    """Return the path of the committed record of a profile."""
    return files.results() / f"{parameters['profile']}.json"


def as_results(parameters: Mapping[str, Any], fingerprint: str, records: Records) -> dict[str, Any]:
    """Return the content of a committed record, as plain data."""
    return {
        "provenance": {
            "parameters": dict(parameters),
            "faces_fingerprint": fingerprint,
            "tinyvgg": tinyvgg.__version__,
            "versions": {name: version(name) for name in ("numpy", "torch")},
        },
        "numbers": {key: asdict(number) for key, number in records.numbers.items()},
        "verdicts": {
            key: {name: value for name, value in asdict(found).items() if name != "claim"}
            for key, found in records.verdicts.items()
        },
    }


def read_results(path: Path) -> tuple[dict[str, Any], Records]:
    """Return the parameters and the records of a committed file."""
    try:
        content = json.loads(path.read_text("utf-8"))
        numbers = {key: Number(**entry) for key, entry in content["numbers"].items()}
        verdicts = {
            key: Verdict(key, entry["verdict"], entry["reason"], results_of(entry))
            for key, entry in content["verdicts"].items()
        }
        parameters = {name: content["provenance"]["parameters"][name] for name in DEFAULTS}
        if not all(isinstance(one.value, paper.Value) for one in numbers.values()):
            raise ValueError
        return parameters, Records(numbers, verdicts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"record {str(path)!r} is missing or damaged: run 'make record'") from None


def differences(committed: Records, fresh: Records) -> pd.DataFrame:
    """Return every number and verdict of either side, in the order of the committed ones.

    The column `same` is whether both sides have it, and the same (`Number.same`).
    """
    rows: list[tuple[str, str, str, bool]] = []
    for key in dict.fromkeys([*committed.numbers, *fresh.numbers]):
        before, after = committed.numbers.get(key), fresh.numbers.get(key)
        same = before is not None and after is not None and before.same(after)
        rows.append((key, _shown(before), _shown(after), same))
    for claim in dict.fromkeys([*committed.verdicts, *fresh.verdicts]):
        found = [side.verdicts.get(claim) for side in (committed, fresh)]
        old, new = (one.verdict if one else paper.NOTHING for one in found)
        rows.append((f"verdict {claim}", old, new, old == new))
    return pd.DataFrame(rows, columns=["number", "committed", "fresh", "same"])


def _shown(number: Number | None) -> str:
    if number is None:
        return paper.NOTHING
    return f"{number.value:.6g}" if isinstance(number.value, float) else str(number.value)


SETS = ("unique", "common", "random", "contrast")
HEADLINES = (
    *(("t2", name, name, "") for name in ("accuracy", "errors")),
    *(("b1", f"pixels_{rule}", "pixels", "") for rule in ("literal", "cutoff")),
    *(("s3", name, name, "") for name in ("cases", "repaired_common", "repaired_unique")),
    ("s3", "repaired_random", "repaired_random", ""),
    ("s4", "cases", "cases", ""),
    *(("s4", f"repaired_{name}", f"repaired_{name}", "pairs shown") for name in SETS),
    ("s4", "all_cases", "all_cases", ""),
    *(("s4", f"all_repaired_{name}", f"all_repaired_{name}", "") for name in SETS),
)
"""The quantities of the table: the claim, our name, the paper's name, and what is counted."""


def headlines(numbers: Mapping[str, Number]) -> pd.DataFrame:
    """Return the headline table: the paper's number and ours, by quantity."""
    rows, printed = [], paper.load().numbers
    for claim, ours, papers, counted in HEADLINES:
        for key, number in numbers.items():
            first, task, name = key.split(".")
            if (first, name) == (claim, ours):
                about, theirs = paper.describe(key), printed.get(f"{claim}.{task}.{papers}")
                label = ", ".join(filter(None, [about.full_label, counted]))
                shown = paper.show(number.value, about.unit)
                rows.append((label, theirs.text if theirs else paper.NOTHING, shown))
    return pd.DataFrame(rows, columns=["quantity", "paper", "ours"]).set_index("quantity")


def aligned(table: pd.DataFrame) -> str:
    """Return a table as text, with its index to the left and its columns to the right."""
    if table.empty:
        return "There are no numbers to show."
    return table.rename_axis(index=None, columns=str(table.index.name)).to_string()
