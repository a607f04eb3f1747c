"""Backtracking: how many pixels each rule keeps, and whether it looks at the class."""

from typing import Any

from tinyvgg.analysis.parts import Part, percent, plain, shown, tabled
from tinyvgg.chapters import backtracking as figures
from tinyvgg.chapters.backtracking import (
    FORGOTTEN,
    Followed,
    averages,
    kept_table,
    layer_summary,
    overlap_table,
    pixel_counts,
)
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
    kept = averages(kept_table(followed), ["rule", "layer"], "share")
    overlap = averages(overlap_table(followed), ["rule", "layer", "against"], "overlap")
    (of_layers, all_kept), (overlaps, all_common) = (
        layer_summary({run.task: table}) for table in (kept, overlap)
    )
    blocks: list[Block] = [
        Text(
            f"{_which(len(followed.trace), errors)} followed back from the class that it was taken"
            " for, down the dense layers to the pixels: elements of the last feature maps."
            " Two rules do that: Algorithm 1 as the paper prints it (literal), and with the cutoff"
            " of its published code."
        ),
        tabled(of_layers, f"Share of the active units that a rule keeps. {all_kept}", NO_ERROR),
        shown(
            figures.maps_without_pixels([(run, followed)]),
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
            figures.layers_figure({run.task: overlap}, "overlap with the predicted class's set"),
            "Points with intervals: overlap of the sets of two classes, by layer and rule",
            "Overlap (intersection over union) of what is kept for the predicted class with what is"
            " kept for the true class and for a random other one, layer by layer from the last"
            " hidden one down to the pixels, with 95 % intervals.",
        ),
        tabled(
            overlaps,
            f"The same in numbers: mean overlap with its 95 % interval. {all_common}",
            NO_ERROR,
        ),
    ]
    numbers: dict[str, Any] = {
        "explained": len(followed.trace),
        "kept": plain(kept),
        "overlap": plain(overlap),
        **{f"pixels_{rule}": float(pixel_counts(followed, rule).mean()) for rule in RULES},
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
    kept = averages(kept_table(followed), ["rule", "layer"], "share")
    overlap = averages(overlap_table(followed), ["rule", "layer", "against"], "overlap")
    chosen = f"rule == '{rule}' and layer == 'pixels'"
    found = overlap.query(f"{chosen} and against == 'random'")
    if not len(found):
        return ""
    mean, low, high = (found[name].item() for name in ("mean", "low", "high"))
    share = kept.query(chosen)["mean"].item()
    said = (
        f"Backtracking by {RULES[rule]} keeps {percent(share)} of the active pixels of an error;"
        f" with the pixels that it finds from another class they overlap by {mean:.2f}"
        f" (95 % interval {low:.2f} to {high:.2f})"
    )
    if low >= FORGOTTEN:
        return f"{said}: it hardly depends on the class, and cannot say why this one was answered."
    return f"{said}."
