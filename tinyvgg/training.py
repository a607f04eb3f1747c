"""The training loop: plain, deterministic, and able to go on where it was killed."""

import ctypes
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinyvgg.errors import UserError
from tinyvgg.paths import write_whole

Batches = Callable[[Int[np.ndarray, "b"]], tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b"]]]
EVALUATION_BATCH = 134


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are the paper's (claim P1).

    Attributes:
        epochs: passes over the training part.
        batch: images a step; an incomplete last batch is used as it is.
        rate: learning rate of plain stochastic gradient descent.
        reshuffle: draw a new order each epoch; False keeps the order of the first one, as the
            published code does.
    """

    epochs: int = 100
    batch: int = 12
    rate: float = 0.01
    reshuffle: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "rate"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} {getattr(self, name)} is not positive")


@dataclass(frozen=True)
class Epoch:
    """What is kept of one epoch; errors are rates.

    The training part's loss and error are those of the batches as the network went through them,
    the test part's those after the last batch.
    """

    epoch: int
    train_loss: float
    train_error: float
    test_loss: float
    test_error: float
    seconds: float


def order(count: int, seed: int, epoch: int, reshuffle: bool) -> Int[np.ndarray, "n"]:
    """The order of the training images in an epoch; it depends on nothing else."""
    return np.random.default_rng([seed, epoch if reshuffle else 0]).permutation(count)


def train(
    model: nn.Module,
    batches: Batches,
    train_rows: Int[np.ndarray, "a"],
    test_rows: Int[np.ndarray, "b"],
    recipe: Recipe,
    seed: int,
    checkpoint: Path,
    progress: str | None = None,
) -> list[Epoch]:
    """Train a model in place, going on from its checkpoint if there is one.

    The state of plain SGD is the weights alone, so a checkpoint holds those and the history; a
    run that was killed ends with the same weights, bit for bit, as one that was not.

    Args:
        model: initialised, on the device to train on.
        batches: gives the images and labels of rows, on that device.
        train_rows: rows to learn from.
        test_rows: rows to test on after each epoch; they decide nothing.
        recipe: the settings.
        seed: of the order of the images.
        checkpoint: file written after each epoch.
        progress: title of the progress bar; None for none.

    Raises:
        UserError: a batch larger than the training part, or a loss that is no longer finite.
    """
    if recipe.batch > len(train_rows):
        raise UserError(f"batch {recipe.batch} exceeds the {len(train_rows)} training images")
    history = load_checkpoint(checkpoint, model)
    optimiser = torch.optim.SGD(model.parameters(), lr=recipe.rate)
    epochs = range(len(history), recipe.epochs)
    with (
        _repeatable(),
        tqdm(
            total=recipe.epochs,
            initial=len(history),
            desc=progress,
            unit="epoch",
            disable=progress is None,
        ) as bar,
    ):
        for epoch in epochs:
            rows = train_rows[order(len(train_rows), seed, epoch, recipe.reshuffle)]
            history.append(_epoch(model, optimiser, batches, rows, test_rows, recipe, epoch))
            save_checkpoint(checkpoint, model, history)
            last = history[-1]
            bar.set_postfix_str(f"loss {last.train_loss:.3f}, test error {last.test_error:.1%}")
            bar.update()
    return history


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    rows: Int[np.ndarray, "a"],
    test_rows: Int[np.ndarray, "b"],
    recipe: Recipe,
    epoch: int,
) -> Epoch:
    started = time.perf_counter()
    model.train()
    loss_sum: Tensor | float = 0.0
    wrong: Tensor | int = 0
    for start in range(0, len(rows), recipe.batch):
        images, labels = batches(rows[start : start + recipe.batch])
        optimiser.zero_grad(set_to_none=True)
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimiser.step()
        loss_sum = loss_sum + loss.detach() * len(labels)
        wrong = wrong + (logits.detach().argmax(1) != labels).sum()
    train_loss = float(loss_sum) / len(rows)
    if not np.isfinite(train_loss):
        raise UserError(
            f"the loss is {train_loss} in epoch {epoch + 1}; a smaller rate than {recipe.rate} "
            "may help, the checkpoint before it is kept"
        )
    test_loss, test_error = _test(model, batches, test_rows)
    return Epoch(
        epoch=epoch + 1,
        train_loss=train_loss,
        train_error=float(wrong) / len(rows),
        test_loss=test_loss,
        test_error=test_error,
        seconds=time.perf_counter() - started,
    )


def _test(model: nn.Module, batches: Batches, rows: Int[np.ndarray, "b"]) -> tuple[float, float]:
    logits, labels = predict(model, batches, rows)
    return (
        float(F.cross_entropy(logits, labels)),
        float((logits.argmax(1) != labels).double().mean()),
    )


@torch.no_grad()
def predict(
    model: nn.Module, batches: Batches, rows: Int[np.ndarray, "b"]
) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b"]]:
    """Logits and labels of rows, on the CPU; the model is left in evaluation mode."""
    model.eval()
    parts = []
    for start in range(0, len(rows), EVALUATION_BATCH):
        images, labels = batches(rows[start : start + EVALUATION_BATCH])
        parts.append((model(images).cpu(), labels.cpu()))
    return torch.cat([logits for logits, _ in parts]), torch.cat([labels for _, labels in parts])


def save_checkpoint(path: Path, model: nn.Module, history: list[Epoch]) -> None:
    """Write weights and history as one safetensors file, whole or not at all."""
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    metadata = {"history": json.dumps([asdict(epoch) for epoch in history])}
    write_whole(path, lambda temporary: save_file(weights, temporary, metadata))


def load_checkpoint(path: Path, model: nn.Module) -> list[Epoch]:
    """Put a checkpoint's weights into the model and return its history; none if there is none.

    Raises:
        UserError: a file that is no checkpoint of this model.
    """
    if not path.exists():
        return []
    try:
        with safe_open(path, framework="pt") as stored:
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            # it was written after an epoch, and so has one at least
            first, *others = json.loads(stored.metadata()["history"])
            history = [Epoch(**row) for row in (first, *others)]
        model.load_state_dict(weights)
    except (
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
    ):
        raise UserError(
            f"checkpoint {str(path)!r} is damaged or of another network; "
            "remove it to train from the start"
        ) from None
    return history


@contextmanager
def _repeatable() -> Iterator[None]:
    """Deterministic kernels on a GPU; freed memory kept for the next step on the CPU."""
    _keep_freed_memory()
    with torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False):
        yield


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
