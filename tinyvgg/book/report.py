"""The report of a whole set: one notebook, run by papermill and exported as one page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbconvert import HTMLExporter

import tinyvgg
from tinyvgg import files
from tinyvgg.book import notebooks
from tinyvgg.book.records import read_notebook
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import named, terms_of
from tinyvgg.training.experiments import open_study

TEMPLATES = Path(__file__).parent / "templates"


def report(
    page: Path, tasks: Sequence[str], settings: Mapping[str, Any], **study: Any
) -> tuple[Path, Path]:
    """Train where nothing is trained yet, run the report's notebook, and export it."""
    check_place(page)
    opened = open_study(**study, settings=settings)
    for task in tasks or opened.tasks:
        opened.run(task)
    source = notebooks.source_folder() / "report.py"
    with TemporaryDirectory() as folder:
        executed, numbers = Path(folder) / "executed.ipynb", Path(folder) / "numbers.json"
        asked = {"tasks": list(tasks), "settings": dict(settings), "numbers": str(numbers)}
        converted = notebooks.convert(source, Path(folder))
        notebooks.execute(source, converted, executed, {**study, **asked}, progress="reporting")
        html = export(executed, **study)
        beside = page.with_suffix(".json")
        try:
            files.write_whole(beside, lambda to: to.write_bytes(numbers.read_bytes()))
            files.write_text(page, html)
        except OSError as error:
            said = f"output {str(page)!r} cannot be written ({error.strerror}); name another file"
            raise UserError(said) from None
    return page, beside


def export(executed: Path, profile: str, faces: str, seed: int) -> str:
    """Return an executed report as one page that loads nothing from anywhere."""
    exporter = HTMLExporter(
        template_name="report", extra_template_basedirs=[str(TEMPLATES)], exclude_input=True
    )
    about = {
        "title": f"Report: {named(faces)}",
        "notice": terms_of(faces).notice,
        "made": f"Made by tinyvgg {tinyvgg.__version__}, profile {profile}, seed {seed}.",
    }
    return str(exporter.from_notebook_node(read_notebook(executed), resources={"report": about})[0])


def check_place(page: Path) -> None:
    """Refuse a path that no report can be written to, before any work is done."""
    if page.suffix.lower() != ".html":
        raise UserError(f"output {str(page)!r} does not end in .html, such as report.html")
    numbers = page.with_suffix(".json")
    taken = page.exists() or numbers.exists()
    if page.is_dir() or (taken and not _is_report(numbers)):
        raise UserError(
            f"output {str(page)!r} or {numbers.name!r} beside it is something else than a report;"
            " name another file"
        )


def _is_report(numbers: Path) -> bool:
    try:
        found = json.loads(numbers.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == "tinyvgg report"
