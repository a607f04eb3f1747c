"""Self-contained pages: sections of sentences, tables and pictures in one file of HTML."""

from tinyvgg.extras import need

need("faces", "pandas", "PIL")

from tinyvgg.documents.content import Document, Picture, Pictures, Section, Table, Text
from tinyvgg.documents.html import render

__all__ = ["Document", "Picture", "Pictures", "Section", "Table", "Text", "render"]
