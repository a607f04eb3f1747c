"""The table of a sweep, its file, and what it says over seeds."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tinyvgg import paths
from tinyvgg.errors import UserError
from tinyvgg.jobs import Job
from tinyvgg.metrics import mean_interval

FACTS = (
    "accuracy",
    "errors",
    "test_images",
    "epochs",
    "kept_epoch",
    "left_plateau",
    "seconds",
    "run",
)
COUNTS = ("errors", "test_images", "epochs", "kept_epoch", "left_plateau")


def tabulate(jobs: Sequence[Job], rows: Mapping[Job, Mapping[str, Any]]) -> pd.DataFrame:
    """The rows that are there, in the order of the jobs.

    Columns: ``task``, ``seed``, every setting; ``accuracy``, ``errors``, ``test_images``,
    ``epochs``, ``kept_epoch``, ``left_plateau`` (the epoch that left the plateau, see
    `tinyvgg.training.diagnosis.left_plateau`), ``seconds`` of training and ``run``, the name of its
    folder; ``RULE_pixels`` and ``RULE_repaired`` of every rule (`tinyvgg.sweeps.Finding`); and
    ``error``.
    """
    settings, rules = _varied(jobs)
    found = [f"{rule}_{what}" for rule in rules for what in ("pixels", "repaired")]
    columns = dict.fromkeys(["task", "seed", *settings, *FACTS, *found, "error"])
    table = pd.DataFrame([rows[job] for job in jobs if job in rows], columns=list(columns))
    counts = [*COUNTS, *(f"{rule}_repaired" for rule in rules)]
    return table.astype(dict.fromkeys(counts, "Int64") | {"accuracy": float, "seconds": float})


def make_place(path: Path) -> None:
    """Make the folder of a table that is going to be written.

    Raises:
        UserError: it cannot be made, or not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _not_written(path, error) from None


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole.

    Raises:
        UserError: it cannot be written.
    """
    try:
        paths.write_whole(path, lambda to: table.to_csv(to, index=False))
    except OSError as error:
        raise _not_written(path, error) from None


def summary(jobs: Sequence[Job], table: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of each task and combination of settings; rows that failed are left out.

    Columns: ``task``, every setting; ``seeds``, how many there are; mean ``accuracy`` with its 95 %
    interval from ``low`` to ``high`` (Student's t; none for a single seed); mean ``RULE_pixels``
    over the seeds that have errors.
    """
    settings, rules = _varied(jobs)
    by = ["task", *settings]
    done = table[table["error"].isna()]
    parts = done.groupby(by, sort=False)
    lines = [_line(dict(zip(by, key, strict=True)), part, rules) for key, part in parts]
    return pd.DataFrame(
        lines, columns=[*by, "seeds", "accuracy", "low", "high", *(f"{r}_pixels" for r in rules)]
    )


def _line(names: dict[str, Any], part: pd.DataFrame, rules: Sequence[str]) -> dict[str, Any]:
    accuracies = part["accuracy"].to_numpy(dtype=np.float64)
    low, high = mean_interval(accuracies)
    found = {f"{rule}_pixels": part[f"{rule}_pixels"].astype(float).mean() for rule in rules}
    seeds = {"seeds": len(part), "accuracy": float(accuracies.mean())}
    return {**names, **seeds, "low": low, "high": high, **found}


def shown(table: pd.DataFrame) -> str:
    """A summary as text."""
    digits: dict[str, Callable[[float], str]] = {
        **dict.fromkeys(("accuracy", "low", "high"), "{:.4f}".format),
        **{name: "{:.1f}".format for name in map(str, table) if name.endswith("_pixels")},
    }
    return table.to_string(index=False, na_rep="-", formatters=digits)


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(
        f"table {str(path)!r} cannot be written ({error.strerror}); --into gives another folder"
    )


def _varied(jobs: Sequence[Job]) -> tuple[list[str], list[str]]:
    """Settings and rules of the jobs, in their order."""
    settings = dict.fromkeys(name for job in jobs for name, _ in job.settings)
    return list(settings), list(dict.fromkeys(rule for job in jobs for rule in job.rules))
