"""The speed of training Tiny VGG, beside a plain PyTorch loop, and where the time of a step goes.

Every loop runs in a process of its own, one after the other, so that none inherits how another
one set up memory and libraries. Prints tables of medians over the rounds. The images are random:
the time does not depend on what they show. With --steps, bare steps on one batch stand beside the
loops: eager ones, and others whose update of the weights is fused into one kernel; which are also
captured as graphs of kernels (on a GPU); or which are compiled, by torch.compile.

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
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import profile, record_function
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from tinyvgg.faces.splits import Split
from tinyvgg.training.batches import Resident, Scaling
from tinyvgg.training.loop import repeatable, train
from tinyvgg.training.settings import Recipe
from tinyvgg.training.tiny_vgg import TinyVGG

CLASSES = 67
LOSS, UPDATE = "loss and the rest", "Optimizer.step#SGD.step"
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


def bare_step(given: argparse.Namespace, model: nn.Module) -> Callable[[], None]:
    """Return a step that does nothing of what a loop adds to it, in one of `WAYS`."""
    pixels, labels = (each.to(given.device) for each in images_and_labels(given.batch, given.size))
    images, half = Scaling()(pixels), given.precision == "bfloat16"
    model.to(given.device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, fused=given.way != "eager")
    precision = torch.autocast(given.device, torch.bfloat16, half, cache_enabled=False)
    forward = torch.compile(model, mode="reduce-overhead") if given.way == "compiled" else model
    if given.way == "captured":
        with precision:
            forward = torch.cuda.make_graphed_callables(model, (images,))

    def step() -> None:
        optimiser.zero_grad()
        with precision:
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimiser.step()

    return step


def bare_steps(given: argparse.Namespace) -> float:
    """Measure images a second of steps without a loop; say why they fail, and return 0."""
    try:
        with repeatable(given.precision):
            step = bare_step(given, TinyVGG(CLASSES, given.size))
            count = given.images // given.batch
            for _ in range(5):
                step()
            return count * given.batch / seconds(lambda: [step() for _ in range(count)])
    except (AssertionError, RuntimeError) as error:  # not every device can capture or compile
        print(f"{given.way} steps: {str(error).splitlines()[0]}", file=sys.stderr)
        return 0.0


def layer_times(given: argparse.Namespace) -> list[tuple[str, float, float, float]]:
    """Return each layer's name, floating-point operations of a step, seconds forward and back.

    An operator that goes back has the number of the one that went forward.
    """
    model, titles = TinyVGG(CLASSES, given.size), {}
    for name, layer in model.named_modules():
        if not [*layer.children()]:
            titles[name] = f"{name}, {type(layer).__name__}"
            layer.forward = record_function(titles[name])(layer.forward)
    with repeatable(given.precision):
        step = bare_step(given, model)
        with FlopCounterMode(display=False) as counter:
            step()
        with profile() as found:
            for _ in range(given.rounds):
                step()
            synchronise()
    of, clock = dict[int, str](), "device" if given.device == "cuda" else "cpu"
    times = {title: [0.0, 0.0] for title in (*titles.values(), LOSS, UPDATE)}
    for event in found.events():
        above = [event]
        while above[-1].cpu_parent:
            above.append(above[-1].cpu_parent)
        inside = next((each.name for each in above if each.name in times), None)
        if inside and event.sequence_nr >= 0:
            of[event.sequence_nr] = inside
        if event.device_type == DeviceType.CPU:  # it has the time of the kernels that it launched
            both = times[inside or of.get(above[-1].sequence_nr, LOSS)]
            both[not inside] += getattr(event, f"self_{clock}_time_total") / 1e6 / given.rounds
    flop = {titles.get(n[8:], n): sum(c.values()) for n, c in counter.get_flop_counts().items()}
    return [(title, flop.get(title, 0), *both) for title, both in times.items()]


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


def split(given: argparse.Namespace, layers: list[tuple[str, float, float, float]]) -> str:
    """Return the table of the time of a step, layer by layer."""
    total = sum(forward + back for _, _, forward, back in layers)
    rows = []
    for name, work, forward, back in layers:
        both = forward + back
        times = (f"{1e3 * forward:.2f}", f"{1e3 * back:.2f}", f"{both / total:.0%}")
        rows.append((name, *times, f"{work / both / 1e9:,.0f}" if work else ""))
    rows.append(("sum", "", f"{1e3 * total:.1f}", "100%", ""))
    head = (f"layer, batch {given.batch}", "forward, ms", "back, ms", "share", "GFLOP/s")
    return f"{timing.table(head, rows)}\n\nThe sum would make {given.batch / total:,.1f} images/s."


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
    layers = apart("layer_times", given)
    print(split(given, layers), "\n")
    print(loops(given, sum(work for _, work, _, _ in layers) / given.batch))


if __name__ == "__main__":
    main()
