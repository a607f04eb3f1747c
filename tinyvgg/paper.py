"""The paper's numbers, claims and tables, typed once in ``paper.toml``."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, SupportsFloat, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from tinyvgg.errors import UserError

TASK_NAMES = {"subject": "identity", "emotion": "emotion", "class": "class", "both": ""}
NOTHING = "—"
LEAST = 5
"""Networks that a verdict takes where a test says nothing else."""

Value = float | int | str
Interval = tuple[float, float]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Number:
    """One quantity: the paper's value, or None where only we measure it.

    ``unit`` is count, mean, percent (kept as a fraction), share, probability, value, name, degrees
    or pixels. ``derived`` says how the value follows from printed ones when it is not printed;
    ``same_as`` is the key of the number that it repeats.
    """

    key: str
    label: str
    unit: str
    value: Value | None = None
    place: str = ""
    note: str = ""
    derived: str = ""
    same_as: str = ""

    @property
    def text(self) -> str:
        """The paper's value as a page shows it."""
        return show(self.value, self.unit, paper=True)

    @property
    def claim(self) -> str:
        """The id of the claim that the number belongs to."""
        return claim_of(self.key)

    @property
    def full_label(self) -> str:
        """The label with the task in front."""
        task = self.key.split(".")[1]
        return ": ".join(filter(None, [TASK_NAMES.get(task, task), self.label]))


@dataclass(frozen=True)
class Test:
    """An assertion about a number that each network has; one of the last four is given."""

    number: str  # its key
    says: str
    central: bool = False  # whether the claim stands or falls with it
    above: float | None = None  # the mean over networks exceeds this value
    below: float | None = None  # the mean over networks is less than this value
    least: float | None = None  # the number of every network is at least this value
    within: str = ""  # "paper": the paper's number lies in the range of networks
    networks: int = LEAST  # as many decide it

    @property
    def bound(self) -> float:
        """The value that the number is compared with."""
        given = [each for each in (self.above, self.below, self.least) if each is not None]
        return float(given[0] if given else number(self.number))

    @property
    def asserted(self) -> str:
        """What is asserted of a network, in words that go before the `bound`."""
        if self.within:
            return "more than the paper's"
        return "below" if self.below is not None else "above" if self.least is None else "at least"

    def agrees(self, value: float) -> bool:
        """Whether a network's number is as asserted; for the paper's number, whether it is more."""
        if self.least is not None:
            return value >= self.least
        return value < self.bound if self.below is not None else value > self.bound


@dataclass(frozen=True)
class Claim:
    """An item that the paper shows, or an assertion that it makes, in our words.

    ``kind`` is shown (not tested) or asserted (its ``tests`` follow its ``rule``).
    """

    id: str
    part: str
    kind: str
    title: str
    place: str
    statement: str
    chapter: str = ""
    also: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()  # keys of other claims' numbers that qualify this one
    note: str = ""
    rule: str = ""
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True)
class Paper:
    """Everything that ``paper.toml`` holds."""

    source: Mapping[str, str | int]
    claims: Mapping[str, Claim]
    numbers: Mapping[str, Number]
    ours: Mapping[str, Number]
    table1: Sequence[Mapping[str, Any]]
    table3: Mapping[str, Any]


@cache
def load() -> Paper:
    """Return the paper, read once."""
    raw = tomllib.loads(files("tinyvgg").joinpath("paper.toml").read_text("utf-8"))
    claims = {id: _claim(id, entry) for id, entry in raw["claims"].items()}
    entries = _flatten(raw["numbers"])
    same = {key: entry.get("same_as", "") for key, entry in entries.items()}
    numbers = {k: Number(k, **{**entries[of or k], "same_as": of}) for k, of in same.items()}
    ours = {key: Number(key, **entry) for key, entry in _flatten(raw["ours"]).items()}
    return Paper(raw["source"], claims, numbers, ours, raw["table1"], raw["table3"])


def number(key: str) -> float | int:
    """Return the paper's number under ``claim.task.name``; percentages are fractions."""
    value = quantity(key).value
    if isinstance(value, int | float):
        return value
    raise UserError(f"'{key}' in paper.toml is {value!r}, not a number")


def quantity(key: str) -> Number:
    """Return the paper's number with its label, unit and place.

    Raises:
        UserError: if the paper has no such number; names those with similar keys.
    """
    return _find(key, load().numbers, "the paper has no number")


def claim(id: str) -> Claim:
    """Return the claim with this id, such as ``T2``.

    Raises:
        UserError: if there is none.
    """
    return _find(id, load().claims, "the paper has no claim")


def claims() -> tuple[Claim, ...]:
    """Return all claims in the paper's order."""
    return tuple(load().claims.values())


def table1() -> pd.DataFrame:
    """Return Table 1, a row per layer: columns layer, field, stride, padding, maps, units.

    A value is missing where the table gives none; the last dense layer has a unit for each class.
    """
    columns = ["layer", "field", "stride", "padding", "maps", "units"]
    table = pd.DataFrame(load().table1, columns=columns)
    return table.astype(dict.fromkeys(columns[1:], "Int64"))


def table3() -> pd.DataFrame:
    """Return Table 3, a row per case and class: columns case, class, before, after.

    The boolean columns predicted and true mark the class in italics before and after.
    """
    raw = load().table3
    rows = [
        (case["case"], *cells)
        for case in raw["cases"]
        for cells in zip(raw["classes"], case["before"], case["after"], strict=True)
    ]
    table = pd.DataFrame(rows, columns=["case", "class", "before", "after"])
    largest = table.groupby("case")[["before", "after"]].transform("max")
    return table.assign(
        predicted=table["before"] == largest["before"], true=table["after"] == largest["after"]
    )


def describe(key: str) -> Number:
    """Return the quantity under a key, the paper's or ours, with a default where neither names it.

    A task that the paper does not have (``t2.class.accuracy``) takes label and unit of its sibling.

    Raises:
        UserError: if the key is not ``claim.task.name`` with a claim of the paper.
    """
    known = {**load().ours, **load().numbers}
    if key in known:
        return known[key]
    parts = key.split(".")
    if len(parts) != 3 or claim_of(key) not in load().claims:
        raise UserError(
            f"key '{key}' is not claim.task.name with an id of the paper: see 't2.subject.errors'"
        )
    for task in ("subject", "emotion", "both"):
        sibling = known.get(f"{parts[0]}.{task}.{parts[2]}")
        if sibling is not None:
            return Number(key, sibling.label, sibling.unit)
    return Number(key, parts[2].replace("_", " "), "")


def claim_of(key: str) -> str:
    """Return the id of the claim that a key belongs to."""
    return key.split(".")[0].upper()


def show(value: Value | None, unit: str, paper: bool = False) -> str:
    """Format a value as tables and pages show it, without a unit's name.

    Args:
        value: percentages as fractions; None is shown as a dash, a name as it is.
        unit: one of the units of `Number`, or "" to go by the value alone.
        paper: print the paper's own digits instead of ours.
    """
    if value is None or value != value:
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "percent":
        return f"{100 * value:.2f}%"
    if unit in ("name", "degrees", "pixels"):
        return f"{value:.0f}" + ("°" if unit == "degrees" else "")
    if unit == "share":
        return f"{value:.3f}"
    if unit == "probability":
        return f"{value:.2g}" if paper else f"{value:.3g}"
    if unit == "mean" and not paper:
        return f"{value:,.1f}"
    whole = float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.1f}"


def show_interval(interval: Interval | None, unit: str) -> str:
    """Format a 95 % interval as tables show it, that of a count in whole numbers."""
    if interval is None or any(bound != bound for bound in interval):
        return NOTHING
    low, high = (show(round(bound) if unit == "count" else bound, unit) for bound in interval)
    return f"{low.removesuffix('%')} to {high}"


Ours = SupportsFloat | str | None  # numpy's numbers among them
Row = tuple[str, str, Ours] | tuple[str, str, Ours, Interval | None]


@runtime_checkable
class Measured(Protocol):
    """Quantities of several networks by their keys."""

    def __len__(self) -> int: ...

    def values(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a quantity and its standard error in each network that has it."""
        ...


def compare(rows: Iterable[Row], networks: Measured | None = None) -> pd.DataFrame:
    """Set the paper's numbers beside ours, and beside those of several networks.

    Args:
        rows: (label, key, ours) or (label, key, ours, interval), fractions for percentages;
            an empty label takes the one of ``paper.toml``.
        networks: these have a column where there are any.

    Returns:
        Text, ready to show: columns quantity, paper, ours, 95 % interval, such as 10 networks
        (mean and standard deviation), place in the paper.
    """
    columns = ["quantity", "paper", "ours", "95 % interval", "place in the paper"]
    given = list(rows)
    table = pd.DataFrame([_compared(*row) for row in given], columns=columns)
    if networks is not None and len(networks):
        spreads = [show_spread(networks, key) for _, key, *_ in given]
        table.insert(4, f"{len(networks)} networks", spreads)
    return table


def show_spread(networks: Measured, key: str) -> str:
    """Format a quantity's mean and standard deviation over networks, or the value of all."""
    values, _ = networks.values(key)
    unit = describe(key).unit
    if len(values) < 2 or unit == "name":
        return NOTHING
    if (values == values[0]).all():
        return show(values[0].item(), unit)
    mean, spread = (
        show(float(each), "mean" if unit == "count" else unit)
        for each in (values.mean(), values.std(ddof=1))
    )
    return f"{mean.removesuffix('%')} ± {spread}"


def _compared(label: str, key: str, ours: Ours, interval: Interval | None = None) -> list[str]:
    about = describe(key)
    value = ours if isinstance(ours, bool | str | None) else float(ours)
    return [
        label or about.full_label,
        about.text,
        show(value, about.unit),
        show_interval(interval, about.unit),
        about.place or NOTHING,
    ]


def _find(key: str, known: Mapping[str, Found], complaint: str) -> Found:
    if key in known:
        return known[key]
    near = get_close_matches(key, known, n=3, cutoff=0.5) or list(known)[:3]
    raise UserError(f"{complaint} '{key}': did you mean {', '.join(near)}?")


def _flatten(groups: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{id}.{task}.{name}": {"place": group.get("place", ""), **entry}
        for id, tasks in groups.items()
        for task, group in tasks.items()
        for name, entry in group.items()
        if name != "place"
    }


def _claim(id: str, entry: Mapping[str, Any]) -> Claim:
    tests = tuple(Test(**each) for each in entry.get("tests", ()))
    lists = {name: tuple(entry.get(name, ())) for name in ("also", "beside")}
    return Claim(id, **{**entry, **lists, "tests": tests})
