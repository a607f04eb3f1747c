"""The claims page: each claim of the paper, its number, ours, and what became of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from tinyvgg import paper
from tinyvgg.chapters.verdicts import VERDICTS, Verdict
from tinyvgg.errors import UserError
from tinyvgg.paper import NOTHING, Claim, Number, Value, show

UNTESTED = "not tested yet"
PUBLISHED_CODE = "published code"
MARKS = frozenset("✓✗")
"""Begin the parts of a reason that were met and those that were not."""
PARTS_MARKED = re.compile(r"; (?=[✓✗])")
PARTS = re.compile(r"; (?![^(]*\))")


def claims_page(
    numbers: Mapping[str, Value],
    verdicts: Mapping[str, Verdict],
    profile: str = "quick",
    faces: str = "synthetic",
) -> str:
    """The page as MyST markdown, the same text for the same records.

    Args:
        numbers: our quantities by key; those whose key begins with a claim's id are shown with it.
        verdicts: by claim id; claims that are out of scope for now need none.
        profile: that our numbers were measured with.
        faces: that our numbers were measured on.

    Raises:
        UserError: if a claim has no verdict, or a verdict or a number belongs to no claim.
    """
    claims = paper.claims()
    _check(claims, numbers, verdicts)
    ours = [_ours(key, value) for key, value in numbers.items()]
    sections = [
        _section(part, [_block(claim, ours, verdicts.get(claim.id)) for claim in group])
        for part, group in groupby(claims, key=lambda claim: claim.part)
    ]
    return "\n".join([_introduction(profile, faces), _summary(claims, verdicts), *sections])


def _check(
    claims: Iterable[Claim], numbers: Mapping[str, Value], verdicts: Mapping[str, Verdict]
) -> None:
    for id in verdicts:
        paper.claim(id)
    for key in numbers:
        paper.describe(key)
    for claim in claims:
        if claim.id not in verdicts and not claim.out_of_scope_now:
            raise UserError(
                f"claim {claim.id} ({claim.title}) has no verdict: "
                f"notebook {claim.chapter} has to record one"
            )


def _introduction(profile: str, faces: str) -> str:
    source = f"{{cite:t}}`{paper.load().source['citation']}`"
    return f"""\
# The claims and what became of them

Everything that {source} shows or asserts, in our words: where it stands in the paper, the
paper's numbers, ours, and a verdict. The paper's numbers were measured on photographs, ours on the
faces called `{faces}` with the profile `{profile}`. Where these are synthetic, a difference between
the two says something about the faces as well as about the claim, and a verdict speaks of these
faces only. *Computed* marks numbers that the paper does not print and that follow from those it
does, *published code* those that only the author's code has. The *literal rule* is Algorithm 1 as
printed, the *published cutoff* the rule of that code, which ours follow where nothing else is said.
In a verdict, ✓ is a part of the claim that is met and ✗ one that is not. Counts that are not whole
are means over random draws. The build writes this page from what the notebooks record; nothing is
typed in by hand.
"""


def _summary(claims: Iterable[Claim], verdicts: Mapping[str, Verdict]) -> str:
    reached = [_outcome(claim, verdicts.get(claim.id)) for claim in claims]
    lines = [f"| {outcome} | {reached.count(outcome)} |" for outcome in (*VERDICTS, UNTESTED)]
    return "\n".join(["| verdict | claims |", "| --- | ---: |", *lines, ""])


def _section(part: str, blocks: Iterable[str]) -> str:
    return "\n".join([f"## {part}\n", *blocks])


def _block(claim: Claim, ours: list[Number], verdict: Verdict | None) -> str:
    """A claim: what it is, what became of it, and its numbers."""
    mine = {about.key: about for about in ours if about.claim == claim.id}
    title = f"({anchor(claim.id)})=\n### {claim.id}: {claim.title}"
    reason = verdict.reason if verdict else claim.out_of_scope_now
    judged = _judged(_outcome(claim, verdict), reason)
    return "\n\n".join([title, _what(claim), judged, *_beside(claim, mine)]) + "\n"


def anchor(id: str) -> str:
    """The label of a claim, for links from other pages."""
    return f"claim-{id.lower()}"


def _what(claim: Claim) -> str:
    note = f" *{claim.note}*" if claim.note else ""
    return f"{claim.statement}.{note} ({'; '.join([claim.place, *_chapters(claim)])})"


def _chapters(claim: Claim) -> list[str]:
    names = [name for name in (claim.chapter, *claim.also) if name]
    links = ", ".join(f"{{doc}}`{name[:2]} </notebooks/{name}>`" for name in names)
    return [f"chapter {links}"] if len(names) == 1 else [f"chapters {links}"] if names else []


def _outcome(claim: Claim, verdict: Verdict | None) -> str:
    return verdict.verdict if verdict else UNTESTED


def _judged(outcome: str, reason: str) -> str:
    """The outcome and why; a reason of several parts becomes a list."""
    between = PARTS_MARKED if MARKS & set(reason) else PARTS
    first, *others = between.split(reason)
    if not others:
        return f"**{outcome}**: {first}"
    return "\n".join([f"**{outcome}**\n", *(f"- {part}" for part in (first, *others))])


def _ours(key: str, value: Value) -> Number:
    return replace(paper.describe(key), key=key, value=value)


def _beside(claim: Claim, ours: Mapping[str, Number]) -> list[str]:
    """The paper's numbers beside ours, a line for each quantity; nothing where there are none."""
    theirs = {key: about for key, about in paper.load().numbers.items() if about.claim == claim.id}
    lines = [_line(theirs.get(key), ours.get(key)) for key in {**theirs, **ours}]
    header = ["| quantity | paper | ours |", "| --- | ---: | ---: |"]
    return ["\n".join([*header, *lines])] if lines else []


def _line(theirs: Number | None, ours: Number | None) -> str:
    about = theirs or ours
    assert about is not None
    printed = theirs.text + _origin(theirs) if theirs else NOTHING
    measured = show(ours.value, ours.unit) if ours else NOTHING
    cells = [cell.replace("|", r"\|") for cell in (about.full_label, printed, measured)]
    return f"| {' | '.join(cells)} |"


def _origin(about: Number) -> str:
    if about.derived:
        return " (computed)"
    return " (published code)" if about.place == PUBLISHED_CODE else ""


class PaperNumber(SphinxRole):
    """Shows the paper's number under the key that the role is given."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The number with its place as explanation; an unknown key is a warning of the build."""
        try:
            about = paper.quantity(self.text.strip())
        except UserError as error:
            source, line = self.get_source_info()
            message = self.inliner.reporter.warning(str(error), source=source, line=line)
            return [nodes.inline(text=self.text)], [message]
        place = (
            f"computed from what the paper prints: {about.derived}"
            if about.derived
            else about.place
        )
        return [nodes.abbreviation(text=about.text, explanation=place)], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role with Sphinx."""
    app.add_role("paper", PaperNumber())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
