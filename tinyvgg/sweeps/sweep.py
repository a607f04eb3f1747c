"""A sweep: its jobs handed to workers, and a table that grows as their rows arrive."""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed

import pandas as pd
from tqdm.auto import tqdm

from tinyvgg.errors import UserError
from tinyvgg.jobs import Job
from tinyvgg.sweeps.table import tabulate
from tinyvgg.sweeps.work import Row, attempt, failure, prepare


def sweep(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    keep: Callable[[pd.DataFrame], object] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Do all jobs and tabulate what came of them.

    A job that fails has the reason in the column ``error``, and the others go on. Whatever
    interrupts a sweep, the same call goes on from there: networks that are trained are loaded,
    others go on from their checkpoints, and findings of rules are kept beside their networks.

    Args:
        jobs: all of the same profile, faces and home.
        executor: of whatever kind: `tinyvgg.pools.processes` has some.
        keep: is given the table so far each time that a row arrives.
        progress: whether to show progress bars.

    Returns:
        A row a job, in their order; see `tinyvgg.sweeps.table.tabulate`.

    Raises:
        UserError: faces that cannot be used.
    """
    prepare(jobs, progress)
    futures = {executor.submit(attempt, job): job for job in jobs}
    rows: dict[Job, Row] = {}
    try:
        with tqdm(total=len(jobs), desc="sweep", unit="job", disable=not progress) as bar:
            for future in as_completed(futures):
                job = futures[future]
                rows[job] = _outcome(job, future)
                bar.update()
                if keep:
                    keep(tabulate(jobs, rows))
    finally:
        for future in futures:
            future.cancel()
    return tabulate(jobs, rows)


def _outcome(job: Job, future: "Future[Row]") -> Row:
    """The row of a job that has ended, if only since no worker could end it."""
    try:
        return future.result()
    except CancelledError:
        return failure(job, "it was dropped: the scheduler is gone, or was told to")
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # Dask's, which is not always installed
            return failure(job, "its workers died, perhaps for want of memory")
        known = isinstance(error, UserError)
        return failure(job, str(error) if known else f"{type(error).__name__}: {error}")
