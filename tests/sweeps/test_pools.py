"""Workers that die, fail or are interrupted."""

import json
import multiprocessing
import os
import signal
from concurrent.futures import Future
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

from synthfaces import cores
from tests.helpers.small_jobs import (
    count_down,
    jobs,
    running,
    sweeping,
    threads,
    wait_for_lines,
    without_bars,
)
from tests.helpers.small_jobs import wait_for as wait_until
from tinyvgg.errors import UserError
from tinyvgg.training.sweeps import Pool, processes, run_job, usual_workers


def test_a_worker_that_dies_takes_down_no_job_but_its_own(tmp_path: Path) -> None:
    with processes(workers=2, threads=1) as pool:
        beside = pool.submit(wait_for_lines, tmp_path / "beside", tmp_path / "dying", 3)
        dying = pool.submit(count_down, tmp_path / "dying", 2)
        assert dying.result() == 3
        assert beside.result() == 1


def test_a_job_that_brings_down_three_workers_is_given_up_and_others_go_on(tmp_path: Path) -> None:
    with processes(workers=1, threads=1) as pool:
        dying = pool.submit(count_down, tmp_path / "dying", 99)
        after = pool.submit(count_down, tmp_path / "after", 0)
        with pytest.raises(UserError, match="its worker died 3 times"):
            dying.result()
        assert after.result() == 1
    assert len((tmp_path / "dying").read_text()) == 3


def test_an_interruption_ends_workers_in_the_middle_of_their_job(tmp_path: Path) -> None:
    endless: list[Future[int]] = []

    def interrupted() -> None:
        with processes(workers=2, threads=1) as pool:
            for number in range(3):
                begun = (wait_for_lines, tmp_path / str(number), tmp_path / "never", 1)
                endless.append(pool.submit(*begun))
            wait_for_lines(tmp_path / "here", tmp_path / "0", 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()
    assert endless[2].cancelled()


def test_workers_are_limited_in_their_threads() -> None:
    assert 1 <= usual_workers() <= max(1, cores() // 2)
    with processes(workers=1, threads=1) as pool:
        assert pool.submit(threads).result() == 1
    assert torch.get_num_threads() == 1


def test_without_a_job_there_is_no_worker() -> None:
    pool = Pool(3, 1)
    pool.shutdown()
    assert not multiprocessing.active_children()
    with pytest.raises(RuntimeError):
        pool.submit(threads)


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
        wait_until(lambda: list(home.rglob("checkpoint.safetensors")), process, said)
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
        return [path for path in home.rglob("checkpoint.safetensors") if table.exists()]

    given = ["--set", "epochs=40", "--workers", "1", "--seeds", "0-2"]
    with running(said, *sweeping(faces, *given)) as process:
        (checkpoint,) = wait_until(second, process, said)
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
