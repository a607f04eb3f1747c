"""Curves for TensorBoard."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.small_set import cut, run
from tinyvgg.training.watching import Epoch, TensorBoard, Watcher

LOSSES = ("train_loss", "train_error", "test_loss", "test_error")


def curves(folder: Path) -> dict[str, dict[int, float]]:
    """Every curve by its name, as a value for each step; no step is there twice."""
    read = EventAccumulator(str(folder)).Reload()
    found = {name: read.Scalars(name) for name in read.Tags()["scalars"]}
    for points in found.values():
        steps = [point.step for point in points]
        assert steps == sorted(set(steps))
    return {name: {point.step: point.value for point in found[name]} for name in found}


def expected(history: tuple[Epoch, ...]) -> dict[str, dict[int, Any]]:
    found: dict[str, dict[int, Any]] = {}
    for epoch in history:
        values = {"/".join(reversed(name.split("_"))): getattr(epoch, name) for name in LOSSES}
        values |= {f"gradient/{layer}": norm for layer, norm in epoch.gradients.items()}
        for name, value in values.items():
            found.setdefault(name, {})[epoch.epoch] = pytest.approx(value)
    return found


def test_curves_are_those_of_the_history(tmp_path: Path) -> None:
    history = run(tmp_path / "run", watchers=[TensorBoard(tmp_path / "curves")]).history
    assert curves(tmp_path / "curves") == expected(history)


@pytest.mark.parametrize("step", [3, 14])
def test_a_resumed_training_has_each_epoch_once(tmp_path: Path, step: int) -> None:
    cut(tmp_path / "run", step, watchers=[TensorBoard(tmp_path / "curves")])
    history = run(tmp_path / "run", watchers=[TensorBoard(tmp_path / "curves")]).history
    assert curves(tmp_path / "curves") == expected(history)


def test_an_epoch_whose_curves_were_lost_is_there_after_the_next_call(tmp_path: Path) -> None:
    class Die(Watcher):
        """As if the process was killed between a checkpoint and what follows it."""

        def epoch(self, epoch: Epoch, images: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", watchers=[Die(), TensorBoard(tmp_path / "curves")])
    history = run(tmp_path / "run", watchers=[TensorBoard(tmp_path / "curves")]).history
    assert curves(tmp_path / "curves") == expected(history)
