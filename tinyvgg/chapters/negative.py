"""Chapter 19: what did not work, with its numbers over networks."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from scipy.stats import mannwhitneyu
from torch import Tensor
from torch.nn.functional import cross_entropy

from tinyvgg.backtracking import runner_up
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.network import dense_rest, first_sums
from tinyvgg.repairs import margin, repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Row

COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of cells that are suppressed in an image, against its runner-up."""
RIGHT = 500
"""Right answers, at most, that errors are compared with: every so many of all."""
STEPS = {"cells": 16, "maps": 8}
"""How many cells, by position, or whole maps are suppressed in all images."""
TRIED = 8
"""Those at which the loss is steepest: each is tried, before one is suppressed."""
Labels = Int[Tensor, "n"]


def all_images(run: Run) -> Trace:
    """Return a trace of all test images, of which only what the dense layers need is there."""
    rows, maps = run.split.test, []
    for some in np.array_split(rows, 1 + len(rows) // 64):
        one = record(run.model, run.tensor(some))
        maps.append(one.maps)
    one = replace(one, pooled=(), switches=(), dense=(), logits=run.logits)
    return replace(one, images=torch.zeros(len(rows), 3, 0, 0)).with_maps(torch.cat(maps))


def contrast(trace: Trace, labels: Labels) -> Row:
    """Suppress in each image the cells that speak most for its answer against its runner-up.

    ``repaired`` are the shares of errors that get right and ``harmed`` of right answers that get
    wrong, by `COUNTS`; ``second`` the share of errors whose runner-up is right. ``doubtful`` counts
    the runners-up and the answers that are right where the margin is smallest, in as many images as
    there are errors.
    """
    error, second = trace.predicted != labels, runner_up(trace, trace.predicted)
    shares = contributions(trace, None, against=second)
    after = [rescore(trace, top_pixels(shares, n)).argmax(1) == labels for n in COUNTS]
    doubtful = margin(trace.logits, trace.predicted).argsort(stable=True)[: int(error.sum())]
    return {
        "repaired": [float(right[error].double().mean()) for right in after],
        "harmed": [1 - float(right[~error].double().mean()) for right in after],
        "second": [float((second == labels)[error].double().mean())],
        "doubtful": [int((x == labels)[doubtful].sum()) for x in (second, trace.predicted)],
    }


def detected(trace: Trace, labels: Labels) -> Row:
    """Return how well the fewest cells that flip an answer detect errors, and how the margin does.

    An answer is flipped once it is its runner-up. ``auc``, of both, says how often an error has the
    lower value of the two; ``flips`` are the median numbers of cells of errors and right answers.
    """
    error = trace.predicted != labels
    wrong, right = error.nonzero()[:, 0], (~error).nonzero()[:, 0]
    some = trace[torch.cat([wrong, right[:: 1 + len(right) // RIGHT]])]
    found = repair(some, runner_up(some, some.predicted), budget=0)
    size = torch.where(found.repaired, found.size, trace.maps[0].numel()).numpy()
    both = [np.split(x, [len(wrong)]) for x in (size, margin(some.logits, some.predicted).numpy())]
    auc = [float(mannwhitneyu(b, a).statistic / (len(a) * len(b))) for a, b in both]
    return {"auc": auc, "flips": [float(np.median(each)) for each in both[0]]}


def harmful(trace: Trace, labels: Labels, group: int, steps: int) -> Bool[Tensor, "s d"]:
    """Suppress groups of cells in all images, in each step the one that lowers the loss most.

    A group is so many neighbouring cells: one, or a map. Returns those that are gone by each step.
    """
    network, weight = trace.network, trace.network.pixel_weight(trace.maps)
    cells, gone = network.pixels(trace.maps).clone(), torch.zeros(steps, len(weight.T)).bool()
    for step in range(steps):
        sums = first_sums(network, cells.reshape(trace.maps.shape)).detach().requires_grad_()
        loss = cross_entropy(dense_rest(network, sums)[1], labels)
        slopes = (cells * (torch.autograd.grad(loss, sums)[0] @ weight)).sum(0)
        losses = {}
        for start in group * slopes.reshape(-1, group).sum(1).argsort(descending=True)[:TRIED]:
            at = slice(start, start + group)
            without = sums.detach() - cells[:, at] @ weight.T[at]
            losses[cross_entropy(dense_rest(network, without)[1], labels).item()] = at
        best = losses[min(losses)]
        cells[:, best], gone[step:, best] = 0, True
    return gone


def pruned(trace: Trace, labels: Labels, half: Bool[Tensor, "n"]) -> Row:
    """Suppress what is `harmful` in one half of the images, and in turn in the other.

    Returns the errors in halves where it was chosen (``cells_chosen``, ``maps_chosen``) and where
    it was not (``cells_other``, ``maps_other``), by how many are suppressed, from none.
    """
    found: Row = {}
    for name, group in (("cells", 1), ("maps", trace.maps[0, 0].numel())):
        counts = torch.zeros(2, 1 + STEPS[name])
        for own in (half, ~half):
            gone = harmful(trace[own], labels[own], group, STEPS[name])
            for step, cells in enumerate([torch.zeros_like(gone[0]), *gone]):
                where = cells.reshape(trace.maps.shape[1:]).expand_as(trace.maps)
                wrong = rescore(trace, where).argmax(1) != labels
                counts[:, step] += torch.stack([wrong[own].sum(), wrong[~own].sum()])
        found |= {f"{name}_chosen": counts[0].tolist(), f"{name}_other": counts[1].tolist()}
    return found


def attempts(run: Run) -> Row:
    """Try on a network what did not work; the halves of the test images have no common subject."""
    trace, labels, rows = all_images(run), torch.from_numpy(run.labels), run.split.test
    index = run.faces.index
    who = index.table["subject"].to_numpy()[rows] if index.has("subject") else rows
    half = torch.from_numpy(np.unique(who, return_inverse=True)[1] % 2 == 0)
    found = contrast(trace, labels) | detected(trace, labels) | pruned(trace, labels, half)
    return {"images": len(labels), "errors": int((trace.predicted != labels).sum()), **found}
