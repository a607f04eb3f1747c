"""Curves that grow in a notebook while a network is trained."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.small_set import run
from tinyvgg.chapters import training as live
from tinyvgg.chapters.training import LiveErrors, learning_curve


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the cell's output has."""
    output: list[object] = []
    monkeypatch.setattr(live, "display", output.append)
    monkeypatch.setattr(live, "clear_output", output.clear)
    return output


def pixels(widget: LiveErrors) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(widget.image.value)).convert("RGB"))


def test_the_last_epoch_is_drawn_when_it_ends(shown: list[object], tmp_path: Path) -> None:
    widget = LiveErrors("emotion")
    trained = run(tmp_path, watchers=[widget])
    assert shown == [widget.image]
    buffer = io.BytesIO()
    learning_curve(trained.history, 4, "emotion").savefig(buffer, format="png")
    np.testing.assert_array_equal(pixels(widget), Image.open(buffer).convert("RGB"))


def test_drawing_takes_a_small_share_of_the_time(
    shown: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock on which a drawing takes a second, and nothing else any time."""
    widget, times = LiveErrors(), iter(range(1000))
    drawn: list[int] = []
    monkeypatch.setattr(live.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(
        live,
        "learning_curve",
        lambda history, *rest: drawn.append(len(history)) or learning_curve(history, *rest),
    )
    run(tmp_path, watchers=[widget])
    assert drawn == [0, 4]


def test_it_can_leave_nothing_behind(shown: list[object], tmp_path: Path) -> None:
    run(tmp_path, watchers=[LiveErrors(keep=False)])
    assert shown == []


def test_the_curves_are_those_of_the_history(tmp_path: Path) -> None:
    trained = run(tmp_path)
    (axis,) = learning_curve(trained.history, 4).axes
    training, test = axis.lines
    assert list(training.get_ydata()) == [epoch.train_error for epoch in trained.history]
    assert list(test.get_ydata()) == [epoch.test_error for epoch in trained.history]
    assert test.get_label() == f"test {trained.history[-1].test_error:.1%}"
    assert list(test.get_xdata()) == [1, 2, 3, 4]
