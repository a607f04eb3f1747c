"""The site: a copy of the book's pages with fresh notebooks, built, and complete by itself."""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import yaml

from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import OPTIONS, named, terms_of

SETTINGS = ("_config.yml", "_toc.yml")
NOT_COPIED = ("_build", "notebooks", "generated", *SETTINGS)
GLUE = re.compile(r"\{glue:text\}`[^`:]+::([^`:]+)(?::[^`]*)?`")
"""A number that a page shows; finds its key."""
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
LOADED = re.compile(
    r"<script\b[^>]*\bsrc=[\"'](?:https?:)?//[^\"']+|<link\b(?=[^>]*\brel=[\"']stylesheet[\"'])"
    r"[^>]*\bhref=[\"'](?:https?:)?//[^\"']+",
    re.IGNORECASE,
)


def pages() -> Path:
    """The book as it is committed."""
    return paths.project() / "book"


def copy_pages(target: Path, notebooks: Iterable[Path]) -> None:
    """Copy the book's pages with other notebooks, leaving the committed ones alone.

    Args:
        target: made anew.
        notebooks: executed ones.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(pages(), target, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in SETTINGS:
        shutil.copyfile(paths.project() / name, target / name)
    (target / "notebooks").mkdir()
    for notebook in notebooks:
        shutil.copyfile(notebook, target / "notebooks" / notebook.name)


def sign(book: Path, profile: str, faces: str) -> None:
    """Let a copy of the book say what it was made with: in its footer, and where pages ask.

    Args:
        book: as `copy_pages` made it.
        profile: of the run that it shows.
        faces: of that run, as they were asked for.
    """
    path = book / "_config.yml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    settings["html"]["extra_footer"] = footer(faces)
    settings["parse"]["myst_substitutions"] = substitutions(profile, faces)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def footer(faces: str) -> str:
    """Whose faces a site shows, and what has to be said of them."""
    kind, _, name = named(faces).partition(":")
    if kind in OPTIONS:
        whose = f"those of the folder {html.escape(name)}"
    else:
        whose = f"{kind} ({html.escape(name)})" if name else kind
    said = f"The faces shown are {whose} unless a page says otherwise."
    return f"{said} {html.escape(terms_of(faces).notice)}".strip()


def substitutions(profile: str, faces: str) -> dict[str, str]:
    """What pages can show of the run that a site was made from, as in ``{{ profile }}``."""
    return {"profile": f"`{profile}`", "faces": f"`{named(faces)}`"}


def fit(book: Path, known: Collection[str], instead: str) -> None:
    """Let a copy of the book show no number that its notebooks did not record.

    Args:
        book: as `copy_pages` made it.
        known: the keys that they recorded.
        instead: text for a section that shows others.
    """
    for page in book.glob("*.md"):
        text = page.read_text("utf-8")
        page.write_text(without_missing(text, known, instead), encoding="utf-8")


def without_missing(page: str, known: Collection[str], instead: str) -> str:
    """A page with another text, under the same title, for each section that lacks a number."""
    return "".join(
        section if set(GLUE.findall(section)) <= set(known) else _retold(section, instead)
        for section in re.split(r"(?m)^(?=## )", page)
    )


def _retold(section: str, instead: str) -> str:
    title = section.partition("\n")[0]
    return f"{title}\n\n{instead.strip()}\n\n"


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
    built = target / "_build" / "html"
    faults = needs_network(built)
    if faults:
        raise UserError(f"the site is not complete by itself: {faults[0]}")
    return built / "index.html"


def needs_network(site: Path) -> list[str]:
    """Scripts and style sheets that pages of a site load from elsewhere, with the page."""
    return [
        f"{page.relative_to(site)} loads {found}"
        for page in sorted(site.rglob("*.html"))
        for found in LOADED.findall(page.read_text("utf-8"))
    ]


def _reason(log: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    complaints = re.findall(r".*(?:WARNING|ERROR|Error|error:).*", plain)
    return (complaints or plain.strip().splitlines() or ["no message"])[0].strip()
