"""The jobs of a sweep: what is trained and explained, typed and checked before any work.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

import asyncio
import errno
import json
import logging
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, RLock, Thread
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from jaxtyping import Int
from tqdm.auto import tqdm

from tinyvgg import files as paths
from tinyvgg.backtracking import NAMED, Rule, backtrack
from tinyvgg.chapters.statistics import mean_interval
from tinyvgg.errors import UserError, need
from tinyvgg.faces.sources import absolute, check_study, synthfaces, tasks_of
from tinyvgg.trace import record
from tinyvgg.tracking import rescore
from tinyvgg.training import checkpoints
from tinyvgg.training import runs as run_folder
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import described, parse_setting

RULE_NAMES = ("literal", "cutoff", "published", "contribution", "contrastive")
MOST_SEEDS = 10_000

_SEEDS = re.compile(r"(\d+)(?:-(\d+))?")
_NAME = re.compile(r"\w[\w.-]*")
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")


@dataclass(frozen=True)
class Job:
    """One network of a sweep and the rules that explain its errors: plain data that travels.

    Attributes:
        profile: see `tinyvgg.training.experiments.open_study`.
        faces: their source; a folder by its absolute path.
        seed: of split, initial weights and batch order.
        task: what the network tells.
        settings: names and values of what differs from the profile.
        rules: names among `RULE_NAMES`.
        home: folder that everything made goes to, wherever the job is done (``TINYVGG_HOME``).
    """

    profile: str
    faces: str
    seed: int
    task: str
    settings: tuple[tuple[str, Any], ...]
    rules: tuple[str, ...]
    home: str

    @property
    def name(self) -> str:
        """What tells it from the others of a sweep."""
        said = described(self.settings)
        return f"{self.task}, seed {self.seed}" + (f", {said}" if said else "")


def plan(
    profile: str,
    faces: str,
    tasks: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, Sequence[Any]],
    rules: Sequence[str],
) -> list[Job]:
    """The jobs of a sweep: every task with every combination of settings and every seed.

    Args:
        profile: see `Job`.
        faces: the same.
        tasks: what networks tell; none for all tasks of the faces.
        seeds: one at least.
        settings: the values of each.
        rules: names among `RULE_NAMES`.

    Raises:
        UserError: an unknown profile, source or task, an unusable folder.
    """
    check_study(profile, faces, min(seeds))
    known = tasks_of(faces)
    for task in tasks:
        _check_known(task, known, "task")
    place, home = absolute(faces), str(paths.home())
    return [
        Job(profile, place, seed, task, tuple(zip(settings, values, strict=True)), (*rules,), home)
        for task in tasks or known
        for values in product(*settings.values())
        for seed in seeds
    ]


def parse_seeds(text: str) -> list[int]:
    """Seeds as typed: ``0,1,2``, ``0-4``, or both.

    Raises:
        UserError: something else, a range that runs backwards, or a great many seeds.
    """
    seeds = list(dict.fromkeys(seed for part in text.split(",") for seed in _seeds(part.strip())))
    if len(seeds) > MOST_SEEDS:
        raise UserError(f"seeds {text!r} are {len(seeds)}; the most are {MOST_SEEDS}")
    return seeds


def parse_names(text: str, known: Collection[str], what: str) -> list[str]:
    """Names as typed, with commas between them; none for an empty text.

    Raises:
        UserError: a name that is not among the known ones.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        _check_known(name, known, what)
    return names


def parse_settings(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Settings with all values that a sweep gives them, as typed: ``rate=0.01,0.001``.

    Raises:
        UserError: an unknown setting, a value it cannot have, or the same setting twice.
    """
    settings: dict[str, list[Any]] = {}
    for text in texts:
        name, values = parse_setting(text)
        if name in settings:
            raise UserError(f"setting {name!r} is given twice; give all its values at once")
        settings[name] = list(dict.fromkeys(values))
    return settings


def parse_workers(text: str) -> int:
    """A number of workers.

    Raises:
        UserError: no whole number from 1 on.
    """
    if not re.fullmatch("0*[1-9][0-9]{0,3}", text):
        raise UserError(f"workers {text!r} is not a whole number from 1 to 9999")
    return int(text)


def table_path(name: str, folder: Path | None = None) -> Path:
    """Where the table of a sweep belongs.

    Args:
        name: of the sweep.
        folder: None for the usual one.

    Raises:
        UserError: a name that no file should have.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"name {name!r} is not letters, digits, '_', '-' and '.'")
    place = paths.build() / "sweeps" if folder is None else folder.expanduser().resolve()
    return place / f"{name}.csv"


def check_scheduler(address: str) -> str:
    """Refuse what is no address of a scheduler.

    Raises:
        UserError: says what one looks like.
    """
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"scheduler {address!r} is not an address such as tcp://127.0.0.1:8786")
    return address


def _check_known(name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise UserError(f"{what} {name!r} is not one of {', '.join(known)}")


def _seeds(part: str) -> Iterator[int]:
    found = _SEEDS.fullmatch(part)
    if not found:
        raise UserError(f"seeds {part!r} are not whole numbers such as 0,1,2 or 0-4")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise UserError(f"seeds {part!r} run backwards: {last}-{first}")
    if last - first >= MOST_SEEDS:
        raise UserError(f"seeds {part!r} are {last - first + 1}; the most are {MOST_SEEDS}")
    return iter(range(first, last + 1))


NAME = "explained.json"
BATCH = 16
"""Errors that are explained at a time."""

RULES = NAMED
"""The rules of `tinyvgg.training.sweeps.RULE_NAMES`. None of them is told the true class."""


@dataclass(frozen=True)
class Finding:
    """What a rule finds in the errors of a run.

    Attributes:
        errors: how many were explained: all of them.
        pixels: mean number of backtracked pixels; None where there is no error.
        repaired: errors whose answer is the true class once these pixels are suppressed.
    """

    errors: int
    pixels: float | None
    repaired: int


def explain(run: Run, names: Sequence[str]) -> dict[str, Finding]:
    """What rules find in the errors of a run: read where it is kept, else found and kept.

    Backtracking starts from the class that the run gave.

    Args:
        run: a trained network.
        names: of `RULES`.

    Raises:
        UserError: the run's folder cannot be written.
    """
    keys = {name: repr(RULES[name]) for name in names}
    if not keys.keys() <= _known(run, keys).keys():
        with run_folder.writing(run.folder), FileLock(run.folder / run_folder.LOCK):
            for name in [name for name in keys if name not in _known(run, keys)]:
                _keep(run, {**_kept(run), keys[name]: _find(run, RULES[name])})
    return _known(run, keys)


def is_explained(folder: Path, names: Sequence[str]) -> bool:
    """Whether all of some rules' findings are kept in the folder of a complete run."""
    weights = run_folder.read_manifest(folder, files=False)["sha256"][run_folder.WEIGHTS]
    return {repr(RULES[name]) for name in names} <= _read(folder / NAME, weights).keys()


def _find(run: Run, rule: Rule) -> Finding:
    batches = [
        _counts(run, rule, run.errors[start : start + BATCH])
        for start in range(0, len(run.errors), BATCH)
    ]
    errors, pixels = len(run.errors), sum(pixels for pixels, _ in batches)
    repaired = sum(repaired for _, repaired in batches)
    return Finding(errors, pixels / errors if errors else None, repaired)


def _counts(run: Run, rule: Rule, errors: Int[np.ndarray, "e"]) -> tuple[int, int]:
    """Pixels found in some errors, and how many of these are repaired."""
    trace = record(run.model, run.tensor(run.split.test[errors]))
    given = torch.from_numpy(run.predicted[errors])
    pixels = backtrack(trace, given, rule).pixels
    answers = rescore(trace, pixels).argmax(1).numpy()
    return int(pixels.sum()), int((answers == run.labels[errors]).sum())


def _known(run: Run, keys: Mapping[str, str]) -> dict[str, Finding]:
    kept = _kept(run)
    return {name: kept[key] for name, key in keys.items() if key in kept}


def _kept(run: Run) -> dict[str, Finding]:
    return _read(run.folder / NAME, run.manifest["sha256"][run_folder.WEIGHTS])


def _read(path: Path, weights: str) -> dict[str, Finding]:
    """Findings by rule; none where the file is of other weights, or damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
        found = {key: Finding(**plain) for key, plain in content["rules"].items()}
        return found if content["weights"] == weights else {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _keep(run: Run, found: Mapping[str, Finding]) -> None:
    rules = {key: asdict(finding) for key, finding in found.items()}
    content = {"weights": run.manifest["sha256"][run_folder.WEIGHTS], "rules": rules}
    text = run_folder.as_json(content)
    paths.write_whole(run.folder / NAME, lambda to: to.write_text(text, "utf-8"))


Row = dict[str, Any]

_ALONE = Lock()


def run_job(job: Job) -> Row:
    """Train or load the network of a job, explain its errors, and say how it went.

    Jobs of one process wait for each other, whatever threads they are in: initial weights and
    dropout are drawn from torch's global generator. Other processes that want the same network
    wait at its folder.

    Raises:
        UserError: what `open_study`, `Study.run` and `explain` refuse.
    """
    with _ALONE, _at_home(job.home):
        run = _open(job).run(job.task)
        return _row(job, run, explain(run, job.rules))


def attempt(job: Job) -> Row:
    """The row of a job, or what went wrong: plain data, since not every exception can travel."""
    try:
        return run_job(job)
    except (UserError, synthfaces.FaceError) as error:
        return failure(job, str(error))
    except Exception as error:
        logging.getLogger("tinyvgg").exception("%s failed", job.name)
        return failure(job, f"{type(error).__name__}: {error}")


def failure(job: Job, error: str) -> Row:
    """The row of a job that failed, with the reason in one line."""
    names = {"task": job.task, "seed": job.seed, **dict(job.settings)}
    return {**names, "error": " ".join(error.split())}


def prepare(jobs: Sequence[Job], progress: bool) -> Study | None:
    """Render or decode the faces of a sweep, so that its workers find them; None for no job.

    Raises:
        UserError: faces that cannot be used.
    """
    if not jobs:
        return None
    with _ALONE, _at_home(jobs[0].home):
        study = _open(jobs[0], progress)
        study.faces  # noqa: B018
        return study


def states(jobs: Sequence[Job], progress: bool = True) -> list[str]:
    """How far each job of a sweep is: ``to do``, ``begun``, ``trained`` or ``done``.

    Args:
        jobs: all of the same profile and faces.
        progress: whether to show how the faces are rendered or decoded.

    Raises:
        UserError: faces that cannot be used, or a damaged run folder.
    """
    study = prepare(jobs, progress)
    return [_state(job, study.varied(job.seed, dict(job.settings))) for job in jobs if study]


def _state(job: Job, study: Study) -> str:
    with _ALONE, _at_home(job.home):
        folder = study.experiment(job.task).folder
    if run_folder.is_complete(folder):
        return "done" if is_explained(folder, job.rules) else "trained"
    return "begun" if (folder / checkpoints.NAME).exists() else "to do"


def _open(job: Job, progress: bool = False) -> Study:
    return open_study(job.profile, job.faces, job.seed, progress, dict(job.settings))


def _row(job: Job, run: Run, found: Mapping[str, Finding]) -> Row:
    facts = run.manifest
    row = {
        "task": job.task,
        "seed": job.seed,
        **dict(job.settings),
        "accuracy": run.accuracy,
        "errors": len(run.errors),
        "test_images": len(run.labels),
        "epochs": run.experiment.recipe.epochs,
        "kept_epoch": facts["kept_epoch"],
        "left_plateau": facts["left_plateau"],
        "seconds": facts["seconds"],
        "run": run.folder.name,
    }
    for name, finding in found.items():
        row |= {f"{name}_pixels": finding.pixels, f"{name}_repaired": finding.repaired}
    return row


@contextmanager
def _at_home(home: str) -> Iterator[None]:
    """Keep what is made in a folder, in this process, for as long as a job takes."""
    before = os.environ.get("TINYVGG_HOME")
    os.environ["TINYVGG_HOME"] = home
    try:
        yield
    finally:
        os.environ.pop("TINYVGG_HOME")
        if before is not None:
            os.environ["TINYVGG_HOME"] = before


FACTS = (
    "accuracy",
    "errors",
    "test_images",
    "epochs",
    "kept_epoch",
    "left_plateau",
    "seconds",
    "run",
)
COUNTS = ("errors", "test_images", "epochs", "kept_epoch", "left_plateau")


def tabulate(jobs: Sequence[Job], rows: Mapping[Job, Mapping[str, Any]]) -> pd.DataFrame:
    """The rows that are there, in the order of the jobs.

    Columns: ``task``, ``seed``, every setting; ``accuracy``, ``errors``, ``test_images``,
    ``epochs``, ``kept_epoch``, ``left_plateau`` (the epoch that left the plateau, see
    `tinyvgg.training.watching.left_plateau`), ``seconds`` of training and ``run``, the name of its
    folder; ``RULE_pixels`` and ``RULE_repaired`` of every rule (`tinyvgg.sweeps.Finding`); and
    ``error``.
    """
    settings, rules = _varied(jobs)
    found = [f"{rule}_{what}" for rule in rules for what in ("pixels", "repaired")]
    columns = dict.fromkeys(["task", "seed", *settings, *FACTS, *found, "error"])
    table = pd.DataFrame([rows[job] for job in jobs if job in rows], columns=list(columns))
    counts = [*COUNTS, *(f"{rule}_repaired" for rule in rules)]
    return table.astype(dict.fromkeys(counts, "Int64") | {"accuracy": float, "seconds": float})


def make_place(path: Path) -> None:
    """Make the folder of a table that is going to be written.

    Raises:
        UserError: it cannot be made, or not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _not_written(path, error) from None


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole.

    Raises:
        UserError: it cannot be written.
    """
    try:
        paths.write_whole(path, lambda to: table.to_csv(to, index=False))
    except OSError as error:
        raise _not_written(path, error) from None


def summary(jobs: Sequence[Job], table: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of each task and combination of settings; rows that failed are left out.

    Columns: ``task``, every setting; ``seeds``, how many there are; mean ``accuracy`` with its 95 %
    interval from ``low`` to ``high`` (Student's t; none for a single seed); mean ``RULE_pixels``
    over the seeds that have errors.
    """
    settings, rules = _varied(jobs)
    by = ["task", *settings]
    done = table[table["error"].isna()]
    parts = done.groupby(by, sort=False)
    lines = [_line(dict(zip(by, key, strict=True)), part, rules) for key, part in parts]
    return pd.DataFrame(
        lines, columns=[*by, "seeds", "accuracy", "low", "high", *(f"{r}_pixels" for r in rules)]
    )


def _line(names: dict[str, Any], part: pd.DataFrame, rules: Sequence[str]) -> dict[str, Any]:
    accuracies = part["accuracy"].to_numpy(dtype=np.float64)
    low, high = mean_interval(accuracies)
    found = {f"{rule}_pixels": part[f"{rule}_pixels"].astype(float).mean() for rule in rules}
    seeds = {"seeds": len(part), "accuracy": float(accuracies.mean())}
    return {**names, **seeds, "low": low, "high": high, **found}


def shown(table: pd.DataFrame) -> str:
    """A summary as text."""
    digits: dict[str, Callable[[float], str]] = {
        **dict.fromkeys(("accuracy", "low", "high"), "{:.4f}".format),
        **{name: "{:.1f}".format for name in map(str, table) if name.endswith("_pixels")},
    }
    return table.to_string(index=False, na_rep="-", formatters=digits)


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(
        f"table {str(path)!r} cannot be written ({error.strerror}); --into gives another folder"
    )


def _varied(jobs: Sequence[Job]) -> tuple[list[str], list[str]]:
    """Settings and rules of the jobs, in their order."""
    settings = dict.fromkeys(name for job in jobs for name, _ in job.settings)
    return list(settings), list(dict.fromkeys(rule for job in jobs for rule in job.rules))


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
        executor: of whatever kind: `tinyvgg.training.sweeps.processes` has some.
        keep: is given the table so far each time that a row arrives.
        progress: whether to show progress bars.

    Returns:
        A row a job, in their order; see `tinyvgg.training.sweeps.tabulate`.

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


TRIES = 3
"""Workers that a job may bring down before it is given up."""
CONNECT_SECONDS = 5

Given = ParamSpec("Given")
Made = TypeVar("Made")


class Pool(Executor):
    """Worker processes, each a pool of its own.

    A worker that dies, for want of memory or by a signal, takes down no job but its own; that one
    is begun again in a new worker, `TRIES` times in all. Workers end when this process does.

    The bits of a trained network depend on the number of threads that add up its sums: the same
    job under another number of workers may end with slightly other weights. What is trained
    already is never trained again.

    Args:
        workers: how many processes.
        threads: of torch in each of them, at most.
    """

    def __init__(self, workers: int, threads: int) -> None:
        self._context = get_context("spawn")
        self._threads = threads
        self._listening, self._calling = self._context.Pipe(duplex=False)
        self._stopped = Event()
        self._hands = ThreadPoolExecutor(workers)
        self._idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(workers):
            self._idle.put(self._one())

    def submit(
        self, fn: Callable[Given, Made], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Future[Made]:
        """Let the next worker that is free call a function.

        The future raises UserError where the function brought down all workers that tried.
        """
        return self._hands.submit(self._insist, partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs.

        Args:
            wait: until those are done that were taken, and the workers have ended.
            cancel_futures: drop them instead, and end the workers at once.
        """
        if cancel_futures:
            self._stopped.set()
            self._calling.close()
        self._hands.shutdown(wait, cancel_futures=cancel_futures)
        while wait and not self._idle.empty():
            self._idle.get().shutdown()

    def _insist(self, call: Callable[[], Made]) -> Made:
        for _ in range(TRIES):
            pool = self._idle.get()
            try:
                return pool.submit(call).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = self._one()
                if self._stopped.is_set():
                    raise
            finally:
                self._idle.put(pool)
        raise UserError(
            f"its worker died {TRIES} times, perhaps for want of memory: fewer --workers need less"
        )

    def _one(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            1, self._context, initializer=_begin, initargs=(self._listening, self._threads)
        )


def usual_workers() -> int:
    """Half as many as there are cores, since a training uses several threads."""
    return max(1, synthfaces.cores() // 2)


@contextmanager
def processes(workers: int | None = None, threads: int | None = None) -> Iterator[Executor]:
    """A pool of processes; an error or an interruption ends them at once.

    Args:
        workers: how many; None for `usual_workers`.
        threads: of torch in each; None to share the cores.
    """
    count = usual_workers() if workers is None else workers
    pool = Pool(count, max(1, synthfaces.cores() // count) if threads is None else threads)
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask cluster, which have to see the same files as this machine.

    Dask gives a job whose worker died to another. An error or an interruption drops the jobs that
    have not begun; those under way go on to their end, as Dask cannot stop them.

    Args:
        address: of its scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises:
        UserError: nothing answers there.
    """
    need("dask", "distributed")
    from distributed import Client

    _check_answers(address)
    with Client(address, timeout=CONNECT_SECONDS, set_as_default=False) as client:
        if not client.scheduler_info()["workers"]:
            logging.getLogger("tinyvgg").warning(
                f"the scheduler has no workers yet; 'dask worker {address}' starts one"
            )
        executor: Executor = client.get_executor(pure=False)
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False)
            raise
        executor.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address where no scheduler answers; a client would complain at length."""
    try:
        with ThreadPoolExecutor(1) as aside:  # a notebook has a loop of its own in this thread
            aside.submit(asyncio.run, _greet(address)).result()
    except Exception:
        raise UserError(
            f"no Dask scheduler answers at {address!r}; 'dask scheduler' starts one and says where"
        ) from None


async def _greet(address: str) -> None:
    from distributed.comm.core import connect

    comm = await asyncio.wait_for(connect(address, timeout=CONNECT_SECONDS), CONNECT_SECONDS)
    comm.abort()


def _begin(listening: Connection, threads: int) -> None:
    """What a worker does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the first process that is interrupted
    Thread(target=_end_with, args=(listening,), daemon=True).start()
    import torch
    from tqdm import tqdm

    tqdm.set_lock(RLock())  # its own is a semaphore of the system, which outlives a killed process
    torch.set_num_threads(min(threads, torch.get_num_threads()))


def _end_with(listening: Connection) -> None:
    """End this process when the other end of a pipe is closed, if only since its process died."""
    try:
        listening.poll(None)
    finally:
        os._exit(1)


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
    return processes(workers) if scheduler is None else cluster(scheduler)
