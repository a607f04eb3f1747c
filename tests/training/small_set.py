"""Thirty small random images of two classes, and a network that can tell them apart."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tinyvgg.model import TinyVGG
from tinyvgg.training import Parts, Recipe, Trained, train

RECIPE = Recipe(epochs=4, batch=5, rate=0.05)
PARTS = Parts(np.arange(0, 22), np.arange(22, 30))


class SmallSet:
    """A source that notes the rows it was asked for, and can interrupt after some batches."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        generator = torch.Generator().manual_seed(1)
        self.labels = torch.arange(30) % 2
        self.images = torch.rand(30, 3, 16, 16, generator=generator)
        self.images[self.labels == 1, 0] += 0.5
        self.interrupt_at = interrupt_at
        self.seen: list[list[int]] = []

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
    parts: Parts = PARTS,
    **options: Any,
) -> Trained:
    """Train with every default of these tests."""
    options = {"every": 60.0, **options}
    return train(model or network(), data or SmallSet(), parts, recipe, 7, folder, **options)
