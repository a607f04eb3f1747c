"""The numbers of the two case studies under the paper's keys, and ours beside them."""

from collections.abc import Mapping
from typing import cast

import pandas as pd
from torch import Tensor

from tinyvgg.cases import Pairs
from tinyvgg.findings.case_tables import IMAGES
from tinyvgg.paper import Interval, Row, Value, describe
from tinyvgg.runs import Run
from tinyvgg.suppression import equal_smallest, rectified

Tables = Mapping[str, pd.DataFrame]
Numbers = dict[str, object]

OVERLAP = {
    "pixels_right": "right",
    "pixels_wrong": "wrong",
    "common": "common",
    "unique_wrong": "unique",
    "jaccard": "jaccard",
}
REPAIRS = {
    "repaired_unique": "unique",
    "repaired_common": "common",
    "repaired_all": "all",
    "repaired_random": "random",
    "repaired_largest": "largest",
    "repaired_contrast": "contrastive",
}


ALL = "all_"
"""Begins the names of numbers of all errors, where the paper's are of chosen ones."""


def pair_numbers(run: Run, pair: Pairs) -> Numbers:
    """Who is shown (F9): classes are recorded by name, subjects as numbers."""
    return {
        f"f9.{run.task}.{name}": _name(run.classes[label])
        for case in pair.cases
        for name, label in (("subject", case.true), ("taken_for", case.predicted))
    }


def _name(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def overlap_numbers(run: Run, tables: Tables) -> Numbers:
    """Sizes of the sets of the shown pair (S1), under each rule."""
    return {
        f"s1.{run.task}.{name}{_suffix(rule)}": _first(table[column])
        for rule, table in tables.items()
        for name, column in OVERLAP.items()
    }


def _suffix(rule: str) -> str:
    """Numbers of the published code's rule have the paper's keys, others are told apart."""
    return "" if rule == "cutoff" else f"_{rule}"


def _first(column: "pd.Series[float]") -> float | int | None:
    if not len(column):
        return None
    value = float(column.iloc[0])
    return int(value) if value.is_integer() and column.name != "jaccard" else value


def value_numbers(run: Run, pairs: Tables, controls: Tables) -> Numbers:
    """How much common values differ (F10), between error and look-alike and between right ones."""
    return {
        f"f10.{run.task}.{name}{_suffix(rule)}": _mean(table[column])
        for rule in pairs
        for name, table, column in (
            ("difference", pairs[rule], "difference"),
            ("difference_right", controls[rule], "difference"),
            ("correlation", pairs[rule], "correlation"),
            ("correlation_right", controls[rule], "correlation"),
        )
    }


def _mean(column: "pd.Series[float]") -> float | None:
    return float(column.mean()) if column.notna().any() else None


def confidence_numbers(run: Run, tables: Tables) -> Numbers:
    """Probabilities of the shown pair with and without its common pixels (S2)."""
    right, wrong = IMAGES
    wanted = {
        "right_before_true": (right, "nothing", "true"),
        "wrong_before_predicted": (wrong, "nothing", "mistaken"),
        "wrong_before_true": (wrong, "nothing", "true"),
        "right_after_true": (right, "common", "true"),
        "wrong_after_predicted": (wrong, "common", "mistaken"),
        "wrong_after_true": (wrong, "common", "true"),
        "wrong_after_elsewhere": (wrong, "common", "other"),
    }
    return {
        f"s2.{run.task}.{name}{_suffix(rule)}": _cell(table, *place)
        for rule, table in tables.items()
        for name, place in wanted.items()
        if rule == "cutoff" or "after" in name
    }


def _cell(table: pd.DataFrame, image: str, name: str, column: str) -> float | None:
    found = table.loc[[label == (image, name) for label in table.index], column]
    return float(found.iloc[0]) if len(found) else None


def common_numbers(run: Run, changed: Tables, repaired: Tables) -> Numbers:
    """What happens to the other errors without the common pixels (S3)."""
    key = f"s3.{run.task}."
    numbers: Numbers = {f"{key}cases": int(changed["cutoff"]["cases"]["common"])}
    for rule in changed:
        counts = {
            "changed_common": changed[rule]["count"]["common"],
            "changed_random": changed[rule]["count"]["random_common"],
            "repaired_common": repaired[rule]["count"]["common"],
            "repaired_unique": repaired[rule]["count"]["unique"],
            "repaired_random": repaired[rule]["count"]["random_common"],
        }
        numbers |= {f"{key}{name}{_suffix(rule)}": whole_or_mean(n) for name, n in counts.items()}
    return numbers


def whole_or_mean(count: float) -> int | float:
    """A count as a whole number, a mean over draws as it is."""
    return int(count) if float(count).is_integer() else float(count)


def table3_numbers(run: Run, eight: Pairs, after: Mapping[str, Tensor]) -> Numbers:
    """Equal smallest probabilities (T3): without and with a ReLU on the logits."""
    key = f"t3.{run.task}."
    numbers: Numbers = {f"{key}cases": len(eight)}
    if not len(eight):
        return numbers
    before = equal_smallest(eight.wrong.logits.softmax(1))
    numbers[f"{key}rows_equal_before"] = int((before > 1).sum())
    for rule, logits in after.items():
        for name, values in (("", logits), ("_relu", rectified(logits))):
            equal = equal_smallest(values.softmax(1))
            end = name + _suffix(rule)
            numbers[f"{key}fewest_equal_after{end}"] = int(equal.min())
            numbers[f"{key}most_equal_after{end}"] = int(equal.max())
    return numbers


def repair_numbers(run: Run, eight: Tables, every: Tables) -> Numbers:
    """Repairs of the chosen cases and of all errors (S4)."""
    key = f"s4.{run.task}."
    numbers: Numbers = {
        f"{key}cases": int(eight["cutoff"]["cases"]["unique"]),
        f"{key}{ALL}cases": int(every["cutoff"]["cases"]["unique"]),
    }
    for start, tables in (("", eight), (ALL, every)):
        for rule, table in tables.items():
            numbers |= {
                f"{key}{start}{name}{_suffix(rule)}": whole_or_mean(table["count"][column])
                for name, column in REPAIRS.items()
            }
    return numbers


def count_interval(summary: pd.DataFrame, name: str) -> Interval | None:
    """The 95 % interval of a rate as one of the count."""
    row = summary.loc[name]
    if not row["cases"]:
        return None
    return float(row["low"] * row["cases"]), float(row["high"] * row["cases"])


def rows(numbers: Numbers, intervals: Mapping[str, Interval | None] | None = None) -> list[Row]:
    """Rows for `tinyvgg.paper.compare`; numbers of the literal rule say so.

    Args:
        numbers: to show; those that were not measured are left out.
        intervals: of some of them; where given, only numbers that it names are shown.
    """
    shown = dict.fromkeys(numbers) if intervals is None else intervals
    return [_row(key, numbers[key], shown[key]) for key in shown if numbers.get(key) is not None]


def _row(key: str, value: object, interval: Interval | None) -> Row:
    """Numbers that only differ in the rule or the cases from a known one are called after it."""
    plain = key.removesuffix("_literal").replace(f".{ALL}", ".")
    words = [describe(plain).full_label]
    words += ["all errors"] if f".{ALL}" in key else []
    words += ["literal rule"] if key.endswith("_literal") else []
    return ", ".join(words) if plain != key else "", key, cast(Value, value), interval
