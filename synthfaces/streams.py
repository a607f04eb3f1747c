"""Random streams by name.

Every draw of the renderer comes from a stream named by what it belongs to: a subject's shape, the
expression of one shot, the camera of one image. Two streams share nothing unless all their labels
are equal, so no nuisance (camera, noise) can repeat over subjects while it follows the emotion,
and rendering one image alone gives what rendering all of them gives.
"""

import hashlib

import numpy as np

_FURTHEST = 3.0


def stream(seed: int, *labels: str | int) -> np.random.Generator:
    """The random generator of this seed and these labels, the same on every machine."""
    name = "\x1f".join(str(label) for label in (seed, *labels))
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def bounded(rng: np.random.Generator, count: int) -> list[float]:
    """Draws of a standard normal distribution that is cut off at three deviations."""
    return [float(draw) for draw in np.clip(rng.standard_normal(count), -_FURTHEST, _FURTHEST)]
