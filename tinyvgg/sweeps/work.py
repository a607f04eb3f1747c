"""One job, from its study to its row: what a worker does."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from tinyvgg import run_folder
from tinyvgg.errors import UserError
from tinyvgg.experiments import Study, open_study
from tinyvgg.jobs import Job
from tinyvgg.runs import Run
from tinyvgg.sweeps.findings import Finding, explain, is_explained
from tinyvgg.training import checkpoints

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
    except UserError as error:
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
