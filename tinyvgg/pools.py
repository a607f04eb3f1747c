"""Who does the jobs of a sweep: processes of this machine, or a Dask cluster.

Both are a `concurrent.futures.Executor`, and both give a job whose worker died to another one.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Event, RLock, Thread
from typing import ParamSpec, TypeVar

from tinyvgg.errors import UserError
from tinyvgg.extras import need
from tinyvgg.processes import cores

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
    return max(1, cores() // 2)


@contextmanager
def processes(workers: int | None = None, threads: int | None = None) -> Iterator[Executor]:
    """A pool of processes; an error or an interruption ends them at once.

    Args:
        workers: how many; None for `usual_workers`.
        threads: of torch in each; None to share the cores.
    """
    count = usual_workers() if workers is None else workers
    pool = Pool(count, max(1, cores() // count) if threads is None else threads)
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
