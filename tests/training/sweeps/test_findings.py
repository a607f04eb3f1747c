"""What rules find in the errors of a run."""

import pytest
import torch

from tinyvgg import backtrack, record, rescore
from tinyvgg.backtracking import NAMED
from tinyvgg.training import sweeps as findings
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import explain

SETTINGS = {"epochs": 10, "batch": 12, "optimiser": "adam", "rate": 0.002}


@pytest.fixture
def run(faces: str) -> Run:
    run = open_study("smoke", faces, 1, False, SETTINGS).run("class")
    assert 3 < len(run.errors) < 15
    return run


@pytest.mark.parametrize("batch", [3, 16])
def test_findings_are_those_by_hand(run: Run, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(findings, "BATCH", batch)
    found = {name: explain(run, rule) for name, rule in NAMED.items()}
    for name, finding in found.items():
        pixels, repaired = [], 0
        for error in run.errors:
            trace = record(run.model, run.tensor([int(run.split.test[error])]))
            kept = backtrack(trace, rule=NAMED[name]).pixels
            pixels.append(int(kept.sum()))
            repaired += int(rescore(trace, kept).argmax()) == int(run.labels[error])
        assert finding == (sum(pixels) / len(pixels), repaired)
    assert found["literal"][0] != found["contrastive"][0]
    assert len({repaired for _, repaired in found.values()}) > 1


def test_a_run_without_errors_has_no_mean(run: Run) -> None:
    right = torch.nn.functional.one_hot(torch.from_numpy(run.labels)).float()
    perfect = run.having(logits=right)
    assert explain(perfect, NAMED["cutoff"]) == (None, 0)
