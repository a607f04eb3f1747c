"""Backtracking: how many pixels each rule keeps, and whether it looks at the class."""

from typing import Any

from tinyvgg.analysis.parts import Part, percent, plain, shown, tabled
from tinyvgg.chapters import backtracking as figures
from tinyvgg.chapters import backtracking as findings
from tinyvgg.chapters.backtracking import Followed, averages, kept_table, overlap_table
from tinyvgg.documents.content import Block, Text
from tinyvgg.training.runs import Run

RULES = {"literal": "Algorithm 1 as printed", "cutoff": "the published code's cutoff"}
NO_ERROR = "The network makes no error: there is nothing to follow back."


def describe_backtracking(run: Run, followed: Followed, errors: int) -> Part:
    """Pixels of each rule in the errors, and their overlap with those of other classes.

    Args:
        run: the network.
        followed: its errors, or some of them.
        errors: how many it makes.
    """
    if not len(followed.trace):
        return Part("Backtracking", [Text(NO_ERROR)])
    by_task = {run.task: followed}
    kept = averages(kept_table(followed), ["rule", "layer"], "share")
    overlap = averages(overlap_table(followed), ["rule", "layer", "against"], "overlap")
    pixels = findings.pixel_summary(by_task).droplevel("task")
    pixels = pixels.drop(index="paper", errors="ignore").rename_axis("rule")
    blocks: list[Block] = [
        Text(
            f"{_which(len(followed.trace), errors)} followed back from the class that it was taken"
            " for, down the dense layers to the pixels: elements of the last feature maps."
            " Two rules do that: Algorithm 1 as the paper prints it (literal), and with the cutoff"
            " of its published code."
        ),
        tabled(pixels, "Backtracked pixels of an error, by rule.", NO_ERROR),
        shown(
            figures.maps_without_pixels(figures.panels(run, followed)),
            "Rows of an image, its last feature maps, and the maps without the pixels of each rule",
            "Two errors: the image, its last maps, and the maps without the pixels that each rule"
            " finds.",
        ),
        Text(
            "Does a rule look at the class at all? Below, the pixels found from the class that an"
            " error was taken for are compared with those found from its true class and from"
            " another one. Overlap 1 means the same pixels. The control, contribution, is as many"
            " pixels with the largest exact share in the logit of the class."
        ),
        shown(
            figures.class_overlap({run.task: overlap}),
            "Points with intervals: overlap of the sets of two classes, by layer and rule",
            "Overlap (intersection over union) of what is kept for the predicted class with what is"
            " kept for the true class and for a random other one, layer by layer from the last"
            " hidden one down to the pixels, with 95 % intervals.",
        ),
        tabled(
            findings.overlap_summary(by_task),
            "The same in numbers: mean overlap with its 95 % interval.",
            NO_ERROR,
        ),
    ]
    numbers: dict[str, Any] = {
        "explained": len(followed.trace),
        "kept": plain(kept),
        "overlap": plain(overlap),
        **{name.split(".")[2]: value for name, value in findings.pixel_numbers(by_task).items()},
    }
    said = [_sentence(followed, rule) for rule in RULES]
    return Part("Backtracking", blocks, numbers, [words for words in said if words])


def _which(explained: int, errors: int) -> str:
    if explained == errors:
        return f"Each of {errors:,} errors is"
    return (
        f"So that memory and time suffice, {explained:,} of {errors:,} errors are drawn at random,"
        " here and below. Each is"
    )


def _sentence(followed: Followed, rule: str) -> str:
    """How many pixels a rule keeps, and how much of them another class would give as well."""
    if not bool(followed.pixels(rule).any()):
        return (
            f"Backtracking by {RULES[rule]} keeps no pixel of {len(followed.trace):,} errors:"
            " none of the products that it goes by is large enough."
        )
    found = findings.forgotten(followed, rule)
    if not len(found):
        return ""
    mean, low, high = (float(found[name].iloc[0]) for name in ("mean", "low", "high"))
    numbers = findings.pixel_numbers({"one": followed})
    share = numbers[f"b1.one.active_share_{rule}"]
    said = (
        f"Backtracking by {RULES[rule]} keeps {percent(share)} of the active pixels of an error;"
        f" with the pixels that it finds from another class they overlap by {mean:.2f}"
        f" (95 % interval {low:.2f} to {high:.2f})"
    )
    if low >= findings.FORGOTTEN:
        return f"{said}: it hardly depends on the class, and cannot say why this one was answered."
    return f"{said}."
