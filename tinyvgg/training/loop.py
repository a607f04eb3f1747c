"""The training loop: deterministic, watched, and able to go on where it was killed."""

import ctypes
import hashlib
import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn, optim

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_one_of
from tinyvgg.faces.splits import Split
from tinyvgg.training import checkpoints, watching
from tinyvgg.training.batches import Resident, Rows
from tinyvgg.training.checkpoints import Checkpoint
from tinyvgg.training.settings import Recipe, world_size
from tinyvgg.training.watching import Epoch, Plan, Trained, Watcher

DEVICES = ("cuda", "mps", "cpu")
PATIENCE = timedelta(days=7)
"""The longest wait for the first process, which may itself wait for another training to end."""
TEST_BATCH = 48
GRADIENT_SAMPLES = 8
"""Steps of an epoch, spread evenly, at which the norms of the gradients are taken."""
LOOK_SECONDS, CHECKPOINT_SECONDS = 0.5, 30.0


def check_device(device: str | None) -> str:
    """Return a device to train on; the best there is for None."""
    mps = torch.backends.mps.is_available() and world_size() == 1
    found = {"cuda": torch.cuda.is_available(), "mps": mps, "cpu": True}
    there = [name for name in DEVICES if found[name]]
    named = there[0] if device is None else device
    check_one_of("device", named.partition(":")[0], DEVICES)
    if named.partition(":")[0] not in there:
        raise UserError(f"device {device!r} is not there; this machine has {', '.join(there)}")
    return named


def precision_on(device: str, asked: str) -> str:
    """Return the precision of products; ``auto`` is short where the device has units for it."""
    if asked != "auto":
        return asked
    units: Any = getattr(torch.cpu, "get_capabilities", dict)()
    known = {"cuda": "tf32", "cpu": "bfloat16" if units.get("amx_bf16") else "float32"}
    return known.get(device.partition(":")[0], "float32")


@contextmanager
def repeatable(precision: str) -> Iterator[None]:
    """Use deterministic kernels and a recipe's precision; leave global generators as they were."""
    _keep_freed_memory()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
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


def _keep_freed_memory() -> None:
    """Ask glibc not to give freed blocks back to the kernel at each step.

    The page faults cost a third of the training time on the CPU. Elsewhere this does nothing.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            allocator = ctypes.CDLL(None)
            allocator.mallopt(mmap_max, 0)
            allocator.mallopt(trim_threshold, 2**31 - 1)
            allocator.mallopt(top_pad, 2**26)


def assemble(device: str) -> Any:
    """Return the `lightning_fabric.Fabric` of torchrun's processes; None where there is but one."""
    return _fabric(device.partition(":")[0]) if world_size() > 1 else None


@cache
def _fabric(accelerator: str) -> Any:
    """Let the processes find each other, once for all that they train."""
    here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if accelerator == "cuda" and here > gpus:
        raise UserError(
            f"{here} processes on this machine share {gpus} GPUs; start one for each GPU"
            f" (torchrun --nproc-per-node {gpus}), or choose device cpu"
        )
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    strategy = DDPStrategy(timeout=PATIENCE)
    nodes = world_size() // here
    fabric = Fabric(accelerator=accelerator, devices=here, num_nodes=nodes, strategy=strategy)
    fabric.launch()
    return fabric


def agree(fabric: Any, value: Any) -> Any:
    """Return the first process's value, for which the others wait."""
    return value if fabric is None else fabric.broadcast(value)


def _reduced(fabric: Any, values: Tensor, how: str = "sum") -> Tensor:
    """Return values summed over the processes, or the least of each."""
    if fabric is None:
        return values
    own = values.to(fabric.device, copy=True)
    reduced: Tensor = fabric.all_reduce(own, reduce_op=how)
    return reduced.to(values.device)


def _shared(groups: Sequence[Rows], rank: int, size: int) -> list[tuple[Rows, int]]:
    """Return this process's rows of each batch, and how many at its end only fill it up.

    A process that gets no row takes one that does not count: all have to take part in each step.
    """
    parts = [(group, group[rank::size]) for group in groups]
    return [(part, 0) if len(part) else (group[:1], 1) for group, part in parts]


@torch.no_grad()
def predict(
    model: nn.Module, source: Resident, rows: Int[np.ndarray, "b"]
) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b"]]:
    """Return logits and labels of rows, on the CPU; the model is left in evaluation mode."""
    model.eval()
    batches = source.batches(_test_groups(rows))
    parts = [(model(images).cpu(), labels.cpu()) for images, labels in batches]
    return torch.cat([logits for logits, _ in parts]), torch.cat([labels for _, labels in parts])


def _test_groups(rows: Int[np.ndarray, "b"]) -> list[Rows]:
    return np.split(rows, range(TEST_BATCH, len(rows), TEST_BATCH))


def train(
    model: nn.Module,
    source: Resident,
    parts: Split,
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    fabric: Any = None,
    watchers: Sequence[Watcher] = (),
    name: str = "",
    every: float = CHECKPOINT_SECONDS,
) -> Trained:
    """Train a model in place, on its device; go on from its checkpoint if it has one.

    A run that was killed, whenever and however often, ends with the same weights and history, bit
    for bit, as one that was not: every step follows from the weights, the seed and its place.
    Checkpoints are written into `folder` after each epoch, and after `every` seconds; one of a
    training with another `name` or other arguments is refused. Several processes share a `fabric`.
    """
    images = len(parts.train)
    if recipe.batch > images:
        raise UserError(
            f"batch {recipe.batch} exceeds the {images} training images; choose 1 to {images}"
        )
    if recipe.selection == "validation" and not len(parts.validation):
        raise UserError("selection 'validation' needs a validation part, and none was given")
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    rows = {part: numbers.tolist() for part, numbers in vars(parts).items()}
    device = str(next(model.parameters()).device)
    recipe = replace(recipe, precision=precision_on(device, recipe.precision))
    plain = json.dumps([asdict(recipe), seed, name, shapes, rows], sort_keys=True)
    identity = hashlib.sha256(plain.encode()).hexdigest()
    with repeatable(recipe.precision):
        return _Training(
            model, source, parts, recipe, seed, folder, fabric, watchers, identity, every
        ).run()


def order(count: int, seed: int, epoch: int, reshuffled: bool = True) -> Int[np.ndarray, "n"]:
    """Return the order of the training images in an epoch, which depends on these values alone."""
    return np.random.default_rng([seed, epoch if reshuffled else 0]).permutation(count)


@dataclass
class _Training:
    """A training between two of its steps."""

    model: nn.Module
    source: Resident
    parts: Split
    recipe: Recipe
    seed: int
    folder: Path
    fabric: Any
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
        make: Any = {"sgd": optim.SGD, "adam": optim.Adam, "adagrad": optim.Adagrad}
        self.optimiser = make[self.recipe.optimiser](self.model.parameters(), lr=self.recipe.rate)
        # convolutions are up to twice as fast with the channels last in memory
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.forward, self.stepping, self.rank, self.processes = self.model, self.optimiser, 0, 1
        if self.fabric is not None:
            self.forward, self.stepping = self.fabric.setup(self.model, self.optimiser)
            self.rank, self.processes = self.fabric.global_rank, self.fabric.world_size
        layers = self.model.named_modules()
        kinds = nn.Conv2d | nn.Linear
        self.weights: Any = {name: m.weight for name, m in layers if isinstance(m, kinds)}
        last = (len(self.parts.train) - 1) // self.recipe.batch  # step of an epoch, from 0
        self.sampled = {round(place) for place in np.linspace(0, last, GRADIENT_SAMPLES)}
        self.constant = watching.constant_loss(self.source.labels.cpu().numpy()[self.parts.train])
        device = next(self.model.parameters()).device
        real = torch.float32 if device.type == "mps" else torch.float64
        zero = torch.zeros((), dtype=torch.int64, device=device)
        # of the steps of an epoch, on the device, so that no step has to wait for them
        self.sums = {
            "loss": zero.to(real),
            "wrong": zero.clone(),
            "images": zero.clone(),
            "bad_step": zero.clone(),  # the first, from 1, whose loss was not finite; 0 for none
            "squares": zero.to(real).repeat(len(self.weights)),  # of sampled gradients' norms
        }

    def run(self) -> Trained:
        self._resume()
        plan = Plan(self.recipe, len(self.parts.train), self._seen(), tuple(self.history))
        with ExitStack() as ends:
            for watcher in self.watchers:
                watcher.begin(plan)
                ends.callback(watcher.end)
            while not (ended := plan.ended(self.history)):
                self._epoch()
        if self.kept:
            self.model.load_state_dict(self.kept)
        about = ended, self.recipe.precision, self.sessions
        return Trained(tuple(self.history), tuple(self.seconds), self._best(), *about)

    def _epoch(self) -> None:
        """Do the rest of an epoch, with its tests and a checkpoint."""
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
            if now - saved >= self.every and self.processes == 1:
                saved = now
                self._save()
        self._complete(self._seen() - reported, started)

    def _steps(self) -> Iterator[int]:
        """Do the steps that are left of an epoch; after each, yield the images seen of it."""
        rows, batch = self.parts.train, self.recipe.batch
        shuffled = self.recipe.order == "reshuffled"
        rows = rows[order(len(rows), self.seed, len(self.history), shuffled)]
        groups = np.split(rows, range(batch, len(rows), batch))
        mine = _shared(groups[self.done :], self.rank, self.processes)
        batches = self.source.batches([rows for rows, _ in mine])
        for (images, labels), (_, filling) in zip(batches, mine, strict=True):
            # dropout's draws follow from the step's place alone
            place = [self.seed, len(self.history), self.done, self.rank]
            state = np.random.SeedSequence(place).generate_state(1, np.uint64)
            torch.manual_seed(int(state[0]) >> 1)
            self._step(images, labels, filling, len(groups[self.done]))
            self.done += 1
            yield self._seen()

    def _step(
        self, images: Float[Tensor, "b 3 h w"], labels: Int[Tensor, "b"], filling: int, size: int
    ) -> None:
        """Follow the gradient of a batch's mean cross-entropy once, and add to the sums.

        The last `filling` images do not count, but make up for missing ones; `size` is the number
        of images of the batch in all processes.
        """
        self.stepping.zero_grad(set_to_none=True)
        counting = len(labels) - filling
        labels = labels[:counting]
        half = self.recipe.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            logits = self.forward(images)[:counting]
            loss = F.cross_entropy(logits, labels, reduction="sum")
        # Fabric averages gradients over its processes
        mean = loss * (self.processes / size)
        mean.backward() if self.fabric is None else self.fabric.backward(mean)
        self.stepping.step()
        sums, first = self.sums, loss.isfinite().logical_not() & (self.sums["bad_step"] == 0)
        sums["loss"].add_(loss.detach())
        sums["wrong"].add_((logits.argmax(1) != labels).sum())
        sums["images"].add_(counting)
        sums["bad_step"].masked_fill_(first, self.done + 1)
        if self.done in self.sampled:
            norms = torch.stack([weight.grad.norm() for weight in self.weights.values()])
            sums["squares"].add_(norms.to(sums["squares"]).square())

    def _seen(self) -> int:
        """Return the images of this epoch that all processes together have seen."""
        return min(self.done * self.recipe.batch, len(self.parts.train))

    def _complete(self, unreported: int, started: float) -> None:
        """Test, note the epoch, save, and report to the watchers."""
        self._check_finite()
        epoch = self._tested()
        self.history.append(epoch)
        self.seconds.append(time.perf_counter() - started)
        if self.recipe.selection != "last" and self._best() == epoch.epoch:
            self.kept = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.done, self.elapsed = 0, 0.0
        for values in self.sums.values():
            values.zero_()
        self._save()
        stuck = watching.plateau(self.history, self.constant)
        for watcher in self.watchers:
            watcher.epoch(epoch, unreported)
            if stuck:
                watcher.say(stuck)

    def _tested(self) -> Epoch:
        """Return the epoch that has just been trained, with its tests."""
        sums, number = self.sums, len(self.history) + 1
        own = [sums[name].to(sums["loss"]) for name in ("loss", "wrong", "images")]
        loss, wrong, images = _reduced(self.fabric, torch.stack(own)).tolist()
        norms = (sums["squares"] / len(self.sampled)).sqrt().tolist()
        gradients = dict(zip(self.weights, norms, strict=True))
        errors = [*(round(epoch.train_error * images) for epoch in self.history), int(wrong)]
        tested = self.recipe.tests(number, int(wrong)) or self.recipe.ended(errors, int(images))
        rows = self.parts.test if tested else self.parts.test[:0]
        test, held_out = map(self._evaluate, (rows, self.parts.validation))
        return Epoch(number, loss / images, wrong / images, *test, *held_out, gradients)

    @torch.no_grad()
    def _evaluate(self, rows: Int[np.ndarray, "b"]) -> tuple[Any, Any]:
        """Return mean cross-entropy and share of errors on rows; None for no rows."""
        if not len(rows):
            return None, None
        self.model.eval()
        groups = _shared(_test_groups(rows), self.rank, self.processes)
        loss, wrong = 0.0, 0
        batches = self.source.batches([group for group, _ in groups])
        for (images, labels), (_, filling) in zip(batches, groups, strict=True):
            counting = len(labels) - filling
            logits, labels = self.model(images)[:counting], labels[:counting]
            loss += float(F.cross_entropy(logits, labels, reduction="sum"))
            wrong += int((logits.argmax(1) != labels).sum())
        own = torch.tensor([loss, wrong], dtype=torch.float64)
        loss, errors = _reduced(self.fabric, own).tolist()
        return loss / len(rows), errors / len(rows)

    def _best(self) -> int:
        """Return the number of the epoch whose weights are kept, the earliest of equals."""
        if self.recipe.selection == "last":
            return len(self.history)
        error = f"{self.recipe.selection}_error"
        return min(self.history, key=lambda epoch: (getattr(epoch, error), epoch.epoch)).epoch

    def _look(self, images: int) -> None:
        """Stop if the loss is no number; report the images since the last look.

        Processes look when they like, so that several ask each other only once an epoch is over.
        """
        if self.processes == 1:
            self._check_finite()
        if not self.watchers:
            return
        loss, wrong, seen = (float(self.sums[name]) for name in ("loss", "wrong", "images"))
        for watcher in self.watchers:
            watcher.step(images, loss / seen, wrong / seen)

    def _check_finite(self) -> None:
        """Stop all processes alike if the loss of one of them is no number."""
        loss, bad = self.sums["loss"], self.sums["bad_step"]
        total = float(_reduced(self.fabric, loss))
        if not math.isfinite(total):
            bad = torch.where(bad > 0, bad, torch.iinfo(torch.int64).max)
            step, last = int(_reduced(self.fabric, bad, "min")), "there was no checkpoint before"
            if (self.folder / checkpoints.NAME).exists():
                last = f"the last good checkpoint stays in {str(self.folder)!r}"
            raise UserError(
                f"the loss is {total} in step {step} of epoch {len(self.history) + 1}, the training"
                f" stops; a smaller rate than {self.recipe.rate:g} may help; {last}"
            )

    def _save(self) -> None:
        """Write a checkpoint; the first process does."""
        if self.rank:
            return
        state = {
            f"{number}.{name}": torch.as_tensor(value)
            for number, values in self.optimiser.state_dict()["state"].items()
            for name, value in values.items()
            if value is not None
        }
        model = self.model.state_dict()
        groups = {"model": model, "optimiser": state, "sums": self.sums, "kept": self.kept}
        tensors = {f"{g}.{key}": value for g in groups for key, value in groups[g].items()}
        times = tuple(self.seconds), self.elapsed, self.sessions
        checkpoint = Checkpoint(self.name, self.done, tensors, tuple(self.history), *times)
        checkpoints.save(self.folder, checkpoint)

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        loaded = checkpoints.load(self.folder, self.name) if self.rank == 0 else None
        found = agree(self.fabric, loaded)
        if found is None:
            return
        self.model.load_state_dict(found.group("model"))
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in found.group("optimiser").items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = tensor
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        sums = found.group("sums")
        for name, own in self.sums.items():
            # sums over images are taken over by one process of several
            if self.rank == 0 or name not in ("loss", "wrong", "images"):
                own.copy_(sums[name])
        device = self.sums["loss"].device
        self.kept = {key: value.to(device) for key, value in found.group("kept").items()}
        self.history, self.seconds = list(found.history), list(found.seconds)
        self.done, self.elapsed = found.step, found.elapsed
        self.sessions = found.sessions + 1
