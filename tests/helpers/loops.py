"""Slow references: the loops of Algorithm 1, and of the published code's cutoff, on plain lists.

Layers are counted as in the paper: activations a_0 (pixels), a_1, ..., a_n, and the weights
W_1, ..., W_n, W_o with W[r][i] between neuron r below and neuron i above.
"""

import numpy as np
import torch

Lists = list[list[float]]


def step(
    activation: list[float],
    W: Lists,
    above: set[int],
    cutoff: float = 0.0,
    first_of_equals: bool = False,
) -> set[int]:
    """Keep neurons with a product above the cutoff, or what a look-up of its value finds."""
    kept = set()
    for i in above:
        products = [activation[r] * W[r][i] for r in range(len(W))]
        for r, product in enumerate(products):
            if product > cutoff:
                kept.add(products.index(product) if first_of_equals else r)
    return kept


def cutoff_of(
    activation: list[float], W: Lists, above: set[int], percentile: float, floor: float
) -> float:
    products = [activation[r] * W[r][i] for i in above for r in range(len(W))]
    exceeding = [product for product in products if product > floor]
    return float(np.percentile(exceeding, percentile)) if exceeding else float("inf")


def literal(activations: Lists, weights: list[Lists], k: int) -> list[set[int]]:
    """Return the kept neurons of a_0, a_1, ..., a_n, from class k down."""
    kept = [{k}]
    for activation, W in zip(reversed(activations), reversed(weights), strict=True):
        kept.insert(0, step(activation, W, kept[0]))
    return kept[:-1]


def cutoff(
    activations: Lists,
    weights: list[Lists],
    k: int,
    percentile: float,
    floor: float,
    first_of_equals: bool,
) -> list[set[int]]:
    """Return the same by the published code, whose cutoff is in the last step alone."""
    kept = [{k}]
    for activation, W in zip(activations[:0:-1], weights[:0:-1], strict=True):
        kept.insert(0, step(activation, W, kept[0], 0.0, first_of_equals))
    last = activations[0], weights[0], kept[0]
    threshold = cutoff_of(*last, percentile, floor)
    return [step(*last, threshold, first_of_equals), *kept[:-1]]


def unpool_ties(maps: torch.Tensor, before: torch.Tensor, side: int) -> torch.Tensor:
    """Undo pooling over windows that do not overlap, to every tied maximum as in Theano."""
    back = torch.zeros_like(before)
    for i in range(maps.shape[2]):
        for j in range(maps.shape[3]):
            window = (..., slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side))
            tied = before[window] == before[window].amax((2, 3), keepdim=True)
            back[window] = maps[:, :, i : i + 1, j : j + 1] * tied
    return back
