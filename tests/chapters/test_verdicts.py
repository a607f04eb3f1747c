"""How parts weigh up to a verdict, and what notebooks record and pages read back."""

import nbformat
import numpy as np
import pytest
import torch
from myst_nb.ext.glue import extract_glue_data_cell

from tests.helpers.made_up import made_up_faces, made_up_run, sentence
from tinyvgg.book.records import Number, collect
from tinyvgg.chapters import verdicts
from tinyvgg.chapters.verdicts import Part, Verdict, record_numbers, weigh
from tinyvgg.errors import UserError


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook's cell would show."""
    outputs = []

    def display(data, raw, metadata):
        assert raw
        outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))

    monkeypatch.setattr(verdicts, "get_ipython", object)
    monkeypatch.setattr(verdicts, "display", display)
    return outputs


def notebook(tmp_path, outputs, name="01_a.ipynb"):
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    path = tmp_path / name
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_a_claim_holds_where_all_of_its_parts_do():
    for met, expected in (
        ([True, True], "holds"),
        ([True, False], "holds in part"),
        ([False, 0.5], "holds in part"),
        ([np.False_, False], "does not hold"),
    ):
        assert weigh("B1", [Part(share, "fact") for share in met]).verdict == expected


def test_the_reason_marks_what_is_met_and_what_is_not():
    parts = [Part(True, "a"), Part(0.5, "b"), Part(False, "c", marked=False)]
    assert weigh("B1", parts).reason == "✓ a; ✗ b; c"
    assert weigh("B1", "no errors") == Verdict("B1", "cannot be tested here", "no errors")


@pytest.mark.parametrize("of", [lambda run: run, lambda run: [run], lambda run: run.faces])
def test_what_needs_columns_runs_where_the_source_has_them_and_names_what_it_lacks(of):
    @verdicts.needs("angle", "sex", "subject")
    def draw(source):
        return "drawn"

    assert draw(of(made_up_run(made_up_faces(), "subject"))) == "drawn"
    missing = draw(of(made_up_run(made_up_faces(kind="folder"), "class")))
    assert "angle, sex or subject" in sentence(missing)
    assert verdicts.whole(missing) is missing
    index = made_up_faces(kind="folder").index
    assert "which emotion an image" in verdicts.lacking(index, "class", "emotion")
    assert verdicts.lacking(index, "class") == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.25, 0.25), (np.int64(7), 7), (torch.tensor(2.5), 2.5), (True, True), ("sad", "sad")],
)
def test_a_recorded_number_is_read_back_with_its_tolerance(displayed, tmp_path, value, expected):
    record_numbers({"t2.subject.accuracy": value}, tolerance=0.1)
    found = collect([notebook(tmp_path, displayed)]).numbers
    assert found == {"t2.subject.accuracy": Number(expected, 0.1)}
    assert type(found["t2.subject.accuracy"].value) is type(expected)


def test_recorded_verdicts_are_read_back_and_pages_know_all_keys(displayed, tmp_path):
    for value in (None, float("nan"), np.inf):  # there was nothing to measure
        record_numbers({"t2.subject.accuracy": value})
    record_numbers({"t2.subject.errors": 1})
    table = verdicts.conclude([Verdict("B1", "does not hold", "more <errors>")])
    found = collect([notebook(tmp_path, displayed)])
    assert found.verdicts == {"B1": Verdict("B1", "does not hold", "more <errors>")}
    assert found.glued == {output.metadata["scrapbook"]["name"] for output in displayed}
    assert "more &lt;errors&gt;" in table.data
    glued = dict(extract_glue_data_cell(nbformat.v4.new_code_cell("", outputs=displayed)))
    assert glued["t2.subject.errors"]["data"]["text/plain"] == "1"


def test_what_is_no_key_no_number_or_no_verdict_is_refused(displayed):
    for key in ("accuracy", "T2.subject.accuracy", "t2.accuracy", "t2.a b.c", "t2.a.b c"):
        with pytest.raises(UserError, match=key):
            record_numbers({key: 1})
    with pytest.raises(UserError, match=r"t2\.subject\.errors.*\[1, 2\]"):
        record_numbers({"t2.subject.errors": [1, 2]})
    with pytest.raises(UserError, match="'maybe'"):
        Verdict("B1", "maybe", "who knows")


def test_a_key_that_two_notebooks_record_is_refused(displayed, tmp_path):
    record_numbers({"t2.subject.errors": 1})
    both = [notebook(tmp_path, displayed, name) for name in ("01_a.ipynb", "02_b.ipynb")]
    with pytest.raises(UserError, match="02_b.ipynb"):
        collect(both)


def test_numbers_agree_within_the_committed_tolerance():
    for committed, fresh, agrees in (
        (Number(0.9, 0.02), 0.915, True),
        (Number(0.9, 0.02), 0.93, False),
        (Number(0.9, 0.02), 0.87, False),
        (Number(5), 6, False),
        (Number("sad", 1.0), "happy", False),
        (Number(5, 9.0), "5", False),
    ):
        assert committed.agrees(Number(fresh, tolerance=100.0)) is agrees
