"""The processes that train one network together: one alone, or several under torchrun.

Several share each batch by Lightning Fabric, which sets up the group, wraps the model and averages
gradients: the same on a processor, on several GPUs and on several machines.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from tinyvgg.errors import UserError
from tinyvgg.extras import need

Rows = Int[np.ndarray, "_"]


class Team:
    """The processes that train together: this one alone.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
        device: that this one trains on.
    """

    rank, size = 0, 1

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def prepare(
        self, model: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The model and its optimiser as the steps use them."""
        return model, optimiser

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss, averaged over the processes."""
        loss.backward()

    def total(self, values: Tensor) -> Tensor:
        """Values summed over the processes."""
        return values

    def agree(self, value: Any) -> Any:
        """What the first process says; the others wait for it."""
        return value


class Together(Team):
    """One of several processes that torchrun started.

    Args:
        device: kind of device: ``cpu``, or ``cuda``, of which each process takes one.
    """

    def __init__(self, device: str) -> None:
        need("parallel", "lightning_fabric")
        from lightning_fabric import Fabric

        here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
        everywhere = int(os.environ["WORLD_SIZE"])
        self.fabric = Fabric(
            accelerator=device, devices=here, num_nodes=everywhere // here, strategy="ddp"
        )
        self.fabric.launch()
        self.rank, self.size = self.fabric.global_rank, self.fabric.world_size
        self.device = str(self.fabric.device)

    def prepare(
        self, model: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """See `Team`; wrapped, so that gradients are averaged while they are computed."""
        wrapped, with_it = self.fabric.setup(model, optimiser)
        return wrapped, with_it

    def backward(self, loss: Tensor) -> None:
        """See `Team`."""
        self.fabric.backward(loss)

    def total(self, values: Tensor) -> Tensor:
        """See `Team`."""
        summed = self.fabric.all_reduce(values.to(self.fabric.device, copy=True), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed.to(values.device)

    def agree(self, value: Any) -> Any:
        """See `Team`."""
        return self.fabric.broadcast(value)


def assemble(device: str) -> Team:
    """The team of this process: alone, unless torchrun started several.

    Args:
        device: kind of device to train on.
    """
    return Together(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Team(device)


def shared(groups: Sequence[Rows], team: Team) -> list[tuple[Rows, int]]:
    """This process's part of each batch, and how many rows at its end only fill it up.

    Every process takes every size-th row. One that gets none takes one that does not count, since
    all have to take part in each step.
    """
    parts = [group[team.rank :: team.size] for group in groups]
    return [
        (part, 0) if len(part) else (group[:1], 1)
        for part, group in zip(parts, groups, strict=True)
    ]


def check_device(device: str | None) -> str:
    """A device to train on; the best there is for None.

    Raises:
        UserError: an unknown device, or one that this machine lacks.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device is None:
        return next(name for name, found in there.items() if found)
    kind = device.partition(":")[0]
    if kind not in there:
        raise UserError(f"device {device!r} is not one of {', '.join(there)}")
    if not there[kind]:
        usable = ", ".join(name for name, found in there.items() if found)
        raise UserError(f"device {device!r} is not there; this machine has {usable}")
    return device
