"""The speed of training Tiny VGG, beside a plain PyTorch loop, and where the time of a step goes.

Every loop runs in a process of its own, one after the other, so that none inherits how another
one set up memory and libraries. Prints tables of medians over the rounds. The images are random:
the time does not depend on what they show. With --steps, steps on one batch without a loop stand
beside the loops: as they are (eager), with one kernel for the update of all weights (fused), with
its graphs of kernels launched at once (captured, on a GPU), or with kernels that torch.compile
makes of several (compiled).

    python benchmarks/training.py [--size 224] [--batch 12] [--images 600] [--rounds 3]
                                  [--device cuda] [--precision bfloat16] [--steps eager fused]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timing
import torch
import torch.nn.functional as F
from timing import seconds, synchronise
from torch import Tensor
from torch.profiler import profile
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from tinyvgg.faces.splits import Split
from tinyvgg.training.batches import Resident, Scaling
from tinyvgg.training.loop import repeatable, train
from tinyvgg.training.settings import Recipe
from tinyvgg.training.tiny_vgg import TinyVGG

CLASSES = 67
WAYS = ("eager", "fused", "captured", "compiled")
PAPER_RATE = 20
"""The images a second that the paper states, on a Titan X."""


def images_and_labels(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Draw random 8-bit images, (count, size, size, 3), and labels."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)
    return pixels, torch.randint(0, CLASSES, (count,), generator=generator)


def plain_loop(given: argparse.Namespace) -> float:
    """Measure images a second of the tutorials' loop: a DataLoader, eager steps, all defaults."""
    pixels, labels = images_and_labels(given.images, given.size)
    floats = TensorDataset(pixels.permute(0, 3, 1, 2).contiguous().float() / 256, labels)
    loader = DataLoader(floats, batch_size=given.batch, shuffle=True)
    model = TinyVGG(CLASSES, given.size).to(given.device)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    begun, counted = 0.0, 0
    warm_up = max(2, len(loader) // 10)
    for step, (images, targets) in enumerate(loader):
        if step == warm_up:
            synchronise()
            begun = time.perf_counter()
        images, targets = images.to(given.device), targets.to(given.device)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), targets)
        loss.backward()
        optimiser.step()
        counted += len(targets) if step >= warm_up else 0
    synchronise()
    return counted / (time.perf_counter() - begun)


def our_loop(given: argparse.Namespace) -> float:
    """Measure images a second of an epoch by `tinyvgg.training.loop.train`, with its checkpoint."""
    pixels, labels = images_and_labels(given.images + given.batch, given.size)
    source = Resident(pixels.to(given.device), labels.to(given.device), Scaling())
    rows = np.arange(len(labels))
    parts = Split(rows[: given.images], rows[given.images :])
    recipe = Recipe(epochs=2, batch=given.batch, precision=given.precision)
    model = TinyVGG(CLASSES, given.size).to(given.device)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(model, source, parts, recipe, 0, Path(folder))
    return given.images / trained.seconds[1]


def bare_step(given: argparse.Namespace) -> Callable[[], None]:
    """Return a step that does nothing of what a loop adds to it."""
    pixels, labels = (each.to(given.device) for each in images_and_labels(given.batch, given.size))
    images, model = Scaling()(pixels), TinyVGG(CLASSES, given.size).to(given.device)
    forward: Any = model.to(memory_format=torch.channels_last)
    forward = torch.compile(model, mode="reduce-overhead") if given.way == "compiled" else forward
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, fused=given.way != "eager")
    half = given.precision == "bfloat16"
    precision = torch.autocast(given.device, torch.bfloat16, half, cache_enabled=False)

    def step() -> None:
        optimiser.zero_grad()
        with precision:
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimiser.step()

    return captured(step) if given.way == "captured" else step


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """Return a launch of all kernels of a step at once, on one batch for ever."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(torch.cuda.Stream()):  # apart, as a graph is captured on its own stream
        for _ in range(3):
            step()
    synchronise()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def bare_steps(given: argparse.Namespace) -> float:
    """Measure images a second of steps without a loop; say why they fail, and return 0."""
    try:
        with repeatable(given.precision):
            step, count = bare_step(given), given.images // given.batch
            for _ in range(5):
                step()
            return count * given.batch / seconds(lambda: [step() for _ in range(count)])
    except (AssertionError, RuntimeError) as error:  # not every device can capture or compile
        print(f"{given.way} steps: {error}", file=sys.stderr)
        return 0.0


def operators(given: argparse.Namespace) -> tuple[int, str]:
    """Return the floating-point operations of an eager step, and the profiler's table of some."""
    with repeatable(given.precision):
        step = bare_step(given)
        with FlopCounterMode(display=False) as counter:
            step()
        with profile(record_shapes=True) as found:
            for _ in range(given.rounds):
                step()
            synchronise()
    averages, by = found.key_averages(True), f"self_{given.device}_time_total"
    shown = averages.table(by, row_limit=20, max_name_column_width=36, max_shapes_column_width=48)
    return counter.get_total_flops(), shown


def apart(what: str, given: argparse.Namespace, way: str = "eager") -> Any:
    """Call a function of this file in a new process."""
    options = {name: value for name, value in vars(given).items() if name not in ("only", "steps")}
    return timing.in_a_process(what, **{**options, "way": way})


def loops(given: argparse.Namespace, flop_image: float) -> str:
    """Time the loops and the steps, each in a new process for each round."""
    works = {"plain loop": ("plain_loop", given), "tinyvgg": ("our_loop", given)}
    works |= {f"{way} step": ("bare_steps", given, way) for way in given.steps}
    rounds = [[apart(*work) for work in works.values()] for _ in range(given.rounds)]
    rates = list(map(statistics.median, zip(*rounds, strict=True)))
    limit, rows = timing.matmul_rate(given.device), []
    for name, each in zip(works, rates, strict=True):
        ratios = (f"{each:,.1f}", f"{each / rates[0]:.2f}", f"{each / PAPER_RATE:,.1f}")
        work = each * flop_image
        rows.append((name, *ratios, f"{work / 1e9:,.0f}", f"{work / limit:.0%}"))
    head = ("loop", "images/s", "by the plain loop", "by the paper's rate")
    shown = timing.table((*head, "GFLOP/s", "of the matmul rate"), rows)
    return (
        f"{shown}\n\n{flop_image / 1e9:.2f} GFLOP an image; matrix products in single precision:"
        f" {limit / 1e9:,.0f} GFLOP/s; a convolution may exceed it. The memory copies"
        f" {timing.memory_rate(given.device) / 1e9:,.0f} GB/s."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 224), ("batch", 12), ("images", 600), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--steps", nargs="*", choices=WAYS, default=[])
    parser.add_argument("--way", default="eager", help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if timing.answer(given, globals()):
        return
    where = torch.cuda.get_device_name() if given.device == "cuda" else given.device
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {where}")
    print(f"{given.size} x {given.size} pixels, batch {given.batch}, {given.precision}\n")
    flop, shown = apart("operators", given)
    print(f"{given.rounds} eager steps, by operator and the shapes of what it takes:\n{shown}")
    print(loops(given, flop / given.batch))


if __name__ == "__main__":
    main()
