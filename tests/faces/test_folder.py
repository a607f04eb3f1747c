"""Folders of photographs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvgg.errors import UserError
from tinyvgg.faces.index import load_faces


def write(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (20, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("calm", (250, 10, 10)), ("glad", (10, 10, 250))):
        for number in range(3):
            write(tmp_path / name / f"{number}.png", colour, (20 + number, 10))
    return tmp_path


def load(folder: Path) -> object:
    return load_faces(f"folder:{folder}", size=8, progress=False)


def test_sub_folders_are_classes_and_images_keep_their_colours(folder: Path) -> None:
    faces = load_faces(f"folder:{folder}", size=8, progress=False)
    assert faces.index.tasks == ("class",)
    assert faces.index.classes("class") == ("calm", "glad")
    assert faces.images.shape == (6, 8, 8, 3)
    assert (faces.images[faces.index.labels("class") == 0] == [250, 10, 10]).all()
    assert (faces.images[faces.index.labels("class") == 1] == [10, 10, 250]).all()


def test_photographs_are_turned_upright_and_cropped_to_the_centre(folder: Path) -> None:
    stripes = np.zeros((40, 20, 3), dtype=np.uint8)
    stripes[10:30] = 255  # the centred square of a tall image
    stripes[10:20] = [255, 0, 0]
    turned = Image.fromarray(np.rot90(stripes, 1).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees clockwise to view"
    turned.save(folder / "calm" / "turned.png", exif=exif)
    faces = load_faces(f"folder:{folder}", size=20, progress=False)
    image = faces.images[list(faces.index.table["path"]).index("calm/turned.png")]
    assert (image[2:8] == [255, 0, 0]).all()
    assert (image[12:18] == [255, 255, 255]).all()


def test_gray_transparent_and_palette_images_become_rgb(folder: Path) -> None:
    for mode in ("L", "RGBA", "P", "1"):
        Image.new(mode, (9, 9), 1).save(folder / "glad" / f"mode-{mode}.png")
    assert load_faces(f"folder:{folder}", size=8, progress=False).images.shape == (10, 8, 8, 3)


def test_fingerprint_changes_with_a_pixel_and_not_with_the_place(
    folder: Path, tmp_path_factory
) -> None:
    first = load_faces(f"folder:{folder}", size=8, progress=False).fingerprint
    moved = tmp_path_factory.mktemp("moved") / "faces"
    folder.rename(moved)
    assert load_faces(f"folder:{moved}", size=8, progress=False).fingerprint == first
    write(moved / "calm" / "0.png", (250, 10, 11))
    assert load_faces(f"folder:{moved}", size=8, progress=False).fingerprint != first


def test_files_that_are_no_images_are_left_alone(folder: Path) -> None:
    (folder / "calm" / "notes.txt").write_text("x")
    (folder / ".cache").mkdir()
    write(folder / ".cache" / "0.png", (0, 0, 0))
    assert len(load_faces(f"folder:{folder}", size=8, progress=False)) == 6


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere' does not exist"):
        load(tmp_path / "nowhere")


def test_empty_folder_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="images of 0 classes; it needs two sub-folders"):
        load(tmp_path)


def test_class_with_a_single_image_is_named(folder: Path) -> None:
    write(folder / "lonely" / "0.png", (0, 0, 0))
    with pytest.raises(UserError, match=r"class 'lonely' .* single image"):
        load(folder)


def test_a_file_that_cannot_be_used_is_left_out_and_listed(folder: Path) -> None:
    whole = (folder / "calm" / "0.png").read_bytes()
    (folder / "calm" / "broken.png").write_bytes(whole[: len(whole) // 2])
    faces = load_faces(f"folder:{folder}", size=8, progress=False)
    assert len(faces) == 6
    assert faces.left_out["path"].tolist() == ["calm/broken.png"]
    assert faces.left_out["reason"][0].startswith("cannot be read (")
