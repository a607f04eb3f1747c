"""Whether emotion can be read from what should not carry it: background, statistics, all but faces.

Masks are the same for all images of a subject at an angle, since the outline of a single face
shows an open jaw. The neck is a case of its own: it moves no more than the hair does, but the chin
throws its shadow on it, as in photographs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, UInt8

from tinyvgg.faces.synthetic import FacePart
from tinyvgg.faces.synthetic.parts_shown import PartsShown
from tinyvgg.findings.probes import HELD_OUT, Features, read_emotion

FACE = tuple(part for part in FacePart if part > FacePart.EARS)
"""The parts that express an emotion."""

_HEAD = tuple(part for part in FacePart if part != FacePart.BACKGROUND)
_BINS = 32
_PIXELS_OF_BORDER = 1 / 16
_PIXELS_OF_MARGIN = 1 / 16

Images = UInt8[np.ndarray, "n s s 3"]
Kept = Bool[np.ndarray, "n s s"]


@dataclass(frozen=True)
class Probe:
    """What a linear model is given to read the emotion from.

    Attributes:
        region: where in the image it looks, in words.
        features: what it looks at there, in words.
        may_tell: whether emotion may legitimately be read from it.
        left_out: the parts of the face that are masked, wherever any image shows them.
        measure: what makes features of images and masks.
        edges_only: whether all but the edges of the images are masked as well.
    """

    region: str
    features: str
    may_tell: bool
    left_out: tuple[FacePart, ...]
    measure: Callable[[Images, Kept], Features]
    edges_only: bool = False

    def kept(self, shown: PartsShown, table: pd.DataFrame) -> Kept:
        """The pixels that it sees of each row's image."""
        kept = without(self.left_out, shown, table)
        if self.edges_only:
            kept[:, ~_edges(kept.shape[1])] = False
        return kept


def pixels(images: Images, kept: Kept) -> Features:
    """The pixels that are kept; those of other images are black where an image's are not."""
    used = kept.any(axis=0)
    values = images[:, used] * kept[:, used, None]
    return np.asarray(values.reshape(len(images), -1), np.float32)


def statistics(images: Images, kept: Kept) -> Features:
    """Mean, standard deviation and histogram of each channel over the pixels that are kept."""
    return np.stack([_statistics(*pair) for pair in zip(images, kept, strict=True)])


def _statistics(
    image: UInt8[np.ndarray, "s s 3"], kept: Bool[np.ndarray, "s s"]
) -> Float32[np.ndarray, "f"]:
    values = image[kept].astype(np.float32)
    bins = (image[kept] // (256 // _BINS)).T
    counts = [np.bincount(channel, minlength=_BINS) for channel in bins]
    return np.concatenate([values.mean(axis=0), values.std(axis=0), *counts]).astype(np.float32)


PROBES = (
    Probe("whole image", "pixels", True, (), pixels),
    Probe("whole image", "statistics", True, (), statistics),
    Probe("all but the face", "pixels", True, FACE, pixels),
    Probe("all but the face", "statistics", True, FACE, statistics),
    Probe("hair, ears and background", "pixels", False, (*FACE, FacePart.NECK), pixels),
    Probe("hair, ears and background", "statistics", False, (*FACE, FacePart.NECK), statistics),
    Probe("border", "pixels", False, (*FACE, FacePart.NECK), pixels, edges_only=True),
    Probe("background", "pixels", False, _HEAD, pixels),
    Probe("background", "statistics", False, _HEAD, statistics),
)
"""From what shows an emotion to what must not; the neck's shadows tell little, and may."""


def without(parts: tuple[FacePart, ...], shown: PartsShown, table: pd.DataFrame) -> Kept:
    """The pixels apart from these parts in all images of the same subject and angle.

    Args:
        parts: to leave out, with a margin for the blur of the lens.
        shown: of all subjects and angles of the table.
        table: columns subject and angle, one row an image.
    """
    numbers = np.array(parts, dtype=int)
    kept = {key: ~_widened(np.any(seen[numbers], axis=0)) for key, seen in shown.items()}
    keys = zip(table["subject"], table["angle"], strict=True)
    return np.stack([kept[subject, angle] for subject, angle in keys])


def shortcut_table(images: Images, table: pd.DataFrame, shown: PartsShown) -> pd.DataFrame:
    """How often each of `PROBES` reads the emotion, by what training and test images don't share.

    Args:
        images: small ones do: 32 pixels.
        table: columns subject, emotion, gaze and angle, one row an image, in full factorial
            design.
        shown: of all subjects and angles of the table.

    Returns:
        one row for each region, kind of features and column held out: ``may tell`` (bool),
        ``accuracy``, ``low`` and ``high`` (its interval at `LEVEL`), ``chance``, ``shots`` and
        ``at chance`` (bool).
    """
    rows = []
    for probe in PROBES:
        features = probe.measure(images, probe.kept(shown, table))
        for held_out in HELD_OUT:
            found = read_emotion(features, table, held_out)
            rows.append(
                {
                    "region": probe.region,
                    "features": probe.features,
                    "held out": held_out,
                    "may tell": probe.may_tell,
                    "accuracy": found.accuracy,
                    "low": found.interval.low,
                    "high": found.interval.high,
                    "chance": found.chance,
                    "shots": found.shots,
                    "at chance": found.at_chance,
                }
            )
    return pd.DataFrame(rows).set_index(["region", "features", "held out"])


def _widened(mask: Bool[np.ndarray, "s s"]) -> Bool[np.ndarray, "s s"]:
    reach = 2 * max(2, round(len(mask) * _PIXELS_OF_MARGIN)) + 1
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), ellipse), bool)


def _edges(size: int) -> Bool[np.ndarray, "s s"]:
    width = max(1, round(size * _PIXELS_OF_BORDER))
    edges = np.ones((size, size), bool)
    edges[width:-width, width:-width] = False
    return edges
