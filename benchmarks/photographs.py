"""The speed of indexing, cropping and decoding photographs, beside torchvision's ImageFolder.

Prints a table of images a second, each a median over rounds in new processes, in turn: ImageFolder
with a DataLoader that has a process for each processor, and the same crop and size; this project,
which also checks, hashes and lists every file, looks for twins and keeps the pixels; the same the
next time, when all is known; and with faces found in each photograph. Every round begins without
the kept files of an earlier one. The files are in the system's cache for all. The last column is
the peak memory; for ImageFolder it includes that of its workers, which share some of it.

The photographs are synthetic portraits in RaFD's frames (681 x 1024), or those of a folder, written
as often as needed, each time in other shadows, so that no two are twins.

    python benchmarks/photographs.py [--images 2000] [--size 224] [--rounds 3] [--from FOLDER]
"""

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from timing import answer, in_a_process, table

CLASSES = 10
IN_MEMORY = 200  # the most originals that are used
AS_RAFD = [
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
WORKS = {
    "ImageFolder and DataLoader": "peer",
    "tinyvgg, the first time": "middle",
    "tinyvgg, the next time": "again",
    "tinyvgg, with faces found": "faces",
    "tinyvgg, with faces, the next time": "faces_again",
}
WAYS = {"middle": "centre", "again": "centre", "faces": "faces", "faces_again": "faces"}


def write(folder: Path, images: int, originals: list[Path]) -> None:
    """Write photographs of some classes, no two of which are twins."""
    generator = np.random.default_rng(0)
    decoded = [cv2.imread(str(original)) for original in originals[:IN_MEMORY]]
    for number, pixels in zip(range(images), cycle(decoded), strict=False):
        path = folder / f"class-{number % CLASSES}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shadows = generator.integers(0, 128, (5, 4, 3), dtype=np.uint8)
        shown = cv2.subtract(pixels, cv2.resize(shadows, pixels.shape[1::-1]))
        cv2.imwrite(str(path), shown, AS_RAFD)


def render(folder: Path) -> None:
    """Render portraits of two subjects with all emotions, from the front."""
    from synthfaces import write_rafd

    write_rafd(folder, 2, angles=[90], gazes=["frontal"])


def measured(work: Any) -> dict[str, float]:
    """Measure the seconds that some work takes, and this process's peak memory in bytes."""
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "memory": 1024.0 * memory(resource.RUSAGE_SELF)}


def memory(of: int) -> int:
    """Return the peak memory of this process, or of the largest that it started, in KiB."""
    return resource.getrusage(of).ru_maxrss


def peer(given: argparse.Namespace) -> dict[str, float]:
    """Measure a pass over all photographs as torchvision's users make it."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    from synthfaces import cores

    with_this_side = min(681, 1024)
    steps = [v2.PILToTensor(), v2.CenterCrop(with_this_side), v2.Resize(given.size)]

    def work() -> None:
        images = ImageFolder(given.folder, v2.Compose(steps))
        for _ in DataLoader(images, batch_size=32, num_workers=cores()):
            pass

    found = measured(work)
    workers = 1024.0 * memory(resource.RUSAGE_CHILDREN) * cores()
    return {**found, "memory": found["memory"] + workers}


def ours(given: argparse.Namespace) -> dict[str, float]:
    """Measure a pass by this package, which uses the pixels that it kept before."""
    os.environ["TINYVGG_HOME"] = given.home
    import torchvision.io  # noqa: F401 - before the clock starts, as the peer does

    from tinyvgg.faces.index import load_faces

    source = f"folder:{given.folder}::crop={WAYS[given.only]},unclear=centre"
    return measured(lambda: load_faces(source, given.size, progress=False))


def one_round(folder: Path, size: int) -> dict[str, dict[str, float]]:
    """Measure every way once, the later ones of a kind after the first."""
    with tempfile.TemporaryDirectory() as home:
        return {
            title: in_a_process(what, folder=str(folder), home=home, size=size)
            for title, what in WORKS.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--from", dest="originals", type=Path, help="folder of photographs")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if answer(args, {"peer": peer, **dict.fromkeys(WAYS, ours)}):
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder, originals = Path(temporary) / "photographs", args.originals
        if originals is None:
            originals = Path(temporary) / "portraits"
            render(originals)
        write(folder, args.images, sorted(originals.rglob("*.jpg")))
        rounds = [one_round(folder, args.size) for _ in range(args.rounds)]
        shutil.rmtree(folder)
    rows = []
    for title in WORKS:
        seconds = statistics.median(one[title]["seconds"] for one in rounds)
        ratio = statistics.median(
            next(iter(one.values()))["seconds"] / one[title]["seconds"] for one in rounds
        )
        memory = max(one[title]["memory"] for one in rounds)
        rate = args.images / seconds
        rows.append(
            [title, f"{rate:.0f}", f"{ratio:.2f}", f"{seconds:.1f} s", f"{memory / 1e6:.0f} MB"]
        )
    print(f"{args.images} photographs, to {args.size} pixels, {args.rounds} rounds\n")
    print(table(["", "images/s", "beside ImageFolder", "in all", "memory at most"], rows))


if __name__ == "__main__":
    main()
