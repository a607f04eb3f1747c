"""One shot, described by its causes, and the same shot with one cause changed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
