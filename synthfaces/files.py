"""Files written whole or not at all."""

import os
import re
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
"""The errors that reading a missing, cut or altered archive raises."""


_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.\w+")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and move it into place once it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_whole` left in a folder when its process was killed."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
