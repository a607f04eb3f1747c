"""The claims page: each claim of the paper, its number, ours, and the verdict on it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from tinyvgg import paper
from tinyvgg.book.site import TEMPLATES
from tinyvgg.chapters.verdicts import VERDICTS, Verdict
from tinyvgg.errors import UserError
from tinyvgg.paper import NOTHING, Claim, Number, Value, show

UNTESTED = "not tested yet"
PARTS_MARKED = re.compile(r"; (?=[✓✗])")
PARTS = re.compile(r"; (?![^(]*\))")


def claims_page(
    numbers: Mapping[str, Value],
    verdicts: Mapping[str, Verdict],
    profile: str = "quick",
    faces: str = "synthetic",
) -> str:
    """Return the page as MyST markdown, the same text for the same records."""
    claims = paper.claims()
    for id in verdicts:
        paper.claim(id)
    ours = {key: replace(paper.describe(key), key=key, value=numbers[key]) for key in numbers}
    for claim in claims:
        if claim.id not in verdicts and not claim.missing:
            raise UserError(
                f"claim {claim.id} ({claim.title}) has no verdict: "
                f"notebook {claim.chapter} has to record one"
            )
    judged = {claim.id: (UNTESTED, claim.missing) for claim in claims}
    judged |= {id: (found.verdict, found.reason) for id, found in verdicts.items()}
    reached = [verdict for verdict, _ in judged.values()]
    page = TEMPLATES.get_template("claims.md.j2").render(
        citation=paper.load().source["citation"],
        profile=profile,
        faces=faces,
        parts=[(part, list(group)) for part, group in groupby(claims, attrgetter("part"))],
        counts={name: reached.count(name) for name in (*VERDICTS, UNTESTED)},
        anchor=anchor,
        chapters=_chapters,
        judged=judged,
        parts_of=_parts_of,
        rows=lambda claim: _rows(claim, ours),
    )
    return page.rstrip() + "\n"


def anchor(id: str) -> str:
    """Return the label of a claim, for links from other pages."""
    return f"claim-{id.lower()}"


def _chapters(claim: Claim) -> list[str]:
    names = [name for name in (claim.chapter, *claim.also) if name]
    links = ", ".join(f"{{doc}}`{name[:2]} </notebooks/{name}>`" for name in names)
    return [f"chapter{'s' * (len(names) > 1)} {links}"] if names else []


def _parts_of(reason: str) -> list[str]:
    return (PARTS_MARKED if re.search("[✓✗]", reason) else PARTS).split(reason)


def _rows(claim: Claim, ours: Mapping[str, Number]) -> list[tuple[str, str, str]]:
    """Return a claim's quantities: the label, the paper's number, and ours."""
    theirs = {key: about for key, about in paper.load().numbers.items() if about.claim == claim.id}
    mine = {key: about for key, about in ours.items() if about.claim == claim.id}
    rows = []
    for key in {**theirs, **mine}:
        about = theirs.get(key) or mine[key]
        printed = theirs[key].text + _origin(theirs[key]) if key in theirs else NOTHING
        measured = show(mine[key].value, mine[key].unit) if key in mine else NOTHING
        rows.append((about.full_label, printed, measured))
    return rows


def _origin(about: Number) -> str:
    if about.derived:
        return " (computed)"
    return " (published code)" if about.place == "published code" else ""


class PaperNumber(SphinxRole):
    """The role that shows the paper's number under the key that it is given."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the number with its place as explanation; an unknown key is a warning."""
        try:
            about = paper.quantity(self.text.strip())
        except UserError as error:
            source, line = self.get_source_info()
            message = self.inliner.reporter.warning(str(error), source=source, line=line)
            return [nodes.inline(text=self.text)], [message]
        derived = f"computed from what the paper prints: {about.derived}"
        place = derived if about.derived else about.place
        return [nodes.abbreviation(text=about.text, explanation=place)], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role with Sphinx."""
    app.add_role("paper", PaperNumber())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
