"""Jobs of a moment, and the command line in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tinyvgg.jobs import Job, plan

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = ("literal", "contribution")


def jobs(
    faces: str, seeds: Sequence[int] = (0, 1), rules: Sequence[str] = RULES, **settings: Any
) -> list[Job]:
    settings = {"epochs": [2], **settings}
    return plan("smoke", faces, ["class"], seeds, settings, rules)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **more}


def start(*command: str, **options: Any) -> "subprocess.Popen[str]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *command], env=environment(), **pipes, **options)


def sweeping(faces: str, *more: str, **options: Any) -> "subprocess.Popen[str]":
    """`tinyvgg sweep` on a folder at the smoke profile."""
    given = ["sweep", "--profile", "smoke", "--faces", faces, *more]
    return start("-m", "tinyvgg.cli", *given, **options)


def wait_for(happened: Callable[[], Any], process: "subprocess.Popen[str]") -> Any:
    """What a question says as soon as it says something, while a process runs."""
    until = time.monotonic() + 90
    while not (found := happened()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)
    return found


def said(text: str) -> list[str]:
    """Lines that are no progress bar."""
    return [line for line in text.splitlines() if line and "%|" not in line]
