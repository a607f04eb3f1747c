"""Paths of the project and of what it makes, and files that are written whole or not at all."""

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tinyvgg.errors import UserError

REPORT = "tinyvgg report"
"""The kind of the pages about a whole set."""
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.\w+")


def project() -> Path:
    """Return the checkout that this package runs from, else the working folder."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def results() -> Path:
    """Return the folder of committed records and of the reports of maintainers' tools."""
    return project() / "results"


def measured(name: str) -> Any:
    """Return the `report` that a maintainer's tool wrote to ``results/NAME.json``."""
    return report(results() / f"{name}.json")


def report(path: Path) -> Any:
    """Return a committed report.

    Raises:
        UserError: if it is missing or damaged.
    """
    content = plain(path)
    if not content:
        way_out = "run in a checkout, and 'git checkout results' there"
        raise UserError(f"report {str(path)!r} is missing or damaged: {way_out}")
    return content


def plain(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def seal(content: Mapping[str, Any]) -> str:
    """Return a digest of plain data, which changes with any bit of it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data as JSON, with a seal for `sealed`."""
    plain = json.loads(json.dumps(content))  # as it will be read
    write_json(path, {**plain, "seal": seal(plain)})


def sealed(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file without its ``seal``; an empty one if that does not fit."""
    content = plain(path)
    kept = content.pop("seal", None)
    return content if kept == seal(content) else {}


def home() -> Path:
    """Return the folder for everything that is made: ``TINYVGG_HOME``, or the project."""
    chosen = os.environ.get("TINYVGG_HOME")
    return Path(chosen).expanduser().resolve() if chosen else project()


def runs() -> Path:
    """Return the folder of trained networks."""
    return home() / "runs"


def build() -> Path:
    """Return the folder for everything else that is made."""
    return home() / "build"


def faces_cache() -> Path:
    """Return the folder of rendered and decoded images."""
    return build() / "faces"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and move it into place once it is complete.

    Args:
        path: path of the file; its folder is made if it is missing.
        write: a function of the temporary path, which has the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, with the same line ends on every system."""
    write_whole(path, lambda to: to.write_text(text, "utf-8", newline="\n"))


def write_json(path: Path, content: Mapping[str, Any], sort_keys: bool = False) -> None:
    """Write plain data as JSON, an entry a line, whole or not at all."""
    write_text(path, as_json(content, sort_keys))


def as_json(content: Mapping[str, Any], sort_keys: bool = False) -> str:
    """Return plain data as text, an entry a line."""
    return json.dumps(content, indent=1, sort_keys=sort_keys, ensure_ascii=False) + "\n"


def check_page(page: Path, kind: str) -> None:
    """Refuse a path that no page of a kind can be written to, with its facts as JSON beside it."""
    if page.suffix.lower() != ".html":
        raise UserError(f"output {str(page)!r} does not end in .html, such as page.html")
    facts = page.with_suffix(".json")
    taken = page.exists() or facts.exists()
    if page.is_dir() or (taken and plain(facts).get("kind") != kind):
        raise UserError(
            f"output {str(page)!r} or {facts.name!r} beside it is something else than a {kind};"
            " name another file"
        )


def write_page(page: Path, html: str, facts: str) -> None:
    """Write a page, and its facts as JSON beside it."""
    try:
        write_text(page.with_suffix(".json"), facts)
        write_text(page, html)
    except OSError as error:
        said = f"output {str(page)!r} cannot be written ({error.strerror}); name another file"
        raise UserError(said) from None


def write_folder_whole(folder: Path, write: Callable[[Path], object]) -> None:
    """Write a folder under a temporary name and move it into place once it is complete.

    An existing folder is replaced; the caller knows whether it may be.

    Args:
        folder: path of the folder; its parent is made if it is missing.
        write: a function of a new, empty folder.
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
