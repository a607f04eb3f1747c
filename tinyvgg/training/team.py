"""The processes that train one network together: one alone, or several under torchrun.

Several share each batch by Lightning Fabric, which sets up the group, wraps the model and averages
gradients: the same on a processor, on several GPUs and on several machines.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from tinyvgg import launch, parameters
from tinyvgg.errors import UserError
from tinyvgg.extras import need
from tinyvgg.training.sources import Rows

PATIENCE = timedelta(days=7)
"""How long processes wait for the first one, which may wait for another training to end."""


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

    def least(self, values: Tensor) -> Tensor:
        """The smallest of the processes' values."""
        return values

    def agree(self, value: Any) -> Any:
        """What the first process says; the others wait for it."""
        return value

    @contextmanager
    def first(self) -> Iterator[None]:
        """A block that the first process goes through before the others, which find it done."""
        if self.rank:
            self.agree(None)
        yield
        if not self.rank:
            self.agree(None)


class Together(Team):
    """One of several processes that torchrun started.

    Args:
        device: kind of device: ``cpu``, or ``cuda``, of which each process takes one.

    Raises:
        UserError: there are fewer GPUs than processes.
    """

    def __init__(self, device: str) -> None:
        need("parallel", "lightning_fabric")
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        _check_enough(device, here)
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.fabric = Fabric(
            accelerator=device,
            devices=here,
            num_nodes=launch.size() // here,
            strategy=DDPStrategy(timeout=PATIENCE),
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
        return self._reduced(values, "sum")

    def least(self, values: Tensor) -> Tensor:
        """See `Team`."""
        return self._reduced(values, "min")

    def agree(self, value: Any) -> Any:
        """See `Team`."""
        return self.fabric.broadcast(value)

    def _reduced(self, values: Tensor, how: str) -> Tensor:
        own = values.to(self.fabric.device, copy=True)
        reduced = self.fabric.all_reduce(own, reduce_op=how)
        assert isinstance(reduced, Tensor)
        return reduced.to(values.device)


def assemble(device: str) -> Team:
    """The team of this process: alone, unless torchrun started several.

    Args:
        device: to train on; of several GPUs each process takes its own.

    Raises:
        UserError: see `Together`.
    """
    return _together(device.partition(":")[0]) if launch.size() > 1 else Team(device)


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
    absent = {
        "cuda": not torch.cuda.is_available(),
        "mps": not torch.backends.mps.is_available() or launch.size() > 1,
    }
    there = [name for name in parameters.DEVICES if not absent.get(name)]
    named = parameters.check_device(device) or there[0]
    if named.partition(":")[0] not in there:
        raise UserError(f"device {device!r} is not there; this machine has {', '.join(there)}")
    return named


@cache
def _together(device: str) -> Together:
    """The team of a kind of device: processes form it once, for all that they train."""
    return Together(device)


def _check_enough(device: str, processes: int) -> None:
    gpus = torch.cuda.device_count()
    if device == "cuda" and processes > gpus:
        raise UserError(
            f"{processes} processes on this machine share {gpus} GPUs; start one for each GPU"
            f" (torchrun --nproc-per-node {gpus}), or choose device cpu"
        )
