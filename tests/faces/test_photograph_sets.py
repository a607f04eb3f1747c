"""Sets of photographs, loaded: bad files, restarts, what is kept, manifests."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvgg.chapters import photographs
from tinyvgg.errors import UserError
from tinyvgg.faces import images, twins
from tinyvgg.faces.index import SUM, Faces, load_faces
from tinyvgg.faces.sources import tasks_of
from tinyvgg.faces.splits import split
from tinyvgg.training.experiments import open_study

SIZE = 16


@pytest.fixture
def folder(tmp_path: Path, draw_photographs: Callable[..., Path]) -> Path:
    """Two classes of ten noisy images, 32 x 40."""
    return draw_photographs(tmp_path / "faces", height=40)


def load(folder: Path, size: int = SIZE) -> Faces:
    return load_faces(f"folder:{folder}::crop=centre", size, progress=False)


def reasons_of(faces: Faces) -> dict[str, str]:
    return faces.left_out.set_index("path")["reason"].to_dict()


def paint(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(exist_ok=True)
    image = Image.new("RGB", (40, 40), colour)
    image.putpixel((0, 0), (0, 0, 1))
    image.save(path)


def count(monkeypatch: pytest.MonkeyPatch, name: str, most: int | None = None) -> list[object]:
    """What a function of `images` is called with; after so many calls it is interrupted."""
    calls: list[object] = []
    original = getattr(images, name)

    def counted(*given: object) -> object:
        calls.append(given[0])
        if most is not None and len(calls) > most:
            raise KeyboardInterrupt
        return original(*given)

    monkeypatch.setattr(images, name, counted)
    return calls


def test_the_fingerprint_is_that_of_the_pixels_and_not_of_their_place(folder, tmp_path) -> None:
    first = load(folder).fingerprint
    assert len(first) == 16
    moved = folder.rename(tmp_path / "moved")
    assert load(moved).fingerprint == first
    assert load(moved, size=8).fingerprint == first
    (moved / "calm" / "0.png").write_bytes((moved / "calm" / "0.png").read_bytes() + b" ")
    assert load(moved).fingerprint != first


def test_bad_files_are_left_out_counted_and_listed(folder: Path) -> None:
    calm = folder / "calm"
    whole = (calm / "0.png").read_bytes()
    bad = {"cut.png": whole[: len(whole) // 2], "empty.jpg": b"", "letter.jpg": b"To whom"}
    for name, content in (*bad.items(), ("same.png", whole)):
        (calm / name).write_bytes(content)
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(calm / "moving.webp", save_all=True, append_images=frames[1:])
    (calm / "loop.jpg").symlink_to("loop.jpg")
    (calm / "gone.jpg").symlink_to("nowhere.jpg")
    Image.new("RGB", (40, 40), "red").save(calm / "plain.png")
    Image.new("RGB", (7, 40), "red").save(calm / "narrow.png")
    (folder / "top.jpg").write_bytes(whole)
    paint(folder / "rare" / "0.png", (1, 2, 3))
    (folder / "rare" / "1.png").write_bytes(b"")
    for _ in range(2):
        faces = load(folder)
        assert faces.index.classes("class") == ("calm", "glad")
        reasons = reasons_of(faces)
        assert reasons.pop("calm/cut.png").startswith("cannot be read (")
        assert reasons.pop("calm/loop.jpg").startswith("cannot be read (Too many levels of symb")
        assert reasons == {
            "calm/empty.jpg": "cannot be read (the file is empty)",
            "calm/gone.jpg": "cannot be read (No such file or directory)",
            "calm/letter.jpg": "cannot be read (it is no image)",
            "calm/moving.webp": "has 2 pictures; save the one that is meant by itself",
            "calm/narrow.png": "has 7 x 40 pixels; it needs 8 on a side at least",
            "calm/plain.png": "has the same colour everywhere",
            "calm/same.png": "is the same picture as calm/0.png",
            "rare/0.png": "is the only usable one of its class",
            "rare/1.png": "cannot be read (the file is empty)",
            "top.jpg": "lies in no sub-folder",
        }
        assert faces.index.table["path"].tolist() == [
            f"{name}/{number}.png" for name in ("calm", "glad") for number in range(10)
        ]


def test_a_set_of_which_nothing_can_be_used_says_why(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"x")
    with pytest.raises(UserError, match=r"none of the 20 images .*it is no image.*::crop=centre"):
        load(folder)


def test_images_are_mapped_and_only_what_changed_is_looked_at_again(folder, home, monkeypatch):
    first = load(folder)
    (file,) = home.rglob("*.npy")
    assert file.name == f"{first.fingerprint}-{SIZE}.npy"
    read = count(monkeypatch, "content_of")
    again = load(folder)
    assert read == []
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(first.images, again.images)
    again.images[0] = 0
    np.testing.assert_array_equal(load(folder).images, first.images)
    paint(folder / "calm" / "3.png", (9, 9, 200))
    after = load(folder)
    assert read[0] == folder / "calm" / "3.png"
    assert len(read) == 20, "one is looked at, and all are cut"
    assert (after.images[3, 4:, 4:] == [9, 9, 200]).all()
    np.testing.assert_array_equal(np.delete(after.images, 3, 0), np.delete(first.images, 3, 0))
    assert after.fingerprint != first.fingerprint
    assert not file.exists(), "what the folder was before is removed"


def test_the_same_pixels_in_other_files_are_used_once_and_in_no_two_classes(folder: Path) -> None:
    load(folder)
    with (
        Image.open(folder / "calm" / "0.png") as image,
        Image.open(folder / "glad" / "3.png") as odd,
    ):
        image.save(folder / "calm" / "again.bmp")
        odd.save(folder / "calm" / "odd.tif")
    faces = load(folder)
    assert reasons_of(faces) == {
        "calm/again.bmp": "is the same picture as calm/0.png",
        "calm/odd.tif": "is the same picture as glad/3.png, of another class",
        "glad/3.png": "is the same picture as calm/odd.tif, of another class",
    }
    assert len(faces) == 19


@pytest.fixture
def scenes(tmp_path: Path) -> Callable[..., Path]:
    """Writes scenes as photographs: the same number is the same scene, `.jpg` cropped and JPEG."""

    def write(*names: str) -> Path:
        for name in names:
            scene = np.random.default_rng(int(Path(name).stem.strip("x")))
            drawn = Image.fromarray(scene.integers(0, 256, (9, 8, 3), dtype=np.uint8))
            image, path = drawn.resize((128, 144), Image.Resampling.BICUBIC), tmp_path / "s" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (image.crop((3, 2, 126, 142)) if name.endswith("jpg") else image).save(path)
        return tmp_path / "s"

    return write


def test_near_twins_stay_together_and_what_they_would_have_done_is_known(scenes, monkeypatch):
    names = [f"{'ab'[number >= 50]}/{number}.png" for number in (*range(10), *range(50, 60))]
    folder = scenes(*names, "a/0.jpg", "a/x0.jpg", "b/50.jpg", "b/1.jpg")
    for _ in range(2):
        faces = load(folder, 32)
        table = faces.index.table.set_index("path")["twins"]
        assert faces.left_out["path"].tolist() == ["a/x0.jpg"], "an exact copy"
        assert len(table) == 23
        groups = [{*paths} for paths in table.dropna().groupby(table).groups.values()]
        assert sorted(map(sorted, groups)) == [
            ["a/0.jpg", "a/0.png"],
            ["a/1.png", "b/1.jpg"],
            ["b/50.jpg", "b/50.png"],
        ]
        for seed in range(4):
            test = {*faces.index.table["path"].iloc[split(faces.index, "class", seed).test]}
            assert all(group <= test or not group & test for group in groups)
        monkeypatch.setattr(twins, "near", None)  # is asked once
    asked = ["a/0.png", "a/1.png", "a/2.png"]
    assert faces.originals.chance_of_a_twin(asked).tolist() == [0.75, 0.5, 0]
    assert photographs.twins_of(faces) == (
        "1 image left out as another copy of a picture: a/x0.jpg. 6 images with near-twins (the"
        " same shot, cropped, encoded or taken once more), in 3 groups; no group is in two parts."
    )


def test_images_of_a_given_test_part_are_in_training_neither_wholly_nor_nearly(scenes):
    names = [f"train/{kind}.png" for kind in ("a/0", "a/1", "a/2", "b/50", "b/51", "b/52")]
    names += [f"test/{kind}.png" for kind in ("a/20", "a/21", "a/22", "b/70", "b/71", "b/72")]
    folder = scenes(*names, "train/a/20.png", "train/b/71.jpg", "train/b/21.jpg")
    faces = load(folder, 32)
    assert reasons_of(faces) == {
        "train/a/20.png": "is the same picture as test/a/20.png",
        "train/b/21.jpg": "is nearly the same picture as test/a/21.png, of the test part",
        "train/b/71.jpg": "is nearly the same picture as test/b/71.png, of the test part",
    }
    asked = ["test/a/20.png", "test/b/71.png", "test/b/72.png"]
    assert faces.originals.chance_of_a_twin(asked).tolist() == [1, 1, 0]
    said = photographs.twins_of(faces)
    assert "2 images not learned from, for a near-twin in another part: train/b/21.jpg, tr" in said
    Image.open(folder / "test/a/21.png").save(folder / "test/b/0.bmp")
    reasons = reasons_of(load(folder, 32))
    assert reasons["test/a/21.png"] == "is the same picture as test/b/0.bmp, of another class"
    assert "train/b/21.jpg" not in reasons, "what it is nearly the same as is not used"


@pytest.mark.parametrize("left", [0, 1000])
def test_kept_images_that_were_cut_off_are_made_again(folder: Path, home: Path, left: int) -> None:
    first = load(folder).images.copy()
    (file,) = home.rglob("*.npy")
    os.truncate(file, left)
    np.testing.assert_array_equal(load(folder).images, first)


def test_a_flipped_bit_in_kept_images_costs_time_and_no_correctness(
    folder: Path, home: Path
) -> None:
    first = load(folder).images.copy()
    (file,) = home.rglob("*.npy")
    whole = file.read_bytes()
    for place in (0, 200, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        np.testing.assert_array_equal(load(folder).images, first)
        assert file.read_bytes() == whole


def test_only_columns_that_can_be_trained_are_tasks(folder: Path) -> None:
    table = folder / "table.csv"
    names = [f"{name}/{number}.png" for name in ("calm", "glad") for number in range(10)]
    rows = [f"{path},{path[:4]},{number}" for number, path in enumerate(names)]
    table.write_text("\n".join(["path,class,subject", *rows]))
    index = load(table).index
    assert index.has("subject")
    assert index.tasks == tasks_of(f"folder:{table}") == ("class",)


@pytest.mark.parametrize(("known", "left"), [(False, 12), (True, 8)])
def test_an_interrupted_call_goes_on(folder, monkeypatch, known: bool, left: int) -> None:
    """It looks and cuts again behind its last block; if all is known it cuts what it has not."""
    monkeypatch.setattr(images, "BLOCK", 8)
    monkeypatch.setattr(images.synthfaces, "cores", lambda: 1)
    if known:
        load(folder, 8)
    with monkeypatch.context() as patch:
        count(patch, "upright", most=12)
        with pytest.raises(KeyboardInterrupt):
            load(folder)
    again = count(monkeypatch, "upright")
    assert len(load(folder)) == 20
    assert len(again) == left


def test_a_flipped_bit_in_a_cut_that_waits_is_noticed(folder, home, monkeypatch) -> None:
    monkeypatch.setattr(images, "BLOCK", 8)
    with monkeypatch.context() as patch:
        count(patch, "upright", most=12)
        with pytest.raises(KeyboardInterrupt):
            load(folder)
    waiting = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".json"]
    cuts = [path for path in waiting if path.stat().st_size == 3 * SIZE**2 + SUM]
    assert len(cuts) > 5
    for path in cuts:
        kept = path.read_bytes()
        path.write_bytes(kept[:9] + bytes([kept[9] ^ 4]) + kept[10:])
    flipped = load(folder).images.copy()
    (file,) = home.rglob("*.npy")
    file.unlink()
    np.testing.assert_array_equal(flipped, load(folder).images)


def test_every_photograph_is_decoded_once(folder: Path, monkeypatch) -> None:
    decoded = count(monkeypatch, "upright")
    load(folder)
    assert len(decoded) == 20


def test_two_processes_that_decode_the_same_set_do_not_get_into_each_others_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "BLOCK", 1)
    with ThreadPoolExecutor(4) as pool:
        sets = [*pool.map(load, [folder] * 4)]
    assert all((one.images == sets[0].images).all() for one in sets)


def test_what_is_kept_may_be_damaged_and_is_found_again(folder: Path, home: Path) -> None:
    first = load(folder)
    (known,) = home.rglob("known-*.json")
    content = json.loads(known.read_text())
    for damage in ("no JSON", known.read_text()[:300], '{"calm/0.png": 3}'):
        known.write_text(damage)
        assert load(folder).fingerprint == first.fingerprint
        assert json.loads(known.read_text()) == content


def test_files_that_exchange_their_names_are_told_apart(folder: Path) -> None:
    one, other = folder / "calm" / "0.bmp", folder / "calm" / "1.bmp"
    for path, colour in ((one, (200, 0, 0)), (other, (0, 0, 200))):
        paint(path, colour)
        os.utime(path, ns=(10**18, 10**18))
    before = load(folder)
    one.rename(folder / "calm" / "x")
    other.rename(one)
    (folder / "calm" / "x").rename(other)
    after = load(folder)
    rows = [after.index.table["path"].tolist().index(f"calm/{n}.bmp") for n in range(2)]
    np.testing.assert_array_equal(after.images[rows], before.images[rows][::-1])
    assert after.fingerprint != before.fingerprint


def test_a_file_that_changes_between_the_two_passes_is_named(folder: Path, monkeypatch) -> None:
    pixels_of = images.pixels_of

    def replaced(path: Path, sha256: str, bits: int) -> object:
        if path.name == "3.png":
            paint(path, (255, 0, 0))
        return pixels_of(path, sha256, bits)

    monkeypatch.setattr(images, "pixels_of", replaced)
    load(folder, 8)
    with pytest.raises(UserError, match=r"3.png' has changed since its folder was read; start ag"):
        load(folder)


def test_a_photograph_that_vanishes_before_it_is_shown_is_white_or_not_there(folder):
    faces = load(folder)
    paths = ["calm/3.png", "calm/4.png"]
    (folder / "calm" / "3.png").unlink()
    shown = faces.originals.portraits(paths, SIZE)
    assert (shown[0] == 255).all()
    np.testing.assert_array_equal(shown[1], faces.images[4])
    (seen,) = faces.originals.seen(paths, 20, SIZE).values()
    np.testing.assert_array_equal(seen.portrait, shown[1])


def test_a_run_of_a_folder_that_loses_an_image_goes_on(folder: Path) -> None:
    (folder / "calm" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    run = open_study("smoke", f"folder:{folder}::crop=centre", 0, progress=False).run("class")
    ((row),) = run.manifest["photographs"]["left_out"]
    assert row["path"] == "calm/broken.jpg"
    assert run.manifest["photographs"]["cropping"] == {"how": "centre"}
    assert len(run.labels) == 10


def write_deep(folder: Path, bits: int, dark: int = 0) -> None:
    """Write noise of as many bits as files of 16 bits; that of one class is dark."""
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        deep = np.random.default_rng(number).integers(0, 2**16, (40, 32), dtype=np.uint16)
        deep[0, 0] = 2**16 - 1
        Image.fromarray(deep >> (16 - bits + (dark if path.parent.name == "calm" else 0))).save(
            path
        )


def about(faces: Faces) -> str:
    return faces.originals.cropping.about


@pytest.mark.parametrize("bits", [8, 12, 14])
def test_values_of_fewer_bits_in_files_of_16_are_recognised_by_the_whole_set(folder, bits) -> None:
    write_deep(folder, 16, dark=2)
    whole = load(folder)
    assert "bits" not in about(whole)
    assert whole.originals.cropping.bits == 16
    write_deep(folder, bits, dark=2)
    faces = load(folder)
    assert np.abs(faces.images.astype(int) - whole.images).max() <= 1
    assert f"the 20 files of 16 bits is above {2**bits - 1}: " in about(faces)
    assert f"taken to have {bits} bits" in about(faces)
    assert faces.originals.plain["cropping"] == {"how": "centre", "bits": bits}
    np.testing.assert_array_equal(
        faces.originals.portraits(["calm/3.png"], SIZE)[0], faces.images[3]
    )


def test_images_of_8_bits_beside_deep_ones_keep_their_values(folder: Path) -> None:
    before = load(folder)
    write_deep(folder / "glad", 12)
    faces = load(folder)
    np.testing.assert_array_equal(faces.images[:10], before.images[:10])
    assert faces.images[10:].max() > 120
    assert "the 10 files of 16 bits is above 4095" in about(faces)


def test_a_set_as_dark_as_masks_is_said_to_be_suspicious_and_kept(folder: Path) -> None:
    assert "masks" not in about(load(folder))
    for path in folder.rglob("*.png"):
        Image.fromarray(np.array(Image.open(path)) // 16).save(path)
    faces = load(folder)
    assert "In 20 of 20 images no value reaches a sixteenth of the range" in about(faces)
    assert faces.images.max() < 16
