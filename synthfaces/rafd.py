"""The set in the form of RaFD's folder: its file names, frames, angles, numbers of subjects."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from synthfaces.anatomy import BUST, load_anatomy
from synthfaces.camera import Camera, View, aim
from synthfaces.files import remove_leftovers, write_whole
from synthfaces.mesh import HeadMesh, build_mesh
from synthfaces.parameters import ANGLES, EMOTIONS, GAZES, SUBJECTS, USUAL, Difficulty, FaceError
from synthfaces.people import design
from synthfaces.photograph import Renderer, Sitter, Studio
from synthfaces.rendering import check_workers, fingerprint, work_off
from synthfaces.specification import FaceSpec, face_spec, shot_columns
from synthfaces.subjects import Subject
from synthfaces.texture import Painter, TShirt

MANIFEST, README = "synthetic.json", "README.txt"
_WHAT = "synthetic faces in the form of RaFD, no person; see README.txt"
_ENDS_WITH = b"\xff\xd9"
_ABOUT = Path(__file__).with_name("rafd_readme.md").read_text("utf-8")


def claim(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Make a folder ready for images, or raise an error if it holds something else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / MANIFEST).exists():
            _check_same(folder, manifest)
        elif any(not path.name.startswith(".") for path in folder.iterdir()):
            raise FaceError(
                f"folder {str(folder)!r} holds files that are no synthetic faces; "
                "name a new or an empty one"
            )
        remove_leftovers(folder)
        text = json.dumps({**manifest, "what": _WHAT}, indent=2) + "\n"
        write_whole(folder / MANIFEST, lambda path: path.write_text(text))
        write_whole(folder / README, lambda path: path.write_text(_ABOUT))
    except OSError as error:
        raise FaceError(
            f"folder {str(folder)!r} cannot be written to ({error.strerror}); name another place"
        ) from None


def _check_same(folder: Path, manifest: Mapping[str, Any]) -> None:
    try:
        kept = json.loads((folder / MANIFEST).read_text())
        differing = [name for name in manifest if kept[name] != manifest[name]]
    except (ValueError, TypeError, KeyError):
        raise FaceError(
            f"file {MANIFEST!r} of folder {str(folder)!r} is damaged; remove the folder"
        ) from None
    others = {
        "seed": f"seed {kept['seed']}, not {manifest['seed']}",
        "difficulty": "another difficulty",
        "fingerprint": "another version of this package or of its anatomy",
    }
    for name in differing:
        raise FaceError(
            f"folder {str(folder)!r} holds the faces of {others[name]}; "
            "name another folder, or remove it"
        )


def is_whole(path: Path, size: tuple[int, int]) -> bool:
    """Return True if a file is a complete JPEG image of this width and height."""
    try:
        with path.open("rb") as file:
            with Image.open(file, formats=["JPEG"]) as image:
                fits = image.size == size
            file.seek(-len(_ENDS_WITH), 2)
            return fits and file.read() == _ENDS_WITH
    except OSError:
        return False


WIDTH, HEIGHT = 681, 1024
VIEW = View(face=0.25 * HEIGHT / WIDTH, eyes=0.40, aspect=HEIGHT / WIDTH)
_SHIRT = TShirt()
_RAYS_PER_PIXEL = 1
_LOWEST_OF_HEAD = 6.2


def portrait(studio: Studio, spec: FaceSpec) -> UInt8[np.ndarray, "1024 681 3"]:
    """Render a shot in the studio that `portrait_studio` set up for it or for another angle."""
    view = portrait_camera(studio, spec)
    return studio.photograph(view, spec.nuisance, WIDTH, _RAYS_PER_PIXEL)


def portrait_camera(studio: Studio, spec: FaceSpec) -> Camera:
    """Return the camera that takes the portrait."""
    return aim(studio.subject.framing, spec.angle, spec.nuisance, VIEW, spec.head)


def portrait_studio(spec: FaceSpec) -> Studio:
    """Return a subject in its shirt, posed and lit as in a shot."""
    return _renderer(spec.seed).studio(_sitter(spec.seed, *spec.donors), spec)


@lru_cache(maxsize=1)
def _renderer(seed: int) -> Renderer:
    return Renderer(Painter(build_mesh(load_anatomy(BUST))), WIDTH, seed)


@lru_cache(maxsize=2)
def _sitter(seed: int, shape: int, skin: int, hair: int) -> Sitter:
    renderer = _renderer(seed)
    sitter = renderer.sitter(shape, skin, hair)
    return replace(sitter, subject=_dressed(sitter.subject, renderer.mesh))


def _dressed(subject: Subject, mesh: HeadMesh) -> Subject:
    """Dress a subject in a shirt, and aim the side cameras at the middle of head and hair."""
    template = mesh.template[mesh.skin]
    head = template[:, 1] > _LOWEST_OF_HEAD
    depth = (mesh.smooth @ subject.controls[: mesh.controls])[mesh.skin][head, 2]
    back = (depth - subject.hair[head]).min()
    return replace(
        subject,
        shirt=_SHIRT,
        hair=subject.hair + _SHIRT.lift(template),
        framing=replace(subject.framing, depth=float(depth.max() + back) / 2),
    )


QUALITY = 95
"""The quality of the JPEG files, whose colour is kept at full resolution (4:4:4)."""

VERSION = 1
"""A number to be raised whenever a change of portraits alone changes a pixel."""

_COMMENT = "Synthetic face, no person, rendered by synthfaces; not an image of RaFD"


def write_rafd(
    folder: Path,
    subjects: int = len(SUBJECTS),
    angles: Sequence[int] = ANGLES,
    emotions: Sequence[str] = EMOTIONS,
    gazes: Sequence[str] = GAZES,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    difficulty: Difficulty = USUAL,
) -> pd.DataFrame:
    """Write synthetic faces in the form of RaFD: names, numbers and 681 x 1024 JPEG files.

    Files of the folder that are whole are kept, so an interrupted call goes on where it was, and
    more subjects can be added later. A file appears once it is complete. ``README.txt`` and
    ``synthetic.json`` in the folder say what its images are and how they were made.

    Args:
        folder: new, empty, or written by an earlier call with the same seed and difficulty.
        subjects: number of subjects, 67 at most; the first few are spread over the groups.
        angles: camera angles in degrees; all by default, as `emotions` and `gazes`.
        emotions: some of the eight.
        gazes: some of the three.
        seed: seed of the whole set.
        workers: number of processes; None for one per core, 1 for this one alone.
        progress: whether to show a progress bar.
        difficulty: difficulty of the whole set.

    Returns:
        The table of the images, as `design` makes it; column ``path`` names the files.

    Raises:
        FaceError: an unknown emotion, gaze or angle; a number of subjects or workers out of range;
            a folder that holds something else, or that cannot be written to; the anatomy's file
            is missing or damaged.
    """
    check_workers(workers)
    table = design(subjects, angles, emotions, gazes)
    if table.empty:
        raise FaceError("no image is requested; name at least one angle, one emotion and one gaze")
    folder = Path(folder).expanduser()
    made_by = {"fingerprint": _fingerprint(), "seed": seed, "difficulty": difficulty.values}
    claim(folder, made_by)
    jobs = _plan(table, folder, seed, difficulty)
    work_off(jobs, workers, progress, "rendering portraits")
    return table


@dataclass(frozen=True)
class Job:
    """The missing portraits of one shot."""

    subject: int
    emotion: str
    gaze: str
    files: tuple[tuple[int, Path], ...]  # angle and path of each image
    seed: int  # seed of the set
    difficulty: Difficulty

    @property
    def images(self) -> int:
        """The number of images it renders."""
        return len(self.files)

    def run(self) -> None:
        """Render and write the portraits."""
        studio = None
        for angle, path in self.files:
            spec = face_spec(
                self.subject, self.emotion, self.gaze, angle, self.seed, self.difficulty
            )
            studio = studio or portrait_studio(spec)
            _write(path, portrait(studio, spec))


def _plan(table: pd.DataFrame, folder: Path, seed: int, difficulty: Difficulty) -> list[Job]:
    """Return one job for each shot of which an image is missing or incomplete."""
    cells = zip(*shot_columns(table), (folder / name for name in table["path"]), strict=True)
    missing = [cell for cell in cells if not is_whole(cell[-1], (WIDTH, HEIGHT))]
    return [
        Job(number, emotion, gaze, tuple(member[3:] for member in members), seed, difficulty)
        for (number, emotion, gaze), members in groupby(missing, key=lambda cell: cell[:3])
    ]


def _write(path: Path, image: UInt8[ndarray, "1024 681 3"]) -> None:
    how: dict[str, Any] = {"quality": QUALITY, "subsampling": "4:4:4", "comment": _COMMENT}
    try:
        write_whole(path, partial(Image.fromarray(image).save, **how))
    except OSError as error:
        raise FaceError(f"file {str(path)!r} cannot be written ({error.strerror})") from None


def _fingerprint() -> str:
    """Return a hash of all that the files depend on but seed and difficulty, kept separately."""
    made_by = f"portraits {VERSION}, quality {QUALITY}, {fingerprint(WIDTH, 0)}"
    return sha256(made_by.encode()).hexdigest()[:16]
