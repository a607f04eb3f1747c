"""Checkpoints: whole or not at all; a damaged or a foreign one is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.helpers.small_set import PARTS, RECIPE, cut, run
from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.splits import Split
from tinyvgg.training import checkpoints
from tinyvgg.training.checkpoints import NAME
from tinyvgg.training.tiny_vgg import TinyVGG


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a training that was interrupted in its third epoch."""
    cut(tmp_path, 14)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    return tmp_path


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    one_bit = content[:-3] + bytes([content[-3] ^ 4]) + content[-2:]
    half = content[: len(content) // 2]
    path.write_bytes({"cut off": half, "empty": b"", "one bit": one_bit, "other": b"another"}[how])


@pytest.mark.parametrize("how", ["cut off", "empty", "one bit", "other"])
def test_a_damaged_checkpoint_is_named_and_stays(folder: Path, how: str) -> None:
    spoil(folder / NAME, how)
    before = (folder / NAME).read_bytes()
    with pytest.raises(UserError, match="is damaged: remove it to train from the start") as raised:
        run(folder)
    assert str(folder / NAME) in str(raised.value)
    assert (folder / NAME).read_bytes() == before


@pytest.mark.parametrize(
    "changed",
    [
        {"model": TinyVGG(3, size=16, maps=4, dense=(8, 8))},
        {"recipe": replace(RECIPE, rate=0.1)},
        {"recipe": replace(RECIPE, epochs=5)},
        {"parts": Split(PARTS.train[1:], PARTS.test)},
        {"name": "another experiment"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_checkpoint_of_another_training_is_refused(folder: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="is of another training: remove it to train from"):
        run(folder, **changed)


@pytest.mark.parametrize("plain", ["", "[]", "{}", '{"format": 2, "history": [1]}'])
def test_metadata_that_say_nothing_are_damage(folder: Path, plain: str) -> None:
    save_file(load_file(folder / NAME), folder / NAME, {"checkpoint": plain, "sha256": ""})
    with pytest.raises(UserError, match="is damaged"):
        run(folder)


def test_a_checkpoint_of_another_version_is_refused(folder: Path) -> None:
    path = folder / NAME
    with safe_open(path, framework="pt") as stored:
        said = json.loads(stored.metadata()["checkpoint"])
    tensors, plain = load_file(path), json.dumps({**said, "format": 1})
    digest = checkpoints._digest(tensors, plain)
    save_file(tensors, path, {"checkpoint": plain, "sha256": digest})
    with pytest.raises(UserError, match="is of another version"):
        run(folder)


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    kept = [".lock", NAME, "history.csv", ".hidden", "a.0123abcd.csv"]
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / f".{Path(NAME).stem}.0123abcd.safetensors").touch()
    paths.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
    paths.remove_leftovers(tmp_path / "nothing here")
