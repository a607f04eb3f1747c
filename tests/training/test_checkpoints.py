"""Checkpoints: whole or not at all, the last good one is used, a foreign one is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.helpers.small_set import PARTS, RECIPE, SmallSet, network, run
from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.training.checkpoints import NAME, PREVIOUS
from tinyvgg.training.loop import Parts
from tinyvgg.training.tiny_vgg import TinyVGG
from tinyvgg.training.watching import Watcher


class Listener(Watcher):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """The folder of a training that was interrupted in its third epoch."""
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, SmallSet(interrupt_at=14))
    assert {path.name for path in tmp_path.iterdir()} == {NAME, PREVIOUS}
    return tmp_path


def spoil(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut off":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    elif how == "one bit":
        content[-3] ^= 4
    elif how == "no checkpoint":
        content = bytearray(b"some other file")
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut off", "empty", "one bit", "no checkpoint"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(cut: Path, how: str) -> None:
    spoil(cut / NAME, how)
    heard, data, model, whole = Listener(), SmallSet(), network(), network()
    history = run(cut, data, model, watchers=[heard]).history
    assert len(data.seen) == 18, "one epoch was kept, three were trained"
    assert history == run(cut / "whole", SmallSet(), whole).history
    for left, right in zip(model.parameters(), whole.parameters(), strict=True):
        assert torch.equal(left, right)
    (said,) = heard.said
    assert f"checkpoint '{cut / NAME}' is damaged; going on from the one before it" == said


@pytest.mark.parametrize("how", ["cut off", "empty", "one bit", "no checkpoint"])
def test_where_none_is_good_each_is_named_with_the_way_out(cut: Path, how: str) -> None:
    for name in (NAME, PREVIOUS):
        spoil(cut / name, how)
    before = {path: path.read_bytes() for path in cut.iterdir()}
    with pytest.raises(UserError) as raised:
        run(cut)
    assert str(raised.value) == (
        f"checkpoint '{cut / NAME}' is damaged; checkpoint '{cut / PREVIOUS}' is damaged:"
        " remove them to train from the start"
    )
    assert {path: path.read_bytes() for path in cut.iterdir()} == before


@pytest.mark.parametrize(
    "changed",
    [
        {"model": TinyVGG(3, size=16, maps=4, dense=(8, 8))},
        {"recipe": replace(RECIPE, rate=0.1)},
        {"recipe": replace(RECIPE, epochs=5)},
        {"parts": Parts(PARTS.train[1:], PARTS.test)},
        {"name": "another experiment"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_checkpoint_of_another_training_is_refused(cut: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"is of another training; .*: remove them to train from"):
        run(cut, **changed)


@pytest.mark.parametrize(
    "plain", ["", "[", "[]", "3", "null", "{}", '{"format": 2}', '{"format": 2, "history": [1]}']
)
def test_metadata_that_say_nothing_are_damage(cut: Path, plain: str) -> None:
    for name in (NAME, PREVIOUS):
        save_file(load_file(cut / name), cut / name, {"checkpoint": plain, "sha256": ""})
    with pytest.raises(UserError, match="is damaged"):
        run(cut)


def test_a_checkpoint_of_another_version_is_refused(cut: Path) -> None:
    for name in (NAME, PREVIOUS):
        rewrite(cut / name, format=1)
    with pytest.raises(UserError, match="is of another version"):
        run(cut)


def rewrite(path: Path, **changed: object) -> None:
    """Change what a checkpoint says, with a digest that fits."""
    from tinyvgg.training import checkpoints

    with safe_open(path, framework="pt") as stored:
        plain = json.dumps({**json.loads(stored.metadata()["checkpoint"]), **changed})
    tensors = load_file(path)
    digest = checkpoints._digest(tensors, plain)
    save_file(tensors, path, {"checkpoint": plain, "sha256": digest})


def test_nothing_of_it_is_pickled(cut: Path) -> None:
    with safe_open(cut / NAME, framework="pt") as stored:
        names, plain = set(stored.keys()), json.loads(stored.metadata()["checkpoint"])
    assert {name.partition(".")[0] for name in names} == {"model", "sums"}
    assert [epoch["epoch"] for epoch in plain["history"]] == [1, 2]
    assert (plain["format"], plain["step"]) == (2, 0)


def test_a_failed_write_keeps_what_was_there(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in cut.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tinyvgg.training.checkpoints.save_file", fail)
    with pytest.raises(UserError, match=r"no space is left for the checkpoint in .* after epoch 3"):
        run(cut)
    assert {path: path.read_bytes() for path in cut.iterdir()} == before


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    kept = [".lock", NAME, "history.csv", ".hidden", "a.0123abcd.csv"]
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / f".{Path(NAME).stem}.0123abcd.safetensors").touch()
    paths.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
    paths.remove_leftovers(tmp_path / "nothing here")


def test_sums_within_an_epoch_are_kept_exactly(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, SmallSet(interrupt_at=3), every=0.0)
    sums = {
        name.removeprefix("sums."): tensor
        for name, tensor in load_file(tmp_path / NAME).items()
        if name.startswith("sums.")
    }
    assert (int(sums["steps"]), int(sums["images"]), int(sums["samples"])) == (3, 15, 3)
    assert sums["loss"].dtype == torch.float64
    assert np.isfinite(float(sums["loss"]))
