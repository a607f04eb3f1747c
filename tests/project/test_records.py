"""What notebooks record, and how it is read back."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from myst_nb.ext.glue import extract_glue_data_cell

from tinyvgg.chapters import verdicts as records
from tinyvgg.chapters.verdicts import (
    Number,
    collect,
    numbers,
    record_number,
    record_verdict,
    verdicts,
)
from tinyvgg.errors import UserError


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook's cell would show."""
    outputs = []

    def display(data, raw, metadata):
        assert raw
        outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))

    monkeypatch.setattr(records, "get_ipython", object)
    monkeypatch.setattr(records, "display", display)
    return outputs


def notebook(tmp_path: Path, outputs: list, name: str = "01_a.ipynb") -> Path:
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    path = tmp_path / name
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (0.25, 0.25),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (torch.tensor(2.5), 2.5),
        (True, True),
        ("sad", "sad"),
    ],
)
def test_a_recorded_number_is_read_back_with_its_tolerance(displayed, tmp_path, value, expected):
    record_number("t2.subject.accuracy", value, tolerance=0.1)
    found = numbers(notebook(tmp_path, displayed))
    assert found == {"t2.subject.accuracy": Number(expected, 0.1)}
    assert type(found["t2.subject.accuracy"].value) is type(expected)


@pytest.mark.parametrize("value", [None, float("nan"), np.inf])
def test_nothing_is_recorded_where_there_was_nothing_to_measure(displayed, value):
    record_number("t2.subject.accuracy", value)
    assert displayed == []


def test_a_recorded_verdict_is_read_back_with_its_reason(displayed, tmp_path):
    record_verdict("B1", "does not hold", "the other way round")
    (found,) = verdicts(notebook(tmp_path, displayed)).values()
    assert (found.claim, found.verdict, found.reason) == (
        "B1", "does not hold", "the other way round",
    )  # fmt: skip


def test_pages_know_the_keys_of_numbers_and_of_verdicts(displayed, tmp_path):
    record_number("t2.subject.errors", 1)
    record_verdict("B1", "holds", "it does")
    glued = {output.metadata["scrapbook"]["name"] for output in displayed}
    assert collect([notebook(tmp_path, displayed)]).glued == glued


def test_pages_find_recorded_numbers_as_glue(displayed):
    record_number("t2.subject.accuracy", 0.25)
    cell = nbformat.v4.new_code_cell("", outputs=displayed)
    ((key, output),) = extract_glue_data_cell(cell)
    assert key == "t2.subject.accuracy"
    assert output["data"]["text/plain"] == "0.25"


def test_numbers_are_recorded_silently_outside_notebooks(capsys):
    record_number("t2.subject.accuracy", 0.25)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("key", ["accuracy", "T2.subject.accuracy", "t2.accuracy", "t2.a b.c"])
def test_keys_of_another_form_are_refused(displayed, key):
    with pytest.raises(UserError, match=r"claim\.task\.name"):
        record_number(key, 1)


def test_values_that_are_no_number_are_refused(displayed):
    with pytest.raises(UserError, match=r"t2\.subject\.errors"):
        record_number("t2.subject.errors", [1, 2])


def test_unknown_verdicts_are_refused(displayed):
    with pytest.raises(UserError, match="'maybe'"):
        record_verdict("B1", "maybe", "who knows")


def test_a_key_that_two_notebooks_record_is_refused(displayed, tmp_path):
    record_number("t2.subject.errors", 1)
    both = [notebook(tmp_path, displayed, name) for name in ("01_a.ipynb", "02_b.ipynb")]
    with pytest.raises(UserError, match="02_b.ipynb"):
        collect(both)


@pytest.mark.parametrize(
    ("committed", "fresh", "agrees"),
    [
        (Number(0.9, 0.02), 0.915, True),
        (Number(0.9, 0.02), 0.93, False),
        (Number(0.9, 0.02), 0.87, False),
        (Number(5), 5, True),
        (Number(5), 6, False),
        (Number("sad", 1.0), "happy", False),
        (Number(5, 9.0), "5", False),
    ],
)
def test_numbers_agree_within_the_committed_tolerance(committed, fresh, agrees):
    assert committed.agrees(Number(fresh, tolerance=100.0)) is agrees
