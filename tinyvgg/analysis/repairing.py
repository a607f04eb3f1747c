"""Repairs: which pixels an answer becomes right without, beside controls of equal size."""

from typing import Any

import numpy as np
import pandas as pd

from tinyvgg.analysis.parts import Part, percent, plain, shown, tabled
from tinyvgg.chapters import cases as case_figures
from tinyvgg.chapters import repairs as figures
from tinyvgg.chapters import repairs as findings
from tinyvgg.chapters.cases import RULES, Pairs, rates_table, summarise, suppression_table
from tinyvgg.documents.content import Block, Text
from tinyvgg.paper import TASK_NAMES
from tinyvgg.repairs import Repair, repair
from tinyvgg.training.runs import Run

SETS = ("all", "unique", "random", "common", "largest", "contrastive", "repair")
NO_PAIR = "No error has a right look-alike: there is nothing to compare, and no repair is sought."
RULE = "cutoff"
"""The rule that conclusions are drawn from."""


def describe_repairs(run: Run, pairs: Pairs, seed: int) -> Part:
    """Errors repaired by the pixels unique to them, by random ones, and by the fewest there are."""
    if not len(pairs):
        return Part("Repairs", [Text(NO_PAIR)], {"pairs": 0})
    summaries = {
        rule: summarise(suppression_table(pairs, how, seed=seed), "repaired", "random")
        for rule, how in RULES.items()
    }
    found = repair(pairs.wrong, pairs.labels)
    named = {TASK_NAMES.get(run.task, run.task): (pairs, found)}
    controls = findings.control_summary(named, seed)
    blocks: list[Block] = [
        Text(
            f"{len(pairs):,} errors have a right look-alike. Some pixels of the last maps are set"
            " to zero, and the network is asked again: the error is repaired where the answer is"
            " then the true class. Unique pixels are backtracked in the error and not in its"
            " look-alike, common ones in both. Controls have as many pixels: active ones at random,"
            " those of largest activation, and those with the largest share in the wrong logit less"
            " the true one (contrastive). The repair set is the fewest pixels found, by whatever"
            " rule."
        ),
        shown(
            case_figures.rates_figure(summaries, SETS, "repaired"),
            "Points with intervals: share of errors repaired by each set of pixels, one panel for"
            " each rule",
            "Share of the errors that are repaired without each set of pixels, with Wilson's 95 %"
            " intervals; gray: random pixels.",
        ),
        *(
            tabled(
                rates_table(table, SETS),
                f"The same in numbers, {rule} rule; the difference is to random pixels.",
                NO_PAIR,
            )
            for rule, table in summaries.items()
        ),
        shown(
            figures.sizes_figure({run.task: (pairs, found)}),
            "A bar chart of the number of pixels in the smallest repairs",
            "Number of pixels in the smallest repair found of each error.",
        ),
        tabled(findings.size_summary(named), "The smallest repairs.", NO_PAIR),
        shown(
            figures.examples_figure(run, pairs, found),
            "Columns of a misclassified image, a trace of its features, and a similar image",
            "The errors with the smallest repairs: the image, what the pixels of its repair show in"
            " it, and its right look-alike.",
        ),
        tabled(
            controls.droplevel("task") if len(controls) else controls,
            "Would any class do? The same search for a random other class, and from the right"
            " look-alike to the same mistake.",
            "With two classes there is no third one to compare the repairs with.",
        ),
    ]
    sizes = found.size[found.repaired].double().numpy()
    numbers: dict[str, Any] = {
        "pairs": len(pairs),
        "sets": {rule: plain(table) for rule, table in summaries.items()},
        "smallest": {
            "repaired": int(found.repaired.sum()),
            "sizes": [int(size) for size in sizes],
            "minimal": int(found.minimal.sum()),
        },
    }
    said = [_unique_sentence(summaries[RULE]), _smallest_sentence(pairs, found)]
    return Part("Repairs", blocks, numbers, said)


def _unique_sentence(summary: pd.DataFrame) -> str:
    """Whether unique pixels repair more than random ones do."""
    unique, random = (dict(summary.loc[name]) for name in ("unique", "random"))
    low, high = unique["difference_low"], unique["difference_high"]
    if not unique["pixels"]:
        return "No error has pixels unique to it (cutoff): none can be suppressed."
    said = (
        f"Without the pixels unique to it (cutoff) {percent(unique['rate'])} of"
        f" {unique['cases']:,.0f} errors are repaired, without as many random ones"
        f" {percent(random['rate'])}"
    )
    if low == high:  # all errors alike, of which a bootstrap says nothing
        return f"{said}: how far that is chance cannot be told."
    said += f"; difference {100 * low:+.1f} to {100 * high:+.1f} points (95 % interval)"
    if low > 0:
        return f"{said}: they repair **more than chance**."
    if high < 0:
        return f"{said}: they repair **less than chance**."
    return f"{said}: **no more than chance** can be told."


def _smallest_sentence(pairs: Pairs, found: Repair) -> str:
    """How few pixels are enough."""
    repaired = int(found.repaired.sum())
    if not repaired:
        return f"None of {len(pairs):,} errors was repaired by any set of pixels that was tried."
    sizes = found.size[found.repaired].double().numpy()
    active = float((pairs.wrong.maps > 0).flatten(1).sum(1).double().mean())
    return (
        f"The fewest pixels found repair {repaired:,} of {len(pairs):,} errors; half of these sets"
        f" have {_pixels(float(np.median(sizes)))} or fewer, of {active:,.0f} active ones. That few"
        " are enough shows that an image lies near a border between two classes, not what in the"
        " world put it there."
    )


def _pixels(number: float) -> str:
    return "1 pixel" if number == 1 else f"{number:g} pixels"
