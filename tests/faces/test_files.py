"""Photographs that stay on disk, and where their pixels are kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvgg import memory
from tinyvgg.errors import UserError
from tinyvgg.faces import images as kept
from tinyvgg.faces.images import ImageFiles
from tinyvgg.faces.index import Faces, load_faces

SIZE = 8


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that are larger than their pixels at 8 x 8, but for the last two."""
    generator = np.random.default_rng(0)
    for name in ("calm", "glad"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (30, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{number}.png")
        plain = Image.new("RGB", (9, 9), (200, 10, len(name)))
        plain.putpixel((0, 0), (9, 9, ord(name[0])))
        plain.save(tmp_path / "faces" / name / "plain.png")
    return tmp_path / "faces"


def load(folder: Path, stream: bool | None) -> Faces:
    return load_faces(f"folder:{folder}", SIZE, progress=False, stream=stream)


def on_disk(folder: Path) -> ImageFiles:
    images = load(folder, True).images
    assert isinstance(images, ImageFiles)
    return images


def test_files_are_indexed_like_the_array_of_their_pixels(folder: Path) -> None:
    array, files = load(folder, False).images, on_disk(folder)
    assert isinstance(array, np.ndarray)
    assert (len(files), files.shape, files.dtype) == (len(array), array.shape, array.dtype)
    mask = np.arange(8) % 3 == 0
    for key in (0, -1, np.int64(5), slice(None, None, -2), [3, 1, 1], np.array([7, 0]), mask):
        np.testing.assert_array_equal(files[key], array[key])
        assert files[key].dtype == np.uint8
    assert files[[]].shape == array[np.array([], int)].shape
    np.testing.assert_array_equal(np.asarray(files), array)
    np.testing.assert_array_equal(np.stack(list(files)), array)
    with pytest.raises(IndexError):
        files[8]


def test_tensors_of_faces_are_the_same_from_disk(folder: Path) -> None:
    held, streamed = load(folder, False), load(folder, True)
    for rows in (None, [4, 2]):
        assert (held.tensor(rows) == streamed.tensor(rows)).all()


def test_the_fingerprint_is_that_of_the_files_streamed_or_not(folder: Path) -> None:
    first = load(folder, True).fingerprint
    assert load(folder, False).fingerprint == first
    content = (folder / "calm" / "0.png").read_bytes()
    (folder / "calm" / "0.png").write_bytes(content + b" ")
    changed = load(folder, True).fingerprint
    assert changed == load(folder, False).fingerprint != first
    (folder / "calm" / "0.png").rename(folder / "calm" / "other.png")
    assert load(folder, True).fingerprint not in (first, changed)


@pytest.mark.parametrize(("available", "kind"), [(3071.0, ImageFiles), (3072.0, np.ndarray)])
def test_a_set_that_takes_more_than_half_of_the_memory_stays_on_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch, available: float, kind: type
) -> None:
    monkeypatch.setattr(memory, "available", lambda: available)  # 8 images of 192 bytes
    assert isinstance(load(folder, None).images, kind)
    assert isinstance(load(folder, stream=True).images, ImageFiles)
    assert isinstance(load(folder, stream=False).images, np.ndarray)


def test_an_image_that_is_gone_since_is_named_when_it_is_asked_for(folder: Path) -> None:
    files = on_disk(folder)
    for file in files.files:
        file.path.unlink()
    assert files[0].shape == (SIZE, SIZE, 3)  # its pixels were kept
    with pytest.raises(UserError, match=r"plain.png' cannot be read .* repair or remove it"):
        files[3]


def test_an_image_that_changed_since_is_refused(folder: Path) -> None:
    files = on_disk(folder)
    Image.new("RGB", (9, 9), (0, 0, 0)).save(folder / "calm" / "plain.png")
    with pytest.raises(UserError, match=r"plain.png' has changed since .* start again"):
        files[3]


def test_pixels_smaller_than_their_file_are_decoded_once(folder: Path, home: Path) -> None:
    files = on_disk(folder)
    assert files.kept is not None
    array = np.asarray(files)
    large = [not file.path.name.startswith("plain") for file in files.files]
    assert [files.kept.get(file.place) is not None for file in files.files] == large
    assert files.kept.path.is_relative_to(home / "build" / "faces")
    for file in files.files:
        file.path.unlink()
    np.testing.assert_array_equal(files[large], array[large])


def test_other_files_do_not_get_the_pixels_that_were_kept(folder: Path) -> None:
    before = np.asarray(on_disk(folder))
    first, second = folder / "calm" / "0.png", folder / "calm" / "1.png"
    first.rename(folder / "calm" / "x.png")
    second.rename(first)
    (folder / "calm" / "x.png").rename(second)
    np.testing.assert_array_equal(on_disk(folder)[:2], before[:2][::-1])


@pytest.mark.parametrize("damage", ["cut", "altered"])
def test_what_is_damaged_is_decoded_again(folder: Path, damage: str) -> None:
    files = on_disk(folder)
    expected = np.asarray(files)
    assert files.kept is not None
    content = bytearray(files.kept.path.read_bytes())
    content[files.kept.record + 50] ^= 1
    files.kept.path.write_bytes(content[:300] if damage == "cut" else content)
    assert files.kept.get(files.files[1].place) is None
    np.testing.assert_array_equal(np.asarray(files), expected)
    assert files.kept.get(files.files[1].place) is not None


def test_a_disk_that_refuses_costs_nothing_but_time(folder: Path, tmp_path: Path) -> None:
    files = on_disk(folder)
    expected = np.asarray(files)
    (tmp_path / "file").write_text("")
    assert files.kept is not None
    nowhere = replace(files.kept, path=tmp_path / "file" / "x.pixels")
    np.testing.assert_array_equal(np.asarray(replace(files, kept=nowhere)), expected)


def test_nothing_is_kept_where_it_would_take_half_of_the_disk(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 2 * 8 * (SIZE * SIZE * 3 + 4) - 1

    monkeypatch.setattr(kept.shutil, "disk_usage", lambda _: Usage)
    files = on_disk(folder)
    assert files.kept is None
    np.asarray(files)
    assert not list(home.rglob("*.pixels"))
