import pytest

from tinyvgg import paper
from tinyvgg.claims import UNTESTED, VERDICTS, Verdict, anchor, claims_page
from tinyvgg.errors import UserError


def all_verdicts(verdict="holds"):
    return {
        claim.id: Verdict(claim.id, verdict, f"reason for {claim.id}.")
        for claim in paper.claims()
        if not claim.out_of_scope_now
    }


def row(page, id):
    """The cells of a claim's row."""
    start = page.index(f"({anchor(id)})=")
    text = page[start:].split("\n* - ", 1)[0].split("\n:::", 1)[0]
    return text.split("\n  - ")


def test_every_claim_has_a_row_with_its_statement_verdict_and_chapter():
    page = claims_page({}, all_verdicts())
    for claim in paper.claims():
        id, what, _, _, judged, chapter = row(page, claim.id)
        assert id.endswith(claim.id)
        assert claim.statement in what
        assert claim.place in what
        assert (claim.note in what) or not claim.note
        assert claim.chapter in chapter
        reason = claim.out_of_scope_now or f"reason for {claim.id}."
        assert judged == f"**{UNTESTED if claim.out_of_scope_now else 'holds'}**: {reason}"


def test_papers_number_and_ours_stand_in_their_columns():
    page = claims_page({"t2.subject.accuracy": 0.9512}, all_verdicts())
    _, _, theirs, ours, _, _ = row(page, "T2")
    assert "identity: test accuracy: 97.55%" in theirs
    assert "emotion: errors: 219" in theirs
    assert ours == "- identity: test accuracy: 95.12%"


def test_numbers_that_the_paper_does_not_print_are_marked_as_computed():
    _, _, theirs, *_ = row(claims_page({}, all_verdicts()), "D1")
    assert "images: 8,040 (computed)" in theirs
    assert "subjects: 67\n" in theirs


def test_numbers_of_the_published_code_are_marked_as_such():
    _, _, theirs, *_ = row(claims_page({}, all_verdicts()), "A1")
    assert "percentile of the cutoff: 90 (published code)" in theirs


def test_our_numbers_go_to_the_claim_that_their_key_begins_with():
    page = claims_page({"s1.subject.common": 12, "s4.emotion.repaired_unique": 34}, all_verdicts())
    assert row(page, "S1")[3] == "- identity: common pixels: 12"
    assert row(page, "S4")[3] == "- emotion: repaired without the unique pixels: 34"
    assert row(page, "S2")[3] == "—"


def test_numbers_may_be_names_and_answers():
    page = claims_page({"m1.subject.worst_subject": "48a", "a1.both.agrees": True}, all_verdicts())
    assert row(page, "M1")[3].endswith("subject with most errors: 48a")
    assert row(page, "A1")[3] == "- agrees: yes"


def reason_shown(reason):
    page = claims_page({}, all_verdicts() | {"B1": Verdict("B1", "holds in part", reason)})
    start = page.index("**holds in part**")
    return page[start:].split("\n  - {doc}", 1)[0]


def test_each_part_of_a_reason_has_a_line_of_its_own():
    shown = reason_shown("✓ one (4; p 0.1); ✗ two; and more; ✓ three")
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines == ["**holds in part**", "- ✓ one (4; p 0.1)", "- ✗ two; and more", "- ✓ three"]


def test_parts_without_marks_are_told_apart_outside_of_brackets():
    shown = reason_shown("cutoff rule: 4 of 8 (a; b); literal rule: 1 of 8")
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines[1:] == ["- cutoff rule: 4 of 8 (a; b)", "- literal rule: 1 of 8"]


def test_the_page_does_not_depend_on_the_order_of_verdicts():
    verdicts = all_verdicts()
    assert claims_page({}, verdicts) == claims_page({}, dict(reversed(verdicts.items())))


def test_verdicts_are_counted():
    verdicts = all_verdicts() | {"B1": Verdict("B1", "does not hold", "It is the other way round.")}
    page = claims_page({}, verdicts)
    assert f"| holds | {len(verdicts) - 1} |" in page
    assert "| does not hold | 1 |" in page
    assert f"| {UNTESTED} | {len(paper.claims()) - len(verdicts)} |" in page


def test_a_missing_verdict_names_the_claim_and_its_notebook():
    verdicts = all_verdicts()
    del verdicts["S3"]
    with pytest.raises(UserError, match=r"claim S3 .*: notebook 07_subject_40 has to record one"):
        claims_page({}, verdicts)


def test_a_claim_out_of_scope_shows_its_verdict_once_it_has_one():
    page = claims_page({}, all_verdicts() | {"P2": Verdict("P2", "holds in part", "Measured.")})
    assert row(page, "P2")[4] == "**holds in part**: Measured."


def test_a_verdict_on_no_claim_is_refused():
    with pytest.raises(UserError, match="no claim 'X1'"):
        claims_page({}, all_verdicts() | {"X1": Verdict("X1", "holds", "x")})


def test_a_number_of_no_claim_is_refused():
    with pytest.raises(UserError, match=r"'x1\.subject\.errors'"):
        claims_page({"x1.subject.errors": 1}, all_verdicts())


def test_only_four_verdicts_are_permitted():
    for verdict in VERDICTS:
        assert Verdict("B1", verdict, "x").verdict == verdict
    with pytest.raises(UserError, match="verdict 'maybe' of B1 is not one of holds, "):
        Verdict("B1", "maybe", "x")


def test_the_page_says_what_ours_were_measured_on():
    page = claims_page({}, all_verdicts(), profile="paper", faces="folder:faces")
    assert "faces called `folder:faces` with the profile `paper`" in page
