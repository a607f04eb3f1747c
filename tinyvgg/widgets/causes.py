"""Causes of a synthetic face that a reader can change, each in some steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tinyvgg.face_parameters import EMOTIONS, Real
from tinyvgg.faces.synthetic import FaceSpec, Head, Light, intervene

Value = Real | str
REST, AHEAD, AS_IN_SET = "at rest", "straight ahead", "as in the set"


@dataclass(frozen=True)
class Cause:
    """One cause, and the values that it can take.

    Attributes:
        name: an id.
        label: what readers call it.
        group: the causes that it stands among.
        values: in the order of a slider.
        rest: the place among them that changes nothing.
        change: makes of a shot the one with such a value.
        words: of a value.
    """

    name: str
    label: str
    group: str
    values: tuple[Value, ...]
    rest: int
    change: Callable[[FaceSpec, Any], FaceSpec]
    words: Callable[[Any], str]

    def spec(self, spec: FaceSpec, place: int) -> FaceSpec:
        """The shot with the value at this place; the very shot at the place of rest."""
        return spec if place == self.rest else self.change(spec, self.values[place])

    def text(self, place: int) -> str:
        """The value at this place, in words."""
        return self.words(self.values[place])

    def coarse(self) -> "Cause":
        """The same with the first value, rest and the last one alone."""
        kept = sorted({0, self.rest, len(self.values) - 1})
        values = tuple(self.values[place] for place in kept)
        return Cause(
            self.name,
            self.label,
            self.group,
            values,
            kept.index(self.rest),
            self.change,
            self.words,
        )


def _act(spec: FaceSpec, weight: Real, actions: Sequence[str]) -> FaceSpec:
    return intervene(spec, actions=dict.fromkeys(actions, weight))


def express(spec: FaceSpec, emotion: str) -> FaceSpec:
    """A shot with the expression of another emotion, of the upper and of the lower face."""
    return intervene(intervene(spec, upper=emotion), lower=emotion)


def _look(spec: FaceSpec, degrees: Real) -> FaceSpec:
    return intervene(spec, gaze=degrees)


def _hold(spec: FaceSpec, degrees: Real) -> FaceSpec:
    return intervene(spec, head=Head(turn=degrees))


def _turn(spec: FaceSpec, degrees: Real) -> FaceSpec:
    return intervene(spec, light=Light(turn=degrees))


def _brighten(spec: FaceSpec, factor: Real) -> FaceSpec:
    return intervene(spec, light=Light(dome=factor))


def _walk(spec: FaceSpec, degrees: Real) -> FaceSpec:
    return intervene(spec, angle=degrees)


def _sideways(degrees: Real, middle: str) -> str:
    if not degrees:
        return middle
    return f"{abs(degrees):g}° to the subject's {'left' if degrees > 0 else 'right'}"


def _weight(weight: Real) -> str:
    return f"{weight:g}" if weight else REST


def _times(factor: Real) -> str:
    return AS_IN_SET if factor == 1 else f"{factor:g} times as strong"


def _degrees(angle: Real) -> str:
    return f"{angle:g}°"


UPPER, LOWER, EYES, AROUND = (
    "Upper face",
    "Lower face",
    "Expression, eyes, head",
    "Light and camera",
)
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ACTIONS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "smile": ("Smile", LOWER, ("mouthSmile",)),
    "jaw": ("Open the jaw", LOWER, ("jawOpen",)),
    "sneer": ("Wrinkle the nose", LOWER, ("noseSneer",)),
    "pucker": ("Pucker the lips", LOWER, ("mouthPucker",)),
    "puff": ("Puff the cheeks", LOWER, ("cheekPuff",)),
    "raise": ("Raise the brows", UPPER, ("browInnerUp", "browOuterUp")),
    "lower": ("Lower the brows", UPPER, ("browDown",)),
    "wide": ("Raise the upper lids", UPPER, ("eyeWide",)),
    "blink": ("Close the eyes", UPPER, ("eyeBlink",)),
}
_EMOTIONS = (REST, *(emotion for emotion in EMOTIONS if emotion != "neutral"))

CAUSES: tuple[Cause, ...] = (
    *(
        Cause(name, label, group, _WEIGHTS, 0, partial(_act, actions=actions), _weight)
        for name, (label, group, actions) in _ACTIONS.items()
    ),
    Cause("expression", "Expression", EYES, _EMOTIONS, 0, express, str),
    Cause(
        *("gaze", "Gaze", EYES, (-30, -20, -10, 0, 10, 20, 30), 3, _look),
        partial(_sideways, middle=AHEAD),
    ),
    Cause(
        *("head", "Turn the head", EYES, (-30, -15, 0, 15, 30), 2, _hold),
        partial(_sideways, middle=AHEAD),
    ),
    Cause(
        *("turn", "Carry the lamps", AROUND, (-90, -60, -30, 0, 30, 60, 90), 3, _turn),
        partial(_sideways, middle=AS_IN_SET),
    ),
    Cause("dome", "Light from all around", AROUND, (0, 0.5, 1, 1.5, 2), 2, _brighten, _times),
    Cause("angle", "Camera", AROUND, (0, 30, 60, 90, 120, 150, 180), 3, _walk, _degrees),
)
"""What a static explorer offers."""
