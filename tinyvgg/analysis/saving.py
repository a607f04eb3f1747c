"""A report on disk: a page, and its numbers beside it."""

import json
from pathlib import Path

from tinyvgg import files as paths
from tinyvgg.analysis.analyse import KIND, Analysis
from tinyvgg.documents.html import render
from tinyvgg.errors import UserError

SUFFIX = ".html"


def check_place(page: Path) -> None:
    """Refuse a path that no report can be written to, before any work is done.

    Raises:
        UserError: a name that does not end in ``.html``, or files there that are no report.
    """
    if page.suffix.lower() != SUFFIX:
        raise UserError(f"output {str(page)!r} does not end in {SUFFIX}, such as report{SUFFIX}")
    numbers = page.with_suffix(".json")
    for path in (page, numbers):
        if path.is_dir():
            raise UserError(f"output {str(path)!r} is a folder; name another file")
    if (page.exists() or numbers.exists()) and not _is_report(numbers):
        raise UserError(
            f"output {str(page)!r} or {numbers.name!r} beside it is something else than a report;"
            " name another file"
        )


def save(analysis: Analysis, page: Path) -> Path:
    """Write a report and its numbers, each whole or not at all.

    Args:
        analysis: of `analyse`.
        page: the path of the page; the numbers get its name with ``.json``.

    Returns:
        The path of the numbers.

    Raises:
        UserError: a place that cannot be written to, or that holds something else.
    """
    check_place(page)
    html = render(analysis.document)
    text = json.dumps(analysis.numbers, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    numbers = page.with_suffix(".json")
    try:
        paths.write_whole(numbers, lambda to: to.write_text(text, "utf-8"))
        paths.write_whole(page, lambda to: to.write_text(html, "utf-8"))
    except OSError as error:
        raise UserError(
            f"output {str(page)!r} cannot be written ({error.strerror}); name another file"
        ) from None
    return numbers


def _is_report(numbers: Path) -> bool:
    try:
        found = json.loads(numbers.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND
