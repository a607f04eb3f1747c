"""The claims page: what became of the claims, then each with its rule, verdict and numbers."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from tinyvgg import paper
from tinyvgg.book.site import TEMPLATES
from tinyvgg.chapters import bench
from tinyvgg.chapters.statistics import NONE, Networks
from tinyvgg.chapters.style import in_markdown
from tinyvgg.chapters.verdicts import LESS_THAN, VERDICTS, Verdict, as_markdown, fact
from tinyvgg.errors import UserError
from tinyvgg.paper import Claim, Value, show
from tinyvgg.training.experiments import open_study


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

    What is tested alone, and not printed in the paper, stands with its test.
    """
    theirs = paper.load().numbers
    tested = {test.number for test in claim.tests}
    own = [key for key in theirs if paper.claim_of(key) == claim.id]
    known = [key for key in ours if key in sized or key not in tested]
    own += [key for key in known if paper.claim_of(key) == claim.id]
    rows = []
    for key in dict.fromkeys([*own, *claim.beside]):
        about = paper.describe(key)
        code = " (published code)" if about.place == "published code" else ""
        printed = about.text + (" (computed)" if about.derived else code)
        measured = show(ours.get(key), about.unit)
        spread = [paper.show_spread(networks, key)] if len(networks) else []
        at_size = [show(sized.get(key), about.unit)] if sized else []
        rows.append((about.full_label, printed, measured, *spread, *at_size))
    return rows


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


def _write_bench(app: Sphinx, fault: Exception | None) -> None:
    """Write the scripts of the repair bench into a site that has been built."""
    if fault is None and app.builder.name == "html":
        asked = app.config.repair_bench
        bench.write_site(Path(app.outdir) / "bench", open_study(**asked) if asked else None)


def _offer(app: Sphinx, config: Any) -> None:
    """Offer the repository, and chapters where they run, as far as it has an address for that."""
    options = config.html_theme_options
    address = options.get("repository_url", "")
    options["use_repository_button"] = bool(address)
    if not address:
        options["launch_buttons"] = {}
    elif "github.com" not in address:
        options["launch_buttons"]["colab_url"] = ""  # it opens notebooks from there alone


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role, what the repository's address brings, and the repair bench's scripts."""
    app.add_role("paper", PaperNumber())
    app.add_config_value("repair_bench", {}, "html", dict)
    app.connect("config-inited", _offer)
    app.connect("build-finished", _write_bench)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
