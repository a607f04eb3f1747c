"""The site: a copy of the book's pages with fresh notebooks, built, and complete by itself."""

import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from tinyvgg import paths
from tinyvgg.errors import UserError

SETTINGS = ("_config.yml", "_toc.yml")
NOT_COPIED = ("_build", "notebooks", "generated", *SETTINGS)
GLUE = re.compile(r"\{glue:text\}`([^`:]+)::([^`:]+)(?::[^`]*)?`")
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
MISSING = "n/a"
LOADED = re.compile(
    r"<script\b[^>]*\bsrc=[\"'](?:https?:)?//[^\"']+|<link\b(?=[^>]*\brel=[\"']stylesheet[\"'])"
    r"[^>]*\bhref=[\"'](?:https?:)?//[^\"']+",
    re.IGNORECASE,
)


def pages() -> Path:
    """The book as it is committed."""
    return paths.project() / "book"


def copy_pages(target: Path, notebooks: Iterable[Path], known: Collection[str]) -> None:
    """Copy the book's pages with other notebooks, leaving the committed ones alone.

    Args:
        target: made anew.
        notebooks: executed ones.
        known: keys that they recorded; a page that shows another shows "n/a" instead.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(pages(), target, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in SETTINGS:
        shutil.copyfile(paths.project() / name, target / name)
    for page in target.glob("*.md"):
        page.write_text(without_missing(page.read_text("utf-8"), known), encoding="utf-8")
    (target / "notebooks").mkdir()
    for notebook in notebooks:
        shutil.copyfile(notebook, target / "notebooks" / notebook.name)


def without_missing(page: str, known: Collection[str]) -> str:
    """A page whose glued numbers are all there; the others become "n/a"."""
    return GLUE.sub(lambda found: found[0] if found[2] in known else MISSING, page)


def build(book: Path, target: Path, strict: bool) -> Path:
    """Build a site with Jupyter Book; what it says goes to ``target/build.log``.

    Args:
        book: folder of the pages, ``_config.yml`` and ``_toc.yml``.
        target: the site is in ``target/_build/html``.
        strict: warnings are errors.

    Returns:
        The path of the site's first page.

    Raises:
        UserError: the build failed, or the site needs a network.
    """
    target.mkdir(parents=True, exist_ok=True)
    log = target / "build.log"
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(book)]
    command += ["--all", "--path-output", str(target)]
    command += ["-W", "-n", "--keep-going"] if strict else []
    with log.open("w", encoding="utf-8") as output:
        ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    text = log.read_text("utf-8")
    if ended.returncode:
        raise UserError(f"the site was not built: {_reason(text)}; see {log}")
    html = target / "_build" / "html"
    faults = needs_network(html)
    if faults:
        raise UserError(f"the site is not complete by itself: {faults[0]}")
    return html / "index.html"


def needs_network(html: Path) -> list[str]:
    """Scripts and style sheets that pages of a site load from elsewhere, with the page."""
    return [
        f"{page.relative_to(html)} loads {found}"
        for page in sorted(html.rglob("*.html"))
        for found in LOADED.findall(page.read_text("utf-8"))
    ]


def _reason(log: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    complaints = re.findall(r".*(?:WARNING|ERROR|Error|error:).*", plain)
    return (complaints or plain.strip().splitlines() or ["no message"])[0].strip()
