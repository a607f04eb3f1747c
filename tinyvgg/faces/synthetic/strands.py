"""Strands of hair as lines in space."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from tinyvgg.faces.synthetic.maths import Array, mix, normalized


@dataclass(frozen=True)
class Strands:
    """Strands of hair; n of them with k points each.

    Attributes:
        paths: (n, k, 3) from root to tip, dm.
        outwards: (n, k, 3) unit vectors away from the head.
        layer: (n,) 0 next to the scalp, 1 outermost.
        width: (n,) dm.
    """

    paths: Float[np.ndarray, "n k 3"]
    outwards: Float[np.ndarray, "n k 3"]
    layer: Float[np.ndarray, "n"]
    width: Float[np.ndarray, "n"]


def no_strands() -> Strands:
    """Those of a shorn head."""
    return Strands(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)), np.zeros(0), np.zeros(0))


def joined(one: Strands, other: Strands) -> Strands:
    """All strands of both, which have the same number of points."""
    names = [field.name for field in fields(Strands)]
    return Strands(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in names))


def trimmed(strands: Strands, ends: Float[np.ndarray, "n"], points: int) -> Strands:
    """Cut strands off and give each the same number of points.

    Args:
        strands: to be cut.
        ends: (n,) where, as a share of their length.
        points: of each strand afterwards.
    """
    place = ends[:, None] * np.linspace(0, 1, points) * (strands.paths.shape[1] - 1)
    before = np.minimum(place.astype(int), strands.paths.shape[1] - 2)
    share = place - before
    row = np.arange(len(place))[:, None]

    def at(values: Array) -> Array:
        return mix(values[row, before], values[row, before + 1], share)

    return replace(strands, paths=at(strands.paths), outwards=normalized(at(strands.outwards)))
