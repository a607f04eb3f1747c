"""What can be asked of synthetic faces, by name, checked before any work.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType

from tinyvgg.errors import UserError

EMOTIONS = (
    "angry",
    "contemptuous",
    "disgusted",
    "fearful",
    "happy",
    "neutral",
    "sad",
    "surprised",
)
GAZES = ("left", "frontal", "right")
ANGLES = (0, 45, 90, 135, 180)
SUBJECTS = tuple(number for number in range(1, 74) if number not in (6, 13, 17, 34, 62, 66))
"""The 67 numbers that RaFD gives its subjects."""

_MIDDLE = (
    *("browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *("mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "tongueOut", "eyebrows-angle-up"),
)
_BOTH_SIDES = (
    *("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn"),
    *("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown"),
    *("mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
ACTIONS = (
    *_MIDDLE,
    *(f"{action}{side}" for action in _BOTH_SIDES for side in ("Left", "Right")),
)
"""All that a face can do, which is ARKit's 52 face units and the slant of the brows."""

STRONGEST = 1.35
"""The largest weight of an action; 1 is what its target was made for."""

LIGHT: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"turn": (-180.0, 180.0), "key": (0.0, 4.0), "fill": (0.0, 4.0), "dome": (0.0, 4.0)}
)
"""What can be set of the light, and from where to where."""

HEAD: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"turn": (-30.0, 30.0), "nod": (-30.0, 30.0)}
)
"""What can be set of how the head is held, and from where to where, in degrees."""

Real = float | int

_SMALLEST, _LARGEST = 8, 2048


def check_one_of(what: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse a value that is not among some.

    Raises:
        UserError: names them.
    """
    if value not in allowed:
        raise UserError(f"{what} {value!r} is not one of {', '.join(map(str, allowed))}")


def check_subject(number: object) -> None:
    """Refuse numbers that RaFD does not use.

    Raises:
        UserError: it does not.
    """
    if number not in SUBJECTS:
        raise UserError(
            f"subject {number!r} is not one of RaFD's 67 numbers, "
            "1 to 73 without 6, 13, 17, 34, 62 and 66"
        )


def check_size(size: int) -> None:
    """Refuse sizes that cannot be rendered.

    Raises:
        UserError: it is not 8 to 2048 pixels.
    """
    if not _SMALLEST <= size <= _LARGEST:
        raise UserError(f"size {size!r} is not a number of pixels from {_SMALLEST} to {_LARGEST}")


def check_range(what: str, value: Real, low: Real, high: Real) -> None:
    """Refuse a number outside its range, and what is no number.

    Raises:
        UserError: names the range.
    """
    if not (isfinite(value) and low <= value <= high):
        raise UserError(f"{what} {value!r} is not a number from {low} to {high}")


def check_action(action: str, weight: Real) -> None:
    """Refuse an action that faces do not have, or a weight that it cannot have.

    Raises:
        UserError: an unknown action; a weight that is not 0 to `STRONGEST`.
    """
    check_one_of("action", action, ACTIONS)
    check_range(f"weight of {action}", weight, 0, STRONGEST)


def both_sides(action: str) -> tuple[str, ...]:
    """The actions that a name stands for: ``mouthSmile`` is that of both sides.

    Raises:
        UserError: an unknown action.
    """
    if action in _BOTH_SIDES:
        return (f"{action}Left", f"{action}Right")
    if action not in ACTIONS:
        raise UserError(
            f"action {action!r} is not one of {', '.join(_MIDDLE)}; or of these, of both sides or "
            f"of one with Left or Right behind: {', '.join(_BOTH_SIDES)}"
        )
    return (action,)


def parse_whole(what: str, text: str, low: int, high: int | None = None) -> int:
    """A whole number that was typed.

    Raises:
        UserError: it is none, or out of range.
    """
    bounds = f"from {low} on" if high is None else f"from {low} to {high}"
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if number < low or (high is not None and number > high):
        raise UserError(f"{what} {text!r} is not a whole number {bounds}")
    return number


def parse_real(what: str, text: str, low: Real, high: Real) -> float:
    """A number that was typed.

    Raises:
        UserError: it is none, or out of range.
    """
    try:
        number = float(text)
    except ValueError:
        raise UserError(f"{what} {text!r} is not a number from {low} to {high}") from None
    check_range(what, number, low, high)
    return number


def parse_action(text: str) -> tuple[str, float]:
    """An action and its weight, as typed: ``mouthSmile=0.8``.

    Raises:
        UserError: an unknown action; a weight out of range.
    """
    action, weight = parse_pair("action", text, "mouthSmile=0.8")
    both_sides(action)
    return action, parse_real(f"weight of {action}", weight, 0, STRONGEST)


def parse_light(text: str) -> tuple[str, float]:
    """A property of the light and its value, as typed: ``turn=60``.

    Raises:
        UserError: an unknown property; a value out of range.
    """
    return _parse_property("light", text, "turn=60", LIGHT)


def parse_head(text: str) -> tuple[str, float]:
    """A property of how the head is held and its value, as typed: ``turn=10``.

    Raises:
        UserError: an unknown property; a value out of range.
    """
    return _parse_property("head", text, "turn=10", HEAD)


def _parse_property(
    what: str, text: str, example: str, ranges: Mapping[str, tuple[float, float]]
) -> tuple[str, float]:
    name, value = parse_pair(what, text, example)
    check_one_of(what, name, tuple(ranges))
    return name, parse_real(name, value, *ranges[name])


def parse_pair(what: str, text: str, example: str) -> tuple[str, str]:
    """A name and a value, as typed: ``NAME=VALUE``.

    Raises:
        UserError: there is no ``=``; gives an example.
    """
    name, sign, value = text.partition("=")
    if not sign:
        raise UserError(f"{what} {text!r} is not NAME=VALUE, such as {example}")
    return name, value
