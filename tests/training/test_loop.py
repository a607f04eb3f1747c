"""The training loop."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.small_set import PARTS, RECIPE, SmallSet, cut, network, run, same
from tinyvgg.errors import UserError
from tinyvgg.faces.splits import Split
from tinyvgg.training.loop import order, precision_on
from tinyvgg.training.settings import Recipe
from tinyvgg.training.watching import Watcher


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.Adagrad])
def test_a_step_is_that_of_torchs_optimiser(tmp_path: Path, kind: type) -> None:
    model, by_hand, data = network().double(), network().double(), SmallSet()
    data.images = data.images.double()
    name = kind.__name__.lower()
    history = run(tmp_path, data, model, Recipe(2, 22, 0.01, optimiser=name)).history
    optimiser = kind(by_hand.parameters(), lr=0.01)
    for epoch in range(2):
        rows = PARTS.train[order(22, 7, epoch)]
        loss = nn.functional.cross_entropy(by_hand(data.images[rows]), data.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert history[epoch].train_loss == pytest.approx(loss.item())
    for parameter, expected in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(parameter, expected)


def test_history_is_what_the_network_got_wrong(tmp_path: Path) -> None:
    model, data = network(), SmallSet()
    parts = Split(PARTS.train, PARTS.test[:5], PARTS.test[5:])
    last = run(tmp_path, data, model, parts=parts).history[-1]
    for name in ("test", "validation"):
        rows = getattr(parts, name)
        with torch.no_grad():
            logits = model(data.images[rows])
        wrong = (logits.argmax(1) != data.labels[rows]).double().mean()
        assert getattr(last, f"{name}_error") == pytest.approx(float(wrong))
        expected = nn.functional.cross_entropy(logits, data.labels[rows])
        assert getattr(last, f"{name}_loss") == pytest.approx(float(expected), rel=1e-5)


def test_gradient_norms_are_those_of_the_sampled_steps(tmp_path: Path) -> None:
    data, by_hand = SmallSet(), network()
    (epoch,) = run(tmp_path, data, recipe=Recipe(epochs=1, batch=11, rate=0.1)).history
    optimiser = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    squares = []
    for rows in np.split(PARTS.train[order(22, 7, 0)], 2):
        optimiser.zero_grad()
        nn.functional.cross_entropy(by_hand(data.images[rows]), data.labels[rows]).backward()
        gradient = by_hand.features[0].weight.grad
        squares.append(float(gradient.norm() ** 2))
        optimiser.step()
    assert epoch.gradients["features.0"] == pytest.approx(np.mean(squares) ** 0.5, rel=1e-4)
    assert [name for name in epoch.gradients if "features" in name] == [
        f"features.{place}" for place in (0, 2, 5, 7, 10, 12)
    ]


RECIPES = {
    "plain": RECIPE,
    "adam": replace(RECIPE, optimiser="adam", rate=0.01),
    "adagrad": replace(RECIPE, optimiser="adagrad", rate=0.01),
    "best on the test part": Recipe(epochs=30, batch=5, rate=0.05, selection="test"),
    "until it has fitted": Recipe(200, 5, 0.0007, "adam", selection="test", ending="fitted"),
}


@pytest.mark.parametrize(
    ("name", "step", "every"),
    [*(("plain", step, 60.0) for step in (1, 5, 6, 7, 23)), ("adam", 9, 0.0), ("adagrad", 9, 0.0)]
    + [("best on the test part", step, 60.0) for step in (40, 150)]
    + [("until it has fitted", step, 60.0) for step in (100, 190, 203)],
)
def test_interrupted_it_ends_with_the_same_bits(
    tmp_path: Path, name: str, step: int, every: float
) -> None:
    whole, resumed, recipe = network(), network(), RECIPES[name]
    expected = run(tmp_path / "whole", None, whole, recipe)
    cut(tmp_path / "cut", step, recipe=recipe, every=every)
    trained = run(tmp_path / "cut", None, resumed, recipe)
    assert replace(trained, seconds=(), sessions=1) == replace(expected, seconds=())
    assert same(whole, resumed)


def test_no_step_before_the_last_checkpoint_is_done_again(tmp_path: Path) -> None:
    cut(tmp_path, 3, every=0.0)
    data, again = SmallSet(), SmallSet()
    history = run(tmp_path, data, every=0.0).history
    assert [len(rows) for rows in data.seen[:3]] == [5, 2, 8]
    assert run(tmp_path, again).history == history
    assert again.seen == []


def test_each_epoch_sees_all_training_images_in_an_order_of_its_own(tmp_path: Path) -> None:
    moving, fixed = SmallSet(), SmallSet()
    run(tmp_path / "moving", moving)
    run(tmp_path / "fixed", fixed, recipe=replace(RECIPE, order="fixed"))
    epoch = moving.seen[:6]
    assert [len(rows) for rows in epoch] == [5, 5, 5, 5, 2, 8]
    assert sorted(itertools.chain(*epoch[:5])) == PARTS.train.tolist()
    assert epoch[5] == PARTS.test.tolist()
    assert epoch[:5] != moving.seen[6:11]
    assert fixed.seen[:5] == fixed.seen[6:11] == epoch[:5]


def test_bfloat16_trains_to_nearly_the_same_loss(tmp_path: Path) -> None:
    full, half = (
        run(tmp_path / name, recipe=replace(RECIPE, precision=name)).history[-1].train_loss
        for name in ("float32", "bfloat16")
    )
    assert full != half == pytest.approx(full, rel=0.02)


def test_auto_takes_the_precision_that_the_device_has_units_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [precision_on(name, "auto") for name in ("cuda:1", "mps")] == ["tf32", "float32"]
    for tiles, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=tiles: {"amx_bf16": has})
        trained, same = (
            run(tmp_path / f"{precision}-{asked}", recipe=replace(RECIPE, precision=asked))
            for asked in ("auto", precision)
        )
        assert trained.precision == same.precision == precision
        assert trained.history == same.history


def test_a_checkpoint_of_another_precision_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, precision="auto")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    run(tmp_path, recipe=recipe)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    with pytest.raises(UserError, match="is of another training: remove it"):
        run(tmp_path, recipe=recipe)


@pytest.mark.parametrize("selection", ["validation", "test"])
def test_the_epoch_with_the_fewest_errors_is_kept(tmp_path: Path, selection: str) -> None:
    recipe = Recipe(epochs=30, batch=5, rate=0.05, selection=selection)
    parts = Split(PARTS.train, PARTS.test[:4], PARTS.test[4:])
    model, data = network(), SmallSet()
    trained = run(tmp_path, data, model, recipe, parts)
    errors = [getattr(epoch, f"{selection}_error") for epoch in trained.history]
    assert trained.kept == 1 + errors.index(min(errors)) < 30
    by_itself = network()
    run(tmp_path / "short", SmallSet(), by_itself, replace(recipe, epochs=trained.kept), parts)
    assert same(model, by_itself)


def test_a_fitted_network_ends_after_five_epochs_without_a_training_error(tmp_path: Path) -> None:
    recipe = RECIPES["until it has fitted"]
    trained = run(tmp_path / "fitted", recipe=recipe)
    wrong = [epoch.train_error > 0 for epoch in trained.history]
    assert wrong[-6:] == [True, *[False] * 5]
    assert trained.ended == f"after {len(wrong)} epochs, the last 5 without a training error"
    most = replace(recipe, epochs=len(wrong) - 1)
    assert "the most that its recipe allows" in run(tmp_path / "most", recipe=most).ended


def test_the_epochs_that_a_recipe_names_are_tested(tmp_path: Path) -> None:
    always = RECIPES["until it has fitted"]
    recipe = replace(always, selection="last")
    seldom, each = (run(tmp_path / r.selection, recipe=r).history for r in (recipe, always))
    tests = [recipe.tests(epoch.epoch, round(22 * epoch.train_error)) for epoch in seldom]
    assert 5 < sum(tests) < len(tests)
    for done, here, there in zip(tests, seldom, each, strict=True):
        expected = (there.test_loss, there.test_error) if done else (None, None)
        assert (here.test_loss, here.test_error) == expected


def test_the_last_epoch_is_tested_where_labels_contradict_each_other(tmp_path: Path) -> None:
    data, (one, other) = SmallSet(), PARTS.train[:2]
    data.images[one], data.labels[one] = data.images[other], 1 - data.labels[other]
    apart = set()
    for rate in (0.0006, 0.001, 0.002):
        recipe = replace(RECIPES["until it has fitted"], selection="last", rate=rate)
        trained = run(tmp_path / str(rate), data, recipe=recipe)
        assert "the last 20 without fewer training errors" in trained.ended
        assert trained.history[-1].test_error is not None
        apart.add(len(trained.history) % 5)
    assert apart != {0}  # every fifth epoch is tested anyhow


def test_dropout_is_drawn_alike_after_an_interruption(tmp_path: Path) -> None:
    def dropping() -> nn.Module:
        made = network()
        made.classifier.insert(1, nn.Dropout(0.5))
        return made

    whole, resumed, without = dropping(), dropping(), network()
    expected = run(tmp_path / "whole", SmallSet(), whole).history
    assert run(tmp_path / "without", SmallSet(), without).history != expected
    cut(tmp_path / "cut", 9, dropping(), every=0.0)
    torch.rand(100)
    assert run(tmp_path / "cut", SmallSet(), resumed, every=0.0).history == expected


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    model = network()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    run(tmp_path, SmallSet(), model)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("every", "steps_done"), [(60.0, 6), (0.0, 8)])
def test_loss_that_is_no_number_keeps_the_checkpoint(
    tmp_path: Path, every: float, steps_done: int
) -> None:
    data = SmallSet()
    row = PARTS.train[order(22, 7, 1)][2 * 5]  # in the third batch of the second epoch
    clean, broken = data.images.clone(), data.images.clone()
    broken[row] = torch.nan

    class Break(Watcher):
        def epoch(self, *_: object) -> None:
            data.images = broken

    with pytest.raises(UserError, match=r"loss is nan in step 3 of epoch 2, .* 0\.05 may help"):
        run(tmp_path, data, watchers=[Break()], every=every)
    data.images, before = clean, len(data.seen)
    model, whole = network(), network()
    history = run(tmp_path, data, model).history
    assert len(data.seen) - before == 24 - steps_done
    assert history == run(tmp_path / "whole", SmallSet(), whole).history


def test_a_loss_that_is_no_number_at_once_says_that_nothing_is_kept(tmp_path: Path) -> None:
    data = SmallSet()
    data.images[:] = torch.inf
    with pytest.raises(UserError, match=r"step 1 of epoch 1, .*there was no checkpoint before"):
        run(tmp_path, data)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_the_parts_cannot_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch 23 exceeds the 22 training images; choose 1 to 22"):
        run(tmp_path, recipe=Recipe(batch=23))
    with pytest.raises(UserError, match="'validation' needs a validation part"):
        run(tmp_path, recipe=replace(RECIPE, selection="validation"))
