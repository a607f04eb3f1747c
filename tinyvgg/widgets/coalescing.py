"""Work that is done once for many requests in quick succession."""

import asyncio
from collections.abc import Callable

DELAY = 0.02
"""Seconds that a request waits for the next one."""


class Later:
    """Puts work off until the requests that have come by then are all known.

    In a kernel, all that was sent while the work was done counts as one request: a slider that is
    drawn along asks for many images, and gets the last one. Without an event loop, work is done at
    once.

    Args:
        work: what is to be done.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._waiting: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """Ask for the work to be done soon, unless it will be anyway."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._work()
            return
        if self._waiting is None:
            self._waiting = loop.call_later(DELAY, self.finish)

    def finish(self) -> None:
        """Do at once what is waiting to be done, if anything is."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
            self._work()
