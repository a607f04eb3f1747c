"""What ``tinyvgg sweep`` does once its parameters are known to be good, and what it prints."""

import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from tinyvgg import pools
from tinyvgg.jobs import Job
from tinyvgg.sweeps.sweep import sweep
from tinyvgg.sweeps.table import make_place, shown, summary, write
from tinyvgg.sweeps.work import states


def list_jobs(jobs: Sequence[Job]) -> None:
    """Print each job and how far it is, and how many there are of each kind."""
    found = states(jobs)
    for job, state in zip(jobs, found, strict=True):
        print(f"{state:<8} {job.name}")
    counts = ", ".join(f"{count} {state}" for state, count in Counter(found).items())
    print(f"{len(jobs)} jobs: {counts}")


def do_jobs(jobs: Sequence[Job], path: Path, workers: int | None, scheduler: str | None) -> int:
    """Do the jobs of a sweep, keep its table, print what it says; returns how many failed.

    Args:
        jobs: of the sweep.
        path: of the table.
        workers: processes; None for the usual number.
        scheduler: address of a Dask cluster that does the jobs instead.

    Raises:
        UserError: faces that cannot be used, nothing that answers at the address, or a table that
            cannot be written.
    """
    make_place(path)
    with _executor(workers, scheduler) as executor:
        table = sweep(jobs, executor, keep=partial(write, path=path))
    failed = table[table["error"].notna()]
    if len(failed) < len(jobs):
        print(shown(summary(jobs, table)))
        print("low and high: 95 % interval of the mean accuracy over that many seeds")
    print(f"The table: {path}")
    for row, error in failed["error"].items():
        print(f"failed: {jobs[int(str(row))].name}: {error}", file=sys.stderr)
    return len(failed)


def _executor(workers: int | None, scheduler: str | None) -> AbstractContextManager[Executor]:
    return pools.processes(workers) if scheduler is None else pools.cluster(scheduler)
