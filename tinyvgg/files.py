"""Where things lie: the project, what is made, and how a file is written whole or not at all."""

import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.\w+")


def project() -> Path:
    """The checkout this package runs from; the working folder where it is installed without one."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def results() -> Path:
    """Committed records, and the reports that maintainers' tools leave."""
    return project() / "results"


def home() -> Path:
    """Where everything that is made goes: ``TINYVGG_HOME``, or the project."""
    chosen = os.environ.get("TINYVGG_HOME")
    return Path(chosen).expanduser().resolve() if chosen else project()


def runs() -> Path:
    """Trained networks."""
    return home() / "runs"


def build() -> Path:
    """Everything else that is made."""
    return home() / "build"


def faces_cache() -> Path:
    """Rendered and decoded images."""
    return build() / "faces"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and move it into place once it is complete.

    Args:
        path: where the file belongs; its folder is made if it is missing.
        write: called with the temporary path, which ends in the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_folder_whole(folder: Path, write: Callable[[Path], object]) -> None:
    """Write a folder under a temporary name and move it into place once it is complete.

    A folder that is there already is replaced: whether it may be is for the caller to know.

    Args:
        folder: where it belongs; the one above is made if it is missing.
        write: called with a new, empty folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (
        folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.{what}") for what in ("new", "old")
    )
    temporary.mkdir()
    try:
        write(temporary)
        if folder.exists():
            os.replace(folder, old)
        os.replace(temporary, folder)
    except BaseException:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_whole` left in a folder when its process was killed."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
