"""What rules find in the errors of a run, and how it is kept."""

import json

import pytest
import torch

from tinyvgg import backtrack, record, rescore
from tinyvgg.backtracking import NAMED
from tinyvgg.training import sweeps as findings
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Finding, explain

SETTINGS = {"epochs": 10, "optimiser": "adam", "rate": 0.002}


@pytest.fixture
def run(faces: str) -> Run:
    run = open_study("smoke", faces, 1, False, SETTINGS).run("class")
    assert 3 < len(run.errors) < 15
    return run


@pytest.mark.parametrize("batch", [3, 16])
def test_findings_are_those_by_hand(run: Run, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(findings, "BATCH", batch)
    found = explain(run, tuple(NAMED))
    assert list(found) == list(NAMED)
    for name, finding in found.items():
        pixels, repaired = [], 0
        for error in run.errors:
            trace = record(run.model, run.tensor([int(run.split.test[error])]))
            kept = backtrack(trace, rule=NAMED[name]).pixels
            pixels.append(int(kept.sum()))
            repaired += int(rescore(trace, kept).argmax()) == int(run.labels[error])
        assert finding == Finding(len(run.errors), sum(pixels) / len(pixels), repaired)
    assert found["literal"].pixels != found["contrastive"].pixels
    assert len({finding.repaired for finding in found.values()}) > 1


def test_findings_are_kept_by_rule(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = explain(run, ["literal"])
    path = run.folder / findings.EXPLAINED
    content = json.loads(path.read_text())
    assert content["weights"] == run.manifest["sha256"]["weights.safetensors"]
    assert list(content["rules"]) == ["Literal()"]
    both = explain(run, ["cutoff", "literal"])
    assert list(both) == ["cutoff", "literal"]
    assert both["literal"] == first["literal"]
    monkeypatch.setattr(findings, "record", None)
    stamp = path.stat().st_mtime_ns
    assert explain(run, ["literal", "cutoff"]) == both
    assert path.stat().st_mtime_ns == stamp
    assert explain(run, []) == {}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weights": "W", "rules": {"Literal()": {}}}', '{"rules": 3}']
)
def test_a_damaged_file_is_made_again(run: Run, content: str) -> None:
    expected = explain(run, ["literal"])
    path = run.folder / findings.EXPLAINED
    whole = path.read_text()
    path.write_text(content.replace("W", run.manifest["sha256"]["weights.safetensors"]))
    assert explain(run, ["literal"]) == expected
    assert path.read_text() == whole


def test_findings_of_other_weights_or_parameters_do_not_count(run: Run) -> None:
    expected = explain(run, ["cutoff"])
    path = run.folder / findings.EXPLAINED
    for old, new in (
        (run.manifest["sha256"]["weights.safetensors"], "0" * 64),
        ("percentile=90.0", "percentile=80.0"),
    ):
        path.write_text(path.read_text().replace(old, new).replace('"errors": ', '"errors": 1'))
        assert explain(run, ["cutoff"]) == expected


def test_a_run_without_errors_has_no_mean(run: Run) -> None:
    right = torch.nn.functional.one_hot(torch.from_numpy(run.labels)).float()
    perfect = run.having(logits=right)
    assert explain(perfect, ["cutoff"]) == {"cutoff": Finding(0, None, 0)}
