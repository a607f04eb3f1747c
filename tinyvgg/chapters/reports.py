"""Reports that maintainers' tools leave in ``results``, and what is said where there is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from IPython.display import HTML

from tinyvgg import files as paths
from tinyvgg.chapters.verdicts import whole
from tinyvgg.errors import UserError

Report = TypeVar("Report")

_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading a cut, altered or wrong file raises."""


def report_path(name: str) -> Path:
    """Where a committed report lies."""
    return paths.results() / name


def read_report(path: Path, parse: Callable[[Any], Report], tool: str) -> Report | None:
    """A report as `parse` makes it of plain data; None where there is no file.

    Args:
        path: of the JSON file.
        parse: raises one of the usual errors of Python for data of another form.
        tool: that writes such files, for the message.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    if not path.exists():
        return None
    try:
        return parse(json.loads(path.read_text("utf-8")))
    except _DAMAGED:
        raise UserError(
            f"report {str(path)!r} is damaged: remove it, or run {tool} to write it anew"
        ) from None


def missing(name: str, tool: str) -> str:
    """One sentence about a report that is not there."""
    return f"There is no `results/{name}` in this checkout; `{tool}` writes it."


def shown(
    report: Report | None,
    make: Callable[[Report], pd.DataFrame],
    otherwise: str = "There is nothing to show.",
) -> HTML | None:
    """A table of a report, or a sentence where it is empty; nothing where there is no report."""
    return None if report is None else whole(make(report), otherwise)
