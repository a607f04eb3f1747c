"""What every part of a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tinyvgg.chapters.statistics import LEVEL
from tinyvgg.chapters.style import Drawn, Missing
from tinyvgg.documents.content import Block, Picture, Section, Table, Text

RESOLUTION = 110
"""Dots an inch of a figure."""


@dataclass(frozen=True)
class Part:
    """A section of the report.

    Attributes:
        title: its heading.
        blocks: what stands below it.
        numbers: the same, for scripts: plain data.
        conclusions: sentences that follow from the numbers.
    """

    title: str
    blocks: Sequence[Block]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    conclusions: Sequence[str] = ()

    @property
    def section(self) -> Section:
        """As a page has it."""
        return Section(self.title, self.blocks)


def shown(drawn: Drawn, alternative: str, caption: str) -> Block:
    """A figure, or the sentence that stands for it."""
    if isinstance(drawn, Missing):
        return Text(drawn.sentence)
    width = round(drawn.get_figwidth() * 96)
    return Picture(as_png(drawn), alternative, caption, width)


def as_png(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return buffer.getvalue()


def tabled(frame: pd.DataFrame, caption: str, otherwise: str) -> Block:
    """A table, or a sentence where it is empty."""
    return Table.of(frame, caption) if len(frame) else Text(otherwise)


def percent(share: float) -> str:
    """A share in percent, one decimal."""
    return f"{100 * share:.1f} %"


def between(interval: Sequence[float]) -> str:
    """A 95 % interval of a share, in words."""
    low, high = interval
    return f"{LEVEL:.0%} interval {percent(low)} to {percent(high)}".replace("95%", "95 %")


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain data; numbers that are not there are None."""
    named = frame.reset_index() if frame.index.names != [None] else frame
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in named.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
