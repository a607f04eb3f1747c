"""How the images that a network learned from look, so that one that looks otherwise is noticed."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8

SIDE = 4
"""Side in pixels of the coarse images that are compared; larger ones need more training images."""
RATE = 0.01
"""The share of test images that count as strange."""
_BATCH, _FLOOR = 1000, 1e-3

Images = UInt8[np.ndarray, "n h w 3"]
Rows = Int[np.ndarray, "_"]


class Looks(NamedTuple):
    """Mean and inverse covariance of coarse training images, and how far test images lie off."""

    mean: Float[np.ndarray, "d"]
    inverse: Float[np.ndarray, "d d"]
    limit: Float[np.ndarray, ""]  # the distance that all but `RATE` of the test images are within

    def strange(self, images: Images) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return which images lie farther off, by Mahalanobis' distance."""
        return np.asarray(self.distances(images, np.arange(len(images))) > self.limit)

    def distances(self, images: Images, rows: Rows) -> Float[np.ndarray, "m"]:
        """Return the squares of Mahalanobis' distances of some images from the training images."""
        apart = _coarse(images, rows) - self.mean
        return np.asarray((apart @ self.inverse * apart).sum(1))


def looks_of(images: Images, train: Rows, test: Rows) -> Looks:
    """Return the looks of training images, with the limit that test images set."""
    learned = _coarse(images, train)
    covariance = np.cov(learned.T) if len(learned) > 1 else np.zeros(2 * [learned.shape[1]])
    floor = max(1e-9, _FLOOR * np.trace(covariance) / len(covariance))
    inverse = np.linalg.inv(covariance + floor * np.eye(len(covariance)))
    found = Looks(learned.mean(0), inverse, np.array(np.inf))
    return found._replace(limit=np.quantile(found.distances(images, test), 1 - RATE))


def _coarse(images: Images, rows: Rows) -> Float[np.ndarray, "m d"]:
    """Return mean colours, 0..1, of the squares of a grid on each image."""
    parts = []
    for chosen in np.array_split(rows, -(-len(rows) // _BATCH)):
        levels = torch.from_numpy(images[chosen]).permute(0, 3, 1, 2).double() / 255
        parts.append(F.adaptive_avg_pool2d(levels, SIDE).flatten(1).numpy())
    return np.concatenate(parts)
