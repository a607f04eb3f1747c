"""The networks of both tasks, trained side by side."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.helpers.children import begin, wait_for
from tests.helpers.small_jobs import train_both, two_tasks
from tinyvgg.training import sweeps
from tinyvgg.training.experiments import open_study

EPOCHS = 150  # long enough to be met in the middle on a loaded machine


def weights(home: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in home.rglob("weights.safetensors")}


def test_interrupted_both_end_and_go_on_to_the_bits_of_one_thread_each(
    folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps.synthfaces, "cores", lambda: 2)
    faces = two_tasks(folder)
    command = begin(tmp_path / "log", train_both, faces, EPOCHS, tmp_path / "meanwhile")
    wait_for(lambda: len(list(home.rglob("checkpoint.safetensors"))) == 2, command)
    begun = psutil.Process(command.pid).children(recursive=True)
    os.killpg(command.pid, signal.SIGINT)
    assert command.end() == 1
    assert command.said.rstrip().endswith("KeyboardInterrupt")
    _, alive = psutil.wait_procs(begun, timeout=600)
    assert not alive
    again = begin(tmp_path / "again", train_both, faces, EPOCHS, tmp_path / "meanwhile")
    assert again.end() == 0
    assert (tmp_path / "meanwhile").exists()
    for task in ("subject", "emotion"):
        assert f"training {task}: 100%" in again.said
    both = weights(home)
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "other"))
    study = open_study("smoke", faces, 0, False, {"epochs": EPOCHS})
    for task in ("subject", "emotion"):
        run = study.run(task)
        assert run.manifest["threads"] == 1
        assert (tmp_path / f"meanwhile{task}{run.weights_hash}").exists()
    assert both == weights(tmp_path / "other")
    assert len(both) == 2
