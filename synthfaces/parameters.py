"""The names, ranges and checks of all settings of synthetic faces."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from types import MappingProxyType
from typing import Any


class FaceError(ValueError):
    """Bad input: one line that names the thing, the value seen and the way out."""


EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
GAZES = ("left", "frontal", "right")
ANGLES = (0, 45, 90, 135, 180)
SUBJECTS = tuple(number for number in range(1, 74) if number not in (6, 13, 17, 34, 62, 66))
"""The numbers of RaFD's 67 subjects, which the synthetic ones have, too."""

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
ACTIONS = (*_MIDDLE, *(f"{action}{side}" for action in _BOTH_SIDES for side in ("Left", "Right")))
"""All actions of a face: ARKit's 52 face units and the slant of the brows."""

STRONGEST = 1.35
"""The largest weight of an action; its target was made for 1."""

LIGHT: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"turn": (-180.0, 180.0), "key": (0.0, 4.0), "fill": (0.0, 4.0), "dome": (0.0, 4.0)}
)
"""The settings of the light, with their ranges."""

HEAD: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"turn": (-30.0, 30.0), "nod": (-30.0, 30.0)}
)
"""The settings of the head's pose, with their ranges in degrees."""

CROPS = ("face", "head")
"""The parts of a head that pictures show; the first is the usual one."""

Real = float | int

_SMALLEST, _LARGEST = 8, 2048


def check_one_of(what: str, value: object, allowed: Sequence[object]) -> None:
    """Raise an error that lists the allowed values if a value is not one of them."""
    if value not in allowed:
        raise FaceError(f"{what} {value!r} is not one of {', '.join(map(str, allowed))}")


def check_subject(number: object) -> None:
    """Raise an error if RaFD does not use a number for a subject."""
    if number not in SUBJECTS:
        raise FaceError(
            f"subject {number!r} is not one of RaFD's 67 numbers, "
            "1 to 73 without 6, 13, 17, 34, 62 and 66"
        )


def check_size(size: int) -> None:
    """Raise an error if images of a size cannot be rendered."""
    if not _SMALLEST <= size <= _LARGEST:
        raise FaceError(f"size {size!r} is not a number of pixels from {_SMALLEST} to {_LARGEST}")


def check_range(what: str, value: Real, low: Real, high: Real) -> None:
    """Raise an error if a value is not a number in its range."""
    if not (isfinite(value) and low <= value <= high):
        raise FaceError(f"{what} {value!r} is not a number from {low} to {high}")


def both_sides(action: str) -> tuple[str, ...]:
    """Return the actions of a name: ``mouthSmile`` stands for those of both sides."""
    if action in _BOTH_SIDES:
        return (f"{action}Left", f"{action}Right")
    if action not in ACTIONS:
        raise FaceError(
            f"action {action!r} is not one of {', '.join(_MIDDLE)}; or of these, of both sides or "
            f"of one with Left or Right behind: {', '.join(_BOTH_SIDES)}"
        )
    return (action,)


@dataclass(frozen=True)
class Difficulty:
    """The difficulty of a synthetic set; the defaults are those of the source ``synthetic``.

    A deviation is that of a normal distribution; 0 switches the variation off. It scales draws that
    stay the same, so that another value of one knob changes nothing that the others draw.

    Attributes:
        intensity: mean factor on the weights of an emotion's actions; 0 shows none.
        intensity_spread: largest distance of a shot's factor from that mean; the factor is uniform
            in between, and the spread cannot exceed `intensity`.
        wavering: deviation of the logarithm of each action's weight, from shot to shot.
        idiosyncrasy: the same from subject to subject.
        asymmetry: deviation over subjects of the share by which the left side acts more strongly
            than the right one.
        restlessness: deviation of the weights that actions have in a face at rest.
        gaze_turn: deviation of an averted gaze from where the gaze goes, as a share of its turn.
        gaze_height: deviation of the gaze up and down, degrees.
        head_turn: deviation of the head to the left and right, degrees; of all of a shot's cameras
            at once, from a draw that ends at three deviations.
        head_nod: the same up and down.
        light_turn: deviation of the lamps around the head, degrees, from shot to shot; its draw
            ends at three deviations.
        light_strength: the same of the logarithm of each of the factors on key lamp, fill lamp
            and dome.
        shift: deviation of the picture to the right and up, widths of the picture, from image to
            image.
        scale: deviation of the logarithm of the field of view.
        roll: deviation of the camera's roll, degrees.
        exposure: deviation of an amount added to all sRGB values, which are 0 to 1.
        noise: deviation of the sensor's noise in each value.
        crop: part that the pictures show: ``face``, from forehead to chin and cheek to cheek, or
            ``head``, with hair and neck before white. It is no knob, but part of the source, too.
    """

    intensity: Real = field(default=0.86, metadata={"range": (0.0, 1.35)})
    intensity_spread: Real = field(default=0.25, metadata={"range": (0.0, 1.0)})
    wavering: Real = field(default=0.06, metadata={"range": (0.0, 1.0)})
    idiosyncrasy: Real = field(default=0.13, metadata={"range": (0.0, 1.0)})
    asymmetry: Real = field(default=0.08, metadata={"range": (0.0, 0.5)})
    restlessness: Real = field(default=0.045, metadata={"range": (0.0, 0.5)})
    gaze_turn: Real = field(default=0.06, metadata={"range": (0.0, 0.25)})
    gaze_height: Real = field(default=1.0, metadata={"range": (0.0, 8.0)})
    head_turn: Real = field(default=2.4, metadata={"range": (0.0, 10.0)})
    head_nod: Real = field(default=1.6, metadata={"range": (0.0, 10.0)})
    light_turn: Real = field(default=7.0, metadata={"range": (0.0, 60.0)})
    light_strength: Real = field(default=0.1, metadata={"range": (0.0, 0.45)})
    shift: Real = field(default=0.01, metadata={"range": (0.0, 0.1)})
    scale: Real = field(default=0.014, metadata={"range": (0.0, 0.2)})
    roll: Real = field(default=0.8, metadata={"range": (0.0, 30.0)})
    exposure: Real = field(default=0.012, metadata={"range": (0.0, 0.2)})
    noise: Real = field(default=0.01, metadata={"range": (0.0, 0.3)})
    crop: str = CROPS[0]

    def __post_init__(self) -> None:
        check_one_of("crop", self.crop, CROPS)
        for name, (low, high) in KNOBS.items():
            value = getattr(self, name)
            if isinstance(value, bool):
                raise FaceError(f"{name} {value!r} is not a number from {low} to {high}")
            check_range(name, value, low, high)
            object.__setattr__(self, name, abs(float(value)))  # one zero, and one type
        if self.intensity_spread > self.intensity:
            raise FaceError(
                f"intensity_spread {self.intensity_spread} exceeds intensity {self.intensity}; "
                "lower it as well"
            )

    @property
    def values(self) -> dict[str, float]:
        """All knobs by name, as plain data."""
        return {name: getattr(self, name) for name in KNOBS}

    @property
    def changed(self) -> dict[str, float | str]:
        """The settings that differ from their defaults, in the order of their definition."""
        usual = {setting.name: setting.default for setting in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    @property
    def source(self) -> str:
        """The name of the source with these knobs, always written in the same way."""
        changed = ",".join(f"{name}={value}" for name, value in self.changed.items())
        return f"synthetic:{changed}" if changed else "synthetic"


KNOBS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {knob.name: knob.metadata["range"] for knob in fields(Difficulty) if knob.metadata}
)
"""The settings of the difficulty, with their ranges."""

USUAL = Difficulty()
"""The difficulty of the source ``synthetic``."""


def difficulty_of(source: str) -> Difficulty:
    """Return the difficulty that a source of synthetic faces asks for.

    Args:
        source: ``synthetic``, or ``synthetic:NAME=VALUE,NAME=VALUE``; settings that are not named
            keep their defaults.

    Raises:
        FaceError: an unknown setting, one that is given twice, or a value out of range.
    """
    settings: dict[str, Any] = {}
    _, colon, given = source.partition(":")
    for text in given.split(",") if colon else ():
        name, sign, value = text.strip().partition("=")
        if not sign:
            raise FaceError(f"difficulty {text.strip()!r} is not NAME=VALUE, such as intensity=0.7")
        check_one_of("difficulty", name, (*KNOBS, "crop"))
        if name in settings:
            raise FaceError(f"difficulty {name!r} is given twice; give one value")
        try:
            settings[name] = value.strip() if name == "crop" else float(value)
        except ValueError:
            low, high = KNOBS[name]
            raise FaceError(f"{name} {value!r} is not a number from {low} to {high}") from None
    return Difficulty(**settings)
