"""Locks: strands that run together, curl alike, and are tied in a knot."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from synthfaces.combing import KNOT
from synthfaces.hair_styles import Cut, HairStyle
from synthfaces.haircuts import HAIRCUTS
from synthfaces.maths import Array, dot, normalized
from synthfaces.strands import Strands

_STRANDS_IN_A_LOCK = 14
_STRANDS_OF_THE_KNOT = 700
_BUN_BELOW = 0.5
_GATHER = {Cut.PARTED: 0.15, Cut.SWEPT: 0.15, Cut.BOB: 0.2, Cut.LONG: 0.2, Cut.CURLY: 0.4}
"""How far the tips of a lock come together, 0..1."""


def waved(strands: Strands, style: HairStyle, rng: np.random.Generator) -> Strands:
    """Curl strands, those of a lock alike, and draw the tips of each lock together."""
    paths = strands.paths
    count = len(paths)
    locks = cKDTree(paths[rng.choice(count, max(1, count // _STRANDS_IN_A_LOCK), replace=False), 0])
    lock = locks.query(paths[:, 0])[1]
    leader = np.zeros((locks.n, *paths.shape[1:]))
    np.add.at(leader, lock, paths)
    leader /= np.maximum(np.bincount(lock, minlength=locks.n), 1)[:, None, None]
    along = np.linspace(0, 1, paths.shape[1])
    gather = _GATHER.get(style.cut, 0.0) * along**1.5
    paths = paths + (leader[lock] - paths) * gather[None, :, None]
    steps = np.diff(paths, axis=1, prepend=paths[:, :1])
    run = np.cumsum(np.sqrt(dot(steps, steps)), axis=1)
    curly = style.cut == Cut.CURLY
    turn = rng.uniform(0.22, 0.3) if curly else rng.uniform(0.5, 0.8)
    phase = rng.uniform(0, 2 * np.pi, locks.n)[lock] + rng.normal(0, 0.5, count)
    angle = 2 * np.pi * run / turn + phase[:, None]
    size = style.wave * (0.05 if curly else 0.055) * np.minimum(1, run / 0.5)
    across = normalized(np.cross(strands.outwards, np.gradient(paths, axis=1)))
    paths = paths + across * (size * np.cos(angle))[..., None]
    outwards = strands.outwards * (size * (np.sin(angle) * 0.7 + 0.5))[..., None]
    return replace(strands, paths=paths + outwards)


def knot(style: HairStyle, rng: np.random.Generator) -> Strands:
    """What tied hair ends in: a bun where it is short, and else a tail."""
    count, points = _STRANDS_OF_THE_KNOT, HAIRCUTS[Cut.TIED].points
    along = np.linspace(0, 1, points)[None]
    paths, outwards = (_bun if style.length < _BUN_BELOW else _tail)(style, count, along, rng)
    width = 0.03 * rng.uniform(0.7, 1.3, count)
    return Strands(paths, outwards, rng.uniform(0.3, 1, count), width)


def _bun(
    style: HairStyle, count: int, along: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Arcs around a ball, and the directions away from its middle."""
    axis = normalized(rng.normal(0, 1, (count, 3)) * (0.5, 0.5, 1.0))
    first = normalized(np.cross(axis, rng.normal(0, 1, (count, 3))))
    second = np.cross(axis, first)
    angle = (rng.uniform(0, 2 * np.pi, (count, 1)) + along * 1.8)[..., None]
    ball = np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None]
    radius = rng.uniform(0.17, 0.20, (count, 1, 1)) + 0.05 * style.length
    return KNOT + np.array([0, 0, -0.10]) + ball * radius, ball


def _tail(
    style: HairStyle, count: int, along: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Strands that hang down from the knot, and the directions away from their middle."""
    spread = rng.normal(0, 0.035, (count, 1, 3))
    drop = (1.0 + 0.6 * style.length) * rng.uniform(0.8, 1.1, (count, 1)) * along
    fan = 1 + 0.8 * np.sin(along * np.pi * 0.8)[..., None]
    back = 0 * drop - 0.16 * np.sin(along * 2.2)
    course = np.stack([0 * drop, -drop, back], axis=-1)
    outwards = normalized(spread + np.array([0, 0, -0.04])) + 0 * course
    return KNOT + np.array([0, 0, 0.02]) + course + spread * fan, outwards
