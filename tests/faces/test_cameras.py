"""Squares of cameras: from landmarks, or given. A made-up detector finds marks in the images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthfaces import design
from tinyvgg.errors import UserError
from tinyvgg.faces import images
from tinyvgg.faces.cropping import around_eyes
from tinyvgg.faces.detection import Face
from tinyvgg.faces.index import Faces, load_faces

FRAME = (120, 80)
PLACES = {45: (40, 50), 90: (45, 55), 135: (50, 60)}
"""Where the marks lie in most images: column and row of their middle."""
MARK = 20
EVERY = "angle,left,top,side\n" + "".join(f"{angle},{{0}}\n" for angle in (0, 45, 90, 135, 180))


def mark(left: float, top: float) -> Face:
    """The face that a mark stands for, with eyes in its upper half."""
    box = np.array([left, top, left + MARK, top + MARK], float)
    return Face(box, np.array([[left + 5, top + 8], [left + 15, top + 8]], float), 1.0)


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    def detect(image: np.ndarray) -> list[Face]:
        rows, columns = np.nonzero((image[..., 0] > 200) & (image[..., 1] < 100))
        return [mark(columns.min(), rows.min())] if len(rows) else []

    monkeypatch.setattr(images, "new_detector", lambda: detect)
    monkeypatch.setattr(images, "fingerprint", lambda: "marks")


def draw(path: Path, middle: tuple[int, int] | None, number: int, frame=FRAME) -> None:
    pixels = np.full((*frame, 3), 120, np.uint8)
    pixels[0, :8, 2] = [255 * (number >> bit & 1) for bit in range(8)]  # no two are the same
    if middle:
        left, top = middle[0] - MARK // 2, middle[1] - MARK // 2
        pixels[top : top + MARK, left : left + MARK] = (250, 20, 20)
    Image.fromarray(pixels).save(path, quality=100, subsampling="4:4:4")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Draws six subjects with two emotions before five cameras."""

    def make(profiles: tuple[int, int] | None = None) -> Path:
        table = design(6, (0, 45, 90, 135, 180), ["happy", "neutral"], ["frontal"])
        (tmp_path / "RaFD").mkdir()
        for number, row in enumerate(table.itertuples()):
            place = PLACES.get(row.angle, profiles)
            if place and row.emotion == "happy":
                place = (place[0] + 9, place[1])  # these must not count
            draw(tmp_path / "RaFD" / row.path, place, number)
        return tmp_path / "RaFD"

    return make


def load(folder: Path, options: str = "", size: int = 16) -> Faces:
    return load_faces(f"rafd:{folder}{options}", size, progress=False)


@pytest.mark.parametrize(("options", "shows"), [("", "face"), ("::crop=head", "head")])
def test_each_camera_has_the_median_square_of_neutral_faces(folder, options, shows) -> None:
    place = folder()
    boxes = load(place, options).originals.cropping.boxes
    for angle, (x, y) in PLACES.items():
        wanted = around_eyes(mark(x - MARK / 2, y - MARK / 2), shows)
        assert (boxes[angle].x, boxes[angle].y) == pytest.approx((wanted.x, wanted.y), abs=0.6)
        assert boxes[angle].side == pytest.approx(wanted.side, rel=0.05)
        assert boxes[angle].turn == 0
    for angle in (0, 180):  # they see no faces, and get what the others have in the middle
        assert boxes[angle].x == FRAME[1] / 2
        assert boxes[angle].y == pytest.approx(boxes[90].y, abs=0.6)
        assert boxes[angle].side == pytest.approx(boxes[90].side, rel=0.05)
    draw(place / "Rafd090_01_Caucasian_female_neutral_frontal.jpg", (20, 20), 200)
    assert load(place, options).originals.cropping.boxes[90] == boxes[90], (
        "one face elsewhere does not move it"
    )


def test_no_face_at_all_is_said_with_the_way_out(folder) -> None:
    place = folder()
    for number, path in enumerate(sorted(place.iterdir())):
        draw(path, None, number)
    with pytest.raises(UserError, match="no camera .* sees faces; take the middle"):
        load(place)


def test_views_beyond_those_that_train_are_cropped_like_them(folder) -> None:
    faces = load(folder(profiles=(30, 40)))
    shots = faces.originals.shots()
    assert set(faces.index.table["angle"]) == {45, 90, 135}
    profiles = shots[(shots["angle"] == 0) & (shots["emotion"] == "neutral")]["path"]
    portraits = faces.originals.portraits(list(profiles), 32)
    assert portraits.shape == (6, 32, 32, 3)
    assert (portraits[:, 16, 16] == portraits[0, 16, 16]).all()
    assert portraits[0, 18, 16, 0] > 200


def test_few_cameras_are_enough_and_an_image_of_another_size_is_left_out(folder) -> None:
    place, name = folder(), "Rafd045_03_Moroccan_male_happy_frontal.jpg"
    for path in place.iterdir():
        if int(path.name[4:7]) not in (45, 90):
            path.unlink()
    draw(place / name, None, 201, frame=(60, 40))
    faces = load(place)
    assert set(faces.index.table["angle"]) == {45, 90}
    assert any("angle: " in line for line in faces.originals.listing.missing)
    reasons = faces.left_out.set_index("path")["reason"].to_dict()
    assert reasons[name] == "has 40 x 60 pixels, and not 80 x 120"
