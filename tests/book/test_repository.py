"""What is committed fits together: lock, environments, book, notebooks, Makefile."""

import json
import re
import tomllib
from itertools import chain

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tinyvgg
from tinyvgg.book import notebooks, records
from tinyvgg.book.claims import claims_page
from tinyvgg.book.notebooks import normalise, refuse_private
from tinyvgg.book.records import collect
from tinyvgg.chapters import paper_size
from tinyvgg.chapters.statistics import networks
from tinyvgg.faces.sources import synthfaces

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;]+)( ;[^\\]*)? \\$", re.MULTILINE)
PARAMETERS = {"profile": "quick", "faces": "synthetic", "seed": 0, "networks": "shipped"}


@pytest.fixture
def lock(repository):
    return (repository / "requirements.lock").read_text()


def book_notebooks(repository):
    return sorted((repository / "book" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


def test_everything_asked_for_is_locked_with_hashes_in_a_version_that_fits(
    lock, repository, project
):
    lines = (repository / "requirements.in").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pins = {name: version for name, version, _ in PIN.findall(lock)}
    for requirement in wanted:
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock)
    assert len(entries) > 100
    for entry in entries:
        assert PIN.match(entry), entry[:80]
        assert "--hash=sha256:" in entry
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@ |file:", lock)
    locked = {"tinyvgg", *(canonicalize_name(requirement.name) for requirement in wanted)}
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        assert canonicalize_name(Requirement(text).name) in locked, text


def test_conda_users_get_what_the_lock_pins(repository, project):
    environment = yaml.safe_load((repository / "environment.yml").read_text())
    *named, pip = environment["dependencies"]
    assert [re.split("[=<>]", entry)[0] for entry in named] == ["python", "pip"]
    assert pip == {"pip": ["-r requirements.lock"]}
    python = Requirement(f"python{project['requires-python']}").specifier
    assert python.contains(named[0].split("=", 1)[1].lstrip("=") + ".0")


def test_the_lock_installs_as_it_is_with_one_opencv(repository, lock):
    pins = {name for name, _, _ in PIN.findall(lock)}
    assert {name for name in pins if "opencv" in name} == {"opencv-python-headless"}
    names = ("Makefile", "README.md", "book/training.md", "environment.yml", "pyproject.toml")
    for text in [(repository / name).read_text("utf-8") for name in names]:
        assert not re.search("override-dependencies|no-deps|NO_DEPS", text)


def test_the_version_and_the_settings_of_the_book_are_the_same_everywhere(repository):
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["version"] == tinyvgg.__version__
    assert f"## {tinyvgg.__version__}" in (repository / "CHANGELOG.md").read_text()
    for name in ("_config.yml", "_toc.yml"):
        assert (repository / "book" / name).read_bytes() == (repository / name).read_bytes()


def test_every_page_of_the_table_of_contents_is_there_and_every_source_is_a_chapter(repository):
    contents = yaml.safe_load((repository / "_toc.yml").read_text())
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    for name in [contents["root"], *files]:
        assert any((repository / "book" / f"{name}{end}").exists() for end in (".md", ".ipynb"))
    chapters = [name.removeprefix("notebooks/") for name in files if name.startswith("notebooks/")]
    assert chapters == [source.stem for source in notebooks.sources()]


def test_notebooks_of_the_book_are_of_the_sources_as_they_are_now_and_of_no_machine(repository):
    paths = book_notebooks(repository)
    assert [path.stem for path in paths] == [source.stem for source in notebooks.sources()]
    for path, source in zip(paths, notebooks.sources(), strict=True):
        notebook = nbformat.read(path, as_version=4)
        expected = {"source_sha256": notebooks.source_digest(source), **PARAMETERS}
        assert notebook.metadata["tinyvgg"] == expected, f"{path.stem} is stale: run 'make record'"
        nbformat.validate(notebook)
        assert normalise(notebook) == notebook
        refuse_private(notebook, path.stem)
    for path in (repository / "results").glob("*.json"):
        refuse_private(nbformat.v4.new_notebook(metadata=json.loads(path.read_text())), path.name)


def test_committed_numbers_and_claims_are_those_of_the_committed_notebooks(repository):
    found = collect(book_notebooks(repository))
    parameters, numbers = records.read_results(repository / "results" / "quick.json")
    assert parameters == PARAMETERS
    assert numbers == found
    page = (repository / "book" / "claims.md").read_text("utf-8")
    values = {key: number.value for key, number in found.numbers.items()}
    provenance = json.loads((repository / "results" / "quick.json").read_text())["provenance"]
    measured = networks(parameters["profile"], provenance["faces_fingerprint"])
    sized = paper_size.record()["numbers"]
    assert page == claims_page(values, found.verdicts, measured, sized=sized)


def test_reports_are_of_todays_synthetic_faces(repository):
    judged, areas = (
        json.loads((repository / "results" / f"{name}.json").read_text("utf-8"))
        for name in ("judges", "areas")
    )
    made = [(judged["source"], judged), *areas["areas"].items()]
    for source, report in made:
        now = synthfaces.fingerprint(report["size"], 0, synthfaces.difficulty_of(source))
        assert report["fingerprint"] == now, f"{source}: run the tools that write the reports"


def test_what_is_vendored_is_written_down_with_its_licence_and_stays_small(repository):
    folder = repository / "book" / "_extra" / "vendor"
    notes = (folder / "VENDORED.md").read_text()
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "VENDORED.md"]
    for path in files:
        place = path.relative_to(folder)
        listed = any(f"`{part.as_posix()}`" in notes for part in (place, *place.parents))
        assert listed or path.name.startswith("LICENSE"), place
    assert sum(path.stat().st_size for path in files) < 2_000_000
    assert "katex==" in notes
    assert len(list(folder.rglob("LICENSE*"))) == 1
