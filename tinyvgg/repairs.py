"""Repair: few pixels of the last maps without which a wrong answer becomes right."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.errors import UserError
from tinyvgg.network import Network, dense_rest, first_sums, head, terms
from tinyvgg.trace import Trace, check_target

CANDIDATES = 16  # pixels of the largest shares, each tried before one is suppressed
PATIENCE = 50  # pixels that are suppressed without a better margin before an image is given up
EXHAUSTIVE = 16  # pixels of which all parts are tried
BUDGET = 1024  # parts of a set that are tried at least, in search of a smaller one


@dataclass(frozen=True, eq=False)
class Repair:
    """For each of n images, pixels whose suppression makes the answer right.

    Attributes:
        true_class: the right answers.
        pixels: the sets; empty where the answer is right already.
        repaired: whether the network gives the true class without the pixels. Where it does not,
            nothing found repairs the image, and its set is the one with the best margin.
        margin: true logit minus largest other, without the pixels.
        depth: the number of pixels up to which every combination was given back, none of which
            leaves the answer right. Where that is the whole set it is minimal by inclusion.
    """

    true_class: Int[Tensor, "n"]
    pixels: Bool[Tensor, "n c h w"]
    repaired: Bool[Tensor, "n"]
    margin: Float[Tensor, "n"]
    depth: Int[Tensor, "n"]

    @property
    def size(self) -> Int[Tensor, "n"]:
        """Pixels in the set of each image."""
        return self.pixels.flatten(1).sum(1)

    @property
    def minimal(self) -> Bool[Tensor, "n"]:
        """True where every smaller part of the set was tried and none repairs the image."""
        return self.repaired & (self.depth >= self.size)

    def __len__(self) -> int:
        return len(self.repaired)


@torch.no_grad()
def repair(trace: Trace, true_class: int | Int[Tensor, "n"], budget: int = BUDGET) -> Repair:
    """Find a smallest set of pixels whose suppression makes each answer right.

    Greedy: of the pixels with the largest shares in winning logit minus true logit
    (`contributions`), the one whose suppression gives the best margin is suppressed, the network
    answers again, and so on until it is right. Then pixels that need not have gone are given
    back, the best one at a time; and then all combinations of two, three and more, as far as
    `budget` reaches. If one leaves the answer right, the search goes on from there.

    A set of up to log2(budget) pixels is therefore minimal by inclusion: no part of it repairs.
    Of a larger one this is certain for parts that lack up to `Repair.depth` pixels, at least one.
    Since logits are not monotone in the pixels, there may be smaller sets elsewhere.

    Args:
        trace: of n images.
        true_class: the right answer, for all or each image.
        budget: combinations of pixels that are tried for each image; a single pixel always is.

    Raises:
        UserError: a class out of range or of another length than the trace, a budget below 0.
    """
    if budget < 0:
        raise UserError(f"budget {budget} is negative: a number of combinations is 0 or more")
    labels = check_target(trace, true_class)
    trace = _head_only(trace)
    pixels, repaired = _greedy(trace, labels)
    rows = (repaired & pixels.flatten(1).any(1)).nonzero().flatten().tolist()
    depth = torch.zeros_like(labels)
    for row in rows:
        pruned, depth[row] = _prune(trace[row], labels[row], pixels[row], budget)
        logits = head(trace.network, trace.maps[row, None].masked_fill(pruned, 0))
        if logits.argmax() == labels[row]:
            pixels[row] = pruned
        else:  # a tie that the order of summation decides
            depth[row] = 0
    logits = head(trace.network, trace.maps.masked_fill(pixels, 0))
    return Repair(labels, pixels, logits.argmax(1) == labels, margin(logits, labels), depth)


@torch.no_grad()
def smallest_repair(
    trace: Trace, true_class: int | Int[Tensor, "n"], pixels: Bool[Tensor, "n c h w"]
) -> Int[Tensor, "n"]:
    """Return the size of the smallest part of a set that repairs each image, by trying all parts.

    Args:
        trace: of n images.
        true_class: the right answer, for all or each image.
        pixels: the sets, of up to `EXHAUSTIVE` pixels each.

    Returns:
        (n,), 0 where the answer is right already, -1 where no part of the set repairs.

    Raises:
        UserError: a larger set, or a class out of range.
    """
    labels = check_target(trace, true_class)
    largest = int(pixels.flatten(1).sum(1).max()) if len(trace) else 0
    if largest > EXHAUSTIVE:
        raise UserError(
            f"a set of {largest} pixels has too many parts to try: pass {EXHAUSTIVE} at most"
        )
    trace = _head_only(trace)
    rows = range(len(trace))
    sizes = [_smallest(trace[row], labels[row], pixels[row].flatten()) for row in rows]
    return torch.tensor(sizes, dtype=torch.int64, device=labels.device)


@torch.no_grad()
def by_chance(
    network: Network, maps: Float[Tensor, "n c h w"], pixels: Bool[Tensor, "n c h w"], draws: int
) -> Int[Tensor, "draws n"]:
    """Return the answers without as many active pixels of each image, drawn at random."""
    generator, counts = torch.Generator().manual_seed(0), pixels.flatten(1).sum(1)
    answers = torch.zeros(draws, len(maps), dtype=torch.int64, device=maps.device)
    for answer in answers:
        keys = 1 - torch.rand(maps.shape[1:], generator=generator)  # the same for all images
        drawn = top_pixels(keys.to(maps.device) * (maps != 0), counts)
        answer[:] = head(network, maps.masked_fill(drawn, 0)).argmax(1)
    return answers


def _smallest(trace: Trace, label: Int[Tensor, ""], pixels: Bool[Tensor, "d"]) -> int:
    chosen = pixels.nonzero().flatten()
    if int(trace.predicted) == int(label):
        return 0
    whole = first_sums(trace.network, trace.maps)
    losses = terms(trace.network, trace.maps, chosen[None])[0]
    for size, gone in enumerate(_combinations(len(chosen), 2 ** len(chosen), label.device), 1):
        logits = dense_rest(trace.network, whole - gone.to(losses) @ losses)[1]
        if bool((logits.argmax(1) == label).any()):
            return size
    return -1


def margin(logits: Float[Tensor, "*n k"], labels: Int[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Return true logit minus largest other: positive where the decision is right."""
    index = labels[..., None]
    others = logits.scatter(-1, index, -torch.inf).amax(-1)
    return logits.gather(-1, index)[..., 0] - others


def _head_only(trace: Trace) -> Trace:
    """Return the trace without what the dense layers do not need, so that its rows are cheap."""
    return replace(trace, images=trace.images[..., :0, :0], pooled=trace.pooled[-1:], switches=())


def _greedy(
    trace: Trace, labels: Int[Tensor, "n"]
) -> tuple[Bool[Tensor, "n c h w"], Bool[Tensor, "n"]]:
    """Return the first set of each image that repairs it, else the set with the best margin."""
    weight = trace.network.pixel_weight(trace.maps) if trace.network.dense else None
    gone = torch.zeros(trace.maps.shape, dtype=torch.bool, device=trace.maps.device)
    best, best_margin = gone.clone(), torch.full_like(trace.logits[:, 0], -torch.inf)
    repaired = torch.zeros_like(labels, dtype=torch.bool)
    waited = torch.zeros_like(labels)
    rows = torch.arange(len(labels), device=labels.device)
    while len(rows):
        now = trace[rows].with_maps(trace.maps[rows].masked_fill(gone[rows], 0))
        margins, wanted = margin(now.logits, labels[rows]), labels[rows]
        repaired[rows] = now.predicted == wanted
        better = (margins > best_margin[rows]) | repaired[rows]
        best[rows[better]], best_margin[rows[better]] = gone[rows[better]], margins[better]
        waited[rows] = torch.where(better, 0, waited[rows] + 1)
        pick, found = _next(now, wanted, weight)
        going = found & ~repaired[rows] & (waited[rows] < PATIENCE)
        gone.flatten(1)[rows[going], pick[going]] = True  # a view
        rows = rows[going]
    return best, repaired


def _next(
    now: Trace, labels: Int[Tensor, "m"], weight: Float[Tensor, "i d"] | None
) -> tuple[Int[Tensor, "m"], Bool[Tensor, "m"]]:
    """Return the pixel to suppress next, and whether its share is positive."""
    shares = contributions(now, None, against=labels).flatten(1)
    top, pixels = shares.topk(min(CANDIDATES, shares.shape[1]), dim=1)
    losses = terms(now.network, now.maps, pixels, weight)
    sums = first_sums(now.network, now.maps)[:, None] - losses
    margins = margin(dense_rest(now.network, sums)[1], labels[:, None].expand_as(pixels))
    pick = margins.masked_fill(top <= 0, -torch.inf).argmax(1)
    return pixels.gather(1, pick[:, None])[:, 0], top[:, 0] > 0


def _prune(
    trace: Trace, label: Int[Tensor, ""], pixels: Bool[Tensor, "c h w"], budget: int
) -> tuple[Bool[Tensor, "c h w"], int]:
    """Give pixels of one image back while the answer stays right; return the set and the depth."""
    network = trace.network
    chosen = pixels.flatten().nonzero().flatten()
    while True:
        gone = torch.zeros_like(pixels).flatten()
        gone[chosen] = True
        bare = first_sums(network, trace.maps.masked_fill(gone.reshape(pixels.shape), 0))
        gains = terms(network, trace.maps, chosen[None])[0]
        depth, ways = 0, _combinations(len(chosen), budget, gains.device)
        for depth, back in enumerate(ways, start=1):  # noqa: B007 - returned in the end
            logits = dense_rest(network, bare + back.to(gains) @ gains)[1]
            margins = margin(logits, label.expand(len(back)))
            if bool((margins > 0).any()):  # the best single one or combination goes back
                chosen = chosen[~back[margins.argmax()]]
                break
        else:
            return gone.reshape(pixels.shape), depth


def _combinations(size: int, budget: int, device: torch.device) -> Iterator[Bool[Tensor, "m s"]]:
    """Yield the ways to choose one, two, ... of a set, as long as they are `budget` in all."""
    spent = 0
    for count in range(1, size + 1):
        spent += comb(size, count)
        if count > 1 and spent > budget:
            return
        index = torch.tensor(list(combinations(range(size), count)), device=device)
        back = torch.zeros(len(index), size, dtype=torch.bool, device=device)
        yield back.scatter_(1, index, True)
