"""The ``paper`` role for pages and notebooks: a number of the paper, its place on hover."""

from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from tinyvgg import paper
from tinyvgg.errors import UserError


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
