"""Sweeps: networks over seeds and settings."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, RLock, Thread
from timeit import repeat
from typing import Any

import pandas as pd
import torch
from scipy import stats
from tqdm.auto import tqdm

from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import absolute, check_one_of, synthfaces, tasks_of
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.loop import check_device, precision_on
from tinyvgg.training.runs import Experiment, Run, build_model, is_complete
from tinyvgg.training.settings import TRAINED, world_size
from tinyvgg.training.watching import Log, ProgressBar, Watcher

TRIES = 3
"""The most times that a sweep is begun, where its workers die."""
DIED = "its worker died, perhaps for want of memory: fewer --workers need less"
COUNTS = ("errors", "test_images", "epochs", "last_epoch", "kept_epoch", "left_plateau")
FACTS = ("accuracy", *COUNTS, "last_errors", "seconds", "run")

Row = dict[str, Any]
Work = Callable[[], None]
Meanwhile = Callable[[Mapping[str, str]], Sequence[Work]]

_ALONE = Lock()


@dataclass(frozen=True)
class Job:
    """One network of a sweep: plain data that travels."""

    profile: str
    faces: str  # their source; a folder by its absolute path
    seed: int
    task: str
    settings: tuple[tuple[str, Any], ...]  # names and values of what differs from the profile
    home: str  # folder that everything made goes to, wherever the job is done

    @property
    def name(self) -> str:
        """The task, the seed and the settings, by which the jobs of a sweep differ."""
        settings = [f"{name}={value}" for name, value in self.settings]
        return ", ".join([self.task, f"seed {self.seed}", *settings])


def plan(
    study: Study, tasks: Sequence[str], seeds: Sequence[int], settings: Mapping[str, Sequence[Any]]
) -> list[Job]:
    """Return the jobs of a sweep: every task (all for none), combination of settings and seed."""
    known = tasks_of(study.source)
    for task in tasks:
        check_one_of("task", task, known)
    study.faces  # noqa: B018 - rendered or decoded here, so that workers find them
    profile, source, home = study.profile.name, absolute(study.source), str(paths.home())
    return [
        Job(profile, source, seed, task, tuple(zip(settings, values, strict=True)), home)
        for task in dict.fromkeys(tasks or known)
        for values in product(*settings.values())
        for seed in seeds
    ]


def run_job(job: Job) -> Row:
    """Train or load the network of a job, and return its row of the table."""
    run = _trained(job)
    facts = {name: run.manifest[name] for name in FACTS if name in run.manifest}
    about = {"epochs": run.experiment.recipe.epochs, "run": run.name}
    about["last_errors"] = " ".join(map(str, run.last_errors))
    return {**_names(job), **facts, **about}


def _trained(job: Job, watchers: Sequence[Watcher] = ()) -> Run:
    with at_home(job.home):
        study = open_study(job.profile, job.faces, job.seed, False, dict(job.settings))
        return study.run(job.task, watchers=watchers)


def _names(job: Job) -> Row:
    return {"task": job.task, "seed": job.seed, **dict(job.settings)}


@contextmanager
def at_home(home: str) -> Iterator[None]:
    """Do a job at its home, alone in this process.

    Jobs of one process wait for each other: initial weights and dropout are drawn from torch's
    global generator. Other processes that want the same network wait at its folder.
    """
    with _ALONE:
        before = os.environ.get("TINYVGG_HOME")
        os.environ["TINYVGG_HOME"] = home
        try:
            yield
        finally:
            os.environ.pop("TINYVGG_HOME")
            if before is not None:
                os.environ["TINYVGG_HOME"] = before


def _row(job: Job, work: Callable[[], Row]) -> Row:
    """Return the row of a job, with its error as text: not every exception can travel."""
    try:
        return work()
    except (UserError, synthfaces.FaceError) as error:
        said = str(error)
    except CancelledError:
        said = "it was dropped: the scheduler is gone, or was asked to"
    except BrokenProcessPool:
        said = DIED
    except Exception as error:  # such as Dask's KilledWorker
        logging.getLogger("tinyvgg").exception("%s failed", job.name)
        said = f"{type(error).__name__}: {error}"
    return {**_names(job), "error": " ".join(said.split())}


def sweep(
    jobs: Sequence[Job],
    executor: Executor,
    do: Callable[[Job], Row] = run_job,
    desc: str = "sweep",
    unit: str = "job",
) -> Iterator[tuple[Job, Row]]:
    """Do all jobs, even if some fail, and yield each with its row of the table as it ends.

    Whatever interrupts a sweep, the same call goes on from there: networks that are trained are
    loaded, and others go on from their checkpoints.
    """
    futures = {executor.submit(_row, job, partial(do, job)): job for job in jobs}
    try:
        with tqdm(total=len(jobs), desc=desc, unit=unit) as bar:
            for future in as_completed(futures):
                yield futures[future], _row(futures[future], future.result)
                bar.update()
    finally:
        for future in futures:
            future.cancel()


def tabulate(jobs: Sequence[Job], rows: Mapping[Job, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows that are there, in the order of the jobs.

    Columns: ``task``, ``seed``, every setting; ``accuracy``, ``errors``, ``test_images``,
    ``epochs`` (the recipe's), ``last_epoch``, ``kept_epoch`` and ``left_plateau`` (numbers of
    epochs), ``last_errors`` (`Run.last_errors`), ``seconds`` of training, ``run``; ``error``.
    """
    columns = list(dict.fromkeys([*_names(jobs[0]), *FACTS, "error"]))
    table = pd.DataFrame([rows[job] for job in jobs if job in rows], columns=columns)
    return table.astype(dict.fromkeys(COUNTS, "Int64") | {"accuracy": float, "seconds": float})


def summary(jobs: Sequence[Job], table: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds of each task and combination of settings, without failed rows.

    The 95 % interval of the accuracy is Student's; it is missing for a single seed.
    """
    networks = table[table["error"].isna()].groupby(["task", *dict(jobs[0].settings)], sort=False)
    means = networks["accuracy"].agg(seeds="size", accuracy="mean", error="sem")
    half = stats.t.ppf(0.975, means["seeds"] - 1) * means.pop("error")
    means["low"], means["high"] = means["accuracy"] - half, means["accuracy"] + half
    return means.reset_index()


def forecast(study: Study, jobs: Sequence[Job], at_once: int) -> str:
    """Say how long the networks that are left will take at most, by the speed of a few steps."""
    experiments = [study.varied(j.seed, dict(j.settings)).experiment(j.task) for j in jobs]
    left = [experiment for experiment in experiments if not is_complete(experiment.folder)]
    said = f"{len(jobs)} networks, {len(jobs) - len(left)} of them trained"
    if not left:
        return said
    images, epochs = len(study.split(left[0].task).train), left[0].recipe.epochs
    each = images * epochs * seconds_an_image(left[0])
    return (
        f"{said}; the other {len(left)} take about {len(left) * each / at_once / 3600:.1f} hours,"
        f" {at_once} at a time, {each / 60:.0f} minutes each, if all {epochs} epochs are needed"
    )


def seconds_an_image(experiment: Experiment, steps: int = 8) -> float:
    """Measure the time that training takes for an image on one thread, in a few steps."""
    batch, size = experiment.recipe.batch, experiment.size
    model, images = build_model(experiment), torch.rand(batch, 3, size, size)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    half = precision_on("cpu", experiment.recipe.precision) == "bfloat16"

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model(images).sum()
        loss.backward()

    seconds = min(repeat(step, number=1, repeat=steps))
    torch.set_num_threads(before)
    return seconds / batch


def do_jobs(jobs: Sequence[Job], path: Path, workers: int, scheduler: str | None = None) -> int:
    """Do the jobs of a sweep, print its summary and return how many failed.

    The table is the CSV file `path`. The jobs are done by processes, or by a Dask cluster where
    the address of its scheduler is given.
    """
    rows: dict[Job, Row] = {}

    def keep() -> None:
        paths.write_whole(path, lambda to: tabulate(jobs, rows).to_csv(to, index=False))

    if not path.exists():  # the table of an earlier call stays until there is a row
        keep()
    for left in reversed(range(TRIES)):
        waiting = [job for job in jobs if job not in rows or rows[job].get("error") == DIED]
        # in the end each has a pool of its own, which the death of another cannot break
        for group in [waiting] if waiting and left else [[job] for job in waiting]:
            with processes(workers) if scheduler is None else cluster(scheduler) as executor:
                for job, row in sweep(group, executor):
                    rows[job] = row
                    keep()
    table = tabulate(jobs, rows)
    failed = table[table["error"].notna()]
    if len(failed) < len(jobs):
        digits: Any = dict.fromkeys(("accuracy", "low", "high"), "{:.4f}".format)
        print(summary(jobs, table).to_string(index=False, na_rep="-", formatters=digits))
        print("low and high: 95 % interval of the mean accuracy over that many seeds")
    print(f"The table: {path}")
    for number, error in failed["error"].items():
        print(f"failed: {jobs[int(str(number))].name}: {error}", file=sys.stderr)
    return len(failed)


def train_all(study: Study, meanwhile: Meanwhile = lambda weights: ()) -> None:
    """Train or load the networks of a study: on processors side by side, with one thread each.

    That is faster, and no bit depends on how many processors there are. `meanwhile` returns work
    for idle processes: it is called with an empty mapping at first, and after each training with
    its task and the hash of its weights. Where no process gets idle, as on a GPU, it is not called.
    """
    folders = {task: study.experiment(task).folder for task in study.tasks}
    waiting = [task for task, folder in folders.items() if not is_complete(folder)]
    alone = synthfaces.cores() == 1 or world_size() > 1 or check_device(None) != "cpu"
    if study.networks == TRAINED and waiting and len(folders) > 1 and not alone:
        jobs = plan(study, waiting, [study.seed], {n: [v] for n, v in study.settings.items()})
        with processes(min(len(folders), synthfaces.cores()), 1) as pool:
            begun = {pool.submit(_train, j, n, study.progress): j for n, j in enumerate(jobs)}
            more = list(map(pool.submit, meanwhile({})))
            try:
                for done in as_completed(begun):
                    more += map(pool.submit, meanwhile({begun[done].task: done.result()}))
                for each in more:
                    each.result()
            except BrokenProcessPool:
                raise UserError(f"a training: {DIED}; the same command goes on from here") from None
    for task in folders:
        study.run(task)


def _train(job: Job, line: int, progress: bool) -> str:
    """Train the network of a job, show how far it is on a line, and return its weights' hash."""
    watchers = [ProgressBar(f"training {job.task}", line)] if progress else []
    return _trained(job, watchers).weights_hash


@contextmanager
def processes(workers: int, threads: int | None = None) -> Iterator[Executor]:
    """Provide so many processes on this machine.

    An error or an interruption ends them at once. They share the processors, and the bits of a
    trained network depend on the number of threads that add up its sums: the same job under another
    number of workers may end with slightly other weights, unless the threads of each are given.
    """
    share = threads or max(1, synthfaces.cores() // workers)
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    context.set_forkserver_preload([__name__])  # torch is imported once for all workers
    listening, calling = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, _begin, (listening, share))
    try:
        yield pool
    except BaseException:
        calling.close()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _begin(listening: Connection, threads: int) -> None:
    """Prepare a worker, which ends as soon as the other end of a pipe is closed, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the first process that is interrupted
    Thread(target=_end_with, args=(listening,), daemon=True).start()
    tqdm.set_lock(RLock())  # its own is a semaphore of the system, which outlives a killed process
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # of what a worker starts


def _end_with(listening: Connection) -> None:
    try:
        listening.poll(None)
    finally:
        os._exit(1)


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Provide the workers of a Dask cluster, which have to see the same files as this machine.

    An error or an interruption drops the jobs that have not begun; Dask cannot stop the others.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=5, set_as_default=False)
    except (OSError, ValueError, TimeoutError):
        raise UserError(
            f"no Dask scheduler answers at {address!r}; 'dask scheduler' starts one and prints its"
            " address, such as tcp://127.0.0.1:8786"
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            Log().say(f"the scheduler has no workers yet; 'dask worker {address}' starts one")
        executor: Executor = client.get_executor(pure=False)
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False)
            raise
        executor.shutdown()
