"""Strands of hair as lines in space."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from synthfaces.maths import Array, dot, mix, normalized

_PARTS = 2
_PART_WIDTH = 0.65
_SPREAD, _PARTING, _WIDEST = 0.011, 0.03, 0.035
_STRAYS, _STRAYING, _STRAY_WIDTH = 0.05, 2.0, 0.7
_SHORTEST = 0.78


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


def frayed(strands: Strands, rng: np.random.Generator) -> Strands:
    """Each strand as several finer ones that part towards their tips, some of which stray.

    Args:
        strands: coarse ones, each of which stands for a tuft.
        rng: the subject's stream.
    """
    count, points = strands.paths.shape[:2]
    if not count:
        return strands
    steps = np.diff(strands.paths, axis=1, prepend=strands.paths[:, :1])
    run = np.cumsum(np.sqrt(dot(steps, steps)), axis=1)
    apart = np.minimum(_SPREAD + _PARTING * run, _WIDEST)
    side = normalized(np.cross(np.gradient(strands.paths, axis=1), strands.outwards))
    tuft = np.repeat(np.arange(count), _PARTS)
    stray = rng.random(len(tuft)) < _STRAYS
    aside, out = rng.uniform(-1.7, 1.7, (2, len(tuft), 1)) * np.where(stray, _STRAYING, 1)[:, None]
    aside, out = aside * apart[tuft], 0.6 * out * apart[tuft]
    paths = strands.paths[tuft] + side[tuft] * aside[..., None]
    finer = Strands(
        paths + strands.outwards[tuft] * out[..., None],
        strands.outwards[tuft],
        strands.layer[tuft],
        strands.width[tuft] * _PART_WIDTH * np.where(stray, _STRAY_WIDTH, 1),
    )
    return trimmed(finer, rng.uniform(_SHORTEST, 1, len(tuft)), points)
