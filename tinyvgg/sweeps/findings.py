"""What rules find in the errors of a run; kept in its folder, so that it is found once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Int

from tinyvgg import paths, run_folder
from tinyvgg.backtracking import backtrack
from tinyvgg.rules import NAMED, Rule
from tinyvgg.runs import Run
from tinyvgg.trace import record
from tinyvgg.tracking import rescore

NAME = "explained.json"
BATCH = 16
"""Errors that are explained at a time."""

RULES = NAMED
"""The rules of `tinyvgg.jobs.RULE_NAMES`. None of them is told the true class."""


@dataclass(frozen=True)
class Finding:
    """What a rule finds in the errors of a run.

    Attributes:
        errors: how many were explained: all of them.
        pixels: mean number of backtracked pixels; None where there is no error.
        repaired: errors whose answer is the true class once these pixels are suppressed.
    """

    errors: int
    pixels: float | None
    repaired: int


def explain(run: Run, names: Sequence[str]) -> dict[str, Finding]:
    """What rules find in the errors of a run: read where it is kept, else found and kept.

    Backtracking starts from the class that the run gave.

    Args:
        run: a trained network.
        names: of `RULES`.

    Raises:
        UserError: the run's folder cannot be written.
    """
    keys = {name: repr(RULES[name]) for name in names}
    if not keys.keys() <= _known(run, keys).keys():
        with run_folder.writing(run.folder), FileLock(run.folder / run_folder.LOCK):
            for name in [name for name in keys if name not in _known(run, keys)]:
                _keep(run, {**_kept(run), keys[name]: _find(run, RULES[name])})
    return _known(run, keys)


def is_explained(folder: Path, names: Sequence[str]) -> bool:
    """Whether all of some rules' findings are kept in the folder of a complete run."""
    weights = run_folder.read_manifest(folder, files=False)["sha256"][run_folder.WEIGHTS]
    return {repr(RULES[name]) for name in names} <= _read(folder / NAME, weights).keys()


def _find(run: Run, rule: Rule) -> Finding:
    batches = [
        _counts(run, rule, run.errors[start : start + BATCH])
        for start in range(0, len(run.errors), BATCH)
    ]
    errors, pixels = len(run.errors), sum(pixels for pixels, _ in batches)
    repaired = sum(repaired for _, repaired in batches)
    return Finding(errors, pixels / errors if errors else None, repaired)


def _counts(run: Run, rule: Rule, errors: Int[np.ndarray, "e"]) -> tuple[int, int]:
    """Pixels found in some errors, and how many of these are repaired."""
    trace = record(run.model, run.tensor(run.split.test[errors]))
    given = torch.from_numpy(run.predicted[errors])
    pixels = backtrack(trace, given, rule).pixels
    answers = rescore(trace, pixels).argmax(1).numpy()
    return int(pixels.sum()), int((answers == run.labels[errors]).sum())


def _known(run: Run, keys: Mapping[str, str]) -> dict[str, Finding]:
    kept = _kept(run)
    return {name: kept[key] for name, key in keys.items() if key in kept}


def _kept(run: Run) -> dict[str, Finding]:
    return _read(run.folder / NAME, run.manifest["sha256"][run_folder.WEIGHTS])


def _read(path: Path, weights: str) -> dict[str, Finding]:
    """Findings by rule; none where the file is of other weights, or damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
        found = {key: Finding(**plain) for key, plain in content["rules"].items()}
        return found if content["weights"] == weights else {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _keep(run: Run, found: Mapping[str, Finding]) -> None:
    rules = {key: asdict(finding) for key, finding in found.items()}
    content = {"weights": run.manifest["sha256"][run_folder.WEIGHTS], "rules": rules}
    text = run_folder.as_json(content)
    paths.write_whole(run.folder / NAME, lambda to: to.write_text(text, "utf-8"))
