"""Edges between two dense layers, by the million, each with its product of activation and weight.

Algorithm 1 asks whether one of them is positive, the published code for a percentile of all. Both
answers are exact, though only a part of the edges is held at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CHUNK = 2**22  # weights that are held at a time
PART = 2**18  # products that are held at a time: they stay in a core's cache
SAMPLE = 300  # neurons on either side by whose products a percentile is guessed
MARGIN = 0.05  # distance below the percentile at which the guess aims
BLOCK = 64  # neurons above that are looked through at a time for equal products


def reached(positive: Bool[Tensor, "i r"], above: Bool[Tensor, "n i"]) -> Bool[Tensor, "n r"]:
    """Return whether some kept neuron above has a positive entry (sums of 0 and 1 are exact)."""
    selected = above.float()
    columns = positive.split(max(1, CHUNK // max(1, len(positive))), dim=1)
    return torch.cat([selected @ part.float() > 0 for part in columns], dim=1)


class Products:
    """The products of a layer's weight with the activations of one image after the other."""

    def __init__(self, weight: Float[Tensor, "i r"]) -> None:
        self.weight = weight
        self._largest, self._smallest = weight.amax(0), weight.amin(0)

    def of(self, activation: Float[Tensor, "r"], above: Bool[Tensor, "i"]) -> "Edges":
        """Return the edges of an image from its active neurons to the neurons kept above."""
        bound = torch.where(activation > 0, self._largest, self._smallest) * activation
        return Edges(self.weight, activation, above.nonzero().flatten(), bound)


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of one image.

    Attributes:
        weight: W[r, i] at [i, r].
        activation: activations of the neurons r below.
        above: the neurons i above.
        bound: upper bound of the products of each neuron r.
    """

    weight: Float[Tensor, "i r"]
    activation: Float[Tensor, "r"]
    above: Int[Tensor, "kept"]
    bound: Float[Tensor, "r"]

    def columns_above(self, threshold: float | Tensor) -> Int[Tensor, "m"]:
        """Return the neurons r with a product above a threshold of 0 or more."""
        columns = (self.bound > threshold).nonzero().flatten()
        return columns[self.largest(columns) > threshold]

    def largest(self, columns: Int[Tensor, "m"]) -> Float[Tensor, "m"]:
        """Return the largest product of each of some neurons r."""
        largest = self.activation.new_full((len(columns),), -torch.inf)
        for part in self.parts(columns):
            largest = torch.maximum(largest, part.amax(0))
        return largest

    def parts(
        self, columns: Int[Tensor, "m"], above: Int[Tensor, "some"] | None = None, rows: int = 0
    ) -> Iterator[Float[Tensor, "i m"]]:
        """Yield the products (i, m) of some neurons r, a few neurons i at a time."""
        above = self.above if above is None else above
        if not len(above) or not len(columns):
            return
        activation = self.activation[columns]
        whole = len(columns) == self.weight.shape[1]
        for some in above.split(rows or max(1, PART // len(columns))):
            weight = self.weight.index_select(0, some)
            yield (weight if whole else weight.index_select(1, columns)).mul_(activation)

    def found_first(
        self, candidates: Int[Tensor, "m"], threshold: float | Tensor
    ) -> Int[Tensor, "found"]:
        """Return the candidates that are the first of equal products for some neuron above.

        Stops as soon as all are confirmed, which a few neurons above do unless weights repeat.
        """
        active = self.activation.nonzero().flatten()
        wanted = torch.zeros_like(self.activation, dtype=torch.bool)
        wanted[candidates] = True
        found = torch.zeros_like(wanted)
        for part in self.parts(active, rows=BLOCK):
            if torch.equal(found, wanted):
                break
            found[active] |= first_of_equals(part, threshold)
        return found.nonzero().flatten()


def above_percentile(
    edges: Edges, percentile: float, floor: float
) -> tuple[Int[Tensor, "m"], Float[Tensor, ""]]:
    """Return the neurons r with a product above the percentile of the products above the floor.

    The percentile is exact. Only neurons whose largest product comes near it are looked at one by
    one. A sample says how near that is; where it misleads, all neurons are looked at.

    Returns:
        The neurons, in ascending order, and the percentile; none and infinity where no product
        exceeds the floor.
    """
    columns = (edges.bound > floor).nonzero().flatten()
    largest, total = _survey(edges, columns, floor)
    if not total:
        return columns[:0], edges.activation.new_tensor(torch.inf)
    rank = total - int((total - 1) * (percentile / 100))
    for near in (_guess(edges, columns, percentile, floor), floor):
        some = largest > near
        values = (part[part > near] for part in edges.parts(columns[some]))
        found = torch.cat([largest[:0], *values])
        if len(found) >= rank:
            break
    cutoff = percentile_of_largest(found, total, percentile)
    return columns[largest > cutoff], cutoff


def _survey(
    edges: Edges, columns: Int[Tensor, "m"], floor: float
) -> tuple[Float[Tensor, "m"], int]:
    """Return the largest product of each neuron r and the number of products above the floor."""
    largest = edges.activation.new_full((len(columns),), -torch.inf)
    total = torch.zeros((), dtype=torch.int64, device=largest.device)
    for part in edges.parts(columns):
        largest = torch.maximum(largest, part.amax(0))
        total += (part > floor).count_nonzero()
    return largest, int(total)


def _guess(edges: Edges, columns: Int[Tensor, "m"], percentile: float, floor: float) -> float:
    """Guess a value a little below the percentile, from a sample."""
    some, above = (x[:: max(1, len(x) // SAMPLE)] for x in (columns, edges.above))
    values = (part[part > floor] for part in edges.parts(some, above))
    sampled = torch.cat([edges.activation[:0], *values])
    if not len(sampled):
        return floor
    safe = max(0.0, percentile / 100 - MARGIN)
    return float(sampled.kthvalue(1 + int((len(sampled) - 1) * safe)).values)


def percentile_of_largest(
    values: Float[Tensor, "m"], total: int, percentile: float
) -> Float[Tensor, ""]:
    """Return numpy's linear percentile in float64, rounded down to the dtype of the values.

    Values of that dtype lie above the rounded percentile exactly when they lie above the other.

    Args:
        values: the largest of `total` values, down to those that the percentile lies between.
        total: the number of all values.
        percentile: a number from 0 to 100.
    """
    position = (total - 1) * (percentile / 100)
    below = int(position)
    share = position - below
    top = values.topk(total - below, sorted=False).values
    nearest = top.topk(min(2, len(top)), largest=False).values.double()
    low, high = nearest.amin(), nearest.amax()
    exact = low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
    rounded = exact.to(values.dtype)
    return torch.where(rounded > exact, rounded.nextafter(rounded - 1), rounded)


def first_of_equals(products: Float[Tensor, "i r"], threshold: float | Tensor) -> Bool[Tensor, "r"]:
    """Return the neurons r that for some i have the first of equal products above a threshold."""
    i, r = (products > threshold).nonzero(as_tuple=True)
    values = products[i, r]
    order = values.argsort(stable=True)
    order = order[i[order].argsort(stable=True)]
    i, r, values = i[order], r[order], values[order]
    first = torch.ones_like(i, dtype=torch.bool)
    first[1:] = (i[1:] != i[:-1]) | (values[1:] != values[:-1])
    return torch.zeros_like(products[0], dtype=torch.bool).index_fill_(0, r[first], True)
