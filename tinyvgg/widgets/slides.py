"""What can be set of a synthetic face on a continuous scale. No widgets here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from tinyvgg.face_parameters import HEAD, LIGHT, STRONGEST, Real, both_sides
from tinyvgg.faces.synthetic import FaceSpec, intervene

WIDEST_GAZE = 40


@dataclass(frozen=True)
class Slide:
    """One cause on a scale.

    Attributes:
        words: what readers call it.
        low: its smallest value.
        high: its largest value.
        step: from a value to the next.
        change: makes of a shot the one with such a value.
        read: finds the value of a shot.
    """

    words: str
    low: Real
    high: Real
    step: Real
    change: Callable[[FaceSpec, Real], FaceSpec]
    read: Callable[[FaceSpec], float]


def _action(name: str, words: str) -> Slide:
    def change(spec: FaceSpec, weight: Real) -> FaceSpec:
        return intervene(spec, actions={name: weight})

    def read(spec: FaceSpec) -> float:
        weights = [spec.expression.actions.get(side, 0.0) for side in both_sides(name)]
        return float(np.mean(weights))

    return Slide(words, 0, STRONGEST, 0.05, change, read)


def _light(name: str, words: str, step: Real) -> Slide:
    def change(spec: FaceSpec, value: Real) -> FaceSpec:
        return intervene(spec, light=replace(spec.light, **{name: value}))

    def read(spec: FaceSpec) -> float:
        return float(getattr(spec.light, name))

    return Slide(words, *LIGHT[name], step, change, read)


def _head(name: str, words: str) -> Slide:
    def change(spec: FaceSpec, value: Real) -> FaceSpec:
        return intervene(spec, head=replace(spec.head, **{name: value}))

    def read(spec: FaceSpec) -> float:
        return float(getattr(spec.head, name))

    return Slide(words, *HEAD[name], 1, change, read)


def _look(spec: FaceSpec, degrees: Real) -> FaceSpec:
    return intervene(spec, gaze=degrees)


def _walk(spec: FaceSpec, degrees: Real) -> FaceSpec:
    return intervene(spec, angle=degrees)


UPPER: Mapping[str, Slide] = MappingProxyType(
    {
        name: _action(name, words)
        for name, words in {
            "browInnerUp": "inner brows up",
            "browOuterUp": "outer brows up",
            "browDown": "brows down",
            "eyeWide": "upper lids up",
            "eyeBlink": "lids shut",
            "cheekSquint": "cheeks up",
        }.items()
    }
)
LOWER: Mapping[str, Slide] = MappingProxyType(
    {
        name: _action(name, words)
        for name, words in {
            "jawOpen": "jaw open",
            "mouthSmile": "smile",
            "mouthFrown": "corners down",
            "mouthPress": "lips pressed",
            "mouthPucker": "lips puckered",
            "mouthUpperUp": "upper lip up",
            "noseSneer": "nose wrinkled",
            "cheekPuff": "cheeks puffed",
        }.items()
    }
)
AROUND: Mapping[str, Slide] = MappingProxyType(
    {
        "gaze": Slide(
            *("gaze (°)", -WIDEST_GAZE, WIDEST_GAZE, 1),
            change=_look,
            read=lambda spec: float(spec.expression.gaze_yaw),
        ),
        "head_turn": _head("turn", "head turned (°)"),
        "head_nod": _head("nod", "head nodded (°)"),
        "angle": Slide("camera (°)", 0, 180, 1, change=_walk, read=lambda spec: float(spec.angle)),
        "turn": _light("turn", "lamps (°)", 5),
        "key": _light("key", "key lamp", 0.1),
        "fill": _light("fill", "fill lamp", 0.1),
        "dome": _light("dome", "all around", 0.1),
    }
)
SLIDES: Mapping[str, Slide] = MappingProxyType({**UPPER, **LOWER, **AROUND})
"""By the name of an action, of a property of the light, or of what else `intervene` changes."""
