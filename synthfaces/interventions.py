"""The same shot with one cause changed and everything else as it was, to the last draw."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from synthfaces.expressions import Expression, follow_gaze, gaze_yaw
from synthfaces.head import Head
from synthfaces.lighting import Light
from synthfaces.parameters import Real, both_sides
from synthfaces.specification import FaceSpec, face_spec
from tinyvgg.errors import UserError

_GAZE = ("eyeLookIn", "eyeLookOut")
_UPPER = ("brow", "cheekSquint", "eye")
"""How the names of the upper face's actions start; those of the gaze are apart."""


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
    """A shot with one cause changed; nothing is drawn anew, camera jitter and noise included.

    Args:
        spec: the shot.
        actions: weights of some actions, by name; one without a side is that of both sides.
        upper: an emotion whose brows, lids and cheek raisers are shown, as the subject shows them
            in the set when looking straight ahead.
        lower: the same for nose, cheeks, mouth and jaw.
        gaze: ``left`` (the subject's), ``frontal`` or ``right``, or degrees to the left, at the
            height where the eyes look already. The lids follow.
        light: of the studio.
        head: how it is held. The eyes look where they looked, and the lids follow them.
        angle: of the camera, degrees.
        shape: number of a subject whose shape of the head is taken. The camera is aimed anew, as
            it is at any head.
        skin: number of a subject whose skin, lips, irises, brows, lashes and beard are taken.
        hair: number of a subject whose hair is taken, its style and its colour.

    Raises:
        UserError: no cause or several; an unknown action, emotion, gaze or subject; a weight or
            an angle out of range.
    """
    causes: dict[str, Any] = {
        "actions": actions,
        "upper": upper,
        "lower": lower,
        "gaze": gaze,
        "light": light,
        "head": head,
        "angle": angle,
        "shape": shape,
        "skin": skin,
        "hair": hair,
    }
    given = [name for name, value in causes.items() if value is not None]
    if len(given) != 1:
        raise UserError(
            f"{', '.join(given) or 'nothing'} given to change: give one of {', '.join(causes)}; "
            "call it again for the next"
        )
    cause, value = given[0], causes[given[0]]
    if cause in _EXPRESSIONS:
        return replace(spec, expression=_EXPRESSIONS[cause](spec, value))
    return replace(spec, **{cause: value})


def _with_actions(spec: FaceSpec, weights: Mapping[str, Real]) -> Expression:
    named = {name: weight for action, weight in weights.items() for name in both_sides(action)}
    return _with(spec.expression, {**spec.expression.actions, **named})


def _with_upper(spec: FaceSpec, emotion: str) -> Expression:
    return _with_part(spec.expression, _shown(spec, emotion), _is_upper)


def _with_lower(spec: FaceSpec, emotion: str) -> Expression:
    return _with_part(spec.expression, _shown(spec, emotion), _is_lower)


def _with_gaze(spec: FaceSpec, gaze: str | Real) -> Expression:
    yaw = gaze_yaw(gaze)
    turned = _with_part(spec.expression, follow_gaze(yaw), _is_gaze)
    return replace(turned, gaze_yaw=yaw)


_EXPRESSIONS: Mapping[str, Callable[[FaceSpec, Any], Expression]] = {
    "actions": _with_actions,
    "upper": _with_upper,
    "lower": _with_lower,
    "gaze": _with_gaze,
}


def _shown(spec: FaceSpec, emotion: str) -> Mapping[str, Real]:
    shown = face_spec(spec.subject, emotion, seed=spec.seed, difficulty=spec.difficulty)
    return shown.expression.actions


def _with_part(
    expression: Expression, others: Mapping[str, Real], is_part: Callable[[str], bool]
) -> Expression:
    """An expression with a part of its actions taken from others, those that stay in their order.

    The order is that of a sum, which rounds.
    """
    taken = {name: weight for name, weight in others.items() if is_part(name)}
    both = {**expression.actions, **taken}
    kept = {name: weight for name, weight in both.items() if name in taken or not is_part(name)}
    return _with(expression, kept)


def _with(expression: Expression, actions: Mapping[str, Real]) -> Expression:
    return replace(expression, actions=actions)


def _is_gaze(action: str) -> bool:
    return action.startswith(_GAZE)


def _is_upper(action: str) -> bool:
    return action.startswith(_UPPER) and not _is_gaze(action)


def _is_lower(action: str) -> bool:
    return not action.startswith(_UPPER)
