"""Backtracking: from a class down the dense layers to the pixels of the last maps (Algorithm 1).

Step 3 of the paper's Algorithm 1 pairs a_j with W_j, whose rows belong to layer j-1. It is read
here as a_{j-1}[r] W_j[r, i] > 0, with a_0 the last pooled maps, flattened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.network import flatten
from tinyvgg.trace import Target, Trace, check_target

CHUNK = 2**22  # products, or weights, that are held at a time
BLOCK = 64  # neurons above that are looked through at a time for equal products


@runtime_checkable
class Rule(Protocol):
    """Decides which neurons of a layer are kept, given those kept in the layer above."""

    def step(
        self,
        activations: Float[Tensor, "n r"],
        weight: Float[Tensor, "i r"],
        above: Bool[Tensor, "n i"],
        last: bool,
    ) -> Bool[Tensor, "n r"]:
        """Neurons r kept below the neurons i of `above`; `last` marks the step to the pixels."""


@dataclass(frozen=True)
class Literal:
    """Algorithm 1 to the letter: r stays as soon as a[r] W[r, i] > 0 for one kept neuron i above.

    Blind to the size of a product and, with many neurons kept above, in practice to the class.
    """

    def step(
        self,
        activations: Float[Tensor, "n r"],
        weight: Float[Tensor, "i r"],
        above: Bool[Tensor, "n i"],
        last: bool,
    ) -> Bool[Tensor, "n r"]:
        """Neurons with a positive product; a product is positive when its signs agree."""
        kept = (activations > 0) & _reached(weight > 0, above)
        negative = activations < 0
        if bool(negative.any()):
            kept |= negative & _reached(weight < 0, above)
        return kept


@dataclass(frozen=True)
class Cutoff:
    """The rule of the paper's published code: Algorithm 1, with a cutoff in the last step only.

    Of all products a_0[r] W_1[r, i], i kept, those that exceed `floor` give the cutoff of the
    image: their `percentile`, by linear interpolation. A pixel stays when one of its products
    lies above the cutoff. Where no product exceeds the floor no pixel is kept.

    Attributes:
        percentile: from 0 to 100.
        floor: 0 or more; products up to it take no part.
        first_of_equals: in every step, let neurons whose products with a neuron above are equal
            collapse into the first of them, as a look-up by value does.
    """

    percentile: float = 90.0
    floor: float = 0.05
    first_of_equals: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.percentile <= 100:
            raise UserError(f"percentile {self.percentile} is not between 0 and 100")
        if not self.floor >= 0:
            raise UserError(f"floor {self.floor} is not 0 or more")

    def step(
        self,
        activations: Float[Tensor, "n r"],
        weight: Float[Tensor, "i r"],
        above: Bool[Tensor, "n i"],
        last: bool,
    ) -> Bool[Tensor, "n r"]:
        """Neurons with a positive product, or in the last step one above the image's cutoff."""
        if not last and not self.first_of_equals:
            return Literal().step(activations, weight, above, last)
        kept = torch.zeros_like(activations, dtype=torch.bool)
        for image, (activation, selected) in enumerate(zip(activations, above, strict=True)):
            active = activation.nonzero().flatten()
            products = _Products(activation[active], weight, active, selected.nonzero().flatten())
            kept[image, active] = self._keep(products, last)
        return kept

    def _keep(self, products: "_Products", last: bool) -> Bool[Tensor, "r"]:
        if last:
            values, largest = products.summary(self.floor)
            cutoff = _percentile(values, self.percentile) if len(values) else torch.inf
        else:
            largest, cutoff = products.largest(), 0.0
        kept = largest > cutoff
        return products.found_first(cutoff, kept) if self.first_of_equals else kept


def published() -> Cutoff:
    """The rule with all that the published code does, its look-up by value included."""
    return Cutoff(first_of_equals=True)


@dataclass(frozen=True, eq=False)
class Backtrack:
    """What backtracking found for each of n images.

    Attributes:
        target: (n,), the class it started from.
        neurons: kept neurons of the hidden dense layers a_1, ..., a_n.
        pixels: kept elements of the last pooled maps.
        rule: the rule that chose them.
    """

    target: Int[Tensor, "n"]
    neurons: tuple[Bool[Tensor, "n _"], ...]
    pixels: Bool[Tensor, "n c h w"]
    rule: Rule


@torch.no_grad()
def backtrack(trace: Trace, target: Target = None, rule: Rule | None = None) -> Backtrack:
    """Neurons and pixels that lead to a class, layer by layer from the logits down (Algorithm 1).

    Args:
        trace: of n images.
        target: the class to start from, for all or each image; None is the predicted one.
        rule: `Literal()` if None.

    Raises:
        UserError: a target out of range or of another length than the trace.
    """
    rule = Literal() if rule is None else rule
    target = check_target(trace, target)
    network = trace.network
    activations = (flatten(network, trace.maps), *trace.dense)
    above = torch.nn.functional.one_hot(target, network.classes).bool()
    kept: list[Tensor] = []
    for depth in reversed(range(len(activations))):
        weight = network.dense[depth].module.weight
        above = rule.step(activations[depth], weight, above, last=depth == 0)
        kept.insert(0, above)
    pixels, *neurons = kept
    return Backtrack(target, tuple(neurons), pixels.reshape(trace.maps.shape), rule)


@torch.no_grad()
def contributions(trace: Trace, target: Target, against: Target = None) -> Float[Tensor, "n c h w"]:
    """Exact share of each pixel in a logit: its activation times the logit's gradient.

    The dense layers are piecewise linear, so the shares of an image and a term of the biases alone
    sum to the logit, or to its difference to the logit `against` where that is given.

    Raises:
        UserError: a target out of range or of another length than the trace.
    """
    layers = [layer.module.weight for layer in trace.network.dense]
    gradient = layers[-1][check_target(trace, target)]
    if against is not None:
        gradient = gradient - layers[-1][check_target(trace, against)]
    for activations, weight in zip(reversed(trace.dense), reversed(layers[:-1]), strict=True):
        gradient = (gradient * (activations > 0)) @ weight
    return (flatten(trace.network, trace.maps) * gradient).reshape(trace.maps.shape)


def top_pixels(
    scores: Float[Tensor, "n c h w"], counts: int | Int[Tensor, "n"]
) -> Bool[Tensor, "n c h w"]:
    """The `counts[i]` largest positive scores of image i; of equal scores the lower index wins.

    An image with fewer positive scores than its count gives all of these.

    Raises:
        UserError: a negative count, or another number of counts than of images.
    """
    flat = scores.flatten(1)
    counts = torch.as_tensor(counts, device=scores.device)
    if counts.ndim and counts.shape != (len(scores),):
        raise UserError(f"counts has length {len(counts)}: hand over one for each of {len(scores)}")
    if bool((counts < 0).any()):
        raise UserError(f"count {int(counts.min())} is negative: a number of pixels is 0 or more")
    order = flat.sort(dim=1, descending=True, stable=True).indices
    ranks = torch.arange(flat.shape[1], device=flat.device).expand_as(flat)
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen.scatter_(1, order, ranks < counts.reshape(-1, 1))
    return (chosen & (flat > 0)).reshape(scores.shape)


def _reached(positive: Bool[Tensor, "i r"], above: Bool[Tensor, "n i"]) -> Bool[Tensor, "n r"]:
    """Whether some kept neuron above has a positive entry; sums of zeros and ones are exact."""
    selected = above.float()
    columns = positive.split(max(1, CHUNK // max(1, len(positive))), dim=1)
    return torch.cat([selected @ part.float() > 0 for part in columns], dim=1)


@dataclass(frozen=True, eq=False)
class _Products:
    """Products of one image's active neurons r with the weights of the kept neurons i above."""

    activation: Float[Tensor, "r"]
    weight: Float[Tensor, "i all_r"]
    active: Int[Tensor, "r"]
    above: Int[Tensor, "kept_i"]

    def chunks(self, rows: int = 0) -> Iterator[Tensor]:
        """Products (i, r), some neurons i at a time; none where no neuron is kept above."""
        if not len(self.above):
            return
        for part in self.above.split(rows or max(1, CHUNK // max(1, self.weight.shape[1]))):
            yield self.weight.index_select(0, part).index_select(1, self.active) * self.activation

    def summary(self, floor: float) -> tuple[Float[Tensor, "m"], Float[Tensor, "r"]]:
        """All products that exceed the floor, and the largest product of each neuron r."""
        values, largest = [self.activation[:0]], [self.none()]
        for part in self.chunks():
            values.append(part[part > floor])
            largest.append(part.amax(dim=0))
        return torch.cat(values), torch.stack(largest).amax(dim=0)

    def largest(self) -> Float[Tensor, "r"]:
        """The largest product of each neuron r."""
        return torch.stack([self.none(), *(part.amax(dim=0) for part in self.chunks())]).amax(0)

    def none(self) -> Float[Tensor, "r"]:
        """What the largest product is where no neuron above is kept."""
        return torch.full_like(self.activation, -torch.inf)

    def found_first(
        self, threshold: float | Tensor, candidates: Bool[Tensor, "r"]
    ) -> Bool[Tensor, "r"]:
        """Candidates that are, for some neuron above, the first with their product.

        Stops as soon as all are confirmed, which a few neurons above do unless weights repeat.
        """
        found = torch.zeros_like(candidates)
        for part in self.chunks(rows=BLOCK):
            if torch.equal(found, candidates):
                break
            found |= _first_of_equals(part, threshold)
        return found


def _first_of_equals(products: Float[Tensor, "i r"], threshold: float | Tensor) -> Tensor:
    """Neurons r, (r,), that for some i are the first of the products of their value, if above."""
    i, r = (products > threshold).nonzero(as_tuple=True)
    values = products[i, r]
    order = values.argsort(stable=True)
    order = order[i[order].argsort(stable=True)]
    i, r, values = i[order], r[order], values[order]
    first = torch.ones_like(i, dtype=torch.bool)
    first[1:] = (i[1:] != i[:-1]) | (values[1:] != values[:-1])
    return torch.zeros_like(products[0], dtype=torch.bool).index_fill_(0, r[first], True)


def _percentile(values: Float[Tensor, "m"], percentile: float) -> Tensor:
    """Numpy's linear percentile in float64, rounded down to the dtype of the values.

    Values of that dtype lie above the one exactly when they lie above the other.
    """
    position = (len(values) - 1) * (percentile / 100)
    below = int(position)
    share = position - below
    top = values.topk(len(values) - below, sorted=False).values
    nearest = top.topk(min(2, len(top)), largest=False).values.double()
    low, high = nearest.amin(), nearest.amax()
    exact = low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
    rounded = exact.to(values.dtype)
    return torch.where(rounded > exact, rounded.nextafter(rounded - 1), rounded)
