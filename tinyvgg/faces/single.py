"""One photograph by itself, cropped as those that a network was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import AroundFace, ByCamera, Cropping, cropping_of, fitting
from tinyvgg.faces.crops import Crop, cut
from tinyvgg.faces.decoding import Pixels, Unusable, content_of, upright
from tinyvgg.faces.detection import load_detector
from tinyvgg.faces.known import Facts, Stamp
from tinyvgg.photographs.rafd import facts_of
from tinyvgg.sources import LARGEST


def read_face(path: Path, size: int, cropping: Mapping[str, Any] | None) -> UInt8[ndarray, "s s 3"]:
    """A photograph as a network takes it.

    Args:
        path: of the file.
        size: side of the result, in pixels.
        cropping: how the photographs of a network were cropped, as its manifest has it for
            `tinyvgg.faces.cropping.cropping_of`; None where they were not. An image that is not
            cropped yet is then cropped around its face. Where each camera has a square of its own,
            a file that is named like the data base's gets that of its camera, and another is
            cropped around its face.

    Raises:
        UserError: it cannot be read or decoded, or has no face where one is looked for.
    """
    try:
        pixels = upright(content_of(path))
        facts = Facts(Stamp(), height=pixels.shape[1], width=pixels.shape[2])
        how = None if cropping is None else cropping_of(cropping)
        return cut(pixels, _crop(path, pixels, facts, how), size)
    except Unusable as error:
        raise UserError(f"image {str(path)!r} {error}; give another") from None


def _crop(path: Path, pixels: Pixels, facts: Facts, how: Cropping | None) -> Crop:
    if isinstance(how, ByCamera):
        try:
            return how.crop(facts_of(path.name), facts)
        except UserError:
            how = AroundFace(LARGEST)
    if how is None or how.looks_for_faces:
        faces = tuple(load_detector()(pixels.permute(1, 2, 0).contiguous().numpy()))
        facts = Facts(facts.stamp, height=facts.height, width=facts.width, faces=faces)
    return (how or fitting([facts], LARGEST)).crop({}, facts)
