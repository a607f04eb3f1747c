"""How fast the explanations are, beside the plain loops of the algorithm and beside Captum.

Prints a table of medians. The network is Tiny VGG at 64 x 64 with random weights and the images
are noise: the figures are about time, not about what is found.

    python benchmarks/explanation.py [--images 16] [--rounds 5]
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from captum.attr import NeuronDeconvolution
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

import loops
import small

from tinyvgg.backtracking import backtrack
from tinyvgg.deconvolution import deconvolve
from tinyvgg.model import TinyVGG
from tinyvgg.rules import Cutoff, Literal, published
from tinyvgg.trace import Trace, record

Work = Callable[[], object]


def seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(ours: Work, theirs: Work, rounds: int, theirs_rounds: int) -> tuple[float, float]:
    """Median times; both are warmed up by one run of ours, and rounds of the two alternate."""
    ours()
    times = [(seconds(ours), seconds(theirs) if i < theirs_rounds else None) for i in range(rounds)]
    mine, other = zip(*times, strict=True)
    return statistics.median(mine), statistics.median(t for t in other if t is not None)


def backtracking(trace: Trace, rule: Literal | Cutoff, rounds: int) -> tuple[float, float]:
    """Seconds per image of `backtrack` on the batch and of the loops on its first image."""
    activations, weights = small.as_lists(trace[0])
    k = int(trace.predicted[0])

    def slow() -> object:
        if isinstance(rule, Literal):
            return loops.literal(activations, weights, k)
        return loops.cutoff(
            activations, weights, k, rule.percentile, rule.floor, rule.first_of_equals
        )

    ours, theirs = medians(lambda: backtrack(trace, rule=rule), slow, rounds, 2)
    return ours / len(trace), theirs


def deconvolution(net: TinyVGG, trace: Trace, rounds: int) -> tuple[float, float]:
    """Seconds per image of a forward pass and a deconvolution, and of Captum for the same."""
    pool = [layer for layer in net.features if isinstance(layer, nn.MaxPool2d)][-1]
    captums = NeuronDeconvolution(net, pool)
    images = trace.images.clone().requires_grad_()

    def theirs() -> object:
        return captums.attribute(images, lambda m: (m * m.detach()).flatten(1).sum(1))

    def ours() -> object:
        return deconvolve(record(net, trace.images))

    torch.testing.assert_close(ours(), theirs().detach(), rtol=1e-3, atol=1e-4)
    mine, other = medians(ours, theirs, rounds, rounds)
    return mine / len(trace), other / len(trace)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")
    net = small.randomise(TinyVGG(67, 64).eval())
    trace = record(net, small.images(args.images, 64, dtype=torch.float32))
    rows = [
        ("backtrack, literal rule | plain loops", backtracking(trace, Literal(), args.rounds)),
        ("backtrack, cutoff | plain loops", backtracking(trace, Cutoff(), args.rounds)),
        ("backtrack, published code | plain loops", backtracking(trace, published(), args.rounds)),
        ("record + deconvolve | Captum", deconvolution(net, trace, args.rounds)),
    ]
    print(f"{torch.get_num_threads()} thread(s), {args.images} images, medians\n")
    print("| what | beside | ms/image | ms/image beside | ratio |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name, (ours, theirs) in rows:
        print(f"| {name} | {ours * 1e3:.2f} | {theirs * 1e3:.2f} | {theirs / ours:.1f} |")


if __name__ == "__main__":
    main()
