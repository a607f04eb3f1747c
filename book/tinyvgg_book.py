"""What the book adds to Sphinx: the paper's numbers, figures of chapters, the repair bench.

A book of what is committed is built without torch: signatures then name what is not installed.
"""

import json
import re
import sys
from base64 import b64decode
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, Union

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import _MockObject, mock
from sphinx.util.docutils import SphinxDirective, SphinxRole

sys.path.append(str(Path(__file__).resolve().parents[1]))  # whoever only reads installs no project

import tinyvgg
from tinyvgg import files, paper
from tinyvgg.chapters import bench_scripts
from tinyvgg.chapters.bench_scripts import SHEET
from tinyvgg.errors import UserError

SCRIPT, MATHS = r"<script[^>]*\b{}\.js[^>]*></script>", 'class="math'
ICONS, KATEX, INDEX = "fontawesome", r"katex\.min", "searchindex"
IMPORTED = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)


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


class Picture(SphinxDirective):
    """A figure of an executed chapter, named by both, on another page; nothing if it has none."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Return the image with its alternative text."""
        chapter, name = self.arguments
        source = Path(self.env.srcdir, f"{chapter}.ipynb")
        self.env.note_dependency(str(source))
        for cell in json.loads(source.read_text("utf-8"))["cells"]:
            about = cell["metadata"].get("mystnb", {})
            if about.get("figure", {}).get("name") != name:
                continue
            drawn = [each.get("data", {}).get("image/png") for each in cell["outputs"]]
            for content in filter(None, drawn):
                path = Path(self.env.srcdir, "generated", f"{name}.png")
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b64decode(content))
                return [nodes.image(uri=f"/generated/{path.name}", alt=about["image"]["alt"])]
        return []


def _stand_in() -> list[str]:
    """Return the packages that the project imports and that are not installed; autodoc mocks them.

    Its mocks know neither unions (``X | Y``) nor jaxtyping's shapes: they learn the first here, and
    torch gets a class for its tensors.
    """
    for operator in ("__or__", "__ror__"):
        setattr(_MockObject, operator, lambda one, other: Union[one, other])  # noqa: UP007
    folder = Path(tinyvgg.__file__).parents[1]
    sources = [*folder.glob("tinyvgg/**/*.py"), *folder.glob("synthfaces/*.py")]
    found = (IMPORTED.findall(source.read_text("utf-8")) for source in sources)
    missing = sorted(name for name in set(chain(*found)) if find_spec(name) is None)
    if "torch" in missing:
        with mock(missing):
            torch: Any = import_module("torch")
        torch.Tensor = type("Tensor", (), {"__module__": "torch"})
        sys.modules["torch"] = torch
    return missing


def _write_bench(app: Sphinx, fault: Exception | None) -> None:
    """Write the scripts of the repair bench into a site that has been built."""
    if fault is not None or app.builder.name != "html":
        return
    if asked := app.config.repair_bench:
        from tinyvgg.chapters.bench import of_study
        from tinyvgg.training.experiments import open_study

        shown = of_study(open_study(**asked))
    else:
        sheets = files.results().glob(f"networks/*/{SHEET}")
        shown = [bench_scripts.shipped(sheet.parent) for sheet in sheets]
    bench_scripts.write_site(Path(app.outdir) / "bench", shown)


def _lighten(app: Sphinx, fault: Exception | None) -> None:
    """Take from a site what its pages load and do not need, and let images wait for readers.

    The theme's icons come as a font and once more as a script, which is larger than all else.
    """
    if fault is not None or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text("utf-8")
        unused = [ICONS] + [KATEX] * (MATHS not in text)
        for script in unused + [INDEX] * (page.stem != "search"):
            text = re.sub(SCRIPT.format(script), "", text)
        page.write_text(text.replace("<img ", '<img loading="lazy" '), encoding="utf-8")
    for name in ("fontawesome.js", "*.map"):
        for path in list(Path(app.outdir).rglob(name)):
            path.unlink()


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
    """Register all this, and what the repository's address brings."""
    app.add_role("paper", PaperNumber())
    app.add_directive("picture", Picture)
    app.add_config_value("repair_bench", {}, "html", dict)
    app.config.autodoc_mock_imports = _stand_in()
    app.connect("config-inited", _offer)
    app.connect("build-finished", _write_bench)
    app.connect("build-finished", _lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
