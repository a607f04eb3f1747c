"""What each of two processes does together: train the small set in several ways."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.helpers.small_set import PARTS, RECIPE, SmallSet, network, run
from tinyvgg.errors import UserError
from tinyvgg.faces.splits import Split
from tinyvgg.training.loop import assemble, order
from tinyvgg.training.settings import Recipe
from tinyvgg.training.watching import Epoch, Watcher

WAYS: dict[str, dict[str, Any]] = {
    "incomplete last batch": {"recipe": RECIPE},
    "last batch of one image": {"recipe": replace(RECIPE, batch=3)},
    "a single batch": {"recipe": replace(RECIPE, batch=22)},
    "one image a step": {"recipe": replace(RECIPE, batch=1, rate=0.01)},
    "adagrad": {"recipe": replace(RECIPE, optimiser="adagrad", rate=0.01)},
    "best on validation": {
        "recipe": replace(RECIPE, selection="validation"),
        "parts": Split(PARTS.train, PARTS.test[:5], PARTS.test[5:]),
    },
}
RESUMED = "begun by one process"
BROKEN = "an image of the second process is broken"


class Count(Watcher):
    """A watcher that counts images."""

    images = 0

    def step(self, images: int, loss: float, error: float) -> None:
        self.images += images

    def epoch(self, epoch: Epoch, images: int) -> None:
        self.images += images


def train_way(name: str, folder: Path, fabric: Any = None) -> dict[str, Any]:
    """Train in one of the ways, and return the history; the weights go into a file."""
    model, count = initialised(), Count()
    watchers = [] if fabric and fabric.global_rank else [count]
    trained = run(folder / name, SmallSet(), model, fabric=fabric, watchers=watchers, **WAYS[name])
    found = outcome(trained, model, folder / f"{name}.safetensors", fabric)
    return {**found, "images": count.images or None}


def initialised() -> torch.nn.Module:
    """Return a network that learns within a few epochs."""
    model = network()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(layer.weight)
    return model


def outcome(trained: Any, model: torch.nn.Module, path: Path, fabric: Any) -> dict[str, Any]:
    if fabric is None or fabric.global_rank == 0:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    return {"history": [asdict(epoch) for epoch in trained.history], "kept": trained.kept}


def broken(folder: Path, fabric: Any = None) -> str:
    """Return the error for an epoch in which the second process's last image is not a number."""
    data = SmallSet()
    batch = PARTS.train[order(22, 7, 0)][20:]
    data.images[batch[1]] = torch.nan
    try:
        run(folder / BROKEN, data, initialised(), Recipe(epochs=3, batch=5), fabric=fabric)
    except UserError as error:
        return str(error)
    return ""


def main(folder: Path) -> None:
    fabric = assemble("cpu")
    found: dict[str, Any] = {name: train_way(name, folder, fabric) for name in WAYS}
    model = initialised()
    resumed = run(folder / RESUMED, SmallSet(), model, fabric=fabric)
    found[RESUMED] = outcome(resumed, model, folder / f"{RESUMED}.safetensors", fabric)
    found[BROKEN] = broken(folder, fabric)
    (folder / f"found-{fabric.global_rank}.json").write_text(json.dumps(found))
