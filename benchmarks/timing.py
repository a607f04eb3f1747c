"""The common parts of the benchmarks: alternating medians, the machine's limits, tables.

Torch is imported only by functions that need it: it takes memory, which some benchmarks measure.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Work = Callable[[], object]


def seconds(work: Work) -> float:
    """Return the wall time of one call, including the device's queue."""
    synchronise()
    started = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - started


def synchronise() -> None:
    """Wait until the GPU has finished its work."""
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


def medians(*works: Work, rounds: int) -> list[float]:
    """Return the median times of several functions, called once to warm up and then in turn."""
    for work in works:
        work()
    times = [[seconds(work) for work in works] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def in_a_process(what: str, **options: object) -> Any:
    """Call a function of the running benchmark in a new process, and return its result from JSON.

    Args:
        what: the function's name; the new process finds it by `answer`.
        options: options of the command line; a sequence gives several values.
    """
    command = [sys.executable, sys.argv[0], "--only", what]
    for name, value in options.items():
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        command += [f"--{name}", *map(str, several)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def answer(given: argparse.Namespace, functions: Mapping[str, Any]) -> bool:
    """Print the result of the function that ``--only`` names; return False without one."""
    if given.only:
        print(json.dumps(functions[given.only](given)))
    return bool(given.only)


def matmul_rate(device: str = "cpu", size: int = 2048, rounds: int = 5) -> float:
    """Measure the floating-point operations per second of a matrix product in single precision."""
    import torch

    a, b = (torch.rand(size, size, device=device) for _ in range(2))
    (time_taken,) = medians(lambda: a @ b, rounds=rounds)
    return 2 * size**3 / time_taken


def memory_rate(device: str = "cpu", megabytes: int = 512, rounds: int = 5) -> float:
    """Measure the bytes per second that a copy too large for the caches reads and writes."""
    import torch

    source = torch.zeros(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    (time_taken,) = medians(lambda: target.copy_(source), rounds=rounds)
    return 2 * source.nbytes / time_taken


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, with all columns but the first aligned to the right."""
    marks = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, marks, *rows))
