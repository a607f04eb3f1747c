"""One photograph as pixels."""

import os
import struct
import sys
import tracemalloc
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import read_face
from tinyvgg.faces.images import Unusable, upright

SIDE = 12
COLOURS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
CLEAR = np.dstack([COLOURS, np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)])
read_image = partial(read_face, cropping={"how": "centre"})
FRACTIONS = Image.fromarray(COLOURS[..., 0].astype(np.float32) / 255)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def as_pillow(path: Path) -> np.ndarray:
    """As Pillow reads it, with white behind what is transparent."""
    with Image.open(path) as opened:
        clear = np.asarray(opened.convert("RGBA")).astype(float)
    shares = clear[..., 3:] / 255
    return (clear[..., :3] * shares + 255 * (1 - shares)).round().astype(np.uint8)


KINDS = {
    "L": ["gray.jpg", "gray.jpe", "gray.png", "gray.pgm", "gray.gif", "gray.jp2"],
    "CMYK": ["cmyk.jpg", "cmyk.tiff"],
    "RGB": [f"colours.{kind}" for kind in ("webp", "bmp", "ppm", "tif", "jfif", "avif", "j2k")],
    "RGBA": ["clear.png", "clear.webp"],
    "LA": ["gray-clear.png"],
    "P": ["palette.png", "palette-clear.png", "palette.gif"],
    "1": ["bits.png"],
}
OPTIONS = {"colours.webp": {"lossless": True}, "clear.webp": {"lossless": True}}
OPTIONS |= {"palette-clear.png": {"transparency": 3}}


@pytest.mark.parametrize(("mode", "name"), [(mode, name) for mode in KINDS for name in KINDS[mode]])
def test_every_kind_of_file_gives_the_rgb_that_pillow_gives(tmp_path: Path, mode: str, name: str):
    image = Image.fromarray(CLEAR if "clear" in name and mode != "P" else COLOURS).convert(mode)
    path = saved(tmp_path / name, image, **OPTIONS.get(name, {}))
    difference = read_image(path, SIDE).astype(int) - as_pillow(path)
    assert np.abs(difference).max() <= (1 if "clear" in name else 0)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_photographs_are_turned_upright(tmp_path: Path, name: str) -> None:
    corner = np.zeros((SIDE, SIDE, 3), np.uint8)
    corner[: SIDE // 2, : SIDE // 2] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees clockwise to view"
    turned = Image.fromarray(np.rot90(corner, 1).copy())
    image = read_image(saved(tmp_path / name, turned, exif=exif), SIDE)
    assert image[:5, :5].min() > 200
    assert max(image[7:].max(), image[:, 7:].max()) < 60


@pytest.mark.parametrize("name", ["gray.png", "gray.tif", "colours.png"])
def test_colours_of_16_bits_keep_their_brightness(tmp_path: Path, name: str) -> None:
    deep = COLOURS.astype(np.uint16) * 257
    pixels = deep if name.startswith("colours") else deep[..., 0]
    content = cv2.imencode(Path(name).suffix, pixels)[1].tobytes()
    (tmp_path / name).write_bytes(content)
    expected = COLOURS[..., ::-1] if pixels.ndim == 3 else COLOURS[..., :1].repeat(3, 2)
    np.testing.assert_array_equal(read_image(tmp_path / name, SIDE), expected)


@pytest.mark.parametrize(
    ("greatest", "bits", "shown"),
    [
        (200, 0, 200),
        (4095, 0, 255),
        (4095, 12, 255),
        (4095, 16, 15),
        (9000, 0, 35),
        (9000, 14, 140),
    ],
)
def test_values_of_fewer_bits_are_as_bright_as_they_are_meant(greatest, bits, shown, tmp_path):
    """Whether the set tells how many bits are used, or the image alone has to."""
    values = np.linspace(0, greatest, 64 * 64).astype(np.uint16).reshape(64, 64)
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(tmp_path / name), values)
        image = read_face(tmp_path / name, 64, {"how": "centre", "bits": bits})
        assert image.max() == shown


def make_heic(path: Path) -> Path:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif, which reads HEIC, is missing")
    return saved(path, heif.from_pillow(Image.fromarray(COLOURS).resize((64, 48))), quality=90)


def test_a_photograph_in_heic_is_read_where_the_package_for_it_is_installed(tmp_path) -> None:
    image = read_image(make_heic(tmp_path / "a.heic"), 48)
    expected = np.asarray(Image.fromarray(COLOURS).resize((64, 48)))[:, 8:56]
    assert np.abs(image.astype(int) - expected).mean() < 25


def test_without_that_package_heic_is_named_with_the_way_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    with pytest.raises(
        UserError, match=r"a.jpg' is a file of the format HEIC; pip install pillow-h"
    ):
        read_image(tmp_path / "a.jpg", SIDE)


def save_two(path: Path, kind: str | None = None) -> None:
    first, second = (Image.fromarray(COLOURS[::step].copy()) for step in (1, -1))
    first.save(path, kind, save_all=True, append_images=[second])


def test_a_photograph_with_a_preview_behind_it_is_no_animation(tmp_path: Path) -> None:
    path = tmp_path / "camera.jpg"
    save_two(path, "MPO")
    with Image.open(path) as opened:
        assert (opened.format, opened.n_frames) == ("MPO", 2)
    np.testing.assert_array_equal(read_image(path, SIDE), as_pillow(path))


def grow(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**30 + 1)


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("moving.webp", save_two, "has 2 pictures; save the one that is meant"),
        ("moving.png", save_two, "has 2 pictures; save the one that is meant"),
        ("moving.gif", save_two, "has 2 pictures; save the one that is meant"),
        ("pages.tif", save_two, "has 2 pictures; save the one that is meant"),
        ("fractions.tif", FRACTIONS.save, "has fractions as gray values; save it with 8 or"),
        ("icon.png", Image.new("L", (3, 2)).save, "has 3 x 2 pixels; it needs 8 on a side"),
        ("large.tif", grow, "cannot be read .it has more than 1024 MiB"),
        ("pipe.jpg", os.mkfifo, "is no file that could be read; give another"),
        ("endless.jpg", lambda path: path.symlink_to("/dev/zero"), "is no file that could be read"),
        # another program would run it
        ("drawing.jpg", lambda path: Image.new("L", (9, 9)).save(path, "EPS"), "of the format EPS"),
    ],
)
def test_what_is_no_photograph_is_refused_with_the_way_out(tmp_path: Path, name, make, said):
    make(tmp_path / name)
    with pytest.raises(UserError, match=rf"{name}' .*{said}"):
        read_image(tmp_path / name, SIDE)


def bomb(side: int) -> bytes:
    """A PNG file that says it has this many rows and columns, and holds nothing."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(b""), b"IEND")
    whole = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


@pytest.mark.parametrize("side", [40_000, 10_000])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(side))
    tracemalloc.start()
    with pytest.raises(UserError, match="bomb.png' cannot be read .it has more than 89 million"):
        read_image(tmp_path / "bomb.png", SIDE)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_fine_patterns_become_their_mean_and_plain_ones_stay(tmp_path: Path) -> None:
    fine = np.indices((96, 96)).sum(0) % 2 * 255
    path = saved(tmp_path / "a.png", Image.fromarray(fine.astype(np.uint8)))
    assert np.abs(read_image(path, 8).astype(int) - 127).max() <= 2
    plain = saved(tmp_path / "b.png", Image.new("RGB", (50, 70), (250, 10, 131)))
    for size in (8, 50, 64):
        assert (read_image(plain, size) == [250, 10, 131]).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.tif"])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, name: str) -> None:
    content = saved(tmp_path / name, Image.fromarray(COLOURS)).read_bytes()
    for length in (0, 7, len(content) - len(content) // 3):
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(UserError, match=rf"{name}' cannot be read .*; give another") as e:
            read_image(tmp_path / name, SIDE)
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "ppm"])
def test_damage_anywhere_is_one_line(tmp_path: Path, suffix: str) -> None:
    """Decoders raise whatever they like: a TIFF file without its width a TypeError."""
    draw = np.random.default_rng(0)
    whole = saved(tmp_path / f"a.{suffix}", Image.fromarray(COLOURS)).read_bytes()
    for _ in range(100):
        content, said = np.frombuffer(whole, np.uint8).copy(), ""
        for place in draw.integers(0, min(len(content), 400), draw.integers(1, 5)):
            content[place] = draw.integers(0, 256)
        try:
            upright(content)
        except Unusable as error:
            said = str(error)
        assert "\n" not in said
        assert len(said) < 160
