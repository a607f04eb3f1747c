"""Images, rendered one by one or as a whole set over several processes, and kept on disk."""

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import sha256
from itertools import groupby
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import UInt8
from tqdm.auto import tqdm

from synthfaces.anatomy import load_anatomy, origin
from synthfaces.camera import Nuisance
from synthfaces.files import DAMAGED, write_whole
from synthfaces.mesh import build_mesh
from synthfaces.parameters import USUAL, Difficulty, FaceError, check_size
from synthfaces.people import check_shot, person
from synthfaces.photograph import Renderer, Sitter
from synthfaces.processes import bare_children, cores, leave_when_closed
from synthfaces.specification import FaceSpec, face_specs, shot_columns
from synthfaces.texture import Painter
from synthfaces.truth import Truth, find_truth, see_parts


def render_face(spec: FaceSpec, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Render the RGB image of one shot; a row of the design gives the image of the set.

    Args:
        spec: the shot.
        size: side of the square image, pixels.

    Raises:
        FaceError: a size out of range; the anatomy's file is missing or damaged.
    """
    check_size(size)
    images = renderer(size, spec.seed).photographs(sitter(spec, size), [spec])
    return np.asarray(images[0])


def ground_truth(spec: FaceSpec, size: int) -> Truth:
    """Return the truth about the image that `render_face` renders for the same arguments."""
    check_size(size)
    studio = renderer(size, spec.seed).studio(sitter(spec, size), spec)
    return find_truth(studio, spec, size)


def render_with_parts(
    spec: FaceSpec, size: int
) -> tuple[UInt8[np.ndarray, "s s 3"], UInt8[np.ndarray, "s s"]]:
    """Return the image of `render_face` and the parts of `ground_truth`, rendered together."""
    check_size(size)
    who = sitter(spec, size)
    studio = renderer(size, spec.seed).studio(who, spec)
    camera = spec.camera(who.subject.framing)
    return studio.photograph(camera, spec.nuisance, size), see_parts(studio, camera, size)


@cache
def painter() -> Painter:
    """Return the head and the paint that all heads share; the first call takes seconds."""
    return Painter(build_mesh(load_anatomy()))


@lru_cache(maxsize=4)
def renderer(size: int, seed: int, difficulty: Difficulty = USUAL) -> Renderer:
    """Return the renderer for shots of one size, seed and difficulty."""
    return Renderer(painter(), size, seed, difficulty)


def sitter(spec: FaceSpec, size: int) -> Sitter:
    """Return the sitter of a shot; the last few are cached, as one takes half a second to make."""
    return _sitter(size, spec.seed, *spec.donors)


@lru_cache(maxsize=4)
def _sitter(size: int, seed: int, shape: int, skin: int, hair: int) -> Sitter:
    return renderer(size, seed).sitter(shape, skin, hair)


VERSION = 5
"""A number to be raised whenever a change of the renderer changes a pixel."""

LEVELS_OFF, SHARE_OFF = 2, 0.01
"""The tolerance to another machine's images: levels of 255, and the share of values that differ."""


def fingerprint(size: int, seed: int, difficulty: Difficulty = USUAL) -> str:
    """Return a hash of the pixels' causes: versions of renderer and anatomy, size, seed, knobs."""
    of = origin()
    made_by = f"synthetic {VERSION}, {of['package']} {of['version']}, size {size}, seed {seed}"
    return sha256(f"{made_by}, {difficulty.crop}, {difficulty.values}".encode()).hexdigest()[:16]


def render(
    table: pd.DataFrame,
    size: int,
    folder: Path,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    difficulty: Difficulty = USUAL,
) -> UInt8[np.ndarray, "n s s 3"]:
    """Return RGB images of a table's rows, in its order; images rendered before are only read.

    Every subject is one file under ``folder/<fingerprint>``, so an interrupted call loses no more
    than the subjects it was working on.

    Args:
        table: columns subject, emotion, gaze and angle, as `design` makes them.
        size: side of the square images, pixels.
        folder: folder for the images.
        seed: seed of the whole set.
        workers: number of processes; None for one per core, 1 for this one alone.
        progress: whether to show a progress bar.
        difficulty: difficulty of the whole set.

    Raises:
        FaceError: an unknown subject, emotion, gaze or angle; a size or number of workers out of
            range; the anatomy's file is missing or damaged.
    """
    check_size(size)
    check_workers(workers)
    jobs = _plan(table, size, Path(folder), seed, difficulty)
    images = np.empty((len(table), size, size, 3), np.uint8)
    missing = [job for job in jobs if not job.fill(images)]
    work_off(missing, workers, progress, "rendering faces")
    for job in missing:
        if not job.fill(images):
            raise FaceError(f"file {str(job.path)!r} cannot be read back; is the disk full?")
    return images


@dataclass(frozen=True)
class Job:
    """The images of one subject."""

    number: int  # the subject
    rows: tuple[int, ...]  # rows of the table, in the order of the shots
    shots: tuple[tuple[str, str, int], ...]  # emotion, gaze and angle of each image, sorted
    size: int  # side of the images
    seed: int
    difficulty: Difficulty
    folder: Path  # folder of the set's images

    @property
    def path(self) -> Path:
        """The file of the images."""
        digest = sha256(json.dumps(self.shots).encode()).hexdigest()[:8]
        return self.folder / f"subject-{self.number:02d}-{digest}.npz"

    def fill(self, images: UInt8[np.ndarray, "n s s 3"]) -> bool:
        """Copy kept images into their rows; return True if they were there and complete."""
        try:
            with self.path.open("rb") as file, np.load(file) as saved:
                kept = saved["images"]
        except DAMAGED:
            return False
        if kept.shape != (len(self.shots), *images.shape[1:]) or kept.dtype != np.uint8:
            return False
        images[list(self.rows)] = kept
        return True

    @property
    def images(self) -> int:
        """The number of images it renders."""
        return len(self.shots)

    def run(self) -> None:
        """Render the images and keep them."""
        taken_by = renderer(self.size, self.seed, self.difficulty)
        sitter = taken_by.sitter(self.number)
        images = [
            taken_by.shot(sitter, emotion, gaze, [angle for _, _, angle in views])
            for (emotion, gaze), views in groupby(self.shots, key=lambda shot: shot[:2])
        ]
        taken = np.concatenate(images)
        write_whole(self.path, lambda path: np.savez(path, images=taken))


def _plan(
    table: pd.DataFrame, size: int, folder: Path, seed: int, difficulty: Difficulty
) -> list[Job]:
    """Return one job per subject; together they render all rows of the table."""
    columns = shot_columns(table)
    cells = sorted((*cell, row) for row, cell in enumerate(zip(*columns, strict=True)))
    here, jobs = folder / fingerprint(size, seed, difficulty), []
    for number, group in groupby(cells, key=lambda cell: cell[0]):
        person(number)
        members = list(group)
        for _, emotion, gaze, angle, _ in members:
            check_shot(emotion, gaze, [angle])
        rows = tuple(member[-1] for member in members)
        shots = tuple(member[1:4] for member in members)
        jobs.append(Job(number, rows, shots, size, seed, difficulty, here))
    return jobs


def check_workers(workers: int | None) -> None:
    """Raise an error if a number of processes is less than one."""
    if workers is not None and workers < 1:
        raise FaceError(f"workers {workers!r} is not a positive number")


def work_off(jobs: Sequence[Any], workers: int | None, progress: bool, what: str) -> None:
    """Run jobs over at most this many processes, or in this one if one is enough.

    Jobs have `images`, the number of images, and `run`. The largest come first. An interruption or
    an error ends the processes within seconds; unfinished work is dropped.
    """
    jobs = sorted(jobs, key=lambda job: job.images, reverse=True)
    count = min(workers or cores(), len(jobs))
    total = sum(job.images for job in jobs)
    bar = tqdm(total=total, desc=what, unit="image", disable=not progress or not jobs)
    with bar:
        if count <= 1:
            for job in jobs:
                job.run()
                bar.update(job.images)
            return
        with _pool(count) as pool:
            with bare_children():
                of_future = {pool.submit(job.run): job for job in jobs}
            try:
                for future in as_completed(of_future):
                    future.result()
                    bar.update(of_future[future].images)
            except BrokenExecutor:
                raise FaceError(f"{what}: a worker died; take fewer --workers") from None


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start fresh processes, which stop their work when the caller is interrupted or dies."""
    context = multiprocessing.get_context("spawn")
    listening, calling = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(listening,))
    try:
        yield pool
    except BaseException:
        calling.close()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _start_worker(listening: Connection) -> None:
    cv2.setNumThreads(1)
    leave_when_closed(listening)


def parts_seen(
    table: pd.DataFrame, size: int, seed: int = 0, difficulty: Difficulty = USUAL
) -> UInt8[np.ndarray, "n s s"]:
    """Return the parts of `ground_truth` for the image of each row, in the table's order.

    Nothing is kept; a subject takes half a second and each of its images a tenth.
    """
    check_size(size)
    specs = enumerate(face_specs(table, seed, difficulty))
    taken_by = renderer(size, seed, difficulty)
    seen = np.empty((len(table), size, size), np.uint8)
    for subject, shots in groupby(sorted(specs, key=_subject), key=_subject):
        sitter = taken_by.sitter(subject)
        for shot, views in groupby(shots, key=lambda row: _shot(row[1])):
            studio = taken_by.studio(sitter, shot)
            for row, view in views:
                seen[row] = see_parts(studio, view.camera(sitter.subject.framing), size)
    return seen


def _subject(row: tuple[int, FaceSpec]) -> int:
    return row[1].subject


def _shot(spec: FaceSpec) -> FaceSpec:
    """Return the shot without the causes in which its cameras differ."""
    return replace(spec, angle=90, nuisance=Nuisance())
