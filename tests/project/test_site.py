"""The site: a copy of the pages with other notebooks, complete without a network."""

import pytest

from tinyvgg.book import site


@pytest.fixture
def book(workshop):
    """A small book with things that a copy must not have."""
    folder = workshop.root / "book"
    for name in ("_build/html/old.html", "notebooks/09_old.ipynb", "_static/a.css"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "intro.md").write_text("{glue:text}`notebooks/01_a.ipynb::t2.a.b:.1f`")
    for name in site.SETTINGS:
        (workshop.root / name).write_text(name)
        (folder / name).symlink_to(f"../{name}")
    return folder


def test_a_copy_has_the_pages_the_settings_and_only_the_given_notebooks(book, workshop):
    notebook = workshop.root / "01_a.ipynb"
    notebook.write_text("{}")
    target = workshop.build / "book"
    site.copy_pages(target, [notebook], {"t2.a.b"})
    made = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert made == {*site.SETTINGS, "_static/a.css", "intro.md", "notebooks/01_a.ipynb"}
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "intro.md").read_text() == (book / "intro.md").read_text()


def test_a_copy_replaces_an_older_one_and_leaves_the_book_alone(book, workshop):
    before = {path: path.read_text() for path in book.rglob("*.*") if path.is_file()}
    target = workshop.build / "book"
    target.mkdir(parents=True)
    (target / "old.md").write_text("old")
    site.copy_pages(target, [], ())
    assert not (target / "old.md").exists()
    assert (target / "intro.md").read_text() == "n/a"
    assert {path: path.read_text() for path in book.rglob("*.*") if path.is_file()} == before


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
