"""The training loop."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.model import TinyVGG
from tinyvgg.training import Epoch, Recipe, load_checkpoint, order, train

RECIPE = Recipe(epochs=4, batch=5, rate=0.05)
TRAIN, TEST = np.arange(0, 22), np.arange(22, 30)


class Data:
    """Thirty random images of two classes; can be told to interrupt at a step."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        generator = torch.Generator().manual_seed(1)
        self.labels = torch.arange(30) % 2
        self.images = torch.rand(30, 3, 16, 16, generator=generator)
        self.images[self.labels == 1, 0] += 0.5
        self.steps = 0
        self.interrupt_at = interrupt_at
        self.seen: list[list[int]] = []

    def __call__(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        if self.steps == self.interrupt_at:
            raise KeyboardInterrupt
        self.steps += 1
        self.seen.append(rows.tolist())
        chosen = torch.from_numpy(rows)
        return self.images[chosen], self.labels[chosen]


def network(seed: int = 0) -> TinyVGG:
    torch.manual_seed(seed)
    return TinyVGG(2, size=16, maps=4, dense=(8, 8))


def run(folder: Path, data: Data, model: TinyVGG, recipe: Recipe = RECIPE) -> list[Epoch]:
    return train(model, data, TRAIN, TEST, recipe, seed=7, checkpoint=folder / "c.safetensors")


def numbers(history: list[Epoch]) -> list[tuple[float, ...]]:
    return [(e.epoch, e.train_loss, e.train_error, e.test_loss, e.test_error) for e in history]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_step_is_that_of_plain_gradient_descent(tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch=22, rate=0.1)
    model, by_hand, data = network(), network(), Data()
    run(tmp_path, data, model, recipe)
    rows = TRAIN[order(22, 7, 0, reshuffle=True)]
    torch.nn.functional.cross_entropy(by_hand(data.images[rows]), data.labels[rows]).backward()
    for parameter, expected in zip(model.parameters(), by_hand.parameters(), strict=True):
        assert expected.grad is not None
        torch.testing.assert_close(parameter, expected - 0.1 * expected.grad)


@pytest.mark.parametrize("step", [1, 5, 6, 7, 13, 18, 23])
def test_interrupted_at_any_step_it_ends_with_the_same_bits(tmp_path: Path, step: int) -> None:
    whole = network()
    expected = run(tmp_path / "whole", Data(), whole)
    (tmp_path / "cut").mkdir()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Data(interrupt_at=step), network())
    resumed = network()
    history = run(tmp_path / "cut", Data(), resumed)
    assert numbers(history) == numbers(expected)
    for left, right in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(left, right)


def test_finished_training_is_not_done_again(tmp_path: Path) -> None:
    run(tmp_path, Data(), network())
    again = Data()
    run(tmp_path, again, network())
    assert again.steps == 0


def test_every_epoch_sees_every_training_image_once_and_tests_on_none_of_them(
    tmp_path: Path,
) -> None:
    data = Data()
    run(tmp_path, data, network())
    epoch = data.seen[:6]
    assert [len(rows) for rows in epoch] == [5, 5, 5, 5, 2, 8]
    assert sorted(itertools.chain(*epoch[:5])) == TRAIN.tolist()
    assert epoch[5] == TEST.tolist()


def test_batches_are_reshuffled_unless_the_order_is_kept() -> None:
    first, second = (order(50, 3, epoch, reshuffle=True) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    kept = [order(50, 3, epoch, reshuffle=False) for epoch in (0, 1)]
    np.testing.assert_array_equal(kept[0], kept[1])


def test_it_learns(tmp_path: Path) -> None:
    history = run(tmp_path, Data(), network(), Recipe(epochs=60, batch=5, rate=0.05))
    assert history[-1].test_error == 0
    assert history[-1].train_loss < 0.2 < history[0].train_loss


def test_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    run(tmp_path, Data(), network(), Recipe(epochs=1, batch=5))
    before = (tmp_path / "c.safetensors").read_bytes()
    data = Data()
    data.images[3] = torch.nan
    with pytest.raises(UserError, match=r"loss is nan in epoch 2; a smaller rate than 0\.01"):
        run(tmp_path, data, network(), Recipe(epochs=2, batch=5))
    assert (tmp_path / "c.safetensors").read_bytes() == before


def test_batch_larger_than_the_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch 23 exceeds the 22 training images"):
        run(tmp_path, Data(), network(), Recipe(batch=23))


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"batch": -1}, {"rate": 0.0}])
def test_settings_that_train_nothing_are_refused(setting: dict[str, Any]) -> None:
    (name, value), *_ = setting.items()
    with pytest.raises(UserError, match=f"{name} {value} is not positive"):
        Recipe(**setting)


def test_damaged_or_foreign_checkpoint_is_named(tmp_path: Path) -> None:
    run(tmp_path, Data(), network())
    path = tmp_path / "c.safetensors"
    with pytest.raises(UserError, match="of another network"):
        load_checkpoint(path, TinyVGG(3, size=16, maps=4, dense=(8, 8)))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"c.safetensors' is damaged .* remove it"):
        load_checkpoint(path, network())


@pytest.mark.parametrize("history", ["[]", "{}", "3", "null", '""', "[1]", '[{"epoch": 1}]', "["])
def test_a_checkpoint_without_epochs_is_named(tmp_path: Path, history: str) -> None:
    run(tmp_path, Data(), network())
    path = tmp_path / "c.safetensors"
    save_file(load_file(path), path, {"history": history})
    with pytest.raises(UserError, match=r"c.safetensors' is damaged .* remove it"):
        load_checkpoint(path, network())
