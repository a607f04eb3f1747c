"""Killed at any moment, any number of times, a training ends with the same bits."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.children import begin, stamp, wait_for
from tests.helpers.small_set import to_the_end
from tinyvgg.training.checkpoints import NAME
from tinyvgg.training.settings import Recipe

KILLS = 10
RECIPES = {
    "plain": Recipe(epochs=40, batch=5, rate=0.05),
    "adam, best on a validation part": Recipe(
        epochs=40, batch=5, rate=0.001, optimiser="adam", selection="validation"
    ),
    "until it has fitted": Recipe(200, 5, 0.0003, "adam", ending="fitted"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_killed_at_random_moments_it_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    recipe, moments = RECIPES[name], np.random.default_rng(len(name))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    assert begin(tmp_path / "log", to_the_end, whole, recipe).end() == 0
    for number in range(KILLS):
        before = stamp(cut / NAME)
        child = begin(tmp_path / "log", to_the_end, cut, recipe)
        wait_for(lambda: stamp(cut / NAME) != before, child)  # noqa: B023
        time.sleep(moments.uniform(0, 0.05))
        child.kill()
        if child.end() != -signal.SIGKILL:  # on a busy machine it may be done before
            assert number, "it was to be killed while it trains"
            break
    assert begin(tmp_path / "log", to_the_end, cut, recipe).end() == 0
    for made in ("history.csv", "weights.safetensors"):
        assert (cut / made).read_bytes() == (whole / made).read_bytes()
