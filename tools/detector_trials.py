"""What face detectors are shown, see measure_detectors.py, and what is known of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from face_judges import Box, Image
from jaxtyping import Float
from judge_faces import around, progress
from skimage import data

from synthfaces import Camera, FaceSpec, Landmarks, Nuisance, face_spec, write_rafd
from synthfaces.camera import DISTANCE, aim
from synthfaces.chart import HEIGHT, WIDTH
from synthfaces.photograph import Studio
from synthfaces.rafd import portrait_camera, portrait_studio
from synthfaces.rendering import sitter
from synthfaces.truth import find_landmarks, see_parts
from tinyvgg.errors import UserError
from tinyvgg.faces.images import read_image

Eyes = Float[np.ndarray, "2 2"]

LONDON = ("neutral_front", "smiling_front")
LONDON_SIZE = 600
LONDON_FACE = np.array([205.0, 165.0, 395.0, 425.0])
SMALLER, EVERY = 10, 4
"""How much smaller small faces are, and which of the photographs are shown small."""
BACKGROUND = 210
ASTRONAUT_FACE = np.array([182.0, 70.0, 267.0, 179.0])
ASTRONAUT_EYES = np.array([[204.0, 101.0], [247.0, 103.0]])
WITHOUT_FACES = (
    "brick",
    "cat",
    "cell",
    "coffee",
    "coins",
    "colorwheel",
    "grass",
    "gravel",
    "horse",
    "hubble_deep_field",
    "immunohistochemistry",
    "moon",
    "page",
    "retina",
    "rocket",
    "text",
)
PARTS_SIZE = 97


@dataclass(frozen=True)
class Frame:
    """Of the set's own image of a face: centre and side, pixels of the photograph."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Shown:
    """A photograph, and what is known of it.

    Attributes:
        group: see the top.
        name: of its file.
        image: upright RGB.
        face: the box, if there is a face.
        eyes: (x, y) of both, the one at the left first; not a number where it is not seen.
        frame: of the set, if it is a synthetic face.
    """

    group: str
    name: str
    image: Image
    face: Box | None = None
    eyes: Eyes | None = None
    frame: Frame | None = None


@dataclass(frozen=True)
class Faces:
    """Synthetic faces in RaFD's form.

    Attributes:
        folder: where they are kept.
        subjects: how many of the 67.
        seed: of the set.
        cache: where the parsed anatomy is kept.
    """

    folder: Path
    subjects: int
    seed: int
    cache: Path | None


def everything(london_set: Path, faces: Faces) -> Iterator[Shown]:
    """All that is shown.

    Raises:
        UserError: a folder without photographs.
    """
    london = list(photographs(london_set))
    yield from london
    yield from map(made_small, london[::EVERY])
    yield Shown("astronaut", "astronaut", data.astronaut(), ASTRONAUT_FACE, ASTRONAUT_EYES)
    for name in WITHOUT_FACES:
        yield Shown("none", name, in_colour(getattr(data, name)()))
    yield from synthetic(faces)


def photographs(folder: Path) -> Iterator[Shown]:
    """The London Set."""
    for name in LONDON:
        paths = sorted((folder / name).glob("*.jpg"))
        if not paths:
            raise UserError(f"folder {str(folder / name)!r} has no photographs (*.jpg)")
        for path in paths:
            yield Shown("london", path.name, read_image(path, LONDON_SIZE), LONDON_FACE)


def made_small(large: Shown) -> Shown:
    """A photograph as a small part of a picture as large as before."""
    assert large.face is not None
    size = LONDON_SIZE // SMALLER
    start = (LONDON_SIZE - size) // 2
    image = np.full_like(large.image, BACKGROUND)
    small = cv2.resize(large.image, (size, size), interpolation=cv2.INTER_AREA)
    image[start : start + size, start : start + size] = small
    return Shown("small", large.name, image, large.face / SMALLER + start)


def in_colour(picture: np.ndarray) -> Image:
    if picture.dtype != np.uint8:
        picture = (picture / picture.max() * 255).astype(np.uint8)
    return np.ascontiguousarray(np.stack([picture] * 3, -1) if picture.ndim == 2 else picture)


def synthetic(faces: Faces) -> Iterator[Shown]:
    """Synthetic faces in RaFD's form with frontal gaze, and the truth about them."""
    table = write_rafd(
        faces.folder, faces.subjects, gazes=["frontal"], seed=faces.seed, cache=faces.cache
    )
    shots = table.groupby(["subject", "emotion"], sort=False)
    for (subject, emotion), rows in progress(shots, "locating", len(shots)):
        studio = None
        for row in rows.itertuples():
            spec = face_spec(subject, emotion, angle=row.angle, seed=faces.seed)
            studio = studio or portrait_studio(spec, faces.cache)
            yield known(studio, spec, faces.folder / row.path, faces.cache)


def known(studio: Studio, spec: FaceSpec, path: Path, cache: Path | None) -> Shown:
    """A portrait and the truth about it."""
    camera = portrait_camera(studio, spec)
    marks = find_landmarks(studio, camera, WIDTH)
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    frame = set_frame(spec, camera, cache)
    return Shown(
        str(spec.angle), path.name, image, face_box(studio, camera), seen_eyes(marks), frame
    )


def face_box(studio: Studio, camera: Camera) -> Box:
    """The box around the face in a portrait, from the square in its middle."""
    parts = see_parts(studio, replace(camera, aspect=1.0), PARTS_SIZE)
    above = (HEIGHT - WIDTH) / 2
    return around(parts) * (WIDTH / PARTS_SIZE) + (0, above, 0, above)


def seen_eyes(marks: Landmarks) -> Eyes:
    """Pupils; an eye is seen if its pupil is, or the middle of its upper lid."""
    pupils, lids = (
        [marks.names.index(f"{side}-{name}") for side in ("left", "right")]
        for name in ("pupil", "upper-lid")
    )
    seen = marks.visible[pupils] | marks.visible[lids]
    points = np.where(seen[:, None], marks.points[pupils], np.nan)
    return points[np.argsort(marks.points[pupils, 0])]


def set_frame(spec: FaceSpec, camera: Camera, cache: Path | None) -> Frame:
    """Where the set's own image of a shot, without shift, zoom and roll, lies in a portrait."""
    framing = sitter(spec, WIDTH, cache).subject.framing
    own = aim(framing, spec.angle, Nuisance(), head=spec.head)
    middle = own.position + DISTANCE * own.forward
    edge = own.width / 2 * own.right
    points = np.stack([middle, middle - edge, middle + edge])
    centre, left, right = camera.project(points) * (WIDTH, HEIGHT)
    return Frame(float(centre[0]), float(centre[1]), float(np.hypot(*(right - left))))
