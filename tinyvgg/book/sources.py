"""The notebooks' sources: where they are, their names, and what their results depend on."""

import hashlib
import platform
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from tinyvgg import paths
from tinyvgg.errors import UserError

PATTERN = "[0-9][0-9]_*.py"
DECIDING = ("numpy", "torch", "matplotlib", "pandas", "papermill", "ipywidgets")


def folder() -> Path:
    """Where the sources are."""
    return paths.project() / "notebooks"


def sources() -> list[Path]:
    """All notebooks' sources, in the order of the book."""
    return sorted(folder().glob(PATTERN))


def find(name: str) -> Path:
    """The source that a name means: its number, its stem, or its file name.

    Raises:
        UserError: if there is none; lists those there are.
    """
    stem = Path(name).stem
    known = sources()
    for source in known:
        if stem == source.stem or (stem.isdigit() and int(stem) == int(source.stem[:2])):
            return source
    names = ", ".join(source.stem for source in known) or f"none in {folder()}"
    raise UserError(f"notebook {name!r} is not one of {names}")


def trains(source: Path) -> bool:
    """Whether a notebook asks for trained networks: they are then made ready before it starts."""
    return bool(re.search(r"\.run\(", source.read_text("utf-8")))


def source_digest(source: Path) -> str:
    """Hash of a notebook's source, the same whatever the line ends."""
    return hashlib.sha256(_text(source)).hexdigest()


def package_digest() -> str:
    """Hash of everything a notebook's result may depend on beside its source and parameters."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in _files(package):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + _text(path) + b"\0")
    for name in DECIDING:
        digest.update(f"{name}=={version(name)}\0".encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()


def _files(package: Path) -> Iterable[Path]:
    return sorted(
        path
        for path in package.rglob("*")
        if path.suffix in (".py", ".toml", ".json") and "__pycache__" not in path.parts
    )


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")
