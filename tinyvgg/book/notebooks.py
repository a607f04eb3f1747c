"""Notebooks: found, converted from their percent sources, and executed by papermill."""

import ast
import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import papermill
from papermill.exceptions import PapermillExecutionError

from tinyvgg import files
from tinyvgg.book.normalise import normalise, write_notebook
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_one_of
from tinyvgg.training.settings import PROFILES

PATTERN = "[0-9][0-9]_*.py"
PARAMETERS = re.compile(r'(?ms)^# %%[^\n]*tags=\[[^\]\n]*"parameters".*?(?=^# %%|\Z)')
"""The cell with a notebook's parameters."""
DECIDING = ("numpy", "torch", "matplotlib", "pandas", "papermill", "ipywidgets")
"""Libraries that a notebook's result depends on."""


def source_folder() -> Path:
    """Return the folder of the sources: in the checkout, or where the package put them."""
    folder = files.project() / "notebooks"
    return folder if folder.is_dir() else Path(sys.prefix) / "share" / "tinyvgg" / "notebooks"


def sources() -> list[Path]:
    """Return all chapters' sources, in the order of the book."""
    return sorted(source_folder().glob(PATTERN))


def find(name: str) -> Path:
    """Return the source that a number, a stem or a file name stands for."""
    stem = Path(name).stem
    for source in sources():
        if stem == source.stem or (stem.isdigit() and int(stem) == int(source.stem[:2])):
            return source
    names = ", ".join(source.stem for source in sources()) or "none; they are in a checkout"
    raise UserError(f"notebook {name!r} is not one of {names}")


def defaults(source: Path) -> dict[str, Any]:
    """Return a notebook's parameters with their defaults, from its cell tagged ``parameters``."""
    cell = PARAMETERS.search(_text(source).decode())
    return {
        target.id: ast.literal_eval(line.value)
        for line in ast.parse(cell.group() if cell else "").body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def typed_parameters(source: Path, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return all parameters of a notebook: its defaults, and those typed on a command line."""
    typed = defaults(source)
    for name, value in pairs:
        check_one_of(f"{source.stem}: parameter", name, tuple(typed))
        whole = isinstance(typed[name], int)
        if whole and not value.removeprefix("-").isdecimal():
            raise UserError(f"{name} {value!r} is not a whole number, such as {typed[name]}")
        typed[name] = int(value) if whole else value
    return typed


def trains(source: Path) -> bool:
    """Whether a notebook asks for trained networks: they are then trained before it starts."""
    return ".run(" in source.read_text("utf-8")


def source_digest(source: Path) -> str:
    """Return the hash of a notebook's source, the same whatever its line ends."""
    return hashlib.sha256(_text(source)).hexdigest()


def package_digest() -> str:
    """Return a hash of everything else that a notebook's result may depend on.

    That is the packages, the reports in ``results`` that notebooks read, and libraries.
    """
    root = Path(__file__).resolve().parents[2]
    read = [path for path in files.results().glob("*.json") if path.stem not in PROFILES]
    for package in ("synthfaces", "tinyvgg"):
        read += (root / package).rglob("*.*")
    digest = hashlib.sha256()
    for path in sorted(read):
        if path.suffix in (".py", ".toml", ".json", ".j2", ".js") and path.is_file():
            digest.update(b"\0".join([path.name.encode(), _text(path), b""]))
    for name in DECIDING:
        digest.update(f"{name}=={version(name)}\0".encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def folder() -> Path:
    """Return the folder of converted notebooks, ready for papermill and JupyterLab."""
    return files.build() / "notebooks"


def executed_path(source: Path, parameters: Mapping[str, Any]) -> Path:
    """Return where the result of a single notebook goes unless the user says otherwise."""
    return files.build() / "executed" / slug(parameters) / f"{source.stem}.ipynb"


def slug(parameters: Mapping[str, Any]) -> str:
    """Return a folder name for parameters: readable, and different for different ones."""
    return "-".join(_word(str(value)) for value in parameters.values())


def _word(value: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", value.rsplit("/", 1)[-1]).strip("_")
    return plain if plain == value else f"{plain}_{hashlib.sha256(value.encode()).hexdigest()[:6]}"


def shown(path: Path) -> str:
    """Return a path as messages show it: relative to the working folder where it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def convert(source: Path, folder: Path) -> Path:
    """Write a source as a notebook that papermill and JupyterLab open, and return its path."""
    notebook = jupytext.read(source)
    notebook.metadata.pop("jupytext", None)
    target = folder / f"{source.stem}.ipynb"
    write_notebook(normalise(notebook), target)
    return target


def execute(
    source: Path,
    converted: Path,
    target: Path,
    parameters: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
    progress: str | None = None,
) -> None:
    """Run a notebook and write the result, normalised, once it is complete."""
    known = defaults(source)
    changed = {name: value for name, value in parameters.items() if value != known[name]}
    failed = target.with_name(f"failed-{target.name}")
    failed.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    running = target.with_name(f".{target.stem}.{os.getpid()}.ipynb")
    try:
        done = papermill.execute_notebook(
            str(converted),
            str(running),
            changed,
            cwd=str(converted.parent),
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=40"],
            progress_bar={"desc": progress, "leave": False} if progress else False,
        )
        facts = {"source_sha256": source_digest(source), **parameters, **(about or {})}
        done.metadata["tinyvgg"] = facts
        write_notebook(normalise(done), target)
    except PapermillExecutionError as error:
        if error.ename == "UserError":
            raise UserError(error.evalue) from error
        os.replace(running, failed)
        reason = f"{error.ename}: {error.evalue}".splitlines()[0]
        raise UserError(
            f"notebook {source.stem} failed in cell {error.exec_count} with {reason}; "
            f"see {shown(failed)}"
        ) from error
    finally:
        running.unlink(missing_ok=True)


def facts(executed: Path) -> dict[str, Any]:
    """Return the facts that `execute` wrote into its result; nothing where there is none."""
    try:
        return dict(json.loads(executed.read_text("utf-8"))["metadata"]["tinyvgg"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
