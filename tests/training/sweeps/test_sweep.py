"""A sweep: the same table whoever does the jobs, nothing done twice, nothing lost."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.helpers.children import ready
from tests.helpers.small_jobs import jobs, sweeping
from tinyvgg import cli
from tinyvgg.training import sweeps as command
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.sweeps import Job, processes, run_job, summary, sweep, tabulate

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


class Here(Executor):
    """Does each job at once; all but one of a seed, where an error is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            if self.error and args[0].seed == 1:
                raise self.error
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def swept(todo: Sequence[Job], executor: Executor) -> pd.DataFrame:
    return tabulate(todo, dict(sweep(todo, executor)))


here = partial(swept, executor=Here())


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_processes_make_the_same_table(home: Path, faces: str, monkeypatch: Patch) -> None:
    ready()
    todo = jobs(faces, optimiser=["sgd", "adam"])
    with processes(2) as pool:
        table = swept(todo, pool)
    kept = {path.parent.name: path.read_bytes() for path in home.rglob("weights.safetensors")}
    monkeypatch.setenv("TINYVGG_HOME", str(home / "other"))
    alone = jobs(faces, optimiser=["sgd", "adam"])
    expected = tabulate(alone, {job: run_job(job) for job in alone})
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), expected.drop(columns="seconds"))
    assert len(table) == len(todo) == len(kept) == 4
    again = (home / "other").rglob("weights.safetensors")
    assert kept == {path.parent.name: path.read_bytes() for path in again}


def test_a_row_says_what_the_run_says(faces: str) -> None:
    (job,) = jobs(faces, [3], epochs=[12], selection=["test"])
    row = here([job]).iloc[0]
    run = open_study("smoke", faces, 3, False, dict(job.settings)).run("class")
    said = {"task": "class", "seed": 3, "epochs": 12, "selection": "test", "test_images": 15}
    said |= {
        "accuracy": run.accuracy,
        "errors": len(run.errors),
        "last_epoch": 12,
        "last_errors": " ".join(map(str, run.last_errors)),
        "kept_epoch": 1 + int(run.history["test_error"].argmin()),
        "seconds": pytest.approx(run.timings["seconds"].sum()),
        "run": run.folder.name,
    }
    assert {name: row[name] for name in said} == said
    assert pd.isna(row["left_plateau"]) == (run.manifest["left_plateau"] is None)
    assert pd.isna(row["error"])


def test_a_second_sweep_does_nothing(home: Path, faces: str, monkeypatch: Patch) -> None:
    todo = jobs(faces)
    first, files = here(todo), stamps(home)
    monkeypatch.setattr("tinyvgg.training.experiments._train", None)
    pd.testing.assert_frame_equal(here(todo), first)
    assert stamps(home) == files


def test_a_job_that_fails_says_why_and_the_others_go_on(
    home: Path, faces: str, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "processes", lambda *_: nullcontext(Here()))
    given = ["--set", "epochs=2", "--set", "batch=5,99", "--name", "some"]
    assert cli.main(sweeping(faces, *given)) == cli.JOBS_FAILED
    said = capsys.readouterr()
    why = "batch 99 exceeds the 15 training images; choose 1 to 15"
    assert f"failed: class, seed 0, epochs=2, batch=99: {why}\n" in said.err
    path = home / "build" / "sweeps" / "some.csv"
    assert str(path) in said.out
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert table["batch"].tolist() == ["5", "99"]
    assert table["error"].tolist() == ["", why]
    assert table["test_images"].tolist() == ["15", ""]
    shown = said.out.splitlines()[1].split()
    assert shown[-3:] == [f"{float(table['accuracy'][0]):.4f}", "-", "-"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("division\nby zero"), "ZeroDivisionError: division by zero"),
        (CancelledError(), "dropped"),
    ],
)
def test_a_job_that_no_worker_ends_is_a_row(faces: str, error: Exception, said: str) -> None:
    todo = jobs(faces, [0, 1, 2], epochs=[1])
    table = swept(todo, Here(error))
    assert table["error"].isna().tolist() == [True, False, True]
    assert said in table["error"][1]


def test_jobs_of_one_process_wait_for_each_other(
    home: Path, faces: str, monkeypatch: Patch
) -> None:
    todo = jobs(faces, range(3))
    monkeypatch.setenv("TINYVGG_HOME", str(home / "other"))
    run, alone = Study.run, Lock()

    def run_alone(self: Study, task: str, **options: Any) -> Any:
        assert alone.acquire(blocking=False)
        time.sleep(0.05)
        try:
            return run(self, task, **options)
        finally:
            alone.release()

    monkeypatch.setattr(Study, "run", run_alone)
    with ThreadPoolExecutor(3) as several:
        assert all("error" not in row for _, row in sweep(todo, several))
    assert len(list((home / "runs").iterdir())) == 3
    assert not (home / "other" / "runs").exists()
    assert os.environ["TINYVGG_HOME"] == str(home / "other")


def test_a_dry_run_says_what_is_left_and_changes_nothing(
    home: Path, faces: str, capsys: Capture
) -> None:
    here(jobs(faces, [1]))
    files = stamps(home)
    given = ["--set", "epochs=2", "--seeds", "1-3", "--dry-run", "--workers", "2"]
    assert cli.main(sweeping(faces, *given)) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 networks, 1 of them trained; the other 2 take about 0.0 hours, 2 at")
    assert stamps(home) == files


@pytest.mark.parametrize("broken", ["faces", "table"])
def test_what_cannot_be_read_or_written_is_refused_first(
    home: Path, faces: str, capsys: Capture, broken: str
) -> None:
    photographs = list((home.parent / "faces").rglob("*.png"))
    for path in photographs if broken == "faces" else []:
        path.write_bytes(b"no image")
    into = ["--into", str(photographs[0])] if broken == "table" else []
    assert cli.main(sweeping(faces, *into)) == cli.BAD_INPUT
    said = {"faces": "(most of them: cannot be read", "table": "cannot be written"}[broken]
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (home / "runs").exists()


def test_the_summary_has_students_interval_over_seeds(faces: str) -> None:
    todo = jobs(faces, range(5), rate=[0.1, 0.2], epochs=[1])
    values = np.array([0.5, 0.7, 0.6, 0.9, 0.8])
    rows: dict[Job, dict[str, Any]] = {}
    for job in todo:
        row: dict[str, Any] = {"task": "class", "seed": job.seed, **dict(job.settings)}
        row |= {"accuracy": values[job.seed]}
        if dict(job.settings)["rate"] == 0.2 and job.seed:
            row = {key: row[key] for key in ("task", "seed", "rate", "epochs")} | {"error": "no"}
        rows[job] = row
    both = summary(todo, tabulate(todo, rows))
    assert both[["rate", "seeds"]].to_numpy().tolist() == [[0.1, 5], [0.2, 1]]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert both["accuracy"][0] == pytest.approx(values.mean())
    assert (both["low"][0], both["high"][0]) == pytest.approx((interval.low, interval.high))
    assert both[["low", "high"]].iloc[1].isna().all()
