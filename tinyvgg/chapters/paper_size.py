"""Chapter 14: both networks at the size of the paper, 224 pixels, as their record keeps them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyvgg import files, paper
from tinyvgg.chapters import cases, style
from tinyvgg.chapters.blindness import blindness
from tinyvgg.chapters.cases import RULES, Pairs
from tinyvgg.chapters.statistics import OF_A_SEED, read_tables
from tinyvgg.chapters.trials import short
from tinyvgg.tracking import rescore
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run

MOST = 8
"""Errors of each task whose pictures are kept."""


def path() -> Path:
    """Return the path of the record; its pictures lie beside it."""
    return files.results() / "paper.json"


def record() -> Any:
    """Return what is recorded at this size, ``numbers`` among it; empty without a record."""
    return files.measured("paper") if path().exists() else {}


def write(study: Study, table: Path) -> Path:
    """Write the record of a study, of its numbers in a table of seeds and of `pictures`."""
    rows = read_tables([table])
    rows = rows[(rows["seed"] == str(study.seed)) & (rows["profile"] == study.profile.name)]
    about: dict[str, Any] = {name: rows[name].iloc[0] for name in OF_A_SEED}
    trained = {task: study.run(task) for task in study.tasks}
    for name in ("device", "precision", "seconds", "last_epoch", "training_images"):
        about[name] = {task: run.manifest[name] for task, run in trained.items()}
    about["classes"] = {task: run.classes for task, run in trained.items()}
    about["blindness"] = [short({"task": task, **blindness(run)}) for task, run in trained.items()]
    values = dict(zip(rows["quantity"], map(_plain, rows["value"]), strict=True))
    arrays: dict[str, Any] = {
        f"{task}.{name}": drawn
        for task, run in trained.items()
        for name, drawn in pictures(run).items()
    }
    files.write_whole(path().with_suffix(".npz"), lambda to: np.savez_compressed(to, **arrays))
    files.write_json(path(), {**about, "numbers": values}, sort_keys=True)
    return path()


def _plain(text: str) -> Any:
    """Return a number that is written as text; text that is none as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def pictures(run: Run) -> dict[str, Any]:
    """Return the arrays that the chapter draws of a network, 8-bit images and ink among them.

    They are of some errors, spread evenly (``errors``), and of emotion an error for each wrong
    answer (``each``), else the pair of chapter 7 (``pair``), both with their look-alikes.
    """
    pairs = cases.record_pairs(run, cases.find_cases(run))
    spread = np.linspace(0, len(pairs) - 1, min(MOST, len(pairs))).astype(int)
    found = _drawn(run, "errors", pairs.only(pairs.cases[place] for place in spread))
    if run.task == "emotion":
        groups = [[c for c in pairs.cases if c.predicted == k] for k in range(len(run.classes))]
        each = [case for group in groups for case in cases.closest(group)]
        return found | _drawn(run, "each", pairs.only(each))
    wanted = str(paper.number("f9.subject.subject"))
    label = run.classes.index(wanted) if wanted in run.classes else None
    pair = pairs.only(cases.closest(pairs.cases, true=label))
    maps, kept = pair.wrong.maps.numpy(), cases.pixel_sets(pair, RULES["cutoff"])
    found |= _drawn(run, "pair", pair)
    found["pair.maps"] = style.ink(maps, float(maps.max(initial=0)))
    found["pair.kept"] = kept.wrong.numpy()
    return found | {"pair.common": style.tracked_ink(pair.wrong, kept.common)}


def _drawn(run: Run, name: str, pairs: Pairs) -> dict[str, Any]:
    sets, images = cases.pixel_sets(pairs, RULES["cutoff"]), run.faces.images
    found = {
        "images": images[[case.row for case in pairs.cases]],
        "true": pairs.labels.numpy(),
        "answers": pairs.wrong.predicted.numpy(),
        "tracked": style.tracked_ink(pairs.wrong, sets.wrong),
    }
    if name != "errors":
        after = rescore(pairs.wrong, sets.unique)
        found |= {
            "others": images[[case.lookalike or 0 for case in pairs.cases]],
            "unique": style.tracked_ink(pairs.wrong, sets.unique),
            "before": pairs.wrong.probabilities.numpy(),
            "after": after.softmax(1).numpy(),
        }
    return {f"{name}.{key}": array for key, array in found.items()}
