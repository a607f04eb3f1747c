"""The site: a copy of the pages, complete without a network, and what may be done with it."""

import html
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest
import yaml

from tinyvgg import cli
from tinyvgg.book import notebooks, reproduce, site
from tinyvgg.book.notebooks import DEFAULTS
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_publishing, terms_of
from tinyvgg.training.settings import RECORDED


@pytest.fixture
def book(workshop):
    """A small book with things that a copy must not have."""
    folder = workshop.root / "book"
    for name in ("_build/html/old.html", "notebooks/09_old.ipynb", "_static/a.css"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "intro.md").write_text("{glue:text}`notebooks/01_a.ipynb::t2.a.b:.1f`")
    config = 'execute: {execute_notebooks: "off"}\nparse: {}\nhtml: {extra_footer: x}\n'
    for name, content in (("_config.yml", config), ("_toc.yml", "format: jb-book\n")):
        (workshop.root / name).write_text(content)
        (folder / name).symlink_to(f"../{name}")
    return folder


def test_a_copy_has_the_given_notebooks_alone_and_leaves_the_book_as_it_was(book, workshop):
    before = {path: path.read_text() for path in book.rglob("*.*") if path.is_file()}
    target, notebook = workshop.root / "build" / "book", workshop.root / "01_a.ipynb"
    notebook.write_text("{}")
    target.mkdir(parents=True)
    (target / "old.md").write_text("old")
    site.copy_pages(target, [notebook])
    made = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert made == {*site.SETTINGS, "_static/a.css", "intro.md", "notebooks/01_a.ipynb"}
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "intro.md").read_text() == (book / "intro.md").read_text()
    site.sign(target, "smoke", "folder:/a/b", {})
    site.fit(target, set(), pd.DataFrame(), "smoke", "folder:/a/b")
    assert (target / "intro.md").read_text() != (book / "intro.md").read_text()
    assert {path: path.read_text() for path in before} == before


def test_a_site_says_whose_faces_it_shows_and_not_where_they_lie(book, workshop):
    target = workshop.root / "build" / "book"
    site.copy_pages(target, [])
    site.sign(target, "paper", "folder:/somewhere/people & pets", {})
    settings = yaml.safe_load((target / "_config.yml").read_text())
    assert settings["execute"] == {"execute_notebooks": "off"}
    assert settings["html"]["extra_footer"] == (
        "The faces shown are those of the folder people &amp; pets unless a page says otherwise. "
        + html.escape(terms_of("folder:x").notice)
    )
    said = {"profile": "`paper`", "faces": "`folder:people & pets`"}
    assert settings["parse"]["myst_substitutions"] == said
    assert "somewhere" not in (target / "_config.yml").read_text()


def test_the_committed_book_says_what_it_was_made_with(repository):
    settings = yaml.safe_load((repository / "_config.yml").read_text())
    assert settings["html"]["extra_footer"] == site.footer("synthetic")
    said = {"profile": "`quick`", "faces": "`synthetic`"}
    assert settings["parse"]["myst_substitutions"] == said
    for name in said:
        assert f"{{{{ {name} }}}}" in (repository / "book" / "intro.md").read_text()


def test_a_section_that_shows_a_number_that_was_not_recorded_is_told_otherwise():
    known = "{glue:text}`notebooks/01_data.ipynb::t2.subject.accuracy:.2f`"
    missing = "{glue:text}`notebooks/01_data.ipynb::t2.subject.errors:,.0f`"
    verdict = "{glue:text}`notebooks/04_a.ipynb::verdict.B1:s`"
    page = f"# Page\n\n{known} a\n\n## One\n\n{known} and {missing}.\n\n## Two\n\n{verdict} b\n"
    assert site.without_missing(page, {"t2.subject.accuracy", "verdict.B1"}, "A table.\n") == (
        f"# Page\n\n{known} a\n\n## One\n\nA table.\n\n## Two\n\n{verdict} b\n"
    )
    everything = {"t2.subject.accuracy", "t2.subject.errors", "verdict.B1"}
    assert site.without_missing(page, everything, "A table.") == page


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.example/x.js"></script>',
        "<script async src='//cdn.example/x.js'></script>",
        '<LINK rel="stylesheet" type="text/css" href="http://fonts.example/x.css">',
    ],
)
def test_pages_that_load_something_from_elsewhere_are_found(tmp_path, tag):
    (tmp_path / "page.html").write_text(f"<html>{tag}</html>")
    (found,) = site.needs_network(tmp_path)
    assert found.startswith("page.html loads ")


def test_links_to_read_and_files_of_the_site_need_no_network(tmp_path):
    page = (
        '<a href="https://doi.org/x">paper</a><script src="../_static/x.js"></script>'
        '<link rel="canonical" href="https://example.org"><link rel="stylesheet" href="a.css">'
    )
    (tmp_path / "page.html").write_text(page)
    assert site.needs_network(tmp_path) == []


@pytest.mark.parametrize("faces", ["rafd:x", "london:x", "folder:x"])
def test_photographs_are_never_committed_and_always_have_a_notice(faces):
    assert not terms_of(faces).may_commit
    with pytest.raises(UserError, match=f"faces '{faces}' is not recorded"):
        reproduce.check_recording({**RECORDED, "faces": faces})
    assert html.escape(terms_of(faces).notice) in site.footer(faces)


@pytest.mark.parametrize("faces", ["synthetic", "london:x", "rafd:x", "folder:x"])
def test_publishing_needs_a_right_to(faces):
    check_publishing(faces, confirmed=True)
    if faces in ("synthetic", "london:x"):
        check_publishing(faces, confirmed=False)
    else:
        with pytest.raises(UserError, match="are not published .* say so: --confirm"):
            check_publishing(faces, confirmed=False)


def test_synthetic_faces_in_the_data_bases_form_are_known_for_what_they_are(tmp_path):
    assert terms_of(f"rafd:{tmp_path}").shows_people
    (tmp_path / "synthetic.json").write_text("{}")
    terms = terms_of(f"rafd:{tmp_path}")
    assert (terms.shows_people, terms.may_publish, terms.may_commit) == (False, True, False)
    assert "synthetic" in terms.notice


@pytest.mark.parametrize("url", ["", "https://github.com/ME/IT"])
def test_chapters_open_elsewhere_where_the_repository_has_an_address(url, workshop, repository):
    book, settings = (
        workshop.root / "book",
        yaml.safe_load((repository / "_config.yml").read_text()),
    )
    settings["repository"]["url"] = url
    (book / "_config.yml").write_text(yaml.safe_dump(settings))
    (book / "_toc.yml").write_text("{format: jb-book, root: notebooks/01_first}")
    for name in ("_extra", "_static", "references.bib", "tinyvgg_book.py"):
        (book / name).symlink_to(repository / "book" / name)
    notebooks.convert(notebooks.find("01"), book / "notebooks")
    page = site.build(book, workshop.root / "site", strict=False).parent / "notebooks/01_first.html"
    links = re.findall('href="(https://(?:mybinder|colab|git)[^"]*)"', page.read_text("utf-8"))
    binder = "https://mybinder.org/v2/gh/ME/IT/main?urlpath=lab/tree/book/notebooks/01_first.ipynb"
    colab = "https://colab.research.google.com/github/ME/IT/blob/main/book/notebooks/01_first.ipynb"
    assert links == ([binder, colab, url] if url else [])


def test_jupyter_book_2_is_told_what_builds_this_book(repository, tmp_path, monkeypatch):
    (guard,) = yaml.safe_load((repository / "myst.yml").read_text())["project"]["plugins"]
    if node := shutil.which("node"):
        done = subprocess.run([node, repository / guard], capture_output=True, text=True)
        assert done.returncode == 1
        assert re.fullmatch(r".*`make book`.*'jupyter-book<2'\.\n", done.stderr)
    monkeypatch.setattr(site, "version", lambda name: "2.1.7")
    with pytest.raises(UserError, match="2.1.7 cannot build this book, but 1 can: pip install"):
        site.build(tmp_path, tmp_path, strict=False)


@pytest.fixture
def made(workshop):
    def make(faces):
        root = workshop.root / "build" / "reproduce"
        pages = root / "one" / "site" / "_build" / "html"
        pages.mkdir(parents=True)
        (pages / "index.html").write_text("<p>pages</p>")
        (root / "one" / "notebooks").mkdir()
        (root / "one" / "notebooks" / "01_first.ipynb").write_text("{}")
        parameters = {**DEFAULTS, "profile": "smoke", "faces": faces}
        (root / "last.json").write_text(json.dumps({"folder": "one", "parameters": parameters}))
        return reproduce.last(root)

    return make


def test_a_site_is_published_whole_with_its_terms(made, tmp_path):
    target, reproduced = tmp_path / "web" / "site", made("london:x")
    site.publish(reproduced.site, target, "london:x")
    assert (target / "index.html").read_text() == "<p>pages</p>"
    assert "CC BY 4.0" in (target / "TERMS.txt").read_text()
    assert (target / ".nojekyll").exists()
    assert [path.name for path in target.parent.iterdir()] == ["site"]
    with pytest.raises(UserError, match="is not empty; name a new one"):
        site.publish(reproduced.site, target, "london:x")


def test_the_command_refuses_until_it_is_confirmed(made, tmp_path, capsys):
    target = tmp_path / "web"
    made("rafd:x")
    assert cli.main(["publish", str(target)]) == cli.BAD_INPUT
    assert "Radboud Faces Database are not published" in capsys.readouterr().err
    assert not target.exists()
    assert cli.main(["publish", str(target), "--confirm"]) == 0
    assert "may not be passed on" in (target / "TERMS.txt").read_text().replace("\n", " ")


def test_a_published_site_does_not_tell_where_photographs_lie(made, tmp_path):
    place = tmp_path / "me & mine" / "Bilder für später"
    reproduced = made(f"folder:{place}::crop=centre")
    for name, text in {
        "index.html": html.escape(f"faces = 'folder:{place}::crop=centre'"),
        "a.ipynb": json.dumps(f'faces = "folder:{place}"'),
        "b.ipynb": json.dumps(f"folder:{place}", ensure_ascii=False),
    }.items():
        (reproduced.site / name).write_text(text)
    site.publish(reproduced.site, tmp_path / "web", reproduced.parameters["faces"])
    texts = [path.read_text("utf-8") for path in (tmp_path / "web").iterdir()]
    assert not any(str(tmp_path) in text for text in texts)
    assert sum("Bilder" in text for text in texts) == 3


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("build/reproduce/one/site/_build/html/web", "lies in the site that is copied; name"),
        ("x" * 300, "cannot be written .File name too long.; name another"),
    ],
)
def test_a_target_that_cannot_be_is_one_line(made, workshop, place, said):
    with pytest.raises(UserError, match=said):
        site.publish(made("synthetic").site, workshop.root / place, "synthetic")
