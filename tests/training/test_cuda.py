"""Training on a GPU. Skipped where there is none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers.small_set import PARTS, RECIPE, SmallSet, network, same
from tinyvgg.training.batches import Resident, Scaling
from tinyvgg.training.loop import train
from tinyvgg.training.watching import Epoch, Trained, Watcher

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def source(device: str) -> Resident:
    data = SmallSet()
    pixels = (data.images * 170).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return Resident(pixels.to(device), data.labels.to(device), Scaling())


def run(
    folder: Path, device: str = "cuda", watchers: Sequence[Watcher] = (), **changed: object
) -> tuple[Trained, torch.nn.Module]:
    model = network().to(device)
    recipe = replace(RECIPE, epochs=6, **changed)
    return train(model, source(device), PARTS, recipe, 7, folder, watchers=watchers), model


def test_it_trains_as_the_processor_does(tmp_path: Path) -> None:
    (here, model), (there, other) = run(tmp_path / "gpu"), run(tmp_path / "cpu", "cpu")
    for one, two in zip(here.history, there.history, strict=True):
        assert one.train_loss == pytest.approx(two.train_loss, rel=1e-3)
        assert one.gradients == pytest.approx(two.gradients, rel=1e-2)
    for left, right in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left.cpu(), right, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_killed_between_epochs_it_ends_with_the_same_bits(tmp_path: Path, optimiser: str) -> None:
    whole, model = run(tmp_path / "whole", optimiser=optimiser, rate=0.01)

    class Stop(Watcher):
        def epoch(self, epoch: Epoch, images: int) -> None:
            if epoch.epoch == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", watchers=[Stop()], optimiser=optimiser, rate=0.01)
    resumed, other = run(tmp_path / "cut", optimiser=optimiser, rate=0.01)
    assert resumed.history == whole.history
    assert same(model, other)


def test_fewer_bits_change_the_losses_a_little(tmp_path: Path) -> None:
    full = run(tmp_path / "full")[0].history[-1]
    fewer = run(tmp_path / "fewer", precision="bfloat16")[0].history[-1]
    assert fewer.train_loss == pytest.approx(full.train_loss, rel=0.05)
