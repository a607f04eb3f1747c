"""What can be told about a training while it runs: that it is stuck, or has left all numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from tinyvgg.settings import Recipe
from tinyvgg.training import checkpoints
from tinyvgg.training.history import Epoch

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
