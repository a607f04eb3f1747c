"""Studies of small runs, made in no time."""

import numpy as np
import pandas as pd
import torch

from tinyvgg.faces.splits import Split
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.runs import Run


def complete(run: Run) -> Run:
    """Return the run with the history, hashes and training part of a trained one."""
    epochs = [
        {"epoch": n, "train_loss": 1 / n, "train_error": 0.5, "test_loss": 1.0, "test_error": 0.4}
        for n in (1, 2, 3)
    ]
    rows = np.arange(len(run.faces))
    manifest = {"device": "cpu", "sha256": {"weights.safetensors": "0" * 64}}
    return run.having(
        history=pd.DataFrame(epochs), manifest=manifest, split=Split(rows[::2], run.split.test)
    )


def faultless(run: Run) -> Run:
    """Return the run with the right answer everywhere."""
    right = torch.eye(len(run.classes))[torch.from_numpy(run.labels)]
    return run.having(logits=5 * right)


def study_of(*runs: Run) -> Study:
    """Return a study whose networks are these."""
    study = open_study("smoke", "synthetic", 0, False)
    vars(study)["faces"] = runs[0].faces
    study._runs.update({run.task: run for run in runs})
    return study
