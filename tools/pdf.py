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
LEFT_OUT = "script[src], .headerlink, details.hide"


def readied(article: Tag) -> list[tuple[str, str, str]]:
    """Give all targets in an article names of their own, and return its contents."""
    for tag in article.select(LEFT_OUT):
        tag.decompose()
    contents, page = [], "document"
    for tag in article.find_all(True):
        if tag.name == "span" and tag.get("id", "").startswith("document-"):
            # it stands at the end of the page before
            page, title = tag.attrs.pop("id"), tag.find_next(re.compile("h[1-6]"))
            title["id"] = f"{page}#"
            contents.append((title.name, title["id"], title.get_text()))
        elif "id" in tag.attrs and tag.name[0] != "h" and not tag.find_parent(class_="text_html"):
            tag["id"] = f"{page}#{tag['id']}"
        if re.match("#(?!document-)", tag.get("href", "")):
            tag["href"] = f"#{page}{tag['href']}"
        elif re.fullmatch("#document-[^#]*", tag.get("href", "")):
            tag["href"] += "#"
    return contents


def printed(page: Path, target: Path, browser: str) -> dict[str, int]:
    """Print a page, and return the number of the sheet that each of its targets is on."""
    command = [browser, *PRINT.split(), "--virtual-time-budget=600000", f"--print-to-pdf={target}"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True)
    content = target.read_bytes() if done.returncode == 0 and target.exists() else b""
    if not content or (lost := re.findall(rb"/URI \(file:[^)]*", content)):
        raise click.ClickException(f"links lead nowhere: {lost}" if content else done.stderr[-300:])
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
    command = ["build", str(book), "--all", "--builder", "singlehtml", "--path-output"]
    jupyter_book([*command, str(target.with_suffix(""))], standalone_mode=False)
    settings, toc = (yaml.safe_load((book / f"_{n}.yml").read_text()) for n in ("config", "toc"))
    page = target.with_suffix("") / "_build" / "singlehtml" / f"{toc['root']}.html"
    article = BeautifulSoup(page.read_text("utf-8"), "html.parser").article
    contents, sheets, page = readied(article), {}, page.with_name("pdf.html")
    template = Environment(loader=FileSystemLoader(Path(__file__).parent)).get_template("pdf.html")
    template.globals = {"article": article, "contents": contents, "version": tinyvgg.__version__}
    for _ in range(2):  # the numbers of the contents are known once it has been printed
        page.write_text(template.render(**settings, sheets=sheets), encoding="utf-8")
        sheets = printed(page, target, browser)
    click.echo(f"The book: {target}")


if __name__ == "__main__":
    main()
