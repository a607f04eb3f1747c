"""Find faces in photographs, with CenterFace.

Y. Xu, W. Yan, G. Yang, J. Luo, T. Li and J. He, "CenterFace: joint face detection and alignment
using face as point", Scientific Programming 2020 (doi 10.1155/2020/7845384): one convolutional
network gives for every fourth pixel the score of a face whose middle is there, its size, and the
places of its eyes and mouth. ``tools/vendor.py`` made the file of its weights.

``results/detectors.json`` compares it with MTCNN. CenterFace misses faces that fill hundreds of
pixels, so photographs are scaled down, and looked at once more, larger, where no face is found. It
finds faces that lie on their side or head, but is wrong about their eyes: these photographs are
looked at again, turned, until the largest face stands upright.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from tinyvgg import files
from tinyvgg.errors import UserError

VERSION = 2
"""A number to be raised whenever a change of the detection changes a face that is found."""
SIDES = (320, 640)
"""Long sides of the photograph as the network sees it, pixels, tried until a face is found."""
THRESHOLD = 0.5  # least score of a face

WEIGHTS = Path(__file__).with_name("centerface.onnx")
_OUTPUTS = ("537", "538", "539", "540")  # score, size, offset, landmarks
_STRIDE = 4
_MULTIPLE = 32
_MOST_SHARED = 0.5

QUARTERS = (0.0, 90.0, 180.0, 270.0)
"""Degrees by which photographs are turned, in this order, until a face is sure to stand upright."""
_HALF = 45.0
_SURE, _EQUAL = 0.8, 0.1  # score of what is surely a face; difference of scores that says nothing
_APART, _PARALLEL = 0.2, 15.0  # eyes from the front: diagonals of the box; degrees from the mouth
_TILTED, _TILTED_SIDE = 10.0, 20.0  # degrees, from the front and from the side

Image = UInt8[np.ndarray, "_ _ 3"]
Points = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Face:
    """A face in a photograph."""

    box: Float[np.ndarray, "4"]
    """Left, top, right and bottom, pixels, before the box is turned about its middle; whole numbers
    are borders of pixels. The box of a face that the frame cuts goes on beyond it."""
    eyes: Float[np.ndarray, "2 2"]
    """(x, y) of both, pixels; the one at the left of the upright face comes first."""
    score: float  # certainty of the detector, from 0 to 1
    turn: float | None = 0.0
    """Degrees by which the box is turned clockwise; None if it is uncertain how the face stands."""

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
    network = cv2.dnn.readNetFromONNX(np.frombuffer(_weights(), dtype=np.uint8))
    return CenterFace(network, sides, threshold)


def fingerprint() -> str:
    """Return a name for all that decides which faces are found."""
    asked = f"centerface {VERSION}, sides {SIDES}, threshold {THRESHOLD}"
    return sha256(asked.encode() + _weights()).hexdigest()[:16]


def _weights() -> bytes:
    try:
        weights = WEIGHTS.read_bytes()
    except OSError:
        weights = b""
    if sha256(weights).hexdigest() != files.plain(WEIGHTS.with_suffix(".json")).get("sha256"):
        raise UserError(f"file {str(WEIGHTS)!r} is missing or damaged; install the package again")
    return weights


class _Seen(NamedTuple):
    """A face as it is seen in a photograph that was turned."""

    face: Face
    turn: float  # of the photograph, degrees against the clock
    tilt: float  # degrees by which the face is still turned clockwise, by its eyes and mouth
    from_front: bool  # its eyes are well apart, and parallel to its mouth

    @property
    def stands(self) -> bool:
        """True if its eyes are above its mouth."""
        return abs(self.tilt) <= (_TILTED if self.from_front else _TILTED_SIDE)

    @property
    def sure(self) -> bool:
        """True if it stands and is no doubt a face, for which more is asked in a turned one."""
        usual = self.from_front and _difference(self.turn, 0.0) <= _HALF
        return self.stands and (usual or self.face.score >= _SURE)


@dataclass(frozen=True)
class CenterFace:
    """The detector: its network as OpenCV reads it, and `new_detector`'s arguments."""

    network: Any
    sides: tuple[int, ...]
    threshold: float

    def __call__(self, image: Image) -> list[Face]:
        """Return the faces of an RGB photograph, the largest first.

        Where that one is not sure to stand upright, the photograph is looked at from all sides. If
        none is surest, it is uncertain how the faces stand.
        """
        looks: list[list[_Seen]] = []
        for turn in QUARTERS:
            looks.append(self._largest_upright(image, turn))
            if looks[-1] and looks[-1][0].sure:
                return [seen.face for seen in looks[-1]]
        standing = [look for look in looks if looks[0] and look and look[0].stands]
        best = max(standing, key=lambda look: look[0].face.score, default=[])
        equal = [look[0] for look in standing if look[0].face.score > best[0].face.score - _EQUAL]
        if not best or any(_difference(one.turn, best[0].turn) > _HALF for one in equal):
            return [replace(seen.face, turn=None) for seen in looks[0]]
        return [seen.face for seen in best]

    def _largest_upright(self, image: Image, turn: float) -> list[_Seen]:
        """Return the faces of a photograph that is turned, on until the largest one stands."""
        seen, side = list[_Seen](), 0
        for side in self.sides:
            seen = self._look(image, side, turn)
            if seen or side >= max(image.shape[:2]):  # larger, it would show nothing more
                break
        while seen and not seen[0].stands:
            (face, turn, tilt, _), reach = seen[0], seen[0].face.size.max() / 2
            again = [
                one
                for one in self._look(image, side, turn + tilt)
                if np.hypot(*(one.face.middle - face.middle)) < reach
                and abs(one.tilt) < abs(tilt) / 2  # or it would lead nowhere
            ]
            if not again:
                break
            seen[0] = again[0]
        return seen

    def _look(self, image: Image, side: int, turn: float) -> list[_Seen]:
        """Return the faces seen if the photograph's long side has this many pixels, and turned."""
        height, width = image.shape[:2]
        zoom = side / max(height, width)
        shape = np.array([max(round(pixels * zoom), 1) for pixels in (width, height)])
        how = cv2.INTER_AREA if shape.prod() < height * width else cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(image, shape.tolist(), interpolation=how), np.uint8)
        turned, back = _turned(scaled, turn)
        padding = [(0, -pixels % _MULTIPLE) for pixels in turned.shape[:2]]
        self.network.setInput(cv2.dnn.blobFromImage(np.pad(turned, (*padding, (0, 0)))))
        said = (output[0] for output in self.network.forward(_OUTPUTS))
        boxes, points, scores = _decode(self.threshold, *said)
        stretch, seen = np.array([width, height]) / shape, list[_Seen]()
        for row in _distinct(boxes, scores):
            middle = boxes[row].mean(axis=0, keepdims=True)
            box = (boxes[row] + (back(middle) - middle)) * stretch
            eyes = back(points[row, :2][points[row, :2, 0].argsort()]) * stretch
            face = Face(box.ravel(), eyes, float(scores[row]), turn)
            seen.append(_Seen(face, turn, *_stance(points[row], boxes[row])))
        return sorted(seen, key=lambda one: -one.face.size.prod())


def _turned(image: Image, turn: float) -> tuple[Image, Callable[[Points], Points]]:
    """Return a whole image turned against the clock, and what leads from its points back."""
    if not turn:
        return image, lambda points: points
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    rotation, shape = np.array([[cos, sin], [-sin, cos]]), np.array(image.shape[1::-1])
    whole = np.rint(np.abs(rotation) @ shape).astype(int)
    matrix = np.column_stack([rotation, (whole - 1) / 2 - rotation @ ((shape - 1) / 2)])
    turned = cv2.warpAffine(image, matrix, whole.tolist(), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), lambda at: (at - whole / 2) @ rotation + shape / 2


def _stance(points: Float[np.ndarray, "5 2"], box: Float[np.ndarray, "2 2"]) -> tuple[float, bool]:
    """Return the tilt of a face, degrees clockwise, and whether it is seen from the front."""
    eyes, mouth = points[1] - points[0], points[4] - points[3]
    across, down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    lines = (eyes + mouth + (down, -across), eyes, mouth)
    tilt, *others = (float(np.degrees(np.arctan2(y, x))) for x, y in lines)
    apart = float(np.hypot(*eyes) / np.hypot(*(box[1] - box[0])))
    return tilt, apart >= _APART and _difference(*others) <= _PARALLEL


def _difference(angle: float, other: float) -> float:
    return abs((angle - other + 180) % 360 - 180)


def _decode(
    threshold: float,
    scores: Float32[np.ndarray, "1 h w"],
    sizes: Float32[np.ndarray, "2 h w"],
    offsets: Float32[np.ndarray, "2 h w"],
    landmarks: Float32[np.ndarray, "10 h w"],
) -> tuple[Float[np.ndarray, "n 2 2"], Float[np.ndarray, "n 5 2"], Float[np.ndarray, "n"]]:
    """Return (left, top) and (right, bottom) of boxes, (x, y) of landmarks, and scores.

    The landmarks are the eyes, the nose and the corners of the mouth. The network gives rows before
    columns, in its own pixels.
    """
    rows, columns = np.nonzero(scores[0] > threshold)
    chosen = (slice(None), rows, columns)
    size = np.exp(sizes[chosen].astype(np.float64).T[:, ::-1]) * _STRIDE
    offset = offsets[chosen].astype(np.float64).T[:, ::-1]
    middle = (np.stack([columns, rows], axis=1) + offset + 0.5) * _STRIDE
    start = middle - size / 2
    points = landmarks[chosen].astype(np.float64).T.reshape(-1, 5, 2)[:, :, ::-1]
    points = start[:, None] + points * size[:, None]
    return np.stack([start, start + size], axis=1), points, scores[0, rows, columns].astype(float)


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
