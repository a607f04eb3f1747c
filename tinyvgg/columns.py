"""Plain text for a terminal: aligned columns, ages, sizes."""

from collections.abc import Sequence

UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of cells as lines of text.

    Args:
        rows: all with the same number of cells.
        right: numbers of the columns that are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def age(seconds: float) -> str:
    """A time span in its largest unit, rounded down: "3 h"; "now" below a minute."""
    for unit, length in UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def megabytes(size: int) -> str:
    """A size on disk, of which a little is still something."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def percent(share: float | None, digits: int = 2) -> str:
    """A share in percent; a dash where it is not known."""
    return "-" if share is None else f"{share:.{digits}%}"


def counted(number: int, thing: str) -> str:
    """A number and what it counts: "1 run", "2 runs"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
