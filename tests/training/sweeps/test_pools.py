"""Workers that die or are interrupted."""

import json
import multiprocessing
import os
import signal
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Thread

import pandas as pd
import psutil
import pytest

from tests.helpers.children import begin, ready, wait_for
from tests.helpers.small_jobs import die, jobs, sweeping, wait_for_ever, without_bars
from tinyvgg import cli
from tinyvgg.training import sweeps
from tinyvgg.training.sweeps import DIED, Job, processes, run_job, sweep, tabulate


def test_an_interruption_ends_workers_in_the_middle_of_their_job(tmp_path: Path) -> None:
    ready()
    begun = tmp_path / "begun"
    with pytest.raises(KeyboardInterrupt), processes(1) as pool:  # noqa: PT012
        pool.submit(wait_for_ever, begun)
        wait_for(begun.exists)
        raise KeyboardInterrupt
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_is_a_row_that_says_so(faces: str) -> None:
    ready()
    todo = jobs(faces, [0])
    with processes(1) as pool:
        submit = pool.submit
        pool.submit = lambda *_: submit(die)  # type: ignore[method-assign]
        table = tabulate(todo, dict(sweep(todo, pool)))
    assert table["error"].tolist() == [DIED]


def test_a_job_that_kills_its_workers_takes_no_other_down(
    faces: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fragile(Executor):
        broken = False

        def submit(self, _: object, job: Job, *rest: object) -> Future[dict[str, object]]:
            future: Future[dict[str, object]] = Future()
            self.broken |= job.seed == 1
            if self.broken:
                future.set_exception(BrokenProcessPool())
            else:
                future.set_result({"task": job.task, "seed": job.seed, "accuracy": 1.0})
            return future

    monkeypatch.setattr(sweeps, "processes", lambda _: Fragile())
    assert sweeps.do_jobs(jobs(faces, range(4)), tmp_path / "a.csv", 1) == 1
    assert pd.read_csv(tmp_path / "a.csv")["error"].isna().tolist() == [True, False, True, True]


def test_after_its_worker_is_killed_a_training_goes_on(home: Path, faces: str) -> None:
    def kill() -> None:
        wait_for(lambda: list(home.rglob("checkpoint.safetensors")))
        (worker,) = multiprocessing.active_children()
        worker.kill()

    ready()
    killer = Thread(target=kill)
    killer.start()
    assert cli.main(sweeping(faces, "--set", "epochs=30", "--workers", "1")) == 0
    killer.join()
    (manifest,) = home.rglob("manifest.json")
    assert json.loads(manifest.read_text())["sessions"] == 2
    weights = (manifest.parent / "weights.safetensors").read_bytes()
    manifest.unlink()
    (job,) = jobs(faces, [0], epochs=[30])
    run_job(job)
    assert json.loads(manifest.read_text())["sessions"] == 1
    assert (manifest.parent / "weights.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_interrupted_it_says_one_line_leaves_no_process_and_a_table_to_go_on_from(
    tmp_path: Path, home: Path, faces: str
) -> None:
    table = home / "build" / "sweeps" / "sweep.csv"

    def second() -> bool:
        done = table.exists() and len(pd.read_csv(table)) == 1
        return done and bool(list(home.rglob("checkpoint.safetensors")))

    given = ["--set", "epochs=40", "--set", "batch=12", "--workers", "1", "--seeds", "0-2"]
    command = begin(tmp_path / "log", cli.main, sweeping(faces, *given))
    wait_for(second, command)
    begun = psutil.Process(command.pid).children(recursive=True)
    assert begun
    os.killpg(command.pid, signal.SIGINT)
    assert command.end() == cli.INTERRUPTED
    assert without_bars(command.said) == ["interrupted; the same command goes on from here"]
    _, alive = psutil.wait_procs(begun, timeout=600)
    assert not alive
    assert pd.read_csv(table)["seed"].tolist() == [0]
    manifests = {path: path.stat().st_mtime_ns for path in home.rglob("manifest.json")}
    assert len(manifests) == 1
    rows = [run_job(job) for job in jobs(faces, range(3), epochs=[40], batch=[12])]
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in manifests.items())
