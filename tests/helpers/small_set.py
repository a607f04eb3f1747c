"""Thirty small random images of two classes, and a network that can classify them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tinyvgg import files as paths
from tinyvgg.faces.splits import Split
from tinyvgg.training.batches import Resident
from tinyvgg.training.loop import train
from tinyvgg.training.settings import Recipe
from tinyvgg.training.tiny_vgg import TinyVGG
from tinyvgg.training.watching import Trained, history_table

RECIPE = Recipe(epochs=4, batch=5, rate=0.05)
PARTS = Split(np.arange(0, 22), np.arange(22, 30))


class SmallSet(Resident):
    """A set that notes the requested rows, and can interrupt after some batches."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        images = torch.rand(30, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        labels = torch.arange(30) % 2
        images[labels == 1, 0] += 0.5
        seen: list[list[int]] = []
        vars(self).update(images=images, labels=labels, interrupt_at=interrupt_at, seen=seen)

    def batches(self, groups: Sequence[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in groups:
            if len(self.seen) == self.interrupt_at:
                raise KeyboardInterrupt
            self.seen.append(rows.tolist())
            chosen = torch.from_numpy(rows)
            yield self.images[chosen], self.labels[chosen]


def network(seed: int = 0) -> TinyVGG:
    torch.manual_seed(seed)
    return TinyVGG(2, size=16, maps=4, dense=(8, 8))


def run(
    folder: Path,
    data: SmallSet | None = None,
    model: torch.nn.Module | None = None,
    recipe: Recipe = RECIPE,
    parts: Split = PARTS,
    **options: Any,
) -> Trained:
    """Train with every default of these tests."""
    options = {"every": 60.0, **options}
    return train(model or network(), data or SmallSet(), parts, recipe, 7, folder, **options)


def cut(folder: Path, step: int, model: torch.nn.Module | None = None, **options: Any) -> None:
    """Train until a step interrupts it."""
    with pytest.raises(KeyboardInterrupt):
        run(folder, SmallSet(interrupt_at=step), model, **options)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Return whether two networks have the same weights, bit for bit."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


def to_the_end(folder: Path, recipe: Recipe) -> None:
    """Train in a child process with a checkpoint every step; write weights and history."""
    paths.remove_leftovers(folder)
    model = network()
    parts = Split(PARTS.train, PARTS.test[:4], PARTS.test[4:])
    trained = run(folder, SmallSet(), model, recipe, parts, every=0.0)
    history_table(trained.history).to_csv(folder / "history.csv", index=False)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "weights.safetensors",
    )
