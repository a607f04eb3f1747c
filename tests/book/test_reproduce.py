"""Going on after an interruption, recording, and comparing with what is committed."""

import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from tinyvgg.book import notebooks, records, reproduce, site
from tinyvgg.chapters import verdicts
from tinyvgg.chapters.verdicts import Number, Records, Verdict
from tinyvgg.errors import UserError

QUICK = {"profile": "quick", "faces": "synthetic", "seed": 0}


@pytest.fixture(autouse=True)
def executed(monkeypatch):
    """Notebooks run here, without a kernel; the list has the names of those that did."""
    names = []

    def run(converted, running, changed, **others):
        names.append(Path(converted).stem)
        notebook = nbformat.read(converted, as_version=4)
        try:
            _run_cells(notebook, changed, monkeypatch)
        except ZeroDivisionError as error:
            nbformat.write(notebook, running)
            raise PapermillExecutionError(1, 2, "", type(error).__name__, "", []) from error
        return notebook

    monkeypatch.setattr(papermill, "execute_notebook", run)
    monkeypatch.setattr(notebooks, "package_digest", lambda: "package")
    monkeypatch.setattr(reproduce, "workers", lambda count: ThreadPoolExecutor(1))
    return names


def _run_cells(notebook, changed, monkeypatch):
    values = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            with monkeypatch.context() as patch:
                patch.setattr(verdicts, "get_ipython", object)
                patch.setattr(verdicts, "display", partial(_display, cell))
                printed = io.StringIO()
                with redirect_stdout(printed):
                    exec(cell.source, values)
            if "parameters" in cell.metadata.get("tags", []):
                values.update(changed)
            if printed.getvalue():
                text = nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())
                cell.outputs.append(text)


def _display(cell, data, raw, metadata):
    cell.outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))


@pytest.fixture
def claims_page(monkeypatch):
    """A claims page that asks for no verdicts."""

    def page(numbers, verdicts, profile, faces):
        return f"# Claims\n{dict(numbers)} {sorted(verdicts)} {profile} {faces}\n"

    monkeypatch.setattr(reproduce, "claims_page", page)


@pytest.fixture
def root(workshop):
    return workshop.build / "reproduce"


def again(root, **changed):
    return reproduce.reproduce({**QUICK, **changed}, root)


def test_unchanged_notebooks_are_not_executed_again(workshop, prepared, executed, root):
    made = again(root)
    assert executed == ["01_first", "02_second"]
    before = [path.read_bytes() for path in made.executed]
    executed.clear()
    assert again(root) == made
    assert executed == []
    assert [path.read_bytes() for path in made.executed] == before


def test_a_changed_source_is_executed_again_and_no_other(workshop, prepared, executed, root):
    again(root)
    executed.clear()
    source = notebooks.find("02")
    source.write_text(source.read_text() + "\n# %%\n1\n")
    again(root)
    assert executed == ["02_second"]


def test_after_a_failure_what_was_executed_is_kept(workshop, prepared, executed, root):
    third = workshop.add("03_third", "1 / 0")
    with pytest.raises(UserError, match="03_third"):
        again(root)
    with pytest.raises(UserError, match="nothing was reproduced"):
        reproduce.last(root)
    executed.clear()
    workshop.add("03_third", "1 / 1")
    made = again(root)
    assert executed == [third.stem]
    assert reproduce.last(root) == made


def test_a_stale_result_does_not_outlive_a_failure(workshop, prepared, root):
    again(root)
    source = notebooks.find("01")
    source.write_text(source.read_text() + "\n# %%\n1 / 0\n")
    with pytest.raises(UserError, match="01_first"):
        again(root)
    with pytest.raises(UserError, match="nothing was reproduced"):
        reproduce.last(root)
    (left,) = root.glob("*/notebooks/[0-9]*")
    assert left.stem == "02_second"


def test_faces_that_fail_leave_the_last_reproduction_as_it_was(
    workshop, prepared, root, monkeypatch
):
    made = again(root)

    def fail(parameters):
        raise UserError("image 'a.png' cannot be read")

    monkeypatch.setattr(reproduce, "prepare", fail)
    for seed in (0, 1):
        with pytest.raises(UserError, match="cannot be read"):
            again(root, seed=seed)
        assert reproduce.last(root) == made


def test_the_last_reproduction_is_forgotten_before_its_first_notebook_changes(
    workshop, prepared, executed, root, monkeypatch
):
    again(root)
    seen = []
    execute = notebooks.execute

    def watched(*given):
        seen.append((root / reproduce.LAST).exists())
        execute(*given)

    monkeypatch.setattr(notebooks, "execute", watched)
    again(root)
    assert seen == []
    reproduce.reproduce(QUICK, root, fresh=True)
    assert seen == [False, False]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "3",
        "{}",
        '{"folder": "quick-synthetic-0", "parameters": []}',
        '{"folder": "quick-synthetic-0", "parameters": {}}',
        json.dumps({"folder": 3, "parameters": QUICK}),
    ],
)
def test_a_damaged_note_on_the_last_reproduction_counts_as_none(workshop, prepared, root, content):
    made = again(root)
    (root / reproduce.LAST).write_text(content)
    with pytest.raises(UserError, match="nothing was reproduced"):
        reproduce.last(root)
    assert again(root) == reproduce.last(root) == made


def test_results_of_notebooks_that_are_gone_are_removed(workshop, prepared, root):
    again(root)
    notebooks.find("02").unlink()
    assert [path.stem for path in again(root).executed] == ["01_first"]


def test_without_notebooks_there_is_nothing_to_reproduce(workshop, prepared, root):
    shutil.rmtree(workshop.notebooks)
    with pytest.raises(UserError, match="no notebooks"):
        again(root)


def test_what_is_recorded_is_the_run_without_facts_of_this_machine(
    workshop, prepared, claims_page, root
):
    made = again(root)
    reproduce.record(made)
    for path in made.executed:
        notebook = nbformat.read(workshop.root / "book" / "notebooks" / path.name, as_version=4)
        assert set(notebook.metadata["tinyvgg"]) == {"source_sha256", *QUICK}
    assert records.read_results(records.results_path(QUICK)) == (QUICK, made.records)
    assert "t2.subject.errors" in (workshop.root / "book" / "claims.md").read_text()


def test_notebooks_of_the_book_whose_source_is_gone_are_removed(
    workshop, prepared, claims_page, root
):
    reproduce.record(again(root))
    notebooks.find("02").unlink()
    reproduce.record(again(root))
    assert [path.stem for path in (workshop.root / "book/notebooks").iterdir()] == ["01_first"]


def test_nothing_is_recorded_when_a_notebook_shows_a_path_of_this_machine(
    workshop, prepared, claims_page, root
):
    workshop.add("03_third", f"print({str(workshop.root / 'x.png')!r})")
    made = again(root)
    before = workshop.files()
    with pytest.raises(UserError, match="notebook 03_third shows .* in cell 2"):
        reproduce.record(made)
    assert workshop.files() == before


def test_other_faces_are_never_recorded(workshop, prepared, photographs, root):
    made = again(root, faces=f"folder:{photographs}")
    with pytest.raises(UserError, match="are not recorded"):
        reproduce.record(made)


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"numbers": [], "verdicts": {}}'])
def test_a_damaged_record_is_said(workshop, prepared, root, content):
    made = again(root)
    records.results_path(QUICK).parent.mkdir()
    records.results_path(QUICK).write_text(content)
    with pytest.raises(UserError, match=r"quick\.json' is missing or damaged: run 'make record'"):
        reproduce.verify(made)


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"nbformat": 4, "cells": 3}'])
def test_a_damaged_executed_notebook_is_said(workshop, prepared, claims_page, root, content):
    made = again(root)
    reproduce.record(made)
    made.executed[0].write_text(content)
    for use in (reproduce.record, reproduce.verify):
        with pytest.raises(UserError, match=r"01_first\.ipynb' is .* damaged: run 'make repro"):
            use(made)
    assert len(again(root).records.numbers) == 2


def test_numbers_of_other_parameters_are_not_compared(workshop, prepared, claims_page, root):
    reproduce.record(again(root))
    with pytest.raises(UserError, match="seed 1"):
        reproduce.verify(again(root, seed=1))


def test_a_run_verifies_against_its_own_record(workshop, prepared, claims_page, root):
    made = again(root)
    reproduce.record(made)
    rows = reproduce.verify(made)
    assert rows["number"].tolist() == ["t2.subject.accuracy", "t2.subject.errors", "verdict B1"]
    assert rows["within"].all()


def test_what_is_out_of_tolerance_missing_new_or_not_judged_is_found():
    before = Records(
        {"t2.a.kept": Number(1.0, 0.1), "t2.a.moved": Number(1.0, 0.1), "t2.a.gone": Number(1)},
        {"B1": Verdict("B1", "holds", ""), "B2": Verdict("B2", "holds", "")},
    )
    after = Records(
        {"t2.a.kept": Number(1.05), "t2.a.moved": Number(1.2), "t2.a.new": Number(1)},
        {"B1": Verdict("B1", "does not hold", "")},
    )
    table = records.differences(before, after)
    assert dict(zip(table["number"], table["within"], strict=True)) == {
        "t2.a.kept": True,
        "t2.a.moved": False,
        "t2.a.gone": False,
        "t2.a.new": False,
        "verdict B1": True,
        "verdict B2": False,
    }


def test_the_table_has_the_papers_number_beside_ours():
    numbers = {
        "t2.subject.accuracy": Number(0.9),
        "b1.emotion.pixels_cutoff": Number(123.4),
        "d1.both.subjects": Number(67),
    }
    table = records.headlines(numbers)
    assert table.to_numpy().tolist() == [["97.55%", "90.00%"], ["188", "123.4"]]
    header, *lines = records.aligned(table).splitlines()
    assert header.split() == ["quantity", "paper", "ours"]
    assert len({len(line) for line in (header, *lines)}) == 1


def test_the_table_tells_chosen_cases_from_all_errors():
    names = ("cases", "repaired_unique", "all_cases", "all_repaired_unique")
    numbers = {f"s4.emotion.{name}": Number(place) for place, name in enumerate(names)}
    assert list(records.headlines(numbers).itertuples(name=None)) == [
        ("emotion: pairs shown", "8", "0"),
        ("emotion: repaired without the unique pixels, pairs shown", "8", "1"),
        ("emotion: all errors with a look-alike", "—", "2"),
        ("emotion: repaired without the unique pixels, all errors", "—", "3"),
    ]


def test_the_facts_of_a_damaged_result_are_none(tmp_path):
    for content in ("", "{}", '{"metadata": 3}', json.dumps({"metadata": {"tinyvgg": {"a": 1}}})):
        (tmp_path / "x.ipynb").write_text(content)
        expected = {"a": 1} if "tinyvgg" in content else {}
        assert notebooks.facts(tmp_path / "x.ipynb") == expected


def test_the_site_of_other_faces_is_signed_and_shows_nothing_that_they_lack(
    workshop, prepared, claims_page, photographs, root, monkeypatch
):
    (workshop.root / "book" / "intro.md").write_text(
        "# Book\n\n## What came out\n\n{glue:text}`notebooks/01_first.ipynb::t9.subject.lost:.0f`\n"
    )
    settings = {"_config.yml": "parse: {}\nhtml: {}\n", "_toc.yml": "root: intro\n"}
    for name, content in settings.items():
        (workshop.root / name).write_text(content)
    monkeypatch.setattr(site, "build", lambda book, target, strict: book)
    book = reproduce.build_site(again(root, faces=f"folder:{photographs}"))
    intro = (book / "intro.md").read_text()
    assert "glue" not in intro
    assert "| identity: test accuracy | 97.55% | 90.00% |" in intro
    assert "`folder:photographs`" in intro
    assert "folder photographs" in (book / "_config.yml").read_text()
    assert str(photographs) not in (book / "claims.md").read_text() + intro
