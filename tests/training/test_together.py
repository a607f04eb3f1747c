"""Two processes under torchrun train the same network as one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.helpers import together
from tests.helpers.children import pair
from tests.helpers.small_set import SmallSet, cut, run
from tests.helpers.together import BROKEN, RESUMED, WAYS, broken, initialised, outcome, train_way

Two = tuple[Path, dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Where two processes left their files, and what each of them found."""
    folder = tmp_path_factory.mktemp("two")
    cut(folder / RESUMED, 9, initialised(), every=0.0)
    both = pair(folder, together.main, folder)
    assert [process.end() for process in both] == [0, 0], both[0].said
    first, second = (json.loads((folder / f"found-{rank}.json").read_text()) for rank in (0, 1))
    return folder, first, second


def numbers(epoch: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in epoch.items() if isinstance(value, int | float)}


def check_same(one: dict[str, Any], two: dict[str, Any], first: Path, second: Path) -> None:
    assert one["kept"] == two["kept"]
    for left, right in zip(one["history"], two["history"], strict=True):
        assert left["gradients"] == pytest.approx(right["gradients"], rel=1e-3)
        assert numbers(left) == pytest.approx(numbers(right), rel=1e-4)
    weights, expected = load_file(first), load_file(second)
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_two_give_losses_errors_and_weights_of_one(tmp_path: Path, two: Two, way: str) -> None:
    folder, first, second = two
    one = train_way(way, tmp_path)
    losses = [epoch["train_loss"] for epoch in one["history"]]
    assert abs(losses[-1] / losses[0] - 1) > 0.01
    check_same(one, first[way], tmp_path / f"{way}.safetensors", folder / f"{way}.safetensors")
    assert second[way] == {**first[way], "images": None}
    assert first[way]["images"] == one["images"] == 4 * 22


def test_two_go_on_from_where_one_was_interrupted_within_an_epoch(tmp_path: Path, two: Two) -> None:
    folder, first, _ = two
    model = initialised()
    whole = outcome(run(tmp_path / "run", SmallSet(), model), model, tmp_path / "whole", None)
    check_same(whole, first[RESUMED], tmp_path / "whole", folder / f"{RESUMED}.safetensors")


def test_a_loss_that_is_no_number_in_one_stops_both_alike(tmp_path: Path, two: Two) -> None:
    _, first, second = two
    assert first[BROKEN] == second[BROKEN]
    assert "loss is nan in step 5 of epoch 1" in first[BROKEN]
    assert broken(tmp_path).partition(";")[0] == first[BROKEN].partition(";")[0]
