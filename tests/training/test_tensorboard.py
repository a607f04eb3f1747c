"""Curves for TensorBoard."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.small_set import cut, run
from tinyvgg.training.watching import Epoch, TensorBoard, Watcher


class Die(Watcher):
    """As if the process was killed between a checkpoint and what follows it."""

    def epoch(self, epoch: Epoch, images: int) -> None:
        raise KeyboardInterrupt


def curves(folder: Path) -> dict[str, dict[int, float]]:
    """Return every curve by its name, as a value for each step; no step is there twice."""
    read = EventAccumulator(str(folder)).Reload()
    found = {name: read.Scalars(name) for name in read.Tags()["scalars"]}
    for points in found.values():
        steps = [point.step for point in points]
        assert steps == sorted(set(steps))
    return {name: {point.step: point.value for point in found[name]} for name in found}


@pytest.mark.parametrize("interruption", [None, 3, 14, "after the checkpoint of an epoch"])
def test_curves_have_each_epoch_of_the_history_once(
    tmp_path: Path, interruption: int | str | None
) -> None:
    board = TensorBoard(tmp_path / "curves")
    if isinstance(interruption, int):
        cut(tmp_path / "run", interruption, watchers=[board])
    elif interruption:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run", watchers=[Die(), board])
    history = run(tmp_path / "run", watchers=[TensorBoard(tmp_path / "curves")]).history
    expected: dict[str, dict[int, Any]] = {}
    for epoch in history:
        values = {"loss/train": epoch.train_loss, "error/train": epoch.train_error}
        values |= {"loss/test": epoch.test_loss, "error/test": epoch.test_error}
        values |= {f"gradient/{layer}": norm for layer, norm in epoch.gradients.items()}
        for name, value in values.items():
            expected.setdefault(name, {})[epoch.epoch] = pytest.approx(value)
    assert curves(tmp_path / "curves") == expected
