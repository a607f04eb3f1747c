"""Backtracking: from a class down the dense layers to the pixels of the last maps (Algorithm 1).

Step 3 of the paper's Algorithm 1 pairs a_j with W_j, whose rows belong to layer j-1. It is read
here as a_{j-1}[r] W_j[r, i] > 0, with a_0 the last pooled maps, flattened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.contribution import layer_contributions, top_pixels
from tinyvgg.edges import first_of_equals, percentile_of, products, reached
from tinyvgg.errors import UserError
from tinyvgg.trace import Target, Trace, check_target


@runtime_checkable
class Rule(Protocol):
    """A choice of the neurons and pixels that are kept."""

    def select(self, trace: Trace, target: Int[Tensor, "n"]) -> Sequence[Bool[Tensor, "n _"]]:
        """Return what is kept for one class of each image: flattened pixels, then a_1, ..., a_n."""


class Stepwise:
    """A rule that walks down layer by layer from the class, as Algorithm 1 does.

    A rule of one's own derives from this and defines `step`.
    """

    def step(
        self,
        activations: Float[Tensor, "n r"],
        weight: Float[Tensor, "i r"],
        above: Bool[Tensor, "n i"],
        last: bool,
    ) -> Bool[Tensor, "n r"]:
        """Return the neurons r kept below the neurons i of `above`; `last` marks the last step.

        `weight[i, r]` is W[r, i]. In the last step an average pool between the last maps and the
        dense layers is part of it, since both are linear.
        """
        raise TypeError(f"{type(self).__name__} has to define step")

    def select(self, trace: Trace, target: Int[Tensor, "n"]) -> Sequence[Bool[Tensor, "n _"]]:
        """Return what is kept for one class of each image: flattened pixels, then a_1, ..., a_n."""
        network, weight = trace.network, trace.network.pixel_weight(trace.maps)
        above = torch.nn.functional.one_hot(target, network.classes).bool()
        kept: list[Tensor] = []
        for activations, layer in zip(
            reversed(trace.dense), reversed(network.dense[1:]), strict=True
        ):
            above = self.step(activations, layer.module.weight, above, last=False)
            kept.insert(0, above)
        return [self.step(network.pixels(trace.maps), weight, above, last=True), *kept]


@dataclass(frozen=True)
class Literal(Stepwise):
    """Algorithm 1 to the letter: r stays as soon as a[r] W[r, i] > 0 for one kept neuron i above.

    It is blind to the size of a product and, if many neurons are kept above, mostly to the class.
    """

    def step(
        self,
        activations: Float[Tensor, "n r"],
        weight: Float[Tensor, "i r"],
        above: Bool[Tensor, "n i"],
        last: bool,
    ) -> Bool[Tensor, "n r"]:
        """Return neurons with a positive product; a product is positive when its signs agree."""
        kept = (activations > 0) & reached(weight > 0, above)
        # Only pixels can be negative: hidden neurons have gone through a ReLU.
        if last and bool((activations < 0).any()):
            kept |= (activations < 0) & reached(weight < 0, above)
        return kept


@dataclass(frozen=True)
class Strongest(Literal):
    """Algorithm 1, but of each hidden layer only the `most` neurons with the largest products.

    With few of them it does see the class.
    """

    most: int = 1

    def step(
        self,
        activations: Float[Tensor, "n r"],
        weight: Float[Tensor, "i r"],
        above: Bool[Tensor, "n i"],
        last: bool,
    ) -> Bool[Tensor, "n r"]:
        """Return the neurons kept below those of `above`; in the last step all that are found."""
        found = super().step(activations, weight, above, last)
        if last:
            return found
        largest = torch.zeros_like(activations)
        for image, active, edges in products(weight, activations, above):
            if len(edges):
                largest[image, active] = edges.amax(0)
        scores = torch.where(found, largest, 0)
        return top_pixels(scores[:, :, None, None], self.most).flatten(1)


@dataclass(frozen=True)
class Cutoff(Stepwise):
    """The rule of the paper's published code: Algorithm 1, with a cutoff in the last step only.

    The cutoff of an image is the `percentile`, by linear interpolation, of its products
    a_0[r] W_1[r, i], i kept, that exceed `floor`. A pixel stays when one of its products lies above
    the cutoff. Where no product exceeds the floor no pixel is kept.

    The rule is blind to the class wherever `Literal` is, which chooses the neurons above the
    pixels; the pixels themselves are mostly chosen by the size of their activation.

    Attributes:
        percentile: a number from 0 to 100.
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
        """Return neurons with a positive product, in the last step one above the image's cutoff."""
        if not last and not self.first_of_equals:
            return Literal().step(activations, weight, above, last)
        kept = torch.zeros_like(activations, dtype=torch.bool)
        for image, active, edges in products(weight, activations, above, self.floor * last):
            cutoff: Tensor | float = 0.0
            if last:
                over = edges[edges > self.floor]
                cutoff = percentile_of(over, self.percentile) if len(over) else torch.inf
            equals = self.first_of_equals
            found = first_of_equals(edges, cutoff) if equals else (edges > cutoff).any(0)
            kept[image, active[found]] = True
        return kept


def published() -> Cutoff:
    """Return the rule of the published code in full, its look-up by value included."""
    return Cutoff(first_of_equals=True)


@dataclass(frozen=True)
class Contribution:
    """Neurons and pixels r with a positive share in the logit z of the class: a[r] dz/da[r] > 0.

    The shares of a layer's neurons and of the biases above it sum to z, since the dense layers
    are piecewise linear. The rule is blind to the other classes: a pixel that supports all logits
    alike counts as much as one that separates them. A share holds for the present pattern of active
    neurons, which suppression may change.

    Attributes:
        top: keep that many pixels of the largest shares, fewer where fewer are positive; None
            keeps all positive ones. The hidden neurons kept are always the positive ones.
    """

    top: int | None = None

    def select(self, trace: Trace, target: Int[Tensor, "n"]) -> Sequence[Bool[Tensor, "n _"]]:
        """Return what is kept for one class of each image: flattened pixels, then a_1, ..., a_n."""
        return _positive(trace, layer_contributions(trace, target), self.top)


@dataclass(frozen=True, eq=False)
class Contrastive:
    """Neurons and pixels with a positive share in the difference of two logits.

    A neuron r counts by a[r] d(z_k - z_j)/da[r], with k the class walked back from and j the one
    it is held against: for an error, the predicted one against the true one. The rule is blind to
    third classes, which may win once the pixels are suppressed; and exact for the present pattern
    of active neurons only, as `Contribution` is.

    Attributes:
        against: the other class, for all or each image; None is the runner-up, the class with
            the largest logit besides the target.
        top: keep that many pixels of the largest shares, fewer where fewer are positive; None
            keeps all positive ones.
    """

    against: Target = None
    top: int | None = None

    def select(self, trace: Trace, target: Int[Tensor, "n"]) -> Sequence[Bool[Tensor, "n _"]]:
        """Return what is kept for one class of each image: flattened pixels, then a_1, ..., a_n."""
        against = runner_up(trace, target) if self.against is None else self.against
        return _positive(trace, layer_contributions(trace, target, against), self.top)


def runner_up(trace: Trace, target: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
    """Return the class with the largest logit besides the target."""
    return trace.logits.scatter(1, target[:, None], -torch.inf).argmax(1)


def _positive(
    trace: Trace, shares: Sequence[Tensor], top: int | None
) -> Sequence[Bool[Tensor, "n _"]]:
    pixels, *neurons = shares
    if top is None:
        chosen = pixels > 0
    else:
        chosen = top_pixels(pixels.reshape(trace.maps.shape), top).flatten(1)
    return [chosen, *(share > 0 for share in neurons)]


NAMED: Mapping[str, Rule] = MappingProxyType(
    {
        "literal": Literal(),
        "cutoff": Cutoff(),
        "published": published(),
        "contribution": Contribution(),
        "contrastive": Contrastive(),
    }
)
"""Every rule with its usual settings. None of them knows the true class."""

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "literal": "literal rule",
        "cutoff": "published cutoff",
        "published": "published code",
        "contribution": "exact share",
        "contrastive": "exact share in the margin",
    }
)
"""The name of each rule of `NAMED` in figures and tables."""


@dataclass(frozen=True, eq=False)
class Backtrack:
    """The neurons and pixels that backtracking found for each of n images.

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
def backtrack(trace: Trace, target: Target = None, rule: Rule | str = "literal") -> Backtrack:
    """Find the neurons and pixels that lead to a class, from the logits down (Algorithm 1).

    Args:
        trace: a trace of n images.
        target: the class to start from, for all or each image; None is the predicted one.
        rule: a rule, or the name of one of `NAMED`.

    Raises:
        UserError: a target out of range or of another length than the trace, or an unknown rule.
    """
    if isinstance(rule, str) and rule not in NAMED:
        raise UserError(f"rule {rule!r} is not one of {', '.join(NAMED)}")
    if isinstance(rule, type):
        raise UserError(f"rule is the class {rule.__name__}: pass {rule.__name__}()")
    rule = NAMED[rule] if isinstance(rule, str) else rule
    target = check_target(trace, target)
    pixels, *neurons = rule.select(trace, target)
    return Backtrack(target, tuple(neurons), pixels.reshape(trace.maps.shape), rule)
