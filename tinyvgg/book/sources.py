"""The notebooks' sources: where they are, their names, and what their results depend on.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

import ast
import hashlib
import platform
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from tinyvgg import paths
from tinyvgg.errors import UserError
from tinyvgg.parameters import Parameters, parse
from tinyvgg.profiles import PROFILES

PATTERN = "[0-9][0-9]_*.py"
PARAMETERS = re.compile(r'(?ms)^# %%[^\n]*tags=\[[^\]\n]*"parameters".*?(?=^# %%|\Z)')
"""The cell with a notebook's parameters."""
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


def defaults(source: Path) -> Parameters:
    """A notebook's parameters and their default values, from its cell tagged ``parameters``."""
    cell = PARAMETERS.search(_text(source).decode())
    return {
        target.id: ast.literal_eval(line.value)
        for line in ast.parse(cell.group() if cell else "").body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def typed_parameters(source: Path, pairs: Iterable[tuple[str, str]]) -> Parameters:
    """All parameters of a notebook: its defaults, and those typed on a command line.

    Raises:
        UserError: see `tinyvgg.parameters.parse`.
    """
    known = defaults(source)
    return {**known, **parse(pairs, known, source.stem)}


def trains(source: Path) -> bool:
    """Whether a notebook asks for trained networks: they are then made ready before it starts."""
    return bool(re.search(r"\.run\(", source.read_text("utf-8")))


def source_digest(source: Path) -> str:
    """Hash of a notebook's source, the same whatever the line ends."""
    return hashlib.sha256(_text(source)).hexdigest()


def package_digest() -> str:
    """Hash of everything a notebook's result may depend on beside its source and parameters.

    That is the package, the reports that maintainers' tools leave in ``results``, and libraries.
    """
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in _files(package):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + _text(path) + b"\0")
    for path in _reports():
        digest.update(f"results/{path.name}".encode() + b"\0" + _text(path) + b"\0")
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


def _reports() -> Iterable[Path]:
    """Those in ``results`` that notebooks read; what is recorded of them is named by a profile."""
    return sorted(path for path in paths.results().glob("*.json") if path.stem not in PROFILES)


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")
