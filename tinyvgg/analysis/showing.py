"""Tracking: what the backtracked pixels of errors show in the images."""

import pandas as pd

from tinyvgg.analysis.following import NO_ERROR
from tinyvgg.analysis.parts import Part, plain, shown, tabled
from tinyvgg.chapters import feature_tracking as figures
from tinyvgg.chapters import feature_tracking as findings
from tinyvgg.chapters.backtracking import Followed
from tinyvgg.chapters.cases import RULES, Pairs
from tinyvgg.chapters.statistics import bootstrap_interval
from tinyvgg.documents.content import Block, Text
from tinyvgg.training.runs import Run

BESIDE = 8
"""Errors that are shown beside their look-alikes."""
GALLERY = 64
"""Errors that are shown with their features."""
RULE = "cutoff"


def describe_tracking(run: Run, followed: Followed, pairs: Pairs, seed: int) -> Part:
    """Tracked features of errors and look-alikes, and how alike they are to those of anything."""
    if not len(followed.trace):
        return Part("Tracked features", [Text(NO_ERROR)])
    tracked = findings.track(run, followed, seed)
    table = findings.tracked_table(tracked)
    summary = findings.tracked_summary({run.task: table}).droplevel("task")
    nearest = sorted(pairs.cases, key=lambda case: case.distance)[:BESIDE]
    blocks: list[Block] = [
        Text(
            "The features that led to an error are what the deconvolution of the last maps loses"
            " when the backtracked pixels are suppressed. Ink is strength: white is none, black the"
            " strongest of the image. A look-alike of an error is the right test image of its true"
            " class that is nearest to it."
        ),
        shown(
            figures.beside_lookalikes(run, pairs.only(nearest), RULES[RULE]),
            "Columns of an error with its features, a similar right image with its features, and"
            " the features that are unique to the error",
            "The errors nearest to their look-alikes, with what the backtracked pixels (cutoff)"
            " of either show, and what the pixels show that are unique to the error.",
        ),
        shown(
            figures.gallery(tracked, RULE, size=GALLERY),
            "Many small misclassified images, each beside a map of ink",
            "Errors, each with its tracked features at its right (cutoff). Above each the true"
            " class and the one it was taken for.",
        ),
        tabled(
            summary,
            "Tracked features of each set of pixels: how much of the whole projection's ink, and"
            " how like those of other sets (correlation over image pixels, 95 % intervals).",
            NO_ERROR,
        ),
    ]
    means = table.groupby("set", sort=False).mean(numeric_only=True).drop(columns="image")
    said = list(filter(None, [_sentence(table)]))
    return Part("Tracked features", blocks, {"sets": plain(means)}, said)


def _sentence(table: pd.DataFrame) -> str:
    """Whether the features of an error differ from those of random pixels."""
    part = table[table["set"] == RULE]
    alike = part["with_random"].dropna().to_numpy(float)
    if not len(alike):
        return ""
    low, high = bootstrap_interval(alike)
    return (
        f"The tracked features of an error (cutoff) correlate by {alike.mean():.2f} (95 % interval"
        f" {low:.2f} to {high:.2f}) with those of as many active pixels at random: the nearer that"
        " is to 1, the less a picture of them says about this error."
    )
