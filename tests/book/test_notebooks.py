"""Notebooks are converted, executed, normalised, and written whole or not at all."""

import importlib.util
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from papermill.exceptions import PapermillExecutionError

from tinyvgg import cli, paper
from tinyvgg import files as paths
from tinyvgg.book import notebooks
from tinyvgg.book.notebooks import DEFAULTS, WIDGET_VIEW, normalise, refuse_private
from tinyvgg.book.records import collect
from tinyvgg.errors import UserError


def run(source: Path, folder: Path) -> Path:
    target = folder / "out" / f"{source.stem}.ipynb"
    converted = notebooks.convert(source, folder / "converted")
    notebooks.execute(source, converted, target, DEFAULTS)
    return target


def test_a_notebook_is_found_by_number_or_name(workshop):
    for name in ("01", "1", "01_first", "01_first.py", "notebooks/01_first.ipynb"):
        assert notebooks.find(name).name == "01_first.py", name


def test_a_source_has_the_same_hash_whatever_its_line_ends(workshop):
    source = workshop.add("03_third", "1 + 1")
    before = notebooks.source_digest(source)
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert notebooks.source_digest(source) == before
    source.write_text(source.read_text() + "2\n")
    assert notebooks.source_digest(source) != before


def test_roles_are_written_out_for_those_who_open_notebooks_themselves(tmp_path):
    for source in notebooks.sources():
        plain = notebooks.convert(source, tmp_path, plain=True).read_text("utf-8")
        assert not re.search(r"\{(paper|doc|cite:[tp])\}`", plain), source.stem
    source = tmp_path / "01_example.py"
    source.write_text(
        "# %% [markdown]\n# {paper}`t2.subject.errors` by {cite:t}`fang2017` {cite:p}`adebayo2018`;"
        "\n# {doc}`15_causes`, {doc}`the\n# others </notebooks/16_blindness>`\n"
    )
    plain = nbformat.read(notebooks.convert(source, tmp_path, plain=True), as_version=4)
    printed = paper.quantity("t2.subject.errors").text
    cited = "Fang (2017) (Adebayo et al., 2018)"
    assert plain.cells[0].source == f"{printed} by {cited};\n15 causes, the others"


def test_converted_notebooks_are_the_same_every_time_and_without_outputs(workshop):
    first, second = (notebooks.convert(notebooks.find("01"), workshop.root / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    notebook = nbformat.read(first, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_if_the_project_has_an_address_the_first_cell_fetches_it_where_it_lacks(
    workshop, monkeypatch
):
    source, commands = notebooks.find("01"), []
    digest, plain = notebooks.source_digest(source), notebooks.convert(source, workshop.root)
    assert "git" not in plain.read_text()
    settings = "repository: {url: 'https://github.com/ME/IT', branch: trunk}"
    (workshop.root / "_config.yml").write_text(settings)
    assert notebooks.source_digest(source) != digest
    cell = nbformat.read(notebooks.convert(source, workshop.root), as_version=4).cells[0]
    assert "remove-cell" in cell.metadata["tags"]
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    exec(cell.source, {})
    assert commands == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "path", [])
    exec(cell.source, {})
    clone, install = commands
    assert {"git", "clone", "--branch=trunk", "https://github.com/ME/IT"} <= set(clone)
    assert install[-2:] == ["--editable", f"{clone[-1]}[widgets]"]
    assert sys.path == [str(workshop.root / clone[-1])]


def test_code_is_folded_unless_it_teaches(workshop):
    cells = ["1 + 1", '# %% tags=["open"]\n2 + 2', '# %% tags=["hide-cell"]\n3 + 3']
    source = workshop.add("03_third", "\n\n".join(cells))
    notebook = nbformat.read(notebooks.convert(source, workshop.root), as_version=4)
    *_, folded, shown, solution = [cell.metadata["tags"] for cell in notebook.cells]
    assert (folded, shown, solution) == (["hide-input"], ["open"], ["hide-cell"])


def test_a_run_shows_and_records_what_its_parameters_give_and_states_its_facts(
    workshop, prepared, capsys
):
    assert cli.main(["notebook", "01", "-p", "profile", "smoke", "-p", "seed", "2"]) == 0
    said = capsys.readouterr().out.strip()
    target = workshop.root / said.removeprefix("The executed notebook: ")
    assert (
        target == workshop.root / "build" / "executed" / "smoke-synthetic-2-auto" / "01_first.ipynb"
    )
    executed = nbformat.read(target, as_version=4)
    assert "smoke synthetic 2" in executed.cells[-1].outputs[-1].text
    found = collect([target])
    assert found.numbers["t2.subject.accuracy"].value == pytest.approx(0.92)
    assert found.verdicts["B1"].verdict == "inconclusive"
    given = {"profile": "smoke", "faces": "synthetic", "seed": 2, "networks": "auto"}
    source_digest = notebooks.source_digest(notebooks.find("01"))
    assert notebooks.facts(target) == {"source_sha256": source_digest, **given}
    assert prepared == [{**given, "training": False}]


def test_two_runs_with_widgets_and_bars_read_like_the_source_and_are_the_same_bytes(workshop):
    source = notebooks.find("02")
    first = run(source, workshop.root / "a").read_bytes()
    assert run(source, workshop.root / "b").read_bytes() == first
    assert b"widget" not in first.replace(b"ipywidgets", b"")
    assert b"injected-parameters" not in first


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
    names = {path.name for path in target.parent.iterdir()}
    assert names == {"03_third.ipynb", "failed-03_third.ipynb"}


def test_bad_input_that_a_notebook_meets_is_passed_in_its_own_words(workshop, monkeypatch):
    def fail(converted, running, *_, **__):
        Path(running).touch()
        raise PapermillExecutionError(1, 2, "", "UserError", "image a.png cannot be read", [])

    monkeypatch.setattr(papermill, "execute_notebook", fail)
    with pytest.raises(UserError, match=r"^image a\.png cannot be read$"):
        run(notebooks.find("01"), workshop.root)
    assert not list((workshop.root / "out").iterdir())


def test_parameters_are_those_of_the_tagged_cell_alone(workshop):
    source = workshop.add("03_third", "other = 3", "# %%\nprofile = 'none'")
    assert notebooks.defaults(source) == DEFAULTS
    source.write_text("# %%\nprofile = 'none'\n")
    assert notebooks.defaults(source) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sede": 1}, "parameter 'sede' is not one of faces, networks, profile, seed"),
        ({"seed": -1}, "seed -1 is not a whole number from 0 on"),
        ({"profile": "huge"}, "profile 'huge' is not one of smoke, quick, paper"),
    ],
)
def test_papermill_ends_in_one_sentence_where_a_parameter_is_wrong(
    repository, tmp_path, given, said
):
    converted = notebooks.convert(repository / "notebooks" / "17_patching.py", tmp_path)
    done = tmp_path / "done.ipynb"
    with pytest.raises(PapermillExecutionError):
        papermill.execute_notebook(str(converted), str(done), given, progress_bar=False)
    (error,) = (
        output
        for cell in nbformat.read(done, 4).cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    )
    assert error["traceback"] == [said]


def test_results_of_different_parameters_have_different_places():
    places = {
        notebooks.slug({"profile": "quick", "faces": faces, "seed": seed})
        for faces in ("synthetic", "folder:/a/faces", "folder:/b/faces", "folder:/a b/faces")
        for seed in (0, 1)
    }
    assert len(places) == 8
    assert notebooks.slug(DEFAULTS) == "quick-synthetic-0-auto"
    assert all("/" not in place and " " not in place and ":" not in place for place in places)


def test_folders_are_named_alike_in_whatever_order_parameters_are_typed():
    typed = {"networks": "trained", "seed": 1, "faces": "synthetic", "profile": "smoke"}
    assert list(notebooks.check(typed)) == list(DEFAULTS)


@pytest.mark.parametrize(
    ("cell", "needed"),
    [
        ("study.faces", ()),
        ("run = study.run(study.tasks[0])", ("subject",)),
        ("run = study.run(study.tasks[-1])", ("subject", "emotion")),
        ("a, b = study.run(study.tasks[0]), study.run(task, watchers=())", ("subject", "emotion")),
        ("runs = [study.run(task) for task in study.tasks]", ("subject", "emotion")),
    ],
)
def test_the_networks_that_a_source_needs_are_known(workshop, cell, needed):
    assert notebooks.needs(workshop.add("03_third", cell), ("subject", "emotion")) == needed


def test_every_notebook_has_the_same_parameters_with_the_same_defaults(repository, tmp_path):
    for source in sorted((repository / "notebooks").glob(notebooks.PATTERN)):
        assert notebooks.defaults(source) == DEFAULTS, source.name
        found = papermill.inspect_notebook(str(notebooks.convert(source, tmp_path)))
        assert set(found) == set(DEFAULTS), source.name


def test_what_notebooks_depend_on_changes_with_a_report_and_not_with_the_records(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "project", lambda: tmp_path)
    (tmp_path / "results" / "trials").mkdir(parents=True)

    def digest(name, text, **options):
        (tmp_path / "results" / f"{name}.json").write_text(text)
        return notebooks.package_digest(**options)

    without = notebooks.package_digest()
    written, changed = digest("difficulty", "{}"), digest("difficulty", "[]")
    recorded, another = digest("quick", "{}"), digest("judges", "[]")
    assert len({without, written, changed, another}) == 4
    assert recorded == changed
    of_networks = [digest("quick", "{}", results=True)]
    of_networks += [digest(name, "{}", results=True) for name in ("paper", "trials/P2")]
    assert len(set(of_networks)) == 3
    assert digest("trials/P2", "[]") == digest("paper", "[]") == another


def as_run(minute=0):
    """A notebook as a run leaves it; ids and times are of this call."""
    stack, stray = uuid.uuid4().hex, uuid.uuid4().hex
    view = {WIDGET_VIEW: {"model_id": stack}, "text/plain": "Stack()"}
    bar = {WIDGET_VIEW: {"model_id": stray}, "text/plain": f"  {minute}%|   | 0/2 [00:0{minute}]"}
    outputs = [
        new_output("stream", name="stderr", text=f"\r{minute}%|##| 1/2"),
        new_output("stream", name="stdout", text="a\n"),
        new_output("stream", name="stdout", text="b\n"),
        new_output("display_data", data=bar),
        new_output("display_data", data=view),
    ]
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        new_code_cell("1", outputs=outputs, execution_count=1),
        new_code_cell("1", execution_count=2, metadata={"tags": ["hide-input"]}),
    ]
    for cell in cells:
        cell.metadata["papermill"] = {"duration": minute}
    cells[1].metadata["execution"] = {"iopub.status.busy": str(minute)}
    metadata = {
        "papermill": {"start_time": minute},
        "tinyvgg": {"profile": "quick"},
        "language_info": {"name": "python", "version": f"3.11.{minute}"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {stack: {}}}},
    }
    return new_notebook(cells=cells, metadata=metadata)


@pytest.mark.parametrize(
    ("shown", "kept"),
    [({"image/png": "AA=="}, True), ({"text/markdown": "No error."}, False), (None, True)],
)
def test_a_sentence_in_place_of_a_figure_has_no_caption(shown, kept):
    outputs = [] if shown is None else [new_output("display_data", data=shown)]
    figure = {"figure": {"name": "fig-a", "caption": "A figure."}}
    cell = new_code_cell("draw()", outputs=outputs, metadata={"mystnb": figure})
    (made,) = normalise(new_notebook(cells=[cell])).cells
    assert made.metadata.get("mystnb") == (figure if kept else None)
    assert made.outputs == outputs


def test_parameters_of_a_run_are_on_no_page():
    cell = new_code_cell("networks = 'shipped'", metadata={"tags": ["injected-parameters"]})
    made = normalise(new_notebook(cells=[cell]))
    assert made.cells[0].metadata["tags"] == ["injected-parameters", "remove-cell"]
    assert normalise(made) == made


def test_widgets_are_kept_in_words_alone():
    made = normalise(as_run())
    assert "widgets" not in made.metadata
    assert made.cells[1].outputs[-1].data == {"text/plain": "Stack()"}


def test_two_runs_with_the_same_results_are_the_same_bytes(tmp_path):
    for name, notebook in (("a", as_run(1)), ("b", as_run(7))):
        notebooks.write_notebook(normalise(notebook), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_results_complaints_tags_and_own_metadata_are_kept_and_progress_bars_go():
    notebook = as_run()
    complaint = new_output("stream", name="stderr", text="UserWarning: odd\n")
    notebook.cells[2].outputs = [complaint]
    made = normalise(notebook)
    nbformat.validate(made)
    streams = [output.text for output in made.cells[1].outputs if output.output_type == "stream"]
    assert streams == ["a\nb\n"]
    assert made.cells[2].outputs == [complaint]
    assert made.cells[2].metadata == {"tags": ["hide-input"]}
    assert made.metadata["tinyvgg"] == {"profile": "quick"}
    assert made.metadata.kernelspec.name == "python3"
    assert "%|" not in json.dumps(made)


def refuse(data, **metadata):
    cell = new_code_cell("x", outputs=[new_output("display_data", data=data)])
    refuse_private(new_notebook(cells=[cell], metadata=metadata), "03_x")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a /home/someone/a.png", "/home/someone/a.png"),
        ("/tmp/tmpabc", "/tmp/tmpabc"),
        (f"{paths.project()}/x", str(paths.project())),
        ("/Users/someone/x", "/Users/someone/x"),
        ("C:\\Users\\someone", "someone"),
        ("<object at 0x7f00dead>", "at 0x7f00dead"),
    ],
)
def test_what_only_one_machine_has_is_refused_with_its_cell(text, named):
    with pytest.raises(UserError, match=f"notebook 03_x shows .*{named}' in cell 1"):
        refuse({"text/plain": text})
    with pytest.raises(UserError, match=f"{named}' in its metadata"):
        refuse({}, tinyvgg={"faces": text})


def test_relative_paths_and_images_may_be_shown():
    refuse({"text/plain": "build/faces a/home/b 1/2", "image/png": "/Users/aaaa/bbbb"})
