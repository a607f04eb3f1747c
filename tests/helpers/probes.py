"""Linear models that are to read the emotion from parts of an image that should not show it."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int, UInt8

import synthfaces
from synthfaces import FacePart
from tinyvgg.chapters.statistics import Interval, proportion_interval

Images = UInt8[np.ndarray, "n s s 3"]
Kept = Bool[np.ndarray, "n s s"]
Features = Float32[np.ndarray, "n f"]

PartsShown = Mapping[tuple[int, int], Bool[np.ndarray, "parts s s"]]
"""Masks of the pixels at which any image shows each `FacePart`, by subject and angle."""

LEVEL = 0.99
"""Confidence of the probes' intervals; higher than elsewhere, as many are looked at together."""
HELD_OUT = ("gaze", "angle", "subject")
"""The columns of which training and test images can be made to share no value."""
FACE = tuple(part for part in FacePart if part > FacePart.EARS)
"""The parts that express an emotion."""
_NO_FACE = (*FACE, FacePart.NECK)
_HEAD = tuple(part for part in FacePart if part != FacePart.BACKGROUND)


class Reading(NamedTuple):
    """The success of a probe at reading the emotion of images that it was not fitted to.

    The images that several cameras took of one shot are one trial, as they are not independent.
    `at_chance` is true if guessing would do as well, by the interval at `LEVEL`.
    """

    accuracy: float
    interval: Interval
    shots: int
    chance: float
    at_chance: bool


def read_emotion(features: Features, table: pd.DataFrame, held_out: str) -> Reading:
    """Fit and test a probe, each image being held out once.

    Args:
        features: one row an image.
        table: columns subject, emotion, gaze and angle, one row an image.
        held_out: the column of `HELD_OUT` by whose values images are held out; of many values,
            some at a time.
    """
    classes, labels = np.unique(table["emotion"].to_numpy(str), return_inverse=True)
    targets = np.eye(len(classes))[labels]
    group = table.groupby(["subject", "gaze", "angle"]).ngroup().to_numpy()
    centred = features - pd.DataFrame(features).groupby(group).transform("mean").to_numpy()
    right = np.zeros(len(table))
    for train, test in _folds(table, held_out):
        scores = ridge(centred[train], targets[train], centred[test])
        right[test] = scores.argmax(axis=1) == labels[test]
    shot = [table[name] for name in ("subject", "emotion", "gaze")]
    shots = pd.Series(right, table.index).groupby(shot).mean()
    interval = proportion_interval(float(shots.sum()), len(shots), LEVEL)
    chance = 1 / len(classes)
    at_chance = interval.low <= chance <= interval.high
    return Reading(float(right.mean()), interval, len(shots), chance, at_chance)


def ridge(
    train: Features, targets: Float[np.ndarray, "n k"], test: Float32[np.ndarray, "m f"]
) -> Float[np.ndarray, "m k"]:
    """Return scores of the test rows by ridge regression on standardised features.

    The penalty is 1 where the mean square of the training rows is 1. It is solved in the dual, as
    images have more pixels than there are images.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0)
    varied = spread > 1e-6
    scale = spread[varied] * np.float32(max(1, varied.sum()) ** 0.5)
    fitted, asked = ((rows[:, varied] - mean[varied]) / scale for rows in (train, test))
    gram = (fitted @ fitted.T).astype(np.float64) + np.eye(len(fitted))
    share = targets.mean(axis=0)
    return np.asarray((asked @ fitted.T) @ np.linalg.solve(gram, targets - share) + share)


def _folds(
    table: pd.DataFrame, held_out: str
) -> Iterator[tuple[Int[np.ndarray, "a"], Int[np.ndarray, "b"]]]:
    """Yield rows to fit and rows to test, at one angle each unless angles are held out."""
    values, angles = table[held_out].to_numpy(), table["angle"].to_numpy()
    names = np.unique(values)
    everywhere = [np.ones(len(table), bool)]
    places = everywhere if held_out == "angle" else [angles == angle for angle in np.unique(angles)]
    for fold in np.array_split(names, min(4, len(names))):
        tested = np.isin(values, fold)
        for here in places:
            yield np.flatnonzero(~tested & here), np.flatnonzero(tested & here)


def pixels(images: Images, kept: Kept) -> Features:
    """Return the pixels that are kept of any image, black where another does not keep them."""
    used = kept.any(axis=0)
    values = images[:, used] * kept[:, used, None]
    return np.asarray(values.reshape(len(images), -1), np.float32)


def statistics(images: Images, kept: Kept) -> Features:
    """Return mean, standard deviation and histogram of each channel of the pixels that are kept.

    An image of which no pixel is kept counts as one black one.
    """
    rows = []
    for image, mask in zip(images, kept, strict=True):
        seen = image[mask] if mask.any() else np.zeros((1, 3), np.uint8)
        values, bins = seen.astype(np.float32), seen // 8
        histograms = [np.bincount(channel, minlength=32) for channel in bins.T]
        rows.append(np.concatenate([values.mean(axis=0), values.std(axis=0), *histograms]))
    return np.stack(rows).astype(np.float32)


class Probe(NamedTuple):
    """A part of the images from which a linear model is to read the emotion."""

    region: str  # the place in the image, in words
    features: str  # the kind of features of that place, in words
    may_carry: bool  # true if the emotion may legitimately be read from it
    left_out: tuple[FacePart, ...]  # the parts that are masked, wherever any image shows them
    measure: Callable[[Images, Kept], Features]
    edges_only: bool = False  # true if all but the edges of the images are masked as well

    def kept(self, shown: PartsShown, table: pd.DataFrame) -> Kept:
        """Return the pixels that it sees of each row's image."""
        kept = without(self.left_out, shown, table)
        if self.edges_only:
            width = max(1, round(kept.shape[1] / 16))
            kept[:, width:-width, width:-width] = False
        return kept


PROBES = (
    Probe("whole image", "pixels", True, (), pixels),
    Probe("whole image", "statistics", True, (), statistics),
    Probe("all but the face", "pixels", True, FACE, pixels),
    Probe("all but the face", "statistics", True, FACE, statistics),
    Probe("hair, ears and background", "pixels", False, _NO_FACE, pixels),
    Probe("hair, ears and background", "statistics", False, _NO_FACE, statistics),
    Probe("border", "pixels", False, _NO_FACE, pixels, edges_only=True),
    Probe("background", "pixels", False, _HEAD, pixels),
    Probe("background", "statistics", False, _HEAD, statistics),
)
"""The probes, from regions that show an emotion to those that must not; the neck's shadows may."""


def parts_shown(table: pd.DataFrame, size: int) -> PartsShown:
    """Return the parts that each pixel shows in any row of the same subject and angle."""
    shown: dict[tuple[int, int], np.ndarray] = {}
    seen = synthfaces.parts_seen(table, size)
    for subject, angle, parts in zip(table["subject"], table["angle"], seen, strict=True):
        here = parts == np.arange(len(FacePart))[:, None, None]
        key = (int(subject), int(angle))
        shown[key] = shown.get(key, False) | here
    return shown


def without(parts: tuple[FacePart, ...], shown: PartsShown, table: pd.DataFrame) -> Kept:
    """Return the pixels apart from these parts in all images of the same subject and angle.

    Args:
        parts: to leave out, with a margin for the blur of the lens.
        shown: the parts that any image shows, for all subjects and angles of the table.
        table: columns subject and angle, one row an image.
    """
    kept = {}
    for key, seen in shown.items():
        mask = np.any(seen[np.array(parts, dtype=int)], axis=0)
        reach = 2 * max(2, round(len(mask) / 16)) + 1
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        kept[key] = ~np.asarray(cv2.dilate(mask.astype(np.uint8), ellipse), bool)
    keys = zip(table["subject"], table["angle"], strict=True)
    return np.stack([kept[subject, angle] for subject, angle in keys])
