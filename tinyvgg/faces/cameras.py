"""The square that each camera of a set is cropped to: worked out from landmarks, or given."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyvgg.errors import UserError
from tinyvgg.face_parameters import ANGLES, check_one_of
from tinyvgg.faces.alignment import around_eyes
from tinyvgg.faces.cropping import ByCamera, clear_face
from tinyvgg.faces.crops import Crop
from tinyvgg.faces.known import Facts
from tinyvgg.faces.looking import Looker
from tinyvgg.photographs import Photograph

SAMPLE = 40
"""Photographs of each camera that are looked at."""
FEWEST = 3
"""Of each camera, faces that have to be found for a square of its own."""
_COLUMNS = ("angle", "left", "top", "side")

Found = Mapping[int, Sequence[Facts]]


def derive(photographs: Sequence[Photograph], looker: Looker) -> ByCamera:
    """The squares of all cameras, from faces with a neutral expression where there are such.

    A square is around the eyes, by `tinyvgg.faces.alignment.around_eyes`, and level; its middle
    and its side are medians over the people. A camera that sees too few faces, as one of full
    profiles may, gets the height and the side that the others have, in the middle.

    Args:
        photographs: of all cameras.
        looker: looks at a sample of them.

    Raises:
        UserError: no camera sees faces.
    """
    sample = {angle: _sample(photographs, angle) for angle in ANGLES}
    everything = [photograph for chosen in sample.values() for photograph in chosen]
    facts = iter(looker.look(everything, faces=True, title="looking for faces"))
    found = {
        angle: [facts_of for facts_of in (next(facts) for _ in chosen) if not facts_of.fault]
        for angle, chosen in sample.items()
    }
    frame = _frame(found)
    crops = {angle: _crops(seen, frame) for angle, seen in found.items()}
    boxes = {
        angle: _median(seen)
        for angle, seen in crops.items()
        if len(seen) >= min(FEWEST, len(sample[angle]) or FEWEST)
    }
    if not boxes:
        raise UserError(
            "no camera of these photographs sees faces; give the squares: ::boxes=FILE.csv with "
            f"the columns {', '.join(_COLUMNS)}; or go without: ::crop=centre"
        )
    height, side = (
        float(np.median([getattr(box, of) for box in boxes.values()])) for of in ("y", "side")
    )
    usual = Crop(frame[1] / 2, height, side)
    looked = sum(map(len, crops.values()))
    why = f"(It was worked out from {looked} faces that were found in {len(everything)} images.)"
    return ByCamera({angle: boxes.get(angle, usual) for angle in ANGLES}, frame, why)


def read_boxes(file: Path, photographs: Sequence[Photograph], looker: Looker) -> ByCamera:
    """The squares that a table gives: a row a camera, in pixels of the photographs.

    Raises:
        UserError: a table that cannot be read, has other columns than angle, left, top and side,
            lacks an angle of the photographs, or has what is no number.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"boxes {str(file)!r} cannot be read ({error}); give a CSV file") from None
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise UserError(
            f"boxes {str(file)!r} has the columns {', '.join(reader.fieldnames or ['none'])}; "
            f"it needs {', '.join(_COLUMNS)}"
        )
    boxes: dict[int, Crop] = {}
    for angle, box in (_box(row, file) for row in rows):
        if angle in boxes:
            raise UserError(f"boxes {str(file)!r} has two for angle {angle}; remove one")
        boxes[angle] = box
    for angle in sorted({int(one.known["angle"]) for one in photographs}):
        if angle not in boxes:
            raise UserError(f"boxes {str(file)!r} has none for angle {angle}; add a row")
    shapes = [facts for facts in looker.look(list(photographs[:SAMPLE])) if not facts.fault]
    frame = _frame({0: shapes})
    for angle, box in boxes.items():
        _check_inside(angle, box, frame, file)
    return ByCamera(boxes, frame, "(It was given.)")


def _check_inside(angle: int, box: Crop, frame: tuple[int, int], file: Path) -> None:
    height, width = frame
    if not (0 <= box.x <= width and 0 <= box.y <= height and box.side <= 2 * max(frame)):
        raise UserError(
            f"the box of angle {angle} in {str(file)!r} leaves the photographs of {width} x "
            f"{height} pixels; its middle has to lie in them, and its side be at most twice theirs"
        )


def _box(row: Mapping[str, str], file: Path) -> tuple[int, Crop]:
    try:
        angle, left, top, side = (float(row[name]) for name in _COLUMNS)
    except (TypeError, ValueError):
        raise UserError(f"boxes {str(file)!r} has {dict(row)}, not four numbers") from None
    check_one_of("angle of boxes", int(angle) if angle.is_integer() else angle, ANGLES)
    if not (side >= 1 and np.isfinite([left, top, side]).all()):
        raise UserError(f"boxes {str(file)!r} has a side of {side:g}; give 1 or more pixels")
    return int(angle), Crop(left + side / 2, top + side / 2, side)


def _sample(photographs: Sequence[Photograph], angle: int) -> list[Photograph]:
    """Of a camera: neutral and looking ahead where possible, spread over all."""
    of_camera = [one for one in photographs if one.known["angle"] == angle]
    plain = [
        one
        for one in of_camera
        if (one.known.get("emotion"), one.known.get("gaze")) == ("neutral", "frontal")
    ]
    chosen = plain if len(plain) >= FEWEST else of_camera
    return [chosen[place] for place in spread(len(chosen), SAMPLE)]


def spread(count: int, most: int) -> list[int]:
    """Places in a list, evenly spread, all of them where they are few."""
    if count <= most:
        return list(range(count))
    return [place * count // most for place in range(most)]


def _frame(found: Found) -> tuple[int, int]:
    """Height and width of most photographs."""
    shapes = [(facts.height, facts.width) for seen in found.values() for facts in seen]
    if not shapes:
        raise UserError(
            "none of the photographs that were looked at can be decoded; are they whole?"
        )
    return max(sorted(set(shapes)), key=shapes.count)


def _crops(seen: Sequence[Facts], frame: tuple[int, int]) -> list[Crop]:
    faces = [clear_face(facts.faces) for facts in seen if (facts.height, facts.width) == frame]
    return [around_eyes(face) for face in faces if face is not None]


def _median(crops: Sequence[Crop]) -> Crop:
    x, y, side = np.median([(crop.x, crop.y, crop.side) for crop in crops], axis=0)
    return Crop(float(x), float(y), float(side))
