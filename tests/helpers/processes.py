"""Two processes under torchrun, on the processor, with a free port."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def start(*command: object, home: Path | None = None) -> "subprocess.Popen[str]":
    """Start a script with its arguments, or ``-m``, a module and its arguments."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    more = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    if home:
        more["TINYVGG_HOME"] = str(home)
    return subprocess.Popen(
        [sys.executable, *launcher, *map(str, command)],
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def torchrun(*command: object, home: Path | None = None) -> tuple[int, str, str]:
    """Return exit status, stdout and stderr, once all processes have ended."""
    started = start(*command, home=home)
    try:
        out, said = started.communicate(timeout=600)
    finally:
        started.kill()
    return started.returncode, out, said


def stamp(path: Path) -> int:
    """Return when a file was changed; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
