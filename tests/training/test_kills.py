"""Killed at any moment, any number of times, a training ends with the same bits."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.processes import stamp
from tests.helpers.small_set import to_the_end
from tinyvgg.training.checkpoints import NAME
from tinyvgg.training.settings import Recipe

KILLS = 10
RECIPES = {
    "plain": Recipe(epochs=40, batch=5, rate=0.05),
    "adam, best on a validation part": Recipe(
        epochs=40, batch=5, rate=0.001, optimiser="adam", selection="validation"
    ),
}


@pytest.fixture(scope="module")
def start() -> Callable[..., BaseProcess]:
    """Starts a child that has imported torch already, or each would take seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "tests.helpers.small_set"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()

    def begin(folder: Path, recipe: Recipe) -> BaseProcess:
        child = context.Process(target=to_the_end, args=(folder, recipe), daemon=True)
        child.start()
        return child

    return begin


@pytest.mark.parametrize("name", RECIPES)
def test_killed_at_random_moments_it_ends_with_the_same_bits(
    name: str, start: Callable[..., BaseProcess], tmp_path: Path
) -> None:
    recipe, moments = RECIPES[name], np.random.default_rng(len(name))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    undisturbed = start(whole, recipe)
    undisturbed.join()
    assert undisturbed.exitcode == 0
    for _ in range(KILLS):
        child, before = start(cut, recipe), stamp(cut / NAME)
        while child.is_alive() and stamp(cut / NAME) == before:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL, "it was to be killed while it trains"
    last = start(cut, recipe)
    last.join()
    assert last.exitcode == 0
    for made in ("history.csv", "weights.safetensors"):
        assert (cut / made).read_bytes() == (whole / made).read_bytes()
