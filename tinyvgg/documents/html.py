"""A document as one file of HTML that refers to nothing outside of itself and needs no script."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import count
from string import Template

from tinyvgg.chapters.style import data_uri
from tinyvgg.documents.content import Block, Document, Picture, Pictures, Section, Table, Text

_STYLE = """\
:root { color-scheme: light; }
body { color: #1a1a1a; background: #fff; font: 16px/1.5 sans-serif; margin: 0 auto;
  max-width: 52em; padding: 1em; overflow-wrap: break-word; }
h1, h2, h3, h4 { line-height: 1.25; }
h2 { border-top: 1px solid #bbb; margin-top: 2em; padding-top: .8em; }
nav ol { padding-left: 1.4em; }
a { color: #0b5394; }
figure { margin: 1.2em 0; }
figcaption { color: #444; font-size: .9em; }
caption { color: #444; text-align: left; }
caption { padding-bottom: .4em; }
img { height: auto; max-width: 100%; }
img.pixels { image-rendering: pixelated; }
.side { display: flex; flex-wrap: wrap; gap: 1em; margin-bottom: .4em; }
.side figure { flex: 0 1 auto; margin: 0; max-width: 100%; }
.scroll { margin: 1.2em 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: .9em; }
th, td { border-bottom: 1px solid #ddd; padding: .2em .7em; text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: top; }
th:first-child, td:first-child, .words { text-align: left; }
tbody th { font-weight: normal; }
footer { border-top: 1px solid #bbb; color: #444; font-size: .85em; margin-top: 3em; }
@media print {
  body { font-size: 11pt; max-width: none; }
  nav { display: none; }
  figure, table, tr { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  .scroll { overflow: visible; }
}"""

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<header id="top">
<h1>$title</h1>
$introduction
</header>
<nav aria-label="Contents">
<h2>Contents</h2>
$contents
</nav>
<main>
$sections
</main>
<footer>
<p>$footer</p>
</footer>
</body>
</html>
""")


def render(document: Document) -> str:
    """The whole page: figures and tables are numbered, and sections listed at its beginning."""
    renderer = _Renderer()
    introduction = renderer.blocks(document.introduction)
    sections = "\n".join(
        renderer.section(section, name) for section, name in _named(document.sections, "section")
    )
    return _PAGE.substitute(
        title=escape(document.title),
        style=_STYLE,
        introduction=introduction,
        contents=_contents(document.sections, "section"),
        sections=sections,
        footer=_inline(document.footer),
    )


class _Renderer:
    """Counts figures and tables from the top of a page to its end."""

    def __init__(self) -> None:
        self.figures, self.tables = count(1), count(1)

    def section(self, section: Section, name: str, level: int = 2) -> str:
        """A section, its heading of a level, and those below it."""
        heading = f'<h{level} id="{name}-title">{escape(section.title)}</h{level}>'
        parts = [f'<section id="{name}" aria-labelledby="{name}-title">', heading]
        parts.append(self.blocks(section.blocks))
        for one, below in _named(section.sections, name):
            parts.append(self.section(one, below, level + 1))
        return "\n".join([*filter(None, parts), "</section>"])

    def blocks(self, blocks: Sequence[Block]) -> str:
        """Blocks one below the other."""
        return "\n".join(self._block(block) for block in blocks)

    def _block(self, block: Block) -> str:
        if isinstance(block, Text):
            return f"<p>{_inline(block.words)}</p>"
        if isinstance(block, Table):
            return self._table(block)
        caption = f"Figure {next(self.figures)}. {_inline(block.caption)}"
        if isinstance(block, Pictures):
            inner = "\n".join(
                f"<figure>{_image(one)}<figcaption>{_inline(one.caption)}</figcaption></figure>"
                for one in block.pictures
            )
            return (
                f'<figure>\n<div class="side">\n{inner}\n</div>\n'
                f"<figcaption>{caption}</figcaption>\n</figure>"
            )
        return f"<figure>\n{_image(block)}\n<figcaption>{caption}</figcaption>\n</figure>"

    def _table(self, table: Table) -> str:
        caption = f"Table {next(self.tables)}. {_inline(table.caption)}"
        kinds = [_kind(table, place) for place in range(len(table.columns))]
        head = "".join(
            f'<th scope="col"{kind}>{escape(name)}</th>'
            for name, kind in zip(table.columns, kinds, strict=True)
        )
        rows = "\n".join(
            f'<tr><th scope="row"{kinds[0]}>{escape(row[0])}</th>'
            + "".join(
                f"<td{kind}>{escape(cell)}</td>"
                for cell, kind in zip(row[1:], kinds[1:], strict=True)
            )
            + "</tr>"
            for row in table.rows
        )
        label = _plain(table.caption)
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">\n'
            f"<table>\n<caption>{caption}</caption>\n<thead>\n<tr>{head}</tr>\n</thead>\n"
            f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
        )


def _kind(table: Table, place: int) -> str:
    """Columns of words are set to the left, those of numbers to the right."""
    cells = [row[place] for row in table.rows]
    return "" if all(re.match(r"[-—–−+<]?\d|—$", cell) for cell in cells) else ' class="words"'


def _image(picture: Picture) -> str:
    width = "" if picture.width is None else f' width="{picture.width}"'
    kind = ' class="pixels"' if picture.pixelated else ""
    alternative = escape(picture.alternative)
    return f'<img src="{data_uri(picture.png)}" alt="{alternative}"{width}{kind}>'


def _contents(sections: Sequence[Section], name: str) -> str:
    if not sections:
        return ""
    items = "".join(
        f'<li><a href="#{below}">{escape(section.title)}</a>'
        f"{_contents(section.sections, below)}</li>"
        for section, below in _named(sections, name)
    )
    return f"<ol>{items}</ol>"


def _named(sections: Sequence[Section], name: str) -> Iterator[tuple[Section, str]]:
    """Sections with their ids."""
    for number, section in enumerate(sections, 1):
        yield section, f"{name}-{number}"


def _inline(words: str) -> str:
    """Text with its emphasis."""
    return re.sub(r"\*\*(\S(?:.*?\S)?)\*\*", r"<strong>\1</strong>", escape(words))


def _plain(words: str) -> str:
    return escape(words.replace("**", ""))
