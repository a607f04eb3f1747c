"""The part of a photograph that becomes an image: its middle, its face, or a camera's square.

Where a set was made with fixed cameras no face has to be found in each photograph: one square a
camera serves, and the networks see everybody at the place where the camera saw them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyvgg.errors import UserError
from tinyvgg.faces import images
from tinyvgg.faces.detection import Face
from tinyvgg.faces.folder import Listing, Photograph, Value
from tinyvgg.faces.images import Crop, Facts, Looker, Square, Unusable
from tinyvgg.faces.sources import (
    AROUND_FACES,
    AUTO,
    BY_CAMERA,
    CENTRE,
    FACE,
    HEAD,
    LARGEST,
    RAFD,
    Source,
    synthfaces,
)

_EYES_FROM_FRONT, _EYES_FROM_SIDE = 0.13, 0.08
"""Distances of the eyes up to half the side, and in profiles, in diagonals of the box."""


@dataclass(frozen=True)
class Extent:
    """The part of a head that is used; pairs are up to half the side, and in profiles."""

    side: tuple[float, float]  # of the square, in diagonals of the box
    # the way from the eyes to the square's middle, towards the back of the head, in multiples of
    # the way from the eyes to the box's middle
    back: tuple[float, float]
    eyes: float  # height of the eyes above the square's middle, in sides of the square


EXTENTS: Mapping[str, Extent] = {
    FACE: Extent(side=(0.80, 0.85), back=(1.3, 1.75), eyes=0.165),
    HEAD: Extent(side=(1.02, 1.46), back=(1.6, 3.6), eyes=0.087),
}
"""The face alone, from forehead to chin and from cheek to cheek, and the head with its hair."""

CLEARLY_LARGER = 2.0
"""A face is no doubt the one meant if it is this many times as high as the next one."""
CROPPED_ALREADY = 0.8
"""A set counts as cropped if faces fill at least this share of the middle of its images."""
PORTRAITS = 0.5
"""A set counts as one of portraits if at least this share of its images has one clear face."""
SAMPLE = 40  # photographs of each camera that are looked at
AUTO_SAMPLE = 24  # images that show whether a set is cropped already
FEWEST = 3  # faces that have to be found for a camera to have a square of its own
_TITLE = "looking for faces"


def around_eyes(face: Face, shows: str = FACE) -> Crop:
    """Return the crop of a face, or its head, turned upright; it may leave the photograph."""
    extent, stands = EXTENTS[shows], np.radians(face.turn or 0.0)
    upper = np.array([np.cos(stands), np.sin(stands)])
    middle, line = face.eyes.mean(axis=0), face.eyes[1] - face.eyes[0]
    across, down = line @ upper, line @ (-upper[1], upper[0])
    diagonal = float(np.hypot(*face.size))
    apart = float(np.hypot(across, down)) / diagonal
    share = (_EYES_FROM_FRONT - apart) / (_EYES_FROM_FRONT - _EYES_FROM_SIDE)
    profile = min(max(share, 0.0), 1.0)
    turn = stands + (1 - profile) * float(np.arctan2(down, across))
    side = diagonal * _between(extent.side, profile)
    right = np.array([np.cos(turn), np.sin(turn)])
    below = np.array([-right[1], right[0]])
    back = float((face.middle - middle) @ right) * _between(extent.back, profile)
    x, y = middle + back * right + extent.eyes * side * below
    return Crop(float(x), float(y), side, float(np.degrees(turn)))


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


@dataclass(frozen=True)
class Cropping:
    """A way to choose the part of a photograph: see `tinyvgg.faces.sources.OPTIONS`."""

    how: str
    unclear: str = ""
    shows: str = FACE  # the part of a head
    boxes: Mapping[int, Crop] = field(default_factory=dict)  # squares of cameras, by angle
    frame: tuple[int, int] = (0, 0)  # height and width of the cameras' photographs, pixels
    why: str = ""  # sentences on what was not asked for
    bits: int = 0  # of values in the set's files of 16 bits: see `images.eight_bits`

    @property
    def about(self) -> str:
        """A sentence on the part that is used."""
        otherwise = {CENTRE: "its middle is used", LARGEST: "the largest of several is used"}
        said = {
            CENTRE: "Of each image the largest square in its middle is used.",
            BY_CAMERA: "Of all images of a camera the same square is used.",
            AROUND_FACES: f"Of each image a square around its {self.shows} is used, turned so that "
            "the eyes are level; where no face is found, several are, or it is uncertain how one "
            f"stands, {otherwise.get(self.unclear, 'the image is left out')}.",
        }
        return f"{said[self.how]} {self.why}".strip()

    @property
    def plain(self) -> dict[str, Any]:
        """The cropping as plain data, which `cropping_of` reads."""
        bits = {"bits": self.bits} if self.bits else {}
        if self.how == CENTRE:
            return {"how": CENTRE, **bits}
        if self.how == AROUND_FACES:
            return {"how": AROUND_FACES, "unclear": self.unclear, "shows": self.shows, **bits}
        boxes = {str(angle): [box.x, box.y, box.side] for angle, box in self.boxes.items()}
        frame = list(self.frame)
        return {"how": BY_CAMERA, "shows": self.shows, "frame": frame, "boxes": boxes, **bits}

    def crop(self, known: Mapping[str, Value], facts: Facts) -> Crop:
        """Return the part of a photograph that is used; `Unusable` gives the reason if none is."""
        if self.how == BY_CAMERA:
            height, width = self.frame
            if _shape(facts) != self.frame:
                said = f"has {facts.width} x {facts.height} pixels, and not {width} x {height}"
                raise Unusable(said)
            return self.boxes[int(known["angle"])]
        if self.how == AROUND_FACES:
            uncertain = any(face.turn is None for face in facts.faces)
            face = clear_face(facts.faces)
            if face is None and facts.faces and self.unclear == LARGEST and not uncertain:
                face = facts.faces[0]
            if face is not None:
                return around_eyes(face, self.shows)
            if self.unclear != CENTRE:
                if uncertain:
                    raise Unusable("shows a face, but how it stands is uncertain; turn it upright")
                count = len(facts.faces)
                raise Unusable(f"shows {count or 'no'} face{'s' if count else ' that was found'}")
        return images.centred(facts.height, facts.width)


def cropping_of(plain: Mapping[str, Any]) -> Cropping:
    """Return the cropping that plain data stand for."""
    boxes = {int(angle): Crop(*box) for angle, box in plain.get("boxes", {}).items()}
    return Cropping(**{**plain, "boxes": boxes, "frame": tuple(plain.get("frame", (0, 0)))})


def with_bits(cropping: Cropping, seen: Sequence[Facts]) -> Cropping:
    """Return a cropping with the bits of the values of a set, and a sentence on them."""
    usable, why = [facts for facts in seen if not facts.fault], cropping.why
    deep = [facts.greatest for facts in usable if facts.bits > 8]
    bits = images.bits_of(max(deep)) if deep else 0
    if 0 < bits < 16:
        why += (
            f" (No value of the {len(deep)} files of 16 bits is above {max(deep)}: their values "
            f"are taken to have {bits} bits.)"
        )
    ranges = {8: 2**8, 16: 2**bits}
    dark = sum(facts.greatest < images.DARK * ranges[facts.bits] for facts in usable)
    if 2 * dark > len(usable):
        why += (
            f" (In {dark} of {len(usable)} images no value reaches a sixteenth of the range, as in "
            "masks; they are used as they are. Are these the right files?)"
        )
    return replace(cropping, bits=bits, why=why.strip())


def clear_face(faces: Sequence[Face]) -> Face | None:
    """Return the only face, or the one much larger than all others, if it is known how it stands.

    None where there is none.
    """
    if not faces or faces[0].turn is None:
        return None
    alone = len(faces) == 1 or faces[0].size[1] >= CLEARLY_LARGER * faces[1].size[1]
    return faces[0] if alone else None


def fitting(sample: Sequence[Facts], unclear: str, shows: str = FACE) -> Cropping:
    """Choose the cropping of a set by the faces in a sample of it."""
    usable = [facts for facts in sample if not facts.fault]
    clear = [(facts, clear_face(facts.faces)) for facts in usable]
    crops = [(seen, around_eyes(face, shows)) for seen, face in clear if face]
    filled = [crop.side / min(seen.height, seen.width) for seen, crop in crops]
    looked = f"of {len(usable)} images that were looked at"
    if len(filled) < PORTRAITS * max(1, len(usable)):
        return Cropping(CENTRE, why=f"(A clear face was found in {len(filled)} {looked}.)")
    share = float(np.median(filled))
    if share >= CROPPED_ALREADY:
        why = f"(They are cropped already: {looked}, faces fill {min(share, 1.0):.0%}.)"
        return Cropping(CENTRE, why=why)
    why = f"(They are not cropped yet: {looked}, faces fill {min(share, 1.0):.0%}.)"
    return Cropping(AROUND_FACES, unclear, shows, why=why)


def choose(source: Source, listing: Listing, looker: Looker) -> Cropping:
    """Choose the cropping of photographs, by the source's options and by their faces."""
    crop, unclear = source.option("crop"), source.option("unclear")
    shows = HEAD if crop == HEAD else FACE
    if crop == BY_CAMERA or (crop == HEAD and source.kind == RAFD):
        return _derive((*listing.photographs, *listing.beyond), looker, shows)
    if crop != AUTO:
        return Cropping(AROUND_FACES if crop == HEAD else crop, unclear, shows)
    sample = _spread(listing.photographs, AUTO_SAMPLE)
    return fitting(looker.look(sample, faces=True, title=_TITLE), unclear)


def _spread(photographs: Sequence[Photograph], most: int) -> list[str]:
    """Return some paths, evenly spread; all of them where they are few."""
    count = min(len(photographs), most)
    return [photographs[place * len(photographs) // count].path for place in range(count)]


def _derive(photographs: Sequence[Photograph], looker: Looker, shows: str) -> Cropping:
    """Work out the squares of all cameras, where possible from neutral faces that look ahead.

    A square's middle and side are medians of `around_eyes` over the people. A camera that sees too
    few faces, as one of full profiles may, gets the others' height and side, in the middle.
    """
    sample = {angle: _sample(photographs, angle) for angle in synthfaces.ANGLES}
    everything = [path for chosen in sample.values() for path in chosen]
    facts = dict(zip(everything, looker.look(everything, faces=True, title=_TITLE), strict=True))
    frame = _frame(facts.values())
    boxes, looked = {}, 0
    for angle, chosen in sample.items():
        whole = [facts[path] for path in chosen if _shape(facts[path]) == frame]
        crops = [around_eyes(face, shows) for seen in whole if (face := clear_face(seen.faces))]
        looked += len(crops)
        if len(crops) >= min(FEWEST, len(chosen) or FEWEST):
            middles = [(crop.x, crop.y, crop.side) for crop in crops]
            boxes[angle] = Crop(*np.median(middles, axis=0).tolist())
    if not boxes:
        raise UserError(
            "no camera of these photographs sees faces; take the middle of each: ::crop=centre"
        )
    y, side = np.median([(box.y, box.side) for box in boxes.values()], axis=0).tolist()
    usual = Crop(frame[1] / 2, y, side)
    why = f"(It was worked out from {looked} faces that were found in {len(everything)} images.)"
    boxes = {angle: boxes.get(angle, usual) for angle in synthfaces.ANGLES}
    return Cropping(BY_CAMERA, shows=shows, boxes=boxes, frame=frame, why=why)


def _sample(photographs: Sequence[Photograph], angle: int) -> list[str]:
    """Return some paths of a camera, spread over all: where possible neutral and looking ahead."""
    of_camera = [one for one in photographs if one.known["angle"] == angle]
    usual = {"emotion": "neutral", "gaze": "frontal"}
    plain = [one for one in of_camera if usual.items() <= one.known.items()]
    return _spread(plain if len(plain) >= FEWEST else of_camera, SAMPLE)


def _shape(facts: Facts) -> tuple[int, int]:
    return facts.height, facts.width


def _frame(seen: Iterable[Facts]) -> tuple[int, int]:
    """Return the most frequent height and width of photographs."""
    shapes = [_shape(facts) for facts in seen if not facts.fault]
    if not shapes:
        raise UserError("none of the photographs that were looked at can be decoded; repair them")
    return max(sorted(set(shapes)), key=shapes.count)


def read_face(path: Path, size: int, cropping: Mapping[str, Any]) -> Square:
    """Read a photograph as a network takes it, at a size in pixels.

    Args:
        path: path of the file.
        size: side of the result.
        cropping: the entry of a network's manifest, for `cropping_of`. With ``auto``, and where
            each camera has a square and the file's name gives no camera, an image that is not
            cropped yet is cropped around its face.

    Raises:
        UserError: it cannot be read or decoded, or has no face where one is looked for.
    """
    how, known = cropping_of(cropping), {}
    try:
        pixels = images.pixels_of(path, bits=how.bits)
        facts = Facts(height=pixels.shape[1], width=pixels.shape[2])
        if how.how == BY_CAMERA:
            try:
                known = synthfaces.read_rafd_name(path.name)
            except synthfaces.FaceError:
                how = replace(how, how=AROUND_FACES, unclear=LARGEST)
        if how.how in (AUTO, AROUND_FACES):
            facts = replace(facts, faces=images.find_faces(pixels))
        if how.how == AUTO:
            how = fitting([facts], LARGEST, how.shows)
        return images.cut(pixels, how.crop(known, facts), size)
    except Unusable as error:
        raise UserError(f"image {str(path)!r} {error}; give another") from None
