"""Some errors of the shipped networks analysed, which has to give the same on every machine.

``python -m tests.helpers.same_analysis FOLDER NAME THREADS...`` analyses the errors and images of a
folder with each number of threads; the environment says on which code path of the processor.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tinyvgg.backtracking import Contrastive, Cutoff, Literal, Rule, backtrack
from tinyvgg.repairs import repair
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import CONFIGURATION, Experiment, Run, shipped

ERRORS, IMAGES = "errors.csv", "images.npz"
FEATURES = "sums of tracked features"
Found = dict[str, Tensor]


def read_errors(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"true": str, "predicted": str})


def network(task: str) -> Run:
    """Return the shipped network of a task, which knows no images."""
    configuration = json.loads((shipped(task) / CONFIGURATION).read_text("utf-8"))
    return Run(Experiment.of(configuration), shipped(task))


def analyse(run: Run, labels: Tensor, pixels: Tensor) -> Found:
    """Return what is found in errors beside their look-alikes, whose pixels are (2, n, h, w, 3)."""
    wrong, right = (record(run.model, run.scaling(side)) for side in pixels)
    found = {"wrong logits": wrong.logits, "right logits": right.logits}
    found |= {"wrong answers": wrong.predicted, "right answers": right.predicted}
    rules: dict[str, tuple[Rule, Rule]] = {
        "literal": (Literal(), Literal()),
        "cutoff": (Cutoff(), Cutoff()),
        "contrastive": (Contrastive(labels), Contrastive(wrong.predicted)),
    }
    for name, (of_wrong, of_right) in rules.items():
        one = backtrack(wrong, rule=of_wrong).pixels
        other = backtrack(right, rule=of_right).pixels
        for kind, pixels in {"common": one & other, "unique": one & ~other}.items():
            logits = rescore(wrong, pixels)
            found[f"{name}, {kind} pixels"] = pixels
            found[f"{name}, logits without {kind} pixels"] = logits
            found[f"{name}, answers without {kind} pixels"] = logits.argmax(1)
        if name == "cutoff":
            found[FEATURES] = track_features(wrong, one).double().sum((1, 2, 3))
    return {**found, **{f"repair, {k}": part for k, part in vars(repair(wrong, labels)).items()}}


def differing(found: Found, other: Found, slack: float) -> list[str]:
    """Return what is not the same: floats by more than a slack, absolute plus relative."""
    return [
        name
        for name, value in found.items()
        if not (
            torch.allclose(other[name], value, slack, slack)
            if value.is_floating_point()
            else torch.equal(other[name], value)
        )
    ]


def main(folder: Path, name: str, every: list[int]) -> None:
    errors, images = read_errors(folder / ERRORS), np.load(folder / IMAGES)
    found: dict[str, object] = {"path": torch.backends.cpu.get_cpu_capability()}
    for threads in every:
        torch.set_num_threads(threads)
        for task, part in errors.groupby("task"):
            run, pixels = network(str(task)), torch.from_numpy(images[str(task)])
            labels = torch.tensor([run.label(true) for true in part["true"]])
            found[f"{task}, {threads}"] = analyse(run, labels, pixels)
    torch.save(found, folder / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [int(threads) for threads in sys.argv[3:]])
