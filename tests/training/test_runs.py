"""The runs that are there: listed, found by a part of their names, loaded by it."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock

from tinyvgg import cli, files
from tinyvgg.errors import UserError
from tinyvgg.training import runs
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Experiment, Run, listed, load_trained
from tinyvgg.training.watching import Plan, Watcher

SETTINGS = {"epochs": 3, "initialisation": "he", "scaling": "standardised"}
Copy = Callable[..., Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, draw_photographs: Callable[..., Path]) -> Run:
    """A run of three epochs, in a home of its own."""
    faces = draw_photographs(tmp_path_factory.mktemp("photographs") / "faces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(tmp_path_factory.mktemp("trained")))
        study = open_study("smoke", f"folder:{faces}::crop=centre", 3, False, SETTINGS)
        return study.run("class", device="cpu")


def seal_anew(folder: Path, **facts: object) -> None:
    """Change facts of a run's manifest as its owner could."""
    manifest = files.sealed(folder / "manifest.json") | facts
    files.write_sealed(folder / "manifest.json", manifest)


@pytest.fixture
def copy(trained: Run, home: Path) -> Copy:
    """Copies the run, under another name, as if it ended some seconds ago."""

    def copied(name: str, age: float = 0.0) -> Path:
        folder = home / "runs" / name
        shutil.copytree(trained.folder, folder)
        seal_anew(folder, finished=time.time() - age)
        for path in folder.iterdir():
            os.utime(path, (time.time() - age,) * 2)
        return folder

    return copied


def test_runs_are_listed_and_nothing_is_changed(trained: Run, copy: Copy, home: Path) -> None:
    _, held, cut, broken, short = (copy(f"{n}-{n}", age=100 * n) for n in range(1, 6))
    for folder in (held, cut):
        (folder / "manifest.json").unlink()
    (broken / "manifest.json").write_text("[]")
    os.truncate(short / runs.WEIGHTS, 1000)
    (home / "runs" / "notes").mkdir()
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    with FileLock(held / ".lock"):
        table = listed().sort_values("name", ignore_index=True)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    states = [runs.COMPLETE, runs.TRAINING, runs.INTERRUPTED, *[runs.DAMAGED] * 2]
    assert table[["name", "state"]].to_numpy().tolist() == [
        [f"{n}-{n}", state] for n, state in enumerate(states, 1)
    ]
    first = table.iloc[0]
    assert first["accuracy"] == trained.accuracy
    assert first["ended"] == trained.ended
    assert first["age"] == pytest.approx(100, abs=60)
    assert table["accuracy"].isna().sum() == 4


def test_a_flipped_bit_anywhere_in_a_run_is_noticed(copy: Copy) -> None:
    folder = copy("whole")
    for path in sorted(folder.glob("[!.]*")):
        content = path.read_bytes()
        for place in np.random.default_rng(0).integers(len(content), size=5):
            changed = bytearray(content)
            changed[place] ^= 1 << int(place % 8)
            path.write_bytes(changed)
            with pytest.raises(UserError, match="whole' has .*; remove the folder to train again"):
                load_trained("whole")
        path.write_bytes(content)
    assert load_trained("whole").name == "whole"


@pytest.mark.parametrize(
    "strange",
    [{"maps": 10**9}, {"dense": [10**18]}, {"size": 4096}, {"classes": ["a"]}],
)
def test_a_configuration_that_is_not_that_of_the_weights_is_refused(copy: Copy, strange) -> None:
    folder = copy("strange")
    configuration = folder / runs.CONFIGURATION
    configuration.write_text(json.dumps(files.plain(configuration) | strange))
    kept = files.sealed(folder / runs.MANIFEST)
    kept["bytes"][configuration.name] = configuration.stat().st_size
    kept["sha256"][configuration.name] = runs.sha256(configuration)
    seal_anew(folder, **kept)
    with pytest.raises(UserError, match="weights that do not fit its configuration; remove"):
        _ = load_trained("strange").model


def test_what_is_trained_is_listed_before_the_first_step(faces: str) -> None:
    class Look(Watcher):
        def begin(self, plan: Plan) -> None:
            assert listed()["state"].tolist() == [runs.TRAINING]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_study("smoke", faces, 5, False).run("class", watchers=[Look()])
    assert listed()["state"].tolist() == [runs.INTERRUPTED]


def test_the_command_prints_a_line_a_run(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    assert "tinyvgg train" in capsys.readouterr().out
    copy("first", age=7300)
    (copy("second") / "manifest.json").unlink()
    assert cli.main(["runs"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "state", "accuracy", "age", "ended"]
    second, first = rows
    assert " 2.0 h " in first
    assert "%" in first
    assert " interrupted " in second


def test_a_run_says_how_its_training_ended(trained: Run) -> None:
    assert trained.ended == trained.manifest["ended"]
    assert trained.ended.startswith("after 3 epochs, the most that its recipe allows, with ")
    assert trained.manifest["last_epoch"] == len(trained.last_errors) == 3
    assert trained.last_errors[-1] == len(trained.errors)


def test_any_part_of_a_name_that_no_other_has_finds_a_run(copy: Copy) -> None:
    with pytest.raises(UserError, match="no complete run is called 'abc'; 'tinyvgg runs'"):
        load_trained("abc")
    for name in ("class-seed1-abc", "class-seed2-abd", "class-seed1"):
        copy(name)
    assert load_trained("abc").name == "class-seed1-abc"
    assert load_trained("class-seed1").name == "class-seed1"
    with pytest.raises(UserError, match=r"'ab' could be class-seed1-abc, class-seed2-abd"):
        load_trained("ab")
    with pytest.raises(UserError, match=r"no complete run is called 'xyz' .*class-seed2-abd"):
        load_trained("xyz")


def test_a_run_found_by_its_name_is_the_one_that_was_trained(trained: Run, copy: Copy) -> None:
    copy(trained.name)
    run = load_trained("class-folder")
    assert run.experiment.name == trained.experiment.name
    assert run.scaling == trained.scaling != Run(trained.experiment, manifest={}).scaling
    assert torch.equal(run.logits, trained.logits)
    pd.testing.assert_frame_equal(run.history, trained.history)
    for name, weights in trained.model.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], weights)
    assert not run.model.training
    with pytest.raises(UserError, match=f"run '{trained.name}' keeps no images"):
        run.errors  # noqa: B018


def test_only_complete_runs_are_loaded(copy: Copy) -> None:
    folder = copy("copy")
    (folder / "weights.safetensors").write_bytes(b"0")
    with pytest.raises(UserError, match="has a damaged weights.safetensors"):
        load_trained("copy")
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match="no complete run is called 'copy'"):
        load_trained("copy")


@pytest.mark.parametrize(
    "source", ["synthetic", "synthetic:noise=0.02", "folder:here", "folder:here::crop=faces"]
)
def test_an_experiment_keeps_its_name_without_its_place(trained: Run, source: str) -> None:
    given = runs.Experiment(**{**vars(trained.experiment), "source": source})
    assert Experiment.of(json.loads(json.dumps(given.configuration))).name == given.name


@pytest.mark.parametrize("wrong", [{"recipe": {"unheard": 1}}, {"classes": None}, {"source": 3}])
def test_a_strange_configuration_is_refused(trained: Run, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="configuration of a run cannot be read"):
        Experiment.of({**trained.experiment.configuration, **wrong})
