"""The project can be cited, checked and archived: metadata are valid, agree, and are current."""

import hashlib
import json
import re
import runpy
import tomllib
from pathlib import Path, PurePosixPath

import pytest
import yaml
from jsonschema import Draft7Validator
from pybtex.database import parse_file

import tinyvgg
from tinyvgg import paper
from tinyvgg.book import notebooks

SCHEMA = Path(__file__).parent / "fixtures" / "cff-1.2.0.json"
DOI = "https://doi.org/"


@pytest.fixture
def metadata(repository):
    """The citation, what the archive gets, and what a check starts from."""
    names = ("CITATION.cff", ".zenodo.json", "codecheck.yml")
    return [yaml.safe_load((repository / name).read_text("utf-8")) for name in names]


def test_the_citation_keeps_the_schema_of_its_format(metadata):
    citation, _, _ = metadata
    schema = Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert list(schema.iter_errors(citation)) == []
    for damaged in ({**citation, "authors": []}, {**citation, "license": "BSD"}):
        assert list(schema.iter_errors(damaged))


def test_the_archive_gets_the_fields_that_it_knows(metadata):
    _, zenodo, _ = metadata
    texts = {"title", "description", "version", "license", "language", "upload_type"}
    lists = {"creators", "keywords", "related_identifiers"}
    assert set(zenodo) == {*texts, "access_right", *lists}
    assert all(isinstance(zenodo[name], str) for name in texts)
    assert (zenodo["upload_type"], zenodo["access_right"]) == ("software", "open")
    assert all(set(creator) == {"name"} for creator in zenodo["creators"])
    assert [one["relation"] for one in zenodo["related_identifiers"]] == ["cites"]


def test_title_version_authors_licence_and_paper_are_the_same_everywhere(repository, metadata):
    citation, zenodo, check = metadata
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    settings = yaml.safe_load((repository / "_config.yml").read_text("utf-8"))
    works = parse_file(str(repository / "book" / "references.bib")).entries
    own, reproduced = works["tinyvgg"], works[paper.load().source["citation"]]
    assert citation["version"] == zenodo["version"] == own.fields["version"] == tinyvgg.__version__
    names = [author["name"] for author in citation["authors"]]
    for authors in (project["authors"], zenodo["creators"], check["paper"]["authors"]):
        assert [author["name"] for author in authors] == names
    assert [str(one).strip("{}") for one in own.persons["author"]] == names == [settings["author"]]
    assert citation["title"] == zenodo["title"] == own.fields["title"]
    assert check["paper"]["title"] == settings["title"]
    assert citation["license"] == zenodo["license"] == project["license"]
    assert citation["keywords"] == zenodo["keywords"]
    doi = reproduced.fields["doi"]
    assert check["tinyvgg_reproduces"] == DOI + doi
    assert citation["references"][0]["doi"] == zenodo["related_identifiers"][0]["identifier"] == doi
    assert list(works)[:2] == ["tinyvgg", reproduced.key]  # the front page shows these two
    shown = (repository / "book" / "intro.md").read_text("utf-8").partition("## Cite this")[2]
    assert "{literalinclude} references.bib" in shown


def test_a_check_starts_from_what_the_specification_asks_of_authors(repository, metadata):
    _, _, check = metadata
    text = (repository / "codecheck.yml").read_text("utf-8")
    assert text.startswith("%YAML 1.1\n---\n")
    assert re.fullmatch(r"https://codecheck\.org\.uk/spec/config/\d\.\d/", check["version"])
    assert check["paper"]["reference"]
    assert not re.search("FIXME|TODO|XXXX", text)
    paths = [PurePosixPath(entry["file"]) for entry in check["manifest"] if entry["comment"]]
    assert len({*paths}) == len(check["manifest"])
    assert not any(path.is_absolute() or ".." in path.parts for path in paths)
    chapters = {path.stem for path in paths if path.suffix == ".ipynb"}
    assert {source.stem for source in notebooks.sources()[:9]} == chapters


def test_the_crate_lists_what_is_in_the_results_and_describes_it(repository):
    folder = repository / "results"
    written = json.loads((folder / "ro-crate-metadata.json").read_text("utf-8"))
    today = runpy.run_path(str(repository / "tools" / "crate.py"))["crate"]()
    entities, others = ({e["@id"]: e for e in crate["@graph"]} for crate in (written, today))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entities["./"].pop("datePublished"))
    del others["./"]["datePublished"]
    assert entities == others, "the crate is not current: run 'make crate'"
    assert entities["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    named = {part["@id"] for part in entities["./"]["hasPart"]}
    assert named == {name for name, entity in entities.items() if entity["@type"] == "File"}
    assert {entities["./"][name]["@id"] for name in ("author", "license", "citation")} < {*entities}
    name = "networks/emotion/weights.safetensors"
    assert entities[name]["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
