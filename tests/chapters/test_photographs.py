"""What chapter 21 shows: crops, detectors, files of no use; no photograph at its full size."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from synthfaces import design
from tests.helpers.made_up import made_up_faces
from tinyvgg.chapters import data, photographs
from tinyvgg.faces import index
from tinyvgg.faces.cropping import Cropping
from tinyvgg.faces.images import Crop
from tinyvgg.faces.index import LARGEST, load_faces
from tinyvgg.faces.sources import BY_CAMERA

HEIGHT, WIDTH = 1024, 681


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))


@pytest.fixture
def rafd(tmp_path, monkeypatch):
    """Two subjects before five cameras, with a white square where the faces are to be."""
    folder = tmp_path / "RaFD"
    folder.mkdir()
    table = design(2, angles=(0, 45, 90, 135, 180), emotions=("happy", "neutral"))
    for number, row in enumerate(table[table["gaze"] == "frontal"].itertuples()):
        pixels = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        pixels[300:700, 100:500] = 255
        pixels[0, 0] = number
        Image.fromarray(pixels).save(folder / row.path)
    boxes = dict.fromkeys((0, 45, 90, 135, 180), Crop(300, 500, 400))
    cropping = Cropping(BY_CAMERA, boxes=boxes, frame=(HEIGHT, WIDTH))
    monkeypatch.setattr(index, "choose", lambda *_: cropping)
    return f"rafd:{folder}"


def test_each_camera_shows_its_square_over_the_mean_and_the_mean_of_the_squares(rafd):
    folder = Path(rafd.partition(":")[2].partition("::")[0])
    useless = folder / "Rafd090_03_Moroccan_male_neutral_frontal.jpg"
    Image.new("RGB", (60, 90), "white").save(useless)
    faces = load_faces(rafd, 16, progress=False)
    axes = photographs.crops_figure(faces).axes
    above, below = axes[:5], axes[5:]
    titles = [axis.get_title() for axis in above]
    assert titles == [f"{angle}°, 2 people" for angle in (0, 45, 90, 135, 180)]
    for axis in above:
        (outline,) = axis.patches
        square = np.array([(100, 300), (500, 700)]) * photographs.PHOTOGRAPH / HEIGHT - 0.5
        assert outline.get_xy()[[0, 2]] == pytest.approx(square, abs=0.6)
    for axis in below:
        assert np.asarray(axis.images[0].get_array()).min() > 240  # JPEG's own ripples
    (path,) = folder.glob("Rafd090_01_*_neutral_frontal.jpg")
    black = Image.new("RGB", (WIDTH, HEIGHT), "black")
    black.putpixel((0, 0), (255, 255, 255))
    black.save(path)
    mean = photographs.crops_figure(faces).axes[7]
    middle = np.asarray(mean.images[0].get_array())
    assert abs(int(middle[112, 112, 0]) - 127) < 3  # of a white and a black one


def test_chapter_1_shows_what_is_there_and_nothing_at_its_full_size(rafd):
    faces = load_faces(rafd, 16, progress=False)
    angles, emotions = data.angles_figure(faces), data.emotions_figure(faces)
    titles = [axis.get_title() for axis in angles.axes[:5]]
    assert [title.split()[-1] for title in titles] == ["180°", "135°", "90°", "45°", "0°"]
    shown = [axis.get_title() for axis in emotions.axes if axis.images]
    assert shown == ["(e) happy", "(f) neutral"]
    counts = data.counts(data.whole_design(faces))
    assert (counts["angles"], counts["images"], counts["subjects"]) == (5, 20, 2)
    for figure in (photographs.crops_figure(faces), angles, emotions):
        for image in (image for axis in figure.axes for image in axis.images):
            assert max(image.get_array().shape[:2]) <= LARGEST < HEIGHT
    (seen,) = faces.originals.seen([faces.index.table["path"][0]], 5000, 16).values()
    assert seen.image.shape[0] == LARGEST
    assert "\n- emotion: 6 of 8 are missing (angry" in photographs.used_of(faces)


def test_other_photographs_show_some_of_them_with_their_squares(tmp_path, draw_photographs):
    folder = draw_photographs(tmp_path / "faces", height=40)
    (folder / "calm").rename(folder / "$x^{")
    faces = load_faces(f"folder:{folder}::crop=centre", 16, progress=False)
    figure = photographs.crops_figure(faces)
    figure.canvas.draw()  # a name is no formula
    titles = [axis.get_title() for axis in figure.axes[:6]]
    assert titles == [r"\$x^{"] * 3 + ["glad"] * 3
    assert all(len(axis.patches) == 1 for axis in figure.axes[:6])
    assert photographs.used_of(faces).endswith("All files are used.")
    rendered = made_up_faces(2)
    assert (photographs.crops_figure(rendered), photographs.used_of(rendered)) == (None, "")


@pytest.mark.parametrize("turn", [0.0, 90.0, -30.0])
def test_corners_go_around_the_middle_clockwise(turn):
    corners = photographs.corners(Crop(10.5, 20.5, 8, turn))
    assert corners.mean(axis=0) == pytest.approx((10, 20))
    (x, y), (across, down) = corners[1] - corners[0], corners[2] - corners[1]
    assert np.hypot(x, y) == pytest.approx(8)
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(turn, abs=1e-4)
    assert x * down - y * across > 0


def test_the_fastest_scale_that_misses_fewest_stands_beside_what_is_used():
    usual = {"group": "london", "shown": 10, "faces": 10, "found": 10, "elsewhere": 0}
    none = {"group": "none", "faces": 0, "found": 0}
    rows = [
        {"detector": "A", "long_side": "100", "ms": 20.0, "found": 9},
        {"detector": "A", "long_side": "200", "ms": 30.0},
        {"detector": "A", "long_side": "200", "ms": 50.0, **none, "elsewhere": 2},
        {"detector": "A", "long_side": "400", "ms": 90.0},
        {"detector": "A", "long_side": "400", "ms": 90.0, **none},
        {"detector": "B", "long_side": "100", "ms": 8.0},
        {"detector": "B", "long_side": "100", "ms": 4.0, **none},
    ]
    used = {"detector": "A", "long_side": "400", "threshold": 0.5}
    report = {"used": used, "measured": [usual | row for row in rows]}
    best = photographs.best_scales(report)
    names = list(zip(best["detector"], best["long_side"], best["missed"], best["ms"], strict=True))
    assert names == [("A", "200", 0, 40.0), ("A", "400", 0, 90.0), ("B", "100", 0, 6.0)]
    assert best["used"].tolist() == [False, True, False]


def test_files_that_are_left_out_are_counted_by_reason(monkeypatch) -> None:
    reasons = [*["is a video"] * 3, *["is empty"] * 2, "is odd", "is other", "is twice"]
    kinds = [""] * 7 + ["copy"]
    left_out = pd.DataFrame({"path": range(8), "reason": reasons, "kind": kinds})
    faces = made_up_faces()
    monkeypatch.setattr(index.Faces, "left_out", left_out)
    said = "Left out: 7 files. Each of 3 is a video. Each of 2 is empty."
    assert photographs.left_out_of(faces, 2) == f"{said} The reasons of 2 more are below."
    monkeypatch.setattr(index.Faces, "left_out", left_out[7:])
    assert photographs.left_out_of(faces) == ""
