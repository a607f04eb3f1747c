"""Shadows on skin and hair: red light gets further into them."""

import numpy as np
from jaxtyping import Float32

from synthfaces.maths import powers

_TINT = np.array([0.80, 1.00, 1.06], np.float32)


def passed(share: Float32[np.ndarray, "n"]) -> Float32[np.ndarray, "n 3"]:
    """Of light of which a share reaches a place, the share that arrives per channel."""
    return powers(share, _TINT)


def scaled(light: Float32[np.ndarray, "n 3"], factor: float) -> Float32[np.ndarray, "n 3"]:
    """What `passed` gives when the share is multiplied by a factor."""
    return np.asarray(light * np.float32(factor) ** _TINT)
