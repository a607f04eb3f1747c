"""Tables of numbers: the paper's beside ours, and a fresh run's beside the committed ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tinyvgg import paper
from tinyvgg.book.records import Number, Records
from tinyvgg.errors import UserError

HEADLINES = (
    ("t2", "accuracy", "accuracy"),
    ("t2", "errors", "errors"),
    ("b1", "pixels_literal", "pixels"),
    ("b1", "pixels_cutoff", "pixels"),
    ("s3", "cases", "cases"),
    ("s3", "repaired_common", "repaired_common"),
    ("s3", "repaired_unique", "repaired_unique"),
    ("s3", "repaired_random", "repaired_random"),
    ("s4", "cases", "cases"),
    ("s4", "repaired_unique", "repaired_unique"),
    ("s4", "repaired_common", "repaired_common"),
    ("s4", "repaired_random", "repaired_random"),
)
"""Claim, our quantity, and the paper's that stands beside it."""


@dataclass(frozen=True)
class Difference:
    """One quantity of a fresh run beside the committed one."""

    key: str
    committed: str
    fresh: str
    tolerance: str
    within: bool


def paper_beside_ours(numbers: Mapping[str, Number]) -> str:
    """The headline numbers as a table of text; those that were not recorded are left out."""
    rows = [
        _headline(key, f"{claim}.{key.split('.')[1]}.{theirs}", number)
        for claim, ours, theirs in HEADLINES
        for key, number in numbers.items()
        if key.startswith(f"{claim}.") and key.endswith(f".{ours}")
    ]
    return table(["quantity", "paper", "ours"], rows)


def differences(committed: Records, fresh: Records) -> list[Difference]:
    """Every recorded number and verdict of either side, in order of the committed ones."""
    keys = [*committed.numbers, *(key for key in fresh.numbers if key not in committed.numbers)]
    rows = [_difference(key, committed.numbers.get(key), fresh.numbers.get(key)) for key in keys]
    claims = [*committed.verdicts, *(id for id in fresh.verdicts if id not in committed.verdicts)]
    return rows + [_verdict(claim, committed, fresh) for claim in claims]


def comparison(rows: Iterable[Difference]) -> str:
    """Differences as a table of text."""
    cells = [
        [row.key, row.committed, row.fresh, row.tolerance, "ok" if row.within else "OUT"]
        for row in rows
    ]
    return table(["number", "committed", "fresh", "tolerance", ""], cells)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Aligned columns of text: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [_line(row, widths) for row in [header, ["-" * width for width in widths], *rows]]
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)]).rstrip()


def _headline(key: str, theirs: str, number: Number) -> list[str]:
    about = paper.describe(key)
    return [about.full_label, _papers(theirs), paper.show(number.value, about.unit)]


def _papers(key: str) -> str:
    try:
        return paper.quantity(key).text
    except UserError:
        return paper.NOTHING


def _difference(key: str, committed: Number | None, fresh: Number | None) -> Difference:
    within = committed is not None and fresh is not None and committed.agrees(fresh)
    tolerance = f"± {committed.tolerance:g}" if committed and committed.tolerance else "exact"
    return Difference(key, _shown(committed), _shown(fresh), tolerance, within)


def _verdict(claim: str, committed: Records, fresh: Records) -> Difference:
    before, after = (
        side.verdicts[claim].verdict if claim in side.verdicts else paper.NOTHING
        for side in (committed, fresh)
    )
    return Difference(f"verdict {claim}", before, after, "exact", before == after)


def _shown(number: Number | None) -> str:
    if number is None:
        return paper.NOTHING
    return f"{number.value:.6g}" if isinstance(number.value, float) else str(number.value)
