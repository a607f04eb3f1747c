"""Notebooks are converted, checked, executed, and written whole or not at all."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from tinyvgg import files as paths
from tinyvgg.book import notebooks
from tinyvgg.chapters.verdicts import collect
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import DEFAULTS


def run(source: Path, folder: Path, **changed) -> Path:
    target = folder / "out" / f"{source.stem}.ipynb"
    converted = notebooks.convert(source, folder / "converted")
    notebooks.execute(source, converted, target, {**DEFAULTS, **changed}, {"extra": "fact"})
    return target


@pytest.mark.parametrize("name", ["01", "1", "01_first", "01_first.py", "notebooks/01_first.ipynb"])
def test_a_notebook_is_found_by_number_or_name(workshop, name):
    assert notebooks.find(name).name == "01_first.py"


def test_a_source_has_the_same_hash_whatever_its_line_ends(workshop):
    source = workshop.add("03_third", "1 + 1")
    before = notebooks.source_digest(source)
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert notebooks.source_digest(source) == before
    source.write_text(source.read_text() + "2\n")
    assert notebooks.source_digest(source) != before


def test_converted_notebooks_are_the_same_every_time_and_without_outputs(workshop):
    (first,) = (notebooks.convert(notebooks.find("01"), workshop.root / name) for name in "a")
    (second,) = (notebooks.convert(notebooks.find("01"), workshop.root / name) for name in "b")
    assert first.read_bytes() == second.read_bytes()
    notebook = nbformat.read(first, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_a_run_with_the_defaults_reads_like_the_source_and_records_its_facts(workshop):
    target = run(notebooks.find("01"), workshop.root)
    executed = nbformat.read(target, as_version=4)
    assert not any(
        "injected-parameters" in cell.metadata.get("tags", []) for cell in executed.cells
    )
    assert "quick synthetic 0" in executed.cells[-1].outputs[-1].text
    assert collect([target]).numbers["t2.subject.accuracy"].value == 0.9
    assert notebooks.facts(target) == {
        "source_sha256": notebooks.source_digest(notebooks.find("01")), **DEFAULTS, "extra": "fact",
    }  # fmt: skip


def test_two_runs_give_the_same_bytes_with_widgets_and_progress_bars(workshop):
    source = notebooks.find("02")
    first = run(source, workshop.root / "a").read_bytes()
    assert run(source, workshop.root / "b").read_bytes() == first
    assert b"LinkModel" in first
    assert b"FloatProgressModel" not in first


def test_a_failed_run_leaves_the_old_result_and_says_where_it_failed(workshop):
    source = workshop.add("03_third", "record = 1", "1 / 0")
    target = workshop.root / "out" / "03_third.ipynb"
    target.parent.mkdir()
    target.write_text("old")
    message = r"03_third failed in cell 3 with ZeroDivisionError.*failed-03_third\.ipynb"
    with pytest.raises(UserError, match=message) as caught:
        run(source, workshop.root)
    assert "\n" not in str(caught.value)
    assert target.read_text() == "old"
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "03_third.ipynb", "failed-03_third.ipynb",
    ]  # fmt: skip


def test_bad_input_that_a_notebook_meets_is_told_in_its_own_words(workshop):
    raising = "from tinyvgg.errors import UserError\nraise UserError('image a.png cannot be read')"
    source = workshop.add("03_third", raising)
    with pytest.raises(UserError, match=r"^image a\.png cannot be read$"):
        run(source, workshop.root)
    assert not list((workshop.root / "out").iterdir())


def test_parameters_are_those_of_the_tagged_cell_alone(workshop):
    source = workshop.add("03_third", "other = 3", "# %%\nprofile = 'none'")
    assert notebooks.defaults(source) == DEFAULTS
    source.write_text("# %%\nprofile = 'none'\n")
    assert notebooks.defaults(source) == {}


def test_results_of_different_parameters_have_different_places():
    places = {
        notebooks.slug({"profile": "quick", "faces": faces, "seed": seed})
        for faces in ("synthetic", "folder:/a/faces", "folder:/b/faces", "folder:/a b/faces")
        for seed in (0, 1)
    }
    assert len(places) == 8
    assert notebooks.slug(DEFAULTS) == "quick-synthetic-0"
    assert all("/" not in place and " " not in place and ":" not in place for place in places)


def test_papermill_itself_runs_a_converted_notebook(workshop):
    converted = notebooks.convert(notebooks.find("01"), workshop.build / "notebooks")
    command = [sys.executable, "-m", "papermill", str(converted), "out.ipynb", "-p", "seed", "2"]
    subprocess.run(command, check=True, cwd=workshop.root, capture_output=True)
    assert collect([workshop.root / "out.ipynb"]).numbers[
        "t2.subject.accuracy"
    ].value == pytest.approx(0.92)


def test_sources_that_need_trained_networks_are_told_apart(workshop):
    assert not notebooks.trains(notebooks.find("01"))
    assert notebooks.trains(workshop.add("03_third", "run = study.run('subject')"))


def test_every_notebook_has_the_three_parameters_with_the_same_defaults(repository, tmp_path):
    for source in sorted((repository / "notebooks").glob(notebooks.PATTERN)):
        converted = notebooks.convert(source, tmp_path)
        assert notebooks.defaults(source) == DEFAULTS, source.name
        found = papermill.inspect_notebook(str(converted))
        assert json.dumps(sorted(found)) == json.dumps(sorted(DEFAULTS))


def test_what_notebooks_depend_on_changes_with_a_report_and_not_with_the_records(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "project", lambda: tmp_path)
    (tmp_path / "results").mkdir()
    digests = [notebooks.package_digest()]
    for name, text in (
        ("difficulty.json", "{}"),
        ("difficulty.json", "[]"),
        ("quick.json", "{}"),
        ("judges.json", "[]"),
    ):
        (tmp_path / "results" / name).write_text(text)
        digests.append(notebooks.package_digest())
    missing, written, changed, recorded, another = digests
    assert len({missing, written, changed, another}) == 4
    assert recorded == changed
