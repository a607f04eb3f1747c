"""Slow references: the loops of Algorithm 1, and of the published code's cutoff, on plain lists.

Layers are counted as in the paper: activations a_0 (pixels), a_1, ..., a_n, and the weights
W_1, ..., W_n, W_o with W[r][i] between neuron r below and neuron i above.
"""

from collections.abc import Callable

import numpy as np
import torch

Lists = list[list[float]]
Step = Callable[[list[float], Lists, set[int]], set[int]]


def literal_step(activation: list[float], W: Lists, above: set[int]) -> set[int]:
    kept = set()
    for i in above:
        for r in range(len(W)):
            if activation[r] * W[r][i] > 0:
                kept.add(r)
    return kept


def by_value_step(activation: list[float], W: Lists, above: set[int], cutoff: float) -> set[int]:
    """Keep products above the cutoff, each looked up by its value in the list of all products."""
    kept = set()
    for i in above:
        products = [activation[r] * W[r][i] for r in range(len(W))]
        for product in products:
            if product > cutoff:
                kept.add(products.index(product))
    return kept


def cutoff_of(
    activation: list[float], W: Lists, above: set[int], percentile: float, floor: float
) -> float:
    products = [activation[r] * W[r][i] for i in above for r in range(len(W))]
    exceeding = [product for product in products if product > floor]
    return float(np.percentile(exceeding, percentile)) if exceeding else float("inf")


def cutoff_step(
    activation: list[float], W: Lists, above: set[int], percentile: float, floor: float
) -> set[int]:
    cutoff = cutoff_of(activation, W, above, percentile, floor)
    kept = set()
    for i in above:
        for r in range(len(W)):
            if activation[r] * W[r][i] > cutoff:
                kept.add(r)
    return kept


def descend(activations: Lists, weights: list[Lists], k: int, step: Step, last: Step) -> list[set]:
    """Return the kept neurons of a_0, a_1, ..., a_n, from class k down."""
    kept = [{k}]
    for depth in reversed(range(len(weights))):
        rule = step if depth else last
        kept.insert(0, rule(activations[depth], weights[depth], kept[0]))
    return kept[:-1]


def literal(activations: Lists, weights: list[Lists], k: int) -> list[set]:
    return descend(activations, weights, k, literal_step, literal_step)


def cutoff(
    activations: Lists,
    weights: list[Lists],
    k: int,
    percentile: float,
    floor: float,
    first_of_equals: bool,
) -> list[set]:
    def last(activation: list[float], W: Lists, above: set[int]) -> set[int]:
        if not first_of_equals:
            return cutoff_step(activation, W, above, percentile, floor)
        threshold = cutoff_of(activation, W, above, percentile, floor)
        return by_value_step(activation, W, above, threshold)

    def step(activation: list[float], W: Lists, above: set[int]) -> set[int]:
        if not first_of_equals:
            return literal_step(activation, W, above)
        return by_value_step(activation, W, above, 0.0)

    return descend(activations, weights, k, step, last)


def unpool_ties(maps: torch.Tensor, before: torch.Tensor, side: int) -> torch.Tensor:
    """Undo pooling over windows that do not overlap, to every tied maximum as in Theano."""
    back = torch.zeros_like(before)
    for i in range(maps.shape[2]):
        for j in range(maps.shape[3]):
            window = (..., slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side))
            tied = before[window] == before[window].amax((2, 3), keepdim=True)
            back[window] = maps[:, :, i : i + 1, j : j + 1] * tied
    return back
