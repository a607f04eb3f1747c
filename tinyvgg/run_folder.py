"""The folder of a trained network: its files, each whole or absent, and a manifest written last."""

import errno
import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

import tinyvgg
from tinyvgg import paths
from tinyvgg.errors import UserError

FORMAT = 2
"""Version of the folder; one of another is refused."""
MANIFEST = "manifest.json"
CONFIGURATION = "config.json"
HISTORY = "history.csv"
GRADIENTS = "gradients.csv"
TIMINGS = "timings.csv"
WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.npz"
LOCK = ".lock"
FILES = (
    MANIFEST,
    CONFIGURATION,
    HISTORY,
    GRADIENTS,
    TIMINGS,
    WEIGHTS,
    PREDICTIONS,
    LOCK,
)
"""What a run writes, besides its checkpoints."""
WAY_OUT = "remove the folder to train again, or set TINYVGG_HOME to another"

_NOT_WRITABLE = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)

Writers = Mapping[str, Callable[[Path], object]]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in one line that a run's folder cannot be written.

    Raises:
        UserError: a permission, the disk's space or the folder itself is missing.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise UserError(
            f"run folder {str(folder)!r} cannot be written ({error.strerror}); make room for it,"
            " or set TINYVGG_HOME to a folder that can"
        ) from None


def held(folder: Path, wait: bool = True) -> AbstractContextManager[object]:
    """Take a run's lock, which whoever trains or removes it holds; a context that gives it back.

    Where the folder is removed meanwhile it is made anew: its lock belongs to nobody then.

    Raises:
        Timeout: another process has it, and waiting was not asked for.
    """
    lock = FileLock(folder / LOCK)
    while True:
        try:
            return lock.acquire(timeout=-1 if wait else 0)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)


def is_complete(folder: Path) -> bool:
    """Whether a run came to its end here."""
    return (folder / MANIFEST).exists()


def write(folder: Path, writers: Writers, facts: Mapping[str, Any]) -> None:
    """Write the files of a run, then its manifest with their hashes.

    Args:
        folder: where they belong.
        writers: for each name a function that writes to the path it is given.
        facts: what the manifest says besides versions and hashes.
    """
    for name, write_one in writers.items():
        paths.write_whole(folder / name, write_one)
    manifest = {
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
        **facts,
        "bytes": {name: (folder / name).stat().st_size for name in writers},
        "sha256": {name: sha256(folder / name) for name in writers},
    }
    paths.write_whole(folder / MANIFEST, lambda to: to.write_text(as_json(manifest)))


def inspect(folder: Path, hashes: bool = True) -> tuple[Mapping[str, Any], str]:
    """The manifest of a run that came to its end, and what is wrong with its folder.

    Args:
        folder: of the run.
        hashes: whether to read the files, too, and not only look at their sizes.

    Returns:
        The manifest, empty where it cannot be read, and a predicate such as "is of format 1, this
        version reads 2"; nothing for a folder that is whole.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        found, expected = manifest["format"], manifest["sha256"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, "has no readable manifest"
    if found != FORMAT:
        return manifest, f"is of format {found}, this version reads {FORMAT}"
    sizes = manifest.get("bytes", {})
    for name, digest in expected:
        path = folder / name
        whole = path.is_file() and path.stat().st_size == sizes.get(name, path.stat().st_size)
        if not whole or (hashes and sha256(path) != digest):
            return manifest, f"has a damaged {name}, or none"
    return manifest, ""


def read_manifest(folder: Path, files: bool = True) -> Mapping[str, Any]:
    """The manifest of a complete run.

    Args:
        folder: of the run.
        files: whether to check the hashes of the files, too.

    Raises:
        UserError: it is missing or damaged, of another version, or a file is not what it was.
    """
    manifest, fault = inspect(folder, files)
    if fault:
        raise UserError(f"run folder {str(folder)!r} {fault}; {WAY_OUT}")
    return manifest


def as_json(content: Mapping[str, Any]) -> str:
    """Plain data, an entry a line."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def sha256(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
