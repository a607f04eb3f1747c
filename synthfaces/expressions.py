"""Expressions as strengths of facial actions, after FACS, and the pose of the head."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from synthfaces.maths import Rng, bounded, contract, stream
from synthfaces.parameters import (
    ACTIONS,
    GAZES,
    HEAD,
    STRONGEST,
    USUAL,
    Difficulty,
    Real,
    both_sides,
    check_one_of,
    check_range,
)

EXPRESSIONS: Mapping[str, Mapping[str, float]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text("utf-8")
)
"""The actions that show each emotion, and their mean weights."""

_RESTLESS = ("mouthFrown", "browInnerUp", "eyeBlink", "mouthPress")
_TURN = {"left": 1.0, "frontal": 0.0, "right": -1.0}
_GAZE_DEGREES = 26.0
_WIDEST_GAZE = 40.0
_LID_FOLLOWS, _LIDS_PER_DEGREE = 0.8, 0.05
_SAD_LOWERS_GAZE = 6.0
_CHIN_AT_REST, _CHIN_RESTLESSNESS = 0.1, 5 / 6


@dataclass(frozen=True)
class Temperament:
    """The way in which one subject's face acts."""

    near: str  # the side, ``Left`` or ``Right``, that lopsided expressions favour
    asymmetry: float  # share by which the left side acts more strongly than the right
    gains: Mapping[str, float]  # per action, how strongly it acts


@dataclass(frozen=True)
class Expression:
    """The actions of a face in one shot; frozen.

    Attributes:
        actions: target name to weight; those that are not named rest.
        gaze_yaw: direction of the eyes, degrees to the subject's left, however the head is held.
        gaze_pitch: the same downwards.
    """

    actions: Mapping[str, Real] = field(default_factory=dict, hash=False)
    gaze_yaw: Real = 0.0
    gaze_pitch: Real = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "actions", MappingProxyType(dict(self.actions)))

    def __reduce__(self) -> tuple[type["Expression"], tuple[object, ...]]:
        return type(self), (dict(self.actions), self.gaze_yaw, self.gaze_pitch)

    def check(self) -> None:
        """Raise an error for an action, a weight or a gaze that no face can have."""
        for action, weight in self.actions.items():
            check_one_of("action", action, ACTIONS)
            check_range(f"weight of {action}", weight, 0, STRONGEST)
        check_range("gaze_yaw", self.gaze_yaw, -_WIDEST_GAZE, _WIDEST_GAZE)
        check_range("gaze_pitch", self.gaze_pitch, -_WIDEST_GAZE, _WIDEST_GAZE)

    def strength(self, *actions: str) -> float:
        """Return the mean weight of some actions over both sides, clipped to 0..1."""
        names = [name for action in actions for name in sides(action)]
        return float(np.clip(np.mean([self.actions.get(name, 0.0) for name in names]), 0, 1))


def sides(action: str, near: str = "Left") -> tuple[str, ...]:
    """Return the targets that an entry of `EXPRESSIONS` moves."""
    name, _, side = action.partition(":")
    far = "Right" if near == "Left" else "Left"
    if side:
        return (name + (near if side == "near" else far),)
    return both_sides(name)


def draw_temperament(
    rng: Rng, actions: tuple[str, ...], difficulty: Difficulty = USUAL
) -> Temperament:
    """Draw a subject's way to act; `actions` are the names of all face units."""
    near = "Left" if rng.random() < 0.5 else "Right"
    asymmetry = float(rng.normal(0, difficulty.asymmetry))
    gains = np.exp(rng.normal(0, difficulty.idiosyncrasy, len(actions)))
    return Temperament(near, asymmetry, dict(zip(actions, gains.tolist(), strict=True)))


def draw_expression(
    emotion: str, gaze: str, temperament: Temperament, rng: Rng, difficulty: Difficulty = USUAL
) -> Expression:
    """Draw one attempt of a subject at an expression; no two are quite the same."""
    weakest = difficulty.intensity - difficulty.intensity_spread
    overall = rng.uniform(weakest, difficulty.intensity + difficulty.intensity_spread)
    actions: dict[str, float] = {}
    for action, strength in EXPRESSIONS[emotion].items():
        for name in sides(action, temperament.near):
            wavering = np.exp(rng.normal(0, difficulty.wavering))
            sign = name.endswith("Left") - name.endswith("Right")
            habit = temperament.gains.get(name, 1.0) * (1 + sign * temperament.asymmetry)
            weight = strength * overall * wavering * habit
            actions[name] = float(np.clip(weight, 0, STRONGEST))
    if emotion == "neutral":
        actions |= _restless(rng, difficulty.restlessness)
    turn = _TURN[gaze] * rng.normal(1, difficulty.gaze_turn)
    lowering = _SAD_LOWERS_GAZE if emotion == "sad" else 0.0
    return Expression(
        actions=actions | _following_lids(turn),
        gaze_yaw=_within(_GAZE_DEGREES * turn),
        gaze_pitch=_within(rng.normal(-1, difficulty.gaze_height) + lowering),
    )


def _restless(rng: Rng, restlessness: float) -> dict[str, float]:
    """Draw the actions that a face at rest still has."""
    names = [name for action in _RESTLESS for name in sides(action)]
    twitches = np.clip(np.abs(rng.normal(0, restlessness, len(names))), 0, STRONGEST)
    spread = _CHIN_RESTLESSNESS * restlessness
    chin = max(0.0, float(rng.uniform(_CHIN_AT_REST - spread, _CHIN_AT_REST + spread)))
    return dict(zip(names, twitches.tolist(), strict=True)) | {"mouthShrugLower": chin}


def _within(degrees: float) -> float:
    return float(np.clip(degrees, -_WIDEST_GAZE, _WIDEST_GAZE))


def gaze_yaw(gaze: str | Real) -> float:
    """Return the degrees to the subject's left: as given, or of a gaze without its variation."""
    if not isinstance(gaze, str):
        check_range("gaze", gaze, -_WIDEST_GAZE, _WIDEST_GAZE)
        return float(gaze)
    check_one_of("gaze", gaze, GAZES)
    return _GAZE_DEGREES * _TURN[gaze]


def follow_gaze(yaw: Real) -> dict[str, float]:
    """Return the lids' actions when the eyeballs turn by this many degrees to the head's left."""
    return _following_lids(yaw / _GAZE_DEGREES)


def held_lids(expression: Expression, turn: Real, nod: Real) -> Mapping[str, Real]:
    """Return the weights of an expression whose lids follow eyes that stay as the head turns."""
    if not turn and not nod:
        return expression.actions
    weights: dict[str, Real] = dict(expression.actions)
    upright, held = (follow_gaze(expression.gaze_yaw - around) for around in (0.0, turn))
    for name in {**upright, **held}:
        weights[name] = weights.get(name, 0.0) + held.get(name, 0.0) - upright.get(name, 0.0)
    for name in both_sides("eyeLookUp" if nod > 0 else "eyeLookDown"):
        weights[name] = weights.get(name, 0.0) + _LIDS_PER_DEGREE * abs(nod)
    return {name: float(np.clip(weight, 0, STRONGEST)) for name, weight in weights.items()}


def _following_lids(turn: float) -> dict[str, float]:
    """Return the lids' actions for eyeballs turned to the subject's left (turn > 0) or right."""
    weight = min(_LID_FOLLOWS * abs(turn), STRONGEST)
    if turn > 0:
        return {"eyeLookOutLeft": weight, "eyeLookInRight": weight}
    if turn < 0:
        return {"eyeLookInLeft": weight, "eyeLookOutRight": weight}
    return {}


@dataclass(frozen=True)
class Head:
    """The pose of the head, with neck and shoulders, around the middle between the ears.

    Everything is rendered in the frame of the head: cameras and lamps are carried around it the
    other way. The eyes turn back in the head, so that they keep their direction in the room.

    Attributes:
        turn: degrees to the subject's left.
        nod: degrees down.
    """

    turn: Real = 0.0
    nod: Real = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in HEAD.items():
            check_range(name, getattr(self, name), low, high)

    @cached_property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """The rotation from the frame of the head to that of the room."""
        return rotation(self.turn, self.nod)

    def seen(self, vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Return the room's vectors in the frame of the head; unchanged if it is upright."""
        return contract("...i,ij->...j", vectors, self.rotation.astype(vectors.dtype))


UPRIGHT = Head()
"""The pose of a head that is held straight."""


def rotation(turn: Real, down: Real) -> Float[np.ndarray, "3 3"]:
    """Return the rotation to the subject's left, after a tilt down around the line of the eyes."""
    yaw, pitch = np.radians(turn), np.radians(down)
    around = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    below = np.array([0, np.sin(pitch), np.cos(pitch)])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], below])
    return contract("ij,jk->ik", around, tilt)


def draw_head(
    seed: int, subject: int, emotion: str, gaze: str, difficulty: Difficulty = USUAL
) -> Head:
    """Draw the pose of the head in one shot, which all its cameras share."""
    turn, nod = bounded(stream(seed, subject, emotion, gaze, "head"), 2)
    return Head(turn=difficulty.head_turn * turn, nod=difficulty.head_nod * nod)
