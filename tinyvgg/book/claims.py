"""The claims page: what became of the claims, then each with its rule, verdict and numbers."""

from collections.abc import Mapping
from types import MappingProxyType

from tinyvgg import paper
from tinyvgg.book.site import TEMPLATES
from tinyvgg.chapters.statistics import NONE, Networks
from tinyvgg.chapters.style import in_markdown
from tinyvgg.chapters.verdicts import LESS_THAN, VERDICTS, Verdict, as_markdown, fact
from tinyvgg.errors import UserError
from tinyvgg.paper import Claim, Value, show


def claims_page(
    numbers: Mapping[str, Value],
    verdicts: Mapping[str, Verdict],
    networks: Networks = NONE,
    profile: str = "quick",
    faces: str = "synthetic",
    sized: Mapping[str, Value] = MappingProxyType({}),
) -> str:
    """Return the page as MyST markdown, the same text for the same records.

    It begins with what became of the claims that assert something about networks. `sized` are the
    numbers of networks at the size of the paper.
    """
    for id in verdicts:
        paper.claim(id)
    for key in numbers:
        paper.describe(key)
    for claim in paper.claims():
        if claim.id not in verdicts:
            way = f"notebook {claim.chapter} has to record one"
            raise UserError(f"claim {claim.id} ({claim.title}) has no verdict: {way}")
    kinds = {k: [c for c in paper.claims() if c.kind == k] for k in ("asserted", "shown")}
    asserted = [verdicts[claim.id] for claim in kinds["asserted"]]
    page = TEMPLATES.get_template("claims.md.j2").render(
        citation=paper.load().source["citation"],
        profile=profile,
        faces=faces,
        networks=len(networks),
        least=paper.LEAST,
        level=LESS_THAN,
        kinds=kinds,
        answer={name: [v for v in asserted if v.verdict == name] for name in VERDICTS[:4]},
        claim=paper.claim,
        chapters=_chapters,
        escaped=in_markdown,
        fact=fact,
        as_markdown=lambda claim: as_markdown(verdicts[claim.id], numbers),
        sized=show(paper.number("t1.both.size"), "count") if sized else "",
        rows=lambda claim: _rows(claim, numbers, networks, sized),
    )
    return page.rstrip() + "\n"


def _chapters(claim: Claim) -> list[str]:
    names = [name for name in (claim.chapter, *claim.also) if name]
    links = ", ".join(f"{{doc}}`{name[:2]} </notebooks/{name}>`" for name in names)
    return [f"chapter{'s' * (len(names) > 1)} {links}"] if names else []


def _rows(
    claim: Claim, ours: Mapping[str, Value], networks: Networks, sized: Mapping[str, Value]
) -> list[tuple[str, ...]]:
    """Return a claim's quantities: label, the paper's number, this run's, the networks', `sized`.

    What is tested alone, and not printed in the paper, stands with its test; a digest says nothing
    to readers.
    """
    theirs = paper.load().numbers
    tested = {test.number for test in claim.tests}
    own = [key for key in theirs if paper.claim_of(key) == claim.id]
    known = [key for key in ours if key in sized or key not in tested]
    own += [key for key in known if paper.claim_of(key) == claim.id and "digest" not in key]
    rows = []
    for key in dict.fromkeys([*own, *claim.beside]):
        about = paper.describe(key)
        at = key if key in ours else about.same_as or key
        code = " (published code)" if about.place == "published code" else ""
        printed = about.text + (" (computed)" if about.derived else code)
        measured = show(ours.get(at), about.unit)
        spread = [paper.show_spread(networks, at)] if len(networks) else []
        at_size = [show(sized.get(at), about.unit)] if sized else []
        rows.append((about.full_label, printed, measured, *spread, *at_size))
    return rows
