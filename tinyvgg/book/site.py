"""The site, a copy of the book's pages with fresh notebooks, and the report as a single page."""

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from nbconvert import HTMLExporter

import tinyvgg
from tinyvgg import files
from tinyvgg.book import notebooks
from tinyvgg.book.records import read_notebook
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import OPTIONS, list_photographs, named, parse_source, terms_of
from tinyvgg.training.experiments import open_study

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
TERMS = "TERMS.txt"
TEXTS = (".html", ".ipynb", ".js", ".json", ".md", ".txt")
PLAIN = ".nojekyll"  # lets a well-known host serve files as they are

TEMPLATES = Environment(
    loader=PackageLoader("tinyvgg.book"), undefined=StrictUndefined, trim_blocks=True
)


def pages() -> Path:
    """Return the folder of the book as it is committed."""
    return files.project() / "book"


def copy_pages(target: Path, executed: Iterable[Path]) -> None:
    """Copy the book's pages with other notebooks into a new folder."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(pages(), target, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in SETTINGS:
        shutil.copyfile(files.project() / name, target / name)
    (target / "notebooks").mkdir()
    for notebook in executed:
        shutil.copyfile(notebook, target / "notebooks" / notebook.name)


def sign(book: Path, profile: str, faces: str, study: Mapping[str, Any]) -> None:
    """Name the profile and the faces in the footer of a copy of the book, and where pages ask.

    The repair bench shows the networks of a study (`open_study`); those that ship if it is empty.
    """
    path = book / "_config.yml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    settings["html"]["extra_footer"] = footer(faces)
    if (source := parse_source(faces)).kind in OPTIONS:
        with suppress(UserError):  # a folder that has gone since it was read
            settings["html"]["announcement"] = html.escape(list_photographs(source).reading)
    said = {"profile": f"`{profile}`", "faces": f"`{named(faces)}`"}
    settings["parse"]["myst_substitutions"] = said
    settings.setdefault("sphinx", {}).setdefault("config", {})["repair_bench"] = dict(study)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def footer(faces: str) -> str:
    """Return the footer of a site: whose faces it shows, and the notice that they need."""
    kind, _, name = named(faces).partition(":")
    if kind in OPTIONS:
        whose = f"those of the folder {html.escape(name)}"
    else:
        whose = f"{kind} ({html.escape(name)})" if name else kind
    said = f"The faces shown are {whose} unless a page says otherwise."
    return f"{said} {html.escape(terms_of(faces).notice)}".strip()


def fit(book: Path, known: Collection[str], table: pd.DataFrame, profile: str, faces: str) -> None:
    """Show a table in place of sections of a copy of the book with numbers nobody recorded."""
    template = TEMPLATES.get_template("came_out.md.j2")
    instead = template.render(rows=table.itertuples(), profile=profile, faces=named(faces))
    for page in book.glob("*.md"):
        text = page.read_text("utf-8")
        page.write_text(without_missing(text, known, instead), encoding="utf-8")


def without_missing(page: str, known: Collection[str], instead: str) -> str:
    """Return a page with another text, under the same title, where a section lacks a number."""
    return "".join(
        section
        if set(GLUE.findall(section)) <= set(known)
        else f"{section.partition(chr(10))[0]}\n\n{instead.strip()}\n\n"
        for section in re.split(r"(?m)^(?=## )", page)
    )


def build(book: Path, target: Path, strict: bool) -> Path:
    """Build a site with Jupyter Book; its messages go to ``target/build.log``."""
    if (installed := version("jupyter-book")).partition(".")[0] != "1":
        way_out = "pip install 'jupyter-book<2'"
        raise UserError(f"Jupyter Book {installed} cannot build this book, but 1 can: {way_out}")
    target.mkdir(parents=True, exist_ok=True)
    log = target / "build.log"
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(book)]
    command += ["--all", "--path-output", str(target)]
    command += ["-W", "-n", "--keep-going"] if strict else []
    with log.open("w", encoding="utf-8") as output:
        ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text("utf-8"))
        lines = re.findall(r".*(?:WARNING|ERROR|Error|error:).*", plain) or plain.split("\n")
        raise UserError(f"the site was not built: {lines[0].strip() or 'no message'}; see {log}")
    built = target / "_build" / "html"
    if faults := needs_network(built):
        raise UserError(f"the site is not complete by itself: {faults[0]}")
    return built / "index.html"


def needs_network(site: Path) -> list[str]:
    """Return the scripts and style sheets that pages of a site load from elsewhere."""
    return [
        f"{page.relative_to(site)} loads {found}"
        for page in sorted(site.rglob("*.html"))
        for found in LOADED.findall(page.read_text("utf-8"))
    ]


def publish(built: Path, target: Path, faces: str) -> None:
    """Copy a site, whole or not at all, with the terms of its images.

    Whether they allow it, `tinyvgg.faces.sources.check_publishing` knows. Pages have the name of
    a folder of photographs, and not its place on this machine.
    """
    if not (built / "index.html").is_file():
        raise UserError(f"there is no site in {str(built)!r} yet: run 'make reproduce'")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UserError(f"folder {str(target)!r} is not empty; name a new one, or empty it")
        if target.resolve().is_relative_to(built.resolve()):
            raise UserError(f"folder {str(target)!r} lies in the site that is copied; name another")
        files.write_folder_whole(target, lambda to: _copy(built, to, faces))
    except OSError as error:
        raise UserError(
            f"folder {str(target)!r} cannot be written ({error.strerror}); name another"
        ) from None


def _copy(built: Path, target: Path, faces: str) -> None:
    terms = terms_of(faces)
    shutil.copytree(built, target, dirs_exist_ok=True)
    source = parse_source(faces)
    if not source.is_synthetic:
        _shorten(target, f"{source.kind}:{source.path}", f"{source.kind}:{source.path.name}")
    said = (f"Images: {terms.name}", f"Licence: {terms.licence}", terms.cite, terms.notice)
    (target / TERMS).write_text("\n".join(filter(None, said)) + "\n", encoding="utf-8")
    (target / PLAIN).touch()


def _shorten(site: Path, place: str, name: str) -> None:
    """Replace a place by its name in all texts of a site, however it is spelled there."""
    spelled = {place: name, html.escape(place): html.escape(name)}
    spelled[json.dumps(place)[1:-1]] = json.dumps(name)[1:-1]
    for path in site.rglob("*"):
        if path.suffix in TEXTS:
            text = before = path.read_text("utf-8", "surrogateescape")
            for there, instead in spelled.items():
                text = text.replace(there, instead)
            if text != before:
                path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def report(
    page: Path, tasks: Sequence[str], settings: Mapping[str, Any], **study: Any
) -> tuple[Path, Path]:
    """Train where nothing is trained yet, run the report's notebook, and export it."""
    files.check_page(page, files.REPORT)
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
        files.write_page(page, html, numbers.read_text("utf-8"))
    return page, page.with_suffix(".json")


def export(executed: Path, profile: str, faces: str, seed: int) -> str:
    """Return an executed report as one page that loads nothing from anywhere."""
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(Path(__file__).parent / "templates")],
        exclude_input=True,
    )
    about = {
        "title": f"Report: {named(faces)}",
        "notice": terms_of(faces).notice,
        "made": f"Made by tinyvgg {tinyvgg.__version__}, profile {profile}, seed {seed}.",
    }
    return str(exporter.from_notebook_node(read_notebook(executed), resources={"report": about})[0])
