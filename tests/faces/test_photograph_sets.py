"""Sets of photographs, loaded: bad files, restarts, crops, manifests."""

import os
import sqlite3
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvgg.errors import UserError
from tinyvgg.faces import images as decoding
from tinyvgg.faces import images as known
from tinyvgg.faces import loading as photographs
from tinyvgg.faces import looking
from tinyvgg.faces import looking as originals
from tinyvgg.faces.images import Facts, ImageFiles, Known
from tinyvgg.faces.index import Faces, load_faces

SIZE = 16


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path, draw_photographs: Callable[..., Path]) -> Path:
    """Two classes of ten noisy images, 32 x 40."""
    return draw_photographs(tmp_path / "faces", height=40)


def load(folder: Path, options: str = "crop=centre", stream: bool | None = False) -> Faces:
    return load_faces(f"folder:{folder}::{options}", SIZE, progress=False, stream=stream)


def count(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[object]:
    """What a function is called with from now on."""
    calls: list[object] = []
    original = getattr(module, name)

    def counted(*given: object) -> object:
        calls.append(given[0])
        return original(*given)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_bad_files_are_left_out_counted_and_listed(folder: Path) -> None:
    whole = (folder / "calm" / "0.png").read_bytes()
    bad = {
        "cut.png": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "letter.jpg": b"To whom it may concern",
        "same.png": whole,
    }
    for name, content in bad.items():
        (folder / "calm" / name).write_bytes(content)
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "calm" / "moving.webp", save_all=True, append_images=frames[1:])
    (folder / "calm" / "loop.jpg").symlink_to("loop.jpg")
    (folder / "calm" / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "top.jpg").write_bytes(whole)
    for stream in (False, True):
        faces = load(folder, stream=stream)
        assert len(faces) == 20
        reasons = dict(faces.left_out.to_numpy().tolist())
        assert reasons.pop("calm/cut.png").startswith("cannot be read (")
        assert reasons.pop("calm/loop.jpg").startswith("cannot be read (Too many levels of symb")
        assert reasons == {
            "calm/empty.jpg": "cannot be read (the file is empty)",
            "calm/gone.jpg": "cannot be read (No such file or directory)",
            "calm/letter.jpg": "cannot be read (it is no image)",
            "calm/moving.webp": "has 2 pictures; save the one that is meant by itself",
            "calm/same.png": "is the same file as calm/0.png",
            "top.jpg": "lies in no sub-folder",
        }
        assert faces.index.table["path"].tolist() == [
            f"{name}/{number}.png" for name in ("calm", "glad") for number in range(10)
        ]


def test_the_last_usable_image_of_a_class_is_left_out_with_it(folder: Path) -> None:
    (folder / "rare").mkdir()
    Image.new("RGB", (20, 20), (1, 2, 3)).save(folder / "rare" / "0.png")
    (folder / "rare" / "1.png").write_bytes(b"")
    faces = load(folder)
    assert faces.index.classes("class") == ("calm", "glad")
    assert faces.left_out.to_numpy().tolist() == [
        ["rare/0.png", "is the only usable one of its class, at its angle"],
        ["rare/1.png", "cannot be read (the file is empty)"],
    ]


def test_a_set_of_which_nothing_can_be_used_says_why(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"x")
    with pytest.raises(UserError, match=r"none of the 20 images .*it is no image.*::crop=centre"):
        load(folder)


def test_an_image_is_decoded_once_and_then_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = count(monkeypatch, looking, "upright")
    first = load(folder)
    assert len(decoded) == 20
    read = count(monkeypatch, looking, "content_of")
    again = load(folder)
    assert (len(decoded), len(read)) == (20, 0)
    np.testing.assert_array_equal(first.images, again.images)
    assert again.fingerprint == first.fingerprint


def test_only_what_changed_is_looked_at_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(folder)
    Image.new("RGB", (40, 40), (9, 9, 200)).save(folder / "calm" / "3.png")
    os.utime(folder / "calm" / "4.png")
    read, decoded = (count(monkeypatch, looking, name) for name in ("content_of", "upright"))
    after = load(folder)
    assert (len(read), len(decoded)) == (2, 1), "a file that was touched alone is not decoded"
    assert (after.images[3] == [9, 9, 200]).all()
    np.testing.assert_array_equal(np.delete(after.images, 3, 0), np.delete(before.images, 3, 0))
    assert after.fingerprint != before.fingerprint


def test_an_interrupted_call_goes_on_where_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(looking, "cores", lambda: 1)
    write, upright, written = Known.write, decoding.upright, 0

    def interrupted(base: Known, found: dict[str, Facts]) -> None:
        nonlocal written
        write(base, found)
        written += len(found)
        if written >= 5:
            raise KeyboardInterrupt

    def slow(content: np.ndarray) -> object:
        time.sleep(0.2)
        return upright(content)

    monkeypatch.setattr(Known, "write", interrupted)
    monkeypatch.setattr(looking, "upright", slow)
    begun = count(monkeypatch, looking, "upright")
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    assert len(begun) < 15, "nothing is begun after the interruption"
    monkeypatch.setattr(Known, "write", write)
    monkeypatch.setattr(looking, "upright", upright)
    again = count(monkeypatch, looking, "upright")
    assert len(load(folder)) == 20
    assert len(again) == 20 - written


def test_a_file_that_may_be_read_again_is_used_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> np.ndarray:
        if path.name == "5.png":
            raise decoding.Unusable("cannot be read (Permission denied)")
        return decoding.content_of(path)

    monkeypatch.setattr(looking, "content_of", refused)
    assert load(folder).left_out["reason"].unique() == ["cannot be read (Permission denied)"]
    monkeypatch.setattr(looking, "content_of", decoding.content_of)
    assert len(load(folder)) == 20


def test_a_file_that_vanishes_while_the_folder_is_read_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(source: object) -> object:
        found = original(source)
        (folder / "glad" / "9.png").unlink()
        return found

    original = photographs.list_photographs
    monkeypatch.setattr(photographs, "list_photographs", listed)
    faces = load(folder)
    assert faces.left_out.to_numpy().tolist() == [
        ["glad/9.png", "cannot be read (No such file or directory)"]
    ]


def test_what_is_known_may_be_damaged_and_is_found_out_again(folder: Path, home: Path) -> None:
    first = load(folder)
    (base,) = home.rglob("known.sqlite")
    base.write_bytes(b"no data base" * 100)
    assert load(folder).fingerprint == first.fingerprint
    with sqlite3.connect(base) as opened:
        assert opened.execute("SELECT count(*) FROM files").fetchone() == (20,)


def test_files_that_exchange_their_names_are_told_apart(folder: Path) -> None:
    one, other = folder / "calm" / "0.bmp", folder / "calm" / "1.bmp"
    for path, colour in ((one, (200, 0, 0)), (other, (0, 0, 200))):
        Image.new("RGB", (40, 40), colour).save(path)
        os.utime(path, ns=(10**18, 10**18))
    before = load(folder)
    one.rename(folder / "calm" / "x")
    other.rename(one)
    (folder / "calm" / "x").rename(other)
    after = load(folder)
    rows = [after.index.table["path"].tolist().index(f"calm/{n}.bmp") for n in range(2)]
    np.testing.assert_array_equal(after.images[rows], before.images[rows][::-1])
    assert after.fingerprint != before.fingerprint


def test_a_file_that_changes_between_two_looks_does_not_lend_its_pixels(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(folder)
    for kept in home.rglob("*.pixels"):
        kept.unlink()
    changed = folder / "calm" / "3.png"

    def replaced(path: Path) -> np.ndarray:
        if path == changed:
            Image.new("RGB", (40, 40), "red").save(path)
        return decoding.content_of(path)

    monkeypatch.setattr(looking, "content_of", replaced)
    assert load(folder).left_out.to_numpy().tolist() == [
        ["calm/3.png", "was changed while it was read"]
    ]
    monkeypatch.setattr(looking, "content_of", decoding.content_of)
    again = load(folder)
    assert (again.images[3] == [255, 0, 0]).all()
    assert again.fingerprint != first.fingerprint


def test_pixels_of_another_decoding_are_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(folder)
    monkeypatch.setattr(photographs, "VERSION", photographs.VERSION + 1)
    monkeypatch.setattr(looking, "upright", lambda content: 255 - decoding.upright(content))
    changed = load(folder)
    assert np.abs(changed.images - (255.0 - before.images)).max() <= 1


def test_a_file_from_a_later_century_is_an_image_like_others(folder: Path) -> None:
    os.utime(folder / "calm" / "3.png", ns=(2**63, 2**63))
    assert len(load(folder)) == 20


@pytest.mark.parametrize("damage", ["pages", "tables", "rows"])
def test_a_data_base_of_which_a_part_is_damaged_is_begun_anew(
    folder: Path, home: Path, damage: str
) -> None:
    first = load(folder)
    (base,) = home.rglob("known.sqlite")
    if damage == "pages":
        content = bytearray(base.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        base.write_bytes(content)
    else:
        asked = {
            "tables": "ALTER TABLE files DROP COLUMN faces",
            "rows": "UPDATE files SET faces = 'x'",
        }
        with closing(sqlite3.connect(base)) as opened, opened:
            opened.execute(asked[damage])
    assert load(folder).fingerprint == first.fingerprint
    with closing(sqlite3.connect(base)) as opened:
        assert opened.execute("SELECT count(*) FROM files").fetchone() == (20,)


def test_a_data_base_that_another_process_holds_is_left_alone(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(folder)
    (base,) = home.rglob("known.sqlite")
    monkeypatch.setattr(known, "_WAIT_SECONDS", 0.01)
    with closing(sqlite3.connect(base, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM files WHERE path = 'calm/3.png'")
        assert load(folder).fingerprint == first.fingerprint
        other.execute("COMMIT")
    read = count(monkeypatch, looking, "content_of")
    load(folder)
    assert len(read) == 1


def test_where_nothing_can_be_kept_photographs_are_read_all_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(folder)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "file"))
    again = load(folder)
    np.testing.assert_array_equal(again.images, first.images)
    assert again.fingerprint == first.fingerprint


def test_what_is_missing_for_want_of_memory_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: object) -> object:
        raise MemoryError

    monkeypatch.setattr(decoding.Image, "open", refused)
    with pytest.raises(UserError, match="there is not enough memory"):
        load(folder)
    monkeypatch.undo()
    monkeypatch.setenv("TINYVGG_HOME", str(folder.parent / "home"))
    assert len(load(folder)) == 20


def test_what_decoders_warn_of_is_a_reason_and_no_warning(folder: Path) -> None:
    pixels = np.uint32(10_000).byteswap().tobytes()
    whole = bytearray((folder / "calm" / "0.png").read_bytes())
    whole[16:24] = pixels * 2
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4, "big")
    (folder / "calm" / "large.png").write_bytes(whole)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        faces = load(folder)
    assert not said
    assert faces.left_out["reason"].tolist() == [
        "cannot be read (it has more than 89 million pixels)"
    ]


def test_a_photograph_that_vanishes_before_it_is_shown_is_white_or_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = load(folder)
    assert faces.originals is not None
    paths = ["calm/3.png", "calm/4.png"]

    def vanished(path: Path) -> np.ndarray:
        (folder / "calm" / "3.png").unlink(missing_ok=True)
        return decoding.content_of(path)

    monkeypatch.setattr(originals, "content_of", vanished)
    shown = faces.originals.portraits(paths, SIZE)
    assert (shown[0] == 255).all()
    np.testing.assert_array_equal(shown[1], faces.images[4])
    Image.new("RGB", (40, 40), "red").save(folder / "calm" / "3.png")
    assert len(faces.originals.seen(paths, 20)) == 1


def test_streamed_and_held_sets_are_the_same_and_so_are_other_sizes(folder: Path) -> None:
    held, streamed = load(folder), load(folder, stream=True)
    assert isinstance(streamed.images, ImageFiles)
    np.testing.assert_array_equal(held.images, np.asarray(streamed.images))
    assert held.fingerprint == streamed.fingerprint
    assert load_faces(str(held.source), 8, progress=False).images.shape == (20, 8, 8, 3)


def test_a_table_gives_the_columns_and_leaves_files_that_it_does_not_name(folder: Path) -> None:
    rows = [f"calm/{n}.png,{n % 3},happy,90" for n in range(6)]
    rows += [f"glad/{n}.png,{n % 3},sad,90" for n in range(6)]
    (folder / "faces.csv").write_text("\n".join(("path,subject,emotion,angle", *rows)))
    faces = load_faces(f"folder:{folder}/faces.csv::crop=centre", SIZE, progress=False)
    assert faces.index.tasks == ("subject", "emotion")
    assert faces.index.classes("subject") == ("0", "1", "2")
    assert len(faces) == 12


def test_a_run_of_a_folder_that_loses_an_image_goes_on(folder: Path) -> None:
    from tinyvgg.training.experiments import open_study

    (folder / "calm" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    run = open_study("smoke", f"folder:{folder}::crop=centre", 0, progress=False).run("class")
    ((row),) = run.manifest["photographs"]["left_out"]
    assert row["path"] == "calm/broken.jpg"
    assert run.manifest["photographs"]["cropping"] == {"how": "centre"}
    assert len(run.labels) == 10
