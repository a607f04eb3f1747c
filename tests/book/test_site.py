"""The site: a copy of the pages with other notebooks, complete without a network."""

import html

import pytest
import yaml

from tinyvgg.book import site
from tinyvgg.faces.sources import terms_of

SETTINGS = {
    "_config.yml": 'execute: {execute_notebooks: "off"}\nparse: {}\nhtml: {extra_footer: x}\n',
    "_toc.yml": "format: jb-book\n",
}


@pytest.fixture
def book(workshop):
    """A small book with things that a copy must not have."""
    folder = workshop.root / "book"
    for name in ("_build/html/old.html", "notebooks/09_old.ipynb", "_static/a.css"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "intro.md").write_text("{glue:text}`notebooks/01_a.ipynb::t2.a.b:.1f`")
    for name in site.SETTINGS:
        (workshop.root / name).write_text(SETTINGS[name])
        (folder / name).symlink_to(f"../{name}")
    return folder


def test_a_copy_has_the_pages_the_settings_and_only_the_given_notebooks(book, workshop):
    notebook = workshop.root / "01_a.ipynb"
    notebook.write_text("{}")
    target = workshop.build / "book"
    site.copy_pages(target, [notebook])
    made = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert made == {*site.SETTINGS, "_static/a.css", "intro.md", "notebooks/01_a.ipynb"}
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "intro.md").read_text() == (book / "intro.md").read_text()


def test_a_copy_replaces_an_older_one_and_leaves_the_book_alone(book, workshop):
    before = {path: path.read_text() for path in book.rglob("*.*") if path.is_file()}
    target = workshop.build / "book"
    target.mkdir(parents=True)
    (target / "old.md").write_text("old")
    site.copy_pages(target, [])
    site.sign(target, "smoke", "folder:/a/b")
    site.fit(target, set(), "none")
    assert not (target / "old.md").exists()
    assert (target / "intro.md").read_text() != (book / "intro.md").read_text()
    assert {path: path.read_text() for path in book.rglob("*.*") if path.is_file()} == before


def test_a_site_says_whose_faces_it_shows_and_not_where_they_lie(book, workshop):
    target = workshop.build / "book"
    site.copy_pages(target, [])
    site.sign(target, "paper", "folder:/somewhere/people & pets")
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
    assert settings["parse"]["myst_substitutions"] == site.substitutions("quick", "synthetic")
    for name in site.substitutions("quick", "synthetic"):
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
        '<link href="https://fonts.example/x.css" rel="stylesheet">',
        '<LINK rel="stylesheet" type="text/css" href="http://fonts.example/x.css">',
    ],
)
def test_pages_that_load_something_from_elsewhere_are_found(tmp_path, tag):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "page.html").write_text(f"<html>{tag}</html>")
    (found,) = site.needs_network(tmp_path)
    assert found.startswith("sub/page.html loads ")


def test_links_to_read_and_files_of_the_site_need_no_network(tmp_path):
    page = (
        '<a href="https://doi.org/x">paper</a><script src="../_static/x.js"></script>'
        '<link rel="canonical" href="https://example.org"><link rel="stylesheet" href="a.css">'
    )
    (tmp_path / "page.html").write_text(page)
    assert site.needs_network(tmp_path) == []
