"""Print the whole book into one PDF: Sphinx writes it as one page, which Chromium prints.

make pdf
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import click
import yaml
from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader
from jupyter_book.cli.main import main as jupyter_book
from sphinx.builders.singlehtml import SingleFileHTMLBuilder

import tinyvgg

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "Chromium is not installed; install it, or name it: make pdf CHROMIUM=PATH"
PRINT = "--headless --no-sandbox --no-pdf-header-footer --generate-pdf-document-outline"


def readied(article: Tag, page: str) -> list[tuple[str, str, str]]:
    """Give all targets in an article names of their own, and return its contents."""
    for tag in article.select("script[src], .headerlink, details.hide"):
        tag.decompose()
    article.h1["id"], contents = f"{page}#", []
    for tag in article.find_all(True):
        id, link = tag.get("id", ""), tag.get("href", "")
        if tag.name == "span" and id.startswith("document-"):  # at the end of the page before
            page, title = tag.attrs.pop("id"), tag.find_next(re.compile("h[1-6]"))
            title["id"] = f"{page}#"
            contents.append((title.name, title["id"], title.get_text()))
        elif id and tag.name[0] != "h" and not tag.find_parent(class_="text_html"):
            tag["id"] = f"{page}#{id}"
        if link.startswith("#"):  # to a place of this page, of another, or to another as a whole
            there = link[1:] if link.startswith("#document-") else f"{page}{link}"
            tag["href"] = f"#{there}" if "#" in there else f"#{there}#"
    known = {f"#{tag['id']}" for tag in article.select("[id]")}
    if lost := {tag["href"] for tag in article.select("a:not([href^=http])")} - known:
        raise click.ClickException(f"links of the book lead nowhere: {sorted(lost)}")
    return contents


def printed(page: Path, target: Path, browser: str) -> dict[str, int]:
    """Print a page, and return the number of the sheet that each of its targets is on."""
    command = [browser, *PRINT.split(), f"--user-data-dir={page.parent / 'browser'}"]
    command += ["--virtual-time-budget=600000", f"--print-to-pdf={target}", page.as_uri()]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    content = target.read_bytes()
    sheets = re.findall(rb"\n(\d+) 0 obj\n<</Type /Page\n", content)
    found = re.findall(rb"/(\S+) \[(\d+) 0 R /XYZ", content)
    return {unquote(name.decode().replace("#", "%")): 1 + sheets.index(at) for name, at in found}


@click.command(help=__doc__)
@click.argument("book", type=click.Path(path_type=Path, resolve_path=True))
@click.argument("target", type=click.Path(path_type=Path, resolve_path=True))
def main(book: Path, target: Path) -> None:
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise click.ClickException(MISSING)
    SingleFileHTMLBuilder.fix_refuris = lambda builder, tree: None  # links keep their page's name
    work = target.with_suffix("")
    command = ["build", str(book), "--all", "--builder", "singlehtml", "--path-output", str(work)]
    jupyter_book(command, standalone_mode=False)
    settings, toc = (yaml.safe_load((book / f"_{n}.yml").read_text()) for n in ("config", "toc"))
    page = work / "_build" / "singlehtml" / f"{toc['root']}.html"
    article = BeautifulSoup(page.read_text("utf-8"), "html.parser").article
    settings |= {"contents": readied(article, f"document-{page.stem}"), "article": article}
    template = Environment(loader=FileSystemLoader(Path(__file__).parent)).get_template("pdf.html")
    page, sheets = page.with_name("pdf.html"), {}
    for _ in range(2):  # the numbers of the contents are known once it has been printed
        text = template.render(**settings, sheets=sheets, version=tinyvgg.__version__)
        page.write_text(text, encoding="utf-8")
        sheets = printed(page, target, browser)
    click.echo(f"The book: {target}")


if __name__ == "__main__":
    main()
