"""Chapter 16: why what backtracking finds does not depend on the class, as arithmetic of signs."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from tinyvgg.backtracking import NAMED, Literal, Rule, Strongest, backtrack
from tinyvgg.chapters.backtracking import PIXELS, by_layer, jaccard, random_classes
from tinyvgg.chapters.statistics import estimate
from tinyvgg.trace import Trace, record
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Row

KEPT = (1, 2, 4, 8, 16, 32)
"""The most neurons that stay in each hidden layer."""


def expected_overlap(wrong: float, first: Any, second: Any, either: Any) -> Any:
    """Return the overlap (Jaccard) of the cells below two sets of neurons, by independent signs.

    An active cell is lost below m neurons with probability wrong^m: all m weights have the wrong
    sign. `first` and `second` count the neurons of two classes, `either` those in at least one set.
    """
    neither = wrong**either
    return (1 - wrong**first - wrong**second + neither) / (1 - neither)


def compare(trace: Trace, first: Tensor, second: Tensor, rule: Rule) -> dict[str, float]:
    """Return how alike a rule's sets of two classes are, means over images; NaN where empty.

    These are the overlaps of a_n, ..., a_1 and of the ``pixels``, the number of ``neurons`` in a_1,
    the share of active cells that is ``lost``, the overlap of cells that is ``expected``, and the
    share of weights on cells that are not positive, which have the ``wrong`` sign.
    """
    walks = [backtrack(trace, target, rule) for target in (first, second)]
    sets, others = (by_layer(walk.neurons, walk.pixels) for walk in walks)
    one, other = (walk.neurons[0] for walk in walks)
    counts = [part.sum(1).double() for part in (one, other, one | other)]
    wrong = (trace.network.pixel_weight(trace.maps) <= 0).double().mean().item()
    found = {layer: jaccard(own, others[layer]) for layer, own in sets.items()}
    found |= {"neurons": (counts[0] + counts[1]) / 2}
    found |= {"lost": 1 - sets[PIXELS].sum(1) / (trace.maps > 0).flatten(1).sum(1)}
    found |= {"expected": expected_overlap(wrong, *counts)}
    return {"wrong": wrong} | {name: estimate(values).value for name, values in found.items()}


@torch.no_grad()
def random_head(
    hidden: tuple[int, ...], cells: int = 2048, density: float = 1.0, positive: bool = False
) -> Trace:
    """Return a trace of untrained dense layers on random maps, of which half the cells are active.

    The hidden layers have `hidden` neurons; a share `density` of the weights is not zero, and none
    is negative if they are `positive`.
    """
    draw = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = [nn.MaxPool2d(1), nn.Flatten()]
    for below, above in pairwise((cells, *hidden, 8)):
        layer = nn.Linear(below, above, bias=False)
        layer.weight.normal_(0, (2 / (below * density)) ** 0.5, generator=draw)
        layer.weight *= torch.rand(above, below, generator=draw) < density
        layers += [layer, nn.ReLU()]
        if positive:
            layer.weight.abs_()
    maps = torch.randn(8, cells, 1, 1, generator=draw).relu()
    return record(nn.Sequential(*layers[:-1]), maps)


def blindness(run: Run) -> Row:
    """`compare` the predicted and a random class in all errors, a list over `KEPT` and all neurons.

    ``selected`` has the units that Algorithm 1 keeps in a_n, ..., a_1 and the cells, of those
    ``active``. ``same_neurons`` is the share of errors in which a_1 has the same neurons for every
    class, ``same_cutoff`` that in which the published cutoff has the same cells for both classes.
    """
    trace = record(run.model, run.tensor(run.split.test[run.errors]))
    labels = torch.from_numpy(run.labels[run.errors])
    pair = trace.predicted, random_classes(trace, labels, run.experiment.seed)
    rows = [compare(trace, *pair, rule) for rule in (*map(Strongest, KEPT), Literal())]
    walks = [backtrack(trace, target) for target in range(trace.network.classes)]
    same = torch.stack([walk.neurons[0] == walks[0].neurons[0] for walk in walks]).all(0).all(1)
    cells, others = (backtrack(trace, target, NAMED["cutoff"]).pixels for target in pair)
    walk, active = backtrack(trace), [a > 0 for a in trace.dense]
    layers = {"active": (active, trace.maps > 0), "selected": (walk.neurons, walk.pixels)}
    found: Row = {name: [row[name] for row in rows] for name in rows[0]}
    for name, units in layers.items():
        found[name] = [estimate(kept.sum(1)).value for kept in by_layer(*units).values()]
    found["same_cutoff"] = estimate((cells == others).flatten(1).all(1)).value
    return found | {"images": len(trace), "same_neurons": estimate(same).value}
