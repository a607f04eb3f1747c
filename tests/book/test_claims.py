import re

import pytest

from tinyvgg import paper
from tinyvgg.book.claims import UNTESTED, anchor, claims_page
from tinyvgg.chapters.verdicts import Verdict
from tinyvgg.errors import UserError


def all_verdicts(verdict="holds"):
    return {
        claim.id: Verdict(claim.id, verdict, f"reason for {claim.id}.")
        for claim in paper.claims()
        if not claim.out_of_scope_now
    }


def block(page, id):
    """What the page has about a claim, from its label to the next one."""
    start = page.index(f"({anchor(id)})=")
    return re.split(r"\n\((?=claim-)|\n## ", page[start:])[0]


def numbers_of(page, id):
    """The table of a claim: by quantity the paper's number and ours."""
    rows = [line.strip("| ").split(" | ") for line in block(page, id).splitlines() if "| " in line]
    return {quantity: tuple(values) for quantity, *values in rows[2:]}


def test_every_claim_has_a_block_with_its_statement_verdict_and_chapter():
    page = claims_page({}, all_verdicts())
    for claim in paper.claims():
        _, title, what, judged, *_ = re.split(r"\n+", block(page, claim.id))
        assert title == f"### {claim.id}: {claim.title}"
        assert what.startswith(claim.statement)
        assert claim.place in what
        assert (claim.note in what) or not claim.note
        assert (f"/notebooks/{claim.chapter}>" in what) or not claim.chapter
        reason = claim.out_of_scope_now or f"reason for {claim.id}."
        assert judged == f"**{UNTESTED if claim.out_of_scope_now else 'holds'}**: {reason}"


def test_papers_number_and_ours_stand_in_their_columns():
    found = numbers_of(claims_page({"t2.subject.accuracy": 0.9512}, all_verdicts()), "T2")
    assert found["identity: test accuracy"] == ("97.55%", "95.12%")
    assert found["emotion: errors"] == ("219", "—")


def test_numbers_that_the_paper_does_not_print_are_marked():
    page = claims_page({}, all_verdicts())
    assert numbers_of(page, "D1")["images"] == ("8,040 (computed)", "—")
    assert numbers_of(page, "D1")["subjects"] == ("67", "—")
    assert numbers_of(page, "A1")["percentile of the cutoff"][0] == "90 (published code)"


def test_our_numbers_go_to_the_claim_that_their_key_begins_with():
    page = claims_page({"s1.subject.common": 12, "s4.emotion.repaired_unique": 34}, all_verdicts())
    assert numbers_of(page, "S1")["identity: common pixels"] == ("547", "12")
    repaired = numbers_of(page, "S4")["emotion: repaired without the unique pixels"]
    assert repaired == ("8", "34")


def test_a_claim_without_numbers_has_no_table():
    page = claims_page({}, all_verdicts())
    none = [claim.id for claim in paper.claims() if not numbers_of(page, claim.id)]
    assert none
    assert not any("|" in block(page, id) for id in none)


def reason_shown(reason):
    page = claims_page({}, all_verdicts() | {"B1": Verdict("B1", "holds in part", reason)})
    start = page.index("**holds in part**")
    return page[start:].split("\n|", 1)[0].split("\n(", 1)[0]


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        (
            "✓ one (4; p 0.1); ✗ two; and more; ✓ three",
            ["✓ one (4; p 0.1)", "✗ two; and more", "✓ three"],
        ),
        (
            "cutoff rule: 4 of 8 (a; b); literal rule: 1 of 8",
            ["cutoff rule: 4 of 8 (a; b)", "literal rule: 1 of 8"],
        ),
    ],
)
def test_each_part_of_a_reason_has_a_line_of_its_own(reason, parts):
    lines = [line.strip() for line in reason_shown(reason).splitlines() if line.strip()]
    assert lines == ["**holds in part**", *(f"- {part}" for part in parts)]


def test_verdicts_are_counted():
    verdicts = all_verdicts() | {"B1": Verdict("B1", "does not hold", "It is the other way round.")}
    page = claims_page({}, verdicts)
    assert f"| holds | {len(verdicts) - 1} |" in page
    assert "| does not hold | 1 |" in page
    assert f"| {UNTESTED} | {len(paper.claims()) - len(verdicts)} |" in page


def test_verdicts_and_numbers_fit_the_claims():
    verdicts = all_verdicts()
    with pytest.raises(UserError, match=r"'x1\.subject\.errors'"):
        claims_page({"x1.subject.errors": 1}, verdicts)
    with pytest.raises(UserError, match="'X1'"):
        claims_page({}, verdicts | {"X1": Verdict("X1", "holds", "x")})
    del verdicts["S3"]
    with pytest.raises(UserError, match=r"claim S3 .*07_subject_40"):
        claims_page({}, verdicts)


def test_the_page_says_what_ours_were_measured_on():
    page = claims_page({}, all_verdicts(), profile="paper", faces="folder:faces")
    assert "faces called `folder:faces` with the profile `paper`" in page
