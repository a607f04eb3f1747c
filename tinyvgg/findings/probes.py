"""Linear probes: how often an emotion can be read from some features, beside chance.

A probe is ridge regression on one-hot labels, on standardised features, fitted at each camera
angle by itself. It is given what an adversary would look at: every image less the mean of those
that differ from it in emotion alone (same subject, gaze and angle), so that what else tells images
apart hides no small difference. No such group is ever divided between training and test images.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int

from tinyvgg.errors import UserError
from tinyvgg.metrics import Interval, proportion_interval

LEVEL = 0.99
"""Confidence of the intervals; higher than elsewhere, as many probes are looked at together."""

HELD_OUT = ("gaze", "angle", "subject")
"""The columns that training and test images can be made to share no value of."""

_SHOT = ["subject", "emotion", "gaze"]
_ALIKE_BUT_EMOTION = ["subject", "gaze", "angle"]
_MOST_FOLDS = 4
_PENALTY = 1.0
_CONSTANT = 1e-6

Features = Float32[np.ndarray, "n f"]


class Reading(NamedTuple):
    """How often a probe reads the emotion of images that it was not fitted to.

    Attributes:
        accuracy: share of the images that it reads right.
        interval: of the accuracy, at `LEVEL`. The images that several cameras took of one shot are
            one trial, as they are not independent.
        shots: how many trials there are.
        chance: the accuracy of guessing.
    """

    accuracy: float
    interval: Interval
    shots: int
    chance: float

    @property
    def at_chance(self) -> bool:
        """Whether guessing would do as well, as far as the interval tells."""
        return self.interval.low <= self.chance <= self.interval.high


def read_emotion(features: Features, table: pd.DataFrame, held_out: str) -> Reading:
    """Fit and test a probe, each image being held out once.

    Args:
        features: one row an image.
        table: columns subject, emotion, gaze and angle, one row an image.
        held_out: the column of `HELD_OUT` by whose values images are held out; of many values,
            some at a time.

    Raises:
        UserError: another column, or one with a single value.
    """
    classes, labels = np.unique(table["emotion"].to_numpy(str), return_inverse=True)
    targets = np.eye(len(classes))[labels]
    centred = _less_the_mean(features, table)
    right = np.zeros(len(table))
    for train, test in _folds(table, held_out):
        scores = ridge(centred[train], targets[train], centred[test])
        right[test] = scores.argmax(axis=1) == labels[test]
    shots = pd.Series(right, table.index).groupby([table[name] for name in _SHOT]).mean()
    interval = proportion_interval(float(shots.sum()), len(shots), LEVEL)
    return Reading(float(right.mean()), interval, len(shots), 1 / len(classes))


def ridge(
    train: Float32[np.ndarray, "n f"],
    targets: Float[np.ndarray, "n k"],
    test: Float32[np.ndarray, "m f"],
) -> Float[np.ndarray, "m k"]:
    """Scores of the test rows by ridge regression on standardised features.

    The penalty is 1 where the mean square of the training rows is 1. It is solved in the dual, as
    images have more pixels than there are images.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0)
    varied = spread > _CONSTANT
    scale = spread[varied] * np.float32(max(1, varied.sum()) ** 0.5)
    fitted, asked = ((rows[:, varied] - mean[varied]) / scale for rows in (train, test))
    gram = (fitted @ fitted.T).astype(np.float64) + _PENALTY * np.eye(len(fitted))
    share = targets.mean(axis=0)
    weights = np.linalg.solve(gram, targets - share)
    return np.asarray((asked @ fitted.T) @ weights + share)


def _less_the_mean(features: Features, table: pd.DataFrame) -> Features:
    group = table.groupby(_ALIKE_BUT_EMOTION).ngroup().to_numpy()
    sums = np.zeros((group.max() + 1, features.shape[1]), np.float32)
    np.add.at(sums, group, features)
    means = sums / np.bincount(group)[:, None].astype(np.float32)
    return np.asarray(features - means[group])


def _folds(
    table: pd.DataFrame, held_out: str
) -> Iterator[tuple[Int[np.ndarray, "a"], Int[np.ndarray, "b"]]]:
    """Rows to fit and rows to test, at one angle each unless angles are held out."""
    if held_out not in HELD_OUT:
        raise UserError(f"held_out {held_out!r} is not one of {', '.join(HELD_OUT)}")
    values, angles = table[held_out].to_numpy(), table["angle"].to_numpy()
    names = np.unique(values)
    if len(names) < 2:
        raise UserError(
            f"all images have {held_out} {names[0].item()!r}; give it two values at least"
        )
    everywhere = [np.ones(len(table), bool)]
    places = everywhere if held_out == "angle" else [angles == angle for angle in np.unique(angles)]
    for fold in np.array_split(names, min(_MOST_FOLDS, len(names))):
        tested = np.isin(values, fold)
        for here in places:
            yield np.flatnonzero(~tested & here), np.flatnonzero(tested & here)
