"""From notebooks to executed notebooks to the site; notebooks themselves need only the records."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinyvgg.extras import need

need("book", "pandas", "IPython", "nbformat", "jupytext", "papermill")

if TYPE_CHECKING:
    from tinyvgg.book.records import (
        Number,
        Records,
        collect,
        numbers,
        record_number,
        record_verdict,
        verdicts,
    )
    from tinyvgg.claims import Verdict

__all__ = [
    "Number",
    "Records",
    "Verdict",
    "collect",
    "numbers",
    "record_number",
    "record_verdict",
    "verdicts",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: the command line refuses bad input without."""
    if name not in __all__:
        raise AttributeError(f"module 'tinyvgg.book' has no attribute {name!r}")
    return getattr(import_module("tinyvgg.book.records"), name)
