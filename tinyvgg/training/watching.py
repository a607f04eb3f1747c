"""Who watches a training: a progress bar, TensorBoard, a log."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from tinyvgg.extras import need
from tinyvgg.training.history import Epoch


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
