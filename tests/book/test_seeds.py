"""The table of what several networks have in common: made once, resumed, renewed by seeds."""

from concurrent.futures import Executor, Future
from contextlib import contextmanager

import nbformat
import pandas as pd
import papermill
import pytest

from tinyvgg import cli, files
from tinyvgg.book import seeds
from tinyvgg.book.records import Number, Records
from tinyvgg.chapters import verdicts
from tinyvgg.chapters.statistics import read_tables
from tinyvgg.training.experiments import open_study

ACCURACY = "t2.class.accuracy"


class Inline(Executor):
    """Does each job at once, in this process."""

    def submit(self, do, *given):
        future = Future()
        try:
            future.set_result(do(*given))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def command(workshop, draw_photographs, monkeypatch):
    """One notebook of each seed, which records the seed and an accuracy without a kernel."""
    outputs = []

    def display(data, raw, metadata):
        outputs[:] = [nbformat.v4.new_output("display_data", data=data, metadata=metadata)]

    def run(converted, running, changed, **_):
        notebook = nbformat.read(converted, as_version=4)
        if "assert seed" in notebook.cells[-1].source and not changed.get("seed"):
            raise ValueError("no seed")
        verdicts.record_numbers({ACCURACY: 1 / (3 + changed.get("seed", 0))})
        notebook.cells[-1].outputs = list(outputs)
        return notebook

    @contextmanager
    def inline(count, threads):
        yield Inline()

    monkeypatch.setattr(verdicts, "get_ipython", object)
    monkeypatch.setattr(verdicts, "display", display)
    monkeypatch.setattr(papermill, "execute_notebook", run)
    monkeypatch.setattr(seeds, "NUMERIC", ("02",))
    monkeypatch.setattr(seeds.sweeps, "processes", inline)
    faces = f"folder:{draw_photographs(workshop.root / 'photographs')}"
    return ["seeds", "--profile", "smoke", "--faces", faces, "--seeds"]


def test_each_seed_is_trained_and_analysed_once_and_has_its_rows(command, workshop, capsys):
    path = workshop.root / "build" / "seeds" / "seeds.csv"
    assert cli.main([*command, "0"]) == 0
    said = capsys.readouterr().out
    assert "1 networks, 0 of them trained" in said
    assert "the other 1 take about" in said
    assert set(pd.read_csv(path)["seed"]) == {0}
    assert cli.main([*command, "0,1"]) == 0
    assert "2 networks, 1 of them trained" in capsys.readouterr().out
    table = pd.read_csv(path)
    assert table.columns.tolist() == seeds.COLUMNS
    assert dict(zip(table["seed"], table["value"], strict=True)) == {0: 1 / 3, 1: 1 / 4}
    assert set(table["quantity"]) == {ACCURACY}
    for seed, name in enumerate(table["runs"]):
        study = open_study("smoke", command[4], seed, progress=False)
        assert name == study.run("class").name
        assert table["fingerprint"][seed] == study.faces.fingerprint
        assert "threads 1" in table["made_with"][seed]
    before, times = path.read_bytes(), [each.stat() for each in workshop.root.rglob("02*.ipynb")]
    assert cli.main([*command, "1"]) == 0
    assert path.read_bytes() == before
    assert [each.stat() for each in workshop.root.rglob("02*.ipynb")] == times


def test_what_fails_is_named_and_the_other_seeds_have_their_rows(command, workshop, capsys):
    workshop.add("02_second", "assert seed")
    assert cli.main([*command, "0,1"]) == cli.JOBS_FAILED
    assert "failed: class, seed 0, notebook=02: ValueError: no seed" in capsys.readouterr().err
    assert set(pd.read_csv(workshop.root / "build" / "seeds" / "seeds.csv")["seed"]) == {1}


def test_a_seed_takes_the_place_of_its_rows_and_new_faces_that_of_the_old(tmp_path):
    path = tmp_path / "seeds.csv"
    about = {"profile": "quick", "runs": "a b", "made_with": "torch"}

    def keep(faces, fingerprint, seed, value):
        facts = {"faces": faces, "fingerprint": fingerprint, "seed": seed}
        seeds.write(path, {**about, **facts}, Records({"t2.a.b": Number(value, 0.25)}))
        table = read_tables([path, tmp_path / "none.csv"])
        return list(zip(table["faces"], table["seed"], table["value"], strict=True))

    keep("synthetic", "f", 10, 0.1)
    keep("other", "g", 2, "sad")
    kept = [("other", "2", "sad"), ("synthetic", "2", "7"), ("synthetic", "10", "0.1")]
    assert keep("synthetic", "f", 2, 7) == kept
    kept[1] = ("synthetic", "2", "8")
    assert keep("synthetic", "f", 2, 8) == kept
    assert keep("synthetic", "new", 2, 9) == [kept[0], ("synthetic", "2", "9")]


def test_the_committed_table_is_of_the_usual_faces_alone(workshop):
    assert seeds.table_path("quick", "synthetic").parent == files.results()
    for asked in (("smoke", "synthetic"), ("quick", "synthetic:crop=head")):
        assert seeds.table_path(*asked).is_relative_to(files.build())
