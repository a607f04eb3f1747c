"""A sweep on a Dask cluster: a worker is killed while it trains, and nothing is lost."""

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.children import begin, free_port, wait_for
from tests.helpers.small_jobs import impatient, jobs, schedule, sweeping, without_bars, work
from tinyvgg import cli
from tinyvgg.training.sweeps import run_job

SEEDS = range(3)
EPOCHS = 30


def lines(log: Path) -> list[list[str]]:
    """Return run, epoch and process of every epoch that was trained."""
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.slow
def test_a_worker_killed_while_it_trains_loses_nothing_and_nothing_is_trained_twice(
    tmp_path: Path, home: Path, faces: str
) -> None:
    port, log = free_port(), tmp_path / "epochs.txt"
    begin(tmp_path / "scheduler", schedule, port)
    address = f"tcp://127.0.0.1:{port}"
    for name in ("one", "other"):
        begin(tmp_path / name, work, address, tmp_path, log)
    given = ["--seeds", "0-2", "--set", f"epochs={EPOCHS}"]
    sweep = begin(tmp_path / "log", cli.main, sweeping(faces, *given, "--scheduler", address))
    begun = wait_for(lambda: [line for line in lines(log) if line[1] == "3"], sweep)
    run, _, worker = begun[0]
    os.kill(int(worker), signal.SIGKILL)
    assert sweep.end() == 0, sweep.said
    table = pd.read_csv(home / "build" / "sweeps" / "sweep.csv")
    assert table["seed"].tolist() == list(SEEDS)
    assert table["error"].isna().all()
    trained = lines(log)
    assert len({who for *_, who in trained}) == 2
    assert {who for name, _, who in trained if name == run} == {who for *_, who in trained}
    times = Counter((name, int(epoch)) for name, epoch, _ in trained)
    assert set(times) == {(name, 1 + e) for name in table["run"] for e in range(EPOCHS)}
    twice = [(name, count) for (name, _), count in times.items() if count > 1]
    assert twice in ([], [(run, 2)]), "an epoch whose checkpoint was not yet whole"
    for name in table["run"]:
        manifest = json.loads((home / "runs" / name / "manifest.json").read_text())
        assert manifest["sessions"] == 1 + (name == run)
    kept = {path: path.read_bytes() for path in home.rglob("weights.safetensors")}
    assert len(kept) == len(SEEDS)
    shutil.rmtree(home)
    alone = [run_job(job) for job in jobs(faces, SEEDS, epochs=[EPOCHS])]
    assert [row["accuracy"] for row in alone] == table["accuracy"].tolist()
    assert kept == {path: path.read_bytes() for path in kept}


def test_a_scheduler_that_is_not_there_is_one_line(faces: str, home: Path, tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    sweep = begin(tmp_path / "log", impatient, sweeping(faces, "--scheduler", address))
    assert sweep.end() == cli.BAD_INPUT
    (line,) = without_bars(sweep.said)
    assert line.startswith(f"tinyvgg: no Dask scheduler answers at '{address}'")
    assert not (home / "runs").exists()
