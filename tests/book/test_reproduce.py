"""Going on after an interruption, recording, and comparing with what is committed."""

from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import papermill
import pytest
import yaml
from papermill.exceptions import PapermillExecutionError

from tinyvgg import cli, files
from tinyvgg.book import notebooks, records, reproduce, site, verify
from tinyvgg.book.records import Number, Records
from tinyvgg.chapters import verdicts
from tinyvgg.chapters.verdicts import Verdict
from tinyvgg.errors import UserError
from tinyvgg.training import experiments

QUICK = {"profile": "quick", "faces": "synthetic", "seed": 0, "networks": "shipped"}
FAILS = "1 / 0"
NONE = "nothing was reproduced"


@pytest.fixture(autouse=True)
def executed(monkeypatch):
    """Notebooks run without a kernel, and the first one records; their names are listed."""
    names, recorded = [], []

    def display(data, raw, metadata):
        recorded.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))

    def run(converted, running, changed, **_):
        names.append(Path(converted).stem)
        notebook = nbformat.read(converted, as_version=4)
        if notebook.cells[-1].source == FAILS:
            nbformat.write(notebook, running)
            raise PapermillExecutionError(1, 2, FAILS, "ZeroDivisionError", "", [])
        notebook.cells[-1].outputs = recorded if names[-1] == "01_first" else []
        return notebook

    monkeypatch.setattr(verdicts, "get_ipython", object)
    monkeypatch.setattr(verdicts, "display", display)
    verdicts.record_numbers({"t2.subject.accuracy": 0.9})
    verdicts.record_numbers({"t2.subject.errors": 7})
    verdicts.record_verdict(Verdict("B1", "inconclusive", "it is for a fixture"))
    monkeypatch.setattr(papermill, "execute_notebook", run)
    monkeypatch.setattr(notebooks, "package_digest", lambda **_: "package")
    monkeypatch.setattr(reproduce, "processes", lambda count: ThreadPoolExecutor(1))
    monkeypatch.setattr(reproduce, "claims_page", lambda *given, **about: f"# C\n{given}{about}")
    return names


@pytest.fixture
def root(workshop, prepared):
    return workshop.root / "build" / "reproduce"


def again(root, **changed):
    return reproduce.reproduce({**QUICK, **changed}, root)


def change(name, cell):
    source = notebooks.find(name)
    source.write_text(f"{source.read_text()}\n# %%\n{cell}\n")


def test_what_has_not_changed_is_not_executed_again(executed, root):
    made = again(root)
    assert executed == ["02_second", "01_first"]
    before = [path.read_bytes() for path in made.executed]
    assert again(root) == made
    assert [path.read_bytes() for path in made.executed] == before
    change("02", "1")
    again(root)
    assert executed == ["02_second", "01_first", "02_second"]


def test_what_needs_no_network_or_one_is_done_while_others_are_trained(
    workshop, executed, root, monkeypatch
):
    workshop.add("03_third", "[study.run(task) for task in study.tasks]")
    workshop.add("04_fourth", "study.run(study.tasks[0])")
    weights = {"subject": "a", "emotion": "b"}

    def prepare(parameters, training=True, meanwhile=lambda weights: ()):
        for each in [{}, *({task: weights[task]} for task in weights)] if training else ():
            for work in meanwhile(each):
                work()
            executed.append(" ".join(each))
        return {"fingerprint": "f", **({"weights_sha256": dict(weights)} if training else {})}

    monkeypatch.setattr(reproduce, "prepare", prepare)
    again(root)
    assert executed == ["02_second", "01_first", "", "04_fourth", "subject", "emotion", "03_third"]
    for task, stale in (("emotion", ["03_third"]), ("subject", ["04_fourth", "03_third"])):
        executed.clear()
        weights[task] = "other"
        again(root)
        assert [name for name in executed if name[:1] == "0"] == stale


def test_after_a_failure_what_was_executed_is_kept(workshop, executed, root):
    last = workshop.add("00_last", FAILS)
    with pytest.raises(UserError, match="00_last"):
        again(root)
    with pytest.raises(UserError, match=NONE):
        reproduce.last(root)
    executed.clear()
    workshop.add("00_last", "1 / 1")
    made = again(root)
    assert executed == [last.stem]
    assert reproduce.last(root) == made


def test_a_stale_result_does_not_outlive_a_failure(root):
    again(root)
    change("01", FAILS)
    with pytest.raises(UserError, match="01_first"):
        again(root)
    with pytest.raises(UserError, match=NONE):
        reproduce.last(root)
    (left,) = root.glob("*/notebooks/[0-9]*")
    assert left.stem == "02_second"


def test_faces_that_fail_leave_the_last_reproduction_as_it_was(root, monkeypatch):
    made = again(root)

    def fail(parameters, training):
        raise UserError("image 'a.png' cannot be read")

    monkeypatch.setattr(reproduce, "prepare", fail)
    for seed in (0, 1):
        with pytest.raises(UserError, match="cannot be read"):
            again(root, seed=seed)
        assert reproduce.last(root) == made


def test_the_last_reproduction_is_forgotten_before_its_first_notebook_changes(root, monkeypatch):
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


@pytest.mark.parametrize("content", ["", "3", "{}", '{"folder": "x", "parameters": {}}'])
def test_a_damaged_note_on_the_last_reproduction_counts_as_none(root, content):
    made = again(root)
    (root / reproduce.LAST).write_text(content)
    with pytest.raises(UserError, match=NONE):
        reproduce.last(root)
    assert again(root) == reproduce.last(root) == made


def test_a_run_is_recorded_without_facts_of_this_machine_and_agrees_with_its_record(workshop, root):
    made = again(root)
    reproduce.record(made)
    for path in made.executed:
        notebook = nbformat.read(workshop.root / "book" / "notebooks" / path.name, as_version=4)
        assert set(notebook.metadata["tinyvgg"]) == {"source_sha256", *QUICK}
    assert records.read_results(records.results_path(QUICK)) == (QUICK, made.records)
    assert "t2.subject.errors" in (workshop.root / "book" / "claims.md").read_text()
    outcome = verify.exact()
    assert outcome.passed
    assert "3 of 3" in outcome.line


def test_the_exact_level_executes_the_analysis_each_time_it_is_asked(root, executed):
    reproduce.record(again(root))
    for _ in range(2):  # the second time on what may be another code path of the same machine
        executed.clear()
        assert verify.exact().passed
        assert executed == ["02_second", "01_first"]


def test_other_numbers_and_other_faces_are_found(root, monkeypatch):
    _, _, results = reproduce.record(again(root))
    results.write_text(results.read_text().replace('"value": 7', '"value": 8'))
    outcome = verify.exact()
    assert not outcome.passed
    assert outcome.table.index.tolist() == ["t2.subject.errors"]
    monkeypatch.setattr(reproduce, "prepare", lambda *given, **more: {"fingerprint": "others"})
    outcome = verify.exact()
    assert not outcome.passed
    assert outcome.table.loc["faces"].tolist() == ["fingerprint", "others"]


def test_what_is_recorded_is_executed_with_the_networks_that_ship(root, monkeypatch, executed):
    made, asked = again(root, networks="trained"), []
    with pytest.raises(UserError, match="networks=shipped"):
        reproduce.record(made)
    monkeypatch.setattr(reproduce, "ship", lambda study, anew: asked.append((study, anew)) or [])
    monkeypatch.setattr(experiments, "open_study", lambda **given: SimpleNamespace(**given))
    monkeypatch.setattr(
        reproduce, "draw_overview", lambda study: asked.append((study, None)) or root
    )
    executed.clear()
    assert cli.main(["record", "--anew"]) == 0
    (study, anew), (drawn, _) = asked
    assert drawn.networks == "shipped"
    assert (study.networks, anew, executed) == ("trained", True, ["02_second", "01_first"])
    parameters, _ = records.read_results(records.results_path(QUICK))
    assert parameters["networks"] == "shipped"
    assert reproduce.last(root) == made


def test_results_of_notebooks_that_are_gone_are_removed_and_none_at_all_is_refused(workshop, root):
    made = again(root)
    reproduce.record(made)
    notebooks.find("02").unlink()
    (made.folder / "notebooks" / ".01_first.7.ipynb").touch()  # of an interrupted run
    made = again(root)
    assert [path.name for path in made.executed[0].parent.iterdir()] == ["01_first.ipynb"]
    reproduce.record(made)
    assert [path.stem for path in (workshop.root / "book/notebooks").iterdir()] == ["01_first"]
    notebooks.find("01").unlink()
    with pytest.raises(UserError, match="no notebooks"):
        again(root)


def test_nothing_is_recorded_of_a_path_of_this_machine_or_of_other_faces(workshop, root):
    with pytest.raises(UserError, match="faces 'folder:x' is not recorded"):
        reproduce.record(again(root, faces="folder:x"))
    with pytest.raises(UserError, match="seed 1 is not recorded"):
        reproduce.record(again(root, seed=1))
    workshop.add("03_third", f"print({str(workshop.root / 'x.png')!r})")
    made = again(root)
    before = workshop.files()
    with pytest.raises(UserError, match="notebook 03_third shows .* in cell 2"):
        reproduce.record(made)
    assert workshop.files() == before


DAMAGED = ("", "[]", "3", "{}", '{"nbformat": 4, "cells": 3}', '{"numbers": [], "verdicts": {}}')


def test_a_missing_or_damaged_record_is_named_with_the_way_out(root):
    made = again(root)
    (_, _, results) = reproduce.record(made)
    text = results.read_text()
    damaged = (
        text[:-20],
        text.replace('"value": 7', '"value": [7]'),
        text.replace("inconclusive", "perhaps"),
        text.replace("seed", "s"),
    )
    message = r"quick\.json' is missing or damaged: run 'make record'"
    for content in (None, *DAMAGED, *damaged):
        results.unlink() if content is None else results.write_text(content)
        with pytest.raises(UserError, match=message):
            verify.exact()
    results.with_name("judges.json").write_text("{")
    for name in ("judges", "detectors"):
        with pytest.raises(UserError, match=f"{name}.json' is missing or damaged: .*'git checkout"):
            files.measured(name)


def test_a_damaged_executed_notebook_is_named_with_the_way_out(root):
    made = again(root)
    reproduce.record(made)
    for content in DAMAGED:
        made.executed[0].write_text(content)
        with pytest.raises(UserError, match=r"01_first\.ipynb' is .* damaged: run 'make repro"):
            reproduce.record(made)
        assert len(again(root).records.numbers) == 2
    text = made.executed[0].read_text()
    for part in ('"scrapbook"', '"0.9"'):
        made.executed[0].write_text(text.replace(part, '"x y"'))
        with pytest.raises(UserError, match=r"01_first\.ipynb' is .* damaged"):
            reproduce.record(made)


def test_a_killed_process_is_one_error_with_the_way_out(root, monkeypatch):
    class Killed(ThreadPoolExecutor):
        def submit(self, *_):
            future = Future()
            future.set_exception(BrokenExecutor())
            return future

    monkeypatch.setattr(reproduce, "processes", lambda count: Killed(1))
    with pytest.raises(UserError, match="was killed"):
        again(root)


def test_what_differs_is_missing_new_or_judged_otherwise_is_found():
    same = {"t2.a.float": Number(0.5, 0.1), "t2.a.large": Number(5000.0), "t2.a.name": Number("x")}
    moved = {"t2.a.float": Number(0.50009, 0.09995), "t2.a.large": Number(5000.5)}
    table = records.differences(Records(same), Records({**same, **moved}))
    assert table["same"].all()
    values = {"sign": -0.5, "count": 7, "mean": 0.5, "set": "0f" * 8, "gone": 1}
    others = {"sign": 0.5, "count": 8, "mean": 0.501, "set": "0e" * 8, "new": 1}
    before, after = (
        {f"t2.a.{name}": Number(value) for name, value in side.items()} for side in (values, others)
    )
    before["t2.a.error"], after["t2.a.error"] = Number(0.5, 0.1), Number(0.5, 0.11)
    judged = {claim: Verdict(claim, "supported", "") for claim in ("B1", "B2", "A1")}
    other = {"B1": Verdict("B1", "contradicted", ""), "A1": Verdict("A1", "supported", "too")}
    table = records.differences(Records(before, judged), Records(after, other))
    assert table.loc[table["same"], "number"].tolist() == ["verdict A1"]
    assert len(table) == 10


def test_the_table_has_the_papers_number_beside_ours_and_tells_chosen_cases_from_all():
    numbers = {
        "t2.subject.accuracy": Number(0.9),
        "b1.emotion.pixels_cutoff": Number(123.4),
        "d1.both.subjects": Number(67),
    }
    names = ("cases", "repaired_unique", "all_cases", "all_repaired_unique")
    numbers |= {f"s4.emotion.{name}": Number(place) for place, name in enumerate(names)}
    table = records.headlines(numbers)
    assert list(table.itertuples(name=None)) == [
        ("identity: test accuracy", "97.55%", "90.00%"),
        ("emotion: mean backtracked cells, published cutoff", "188", "123.4"),
        ("emotion: pairs shown", "8", "0"),
        ("emotion: repaired without the unique cells, pairs shown", "8", "1"),
        ("emotion: all errors with a look-alike", "—", "2"),
        ("emotion: repaired without the unique cells, all errors", "—", "3"),
    ]
    assert "Empty" not in records.aligned(records.headlines({}))
    header, *lines = records.aligned(table).splitlines()
    assert header.split() == ["quantity", "paper", "ours"]
    assert len({len(line) for line in (header, *lines)}) == 1


def test_the_site_of_other_faces_is_signed_and_shows_nothing_that_they_lack(
    workshop, root, monkeypatch
):
    (workshop.root / "book" / "intro.md").write_text(
        "# Book\n\n## What came out\n\n{glue:text}`notebooks/01_first.ipynb::t9.subject.lost:.0f`\n"
    )
    (workshop.root / "_config.yml").write_text("parse: {}\nhtml: {}\n")
    (workshop.root / "_toc.yml").write_text("root: intro\n")
    monkeypatch.setattr(site, "build", lambda book, target, strict: book)
    book = reproduce.build_site(again(root, faces="folder:/somewhere/photographs"))
    intro = (book / "intro.md").read_text()
    assert "glue" not in intro
    assert "| identity: test accuracy | 97.55% | 90.00% |" in intro
    assert "`folder:photographs`" in intro
    assert "folder photographs" in (book / "_config.yml").read_text()
    assert "somewhere" not in (book / "claims.md").read_text() + intro


def test_what_a_check_asks_for_is_there_after_the_command_of_the_readme(
    workshop, executed, prepared, repository, capsys
):
    """The site has the pages that are no chapters; chapters are executed without a kernel."""
    manifest = yaml.safe_load((repository / "codecheck.yml").read_text("utf-8"))["manifest"]
    for source in notebooks.sources():
        source.unlink()
    for source in (repository / "notebooks").glob("0*.py"):
        workshop.add(source.stem, "1")
    contents = yaml.safe_load((repository / "_toc.yml").read_text("utf-8"))
    pages = [part for part in contents["parts"] if part["chapters"][0]["file"] == "claims"]
    (workshop.root / "_toc.yml").write_text(yaml.safe_dump({**contents, "parts": pages}))
    (workshop.root / "_config.yml").write_text("parse: {}\nhtml: {}\n")
    for name in (contents["root"], "disagreements"):
        (workshop.root / "book" / f"{name}.md").write_text("# Page\n")
    assert cli.main(["reproduce"]) == 0, capsys.readouterr().err
    missing = [each["file"] for each in manifest if not (workshop.root / each["file"]).is_file()]
    assert missing == []
