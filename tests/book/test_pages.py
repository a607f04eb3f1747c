"""The hand-written pages: no typed numbers, no dead keys, names and options that exist."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from functools import cache
from importlib import import_module

import pytest
from pybtex.database import parse_file

import synthfaces
import tinyvgg
from tinyvgg import files as paths
from tinyvgg import paper
from tinyvgg.book import notebooks
from tinyvgg.book.claims import UNTESTED
from tinyvgg.chapters.verdicts import collect
from tinyvgg.cli import cli

BOOK = paths.project() / "book"
PAGES = [BOOK / f"{name}.md" for name in ("intro", "disagreements", "reference", "data_licences")]
BIBLIOGRAPHY = BOOK / "references.bib"

NO_NUMBERS = [
    r"(?s)```.*?```",  # code
    r"`[^`]*`",  # code, and what a role is given
    r"\$[^$]*\$",  # formulas
    r"\]\([^)]*\)",  # targets of links
    r"<[^>]*>",
    r"\b(Table|Figure|Equation|Algorithm|Step|step|Dimension) \d+",
    r"\b(CC0|Apache-2\.0|BSD 3-Clause|BSD-3-Clause)",
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_number_is_typed_into_a_page(page):
    assert typed_numbers(text_of(page)) == []


def test_a_typed_number_would_be_found():
    assert typed_numbers("The paper has {paper}`t2.subject.errors` errors, see Table 2.") == []
    assert typed_numbers("It has 59 errors.") == ["It has 59 errors."]
    assert typed_numbers("Accuracy was 97.55%.") == ["Accuracy was 97.55%."]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_papers_numbers_on_a_page_exist(page):
    for key in roles(page, "paper"):
        assert paper.quantity(key).text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_glued_numbers_are_those_that_the_chapter_records(page):
    recorded = {source.stem: recorded_by(source.stem) for source in notebooks.sources()}
    for found in roles(page, "glue:text"):
        notebook, key, spec = re.fullmatch(r"notebooks/(\w+)\.ipynb::([\w.]+):(.+)", found).groups()
        assert key in recorded[notebook]
        assert (spec == "s") == key.startswith("verdict.")


@cache
def recorded_by(stem):
    return collect([BOOK / "notebooks" / f"{stem}.ipynb"]).glued


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_chapters_that_a_page_links_to_exist(page):
    linked = [found for found in roles(page, "doc") if found.startswith("notebooks/")]
    assert set(linked) <= {f"notebooks/{source.stem}" for source in notebooks.sources()}


def test_every_chapter_that_a_claim_names_exists():
    chapters = {claim.chapter for claim in paper.claims() if claim.chapter}
    assert chapters <= {source.stem for source in notebooks.sources()}


def test_chapters_show_no_number_that_a_source_may_not_have():
    for source in notebooks.sources():
        assert roles(source, "glue:text") == [], f"{source.name}: say it by code, for every source"


def test_the_introduction_lists_every_chapter():
    chapters = {f"notebooks/{source.stem}" for source in notebooks.sources()}
    assert chapters <= set(roles(BOOK / "intro.md", "doc"))


def test_every_work_cited_is_in_the_bibliography():
    known = set(parse_file(str(BIBLIOGRAPHY)).entries)
    cited = {key for page in PAGES for form in "tp" for key in roles(page, f"cite:{form}")}
    assert "fang2017" in cited
    assert cited <= known
    assert paper.load().source["citation"] in known


# --- names and options


def documented_paths():
    pages = (BOOK / "reference.md", BOOK / "training.md")
    return [path for page in pages for path in re.findall(r"\.\. auto\w+:: (\S+)", text_of(page))]


def documented():
    """Objects of the reference page by their last name; each has to exist."""
    found = [path.rsplit(".", 1) for path in documented_paths()]
    return {name: getattr(importlib.import_module(module), name) for module, name in found}


def test_the_reference_documents_what_exists_once():
    found = documented_paths()
    assert len(found) == len(set(found))
    assert {"record", "backtrack", "deconvolve", "track_features", "rescore"} <= set(documented())


def calls(page):
    for code in re.findall(r"`([^`]+)`", re.sub(ROLE % r"[\w:]+", "", text_of(page))):
        try:
            tree = ast.parse(code, mode="eval").body
        except SyntaxError:
            continue
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            yield code, tree


def test_options_named_among_the_disagreements_exist():
    objects, seen = documented(), []
    for code, call in calls(BOOK / "disagreements.md"):
        known = set(inspect.signature(objects[call.func.id]).parameters)
        if "options" in known:
            known |= set(objects["Options"].__annotations__)
        assert {word.arg for word in call.keywords if word.arg} <= known, code
        seen.append(call.func.id)
    assert {"split", "Recipe", "Cutoff", "published", "backtrack", "deconvolve"} <= set(seen)


def test_claims_that_pages_call_untested_are_out_of_scope():
    assert UNTESTED in text_of(BOOK / "disagreements.md")
    assert paper.claim("P2").out_of_scope_now


def commands():
    """What README asks a reader to type, without comments."""
    blocks = re.findall(r"(?s)```sh\n(.*?)```", text_of(paths.project() / "README.md"))
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line]


def test_every_target_that_the_readme_names_is_in_the_makefile():
    targets = set(re.findall(r"(?m)^([a-z]+):", text_of(paths.project() / "Makefile")))
    named = set(re.findall(r"\bmake ([a-z]+)\b", text_of(paths.project() / "README.md")))
    assert {"reproduce", "test", "verify", "book"} <= named <= targets


def test_every_tinyvgg_command_of_the_readme_can_be_parsed():
    typed = [line.split() for line in commands() if line.startswith("tinyvgg ")]
    assert typed
    for _, *arguments in typed:
        context = cli
        while arguments and not arguments[0].startswith("-") and hasattr(context, "commands"):
            context = context.commands[arguments.pop(0)]
        context.make_context("x", arguments)


def test_notebooks_that_the_readme_runs_exist():
    named = re.findall(r"build/notebooks/(\w+)\.ipynb", text_of(paths.project() / "README.md"))
    assert named
    for name in named:
        assert (paths.project() / "notebooks" / f"{name}.py").is_file()


def test_code_of_readme_and_reference_uses_what_exists():
    for page in (paths.project() / "README.md", BOOK / "reference.md"):
        for code in re.findall(r"(?s)```python\n(.*?)```", text_of(page)):
            used = re.findall(r"\btinyvgg\.(\w+)\(", code)
            of_faces = re.findall(r"\bsynthfaces\.(\w+)\(", code)
            imported = re.findall(r"from (tinyvgg\.\w+) import (.+)", code)
            assert used or of_faces or imported
            for module, names in imported:
                assert set(names.split(", ")) <= set(dir(import_module(module)))
            assert set(used) <= set(tinyvgg.__all__)
            assert set(of_faces) <= set(synthfaces.__all__)
            compile(code, page.name, "exec")


# --- the role that pages show the paper's numbers with


def build_page(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "conf.py").write_text("extensions = ['myst_parser', 'tinyvgg.book.claims']\n")
    (folder / "index.md").write_text(f"# A page\n\n{text}\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ".", "site"]
    env = os.environ | {"PYTHONPATH": str(paths.project())}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_role_shows_the_papers_number_and_its_place(tmp_path):
    done = build_page(
        tmp_path,
        "It was {paper}`t2.subject.accuracy` of {paper}`d1.both.images`, {paper}`t2.no.such`.",
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert '<abbr title="Table 2">97.55%</abbr>' in page
    assert re.search(r'<abbr title="computed from [^"]+">8,040</abbr>', page)
    assert "t2.no.such" in done.stderr
