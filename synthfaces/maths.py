"""Small numerical helpers of the renderer, and its random streams."""

import hashlib
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import ArrayLike

from synthfaces.parameters import Real

Rng = np.random.Generator
Array = np.ndarray[Any, np.dtype[Any]]
Scalars = Float32[np.ndarray, "n"]
Vectors = Float32[np.ndarray, "n 3"]
Rays = Float32[np.ndarray, "r 3"]
Layer = Float32[np.ndarray, "h w"]
"""One channel of an image over the chart."""


def smoothstep(low: Real, high: Real, x: Array) -> Array:
    """Return a smooth ramp from zero below `low` to one above `high`; falling if low > high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def contract(subscripts: str, *operands: Array) -> Array:
    """Return sums of products in Einstein's notation."""
    return np.asarray(np.einsum(subscripts, *operands))


def dot(a: Float[np.ndarray, "... 3"], b: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "..."]:
    """Return scalar products along the last axis."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


def columns(*values: Array) -> Array:
    """Return a table (n, k) of k columns (n,), which lie one after the other in memory."""
    return np.stack(values).T


def by_column(table: Array) -> Array:
    """Copy a table (n, k) column by column in memory."""
    return np.asfortranarray(table)


def pick(table: Array, rows: Array) -> Array:
    """Return rows of a table, column by column in memory as the table itself."""
    return np.take(table.T, rows, axis=1).T


def per_channel(values: Array, factors: Array) -> Array:
    """Return colours (n, 3): each value (n,) times the factors (3,)."""
    return columns(*(values * factor for factor in factors))


def powers(base: Array, exponents: Array) -> Array:
    """Return colours (n, 3): each value (n,) to the power of the exponents (3,)."""
    return columns(*(base**exponent for exponent in exponents))


def normalized(vectors: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
    """Scale vectors to length one; zero vectors stay zero."""
    length = np.sqrt(dot(vectors, vectors))[..., None]
    return np.asarray(vectors / (length + np.float32(1e-9)))


def mix(a: Array, b: Array, share: Array) -> Array:
    """Return colours (n, 3) between `a` and `b`; `share` (n,) is that of `b`."""
    return np.asarray(a + (b - a) * share[..., None])


def to_linear(srgb: ArrayLike) -> Array:
    """Return the linear light of sRGB values in 0..1 (IEC 61966-2-1)."""
    c = np.asarray(srgb, dtype=np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear: Array) -> Array:
    """Return the sRGB values, clipped to 0..1, of linear light (IEC 61966-2-1)."""
    c = np.clip(linear, 0, 1)
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - 0.055)


_FURTHEST = 3.0


def stream(seed: int, *labels: str | int) -> Rng:
    """Return the random generator of a seed and labels, the same on every machine."""
    name = "\x1f".join(str(label) for label in (seed, *labels))
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def bounded(rng: Rng, count: int) -> list[float]:
    """Draw from a standard normal distribution, clipped at three deviations."""
    return [float(draw) for draw in np.clip(rng.standard_normal(count), -_FURTHEST, _FURTHEST)]


_TINT = np.array([0.80, 1.00, 1.06], np.float32)


def passed(share: Scalars) -> Vectors:
    """Return the share of light per channel at places that a share of all light reaches."""
    return powers(share, _TINT)


def scaled(light: Vectors, factor: float) -> Vectors:
    """Return the result of `passed` for a share that is multiplied by a factor."""
    return np.asarray(light * np.float32(factor) ** _TINT)
