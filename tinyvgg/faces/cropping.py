"""Which part of a photograph becomes an image: its middle, its face, or what a camera always sees.

Photographs of a set that was made with fixed cameras need no face to be found in each: one square
a camera serves, and the networks see everybody at the place where the camera saw them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tinyvgg.faces.detection import Face
from tinyvgg.faces.folder import Value
from tinyvgg.faces.images import Crop, Facts, Unusable, centred
from tinyvgg.faces.sources import AROUND_FACES, BY_CAMERA, CENTRE, LARGEST

_EYES_FROM_FRONT, _EYES_FROM_SIDE = 0.13, 0.08
"""How far eyes are apart: more up to half the side, less in profiles; in diagonals of the box."""
_SIDE, _SIDE_OF_PROFILE = 1.02, 1.46
"""Of the crop, in diagonals of the box."""
_BACK, _BACK_OF_PROFILE = 1.6, 3.6
"""From the eyes to the crop's middle, towards the back of the head, in multiples of the way from
the box's middle to the eyes."""
_EYES_ABOVE_MIDDLE = 0.087
"""In sides of the crop."""


def around_eyes(face: Face) -> Crop:
    """The crop of a face that a detector found; it may leave the photograph.

    Args:
        face: in pixels of the upright photograph.
    """
    middle, (across, down) = face.eyes.mean(axis=0), face.eyes[1] - face.eyes[0]
    diagonal = float(np.hypot(*face.size))
    profile = _profile(float(np.hypot(across, down)) / diagonal)
    turn = (1 - profile) * float(np.arctan2(down, across))
    side = diagonal * _between(_SIDE, _SIDE_OF_PROFILE, profile)
    right = np.array([np.cos(turn), np.sin(turn)])
    below = np.array([-right[1], right[0]])
    back = float((face.middle - middle) @ right) * _between(_BACK, _BACK_OF_PROFILE, profile)
    x, y = middle + back * right + _EYES_ABOVE_MIDDLE * side * below
    return Crop(float(x), float(y), side, float(np.degrees(turn)))


def _profile(apart: float) -> float:
    """How much a face is seen from the side, 0 to 1.

    Args:
        apart: how far its eyes are, in diagonals of its box.
    """
    share = (_EYES_FROM_FRONT - apart) / (_EYES_FROM_FRONT - _EYES_FROM_SIDE)
    return min(max(share, 0.0), 1.0)


def _between(front: float, side: float, profile: float) -> float:
    return front + (side - front) * profile


CLEARLY_LARGER = 2.0
"""How much larger than the next one, in its height, a face is that is no doubt the one meant."""
CROPPED_ALREADY = 0.85
"""A set is taken as cropped if faces fill at least this share of the middle of its images."""
PORTRAITS = 0.5
"""A set is taken for one of portraits if at least this share of its images has one clear face."""

Known = Mapping[str, Value]


@runtime_checkable
class Cropping(Protocol):
    """A way to choose the part of a photograph."""

    @property
    def looks_for_faces(self) -> bool:
        """Whether it has to be known where faces are."""
        ...

    @property
    def frames_faces(self) -> bool:
        """Whether eyes and mouth of frontal faces lie at the same places in all images."""
        ...

    @property
    def about(self) -> str:
        """What it does, as a sentence."""
        ...

    @property
    def plain(self) -> dict[str, Any]:
        """As plain data, which `cropping_of` reads again."""
        ...

    def crop(self, known: Known, facts: Facts) -> Crop:
        """The part of a photograph.

        Args:
            known: what its source knows of it, by column.
            facts: what a look at it told.

        Raises:
            Unusable: it cannot be said which.
        """
        ...


@dataclass(frozen=True)
class Middle:
    """The largest square in the middle.

    Attributes:
        why: a sentence on why this was chosen, where it was not asked for.
    """

    why: str = ""
    looks_for_faces = False
    frames_faces = False

    @property
    def about(self) -> str:
        """What it does, as a sentence."""
        return f"Of each image the largest square in its middle is used. {self.why}".strip()

    @property
    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {"how": CENTRE}

    def crop(self, known: Known, facts: Facts) -> Crop:
        """The part of a photograph."""
        return centred(facts.height, facts.width)


@dataclass(frozen=True)
class AroundFace:
    """A square around the face, turned so that its eyes are level.

    Attributes:
        unclear: what becomes of an image without a face or with several: see
            `tinyvgg.faces.sources.OPTIONS`.
        why: a sentence on why this was chosen, where it was not asked for.
    """

    unclear: str
    why: str = ""
    looks_for_faces = True
    frames_faces = True

    @property
    def about(self) -> str:
        """What it does, as a sentence."""
        said = {CENTRE: "its middle is used", LARGEST: "the largest of several is used"}
        otherwise = said.get(self.unclear, "the image is left out")
        return (
            "Of each image a square around its face is used, turned so that the eyes are level; "
            f"where no face is found or several are, {otherwise}. {self.why}"
        ).strip()

    @property
    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {"how": AROUND_FACES, "unclear": self.unclear}

    def crop(self, known: Known, facts: Facts) -> Crop:
        """The part of a photograph.

        Raises:
            Unusable: there is no face in it, or there are several.
        """
        face = clear_face(facts.faces)
        if face is None and facts.faces and self.unclear == LARGEST:
            face = facts.faces[0]
        if face is not None:
            return around_eyes(face)
        if self.unclear == CENTRE:
            return centred(facts.height, facts.width)
        if facts.faces:
            raise Unusable(f"shows {len(facts.faces)} faces")
        raise Unusable("shows no face that was found")


@dataclass(frozen=True)
class ByCamera:
    """The same square of all photographs of a camera.

    Attributes:
        boxes: by angle.
        frame: height and width that photographs have, in pixels.
        why: a sentence on where the squares come from.
    """

    boxes: Mapping[int, Crop]
    frame: tuple[int, int]
    why: str = ""
    looks_for_faces = False
    frames_faces = True

    @property
    def about(self) -> str:
        """What it does, as a sentence."""
        return f"Of all images of a camera the same square is used. {self.why}".strip()

    @property
    def plain(self) -> dict[str, Any]:
        """As plain data."""
        boxes = {str(angle): [box.x, box.y, box.side] for angle, box in self.boxes.items()}
        return {"how": BY_CAMERA, "frame": list(self.frame), "boxes": boxes}

    def crop(self, known: Known, facts: Facts) -> Crop:
        """The part of a photograph.

        Raises:
            Unusable: it is of another size than the others.
        """
        height, width = self.frame
        if (facts.height, facts.width) != self.frame:
            raise Unusable(f"has {facts.width} x {facts.height} pixels, and not {width} x {height}")
        return self.boxes[int(known["angle"])]


def cropping_of(plain: Mapping[str, Any]) -> Cropping:
    """The cropping that plain data stand for."""
    if plain["how"] == AROUND_FACES:
        return AroundFace(plain["unclear"])
    if plain["how"] == BY_CAMERA:
        boxes = {int(angle): Crop(*box) for angle, box in plain["boxes"].items()}
        height, width = plain["frame"]
        return ByCamera(boxes, (height, width))
    return Middle()


def clear_face(faces: Sequence[Face]) -> Face | None:
    """The only face, or the one that is much larger than all others; None where there is none."""
    if not faces:
        return None
    largest, *others = faces
    if others and largest.size[1] < CLEARLY_LARGER * others[0].size[1]:
        return None
    return largest


def fitting(sample: Sequence[Facts], unclear: str) -> Middle | AroundFace:
    """How to crop a set of which nothing is known but what a sample of it shows.

    Args:
        sample: photographs in which faces were looked for.
        unclear: what becomes of images without a clear face, where faces are cropped.
    """
    usable = [facts for facts in sample if not facts.fault]
    clear = [(facts, clear_face(facts.faces)) for facts in usable]
    filled = [
        around_eyes(face).side / min(facts.height, facts.width)
        for facts, face in clear
        if face is not None
    ]
    looked = f"of {len(usable)} images that were looked at"
    if len(filled) < PORTRAITS * max(1, len(usable)):
        return Middle(f"(A clear face was found in {len(filled)} {looked}.)")
    share = float(np.median(filled))
    if share >= CROPPED_ALREADY:
        return Middle(f"(They are cropped already: {looked}, faces fill {share:.0%}.)")
    return AroundFace(unclear, f"(They are not cropped yet: {looked}, faces fill {share:.0%}.)")
