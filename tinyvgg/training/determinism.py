"""The same numbers for the same seed, and memory that is not handed back at every step."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def repeatable(precision: str) -> Iterator[None]:
    """Deterministic kernels, the precision asked for, and global generators left as they were.

    Args:
        precision: as `tinyvgg.settings.Recipe` names it.
    """
    _keep_freed_memory()
    os.environ.setdefault(CUBLAS, ":4096:8")  # read when CUDA's linear algebra starts
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    few = precision == "tf32"
    products = torch.backends.cuda.matmul.allow_tf32
    with (
        torch.random.fork_rng(devices=gpus),
        torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=few),
    ):
        torch.backends.cuda.matmul.allow_tf32 = few
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = products


def seed_step(seed: int, epoch: int, step: int, rank: int) -> None:
    """Seed what dropout draws from: it follows from the step's place, whatever ran before."""
    state = np.random.SeedSequence([seed, epoch, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) >> 1)


def _keep_freed_memory() -> None:
    """Ask glibc not to give freed blocks back to the kernel at each step.

    The page faults cost a third of the training time on the CPU. Elsewhere this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    try:
        allocator = ctypes.CDLL(None)
        allocator.mallopt(mmap_max, 0)
        allocator.mallopt(trim_threshold, 2**31 - 1)
        allocator.mallopt(top_pad, 2**26)
    except (OSError, AttributeError):
        return
