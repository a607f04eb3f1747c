"""A sweep on a Dask cluster: a worker is killed while it trains, and nothing is lost."""

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.small_jobs import jobs, run_to_its_end, running, sweeping, wait_for, without_bars
from tinyvgg.training.sweeps import run_job

SEEDS = 4
EPOCHS = 30
COUNT = """
import os
from tinyvgg.training import loop

def counted(training, *arguments, complete=loop._Training._complete):
    line = f"{training.folder.name} {len(training.history) + 1} {os.getpid()}\\n"
    with open("LOG", "a") as file:
        file.write(line)
    complete(training, *arguments)

if loop._Training._complete.__name__ != "counted":  # it is loaded twice
    loop._Training._complete = counted
"""
"""Each worker notes every epoch that it has trained, before the checkpoint after it."""


@contextmanager
def cluster(folder: Path, log: Path) -> Iterator[str]:
    """A scheduler and two workers of one thread; gives the scheduler's address."""
    (folder / "count.py").write_text(COUNT.replace("LOG", str(log)))
    at = ["--scheduler-file", str(folder / "scheduler.json"), "--no-dashboard"]
    at += ["--host", "127.0.0.1"]
    worker = ["-m", "distributed.cli.dask_worker", *at, "--nthreads", "1", "--no-nanny"]
    worker += ["--preload", str(folder / "count.py"), "--local-directory", str(folder)]
    scheduler = ["-m", "distributed.cli.dask_scheduler", *at, "--port", "0"]
    said = [folder / f"{name}.log" for name in ("scheduler", "one", "other")]
    with running(said[0], *scheduler) as process:
        wait_for((folder / "scheduler.json").exists, process, said[0])
        with running(said[1], *worker), running(said[2], *worker):
            yield json.loads((folder / "scheduler.json").read_text())["address"]


def lines(log: Path) -> list[list[str]]:
    """Run, epoch and process of every epoch that was trained."""
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.slow
def test_a_worker_killed_while_it_trains_loses_nothing_and_nothing_is_trained_twice(
    tmp_path: Path, home: Path, faces: str
) -> None:
    log = tmp_path / "epochs.txt"
    settings = ["--seeds", f"0-{SEEDS - 1}", "--set", f"epochs={EPOCHS}", "--rules", "literal"]
    with cluster(tmp_path, log) as address:
        said = tmp_path / "sweep.log"
        with running(said, *sweeping(faces, *settings, "--scheduler", address)) as process:
            begun = wait_for(lambda: [x for x in lines(log) if x[1] == "5"], process, said)
            run, _, worker = begun[0]
            os.kill(int(worker), signal.SIGKILL)
            assert process.wait() == 0, said.read_text()
    table = pd.read_csv(home / "build" / "sweeps" / "sweep.csv")
    assert table["seed"].tolist() == list(range(SEEDS))
    assert table["error"].isna().all()
    trained = lines(log)
    assert len({who for *_, who in trained}) == 2
    assert {who for name, epoch, who in trained if name == run} == {who for *_, who in trained}
    times = Counter((name, int(epoch)) for name, epoch, _ in trained)
    assert set(times) == {(name, 1 + e) for name in table["run"] for e in range(EPOCHS)}
    twice = {place: count for place, count in times.items() if count > 1}
    assert len(twice) <= 1  # the epoch whose checkpoint was not yet whole
    assert all(name == run and count == 2 for (name, _), count in twice.items())
    sessions = {
        name: json.loads((home / "runs" / name / "manifest.json").read_text())["sessions"]
        for name in table["run"]
    }
    assert sessions == {name: 1 + (name == run) for name in table["run"]}
    kept = {path: path.read_bytes() for path in home.rglob("weights.safetensors")}
    found = {path: path.read_bytes() for path in home.rglob("explained.json")}
    assert len(kept) == len(found) == SEEDS
    shutil.rmtree(home)
    alone = [run_job(job) for job in jobs(faces, range(SEEDS), ["literal"], epochs=[EPOCHS])]
    assert [row["accuracy"] for row in alone] == table["accuracy"].tolist()
    assert kept == {path: path.read_bytes() for path in home.rglob("weights.safetensors")}
    assert found == {path: path.read_bytes() for path in home.rglob("explained.json")}


def test_a_scheduler_that_does_not_answer_is_one_line(faces: str, home: Path) -> None:
    done = run_to_its_end(*sweeping(faces, "--scheduler", "tcp://127.0.0.1:9"))
    assert done.returncode == 2
    (line,) = without_bars(done.stderr)
    assert line.startswith("tinyvgg: no Dask scheduler answers at 'tcp://127.0.0.1:9'")
    assert not (home / "runs").exists()
