"""One notebook: converted, executed, and written whole or not at all."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
import papermill
from papermill.exceptions import PapermillExecutionError

from tinyvgg import paths
from tinyvgg.book import sources
from tinyvgg.book.normalise import normalise, write
from tinyvgg.errors import UserError
from tinyvgg.parameters import Parameters


def folder() -> Path:
    """Where converted notebooks lie, ready for papermill and JupyterLab."""
    return paths.build() / "notebooks"


def executed_path(source: Path, parameters: Mapping[str, Any]) -> Path:
    """Where the result of a single notebook goes unless the user says otherwise."""
    return paths.build() / "executed" / slug(parameters) / f"{source.stem}.ipynb"


def convert(source: Path, folder: Path) -> Path:
    """Write a percent source as a notebook that papermill and JupyterLab open; returns its path."""
    notebook = jupytext.read(source)
    notebook.metadata.pop("jupytext", None)
    target = folder / f"{source.stem}.ipynb"
    write(normalise(notebook), target)
    return target


def convert_all(folder: Path) -> list[Path]:
    """Every source as a notebook in `folder`."""
    return [convert(source, folder) for source in sources.sources()]


def slug(parameters: Mapping[str, Any]) -> str:
    """A folder name for a set of parameters: readable, and different for different ones."""
    return "-".join(_word(str(value)) for value in parameters.values())


def execute(
    source: Path,
    converted: Path,
    target: Path,
    parameters: Parameters,
    about: Mapping[str, Any] | None = None,
    progress: str | None = None,
) -> None:
    """Run a notebook and write the result, normalised, once it is complete.

    Args:
        source: the percent source, whose hash the result carries.
        converted: what `convert` made of it.
        target: where the result goes; of a failed run nothing is left there.
        parameters: all of them. Only those that differ from the defaults are injected, so that
            a run with the defaults reads like the source.
        about: further facts for the result's metadata.
        progress: label of a progress bar over the cells; None for no bar.

    Raises:
        UserError: bad input that the notebook met, in its own words, or a cell that failed; then
            the notebook up to there is beside `target`, as ``failed-NAME``.
    """
    known = sources.defaults(source)
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
        facts = {"source_sha256": sources.source_digest(source), **parameters, **(about or {})}
        done.metadata["tinyvgg"] = facts
        write(normalise(done), target)
    except PapermillExecutionError as error:
        raise _failure(error, source, running, failed) from error
    finally:
        running.unlink(missing_ok=True)


def facts(executed: Path) -> dict[str, Any]:
    """What `execute` wrote about a run into its result; nothing where there is no result."""
    try:
        content = json.loads(executed.read_text("utf-8"))
        return dict(content["metadata"]["tinyvgg"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _failure(
    error: PapermillExecutionError, source: Path, running: Path, failed: Path
) -> UserError:
    if error.ename == "UserError":
        return UserError(error.evalue)
    os.replace(running, failed)
    reason = f"{error.ename}: {error.evalue}".splitlines()[0]
    return UserError(
        f"notebook {source.stem} failed in cell {error.exec_count} with {reason}; "
        f"see {shown(failed)}"
    )


def shown(path: Path) -> str:
    """A path as messages show it: relative to the working folder where it lies below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _word(value: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", value.rsplit("/", 1)[-1]).strip("_")
    return plain if plain == value else f"{plain}_{hashlib.sha256(value.encode()).hexdigest()[:6]}"
