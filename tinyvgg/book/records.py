"""Numbers and verdicts that notebooks recorded: read, committed, and compared."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

import tinyvgg
from tinyvgg import files, paper
from tinyvgg.chapters.verdicts import Number, Records, Verdict
from tinyvgg.errors import UserError


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
            key: {"verdict": found.verdict, "reason": found.reason}
            for key, found in records.verdicts.items()
        },
    }


def read_results(path: Path) -> tuple[dict[str, Any], Records]:
    """Return the parameters and the records of a committed file."""
    try:
        content = json.loads(path.read_text("utf-8"))
        numbers = {key: Number(**entry) for key, entry in content["numbers"].items()}
        verdicts = {key: Verdict(key, **entry) for key, entry in content["verdicts"].items()}
        return dict(content["provenance"]["parameters"]), Records(numbers, verdicts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"record {str(path)!r} is missing or damaged: run 'make record'") from None


def differences(committed: Records, fresh: Records) -> pd.DataFrame:
    """Return every number and verdict of either side, in the order of the committed ones.

    Verdicts are shown and must be there, but may differ: another machine trains other networks.
    The column `within` is whether a fresh value is within the committed tolerance.
    """
    rows: list[tuple[str, str, str, str, bool]] = []
    for key in dict.fromkeys([*committed.numbers, *fresh.numbers]):
        before, after = committed.numbers.get(key), fresh.numbers.get(key)
        tolerance = f"± {before.tolerance:g}" if before and before.tolerance else "exact"
        within = before is not None and after is not None and before.agrees(after)
        rows.append((key, _shown(before), _shown(after), tolerance, within))
    for claim in dict.fromkeys([*committed.verdicts, *fresh.verdicts]):
        old, new = (
            side.verdicts[claim].verdict if claim in side.verdicts else paper.NOTHING
            for side in (committed, fresh)
        )
        rows.append((f"verdict {claim}", old, new, "may differ", paper.NOTHING not in (old, new)))
    columns = ["number", "committed", "fresh", "tolerance", "within"]
    return pd.DataFrame(rows, columns=columns)


def _shown(number: Number | None) -> str:
    if number is None:
        return paper.NOTHING
    return f"{number.value:.6g}" if isinstance(number.value, float) else str(number.value)


COLUMNS = ("quantity", "paper", "ours")
SETS = ("unique", "common", "random", "contrast")
PAIRS = "pairs shown"
HEADLINES = (
    *(("t2", name, name, "") for name in ("accuracy", "errors")),
    *(("b1", f"pixels_{rule}", "pixels", "") for rule in ("literal", "cutoff")),
    *(("s3", name, name, "") for name in ("cases", "repaired_common", "repaired_unique")),
    ("s3", "repaired_random", "repaired_random", ""),
    ("s4", "cases", "cases", ""),
    *(("s4", f"repaired_{name}", f"repaired_{name}", PAIRS) for name in SETS),
    ("s4", "all_cases", "all_cases", ""),
    *(("s4", f"all_repaired_{name}", f"all_repaired_{name}", "") for name in SETS),
)
"""The quantities of the table: the claim, our name, the paper's name, and what is counted."""


def headlines(numbers: Mapping[str, Number]) -> list[tuple[str, str, str]]:
    """Return the rows of the headline table: the quantity, the paper's number, and ours."""
    return [
        _headline(key, number, papers, counted)
        for claim, ours, papers, counted in HEADLINES
        for key, number in numbers.items()
        if key.startswith(f"{claim}.") and key.endswith(f".{ours}")
    ]


def _headline(key: str, number: Number, papers: str, counted: str) -> tuple[str, str, str]:
    claim, task, _ = key.split(".")
    about = paper.describe(key)
    try:
        theirs = paper.quantity(f"{claim}.{task}.{papers}").text
    except UserError:
        theirs = paper.NOTHING
    label = ", ".join(filter(None, [about.full_label, counted]))
    return label, theirs, paper.show(number.value, about.unit)


def aligned(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return rows as aligned columns of text: the first to the left, the others to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)
