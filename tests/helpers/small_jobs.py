"""Short jobs, and the command line in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinyvgg.training.experiments import open_study
from tinyvgg.training.sweeps import Job, plan

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = ("literal", "contribution")


def jobs(
    faces: str, seeds: Sequence[int] = (0, 1), rules: Sequence[str] = RULES, **settings: Any
) -> list[Job]:
    settings = {"epochs": [2], **settings}
    return plan(open_study("smoke", faces, 0, False), ["class"], seeds, settings, rules)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **more}


@contextmanager
def running(log: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that ends with the test, however that ends, and writes to a log file."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def sweeping(faces: str, *more: str) -> list[str]:
    """Return the command `tinyvgg sweep` on a folder at the smoke profile."""
    return ["-m", "tinyvgg.cli", "sweep", "--profile", "smoke", "--faces", faces, *more]


def wait_for(happened: Callable[[], Any], process: "subprocess.Popen[bytes]", log: Path) -> Any:
    """Return the first true answer of a function that is called while a process runs."""
    until = time.monotonic() + 600
    while not (found := happened()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.005)
    return found


def run_to_its_end(*command: str) -> "subprocess.CompletedProcess[str]":
    given = [sys.executable, *command]
    return subprocess.run(given, env=environment(), capture_output=True, text=True, timeout=600)


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
