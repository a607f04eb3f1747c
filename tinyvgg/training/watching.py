"""Who watches a training: a progress bar, TensorBoard, a log."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from tqdm.auto import tqdm

from tinyvgg.errors import need
from tinyvgg.training import checkpoints
from tinyvgg.training.settings import Recipe


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part. Nothing here depends on how fast the machine is.

    Attributes:
        epoch: its number, from 1.
        train_loss: mean cross-entropy of the batches as the network went through them.
        train_error: share of them that was wrong.
        test_loss: mean cross-entropy on the test part, with the weights after the last batch.
        test_error: share of the test part that these weights get wrong.
        validation_loss: of a validation part, where one is held out.
        validation_error: the same.
        gradients: of each layer's weights, by the layer's name, the root mean square over some
            steps of the epoch of the gradient's norm.
    """

    epoch: int
    train_loss: float
    train_error: float
    test_loss: float
    test_error: float
    validation_loss: float | None
    validation_error: float | None
    gradients: Mapping[str, float]

    @property
    def plain(self) -> dict[str, Any]:
        """As plain data that JSON keeps exactly."""
        return {**asdict(self), "gradients": dict(self.gradients)}


@dataclass(frozen=True)
class Trained:
    """A training that came to its end.

    Attributes:
        history: one entry an epoch.
        seconds: wall time of each epoch, over all calls that had a part in it.
        kept: number of the epoch whose weights the model has.
        sessions: calls whose work is in it: 1, and one more each time that it went on from a
            checkpoint.
    """

    history: tuple[Epoch, ...]
    seconds: tuple[float, ...]
    kept: int
    sessions: int = 1


def history_table(history: Sequence[Epoch]) -> pd.DataFrame:
    """Losses and errors, a row an epoch; columns that no epoch has a value for are left out."""
    table = pd.DataFrame([epoch.plain for epoch in history]).drop(columns="gradients")
    return table.dropna(axis="columns", how="all")


def gradients_table(history: Sequence[Epoch]) -> pd.DataFrame:
    """Norms of the gradients, a row an epoch and a column a layer."""
    return pd.DataFrame([{"epoch": epoch.epoch, **epoch.gradients} for epoch in history])


def timings_table(history: Sequence[Epoch], seconds: Sequence[float], images: int) -> pd.DataFrame:
    """Wall time and training images a second, a row an epoch."""
    rows = [
        {"epoch": epoch.epoch, "seconds": taken, "images_per_second": images / taken}
        for epoch, taken in zip(history, seconds, strict=True)
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Plan:
    """What is going to be done.

    Attributes:
        epochs: of the whole training.
        images: of the training part.
        done: images of the epoch under way that are done when it begins.
        history: the epochs that are complete when it begins.
    """

    epochs: int
    images: int
    done: int
    history: tuple[Epoch, ...]


class Watcher:
    """Is told how a training goes. Nothing it does changes the training; override what you need."""

    def begin(self, plan: Plan) -> None:
        """The training begins, or goes on."""

    def step(self, images: int, loss: float, error: float) -> None:
        """Some steps later, a few times a second at most.

        Args:
            images: seen since the last call.
            loss: mean over the epoch so far.
            error: the same, the share that was wrong.
        """

    def epoch(self, epoch: Epoch, images: int) -> None:
        """An epoch is complete; `images` were seen since the last call of `step`."""

    def say(self, text: str) -> None:
        """Something that the user should know."""

    def end(self) -> None:
        """The training has ended, or was interrupted."""


class ProgressBar(Watcher):
    """Loss, error, images a second and the time left, in a terminal or a notebook.

    Args:
        title: what stands before it.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: Any = None
        self.tested = ""

    def begin(self, plan: Plan) -> None:
        """Show the bar."""
        self.bar = tqdm(
            total=plan.epochs * plan.images,
            initial=len(plan.history) * plan.images + plan.done,
            desc=self.title,
            unit="image",
            unit_scale=True,
        )
        self.epochs = plan.epochs
        self.done = len(plan.history)
        if plan.history:
            self.tested = _tested(plan.history[-1])

    def step(self, images: int, loss: float, error: float) -> None:
        """Move it on."""
        self.bar.set_postfix_str(
            f"epoch {self.done + 1}/{self.epochs}, loss {loss:.3f}, error {error:.1%}{self.tested}",
            refresh=False,
        )
        self.bar.update(images)

    def epoch(self, epoch: Epoch, images: int) -> None:
        """Add what the test part says."""
        self.tested, self.done = _tested(epoch), epoch.epoch
        self.bar.set_postfix_str(
            f"epoch {epoch.epoch}/{self.epochs}, loss {epoch.train_loss:.3f},"
            f" error {epoch.train_error:.1%}{self.tested}",
            refresh=False,
        )
        self.bar.update(images)

    def say(self, text: str) -> None:
        """Write above the bar."""
        tqdm.write(f"{self.title}: {text}", file=sys.stderr)

    def end(self) -> None:
        """Leave it as it is."""
        if self.bar is not None:
            self.bar.close()


class Log(Watcher):
    """What the user should know, as warnings of the logger ``tinyvgg``."""

    def say(self, text: str) -> None:
        """Log it."""
        logging.getLogger("tinyvgg").warning(text)


class TensorBoard(Watcher):
    """Losses, errors and gradients for TensorBoard.

    Args:
        folder: of the event files of this training; another one needs another folder.
    """

    def __init__(self, folder: Path) -> None:
        need("tensorboard", "tensorboard")
        self.folder = folder
        self.writer: Any = None
        self.done = 0

    def begin(self, plan: Plan) -> None:
        """Open a file that takes the place of what an interrupted call wrote.

        The epochs done are written anew: the interruption may have come before one was.
        """
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=0)
        for epoch in plan.history:
            self._add(epoch)
        self.writer.flush()

    def epoch(self, epoch: Epoch, images: int) -> None:
        """Add an epoch."""
        self._add(epoch)
        self.writer.flush()

    def _add(self, epoch: Epoch) -> None:
        self.done = epoch.epoch
        for name, value in epoch.plain.items():
            if name.endswith(("loss", "error")) and value is not None:
                part, _, what = name.partition("_")
                self.writer.add_scalar(f"{what}/{part}", value, epoch.epoch)
        for layer, norm in epoch.gradients.items():
            self.writer.add_scalar(f"gradient/{layer}", norm, epoch.epoch)

    def say(self, text: str) -> None:
        """Add it as text."""
        self.writer.add_text("said", text, self.done)

    def end(self) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()


@contextmanager
def watched(watchers: Iterable[Watcher], plan: Plan) -> Iterator[None]:
    """Let watchers begin, and end whatever happens."""
    everyone = list(watchers)
    try:
        for watcher in everyone:
            watcher.begin(plan)
        yield
    finally:
        for watcher in everyone:
            watcher.end()


def _tested(epoch: Epoch) -> str:
    return f", test error {epoch.test_error:.1%}"


PLATEAU_EPOCHS = 10
"""Epochs after which a training still on the plateau says so, and again at each doubling."""
LEFT = 0.97
"""The plateau is left where the loss is below this share of a constant predictor's."""

VANISHED = 1e-6
"""A layer whose gradient has a smaller norm learns nothing any more."""


def constant_loss(labels: Int[np.ndarray, "n"]) -> float:
    """Cross-entropy of the best constant predictor, which answers with the classes' shares."""
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def left_plateau(history: Sequence[Epoch], constant: float) -> int | None:
    """The first epoch whose training loss is clearly below a constant predictor's; None if none."""
    return next((e.epoch for e in history if e.train_loss < LEFT * constant), None)


def plateau(history: Sequence[Epoch], constant: float) -> str | None:
    """What to say after an epoch of a training that has not left the plateau; mostly nothing."""
    epochs = len(history)
    due = epochs % PLATEAU_EPOCHS == 0 and (epochs // PLATEAU_EPOCHS).bit_count() == 1
    if not due or left_plateau(history, constant) is not None:
        return None
    last = history[-1]
    return (
        f"after {epochs} epochs the loss is {last.train_loss:.4f}, and a constant predictor's is"
        f" {constant:.4f}: the network has learnt nothing yet."
        f" Norms of the gradients, first layer to last: {_norms(last)}. {_advice(last)}"
    )


def _advice(epoch: Epoch) -> str:
    if min(epoch.gradients.values()) < VANISHED:
        return (
            "They have vanished, as where ReLUs no longer fire: it will hardly recover. What may"
            " help: a smaller rate, he initialisation, another seed, fewer layers"
        )
    return (
        "Plain gradient descent can stay there for long and leave all at once. What is known to"
        " help: more epochs, he initialisation, whose signal does not fade from layer to layer,"
        " standardised or centred pixels"
    )


def not_finite(loss: float, epoch: int, step: int, recipe: Recipe, folder: Path) -> str:
    """What to say when the loss is no longer a number."""
    kept = (
        f"the last good checkpoint stays in {str(folder)!r}"
        if (folder / checkpoints.NAME).exists()
        else "there was no checkpoint before it"
    )
    return (
        f"the loss is {loss} in step {step} of epoch {epoch}, the training stops; "
        f"a smaller rate than {recipe.rate:g} may help; {kept}"
    )


def _norms(epoch: Epoch) -> str:
    return ", ".join(f"{name} {norm:.1e}" for name, norm in epoch.gradients.items())
