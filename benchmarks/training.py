"""The speed of training Tiny VGG, beside a plain PyTorch loop, and the time of each layer.

Both loops run in processes of their own, one after the other, so that neither inherits how the
other one set up memory and libraries. Prints tables of medians over the rounds. The images are
random: the time does not depend on what they show.

    python benchmarks/training.py [--size 224] [--batch 12] [--images 600] [--rounds 3]
                                  [--device cuda] [--precision bfloat16]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from timing import answer, in_a_process, matmul_rate, medians, memory_rate, synchronise, table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tinyvgg.faces.splits import Split
from tinyvgg.training.batches import Resident, Scaling
from tinyvgg.training.loop import repeatable, train
from tinyvgg.training.settings import Recipe
from tinyvgg.training.tiny_vgg import TinyVGG

CLASSES = 67
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


def layer_times(given: argparse.Namespace) -> list[tuple[str, float, float, float]]:
    """Return each layer's name, floating-point operations of a step, seconds forward and back."""
    pixels, labels = images_and_labels(given.batch, given.size)
    model = TinyVGG(CLASSES, given.size).to(given.device)
    model.to(memory_format=torch.channels_last)
    maps = Scaling()(pixels.to(given.device))
    rows = []
    with repeatable():
        for name, layer in model.named_modules():
            if list(layer.children()):
                continue
            maps = maps.detach().requires_grad_(bool(rows))
            forward, back, made = one_layer(layer, maps, given.rounds)
            rows.append((f"{name}, {type(layer).__name__}", flop(layer, maps, made), forward, back))
            maps = made
        logits, targets = maps.detach().requires_grad_(), labels.to(given.device)
        rounds = 5 * given.rounds
        (loss,) = medians(lambda: F.cross_entropy(logits, targets).backward(), rounds=rounds)
        rows.append(("loss, both ways", 0.0, 0.0, loss))
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
        for weights in model.parameters():
            weights.grad = torch.zeros_like(weights)
        (update,) = medians(optimiser.step, rounds=rounds)
        count = sum(weights.numel() for weights in model.parameters())
        rows.append(("update of the weights", 2.0 * count, 0.0, update))
    return rows


def one_layer(layer: nn.Module, maps: Tensor, rounds: int) -> tuple[float, float, Tensor]:
    """Return the seconds forward, the seconds back, and the output of one layer."""
    made = layer(maps)
    gradient = torch.rand_like(made)

    def back() -> None:
        layer.zero_grad(set_to_none=True)
        maps.grad = None
        if made.requires_grad:
            torch.autograd.backward(made, gradient, retain_graph=True)

    forward, backward = medians(lambda: layer(maps), back, rounds=5 * rounds)
    return forward, backward, made


def flop(layer: nn.Module, maps: Tensor, made: Tensor) -> float:
    """Count a layer's operations in a step: forward, gradients of the weights and the input."""
    ways = 2 + maps.requires_grad
    if isinstance(layer, nn.Conv2d):
        return ways * 2.0 * layer.weight[0].numel() * made.numel()
    return ways * 2.0 * len(maps) * layer.weight.numel() if isinstance(layer, nn.Linear) else 0.0


def apart(what: str, given: argparse.Namespace) -> Any:
    """Call a function of this file in a new process."""
    return in_a_process(what, **{name: v for name, v in vars(given).items() if name != "only"})


def loops(given: argparse.Namespace, flop_image: float) -> str:
    """Time both loops, each in a new process for each round."""
    rates: dict[str, list[float]] = {"plain_loop": [], "our_loop": []}
    for _ in range(given.rounds):
        for what, found in rates.items():
            found.append(apart(what, given))
    limit = matmul_rate(given.device)
    plain, ours = (statistics.median(found) for found in rates.values())
    rows = []
    for name, rate in (("plain loop", plain), ("tinyvgg", ours)):
        ratios = (f"{rate:,.1f}", f"{rate / plain:.2f}", f"{rate / PAPER_RATE:,.1f}")
        work = rate * flop_image
        rows.append((name, *ratios, f"{work / 1e9:,.0f}", f"{work / limit:.0%}"))
    head = ("loop", "images/s", "by the plain loop", "by the paper's rate")
    shown = table((*head, "GFLOP/s", "of the matmul rate"), rows)
    return (
        f"{shown}\n\n{flop_image / 1e9:.2f} GFLOP an image; matrix products in single precision:"
        f" {limit / 1e9:,.0f} GFLOP/s; a convolution may exceed it."
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
    return (
        f"{table(head, rows)}\n\nEach layer is measured by itself; the sum"
        f" would make {given.batch / total:,.1f} images/s. The memory copies"
        f" {memory_rate(given.device) / 1e9:.0f} GB/s."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 224), ("batch", 12), ("images", 600), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if answer(given, globals()):
        return
    where = torch.cuda.get_device_name() if given.device == "cuda" else given.device
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {where}")
    print(f"{given.size} x {given.size} pixels, batch {given.batch}, {given.precision}\n")
    layers = apart("layer_times", given)
    print(loops(given, sum(work for _, work, _, _ in layers[:-1]) / given.batch), "\n")
    print(split(given, layers))


if __name__ == "__main__":
    main()
