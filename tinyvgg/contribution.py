"""The exact contribution of each pixel to a logit: the yardstick of every rule."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.network import dense_forward
from tinyvgg.trace import Target, Trace, check_target


@torch.no_grad()
def contributions(
    trace: Trace, target: Target = None, against: Target = None
) -> Float[Tensor, "n c h w"]:
    """Return the exact share of each pixel in a logit: its activation times the logit's gradient.

    The dense layers are piecewise linear, so the shares of an image and a term of the biases alone
    sum to the logit, or to its difference to the logit `against` where that is given.

    Args:
        trace: a trace of n images.
        target: the class of the logit, for all or each image; None is the predicted one.
        against: another class, whose share is subtracted.

    Raises:
        UserError: a target out of range or of another length than the trace.
    """
    return layer_contributions(trace, target, against)[0].reshape(trace.maps.shape)


@torch.no_grad()
def patch_effects(
    trace: Trace, other: Trace, target: Target = None, against: Target = None
) -> Float[Tensor, "n c h w"]:
    """Return how much each pixel lowers a margin, to first order, if it takes another's value.

    It is the difference of the pixels times the gradient of the logit of the target, the predicted
    class where it is None, minus that of another class, by default the other image's answer.
    """
    network, maps = trace.network, trace.maps
    *_, gradient = _gradients(trace, target, other.predicted if against is None else against)
    apart = network.pixels(maps) - network.pixels(other.maps)
    return (apart * network.to_pixels(gradient, maps)).reshape(maps.shape)


@torch.no_grad()
def layer_contributions(
    trace: Trace, target: Target = None, against: Target = None
) -> tuple[Float[Tensor, "n _"], ...]:
    """Return `contributions` of the pixels, flattened, and of the neurons of a_1, ..., a_n."""
    *hidden, gradient = _gradients(trace, target, against)
    shares = [a * g for a, g in zip(reversed(trace.dense), hidden, strict=True)]
    pixels = trace.network.pixels(trace.maps) * trace.network.to_pixels(gradient, trace.maps)
    return (pixels, *reversed(shares))


def _gradients(trace: Trace, target: Target, against: Target) -> list[Float[Tensor, "n _"]]:
    """Return the gradient of a logit, minus another's, in a_n, ..., a_1 and what feeds a_1."""
    if not trace.network.dense:
        return [_gradient(trace, target, against)]
    *hidden, last = [layer.module.weight for layer in trace.network.dense]
    found = [last[check_target(trace, target)]]
    if against is not None:
        found[0] = found[0] - last[check_target(trace, against)]
    for activations, weight in zip(reversed(trace.dense), reversed(hidden), strict=True):
        found.append((found[-1] * (activations > 0)) @ weight)
    return found


def _gradient(trace: Trace, target: Target, against: Target) -> Float[Tensor, "n d"]:
    """Return the gradient in the pixels, by running again what stands above them."""
    with torch.enable_grad():
        maps = trace.maps.detach().requires_grad_()
        logits = dense_forward(trace.network, maps)[1]
        score = _score(trace, logits, target, against)
        return torch.autograd.grad(score.sum(), maps)[0].flatten(1)


def _score(trace: Trace, logits: Tensor, target: Target, against: Target) -> Float[Tensor, "n"]:
    """Return one of the logits of each image, minus another."""
    own = logits.gather(1, check_target(trace, target)[:, None])[:, 0]
    if against is None:
        return own
    return own - logits.gather(1, check_target(trace, against)[:, None])[:, 0]


@torch.no_grad()
def completeness_error(
    trace: Trace, target: Target = None, against: Target = None
) -> Float[Tensor, "n"]:
    """Return by how much all shares together miss what the logit loses without all pixels.

    It is zero where what stands above the pixels is affine. Where it is piecewise linear shares are
    exact for the present pattern of active neurons, and this says how much others would matter.
    """
    bare = dense_forward(trace.network, torch.zeros_like(trace.maps))[1]
    before, after = (_score(trace, logits, target, against) for logits in (trace.logits, bare))
    return contributions(trace, target, against).flatten(1).sum(1) - (before - after)


def top_pixels(
    scores: Float[Tensor, "n c h w"], counts: int | Int[Tensor, "n"]
) -> Bool[Tensor, "n c h w"]:
    """Return the `counts[i]` largest positive scores of image i; of equals the lower index wins.

    An image with fewer positive scores than its count gives all of these.

    Raises:
        UserError: a negative count, or another number of counts than of images.
    """
    flat = scores.flatten(1)
    counts = torch.as_tensor(counts, device=scores.device)
    if counts.ndim and counts.shape != (len(scores),):
        raise UserError(f"counts has length {len(counts)}: pass one for each of {len(scores)}")
    if bool((counts < 0).any()):
        raise UserError(f"count {int(counts.min())} is negative: a number of pixels is 0 or more")
    order = flat.sort(dim=1, descending=True, stable=True).indices
    ranks = torch.arange(flat.shape[1], device=flat.device).expand_as(flat)
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen.scatter_(1, order, ranks < counts.reshape(-1, 1))
    return (chosen & (flat > 0)).reshape(scores.shape)
