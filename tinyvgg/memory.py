"""How much memory there is."""

import os
import re
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/memory.max")
_TABLE = Path("/proc/meminfo")


def available() -> float:
    """Bytes that could be taken now without swapping; infinite where the system does not tell."""
    return min(_available(), _allowed())


def _available() -> float:
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", _TABLE.read_text("ascii"))
    except OSError:
        found = None
    return 1024.0 * int(found[1]) if found else _installed()


def _installed() -> float:
    """All memory of the machine, where what is left of it is not known."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _allowed() -> float:
    """What a container may take."""
    try:
        return float(_LIMIT.read_text("ascii"))
    except (OSError, ValueError):
        return float("inf")
