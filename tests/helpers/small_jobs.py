"""Short jobs of a sweep, and what does them, in processes that die."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import distributed
from distributed.cli import dask_scheduler, dask_worker

from tinyvgg import cli
from tinyvgg.training import loop
from tinyvgg.training.experiments import open_study
from tinyvgg.training.sweeps import Job, plan, train_all


def jobs(faces: str, seeds: Sequence[int] = (0, 1), **settings: Any) -> list[Job]:
    settings = {"epochs": [2], **settings}
    return plan(open_study("smoke", faces, 0, False), ["class"], seeds, settings)


def two_tasks(folder: Path) -> str:
    """Return photographs as a source with a column of subjects and one of emotions."""
    paths = sorted(folder.rglob("*.png"))
    names = ((number % 2, ("happy", "sad")[number // 2 % 2]) for number in range(len(paths)))
    rows = [f"{path},{subject},{name}" for path, (subject, name) in zip(paths, names, strict=True)]
    (folder / "table.csv").write_text("\n".join(["path,subject,emotion", *rows]))
    return f"folder:{folder / 'table.csv'}::crop=centre"


def train_both(faces: str, epochs: int, mark: Path) -> None:
    """Train both networks of a small study, and create a file at first, and one for each."""

    def meanwhile(weights: Mapping[str, str]) -> list[Callable[[], None]]:
        return [mark.with_name(f"{mark.name}{''.join(weights)}{''.join(weights.values())}").touch]

    train_all(open_study("smoke", faces, 0, True, {"epochs": epochs}), meanwhile)


def sweeping(faces: str, *more: str) -> list[str]:
    """Return the command of a sweep over a folder."""
    return ["sweep", "--profile", "smoke", "--faces", faces, *more]


def without_bars(text: str) -> list[str]:
    """Return the lines that are no progress bar."""
    return [line for line in text.splitlines() if line and "%|" not in line]


def die() -> None:
    """Kill the process that runs this."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_ever(mine: Path) -> None:
    """Create a file, and never end."""
    mine.touch()
    while True:
        time.sleep(60)


def schedule(port: int) -> None:
    """Be a Dask scheduler."""
    given = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    dask_scheduler.main(given, standalone_mode=False)


def work(address: str, folder: Path, log: Path) -> None:
    """Be a Dask worker that notes each epoch it has trained, before the checkpoint after it."""
    complete = loop._Training._complete

    def counted(training: loop._Training, *given: Any) -> None:
        with log.open("a") as file:
            file.write(f"{training.folder.name} {len(training.history) + 1} {os.getpid()}\n")
        complete(training, *given)

    loop._Training._complete = counted  # type: ignore[method-assign]
    given = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    dask_worker.main([*given, "--local-directory", str(folder)], standalone_mode=False)


def impatient(command: list[str]) -> int:
    """Do a command whose Dask client waits for its scheduler for a moment only."""
    client = distributed.Client
    distributed.Client = lambda address, **given: client(address, **{**given, "timeout": 0.3})
    return cli.main(command)
