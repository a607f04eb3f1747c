"""The history of a training, its watchers, and the diagnosis where it does not learn."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from tqdm.auto import tqdm

from tinyvgg.training.settings import Recipe

PLATEAU_EPOCHS = 10
"""Epochs after which a training still on the plateau says so, and again at each doubling."""
LEFT = 0.97
"""The plateau is left where the loss is below this share of a constant predictor's."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part. Nothing here depends on how fast the machine is."""

    epoch: int  # its number, from 1
    train_loss: float  # mean cross-entropy of the batches as the network went through them
    train_error: float  # share of their images that was misclassified
    test_loss: float | None  # mean cross-entropy on the test part after the last batch, if tested
    test_error: float | None  # share of the test part that the weights misclassify then
    validation_loss: float | None  # loss on a validation part, where one is held out
    validation_error: float | None
    # by the layer's name, the root mean square, over some steps, of the norm of its gradient
    gradients: dict[str, float]


@dataclass(frozen=True)
class Trained:
    """A training that came to its end."""

    history: tuple[Epoch, ...]
    seconds: tuple[float, ...]  # wall time of each epoch, over all calls that had a part in it
    kept: int  # number of the epoch whose weights the model has
    ended: str  # when and why (`Recipe.ended`)
    precision: str  # of products, on the device (`Recipe.precision`)
    sessions: int = 1  # calls whose work is in it: one more each time that it went on


def history_table(history: Sequence[Epoch]) -> pd.DataFrame:
    """Return losses and errors, a row an epoch, without columns that no epoch has a value for."""
    return pd.DataFrame(list(history)).drop(columns="gradients").dropna(axis="columns", how="all")


@dataclass(frozen=True)
class Plan:
    """The work that lies ahead when a training begins, or goes on."""

    recipe: Recipe  # settings of the whole training
    images: int  # number of images of the training part
    done: int  # images of the epoch under way that are done when it begins
    history: tuple[Epoch, ...]  # the epochs that are complete when it begins

    def ended(self, history: Sequence[Epoch]) -> str:
        """Return when and why the training ends, after these epochs; empty while it goes on."""
        wrong = [round(epoch.train_error * self.images) for epoch in history]
        return self.recipe.ended(wrong, self.images)


class Watcher:
    """A listener to a training, which changes nothing of it; override what you need."""

    def begin(self, plan: Plan) -> None:
        """React to the beginning of the training, or of its continuation."""

    def step(self, images: int, loss: float, error: float) -> None:
        """React to some steps: images since the last call, mean loss and error of the epoch."""

    def epoch(self, epoch: Epoch, images: int) -> None:
        """React to a complete epoch; `images` were seen since the last call of `step`."""

    def say(self, text: str) -> None:
        """Pass a message on to the user."""

    def end(self) -> None:
        """React to the end of the training, or to its interruption."""


class ProgressBar(Watcher):
    """A bar with loss, error, images a second and the time left, behind a title.

    Bars of several processes stand on lines of their own, from 0.
    """

    def __init__(self, title: str, line: int | None = None) -> None:
        self.title, self.line = title, line

    def begin(self, plan: Plan) -> None:
        """Show the bar."""
        done = len(plan.history) * plan.images + plan.done
        about: Any = {"unit": "image", "unit_scale": True, "position": self.line}
        total = plan.recipe.epochs * plan.images
        self.bar: Any = tqdm(total=total, initial=done, desc=self.title, **about)
        self.plan, self.history = plan, list(plan.history)

    def step(self, images: int, loss: float, error: float) -> None:
        """Move the bar on."""
        self._show(len(self.history) + 1, images, loss, error)

    def epoch(self, epoch: Epoch, images: int) -> None:
        """Add the error of the test part; a bar whose training ends here is full."""
        self.history.append(epoch)
        if self.plan.ended(self.history):
            self.bar.total = epoch.epoch * self.plan.images
            if hasattr(self.bar, "container"):  # a notebook's bar keeps its length elsewhere, too
                self.bar.container.children[1].max = self.bar.total
        self._show(epoch.epoch, images, epoch.train_loss, epoch.train_error)

    def _show(self, epoch: int, images: int, loss: float, error: float) -> None:
        of = " of at most " if self.plan.recipe.ending == "fitted" else "/"
        rates = [each.test_error for each in self.history if each.test_error is not None]
        tested = f", test error {rates[-1]:.1%}" if rates else ""
        place = f"epoch {epoch}{of}{self.plan.recipe.epochs}, loss {loss:.3f}, error {error:.1%}"
        self.bar.set_postfix_str(place + tested, refresh=False)
        self.bar.update(images)

    def say(self, text: str) -> None:
        """Write above the bar."""
        tqdm.write(f"{self.title}: {text}", file=sys.stderr)

    def end(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()


class Log(Watcher):
    """A log of all messages, as warnings of the logger ``tinyvgg``."""

    def say(self, text: str) -> None:
        """Log the message."""
        logging.getLogger("tinyvgg").warning(text)


def constant_loss(labels: Int[np.ndarray, "n"]) -> float:
    """Return the cross-entropy of the best constant predictor, which knows the classes' shares."""
    return float(-np.log(np.bincount(labels)[labels] / len(labels)).mean())


def left_plateau(history: Sequence[Epoch], constant: float) -> int | None:
    """Return the first epoch whose training loss is clearly below a constant predictor's."""
    return next((e.epoch for e in history if e.train_loss < LEFT * constant), None)


def plateau(history: Sequence[Epoch], constant: float) -> str | None:
    """Describe a training that is still on the plateau, after some numbers of epochs."""
    epochs = len(history)
    due = epochs % PLATEAU_EPOCHS == 0 and (epochs // PLATEAU_EPOCHS).bit_count() == 1
    if not due or left_plateau(history, constant) is not None:
        return None
    last = history[-1]
    norms = ", ".join(f"{name} {norm:.1e}" for name, norm in last.gradients.items())
    return (
        f"after {epochs} epochs the loss is {last.train_loss:.4f}, and a constant predictor's is"
        f" {constant:.4f}: the network has learnt nothing yet."
        f" Norms of the gradients, first layer to last: {norms}. Plain gradient descent can stay"
        " there for long, and leave all at once. More epochs, another rate or seed,"
        " he initialisation, and standardised pixels may help"
    )
