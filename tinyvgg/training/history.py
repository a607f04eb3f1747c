"""What is kept of a training: losses, errors and gradients of each epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd


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
