"""The training loop: deterministic, watched, and able to go on where it was killed."""

import ctypes
import hashlib
import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyvgg.errors import UserError, need
from tinyvgg.faces.sources import DEVICES
from tinyvgg.faces.sources import check_device as check_kind
from tinyvgg.training import checkpoints
from tinyvgg.training import watching as diagnosis
from tinyvgg.training.batches import Resident, Rows
from tinyvgg.training.checkpoints import Checkpoint
from tinyvgg.training.settings import Recipe
from tinyvgg.training.watching import Epoch, Plan, Trained, Watcher, watched

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def repeatable(precision: str) -> Iterator[None]:
    """Deterministic kernels, the precision asked for, and global generators left as they were.

    Args:
        precision: as `tinyvgg.training.settings.Recipe` names it.
    """
    _keep_freed_memory()
    os.environ.setdefault(CUBLAS, ":4096:8")  # read when CUDA's linear algebra starts
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    few = precision == "tf32"
    products = torch.backends.cuda.matmul.allow_tf32
    with (
        torch.random.fork_rng(devices=gpus),
        torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=few),
    ):
        torch.backends.cuda.matmul.allow_tf32 = few
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = products


def seed_step(seed: int, epoch: int, step: int, rank: int) -> None:
    """Seed what dropout draws from: it follows from the step's place, whatever ran before."""
    state = np.random.SeedSequence([seed, epoch, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) >> 1)


def _keep_freed_memory() -> None:
    """Ask glibc not to give freed blocks back to the kernel at each step.

    The page faults cost a third of the training time on the CPU. Elsewhere this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    try:
        allocator = ctypes.CDLL(None)
        allocator.mallopt(mmap_max, 0)
        allocator.mallopt(trim_threshold, 2**31 - 1)
        allocator.mallopt(top_pad, 2**26)
    except (OSError, AttributeError):
        return


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe over all parameters, with torch's defaults but for the rate."""
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "sgd": torch.optim.SGD,
        "adam": torch.optim.Adam,
        "adagrad": torch.optim.Adagrad,
    }
    return kinds[recipe.optimiser](model.parameters(), lr=recipe.rate)  # type: ignore[call-arg]


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Its state by the number of the parameter and the name of the quantity."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put back what `optimiser_tensors` gave."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def size() -> int:
    """How many processes torchrun started on all machines together; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """The number of this one, from 0."""
    return int(os.environ["RANK"]) if size() > 1 else 0


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
            num_nodes=size() // here,
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
    return _together(device.partition(":")[0]) if size() > 1 else Team(device)


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
        "mps": not torch.backends.mps.is_available() or size() > 1,
    }
    there = [name for name in DEVICES if not absent.get(name)]
    named = check_kind(device) or there[0]
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


WARM_UP = 3
"""Steps before one is captured, in which libraries make what they need."""


@dataclass(frozen=True)
class Sums:
    """Sums over the steps of an epoch, on the device: no step has to wait for them.

    Attributes:
        loss: of the cross-entropies of this process's images.
        wrong: its images that were wrong.
        images: its images.
        steps: steps done.
        bad_step: the first step, from 1, whose loss was not finite; 0 for none.
        squares: for each layer the sum of the squared norms of its gradients.
        samples: steps at which these were taken.
    """

    loss: Tensor
    wrong: Tensor
    images: Tensor
    steps: Tensor
    bad_step: Tensor
    squares: Tensor
    samples: Tensor

    @classmethod
    def zero(cls, layers: int, device: torch.device) -> "Sums":
        """Before the first step."""
        real = torch.float32 if device.type == "mps" else torch.float64

        def none(dtype: torch.dtype, *size: int) -> Tensor:
            return torch.zeros(size, dtype=dtype, device=device)

        counts = {
            name: none(torch.int64) for name in ("wrong", "images", "steps", "bad_step", "samples")
        }
        return cls(loss=none(real), squares=none(real, layers), **counts)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """By name, for a checkpoint."""
        return dict(vars(self))

    def take(self, tensors: Mapping[str, Tensor], images: bool = True) -> None:
        """Go on from those of a checkpoint, in place.

        Args:
            tensors: by name.
            images: whether to take over what was summed over images; one process of several does.
        """
        for name, tensor in self.tensors.items():
            if images or name not in ("loss", "wrong", "images"):
                tensor.copy_(tensors[name])

    def clear(self) -> None:
        """Begin another epoch, in place."""
        for tensor in self.tensors.values():
            tensor.zero_()


class Step:
    """A step on one batch; the same instance serves a whole training.

    On a CUDA device a step on a full batch is captured once, as a graph of kernels, and replayed.

    Args:
        model: on its device.
        forward: what is called to run it; gives its logits.
        optimiser: of its parameters.
        recipe: the settings.
        team: the processes that share a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: nn.Module,
        optimiser: torch.optim.Optimizer,
        recipe: Recipe,
        team: Team,
    ) -> None:
        self.forward, self.optimiser, self.recipe, self.team = forward, optimiser, recipe, team
        self.layers = {
            name: layer.weight
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
        }
        self.device = next(model.parameters()).device
        self.sums = Sums.zero(len(self.layers), self.device)
        self._captured: _Captured | None = None
        self._warm = 0

    def __call__(
        self,
        images: Float[Tensor, "b 3 h w"],
        labels: Int[Tensor, "b"],
        filling: int = 0,
        size: int | None = None,
    ) -> None:
        """Follow the gradient of a batch's mean cross-entropy once, and add to the sums.

        Args:
            images: this process's part of the batch.
            labels: of these.
            filling: how many images at the end do not count, but make up for a missing one.
            size: images of the batch in all processes; None for those handed over.
        """
        if not self._can_capture(len(labels)):
            self._run(images, labels, filling, size)
        elif self._captured:
            self._captured.replay(images, labels)
        elif self._warm < WARM_UP:
            self._warm += 1
            self._run_aside(images, labels)
        else:
            self._captured = _Captured(self, images, labels)
            self._captured.replay(images, labels)

    @torch.no_grad()
    def sample_gradients(self) -> None:
        """Add the norms of the last step's gradients to the sums."""
        gradients = [weight.grad for weight in self.layers.values()]
        if self._captured and self._captured.was_last:
            gradients = self._captured.gradients
        norms = [g.norm() if g is not None else self.sums.loss.new_zeros(()) for g in gradients]
        self.sums.squares.add_(torch.stack(norms).to(self.sums.squares.dtype).square())
        self.sums.samples.add_(1)

    def gradient_norms(self) -> dict[str, float]:
        """Root mean square, over the steps sampled, of the norm of each layer's gradient."""
        samples = max(1, int(self.sums.samples))
        return dict(zip(self.layers, (self.sums.squares / samples).sqrt().tolist(), strict=True))

    def arithmetic(self) -> AbstractContextManager[object]:
        """Autocast where the recipe asks for bfloat16."""
        if self.recipe.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _run(self, images: Tensor, labels: Tensor, filling: int, size: int | None) -> None:
        if self._captured:
            self._captured.was_last = False
        self.optimiser.zero_grad(set_to_none=True)
        counting = len(labels) - filling
        labels = labels[:counting]
        with self.arithmetic():
            logits = self.forward(images)[:counting]
            loss = F.cross_entropy(logits, labels, reduction="sum")
        # the team averages gradients over its processes
        self.team.backward(loss * (self.team.size / (counting if size is None else size)))
        self.optimiser.step()
        self._add(loss.detach(), logits.detach().argmax(1) != labels)

    @torch.no_grad()
    def _add(self, loss: Tensor, wrong: Tensor) -> None:
        sums = self.sums
        sums.loss.add_(loss)
        sums.wrong.add_(wrong.sum())
        sums.images.add_(len(wrong))
        sums.steps.add_(1)
        first = loss.isfinite().logical_not() & (sums.bad_step == 0)
        sums.bad_step.copy_(torch.where(first, sums.steps, sums.bad_step))

    def _can_capture(self, images: int) -> bool:
        """Whether a step is a full batch on one GPU by an optimiser that can be captured."""
        return (
            self.device.type == "cuda"
            and self.team.size == 1
            and images == self.recipe.batch
            and self.recipe.optimiser == "sgd"
        )

    def _run_aside(self, images: Tensor, labels: Tensor) -> None:
        """One step on another stream, as a capture will be."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._run(images, labels, 0, None)
        torch.cuda.current_stream().wait_stream(stream)


class _Captured:
    """A step as a graph of kernels that is launched at once."""

    def __init__(self, step: Step, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images.clone(), labels.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.was_last = False
        with torch.cuda.graph(self.graph):
            step._run(self.images, self.labels, 0, None)
        self.gradients = [weight.grad for weight in step.layers.values()]

    def replay(self, images: Tensor, labels: Tensor) -> None:
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        self.was_last = True


BATCH = 48


@torch.no_grad()
def predict(
    model: nn.Module, source: Resident, rows: Int[np.ndarray, "b"]
) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b"]]:
    """Logits and labels of rows, on the CPU; the model is left in evaluation mode."""
    model.eval()
    parts = [
        (model(images).cpu(), labels.cpu()) for images, labels in source.batches(_batches(rows))
    ]
    return torch.cat([logits for logits, _ in parts]), torch.cat([labels for _, labels in parts])


@torch.no_grad()
def evaluate(
    model: nn.Module, source: Resident, rows: Int[np.ndarray, "b"], team: Team
) -> tuple[float, float]:
    """Mean cross-entropy and share of errors on rows; the model is left in evaluation mode."""
    model.eval()
    groups = shared(_batches(rows), team)
    loss, wrong = 0.0, 0
    batches = source.batches([group for group, _ in groups])
    for (images, labels), (_, filling) in zip(batches, groups, strict=True):
        counting = len(labels) - filling
        logits, labels = model(images)[:counting], labels[:counting]
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
        wrong += int((logits.argmax(1) != labels).sum())
    totals = team.total(torch.tensor([loss, wrong], dtype=torch.float64)).tolist()
    return totals[0] / len(rows), totals[1] / len(rows)


def _batches(rows: Int[np.ndarray, "b"]) -> Sequence[Int[np.ndarray, "_"]]:
    return np.split(rows, range(BATCH, len(rows), BATCH))


GRADIENT_SAMPLES = 8
"""Steps of an epoch, spread evenly, at which the norms of the gradients are taken."""
LOOK_SECONDS = 0.5
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class Parts:
    """Rows of the images, by what they are for.

    Attributes:
        train: to learn from.
        test: to test on after each epoch. They decide nothing, unless the recipe says so.
        validation: to choose the epoch by, where the recipe says so.
    """

    train: Rows
    test: Rows
    validation: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def train(
    model: nn.Module,
    source: Resident,
    parts: Parts,
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    team: Team | None = None,
    watchers: Sequence[Watcher] = (),
    name: str = "",
    every: float = CHECKPOINT_SECONDS,
) -> Trained:
    """Train a model in place, going on from its checkpoint if there is one.

    A run that was killed, whenever and however often, ends with the same weights and history, bit
    for bit, as one that was not: every step follows from the weights, the seed and its place.

    Args:
        model: initialised, on the device to train on.
        source: gives images and labels of rows, on that device.
        parts: the rows.
        recipe: the settings.
        seed: of the order of the images, and of dropout.
        folder: where checkpoints are written, after each epoch and from time to time within one.
        team: the processes that train together; None for this one alone.
        watchers: are told how it goes.
        name: of the training; a checkpoint of another one is refused.
        every: seconds between checkpoints within an epoch.

    Raises:
        UserError: a batch larger than the training part, checkpoints that are damaged or of
            another training, no space for one, or a loss that is no longer finite.
    """
    _check(recipe, parts)
    with repeatable(recipe.precision):
        training = _Training(
            model=model,
            source=source,
            parts=parts,
            recipe=recipe,
            seed=seed,
            folder=folder,
            team=team or Team(str(next(model.parameters()).device)),
            watchers=watchers,
            name=_identity(model, parts, recipe, seed, name),
            every=every,
        )
        return training.run()


def order(count: int, seed: int, epoch: int, reshuffled: bool = True) -> Int[np.ndarray, "n"]:
    """The order of the training images in an epoch; it depends on nothing else."""
    return np.random.default_rng([seed, epoch if reshuffled else 0]).permutation(count)


@dataclass
class _Training:
    """A training between two of its steps."""

    model: nn.Module
    source: Resident
    parts: Parts
    recipe: Recipe
    seed: int
    folder: Path
    team: Team
    watchers: Sequence[Watcher]
    name: str
    every: float
    history: list[Epoch] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    kept: dict[str, Tensor] = field(default_factory=dict)
    done: int = 0
    elapsed: float = 0.0
    sessions: int = 1

    def __post_init__(self) -> None:
        self.optimiser = make_optimiser(self.model, self.recipe)
        # convolutions are up to twice as fast with the channels last in memory
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        forward, stepping = self.team.prepare(self.model, self.optimiser)
        self.step = Step(self.model, forward, stepping, self.recipe, self.team)
        labels = self.source.labels.cpu().numpy()[self.parts.train]
        self.constant = diagnosis.constant_loss(labels)

    def run(self) -> Trained:
        fault = self._resume()
        with watched(self.watchers, self._plan()):
            if fault:
                self._say(f"{fault}; going on from the one before it")
            while len(self.history) < self.recipe.epochs:
                self._epoch()
        if self.kept:
            self.model.load_state_dict(self.kept)
        return Trained(tuple(self.history), tuple(self.seconds), self._best(), self.sessions)

    def _epoch(self) -> None:
        """What is left of an epoch, its tests, a checkpoint."""
        started = time.perf_counter() - self.elapsed
        looked = saved = time.perf_counter()
        reported = self._seen()
        self.model.train()
        for seen in self._steps():
            now = time.perf_counter()
            if now - looked < min(LOOK_SECONDS, self.every):
                continue
            looked, self.elapsed = now, now - started
            self._look(seen - reported)
            reported = seen
            if now - saved >= self.every and self.team.size == 1:
                saved = now
                self._save()
        self._complete(self._seen() - reported, started)

    def _steps(self) -> Iterator[int]:
        """Do the steps that are left of an epoch; gives the images seen of it."""
        groups = self._groups()
        sampled = {round(place) for place in np.linspace(0, len(groups) - 1, GRADIENT_SAMPLES)}
        mine = shared(groups[self.done :], self.team)
        batches = self.source.batches([rows for rows, _ in mine])
        for (images, labels), (_, filling) in zip(batches, mine, strict=True):
            seed_step(self.seed, len(self.history), self.done, self.team.rank)
            self.step(images, labels, filling, len(groups[self.done]))
            if self.done in sampled:
                self.step.sample_gradients()
            self.done += 1
            yield self._seen()

    def _seen(self) -> int:
        """Images of the epoch under way that all processes together have seen."""
        return min(self.done * self.recipe.batch, len(self.parts.train))

    def _groups(self) -> list[Rows]:
        """The batches of an epoch."""
        rows, batch = self.parts.train, self.recipe.batch
        shuffled = self.recipe.order == "reshuffled"
        rows = rows[order(len(rows), self.seed, len(self.history), shuffled)]
        return np.split(rows, range(batch, len(rows), batch))

    def _complete(self, unreported: int, started: float) -> None:
        """Test, note the epoch, save, tell the watchers."""
        self._check_finite()
        epoch = self._tested()
        self.history.append(epoch)
        self.seconds.append(time.perf_counter() - started)
        if self.recipe.selection != "last" and self._best() == epoch.epoch:
            self.kept = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.done, self.elapsed = 0, 0.0
        self.step.sums.clear()
        self._save()
        for watcher in self.watchers:
            watcher.epoch(epoch, unreported)
        stuck = diagnosis.plateau(self.history, self.constant)
        if stuck:
            self._say(stuck)

    def _tested(self) -> Epoch:
        """The epoch that has just been trained, with its tests."""
        sums = self.step.sums
        own = torch.stack([sums.loss, sums.wrong.to(sums.loss), sums.images.to(sums.loss)])
        loss, wrong, images = self.team.total(own).tolist()
        on_test = evaluate(self.model, self.source, self.parts.test, self.team)
        held_out = self.parts.validation
        on_validation = (
            evaluate(self.model, self.source, held_out, self.team)
            if len(held_out)
            else (None, None)
        )
        return Epoch(
            epoch=len(self.history) + 1,
            train_loss=loss / images,
            train_error=wrong / images,
            test_loss=on_test[0],
            test_error=on_test[1],
            validation_loss=on_validation[0],
            validation_error=on_validation[1],
            gradients=self.step.gradient_norms(),
        )

    def _best(self) -> int:
        """Number of the epoch whose weights are kept, the earliest of equals."""
        if self.recipe.selection == "last":
            return len(self.history)
        error = f"{self.recipe.selection}_error"
        return min(self.history, key=lambda epoch: (getattr(epoch, error), epoch.epoch)).epoch

    def _look(self, images: int) -> None:
        """Stop if the loss is no number; tell the watchers of images since the last look.

        Processes look when they like, so that several ask each other only once an epoch is over.
        """
        if self.team.size == 1:
            self._check_finite()
        if not self.watchers:
            return
        sums = self.step.sums
        seen = int(sums.images)
        loss, error = float(sums.loss) / seen, int(sums.wrong) / seen
        for watcher in self.watchers:
            watcher.step(images, loss, error)

    def _check_finite(self) -> None:
        """Stop all processes alike if the loss of one of them is no number."""
        sums = self.step.sums
        loss = float(self.team.total(sums.loss))
        if not math.isfinite(loss):
            bad = torch.where(sums.bad_step > 0, sums.bad_step, torch.iinfo(torch.int64).max)
            place = (len(self.history) + 1, int(self.team.least(bad)))
            raise UserError(diagnosis.not_finite(loss, *place, self.recipe, self.folder))

    def _say(self, text: str) -> None:
        for watcher in self.watchers:
            watcher.say(text)

    def _plan(self) -> Plan:
        return Plan(self.recipe.epochs, len(self.parts.train), self._seen(), tuple(self.history))

    def _save(self) -> None:
        """Write a checkpoint; the first process does."""
        if self.team.rank:
            return
        groups = {
            "model": self.model.state_dict(),
            "optimiser": optimiser_tensors(self.optimiser),
            "sums": self.step.sums.tensors,
            "kept": self.kept,
        }
        checkpoint = Checkpoint(
            training=self.name,
            step=self.done,
            tensors={
                f"{g}.{key}": value for g, part in groups.items() for key, value in part.items()
            },
            history=tuple(self.history),
            seconds=tuple(self.seconds),
            elapsed=self.elapsed,
            sessions=self.sessions,
        )
        checkpoints.save(self.folder, checkpoint)

    def _resume(self) -> str:
        """Take over the last good checkpoint; returns what is wrong with a newer one."""
        first = self.team.rank == 0
        found, fault = self.team.agree(
            checkpoints.load(self.folder, self.name) if first else (None, "")
        )
        if found:
            self.model.load_state_dict(found.group("model"))
            restore_optimiser(self.optimiser, found.group("optimiser"))
            self.step.sums.take(found.group("sums"), first)
            device = self.step.device
            self.kept = {key: value.to(device) for key, value in found.group("kept").items()}
            self.history, self.seconds = list(found.history), list(found.seconds)
            self.done, self.elapsed = found.step, found.elapsed
            self.sessions = found.sessions + 1
        return str(fault)


def _check(recipe: Recipe, parts: Parts) -> None:
    images = len(parts.train)
    if recipe.batch > images:
        raise UserError(
            f"batch {recipe.batch} exceeds the {images} training images; choose 1 to {images}"
        )
    if recipe.selection == "validation" and not len(parts.validation):
        raise UserError("selection 'validation' needs a validation part, and none was given")


def _identity(model: nn.Module, parts: Parts, recipe: Recipe, seed: int, name: str) -> str:
    """What a checkpoint belongs to: the same settings, rows, seed and shapes, in one hash."""
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    plain = json.dumps([asdict(recipe), seed, name, shapes], sort_keys=True)
    digest = hashlib.sha256(plain.encode())
    for rows in (parts.train, parts.test, parts.validation):
        digest.update(rows.astype(np.int64).tobytes() + b"|")
    return digest.hexdigest()
