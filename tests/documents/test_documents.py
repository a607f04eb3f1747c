"""Pages: numbered, listed, escaped, and complete by themselves."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.helpers import pages
from tinyvgg.chapters.style import png
from tinyvgg.documents.content import Document, Picture, Pictures, Section, Table, Text
from tinyvgg.documents.html import render

DOT = png(np.zeros((2, 3, 3), dtype=np.uint8))


@pytest.fixture
def document() -> Document:
    picture = Picture(DOT, 'a "dot" & more', "A dot.", width=30, pixelated=True)
    table = Table("Counts.", ["name", "number"], [["<i>", "3"], ["b", "-1.5"]])
    inner = Section("Inner <b>", [table, Pictures([picture, picture], "Two of them.")])
    outer = Section("Outer", [picture, Text("It is **strong** & 2 * 3 * 4 <u>.")], [inner])
    return Document("A page", [Text("Hello.")], [outer, Section("Last", [picture])], "Made here.")


def test_a_page_is_well_formed_and_refers_to_nothing_outside(document: Document) -> None:
    html = render(document)
    reader = pages.read(html)
    assert len(reader.sources) == 4 + 3  # pictures, and entries of the contents
    assert html.startswith("<!doctype html>")
    assert 'lang="en"' in html
    assert "width=device-width" in html


def test_what_is_written_stays_what_it_is(document: Document) -> None:
    html = render(document)
    assert "<strong>strong</strong> &amp; 2 * 3 * 4 &lt;u&gt;." in html
    assert "&lt;i&gt;" in html
    assert "Inner &lt;b&gt;" in html
    assert "a &quot;dot&quot; &amp; more" in html
    assert not re.search(r"<(i|u|b)>", html)


def test_figures_and_tables_are_numbered_in_the_order_of_the_page(document: Document) -> None:
    html = render(document)
    found = re.findall(r"(Figure|Table) (\d)\. (\w+)", html)
    assert found == [
        ("Figure", "1", "A"),
        ("Table", "1", "Counts"),
        ("Figure", "2", "Two"),
        ("Figure", "3", "A"),
    ]


def test_contents_lead_to_headings_of_their_level(document: Document) -> None:
    html = render(document)
    for anchor, title, level in (
        ("section-1", "Outer", 2),
        ("section-1-1", "Inner &lt;b&gt;", 3),
        ("section-2", "Last", 2),
    ):
        assert f'<a href="#{anchor}">{title}</a>' in html
        assert f'<section id="{anchor}"' in html
        assert f'<h{level} id="{anchor}-title">{title}</h{level}>' in html


def test_tables_say_what_their_heads_are_of(document: Document) -> None:
    html = render(document)
    assert '<th scope="col" class="words">name</th><th scope="col">number</th>' in html
    assert '<th scope="row" class="words">&lt;i&gt;</th><td>3</td>' in html


def test_a_page_without_sections_has_no_entries(document: Document) -> None:
    pages.read(render(replace(document, sections=[])))


def test_frames_become_tables() -> None:
    frame = pd.DataFrame(
        {"share": [0.123456, np.nan], "n": [1234, 5], "word": ["a", None]},
        index=pd.Index(["x", "y"], name="set"),
    )
    table = Table.of(frame, "c", {"share": ".1%"})
    assert table.columns == ["set", "share", "n", "word"]
    assert table.rows == [["x", "12.3%", "1,234", "a"], ["y", "—", "5", "—"]]
    stacked = pd.concat({"one": frame[["n"]]}, names=["task"])
    assert Table.of(stacked, "c").rows[0] == ["one", "x", "1,234"]


def test_a_page_is_shown_by_a_browser(document: Document, tmp_path) -> None:
    assert "Figure 3. A dot." in pages.shown(render(document), tmp_path)
