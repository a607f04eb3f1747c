"""What networks decide about claims, and what notebooks record and pages read back."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from myst_nb.ext.glue import extract_glue_data_cell

from tests.helpers.made_up import made_up_faces
from tinyvgg import files, paper
from tinyvgg.book.records import Number, collect
from tinyvgg.chapters import as_html, verdicts
from tinyvgg.chapters.statistics import Estimate, Networks
from tinyvgg.chapters.statistics import networks as of
from tinyvgg.chapters.verdicts import Verdict, judge, record_numbers
from tinyvgg.errors import UserError
from tinyvgg.training.experiments import Study, open_study


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


def networks(**numbers):
    """Networks that have numbers, the same for several keys: by key, with dots as underscores."""
    rows = [
        {"seed": str(seed), "quantity": key, "value": str(value), "error": "0.0"}
        for key, values in numbers.items()
        for seed, value in enumerate(values)
    ]
    return Networks(pd.DataFrame(rows, columns=["seed", "quantity", "value", "error"]))


def around(centre, count=10, spread=0.01):
    return np.random.default_rng(0).normal(centre, spread, count)


S1, T3 = "s1.subject.jaccard_all", "t3.emotion.share_right"


@pytest.mark.parametrize(
    ("claim", "numbers", "expected"),
    [
        ("S1", {S1: around(0.7)}, "supported"),
        ("S1", {S1: around(0.3)}, "contradicted"),
        ("S1", {S1: around(0.5)}, "inconclusive"),
        ("S1", {S1: np.ones(10)}, "supported"),
        ("S1", {S1: np.full(10, 0.5)}, "inconclusive"),
        ("S1", {S1: around(0.7, 4)}, "not testable here"),
        ("S1", {}, "not testable here"),
        ("T3", {T3: np.ones(5)}, "supported"),
        ("T3", {T3: [*np.ones(9), 0.875]}, "inconclusive"),
        ("T3", {T3: around(0.5)}, "contradicted"),
        ("T2", {"t2.subject.errors": [50, 64, 57, 71, 60]}, "not testable here"),
    ],
)
def test_networks_decide_about_a_claim(claim, numbers, expected):
    assert judge(networks(**numbers))[claim].verdict == expected


@pytest.mark.parametrize(
    ("identity", "emotion", "expected"),
    [
        (0.3, 0.3, "supported"),
        (0.3, 0.5, "inconclusive"),
        (0.5, 0.7, "contradicted"),
        (0.7, None, "contradicted"),
        (0.3, None, "not testable here"),
    ],
)
def test_a_claim_stands_or_falls_with_its_central_tests(identity, emotion, expected):
    numbers = {"a1.subject.jaccard_literal": around(identity)}
    numbers |= {"a1.emotion.jaccard_literal": around(emotion)} if emotion else {}
    numbers |= {"a1.subject.jaccard_cutoff": around(0.9)}  # not central
    found = judge(networks(**numbers))["A1"]
    assert found.verdict == expected
    assert found.parts[2][1].verdict == "contradicted"


def test_the_papers_number_is_in_the_range_of_networks_or_not_whatever_else_is_tested():
    like = [50, 64, 57, 71, 60, 55]
    for identity, emotion, expected in (
        (like, [210, 230, 219, 225, 204, 221], "supported"),
        (like, [120, 130, 119, 125, 104, 121], "contradicted"),
    ):
        numbers = {"t2.subject.errors": identity, "t2.emotion.errors": emotion}
        found = judge(networks(**numbers))["T2"]
        assert found.verdict == expected
        assert judge(networks(**numbers, **{S1: around(0.7)}))["T2"] == found
    # 59 of the paper is exceeded by three of the six
    assert "more than the paper's 59 in 3 of 6 networks" in verdicts.as_markdown(found, {})


def test_a_sign_turns_the_verdict_and_p_values_are_corrected_for_all_tests():
    key, others = "f10.subject.excess", {S1: around(0.5), T3: around(0.5, spread=1)}
    effect = around(0.03, spread=0.02)
    for sign, verdict, agreeing in ((1, "supported", 10), (-1, "contradicted", 0)):
        found = judge(networks(**{key: sign * effect}))["F10"]
        assert (found.verdict, found.results[0].agreeing) == (verdict, agreeing)
        more = judge(networks(**{key: sign * effect}, **others))["F10"].results[0]
        assert more.p == pytest.approx(3 * found.results[0].p)
        assert more.low == found.results[0].low


def test_nothing_is_decided_by_fewer_networks_than_a_test_takes():
    tests = [test for claim in paper.claims() for test in claim.tests]
    few = {test.number: around(0.3, test.networks - 1) for test in tests}
    for verdict in judge(networks(**few)).values():
        assert verdict.verdict == "not testable here"
        assert "tinyvgg seeds" in verdict.reason
    enough = {test.number: around(0.3, test.networks) for test in tests}
    found = {verdict.verdict for verdict in judge(networks(**enough)).values()}
    assert "not testable here" not in found


def test_a_table_has_one_row_of_headers_and_all_of_its_text():
    long = "word " * 40
    table = pd.DataFrame({"a": [1, 2], "b": [long, "<b>"]}, index=pd.Index([3, 4], name="row"))
    several = pd.concat({"x": table}, names=["of"])
    for each, headers in (
        (table, "row a b"),
        (several, "of row a b"),
        (several.reset_index(), "of row a b"),
    ):
        shown = as_html(each)
        head = shown.partition("<tbody>")[0]
        assert head.count("<tr") == 1
        assert re.findall(r"<th>(.*?)</th>", head) == headers.split()
        assert long.strip() in shown
        assert "&lt;b&gt;" in shown


def test_what_a_source_lacks_is_named():
    columns, index = ("angle", "sex", "subject"), made_up_faces(kind="folder").index
    assert verdicts.lacking(made_up_faces().index, *columns) == ""
    assert "angle, sex or subject" in verdicts.lacking(index, *columns)
    assert "which emotion an image" in verdicts.lacking(index, "class", "emotion")
    assert verdicts.lacking(index, "class") == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.25, 0.25), (np.int64(7), 7), (torch.tensor(2.5), 2.5), (True, True), ("sad", "sad")],
)
def test_a_recorded_number_is_read_back(displayed, tmp_path, value, expected):
    record_numbers({"t2.subject.accuracy": value})
    found = collect([notebook(tmp_path, displayed)]).numbers
    assert found == {"t2.subject.accuracy": Number(expected)}
    assert type(found["t2.subject.accuracy"].value) is type(expected)


def a_study(monkeypatch, measured, faces=None):
    """A study of faces on which several networks were measured."""
    monkeypatch.setattr(verdicts, "networks_of", lambda study: measured)
    monkeypatch.setattr(Study, "faces", faces or made_up_faces())
    return open_study("smoke", "synthetic", 0)


def test_recorded_verdicts_are_read_back_and_pages_know_all_keys(displayed, tmp_path, monkeypatch):
    for value in (None, float("nan"), np.inf):  # there was nothing to measure
        record_numbers({"s1.subject.common": value})
    record_numbers({S1: Estimate(0.625, 0.02)})
    study = a_study(monkeypatch, networks(**{S1: around(0.7)}))
    shown = verdicts.conclude(study, "S1", F9="<b> and c differ").data
    found = collect([notebook(tmp_path, displayed)])
    assert found.verdicts["S1"].verdict == "supported"
    assert found.verdicts["S1"] == judge(networks(**{S1: around(0.7)}))["S1"]
    assert found.numbers == {S1: Number(0.625, 0.02)}
    assert found.verdicts["F9"] == Verdict("F9", "shown", "<b> and c differ")
    assert found.glued == {output.metadata["scrapbook"]["name"] for output in displayed}
    assert shown.index(paper.claim("S1").rule) < shown.index("**supported**")
    assert "true of 10 of 10 networks" in shown
    assert verdicts.CORRECTED in shown
    assert "asserted: above 0.5" in shown
    assert "this run 0.625" in shown
    assert shown.index("F9") < shown.index("S1"), "the paper's order"
    assert r"\<b\> and c" in shown
    glued = dict(extract_glue_data_cell(nbformat.v4.new_code_cell("", outputs=displayed)))
    assert glued[S1]["data"]["text/plain"] == "0.625"


def test_a_claim_about_what_a_source_lacks_says_so(monkeypatch):
    study = a_study(monkeypatch, networks(), made_up_faces(kind="folder"))
    assert "which emotion an image shows" in verdicts.conclude(study, "S4").data
    assert "tinyvgg seeds" in verdicts.conclude(a_study(monkeypatch, networks()), "S4").data


@pytest.mark.parametrize(("asserted", "shown"), [(["F9"], {}), ([], {"S1": "x"})])
def test_only_claims_with_tests_are_judged_and_others_are_not(monkeypatch, asserted, shown):
    with pytest.raises(UserError, match=[*asserted, *shown][0]):
        verdicts.conclude(a_study(monkeypatch, networks()), *asserted, **shown)


def test_networks_of_a_study_are_those_of_its_profile_and_faces(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "results", lambda: tmp_path)
    monkeypatch.setattr(files, "build", lambda: tmp_path)
    assert len(of("quick", "1e5")) == 0
    columns = "faces,fingerprint,profile,seed,quantity,value,error,runs,made_with"
    rows = ["1e5,quick,0,{},0.5,0.1", "1e5,quick,1,{},0.7,", "1e5,paper,2,{},0.9,0"]
    rows += ["100000,quick,3,{},0.9,0", "1e5,quick,1,t2.subject.worst,sad,0"]
    (tmp_path / "seeds.csv").write_text(
        "\n".join([columns, *(f"synthetic,{row.format(S1)},a b,torch 2" for row in rows)])
    )
    (tmp_path / "seeds").mkdir()
    more = ["1e5,quick,1,{},9,0", "1e5,quick,12,{},0.2,0.3"]  # seed 1 is known already
    (tmp_path / "seeds" / "more.csv").write_text(
        "\n".join([columns, *(f"synthetic,{row.format(S1)},a b,torch 2" for row in more)])
    )
    found = of("quick", "1e5")
    assert len(found) == 3
    values, errors = found.values(S1)
    assert sorted(zip(values, errors, strict=True)) == [(0.2, 0.3), (0.5, 0.1), (0.7, 0.0)]
    assert len(found.values("t2.subject.worst")[0]) == len(found.values("no.such.key")[0]) == 0


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
