"""What a page consists of, whatever it looks like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text; ``**this**`` is strong."""

    words: str


@dataclass(frozen=True)
class Picture:
    """An image in words as well.

    Attributes:
        png: the bytes of a PNG.
        alternative: what it shows, for those who do not see it.
        caption: what stands below it.
        width: on the page, in CSS pixels; as wide as it is if None.
        pixelated: whether enlarged pixels stay squares.
    """

    png: bytes
    alternative: str
    caption: str
    width: int | None = None
    pixelated: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, which share a number and a caption.

    Attributes:
        pictures: each with a short caption of its own.
        caption: of all of them.
    """

    pictures: Sequence[Picture]
    caption: str


@dataclass(frozen=True)
class Table:
    """A table whose cells are text already.

    Attributes:
        caption: what stands above it.
        columns: their heads.
        rows: each begins with its head.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @classmethod
    def of(
        cls, frame: pd.DataFrame, caption: str, formats: Mapping[str, str] | None = None
    ) -> "Table":
        """A data frame, its index first.

        Args:
            frame: with one level of columns.
            caption: what stands above it.
            formats: of some columns, as in ``format(value, ".1%")``; other fractions get three
                decimals. A value that is missing is a dash.
        """
        formats = formats or {}
        names = [str(name or "") for name in frame.index.names]
        columns = [*names, *map(str, frame.columns)]
        rows = [
            [
                *(_cell(part) for part in (key if isinstance(key, tuple) else (key,))),
                *(
                    _cell(value, formats.get(str(name)))
                    for name, value in zip(frame.columns, values, strict=True)
                ),
            ]
            for key, values in zip(frame.index, frame.itertuples(index=False), strict=True)
        ]
        return cls(caption, columns, rows)


Block = Text | Picture | Pictures | Table


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes:
        title: the heading.
        blocks: in their order.
        sections: of the next level.
    """

    title: str
    blocks: Sequence[Block] = ()
    sections: Sequence["Section"] = ()


@dataclass(frozen=True)
class Document:
    """A page.

    Attributes:
        title: of the page.
        introduction: what stands before the first section.
        sections: the rest.
        footer: how the page was made.
    """

    title: str
    introduction: Sequence[Block]
    sections: Sequence[Section]
    footer: str = ""


def _cell(value: Any, how: str | None = None) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "—"
    if how:
        return format(value, how)
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
