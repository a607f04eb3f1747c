"""From notebooks to executed notebooks to the site; notebooks themselves need only the records."""

from tinyvgg.extras import need

need("book", "pandas", "IPython", "nbformat", "jupytext", "papermill")


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
