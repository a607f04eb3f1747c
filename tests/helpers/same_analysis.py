"""``python -m tests.helpers.same_analysis IMAGES INTO THREADS...``: errors of shipped networks.

They are analysed with each number of threads; the environment says on which code path.
"""

import json
import sys

import numpy as np
import torch
from torch import Tensor

from tinyvgg.backtracking import Contrastive, Cutoff, Literal, backtrack
from tinyvgg.chapters.bench_scripts import Errors, read_errors
from tinyvgg.repairs import repair
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import CONFIGURATION, Experiment, Run, shipped

TASKS = ("subject", "emotion")
FEATURES = "sums of tracked features"
Found = dict[str, Tensor]


def network(task: str) -> Run:
    """Return the shipped network of a task, which knows no images."""
    configuration = json.loads((shipped(task) / CONFIGURATION).read_text("utf-8"))
    return Run(Experiment.of(configuration), shipped(task))


def shipped_errors(task: str) -> tuple[Run, Errors]:
    """Return the shipped network of a task, and its errors."""
    run = network(task)
    return run, read_errors(run.folder, task, run.size)


def analyse(run: Run, labels: Tensor, pixels: Tensor) -> Found:
    """Return what is found in errors beside their look-alikes, whose pixels are (2, n, h, w, 3)."""
    wrong, right = (record(run.model, run.scaling(side)) for side in pixels)
    found = {"wrong logits": wrong.logits, "right logits": right.logits}
    found |= {"wrong answers": wrong.predicted, "right answers": right.predicted}
    contrastive = Contrastive(labels), Contrastive(wrong.predicted)
    rules = {"literal": [Literal()] * 2, "cutoff": [Cutoff()] * 2, "contrastive": contrastive}
    for name, (of_wrong, of_right) in rules.items():
        one = backtrack(wrong, rule=of_wrong).pixels
        other = backtrack(right, rule=of_right).pixels
        for kind, chosen in {"common": one & other, "unique": one & ~other}.items():
            logits = rescore(wrong, chosen)
            found[f"{name}, {kind}"] = chosen
            found[f"{name}, logits without {kind}"] = logits
            found[f"{name}, answers without {kind}"] = logits.argmax(1)
        if name == "cutoff":
            found[FEATURES] = track_features(wrong, one).double().sum((1, 2, 3))
    return {**found, **{f"repair, {k}": part for k, part in vars(repair(wrong, labels)).items()}}


def differing(found: Found, other: Found, slack: float) -> set[str]:
    """Return what is not the same: floats by more than a slack, absolute plus relative."""

    def same(one: Tensor, two: Tensor) -> bool:
        near = one.is_floating_point()
        return torch.allclose(two, one, slack, slack) if near else torch.equal(two, one)

    return {name for name, value in found.items() if not same(value, other[name])}


if __name__ == "__main__":
    images, into, *numbers = sys.argv[1:]
    with np.load(images) as stored:
        kept = {name: torch.from_numpy(array) for name, array in stored.items()}
    result: dict[str, object] = {"path": torch.backends.cpu.get_cpu_capability()}
    for threads in numbers:
        torch.set_num_threads(int(threads))
        for task in TASKS:
            found = analyse(network(task), kept[f"{task} true"], kept[f"{task} pixels"])
            result[f"{task}, {threads}"] = found
    torch.save(result, into)
