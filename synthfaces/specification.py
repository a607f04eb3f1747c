"""One shot, described by its causes, and the same shot with one cause changed.

`CAUSES` has those on a scale, with values from end to end.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from synthfaces.camera import Camera, Nuisance, aim, draw_nuisance, view_of
from synthfaces.expressions import (
    UPRIGHT,
    Expression,
    Head,
    Temperament,
    draw_expression,
    draw_head,
    draw_temperament,
    follow_gaze,
    gaze_yaw,
)
from synthfaces.lighting import STUDIO, Light, draw_light
from synthfaces.maths import stream
from synthfaces.parameters import (
    ACTIONS,
    EMOTIONS,
    HEAD,
    LIGHT,
    STRONGEST,
    SUBJECTS,
    USUAL,
    Difficulty,
    FaceError,
    Real,
    both_sides,
    check_range,
    check_subject,
)
from synthfaces.people import check_shot, person
from synthfaces.subjects import Framing

FACE_UNITS = tuple(sorted(action for action in ACTIONS if "-" not in action))
"""The actions that a temperament has a gain for, in the order of their draws."""

COLUMNS = ("subject", "emotion", "gaze", "angle")
"""The columns of a table whose rows are shots."""


@dataclass(frozen=True)
class FaceSpec:
    """All causes of one picture of a synthetic face but its size; frozen.

    Nothing is left to chance: two descriptions that differ in one cause differ in nothing else.

    Attributes:
        subject: RaFD's number of the subject.
        expression: weights of the actions, and direction of the eyes.
        angle: angle of the camera, 0 to 180 degrees; 90 is frontal, 0 the subject's right profile.
        nuisance: shift, scale and roll of the camera, exposure and noise.
        light: light of the studio.
        head: its pose, the same for all cameras.
        shape: number of the subject whose head's shape is taken in place of the subject's own.
        skin: the same for skin, lips, irises, brows, lashes and beard.
        hair: the same for the hair, its style and its colour.
        seed: seed of the set that the subjects belong to.
        difficulty: difficulty of that set, by which its other shots are drawn.
    """

    subject: int
    expression: Expression = field(default_factory=Expression)
    angle: Real = 90
    nuisance: Nuisance = field(default_factory=Nuisance)
    light: Light = STUDIO
    head: Head = UPRIGHT
    shape: int | None = None
    skin: int | None = None
    hair: int | None = None
    seed: int = 0
    difficulty: Difficulty = USUAL

    def __post_init__(self) -> None:
        for number in self.donors:
            check_subject(number)
        self.expression.check()
        check_range("angle", self.angle, 0, 180)

    @property
    def donors(self) -> tuple[int, int, int]:
        """The numbers of the subjects that shape, skin and hair come from."""
        given = (self.shape, self.skin, self.hair)
        shape, skin, hair = (self.subject if number is None else number for number in given)
        return shape, skin, hair

    def camera(self, framing: Framing) -> Camera:
        """Return the camera that takes the shot of a subject with this framing."""
        view = view_of(self.difficulty.crop, self.angle)
        return aim(framing, self.angle, self.nuisance, view, self.head)


def temperament(subject: int, seed: int, difficulty: Difficulty = USUAL) -> Temperament:
    """Return the temperament of a subject: the way in which its face acts."""
    return draw_temperament(stream(seed, subject, "temperament"), FACE_UNITS, difficulty)


def face_spec(
    subject: int,
    emotion: str,
    gaze: str = "frontal",
    angle: int = 90,
    seed: int = 0,
    difficulty: Difficulty = USUAL,
    take: int = 0,
) -> FaceSpec:
    """Return the description of one image of the design, which renders to that image.

    Args:
        subject: RaFD's number.
        emotion: one of the eight.
        gaze: ``left`` (the subject's), ``frontal`` or ``right``.
        angle: degrees; 90 is frontal, 0 the subject's right profile, 180 the left one.
        seed: seed of the whole set.
        difficulty: difficulty of the whole set.
        take: 0 for the image of the set. Another take shows the same subject and design, and draws
            anew how the emotion is shown, light, pose of the head, camera and noise.

    Raises:
        FaceError: an unknown subject, emotion, gaze or angle.
    """
    person(subject)
    check_shot(emotion, gaze, [angle])
    drawn = int(stream(seed, "take", take).integers(2**62)) if take else seed
    rng = stream(drawn, subject, emotion, gaze, "expression")
    acts = temperament(subject, seed, difficulty)
    return FaceSpec(
        subject=subject,
        expression=draw_expression(emotion, gaze, acts, rng, difficulty),
        angle=angle,
        nuisance=draw_nuisance(drawn, subject, emotion, gaze, angle, difficulty),
        light=draw_light(drawn, subject, emotion, gaze, difficulty),
        head=draw_head(drawn, subject, emotion, gaze, difficulty),
        seed=seed,
        difficulty=difficulty,
    )


def face_specs(
    table: pd.DataFrame, seed: int = 0, difficulty: Difficulty = USUAL, take: int = 0
) -> Iterator[FaceSpec]:
    """Return `face_spec` of each row of a table such as `design` makes, in its order."""
    shots = zip(*shot_columns(table), strict=True)
    return (
        face_spec(who, emotion, gaze, angle, seed, difficulty, take)
        for who, emotion, gaze, angle in shots
    )


def shot_columns(table: pd.DataFrame) -> list[list[Any]]:
    """Return the subjects, emotions, gazes and angles of a table."""
    lacking = set(COLUMNS) - set(table.columns)
    if lacking:
        raise FaceError(f"the table lacks column {sorted(lacking)[0]!r}; take it from design()")
    return [table[name].tolist() for name in COLUMNS]


_GAZE = ("eyeLookIn", "eyeLookOut")
_UPPER = ("brow", "cheekSquint", "eye")
"""The beginnings of the names of the upper face's actions, apart from those of the gaze."""


def intervene(
    spec: FaceSpec,
    *,
    actions: Mapping[str, Real] | None = None,
    upper: str | None = None,
    lower: str | None = None,
    gaze: str | Real | None = None,
    light: Light | None = None,
    head: Head | None = None,
    angle: Real | None = None,
    shape: int | None = None,
    skin: int | None = None,
    hair: int | None = None,
) -> FaceSpec:
    """Return a shot with one cause changed; camera jitter, noise and all other draws stay.

    Args:
        spec: the shot.
        actions: weights of some actions, by name; one without a side stands for both sides.
        upper: an emotion whose brows, lids and cheek raisers are shown, as the subject shows them
            in the set when looking straight ahead.
        lower: the same for nose, cheeks, mouth and jaw.
        gaze: ``left`` (the subject's), ``frontal`` or ``right``, or degrees to the left, at the
            height where the eyes look already. The lids follow.
        light: light of the studio.
        head: its pose. The eyes look where they looked, and the lids follow them.
        angle: angle of the camera, degrees.
        shape: number of a subject whose shape of the head is taken. The camera is aimed anew, as
            it is at any head.
        skin: number of a subject whose skin, lips, irises, brows, lashes and beard are taken.
        hair: number of a subject whose hair is taken, its style and its colour.

    Raises:
        FaceError: no cause or several; an unknown action, emotion, gaze or subject; a weight or
            an angle out of range.
    """
    causes = {name: value for name, value in locals().items() if name != "spec"}
    given = [name for name, value in causes.items() if value is not None]
    if len(given) != 1:
        raise FaceError(
            f"{', '.join(given) or 'nothing'} given to change: give one of {', '.join(causes)}; "
            "call it again for the next"
        )
    cause, value = given[0], causes[given[0]]
    now = spec.expression
    if cause == "actions":
        named = {name: weight for action, weight in value.items() for name in both_sides(action)}
        now = replace(now, actions={**now.actions, **named})
    elif cause in ("upper", "lower"):
        like = face_spec(spec.subject, value, seed=spec.seed, difficulty=spec.difficulty)
        now = _with_part(now, like.expression.actions, _PARTS[cause])
    elif cause == "gaze":
        yaw = gaze_yaw(value)
        now = replace(_with_part(now, follow_gaze(yaw), _PARTS["gaze"]), gaze_yaw=yaw)
    else:
        return replace(spec, **{cause: value})
    return replace(spec, expression=now)


def _with_part(
    expression: Expression, others: Mapping[str, Real], is_part: Callable[[str], bool]
) -> Expression:
    """Replace some actions by others'; the rest keep their order, as sums depend on it."""
    taken = {name: weight for name, weight in others.items() if is_part(name)}
    both = {**expression.actions, **taken}
    kept = {name: weight for name, weight in both.items() if name in taken or not is_part(name)}
    return replace(expression, actions=kept)


_PARTS: Mapping[str, Callable[[str], bool]] = {
    "upper": lambda action: action.startswith(_UPPER) and not action.startswith(_GAZE),
    "lower": lambda action: not action.startswith(_UPPER),
    "gaze": lambda action: action.startswith(_GAZE),
}


@dataclass(frozen=True)
class Cause:
    """One cause of a face, and the values that it can take."""

    label: str
    group: str
    values: tuple[Any, ...]  # values to go through
    limits: tuple[Real, Real]  # ends of its slider
    change: Callable[[FaceSpec, Any], FaceSpec]  # returns the shot with such a value
    read: Callable[[FaceSpec], Any]  # finds the value of a shot
    words: Callable[[Any], str] = "{:g}".format
    step: Real = 1  # step of its slider

    @property
    def rest(self) -> int:
        """The place of the value that changes nothing."""
        return self.values.index(self.read(FaceSpec(SUBJECTS[0])))

    def spec(self, spec: FaceSpec, place: int) -> FaceSpec:
        """Return the shot with the value at a place; the very shot at the place of rest."""
        return spec if place == self.rest else self.change(spec, self.values[place])

    def text(self, place: int) -> str:
        """Return the value at a place in words."""
        return self.words(self.values[place])

    def slider(self, spec: FaceSpec) -> dict[str, Any]:
        """Return the options of a slider of ipywidgets that begins at the value of a shot."""
        options = {"value": self.read(spec), "step": self.step, "description": self.label}
        return options | dict(zip(("min", "max"), self.limits, strict=True))

    def coarse(self) -> "Cause":
        """Return the cause with its first value, rest, and last value alone."""
        kept = sorted({0, self.rest, len(self.values) - 1})
        return replace(self, values=tuple(self.values[place] for place in kept))


_REST, _AS_IN_SET = "at rest", "as in the set"
_ABOVE, _BELOW, _BESIDE = "Upper face", "Lower face", "Eyes, head, light, camera"


def _express(spec: FaceSpec, emotion: str) -> FaceSpec:
    """Return a shot with the expression of another emotion in both halves of the face."""
    return intervene(intervene(spec, upper=emotion), lower=emotion)


def _action(label: str, group: str, *actions: str) -> Cause:
    def change(spec: FaceSpec, weight: Real) -> FaceSpec:
        return intervene(spec, actions=dict.fromkeys(actions, weight))

    def read(spec: FaceSpec) -> float:
        sides = [side for action in actions for side in both_sides(action)]
        return float(np.mean([spec.expression.actions.get(side, 0.0) for side in sides]))

    def words(weight: Real) -> str:
        return f"{weight:g}" if weight else _REST

    values, limits = (0.0, 0.25, 0.5, 0.75, 1.0), (0, STRONGEST)
    return Cause(label, group, values, limits, change, read, words, step=0.05)


def _property(
    label: str, of: str, name: str, values: tuple[Real, ...], words: Any, step: Real
) -> Cause:
    """Return a property of the light or of the head as a cause."""

    def change(spec: FaceSpec, to: Real) -> FaceSpec:
        return intervene(spec, **{of: replace(getattr(spec, of), **{name: to})})

    def read(spec: FaceSpec) -> float:
        return float(getattr(getattr(spec, of), name))

    limits = {"head": HEAD, "light": LIGHT}[of][name]
    return Cause(label, _BESIDE, values, limits, change, read, words, step)


def _sideways(degrees: Real, middle: str = "straight ahead") -> str:
    side = "left" if degrees > 0 else "right"
    return f"{abs(degrees):g}° to the subject's {side}" if degrees else middle


def _times(factor: Real) -> str:
    return _AS_IN_SET if factor == 1 else f"{factor:g} times as strong"


CAUSES: Mapping[str, Cause] = {
    "browUp": _action("Raise the brows", _ABOVE, "browInnerUp", "browOuterUp"),
    "browInnerUp": _action("Raise the inner brows", _ABOVE, "browInnerUp"),
    "browOuterUp": _action("Raise the outer brows", _ABOVE, "browOuterUp"),
    "browDown": _action("Lower the brows", _ABOVE, "browDown"),
    "eyeWide": _action("Raise the upper lids", _ABOVE, "eyeWide"),
    "eyeBlink": _action("Close the eyes", _ABOVE, "eyeBlink"),
    "cheekSquint": _action("Raise the cheeks", _ABOVE, "cheekSquint"),
    "mouthSmile": _action("Smile", _BELOW, "mouthSmile"),
    "jawOpen": _action("Open the jaw", _BELOW, "jawOpen"),
    "noseSneer": _action("Wrinkle the nose", _BELOW, "noseSneer"),
    "mouthPucker": _action("Pucker the lips", _BELOW, "mouthPucker"),
    "cheekPuff": _action("Puff the cheeks", _BELOW, "cheekPuff"),
    "mouthFrown": _action("Lower the corners", _BELOW, "mouthFrown"),
    "mouthPress": _action("Press the lips", _BELOW, "mouthPress"),
    "mouthUpperUp": _action("Raise the upper lip", _BELOW, "mouthUpperUp"),
    "gaze": Cause(
        *("Gaze", _BESIDE, (-30, -20, -10, 0, 10, 20, 30), (-40, 40)),
        lambda spec, degrees: intervene(spec, gaze=degrees),
        lambda spec: float(spec.expression.gaze_yaw),
        _sideways,
    ),
    "head": _property("Turn the head", "head", "turn", (-30, -15, 0, 15, 30), _sideways, 1),
    "nod": _property("Nod the head", "head", "nod", (-20, -10, 0, 10, 20), "{:g}°".format, 1),
    "turn": _property(
        *("Carry the lamps", "light", "turn", (-90, -60, -30, 0, 30, 60, 90)),
        partial(_sideways, middle=_AS_IN_SET),
        step=5,
    ),
    "key": _property("Key lamp", "light", "key", (0, 1, 2), _times, 0.1),
    "fill": _property("Fill lamp", "light", "fill", (0, 1, 2), _times, 0.1),
    "dome": _property("Light from all around", "light", "dome", (0, 0.5, 1, 1.5, 2), _times, 0.1),
    "angle": Cause(
        *("Camera", _BESIDE, (0, 30, 60, 90, 120, 150, 180), (0, 180)),
        lambda spec, degrees: intervene(spec, angle=degrees),
        lambda spec: float(spec.angle),
        "{:g}°".format,
    ),
}
"""Every cause on a scale, by its name."""
_MOODS = tuple(emotion for emotion in EMOTIONS if emotion != "neutral")
EXPRESSION = Cause(
    "Expression", _BESIDE, (_REST, *_MOODS), (0, 0), _express, lambda spec: _REST, str
)
"""The whole expression as a cause, which is on no scale."""
