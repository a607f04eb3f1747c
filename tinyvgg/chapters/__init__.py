"""The chapters of the book: tables, figures and verdicts, one module a chapter.

Notebooks that import one show tables with all of their text and one row of headers.
"""

from typing import Any

import pandas as pd
from IPython.core.getipython import get_ipython


def as_html(table: pd.DataFrame) -> str:
    """Return a table as a notebook shows it."""
    table = table.reset_index() if table.index.nlevels > 1 else table
    plain = isinstance(table.index, pd.RangeIndex)
    table = table if plain else table.rename_axis(index=None, columns=str(table.index.name or ""))
    with pd.option_context("display.max_colwidth", None):
        return table.to_html(escape=True, index=not plain)


shell: Any = get_ipython()
if shell:
    shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, as_html)
