"""Hair grows on the undeformed head: strands follow the comb, gravity and what is in their way."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from synthfaces.chart import AXIS_DEPTH
from synthfaces.combing import KNOT, Vectors, comb, shares
from synthfaces.hair_styles import FALLING, Cut, HairStyle, in_sideburns, within_hairline
from synthfaces.haircuts import HAIRCUTS, Haircut
from synthfaces.locks import knot, waved
from synthfaces.maths import dot, mix, normalized, smoothstep
from synthfaces.obstacles import EAR, off_the_ears, off_the_face
from synthfaces.scalp import Scalp
from synthfaces.strands import Strands, joined, no_strands, trimmed

_STEPS = 26
_UNCUT = (*FALLING, Cut.TIED)
_DOWN = np.array([0.0, -1.0, 0.0])
_BROW_CLEARANCE = 7.66
_SIDEBURN = 0.08
_EDGE, _TAPER = 0.16, 0.3


def grow(scalp: Scalp, style: HairStyle, rng: np.random.Generator) -> Strands:
    """All strands of a style."""
    if style.cut == Cut.BUZZED:
        return no_strands()
    haircut = HAIRCUTS[style.cut]
    roots = scalp.roots(haircut.count, style, rng)
    strands = _fall(scalp, roots, style, haircut, rng)
    if style.cut == Cut.TIED:
        strands = joined(strands, knot(style, rng))
    return strands


def _fall(
    scalp: Scalp, roots: Vectors, style: HairStyle, haircut: Haircut, rng: np.random.Generator
) -> Strands:
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
    strands = Strands(
        np.stack(paths, axis=1),
        np.stack(outwards, axis=1),
        layer,
        width,
    )
    strands = replace(strands, outwards=_away_from_axis(strands))
    strands = trimmed(strands, _ends(strands, style, rng), haircut.points)
    return waved(strands, style, rng)


def _within_hairline(roots: Vectors, style: HairStyle) -> Float[np.ndarray, "n"]:
    """How strong hair is: one inside, less at the hairline, where it is fine and short."""
    azimuth = np.arctan2(roots[:, 0], roots[:, 2] - AXIS_DEPTH)
    inside = within_hairline(azimuth, roots[:, 1], style)
    band = _EDGE + _TAPER * in_sideburns(azimuth, roots[:, 1])
    return np.asarray(0.35 + 0.65 * smoothstep(0, 1, (inside + 0.02) / band))


def _lengths(
    roots: Vectors, style: HairStyle, haircut: Haircut, rng: np.random.Generator
) -> Float[np.ndarray, "n"]:
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


def _lifts(points: Vectors, style: HairStyle, haircut: Haircut) -> Float[np.ndarray, "n"]:
    """How high the outermost layer stands, dm: most on top, little at the nape."""
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
    """Normals of the scalp, blended with the direction away from the head's middle."""
    middle = np.array([0.0, 7.4, 0.5])
    away = (strands.paths - middle) * np.array([1, 0.45, 1])
    return normalized(strands.outwards * 0.7 + normalized(away))


def _ends(strands: Strands, style: HairStyle, rng: np.random.Generator) -> Float[np.ndarray, "n"]:
    """Where each strand is cut off, as a share of its length."""
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
