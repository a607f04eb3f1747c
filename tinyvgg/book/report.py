"""Tables of numbers: the paper's beside ours, and a fresh run's beside the committed ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tinyvgg import paper
from tinyvgg.book.records import Number, Records
from tinyvgg.errors import UserError


class Headline(NamedTuple):
    """A quantity of the table: its claim, our name, the paper's name, and what is counted."""

    claim: str
    ours: str
    papers: str
    of: str = ""


COLUMNS = ["quantity", "paper", "ours"]
SETS = ("unique", "common", "random", "contrast")
PAIRS = "pairs shown"
HEADLINES = (
    Headline("t2", "accuracy", "accuracy"),
    Headline("t2", "errors", "errors"),
    Headline("b1", "pixels_literal", "pixels"),
    Headline("b1", "pixels_cutoff", "pixels"),
    Headline("s3", "cases", "cases"),
    Headline("s3", "repaired_common", "repaired_common"),
    Headline("s3", "repaired_unique", "repaired_unique"),
    Headline("s3", "repaired_random", "repaired_random"),
    Headline("s4", "cases", "cases"),
    *(Headline("s4", f"repaired_{name}", f"repaired_{name}", PAIRS) for name in SETS),
    Headline("s4", "all_cases", "all_cases"),
    *(Headline("s4", f"all_repaired_{name}", f"all_repaired_{name}") for name in SETS),
)


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
    return table(COLUMNS, _headlines(numbers))


def what_came_out(numbers: Mapping[str, Number], profile: str, faces: str) -> str:
    """The headline numbers for a page whose own sentences ask for numbers that a run lacks.

    Args:
        numbers: that the run recorded.
        profile: of the run.
        faces: of the run, as pages call them.
    """
    lines = [COLUMNS, ["---", "---:", "---:"], *_headlines(numbers)]
    shown = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"""\
The book tells here what came out for identity and for emotion on the synthetic faces. These pages
were made with the profile `{profile}` from the faces `{faces}`, which do not have all of those
numbers. The table has the ones that they have, beside the paper's; what became of each claim is
[on one page](claims.md).

{shown}
"""


def _headlines(numbers: Mapping[str, Number]) -> list[list[str]]:
    return [
        _row(key, line, number)
        for line in HEADLINES
        for key, number in numbers.items()
        if key.startswith(f"{line.claim}.") and key.endswith(f".{line.ours}")
    ]


def differences(committed: Records, fresh: Records) -> list[Difference]:
    """Every recorded number and verdict of either side, in order of the committed ones.

    Verdicts are shown and must be there, but may differ: another machine trains other networks.
    """
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


def _row(key: str, line: Headline, number: Number) -> list[str]:
    about, task = paper.describe(key), key.split(".")[1]
    label = ", ".join(filter(None, [about.full_label, line.of]))
    theirs = _papers(f"{line.claim}.{task}.{line.papers}")
    return [label, theirs, paper.show(number.value, about.unit)]


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
    return Difference(
        f"verdict {claim}", before, after, "may differ", paper.NOTHING not in (before, after)
    )


def _shown(number: Number | None) -> str:
    if number is None:
        return paper.NOTHING
    return f"{number.value:.6g}" if isinstance(number.value, float) else str(number.value)
