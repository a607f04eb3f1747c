"""Networks that ship: rounded, written once, and shown in place of one's own."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tests.helpers.small_jobs import two_tasks
from tinyvgg import files
from tinyvgg.book import reproduce
from tinyvgg.chapters.cases import find_cases
from tinyvgg.errors import UserError
from tinyvgg.training import experiments
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import shipped


@pytest.fixture(scope="module")
def home(tmp_path_factory, draw_photographs):
    """Where all tests have the same faces, and networks that the first of them trains."""
    folder = tmp_path_factory.mktemp("home")
    draw_photographs(folder / "faces")
    return folder


@pytest.fixture
def recorded(workshop, home, monkeypatch):
    """A small study whose networks may ship: the function opens it."""
    asked = {"profile": "smoke", "faces": two_tasks(home / "faces"), "seed": 0}
    monkeypatch.setattr(experiments, "RECORDED", asked)
    monkeypatch.setenv("TINYVGG_HOME", str(home))
    return lambda **other: open_study(**{**asked, "progress": False, **other})


def test_they_are_the_trained_ones_rounded_and_are_evaluated_as_they_ship(workshop, recorded):
    assert recorded(networks="auto").networks == "trained"
    with pytest.raises(UserError, match="networks=trained trains"):
        recorded(networks="shipped")
    own = recorded()
    card, errors, *_ = reproduce.ship(own)
    listed = pd.read_csv(errors, dtype={"true": str, "predicted": str}).replace(np.nan, None)
    for networks in ("shipped", "auto"):
        study = recorded(networks=networks)
        assert study.networks == "shipped"
    for task in study.tasks:
        run, trained = study.run(task), own.run(task)
        stored = load_file(run.folder / "weights.safetensors")
        for name, weight in trained.model.state_dict().items():
            assert torch.equal(stored[name], weight.half())
            assert torch.equal(run.model.state_dict()[name], weight.half().float())
        with torch.no_grad():
            torch.testing.assert_close(run.logits, run.model(run.tensor(run.split.test)))
        assert 0 < (run.logits - trained.logits).abs().max() < 0.01
        np.testing.assert_array_equal(run.split.test, trained.split.test)
        assert run.manifest["errors"] == len(run.errors)
        assert run.manifest["errors_before_rounding"] == len(trained.errors)
        assert (run.name, run.ended, run.last_errors) == (
            trained.name, trained.ended, trained.last_errors,
        )  # fmt: skip
        for table in ("history", "gradients", "timings"):
            assert getattr(run, table).equals(getattr(trained, table))
        assert run.weights_hash in card.read_text()
        own_rows = listed[listed["task"] == task]
        rows = run.split.test[run.errors]
        assert own_rows["row"].tolist() == rows.tolist()
        for column, labels in (("true", run.labels), ("predicted", run.predicted)):
            assert own_rows[column].tolist() == [run.classes[k] for k in labels[run.errors]]
        assert own_rows["lookalike"].tolist() == [c.lookalike for c in find_cases(run)]
    assert "recognise people" in " ".join(card.read_text().split())


def test_shipped_again_they_stay_as_they_are(workshop, recorded):
    def stamps():
        paths = shipped("").glob("*/*.*")
        return {path: path.stat().st_mtime_ns for path in paths}

    reproduce.ship(recorded())
    before, contents = stamps(), [path.read_bytes() for path in stamps()]
    reproduce.ship(recorded())
    assert stamps() == before
    reproduce.ship(recorded(), anew=True)
    assert stamps() != before
    assert [path.read_bytes() for path in stamps()] == contents


def test_other_studies_have_none_and_stale_or_damaged_ones_are_named(workshop, recorded):
    reproduce.ship(recorded())
    for other in ({"seed": 1}, {"settings": {"epochs": 1}}, {"profile": "quick"}):
        assert recorded(**other, networks="auto").networks == "trained"
        with pytest.raises(UserError, match="this study is of .*; networks=trained"):
            recorded(**other, networks="shipped")
    assert recorded(networks="shipped").varied(1, {}).networks == "trained"
    manifest = shipped("subject") / "manifest.json"
    other = {**(kept := files.sealed(manifest)), "name": f"{kept['name']}-other"}
    files.write_sealed(manifest, other)
    with pytest.raises(UserError, match="have changed; networks=trained"):
        recorded(networks="shipped").run("subject")
    (shipped("subject") / "weights.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="damaged weights.* 'git checkout results'"):
        recorded(networks="shipped").run("subject")
