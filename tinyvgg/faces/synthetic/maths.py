"""Small numerical helpers of the renderer.

None of them calls BLAS, which may split a product over threads and then round differently:
the same seed must give the same bytes however many threads there are.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from tinyvgg.face_parameters import Real

Array = np.ndarray[Any, np.dtype[Any]]


def smoothstep(low: Real, high: Real, x: Array) -> Array:
    """Zero below `low`, one above `high`, a smooth ramp between; falls where low > high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def contract(subscripts: str, *operands: Array) -> Array:
    """Sums of products in Einstein's notation."""
    return np.asarray(np.einsum(subscripts, *operands))


def dot(a: Float[np.ndarray, "... 3"], b: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "..."]:
    """Scalar products along the last axis."""
    return contract("...i,...i->...", a, b)


def normalized(vectors: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
    """Vectors of length one; zero vectors stay zero."""
    length = np.sqrt(dot(vectors, vectors))[..., None]
    return np.asarray(vectors / (length + np.float32(1e-9)))


def mix(a: Array, b: Array, share: Array) -> Array:
    """Colours (n, 3) between `a` and `b`; `share` (n,) is b's part."""
    return np.asarray(a + (b - a) * share[..., None])


def to_linear(srgb: ArrayLike) -> Array:
    """Linear light of sRGB values in 0..1 (IEC 61966-2-1)."""
    c = np.asarray(srgb, dtype=np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear: Array) -> Array:
    """SRGB values in 0..1 of linear light (IEC 61966-2-1); what exceeds the range is clipped."""
    c = np.clip(linear, 0, 1)
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - 0.055)
