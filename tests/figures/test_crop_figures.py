"""How crops are shown: where the square is, and never a photograph at its full size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthfaces import design
from tests.helpers.made_up import made_up_faces
from tinyvgg.chapters import data, style
from tinyvgg.chapters import data as crops
from tinyvgg.chapters import data as found
from tinyvgg.faces.images import Crop
from tinyvgg.faces.index import LARGEST, load_faces

HEIGHT, WIDTH = 1024, 681


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))


@pytest.fixture
def rafd(tmp_path: Path) -> str:
    """Two subjects before five cameras, with a white square where the faces are to be."""
    folder = tmp_path / "RaFD"
    folder.mkdir()
    table = design(2, angles=(0, 45, 90, 135, 180), emotions=("happy", "neutral"))
    for number, row in enumerate(table[table["gaze"] == "frontal"].itertuples()):
        pixels = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        pixels[300:700, 100:500] = 255
        pixels[0, 0] = number
        Image.fromarray(pixels).save(folder / row.path)
    boxes = tmp_path / "boxes.csv"
    rows = [f"{angle},100,300,400" for angle in (0, 45, 90, 135, 180)]
    boxes.write_text("\n".join(("angle,left,top,side", *rows)))
    return f"rafd:{folder}::boxes={boxes}"


def images_of(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axis in figure.axes for image in axis.images]


def test_each_camera_shows_its_square_over_the_mean_and_the_mean_of_the_squares(rafd: str) -> None:
    figure = crops.crops_figure(load_faces(rafd, 16, progress=False))
    above, below = figure.axes[:5], figure.axes[5:]
    assert [axis.get_title() for axis in above] == [
        f"{angle}°, 2 people" for angle in (0, 45, 90, 135, 180)
    ]
    for axis in above:
        (outline,) = axis.patches
        zoom = crops.HEIGHT / HEIGHT
        corners = outline.get_xy()[:4]
        assert corners[0] == pytest.approx((100 * zoom - 0.5, 300 * zoom - 0.5), abs=0.6)
        assert corners[2] == pytest.approx((500 * zoom - 0.5, 700 * zoom - 0.5), abs=0.6)
    for axis in below:
        assert np.asarray(axis.images[0].get_array()).min() > 240  # JPEG's own ripples


def test_no_photograph_is_shown_at_its_full_size(rafd: str) -> None:
    faces = load_faces(rafd, 16, progress=False)
    figures = [crops.crops_figure(faces), data.angles_figure(faces), data.emotions_figure(faces)]
    for figure in figures:
        assert all(max(image.shape[:2]) <= LARGEST < HEIGHT for image in images_of(figure))
    assert faces.originals is not None
    (seen,) = faces.originals.seen([faces.index.table["path"][0]], 5000)
    assert seen.image.shape[0] == LARGEST


def test_chapter_1_shows_what_is_there_of_the_data_base(rafd: str) -> None:
    faces = load_faces(rafd, 16, progress=False)
    titles = [axis.get_title() for axis in data.angles_figure(faces).axes[:5]]
    assert [title.split()[-1] for title in titles] == ["180°", "135°", "90°", "45°", "0°"]
    emotions = data.emotions_figure(faces)
    shown = [axis.get_title() for axis in emotions.axes if axis.images]
    assert shown == ["(e) happy", "(f) neutral"]
    counts = found.counts(found.whole_design(faces))
    assert (counts["angles"], counts["images"], counts["subjects"]) == (5, 20, 2)


def test_other_photographs_show_some_of_them_with_their_squares(
    tmp_path: Path, draw_photographs: Callable[..., Path]
) -> None:
    folder = draw_photographs(tmp_path / "faces", height=40)
    figure = crops.crops_figure(load_faces(f"folder:{folder}::crop=centre", 16, progress=False))
    assert [axis.get_title() for axis in figure.axes[:6]] == ["calm"] * 3 + ["glad"] * 3
    assert all(len(axis.patches) == 1 for axis in figure.axes[:6])


def test_a_photograph_that_is_of_no_use_leaves_the_mean_as_it_is(rafd: str) -> None:
    folder = Path(rafd.partition(":")[2].partition("::")[0])
    Image.new("RGB", (60, 90), "white").save(
        folder / "Rafd090_03_Moroccan_male_neutral_frontal.jpg"
    )
    figure = crops.crops_figure(load_faces(rafd, 16, progress=False))
    assert [axis.get_title() for axis in figure.axes[:5]][2] == "90°, 2 people"
    black = load_faces(rafd, 16, progress=False)
    (path,) = folder.glob("Rafd090_01_*_neutral_frontal.jpg")
    Image.new("RGB", (WIDTH, HEIGHT), "black").save(path)
    middle = np.asarray(crops.crops_figure(black).axes[7].images[0].get_array())
    assert abs(int(middle[112, 112, 0]) - 127) < 3  # of a white and a black one


def test_names_of_classes_are_no_formulas(tmp_path: Path, draw_photographs: Callable[..., Path]):
    folder = draw_photographs(tmp_path / "faces")
    (folder / "calm").rename(folder / "$x^{")
    figure = crops.crops_figure(load_faces(f"folder:{folder}::crop=centre", 16, progress=False))
    figure.canvas.draw()
    assert figure.axes[0].get_title() == r"\$x^{"


def test_rendered_faces_are_not_cropped() -> None:
    drawn = crops.crops_figure(made_up_faces(2))
    assert isinstance(drawn, style.Missing)
    assert "nothing is cropped" in drawn._repr_markdown_()


@pytest.mark.parametrize("turn", [0.0, 90.0, -30.0])
def test_corners_go_around_the_middle_clockwise(turn: float) -> None:
    corners = crops.corners(Crop(10.5, 20.5, 8, turn))
    assert corners.mean(axis=0) == pytest.approx((10, 20))
    edge = corners[1] - corners[0]
    assert np.hypot(*edge) == pytest.approx(8)
    assert np.degrees(np.arctan2(edge[1], edge[0])) == pytest.approx(turn)
    assert np.cross(edge, corners[2] - corners[1]) > 0
