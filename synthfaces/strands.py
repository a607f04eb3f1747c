"""Strands of hair as lines in space: growth, locks and knots."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from synthfaces.appearance import (
    FALLING,
    HAIRCUTS,
    Cut,
    Haircut,
    HairStyle,
    in_sideburns,
    within_hairline,
)
from synthfaces.chart import AXIS_DEPTH
from synthfaces.maths import Array, Rng, dot, mix, normalized, smoothstep
from synthfaces.scalp import EAR, KNOT, Points, Scalp, comb, off_the_ears, off_the_face, shares

_PARTS = 2
_PART_WIDTH = 0.65
_SPREAD, _PARTING, _WIDEST = 0.011, 0.03, 0.035
_STRAYS, _STRAYING, _STRAY_WIDTH = 0.05, 2.0, 0.7
_SHORTEST = 0.78


@dataclass(frozen=True)
class Strands:
    """The n strands of hair, of k points each."""

    paths: Float[np.ndarray, "n k 3"]  # from root to tip, dm
    outwards: Float[np.ndarray, "n k 3"]  # unit vectors away from the head
    layer: Float[np.ndarray, "n"]  # 0 next to the scalp, 1 outermost
    width: Float[np.ndarray, "n"]  # dm


def trimmed(strands: Strands, ends: Float[np.ndarray, "n"], points: int) -> Strands:
    """Cut strands off and give each the same number of points."""
    place = ends[:, None] * np.linspace(0, 1, points) * (strands.paths.shape[1] - 1)
    before = np.minimum(place.astype(int), strands.paths.shape[1] - 2)
    share = place - before
    row = np.arange(len(place))[:, None]

    def at(values: Array) -> Array:
        return mix(values[row, before], values[row, before + 1], share)

    return replace(strands, paths=at(strands.paths), outwards=normalized(at(strands.outwards)))


def frayed(strands: Strands, rng: Rng) -> Strands:
    """Split strands into finer ones that part towards their tips, and let some stray."""
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


_STRANDS_IN_A_LOCK = 14
_STRANDS_OF_THE_KNOT = 700
_BUN_BELOW = 0.5
_GATHER = {Cut.PARTED: 0.15, Cut.SWEPT: 0.15, Cut.BOB: 0.2, Cut.LONG: 0.2, Cut.CURLY: 0.4}
"""The degree to which the tips of a lock come together, 0..1."""


def waved(strands: Strands, style: HairStyle, rng: Rng) -> Strands:
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


def knot(style: HairStyle, rng: Rng) -> Strands:
    """Return the strands that end tied hair: a bun if it is short, or else a tail."""
    count, points = _STRANDS_OF_THE_KNOT, HAIRCUTS[Cut.TIED].points
    along = np.linspace(0, 1, points)[None]
    paths, outwards = (_bun if style.length < _BUN_BELOW else _tail)(style, count, along, rng)
    width = 0.03 * rng.uniform(0.7, 1.3, count)
    return Strands(paths, outwards, rng.uniform(0.3, 1, count), width)


def _bun(style: HairStyle, count: int, along: Array, rng: Rng) -> tuple[Array, Array]:
    """Return arcs around a ball, and the directions away from its middle."""
    axis = normalized(rng.normal(0, 1, (count, 3)) * (0.5, 0.5, 1.0))
    first = normalized(np.cross(axis, rng.normal(0, 1, (count, 3))))
    second = np.cross(axis, first)
    angle = (rng.uniform(0, 2 * np.pi, (count, 1)) + along * 1.8)[..., None]
    ball = np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None]
    radius = rng.uniform(0.17, 0.20, (count, 1, 1)) + 0.05 * style.length
    return KNOT + np.array([0, 0, -0.10]) + ball * radius, ball


def _tail(style: HairStyle, count: int, along: Array, rng: Rng) -> tuple[Array, Array]:
    """Return strands that hang down from the knot, and the directions away from their middle."""
    spread = rng.normal(0, 0.035, (count, 1, 3))
    drop = (1.0 + 0.6 * style.length) * rng.uniform(0.8, 1.1, (count, 1)) * along
    fan = 1 + 0.8 * np.sin(along * np.pi * 0.8)[..., None]
    back = 0 * drop - 0.16 * np.sin(along * 2.2)
    course = np.stack([0 * drop, -drop, back], axis=-1)
    outwards = normalized(spread + np.array([0, 0, -0.04])) + 0 * course
    return KNOT + np.array([0, 0, 0.02]) + course + spread * fan, outwards


_STEPS = 26
_UNCUT = (*FALLING, Cut.TIED)
_DOWN = np.array([0.0, -1.0, 0.0])
_BROW_CLEARANCE = 7.66
_SIDEBURN = 0.08
_EDGE, _TAPER = 0.16, 0.3


def grow(scalp: Scalp, style: HairStyle, rng: Rng) -> Strands:
    """Grow all strands of a style."""
    if style.cut == Cut.BUZZED:
        return Strands(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)), np.zeros(0), np.zeros(0))
    haircut = HAIRCUTS[style.cut]
    roots = scalp.roots(haircut.count, style, rng)
    strands = _fall(scalp, roots, style, haircut, rng)
    if style.cut == Cut.TIED:
        both = (vars(strands), vars(knot(style, rng)))
        strands = Strands(**{name: np.concatenate([x[name] for x in both]) for name in both[0]})
    return strands


def _fall(scalp: Scalp, roots: Points, style: HairStyle, haircut: Haircut, rng: Rng) -> Strands:
    """Let strands grow from their roots."""
    count = len(roots)
    layer = rng.random(count) ** 0.7
    edge = _within_hairline(roots, style)
    thinnest = 0.75 if style.cut in FALLING else 0.0
    length = _lengths(roots, style, haircut, rng) * (1 if style.cut in _UNCUT else edge)
    scatter = rng.normal(0, 0.16, (count, 3))
    point, normal, _ = scalp.nearest(roots)
    direction = normalized(
        mix(comb(roots, normal, style), normal, np.full(count, haircut.rise)) + scatter
    )
    lowest = 1.0 * (style.cut == Cut.TIED)
    paths, outwards = [roots], [normal]
    step = (length / _STEPS)[:, None]
    point = roots
    for number in range(1, _STEPS + 1):
        point = point + step * direction
        _, normal, distance = scalp.nearest(point)
        wanted = _lifts(point, style, haircut) * (0.15 + 0.85 * layer) * edge
        wanted *= np.minimum(1, number * step[:, 0] / 0.3)
        off = wanted - distance
        held = haircut.hug * smoothstep(6.75, 7.15, point[:, 1]) * smoothstep(0.5, 0.3, distance)
        point = point + normal * np.where(off > 0, off, off * held * 0.5)[:, None]
        point = off_the_ears(off_the_face(point, style), style)
        direction = normalized(point - paths[-1])
        near = smoothstep(0.45, 0.2, distance) * smoothstep(6.6, 7.0, point[:, 1] + lowest)
        wish = comb(point, normal, style) * near[:, None] + _DOWN * (1 - near)[:, None]
        wish = normalized(wish + _DOWN * haircut.weight + scatter * 0.5)
        direction = normalized(direction * 0.55 + wish * 0.45)
        paths.append(point)
        outwards.append(normal)
    fine = np.clip(length / 0.25, 0.4, 1) * np.maximum(edge, thinnest)
    width = haircut.width * rng.uniform(0.6, 1.3, count) * fine
    strands = Strands(np.stack(paths, axis=1), np.stack(outwards, axis=1), layer, width)
    strands = replace(strands, outwards=_away_from_axis(strands))
    strands = trimmed(strands, _ends(strands, style, rng), haircut.points)
    return waved(strands, style, rng)


def _within_hairline(roots: Points, style: HairStyle) -> Float[np.ndarray, "n"]:
    """Return the strength of hair: one inside, less at the hairline, where it is fine and short."""
    azimuth = np.arctan2(roots[:, 0], roots[:, 2] - AXIS_DEPTH)
    inside = within_hairline(azimuth, roots[:, 1], style)
    band = _EDGE + _TAPER * in_sideburns(azimuth, roots[:, 1])
    return np.asarray(0.35 + 0.65 * smoothstep(0, 1, (inside + 0.02) / band))


def _lengths(roots: Points, style: HairStyle, haircut: Haircut, rng: Rng) -> Float[np.ndarray, "n"]:
    top, front = shares(roots)
    low, high = (
        (side + (over - side) * top) * (1 - front) + fore * front
        for side, over, fore in zip(haircut.side, haircut.top, haircut.front, strict=True)
    )
    length = (low + (high - low) * style.length) * rng.uniform(0.75, 1.1, len(roots))
    if style.cut in _UNCUT:
        shaved = (roots[:, 2] > 0.55) & (roots[:, 1] < 7.35)
        shaved &= style.tucked or style.cut == Cut.TIED
        return np.where(shaved, _SIDEBURN, length)
    return np.asarray(length * (0.3 + 0.7 * smoothstep(6.5, 7.3, roots[:, 1])))


def _lifts(points: Points, style: HairStyle, haircut: Haircut) -> Float[np.ndarray, "n"]:
    """Return the height of the outermost layer, dm: most on top, little at the nape."""
    if style.cut == Cut.TIED:
        return np.full(len(points), haircut.lift)
    falls = style.cut in FALLING
    low = 0.55 if falls else 0.75 if style.cut == Cut.CURLY else 0.3
    growth = low + (1 - low) * smoothstep(7.4, 8.3, points[:, 1])
    lift = haircut.lift * style.volume * growth
    if falls and not style.tucked:
        offset = (points - EAR) / (1, 0.55, 0.42)
        lift = lift + 0.06 * np.exp(-(offset[:, 1] ** 2 + offset[:, 2] ** 2))
    return np.asarray(lift)


def _away_from_axis(strands: Strands) -> Float[np.ndarray, "n k 3"]:
    """Blend the strands' normals with the directions away from the head's middle."""
    middle = np.array([0.0, 7.4, 0.5])
    away = (strands.paths - middle) * np.array([1, 0.45, 1])
    return normalized(strands.outwards * 0.7 + normalized(away))


def _ends(strands: Strands, style: HairStyle, rng: Rng) -> Float[np.ndarray, "n"]:
    """Return the places where strands are cut off, as shares of their length."""
    count, points = strands.paths.shape[:2]
    height, depth = strands.paths[..., 1], strands.paths[..., 2]
    if style.cut == Cut.BOB:
        lowest = 6.75 - 0.5 * style.length + rng.normal(0, 0.05, (count, 1))
        beyond = height < lowest
    elif style.cut == Cut.LONG:
        lowest = 5.9 - 0.6 * style.length + rng.normal(0, 0.12, (count, 1))
        beyond = height < lowest
    elif style.cut == Cut.FRINGE:
        lowest = _BROW_CLEARANCE + 0.1 * (1 - style.length) + rng.random((count, 1)) * 0.08
        beyond = (height < lowest) & (depth > 1.0)
    elif style.cut == Cut.TIED:
        away = strands.paths - KNOT
        beyond = dot(away, away) < 0.14**2
    else:
        return np.ones(count)
    first = np.where(beyond.any(axis=1), beyond.argmax(axis=1), points - 1)
    return np.asarray(np.maximum(first, 1) / (points - 1))
