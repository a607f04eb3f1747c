"""Workers that die or are interrupted."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.helpers.small_jobs import (
    die,
    jobs,
    running,
    sweeping,
    wait_for,
    wait_for_ever,
    without_bars,
)
from tinyvgg.training.sweeps import DIED, processes, run_job, sweep


def test_an_interruption_ends_workers_in_the_middle_of_their_job(tmp_path: Path) -> None:
    def interrupted() -> None:
        with processes(1) as pool:
            pool.submit(wait_for_ever, tmp_path / "begun")
            while not (tmp_path / "begun").exists():
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_is_a_row_that_says_so(faces: str) -> None:
    with processes(1) as pool:
        submit = pool.submit
        pool.submit = lambda *_: submit(die)  # type: ignore[method-assign]
        table = sweep(jobs(faces, [0]), pool)
    assert table["error"].tolist() == [DIED]


def workers_of(process: int) -> list[psutil.Process]:
    children = psutil.Process(process).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_training_whose_worker_is_killed_goes_on_from_its_checkpoint(
    tmp_path: Path, home: Path, faces: str
) -> None:
    given = ["--set", "epochs=30", "--workers", "1"]
    said = tmp_path / "sweep.log"
    with running(said, *sweeping(faces, *given)) as process:
        wait_for(lambda: list(home.rglob("checkpoint.safetensors")), process, said)
        (worker,) = workers_of(process.pid)
        worker.kill()
        assert process.wait() == 0, said.read_text()
    assert [line for line in without_bars(said.read_text()) if "semaphore" in line] == []
    (manifest,) = home.rglob("manifest.json")
    assert json.loads(manifest.read_text())["sessions"] == 2
    weights = (manifest.parent / "weights.safetensors").read_bytes()
    manifest.unlink()
    (job,) = jobs(faces, [0], [], epochs=[30])
    run_job(job)
    assert json.loads(manifest.read_text())["sessions"] == 1
    assert (manifest.parent / "weights.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_interrupted_it_says_one_line_leaves_no_process_and_a_table_to_go_on_from(
    tmp_path: Path, home: Path, faces: str
) -> None:
    said, table = tmp_path / "sweep.log", home / "build" / "sweeps" / "sweep.csv"

    def second() -> list[Path]:
        done = table.exists() and len(pd.read_csv(table)) == 1
        return list(home.rglob("checkpoint.safetensors")) if done else []

    given = ["--set", "epochs=40", "--workers", "1", "--seeds", "0-2"]
    with running(said, *sweeping(faces, *given)) as process:
        (checkpoint,) = wait_for(second, process, said)
        begun = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 130
    assert without_bars(said.read_text()) == ["interrupted; the same command goes on from here"]
    _, alive = psutil.wait_procs(begun, timeout=5)
    assert not alive
    assert pd.read_csv(table)["seed"].tolist() == [0]
    manifests = {path: path.stat().st_mtime_ns for path in home.rglob("manifest.json")}
    assert len(manifests) == 1
    rows = [run_job(job) for job in jobs(faces, range(3), [], epochs=[40])]
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in manifests.items())
    sessions = {
        path.parent: json.loads(path.read_text())["sessions"]
        for path in home.rglob("manifest.json")
    }
    assert sessions.pop(checkpoint.parent) == 2
    assert list(sessions.values()) == [1, 1]
