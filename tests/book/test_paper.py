"""The paper's numbers agree with each other; tables and the claims page show them beside ours."""

import re
from math import isclose

import numpy as np
import pandas as pd
import pytest

from tinyvgg import paper
from tinyvgg.book import records
from tinyvgg.book.claims import claims_page
from tinyvgg.chapters.statistics import NONE, Networks
from tinyvgg.chapters.verdicts import Verdict, judge
from tinyvgg.errors import UserError
from tinyvgg.paper import number


def numbers(claim: str, *names: str) -> list[float]:
    """Return several numbers under ``claim.task``."""
    return [number(f"{claim}.{name}") for name in names]


@pytest.mark.parametrize(("task", "claim"), [("subject", "m1"), ("emotion", "m2")])
def test_table_2_adds_up(task, claim):
    errors, train, test = numbers(f"t2.{task}", "errors", "train_size", "test_size")
    assert round(1 - errors / test, 4) == number(f"t2.{task}.accuracy")
    by_angle = numbers(f"{claim}.{task}", "errors_45", "errors_90", "errors_135")
    assert sum(by_angle) == number(f"{claim}.{task}.errors") == errors
    assert train + test == number("d2.both.images")


def test_design_multiplies_out_to_the_counts_of_images():
    subjects, emotions, gazes, angles, each = numbers(
        "d1.both", "subjects", "emotions", "gazes", "angles", "images_per_subject"
    )
    assert emotions * gazes * angles == each
    assert subjects * each == number("d1.both.images")
    assert angles - 2 == number("d2.both.angles")
    assert subjects * emotions * gazes * number("d2.both.angles") == number("d2.both.images")


def test_identity_split_fills_its_cells():
    cells, size, chosen = numbers("d3.subject", "cells", "images_per_cell", "train_per_cell")
    assert cells == number("d1.both.subjects") * number("d2.both.angles")
    assert size == number("d1.both.emotions") * number("d1.both.gazes")
    assert cells * chosen == number("d3.subject.train") == number("t2.subject.train_size")
    assert cells * (size - chosen) == number("d3.subject.test") == number("t2.subject.test_size")


def test_emotion_split_of_table_and_of_text_both_use_every_image():
    cells, size, train, test, of_text = numbers(
        "d4.emotion",
        *("cells", "images_per_cell", "train_per_cell", "test_per_cell", "train_per_cell_text"),
    )
    assert cells == number("d1.both.emotions") * number("d2.both.angles")
    assert size == number("d1.both.subjects") * number("d1.both.gazes") == train + test
    assert [cells * train, cells * test] == numbers("d4.emotion", "train", "test")
    assert cells * of_text == number("d4.emotion.train_text")
    assert sum(numbers("d4.emotion", "train_text", "test_text")) == number("d2.both.images")


def test_last_maps_follow_from_table_1():
    table = paper.table1()
    side = number("t1.both.size")
    for stride in table[table["layer"] == "max-pool"]["stride"]:
        side //= stride
    assert side == number("t1.both.last_size")
    assert side**2 * table["maps"].dropna().iloc[-1] == number("t1.both.last_pixels")


def test_the_first_case_study_agrees_with_itself():
    right, wrong, common = numbers("s1.subject", "pixels_right", "pixels_wrong", "common")
    assert number("s1.subject.unique_wrong") == wrong - common
    assert number("s1.subject.jaccard") == round(common / (right + wrong - common), 4)
    before, after = (
        sum(numbers("s2.subject", f"wrong_{when}_predicted", f"wrong_{when}_true"))
        for when in ("before", "after")
    )
    assert before <= 1
    assert isclose(number("s2.subject.wrong_after_elsewhere"), 1 - after, rel_tol=1e-6)


def test_table_3_agrees_with_itself():
    table = paper.table3()
    cases = table.groupby("case")
    assert len(cases) == number("t3.emotion.cases")
    assert (cases[["before", "after"]].sum().sub(1).abs() < 1e-3).all(axis=None)
    assert cases[["predicted", "true"]].sum().eq(1).all(axis=None)
    assert not (table["predicted"] & table["true"]).any()
    assert number("s4.emotion.repaired_unique") == table["true"].sum()
    before, after = (
        cases[when].agg(lambda values: (values == values.min()).sum())
        for when in ("before", "after")
    )
    assert after.min() == number("t3.emotion.fewest_equal_after")
    assert after.max() == number("t3.emotion.most_equal_after")
    assert (before > 1).sum() == number("t3.emotion.rows_equal_before")


def test_a_misspelt_key_is_refused_with_its_neighbours_and_one_of_no_claim():
    for key in ("q9.subject.x", "t2.accuracy"):
        with pytest.raises(UserError, match=f"'{key}' is not claim.task.name"):
            paper.compare([("x", key, 1)])
    with pytest.raises(UserError, match=r"'t2\.subject\.acuracy': .* t2\.subject\.accuracy"):
        number("t2.subject.acuracy")


def test_every_number_has_a_label_a_unit_and_a_place_and_every_claim_a_chapter():
    for key, about in paper.load().numbers.items():
        assert all((about.label, about.unit, about.place)), key
        assert about.value is not None, key
    for claim in paper.claims():
        assert claim.kind in ("shown", "asserted"), claim.id
        assert bool(claim.tests) == (claim.kind == "asserted"), claim.id
        assert bool(claim.rule) == bool(claim.tests), claim.id
        assert (claim.kind == "asserted") == any(test.central for test in claim.tests), claim.id
        assert all(paper.number(test.number) for test in claim.tests if test.within), claim.id
        assert claim.chapter, claim.id


def test_every_number_belongs_to_a_claim_and_every_test_compares_a_number_of_its_claim_once():
    known = paper.load()
    assert {paper.claim_of(key) for key in [*known.numbers, *known.ours]} <= set(known.claims)
    for claim in paper.claims():
        for test in claim.tests:
            asked = [test.above, test.below, test.least, test.within or None]
            assert sum(each is not None for each in asked) == 1, test
            assert paper.claim_of(test.number) == claim.id, test


def test_compare_sets_the_papers_number_beside_ours_with_a_dash_for_what_there_is_not():
    table = paper.compare(
        [
            ("accuracy", "t2.subject.accuracy", 0.9512, (0.94, 0.96)),
            ("errors", "t2.subject.errors", 1234),
            ("pixels", "b1.emotion.pixels", 70.25),
            ("literal", "b1.subject.pixels_literal", 1731.04),
            ("errors", "t2.subject.errors", None),
            ("errors", "t2.subject.errors", float("nan")),
            ("", "m1.subject.errors_45", 1),
            ("", "t2.class.accuracy", 0.5),
        ]
    )
    misclassified = "Preliminary evaluation, misclassified cases"
    assert list(table) == ["quantity", "paper", "ours", "95 % interval", "place in the paper"]
    assert table.to_numpy().tolist() == [
        ["accuracy", "97.55%", "95.12%", "94.00 to 96.00%", "Table 2"],
        ["errors", "59", "1,234", "—", misclassified],
        ["pixels", "188", "70.2", "—", "Visualization of the feature maps"],
        ["literal", "—", "1,731.0", "—", "—"],
        ["errors", "59", "—", "—", misclassified],
        ["errors", "59", "—", "—", misclassified],
        ["identity: errors at 45°", "17", "1", "—", misclassified],
        ["class: test accuracy", "—", "50.00%", "—", "—"],
    ]


class Three:
    """Three networks, two of which have some errors."""

    def __len__(self):
        return 3

    def values(self, key):
        known = {"t2.subject.errors": [50, 54], "t2.subject.accuracy": [0.95, 0.97, 0.96]}
        return np.array(known.get(key, [])), np.zeros(len(known.get(key, [])))


def test_compare_has_a_column_of_networks_where_there_are_any():
    rows = [("", f"t2.subject.{name}", 1) for name in ("errors", "accuracy", "classes")]
    table = paper.compare(rows, Three())
    assert list(table)[3:] == ["95 % interval", "3 networks", "place in the paper"]
    assert table["3 networks"].tolist() == ["52.0 ± 2.8", "96.00 ± 1.00%", "—"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9755, "percent", "97.55%"),
        (48, "name", "48"),
        (45, "degrees", "45°"),
        (1024, "pixels", "1024"),
        (25088, "count", "25,088"),
        (0.71131, "share", "0.711"),
        (0.000123456, "probability", "0.000123"),
        (70.26, "mean", "70.3"),
        (0.01, "value", "0.01"),
        (12345.678, "", "12,345.7"),
        (3.0, "", "3"),
        (None, "percent", "—"),
    ],
)
def test_units_decide_how_a_value_is_shown(value, unit, text):
    assert paper.show(value, unit) == text


def test_no_two_quantities_of_a_claim_and_task_have_the_same_label():
    known = {**paper.load().ours, **paper.load().numbers}
    names = [(key.rsplit(".", 1)[0], about.label) for key, about in known.items()]
    assert len(names) == len(set(names))


def test_every_number_that_is_committed_has_a_label():
    for key in records.read_results(records.results_path({"profile": "quick"}))[1].numbers:
        assert paper.describe(key).unit, key


def all_verdicts(networks=NONE):
    shown = [claim for claim in paper.claims() if claim.kind == "shown"]
    made = {claim.id: Verdict(claim.id, "shown", f"for {claim.id}.") for claim in shown}
    return judge(networks) | made


def ten(**numbers):
    """Ten networks whose numbers lie closely around the given ones."""
    rows = [
        {"seed": str(seed), "quantity": key, "value": str(value), "error": "0"}
        for key, centre in numbers.items()
        for seed, value in enumerate(np.random.default_rng(0).normal(centre, 0.01, 10))
    ]
    return Networks(pd.DataFrame(rows))


def block(page, id):
    """What the page has about a claim, from its label to the next one."""
    start = page.index(f"(claim-{id.lower()})=")
    return re.split(r"\n\((?=claim-)|\n## ", page[start:])[0]


def table_of(page, id):
    """The table of a claim: by quantity the paper's number, this run's, and the networks'."""
    rows = [line.strip("| ").split(" | ") for line in block(page, id).splitlines() if "| " in line]
    return {quantity: tuple(values) for quantity, *values in rows[2:]}


def test_every_claim_has_a_block_with_its_statement_rule_verdict_and_chapter():
    page = claims_page({}, all_verdicts())
    outcomes = {"shown": "shown", "asserted": "not testable here"}
    for claim in paper.claims():
        _, title, what, *rest = re.split(r"\n+", block(page, claim.id))
        assert title == f"### {claim.id}: {claim.title}"
        assert what.startswith(claim.statement)
        assert claim.place in what
        assert (claim.note in what) or not claim.note
        assert (f"/notebooks/{claim.chapter}>" in what) or not claim.chapter
        assert (rest[0] == f"*Rule.* {claim.rule}") == bool(claim.rule)
        judged = rest[1 if claim.rule else 0]
        assert judged.startswith(f"**{outcomes[claim.kind]}**")


def test_the_page_begins_with_what_became_of_the_claims_about_networks():
    key = "s1.subject.jaccard_all"
    networks = ten(**{key: 0.7, "f10.subject.excess": -0.3, "t3.emotion.share_right": 0.99})
    page = claims_page({}, all_verdicts(networks), networks, profile="paper", faces="folder:faces")
    answer = page[: page.index("## How the claims are judged")]
    assert "profile `paper`, faces `folder:faces`" in answer
    names = re.findall("## (.+)", answer)
    assert names == ["Supported", "Contradicted", "Not testable here"]
    parts = answer.split("\n- ")
    lines = {id: part for part in parts for id in re.findall(r"<claim-(\w+)>", part)}
    assert set(lines) == {claim.id.lower() for claim in paper.claims() if claim.tests}
    assert re.search(r"true of 10 of 10 networks; .+: 0.7.+ \(asserted: above 0.5\)", lines["s1"])
    assert re.search(r"true of 0 of 10 networks; .+: -0.+ \(asserted: above 0\)", lines["f10"])
    assert answer.index("claim-s1") < answer.index("claim-f10") < answer.index("claim-t2")


def test_the_papers_number_this_runs_and_the_networks_stand_in_their_columns():
    ours = {"t2.subject.accuracy": 0.9512, "s4.emotion.repaired_unique": 34}
    ours |= {"d3.subject.twins": 0.8, "s1.subject.jaccard_all": 0.75}
    networks = ten(**{"t2.subject.accuracy": 0.9, "s1.subject.jaccard_all": 0.7})
    page = claims_page(ours, all_verdicts(networks), networks)
    assert table_of(page, "T2")["identity: test accuracy"] == ("97.55%", "95.12%", "90.08 ± 0.78%")
    assert table_of(page, "T2")["emotion: errors"] == ("219", "—", "—")
    assert table_of(page, "F8")["identity: errors"] == ("59", "—", "—")
    repeated = claims_page({"t2.subject.errors": 53}, all_verdicts())
    assert table_of(repeated, "F8")["identity: errors"] == ("59", "53")
    twins = paper.describe("d3.subject.twins").full_label
    assert table_of(page, "T2")[twins] == table_of(page, "D3")[twins] == ("—", "80.00%", "—")
    assert table_of(page, "D1")["images"] == ("8,040 (computed)", "—", "—")
    assert table_of(page, "A1")["percentile of the cutoff"][0] == "90 (published code)"
    repaired = table_of(page, "S4")["emotion: repaired without the unique cells"]
    assert repaired == ("8", "34", "—")
    assert "this run 0.75" in block(page, "S1")
    none = [claim.id for claim in paper.claims() if not table_of(page, claim.id)]
    assert none
    assert not any("|" in block(page, id) for id in none)
    assert "networks |" not in claims_page(ours, all_verdicts())


def test_a_claim_lists_its_parts_the_central_ones_first():
    page = claims_page({}, all_verdicts(ten(**{"t3.emotion.share_right_literal": 0.2})))
    outcomes = re.findall(r"(?m)^- \*(.+)\*: ", block(page, "T3"))
    assert outcomes == ["not testable here", "contradicted"]
    assert block(page, "T3").index("<summary>Listed") < block(page, "T3").rindex("contradicted")


def test_verdicts_and_numbers_fit_the_claims():
    verdicts = all_verdicts()
    with pytest.raises(UserError, match=r"'x1\.subject\.errors'"):
        claims_page({"x1.subject.errors": 1}, verdicts)
    with pytest.raises(UserError, match="'X1'"):
        claims_page({}, verdicts | {"X1": Verdict("X1", "supported", "x")})
    del verdicts["S3"]
    with pytest.raises(UserError, match=r"claim S3 .*07_subject_40"):
        claims_page({}, verdicts)
