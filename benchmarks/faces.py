"""The speed of rendering synthetic faces, beside that of the rays that their pixels need.

Prints a table of medians, for images of several sizes. The limit is Embree's time alone, for
four rays through each pixel of the same images, into the same heads and hair, one after the other;
rendering saves some of these where a pixel is plain, and pays for posing the head, for its shadows
and for its colours. Each size is measured in a process of its own, which uses one core.

    python benchmarks/faces.py [--sizes 64 96 224] [--subjects 3] [--shots 4] [--rounds 3] [--full]

The time of the whole set follows from that of an image and that of making up a subject. With --full
it is also measured, at each size, over as many processes as there are cores.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from timing import answer, in_a_process, medians, table

from synthfaces.camera import aim
from synthfaces.parameters import ANGLES, EMOTIONS, SUBJECTS
from synthfaces.people import design
from synthfaces.photograph import SUPERSAMPLING, Renderer, Sitter
from synthfaces.processes import cores
from synthfaces.rendering import render, renderer
from synthfaces.specification import face_spec

CAMERAS = [angle for angle in ANGLES if angle not in (0, 180)]
SET = design()
CORES = 2
"""The number of cores for which the time of the whole set is extrapolated."""


def measure(given: argparse.Namespace) -> dict[str, float]:
    """Measure seconds an image, seconds of its bare rays, seconds a subject, and peak memory."""
    (size,) = given.sizes
    cv2.setNumThreads(1)
    takes = renderer(size, 0)
    takes.sitter(SUBJECTS[0])
    made, sitters = zip(*(timed(takes, number) for number in spread(given.subjects)), strict=True)
    shots = [(sitter, emotion) for sitter in sitters for emotion in EMOTIONS[: given.shots]]
    rays = [bare_rays(takes, *shot) for shot in shots]

    def photographs() -> None:
        for sitter, emotion in shots:
            takes.shot(sitter, emotion, "frontal", CAMERAS)

    def rays_alone() -> None:
        for trace in rays:
            trace()

    rendering, tracing = medians(photographs, rays_alone, rounds=given.rounds)
    images = len(shots) * len(CAMERAS)
    return {
        "image": rendering / images,
        "rays": tracing / images,
        "subject": statistics.median(made),
        "megabytes": peak_memory() / 1e6,
    }


def spread(count: int) -> list[int]:
    """Return some of the subjects, spread evenly over their numbers."""
    places = np.linspace(0, len(SUBJECTS) - 1, count).round().astype(int)
    return [SUBJECTS[place] for place in places]


def timed(takes: Renderer, number: int) -> tuple[float, Sitter]:
    """Make up a subject, and return the time that took and the subject."""
    started = time.perf_counter()
    sitter = takes.sitter(number)
    return time.perf_counter() - started, sitter


def bare_rays(takes: Renderer, sitter: Sitter, emotion: str) -> Callable[[], None]:
    """Return a function that sends all rays of a shot's images into its head and hair."""
    number = sitter.subject.person.number
    specs = [face_spec(number, emotion, "frontal", angle) for angle in CAMERAS]
    geometry = takes.studio(sitter, specs[0]).geometry
    cameras = [aim(sitter.subject.framing, x.angle, x.nuisance, head=x.head) for x in specs]
    rays = [camera.rays(takes.size * SUPERSAMPLING) for camera in cameras]

    def trace() -> None:
        for camera, through in zip(cameras, rays, strict=True):
            geometry.meet(camera, through)

    return trace


def peak_memory() -> float:
    """Return the most bytes that this process has held at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def whole_set(given: argparse.Namespace) -> float:
    """Return the seconds to render the set over all cores."""
    (size,) = given.sizes
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        render(SET, size, Path(folder))
        return time.perf_counter() - started


def apart(what: str, size: int, given: argparse.Namespace) -> Any:
    """Call a function of this file in a new process, for one size."""
    names = ("subjects", "shots", "rounds")
    return in_a_process(what, sizes=[size], **{name: getattr(given, name) for name in names})


def row(size: int, given: argparse.Namespace) -> list[str]:
    """Return the line of the table for images of one size."""
    found = apart("measure", size, given)
    alone = found["image"] * len(SET) + found["subject"] * len(SUBJECTS)
    cells = [
        f"{size} × {size}",
        f"{1 / found['image']:.1f}",
        f"{1 / found['rays']:.1f}",
        f"{found['rays'] / found['image']:.0%}",
        f"{found['subject']:.2f} s",
        f"{alone / CORES:.0f} s",
        f"{found['megabytes']:.0f} MB",
    ]
    return [*cells, f"{apart('whole_set', size, given):.0f} s"] if given.full else cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 224])
    parser.add_argument("--subjects", type=int, default=3)
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if answer(given, globals()):
        return
    in_all = f"{len(SUBJECTS)} subjects, {len(SET)} images"
    sample = f"{given.subjects} subjects, {given.shots} shots, {len(CAMERAS)} cameras"
    print(f"{cores()} cores; measured on {sample}; the whole set: {in_all}\n")
    head = ["size", "images/s", "by bare rays alone", "ratio", "a subject"]
    head += [f"whole set on {CORES} cores", "memory a process"]
    head += [f"the set rendered on {cores()} cores"] if given.full else []
    print(table(head, [row(size, given) for size in given.sizes]))


if __name__ == "__main__":
    main()
