"""How fast a network trains on photographs that stay on disk, beside the same in memory.

Prints a table of medians, for photographs of several sizes: the larger they are, the longer it
takes to decode them, while the network sees the same number of pixels. The network is Tiny VGG at
the paper's settings (batches of 12), in turn on the one source and on the other. The photographs
are made for the purpose: smooth random colours with some grain, in JPEG files of quality 90.

In the first epoch each photograph is decoded, and where its file is larger than its pixels at the
network's size, these are kept on disk; what a training takes is the rate of the later epochs.

    python benchmarks/streaming.py [--images 120] [--size 224] [--rounds 5] [--originals 224 1350]
"""

import argparse
import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import medians, seconds, table

from synthfaces import cores
from tinyvgg.faces.images import read_image
from tinyvgg.faces.loading import load_faces
from tinyvgg.training.batches import Scaling, Source, open_source, usual_workers
from tinyvgg.training.loop import Step, Team, check_device, make_optimiser, repeatable
from tinyvgg.training.settings import Recipe
from tinyvgg.training.tiny_vgg import TinyVGG

CLASSES = 10


def photograph(generator: np.random.Generator, side: int) -> Image.Image:
    """Smooth random colours with some grain."""
    coarse = Image.fromarray(generator.integers(0, 255, (12, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    grain = generator.normal(0, 4, smooth.shape).astype(np.float32)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def write(folder: Path, images: int, side: int) -> list[Path]:
    """Photographs of some classes; gives their paths."""
    generator = np.random.default_rng(0)
    paths = [folder / f"class-{n % CLASSES}" / f"{n:05d}.jpg" for n in range(images)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(generator, side).save(path, quality=90)
    return paths


def training(size: int, device: str) -> Step:
    """Steps of a network with its initial weights."""
    torch.manual_seed(0)
    model, recipe = TinyVGG(CLASSES, size).to(device), Recipe()
    model.to(memory_format=torch.channels_last)
    return Step(model, model, make_optimiser(model, recipe), recipe, Team(device))


def epoch(step: Step, source: Source, groups: list[np.ndarray]) -> None:
    """A step on each group of rows."""
    for images, labels in source.batches(groups):
        step(images, labels)


def compared(side: int, images: int, size: int, rounds: int, device: str) -> list[str]:
    """A line of the table: photographs of one size."""
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as folder:
        os.environ["TINYVGG_HOME"] = made
        paths = write(Path(folder), images, side)
        (decoding,) = medians(lambda: [read_image(path, size) for path in paths[:20]], rounds=3)
        in_memory, on_disk = (
            load_faces(f"folder:{folder}", size, progress=False, stream=stream)
            for stream in (False, True)
        )
        groups = np.split(np.random.default_rng(1).permutation(images), range(12, images, 12))
        step = training(size, device)
        decoded_each_time = replace(on_disk, images=replace(on_disk.images, kept=None))
        with ExitStack() as stack:
            held, first, later = (
                stack.enter_context(open_source(faces, "class", device, Scaling()))
                for faces in (in_memory, decoded_each_time, on_disk)
            )
            start = seconds(lambda: list(first.batches(groups[:1])))
            works = [partial(epoch, step, source, groups) for source in (held, first, later)]
            times = medians(*works, rounds=rounds)
    rates = [images / time for time in times]
    ratios = [f"{rate / rates[0]:.0%}" for rate in rates[1:]]
    shown = [f"{rate:.1f}" for rate in rates]
    decoded = f"{1e3 * decoding / 20:.1f} ms"
    return [f"{side} × {side}", decoded, *shown, *ratios, f"{start:.1f} s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--originals", type=int, nargs="+", default=[224, 1350])
    parser.add_argument("--device", default=None)
    args = parser.parse_args()
    device = check_device(args.device)
    print(
        f"{cores()} cores, {torch.get_num_threads()} threads, {usual_workers()} workers,"
        f" torch {torch.__version__}, {device}; {args.size} pixels\n"
    )
    header = ["photographs", "decoding one", "images/s in memory", "first epoch", "later"]
    header += ["ratio, first epoch", "ratio, later", "start"]
    with repeatable("float32"):
        rows = [
            compared(side, args.images, args.size, args.rounds, device) for side in args.originals
        ]
    print(table(header, rows))
    print(
        "\nIn the first epoch every photograph is decoded. Where its file is larger than its pixels"
        " at the\nnetwork's size, these are kept on disk, and later epochs, as well as later"
        " trainings on the same\nset, go at the rate of the column 'later'."
    )


if __name__ == "__main__":
    main()
