"""The hand-written pages: no typed numbers, no dead keys, names and options that exist."""

import inspect
import json
import re
from functools import cache
from importlib import import_module
from io import StringIO

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst.roles import register_local_role
from pybtex.database import parse_file
from tinyvgg_book import PaperNumber

import synthfaces
import tinyvgg
from tinyvgg import files as paths
from tinyvgg import paper
from tinyvgg.book import notebooks
from tinyvgg.book.records import collect
from tinyvgg.cli import cli

BOOK = paths.project() / "book"
REFERENCE = [BOOK / "reference.md", *sorted((BOOK / "reference").glob("*.md"))]
PAGES = [
    *(BOOK / f"{name}.md" for name in ("intro", "disagreements", "data_licences", "checkpoint")),
    *(BOOK / f"{name}.md" for name in ("clusters", "ci", "training", "troubleshooting")),
    *REFERENCE,
]

NO_NUMBERS = [
    r"(?s)```.*?```",  # code
    r"`[^`]*`",  # code, and what a role is given
    r"\$[^$]*\$",  # formulas
    r"\]\([^)]*\)",  # targets of links
    r"<[^>]*>",
    r"(?m)^:+\{grid\}.*|^:gutter:.*",  # how cards are laid out
    r"\b(Table|Figure|Equation|Algorithm|Step|step|Dimension) \d+",
    r"\b(VGG-\d+|CC0|Apache-2\.0|BSD 3-Clause|BSD-3-Clause)",
]
ROLE = r"\{%s\}`([^`]+)`"


def text_of(page):
    return page.read_text("utf-8")


def roles(page, name):
    return [re.sub(r"\s+", " ", found) for found in re.findall(ROLE % name, text_of(page))]


def typed_numbers(text):
    for pattern in NO_NUMBERS:
        text = re.sub(pattern, "", text)
    return re.findall(r".*\d.*", text)


def test_a_typed_number_would_be_found():
    assert typed_numbers("The paper has {paper}`t2.subject.errors` errors, see Table 2.") == []
    assert typed_numbers("It has 59 errors.") == ["It has 59 errors."]


@cache
def recorded_by(stem):
    return collect([BOOK / "notebooks" / f"{stem}.ipynb"]).glued


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_types_no_number_and_shows_those_that_exist(page):
    assert typed_numbers(text_of(page)) == []
    for key in roles(page, "paper"):
        assert paper.quantity(key).text
    for found in roles(page, "glue:text"):
        notebook, key, spec = re.fullmatch(r"notebooks/(\w+)\.ipynb::([\w.]+):(.+)", found).groups()
        assert key in recorded_by(notebook)
        assert (spec == "s") == key.startswith("verdict.")


def test_chapters_that_pages_and_claims_name_exist_and_the_introduction_lists_all():
    chapters = {f"notebooks/{source.stem}" for source in notebooks.sources()}
    links = [found.lstrip("/") for page in PAGES for found in roles(page, "doc")]
    linked = {found for found in links if found.startswith("notebooks/")}
    named = {f"notebooks/{claim.chapter}" for claim in paper.claims() if claim.chapter}
    assert linked | named <= chapters <= set(roles(BOOK / "intro.md", "doc"))
    assert not any(roles(source, "glue:text") for source in notebooks.sources())


def test_every_picture_of_a_page_is_drawn_in_its_chapter():
    pictures = re.compile(r"\{picture\} (\S+) (\S+)")
    asked = [found for page in PAGES for found in pictures.findall(text_of(page))]
    assert asked
    for chapter, name in asked:
        cells = json.loads((BOOK / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
        (drawn,) = (cell for cell in cells if f'"name": "{name}"' in json.dumps(cell["metadata"]))
        assert any("image/png" in each.get("data", {}) for each in drawn["outputs"]), name


def test_every_work_cited_is_in_the_bibliography():
    known = set(parse_file(str(BOOK / "references.bib")).entries)
    cited = {key for page in PAGES for form in "tp" for key in roles(page, f"cite:{form}")}
    assert "fang2017" in cited
    assert cited <= known
    assert paper.load().source["citation"] in known


def documented():
    """Objects of the reference by their last name; each has to exist, once."""
    pages = (*REFERENCE, BOOK / "training.md")
    paths = [path for page in pages for path in re.findall(r"\.\. auto\w+:: (\S+)", text_of(page))]
    assert len(paths) == len(set(paths))
    found = [path.rsplit(".", 1) for path in paths]
    return {name: getattr(import_module(module), name) for module, name in found}


def test_options_named_among_the_disagreements_exist():
    objects, seen = documented(), set()
    assert {"record", "backtrack", "deconvolve", "track_features", "rescore"} <= set(objects)
    for name, given in re.findall(r"`(\w+)\(([^`]*)\)`", text_of(BOOK / "disagreements.md")):
        known = set(inspect.signature(objects[name]).parameters)
        if "options" in known:
            known |= set(objects["Options"].__annotations__)
        assert set(re.findall(r"(\w+)=", given)) <= known, name
        seen.add(name)
    assert {"split", "Recipe", "Cutoff", "published", "backtrack", "deconvolve"} <= seen


def test_what_the_readme_asks_to_type_exists():
    readme = text_of(paths.project() / "README.md")
    targets = set(re.findall(r"(?m)^([a-z]+):", text_of(paths.project() / "Makefile")))
    named = set(re.findall(r"\bmake ([a-z]+)\b", readme))
    assert {"reproduce", "test", "verify", "book"} <= named <= targets
    converted = set(re.findall(r"build/notebooks/(\w+)\.ipynb", readme))
    assert set() < converted <= {source.stem for source in notebooks.sources()}
    typed = [line.split("#")[0].split() for line in re.findall(r"(?m)^tinyvgg .*", readme)]
    assert typed
    for _, *arguments in typed:
        context = cli
        while arguments and not arguments[0].startswith("-") and hasattr(context, "commands"):
            context = context.commands[arguments.pop(0)]
        context.make_context("x", arguments)


@pytest.mark.parametrize("page", [paths.project() / "README.md", *REFERENCE], ids=lambda p: p.stem)
def test_code_of_readme_and_reference_uses_what_exists(page):
    for code in re.findall(r"(?s)```python\n(.*?)```", text_of(page)):
        used = set(re.findall(r"\btinyvgg\.(\w+)\(", code))
        of_faces = set(re.findall(r"\bsynthfaces\.(\w+)\(", code))
        imported = re.findall(r"from (tinyvgg\.\w+) import (.+)", code)
        assert used or of_faces or imported
        for module, names in imported:
            assert set(names.split(", ")) <= set(dir(import_module(module)))
        assert used <= set(tinyvgg.__all__)
        assert of_faces <= set(synthfaces.__all__)
        compile(code, page.name, "exec")


def test_messages_of_the_page_about_trouble_are_printed_by_something():
    terms = re.findall(r"(?m)^`(.+)`\n: ", text_of(BOOK / "troubleshooting.md"))
    folders = [paths.project() / name for name in ("tinyvgg", "tools", "notebooks")]
    sources = [text_of(source) for folder in folders for source in folder.rglob("*.py")]
    sources += map(text_of, (paths.project() / "Makefile", BOOK / "jupyter_book_2.mjs"))
    said = re.sub(r'"\s*f?"', "", "\n".join(sources))
    others = {"operator torchvision::nms does not exist", "... toc is not a mapping ..."}
    assert others < set(terms)
    for term in set(terms) - others:
        assert all(part.strip() in said for part in term.split("...")), term


def test_the_role_shows_the_papers_number_and_its_place():
    register_local_role("paper", PaperNumber())
    said = StringIO()
    tree = publish_doctree(
        ":paper:`t2.subject.accuracy` of :paper:`d1.both.images`, :paper:`t2.no.such`.",
        settings_overrides={"warning_stream": said},
    )
    shown = {node.astext(): node["explanation"] for node in tree.findall(nodes.abbreviation)}
    assert shown.keys() == {"97.55%", "8,040"}
    assert shown["97.55%"] == "Table 2"
    assert shown["8,040"].startswith("computed from")
    assert "t2.no.such" in said.getvalue()
