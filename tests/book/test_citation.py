"""The project can be cited, checked and archived: metadata are valid, agree, and are current."""

import hashlib
import json
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator
from pybtex.database import parse_file

import tinyvgg
from tinyvgg import files, paper
from tinyvgg.book import notebooks

SCHEMAS = Path(__file__).parent / "fixtures" / "schemas"
PLACES = ("CITATION.cff", ".zenodo.json", "codecheck.yml", "ro-crate-metadata.json")
CITATION, ZENODO, CHECK, CRATE = (
    yaml.safe_load((files.project() / place).read_text("utf-8")) for place in PLACES
)


@pytest.mark.parametrize("place", PLACES)
def test_metadata_keep_the_schema_of_their_format_and_need_each_field(place):
    metadata = yaml.safe_load((files.project() / place).read_text("utf-8"))
    schema = json.loads((SCHEMAS / f"{place}.json").read_text("utf-8"))
    assert list(Draft7Validator(schema).iter_errors(metadata)) == []
    for name in schema["required"]:
        without = {key: value for key, value in metadata.items() if key != name}
        assert not Draft7Validator(schema).is_valid(without), name


def test_title_version_authors_licence_and_paper_are_the_same_everywhere(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    settings = yaml.safe_load((repository / "_config.yml").read_text("utf-8"))
    works = parse_file(str(repository / "book" / "references.bib")).entries
    own, reproduced = works["tinyvgg"], works[paper.load().source["citation"]]
    assert CITATION["version"] == ZENODO["version"] == own.fields["version"] == tinyvgg.__version__
    names = [author["name"] for author in CITATION["authors"]]
    for authors in (project["authors"], ZENODO["creators"], CHECK["paper"]["authors"]):
        assert [author["name"] for author in authors] == names
    assert [str(one).strip("{}") for one in own.persons["author"]] == names == [settings["author"]]
    assert CITATION["title"] == ZENODO["title"] == own.fields["title"]
    assert CHECK["paper"]["title"] == settings["title"]
    own_licence = project["license"].partition(" AND ")[0]  # then those of data files of others
    assert CITATION["license"] == ZENODO["license"] == own_licence
    assert CITATION["keywords"] == ZENODO["keywords"]
    doi = reproduced.fields["doi"]
    assert CHECK["tinyvgg_reproduces"] == f"https://doi.org/{doi}"
    assert CITATION["references"][0]["doi"] == ZENODO["related_identifiers"][0]["identifier"] == doi
    assert list(works)[:2] == ["tinyvgg", reproduced.key]  # the front page shows these two
    shown = (repository / "book" / "intro.md").read_text("utf-8").partition("## Cite this")[2]
    assert "{literalinclude} references.bib" in shown


def test_a_check_starts_with_an_explicit_document_and_from_the_papers_chapters(repository):
    text = (repository / "codecheck.yml").read_text("utf-8")
    assert text.startswith("%YAML 1.1\n---\n")
    paths = [Path(entry["file"]) for entry in CHECK["manifest"]]
    chapters = [path.stem for path in paths if path.suffix == ".ipynb"]
    assert chapters == [source.stem for source in notebooks.sources()[:9]]


def test_the_crate_lists_what_is_in_the_results():
    today = runpy.run_path(str(files.project() / "tools" / "crate.py"))["crate"]()
    written, current = ({e["@id"]: e for e in crate["@graph"]} for crate in (CRATE, today))
    current["./"]["datePublished"] = written["./"]["datePublished"]
    assert written == current, "the crate is not current: run 'make crate'"
    named = {part["@id"] for part in written["results/"]["hasPart"]}
    assert named == {name for name, entity in written.items() if entity["@type"] == "File"}
    assert {written["./"][name]["@id"] for name in ("author", "license", "citation")} < {*written}
    name = "results/networks/emotion/weights.safetensors"
    digest = hashlib.sha256((files.project() / name).read_bytes()).hexdigest()
    assert written[name]["sha256"] == digest
