"""Watchers of a training hear everything once, and change nothing."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import tqdm.notebook

from tests.helpers.small_set import RECIPE, SmallSet, cut, network, run, same
from tinyvgg.training import watching
from tinyvgg.training.settings import Recipe
from tinyvgg.training.watching import Epoch, Plan, ProgressBar, Watcher


class Notebook(Watcher):
    """Notes every call."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.epochs: list[Epoch] = []
        self.said: list[str] = []
        self.images = self.ends = 0

    def begin(self, plan: Plan) -> None:
        self.plans.append(plan)

    def step(self, images: int, loss: float, error: float) -> None:
        assert images > 0
        assert 0 <= error <= 1
        assert np.isfinite(loss)
        self.images += images

    def epoch(self, epoch: Epoch, images: int) -> None:
        self.images += images
        self.epochs.append(epoch)

    def say(self, text: str) -> None:
        self.said.append(text)

    def end(self) -> None:
        self.ends += 1


@pytest.mark.parametrize("every", [0.0, 60.0])
def test_every_image_is_told_of_once(tmp_path: Path, every: float) -> None:
    notes = Notebook()
    trained = run(tmp_path, watchers=[notes], every=every)
    assert notes.images == 4 * 22
    assert tuple(notes.epochs) == trained.history
    assert notes.ends == 1


def test_after_an_interruption_the_plan_says_what_is_done(tmp_path: Path) -> None:
    notes = Notebook()
    cut(tmp_path, 9, watchers=[notes], every=0.0)
    assert notes.ends == 1
    run(tmp_path, watchers=[notes], every=0.0)
    first, second = notes.plans
    assert (first.recipe, first.images, first.done, first.history) == (RECIPE, 22, 0, ())
    assert (second.done, len(second.history)) == (15, 1)


def test_the_bar_shows_loss_and_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = run(tmp_path, watchers=[ProgressBar("training")], every=0.0)
    shown = re.split(r"[\r\n]", capsys.readouterr().err)
    last, final = trained.history[-1], [line for line in shown if "%" in line][-1]
    assert "88.0/88.0" in final
    assert re.search(r"\[\d\d:\d\d<00:00, .*image/s", final)
    assert f"epoch 4/4, loss {last.train_loss:.3f}, error {last.train_error:.1%}" in final
    assert f"test error {last.test_error:.1%}" in final


def test_the_bar_keeps_the_last_test_error() -> None:
    bar = ProgressBar("training")
    bar.begin(Plan(Recipe(), images=22, done=0, history=()))
    for number, tested in enumerate((0.5, 0.25, None), start=1):
        bar.epoch(Epoch(number, 1.0, 0.0, tested, tested, None, None, {}), 22)
    assert "epoch 3/" in bar.bar.postfix
    assert "test error 25.0%" in bar.bar.postfix
    bar.end()


def test_a_notebooks_bar_that_ends_early_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "tqdm", tqdm.notebook.tqdm)
    bar = ProgressBar("training")
    trained = run(tmp_path, recipe=Recipe(200, 5, 0.003, "adam", ending="fitted"), watchers=[bar])
    drawn = bar.bar.container.children[1]
    assert drawn.max == drawn.value == 22 * len(trained.history) < 22 * 200
    assert drawn.bar_style == "success"


def test_a_bar_that_ends_early_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Recipe(200, 5, 0.003, "adam", ending="fitted")
    cut(tmp_path, 40, recipe=recipe, watchers=[ProgressBar("training")])
    assert "/4.40k" in capsys.readouterr().err
    trained = run(tmp_path, recipe=recipe, watchers=[ProgressBar("training")])
    last = re.split(r"[\r\n]", capsys.readouterr().err.rstrip())[-1]
    epochs = len(trained.history)
    assert epochs < 200
    assert f"{22 * epochs}/{22 * epochs} [" in last
    assert f"epoch {epochs} of at most 200, loss" in last


def test_the_constant_loss_is_the_entropy_of_the_labels() -> None:
    labels = np.array([0, 0, 0, 2])
    logits = torch.log(torch.tensor([0.75, 1e-30, 0.25])).expand(4, 3)
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
    assert watching.constant_loss(labels) == pytest.approx(float(expected))
    assert watching.constant_loss(np.arange(8)) == pytest.approx(np.log(8))


def test_a_training_that_is_stuck_says_so_and_again_at_each_doubling(tmp_path: Path) -> None:
    notes, data = Notebook(), SmallSet()
    data.images[:] = 0.5
    stuck = run(tmp_path, data, recipe=Recipe(45, 11, 1e-4), watchers=[notes])
    numbers = [re.search(r"after (\d+) epochs the loss is ([\d.]+)", said) for said in notes.said]
    assert [int(found[1]) for found in numbers if found] == [10, 20, 40]
    tenth = stuck.history[watching.PLATEAU_EPOCHS - 1]
    assert f"a constant predictor's is {np.log(2):.4f}" in notes.said[0]
    assert f"the loss is {tenth.train_loss:.4f}" in notes.said[0]
    assert "standardised pixels may help" in notes.said[0]
    for layer, norm in tenth.gradients.items():
        assert f"{layer} {norm:.1e}" in notes.said[0]


def test_one_that_learns_says_nothing(tmp_path: Path) -> None:
    notes = Notebook()
    learning = run(tmp_path, recipe=Recipe(20, 5, 0.01, "adam"), watchers=[notes])
    assert notes.said == []
    left = watching.left_plateau(learning.history, np.log(2))
    assert left is not None
    assert learning.history[left - 1].train_loss < 0.97 * np.log(2)
    assert all(e.train_loss >= 0.97 * np.log(2) for e in learning.history[: left - 1])


def test_watchers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    watched, alone = network(), network()
    run(tmp_path / "a", SmallSet(), watched, watchers=[Notebook(), ProgressBar("")])
    run(tmp_path / "b", SmallSet(), alone)
    assert same(watched, alone)
