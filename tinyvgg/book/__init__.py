"""From notebooks to executed notebooks to the site; notebooks themselves need only the records."""

from tinyvgg.book.records import (
    Number,
    Records,
    Verdict,
    collect,
    numbers,
    record_number,
    record_verdict,
    verdicts,
)

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
