"""Chapter 17: cells of an error take the values of its look-alike, from one cell to all."""

from itertools import compress

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyvgg.chapters import cases, style
from tinyvgg.contribution import patch_effects
from tinyvgg.trace import Trace
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Row

EIGHT, DRAWS = 8, 5
"""Cells whose features are shown, and that take other values, too; draws at random."""
CUTOFF = cases.RULES["cutoff"]
Scores = Float[Tensor, "n c h w"]


def rankings(pairs: cases.Pairs) -> dict[str, list[Scores]]:
    """Score the cells of each error by rankings, of which the random one is drawn several times.

    Backtracking's begins with cells unique to the error, then has the common ones, then the rest,
    each by their activation. The random one begins with all cells that differ.
    """
    maps, sets = pairs.wrong.maps, cases.pixel_sets(pairs, CUTOFF)
    apart, draw = (maps - pairs.right.maps).abs(), torch.Generator().manual_seed(0)
    return {
        "gradient": [patch_effects(pairs.wrong, pairs.right)],
        "difference": [apart],
        "backtracking": [maps.double() / (1 + maps) + sets.wrong + sets.unique],
        "random": [(apart > 0) * torch.rand(maps.shape, generator=draw) for _ in range(DRAWS)],
    }


def ranks(scores: Scores) -> Int[Tensor, "n c h w"]:
    """Return the rank of each cell, the largest score first; of equals the lower index."""
    order = scores.flatten(1).sort(dim=1, descending=True, stable=True).indices
    return order.argsort(1).reshape(scores.shape)


def share(trace: Trace, cells: cases.Cells, fill: cases.Fill, answer: Int[Tensor, "n"]) -> float:
    """Return the share of images that get an answer once these cells hold a fill."""
    return float((rescore(trace, cells, fill).argmax(1) == answer).double().mean())


def curve(trace: Trace, other: Trace, scores: Scores) -> list[float]:
    """Return the share with the other's answer once 1, 2, 4, ..., all cells hold its values."""
    place, powers = ranks(scores), range(1 + (scores.shape[1:].numel() - 1).bit_length())
    return [share(trace, place < 1 << power, other.maps, other.predicted) for power in powers]


def patches(run: Run) -> Row:
    """Patch the errors of a network: `curve` by `rankings`.

    The curve ``third`` is of errors patched from a right image of a third class, ``back`` of
    look-alikes patched from their errors. ``filled`` are the shares repaired when `EIGHT` cells
    hold values of the look-alike, zero, or values of the third class. The pictures are of the
    repaired error that is closest to its look-alike: both, and what the cells show in them.
    """
    pairs = cases.record_pairs(run, cases.find_cases(run))
    wrong, right, other, labels = pairs.wrong, pairs.right, pairs.other, pairs.labels
    ranked = rankings(pairs)
    curves = {name: [curve(wrong, right, one) for one in drawn] for name, drawn in ranked.items()}
    curves["back"] = [curve(right, wrong, patch_effects(right, wrong))]
    third = (other.predicted != wrong.predicted) & (other.predicted != labels)
    curves["third"] = [curve(wrong[third], other[third], patch_effects(wrong, other)[third])]
    eight = ranks(ranked["gradient"][0]) < EIGHT
    found = {
        "pairs": len(pairs),
        "cells": wrong.maps.shape[1:].numel(),
        "curves": {name: np.mean(each, 0).tolist() for name, each in curves.items()},
        "filled": [share(wrong, eight, f, labels) for f in (right.maps, 0.0, other.maps)],
    }
    repaired = rescore(wrong, eight, right.maps).argmax(1) == labels
    for best in cases.closest(compress(pairs.cases, repaired)):
        place, rows = [pairs.cases.index(best)], [best.row, best.lookalike or 0]
        features = [track_features(one[place], eight[place]) for one in (wrong, right)]
        inks = [style.ink(x, float(x.max())) for x in style.strength(torch.cat(features)).numpy()]
        found |= {"given": run.classes[best.predicted], "true": run.classes[best.true]}
        found |= {"pictures": {"images": run.faces.images[rows], "inks": np.stack(inks)}}
    return found
