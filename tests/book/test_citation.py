"""The project can be cited, checked and archived: metadata are valid, agree, and are current."""

import json
import re
import runpy
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pybtex.database import parse_file

import tinyvgg
from tinyvgg import paper
from tinyvgg.book import notebooks

SCHEMA = Path(__file__).parent / "fixtures" / "cff-1.2.0.json"
RELATIONS = {"cites", "references", "isSupplementTo", "isDerivedFrom"}


@pytest.fixture
def citation(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "CITATION.cff").read_text("utf-8"))


@pytest.fixture
def zenodo(repository: Path) -> dict[str, Any]:
    return json.loads((repository / ".zenodo.json").read_text("utf-8"))


@pytest.fixture
def check(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "codecheck.yml").read_text("utf-8"))


def test_the_citation_keeps_the_schema_of_its_format(citation):
    schema = Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert list(schema.iter_errors(citation)) == []
    for damaged in ({**citation, "authors": []}, {**citation, "license": "BSD"}):
        assert list(schema.iter_errors(damaged))


def test_the_archive_gets_the_fields_that_it_asks_for(zenodo):
    texts = ("title", "description", "version", "license", "language")
    assert all(isinstance(zenodo.pop(name), str) for name in texts)
    assert (zenodo.pop("upload_type"), zenodo.pop("access_right")) == ("software", "open")
    assert all(set(creator) == {"name"} for creator in zenodo.pop("creators"))
    assert all(isinstance(word, str) for word in zenodo.pop("keywords"))
    (related,) = zenodo.pop("related_identifiers")
    assert set(related) == {"identifier", "scheme", "relation", "resource_type"}
    assert related["relation"] in RELATIONS
    assert zenodo == {}


def test_title_version_authors_licence_and_paper_are_the_same_everywhere(
    repository, citation, zenodo, check
):
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    settings = yaml.safe_load((repository / "_config.yml").read_text("utf-8"))
    works = parse_file(str(repository / "book" / "references.bib")).entries
    own, reproduced = works["tinyvgg"], works[paper.load().source["citation"]]
    for version in (citation["version"], zenodo["version"], own.fields["version"]):
        assert version == tinyvgg.__version__
    names = [author["name"] for author in citation["authors"]]
    for authors in (project["authors"], zenodo["creators"], check["paper"]["authors"]):
        assert [author["name"] for author in authors] == names
    assert [str(one).strip("{}") for one in own.persons["author"]] == names == [settings["author"]]
    assert citation["title"] == zenodo["title"] == own.fields["title"]
    assert check["paper"]["title"] == settings["title"]
    assert citation["license"] == zenodo["license"] == project["license"]
    assert citation["keywords"] == zenodo["keywords"]
    (cited,) = citation["references"]
    dois = {zenodo["related_identifiers"][0]["identifier"], reproduced.fields["doi"]}
    assert dois == {cited["doi"], check["tinyvgg_reproduces"].removeprefix("https://doi.org/")}
    shown = (repository / "book" / "intro.md").read_text("utf-8").partition("## Cite this")[2]
    assert "{literalinclude} references.bib" in shown
    assert list(works)[:2] == ["tinyvgg", paper.load().source["citation"]]


def test_a_check_starts_from_what_the_specification_asks_authors_for(repository, check):
    text = (repository / "codecheck.yml").read_text("utf-8")
    assert re.match(r"%YAML 1\.1\n---\n", text)
    assert re.fullmatch(r"https://codecheck\.org\.uk/spec/config/\d\.\d/", check["version"])
    assert check["paper"]["reference"]
    assert not re.search("FIXME|TODO|XXXX", text)
    paths = [PurePosixPath(entry["file"]) for entry in check["manifest"]]
    assert len(set(paths)) == len(paths) > 8
    assert all(entry["comment"] for entry in check["manifest"])
    assert not any(path.is_absolute() or ".." in path.parts for path in paths)
    chapters = {path.stem for path in paths if path.suffix == ".ipynb"}
    assert {source.stem for source in notebooks.sources()[:9]} == chapters


def test_the_crate_lists_what_is_in_the_results_and_describes_it(repository):
    written = json.loads((repository / "results" / "ro-crate-metadata.json").read_text("utf-8"))
    today = runpy.run_path(str(repository / "tools" / "crate.py"))["crate"]()
    entities, others = ({e["@id"]: e for e in crate["@graph"]} for crate in (written, today))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entities["./"].pop("datePublished"))
    others["./"].pop("datePublished")
    assert entities == others, "the crate is not current: run 'make crate'"
    assert len(entities) == len(written["@graph"])
    head = entities["ro-crate-metadata.json"]
    assert (head["about"], written["@context"]) == (
        {"@id": "./"},
        f"{head['conformsTo']['@id']}/context",
    )
    named = {part["@id"] for part in entities["./"]["hasPart"]}
    assert named == {id for id, entity in entities.items() if entity["@type"] == "File"}
    for name in ("author", "license", "citation"):
        assert entities["./"][name]["@id"] in entities
    for name in named:
        assert entities[name]["contentSize"] == str((repository / "results" / name).stat().st_size)
        assert len(entities[name]["sha256"]) == 64
        assert entities[name]["description"]
        assert entities[name]["encodingFormat"]
