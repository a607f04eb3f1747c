"""Child processes that start clean and do not outlive this one."""

import _thread
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

_GRACE_SECONDS = 1.0


@contextmanager
def bare_children() -> Iterator[None]:
    """Let child processes start with one thread each, and without importing the main script.

    Spawned processes import the script that was run, which would do its work again where it has no
    ``if __name__ == "__main__"``; these need nothing of it.
    """
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = {name: os.environ.get(name) for name in limits}
    main = sys.modules["__main__"]
    os.environ.update(limits)
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def leave_when_closed(listening: Connection) -> None:
    """Stop the work of this process when the other end of a pipe is closed, and end it soon after.

    Its main thread gets `SystemExit`, which lets it tidy up; Ctrl-C is for the process that holds
    the other end. That end is also closed when that process dies.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_stop_when_closed, args=(listening,), daemon=True).start()


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stop_when_closed(listening: Connection) -> None:
    try:
        listening.poll(None)
    finally:
        _thread.interrupt_main(signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os._exit(1)
