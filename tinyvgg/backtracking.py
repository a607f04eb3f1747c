"""Backtracking: from a class down the dense layers to the pixels of the last maps (Algorithm 1).

Step 3 of the paper's Algorithm 1 pairs a_j with W_j, whose rows belong to layer j-1. It is read
here as a_{j-1}[r] W_j[r, i] > 0, with a_0 the last pooled maps, flattened.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tinyvgg.rules import Literal, Rule
from tinyvgg.trace import Target, Trace, check_target


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
    pixels, *neurons = rule.select(trace, target)
    return Backtrack(target, tuple(neurons), pixels.reshape(trace.maps.shape), rule)
