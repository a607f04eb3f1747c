"""Test processes, forked from one that has imported torch: each import would take seconds."""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver, get_context
from pathlib import Path
from typing import Any

import pytest

from tinyvgg import cli

PRELOADED = [
    "pytest",
    "torch._dynamo",
    "torch.distributed.run",
    "lightning_fabric",
    "tests.helpers.small_jobs",
    "tests.helpers.children",
    "tests.helpers.together",
]
NO_MOUNTS = 9


class Child(get_context("forkserver").Process):  # type: ignore[misc, name-defined]
    """A function in a process of its own, whose output goes to two files."""

    def __init__(
        self, log: Path, function: Callable[..., Any], *arguments: Any, **environment: str
    ) -> None:
        super().__init__()
        self.log, self.function, self.arguments = log, function, arguments
        path = os.pathsep.join(sys.path)
        self.environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}

    def run(self) -> None:
        """Call the function there."""
        os.setsid()
        os.environ.update(self.environment)
        for number, kind in ((1, ".out"), (2, ".err")):
            flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND
            os.dup2(os.open(self.log.with_suffix(kind), flags), number)
        sys.exit(self.function(*self.arguments))

    @property
    def out(self) -> str:
        return self._wrote(".out")

    @property
    def said(self) -> str:
        return self._wrote(".err")

    def _wrote(self, kind: str) -> str:
        path = self.log.with_suffix(kind)
        return path.read_text() if path.exists() else ""

    def end(self) -> int | None:
        """Wait for the end, and return the exit status."""
        self.join(600)
        return self.exitcode


def ready() -> None:
    """Start the process that others are forked from, unless it runs."""
    forkserver.set_forkserver_preload(PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("OMP_NUM_THREADS", "1")
        forkserver.ensure_running()


def begin(log: Path, function: Callable[..., Any], *arguments: Any, **environment: str) -> Child:
    """Start a process, which the fixture `no_process_is_left` ends if it outlives its test."""
    ready()
    child = Child(log, function, *arguments, **environment)
    child.start()
    return child


def pair(folder: Path, function: Callable[..., Any], *arguments: Any, **more: str) -> list[Child]:
    """Start two processes as torchrun does."""
    ranks = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "a test"}
    ranks |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), **more}
    return [
        begin(folder / f"process-{rank}", function, *arguments, RANK=rank, LOCAL_RANK=rank, **ranks)
        for rank in ("0", "1")
    ]


def torchrun(log: Path, *command: str, **environment: str) -> Child:
    """Run torchrun itself, with two processes that import everything, to its end."""
    from torch.distributed.run import main

    given = ["--standalone", "--nproc-per-node", "2", *command]
    child = begin(log, main, given, **environment)
    child.end()
    return child


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(happened: Callable[[], Any], *running: Child) -> Any:
    """Return the first true answer of a function that is asked while processes run."""
    until = time.monotonic() + 600
    while not (found := happened()):
        for child in running:
            assert child.is_alive(), child.said
        assert time.monotonic() < until
        time.sleep(0.002)
    return found


def stamp(path: Path) -> int:
    """Return the time of a file's last change; 0 where there is no file."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def on_a_disk(folder: Path, *steps: tuple[str, list[str]]) -> int:
    """Run commands on a private disk, and copy its files after each.

    Each step has the options that the disk is mounted with, ``size=20m`` or ``ro``, and a command.
    """
    maps = {"setgroups": "deny", "uid_map": f"0 {os.getuid()} 1", "gid_map": f"0 {os.getgid()} 1"}
    new_user_and_mounts = 0x10020000
    if ctypes.CDLL(None).unshare(new_user_and_mounts):
        return NO_MOUNTS
    for name, content in maps.items():
        Path("/proc/self", name).write_text(content)
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=False).returncode:
        return NO_MOUNTS
    for number, (options, command) in enumerate(steps):
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
        print("status", cli.main(command))
        shutil.copytree(folder, folder.with_name(f"{folder.name}-{number}"))
    return 0
