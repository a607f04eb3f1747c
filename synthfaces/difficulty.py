"""How hard the synthetic faces are to tell apart: the knobs of the whole set, in one place.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType

from synthfaces.parameters import Real, check_one_of, check_range, parse_pair, parse_real
from tinyvgg.errors import UserError

KNOBS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "intensity": (0.0, 1.35),
        "intensity_spread": (0.0, 1.0),
        "wavering": (0.0, 1.0),
        "idiosyncrasy": (0.0, 1.0),
        "asymmetry": (0.0, 0.5),
        "restlessness": (0.0, 0.5),
        "gaze_turn": (0.0, 0.25),
        "gaze_height": (0.0, 8.0),
        "head_turn": (0.0, 10.0),
        "head_nod": (0.0, 10.0),
        "light_turn": (0.0, 60.0),
        "light_strength": (0.0, 0.45),
        "shift": (0.0, 0.1),
        "scale": (0.0, 0.2),
        "roll": (0.0, 30.0),
        "exposure": (0.0, 0.2),
        "noise": (0.0, 0.3),
    }
)
"""What can be set of the difficulty, and from where to where."""

_SYNTHETIC = "synthetic"
_EXAMPLE = "intensity=0.7"


@dataclass(frozen=True)
class Difficulty:
    """What makes a synthetic set hard; the defaults are those of the source ``synthetic``.

    A deviation is that of a normal distribution, of which 0 leaves nothing. It scales draws that
    stay the same, so that another value of one knob changes nothing that the others draw.

    Attributes:
        intensity: mean factor on the weights of an emotion's actions; 0 shows none.
        intensity_spread: by how much the factor of a shot is above or below that mean at most; it
            is uniform in between, and cannot exceed `intensity`.
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
        exposure: deviation of what is added to all sRGB values, which are 0 to 1.
        noise: deviation of what the sensor adds to each.

    Raises:
        UserError: a value that is no number, or not in the range that `KNOBS` gives.
    """

    intensity: Real = 1.03
    intensity_spread: Real = 0.25
    wavering: Real = 0.06
    idiosyncrasy: Real = 0.13
    asymmetry: Real = 0.08
    restlessness: Real = 0.045
    gaze_turn: Real = 0.06
    gaze_height: Real = 1.0
    head_turn: Real = 2.4
    head_nod: Real = 1.6
    light_turn: Real = 7.0
    light_strength: Real = 0.1
    shift: Real = 0.01
    scale: Real = 0.014
    roll: Real = 0.8
    exposure: Real = 0.012
    noise: Real = 0.01

    def __post_init__(self) -> None:
        for name, (low, high) in KNOBS.items():
            value = getattr(self, name)
            if isinstance(value, bool):
                raise UserError(f"{name} {value!r} is not a number from {low} to {high}")
            check_range(name, value, low, high)
            object.__setattr__(self, name, abs(float(value)))  # one zero, and one type
        if self.intensity_spread > self.intensity:
            raise UserError(
                f"intensity_spread {self.intensity_spread} exceeds intensity {self.intensity}; "
                "lower it as well"
            )

    @property
    def values(self) -> dict[str, float]:
        """All knobs by name, as plain data."""
        return asdict(self)

    @property
    def changed(self) -> dict[str, float]:
        """The knobs that differ from their defaults, in the order of their definition."""
        return {
            knob.name: getattr(self, knob.name)
            for knob in fields(self)
            if getattr(self, knob.name) != knob.default
        }

    @property
    def source(self) -> str:
        """The source of faces that has these knobs, always written in the same way."""
        knobs = ",".join(f"{name}={value!r}" for name, value in self.changed.items())
        return f"{_SYNTHETIC}:{knobs}" if knobs else _SYNTHETIC


USUAL = Difficulty()
"""The difficulty of the source ``synthetic``."""


def parse_difficulty(texts: Iterable[str]) -> Difficulty:
    """Knobs as typed, ``intensity=0.7`` each; those that are not named keep their defaults.

    Raises:
        UserError: an unknown knob, one that is given twice, or a value out of range.
    """
    knobs: dict[str, float] = {}
    for text in texts:
        name, value = parse_pair("difficulty", text.strip(), _EXAMPLE)
        check_one_of("difficulty", name, tuple(KNOBS))
        if name in knobs:
            raise UserError(f"difficulty {name!r} is given twice; give one value")
        knobs[name] = parse_real(name, value, *KNOBS[name])
    return Difficulty(**knobs)


def difficulty_of(source: str) -> Difficulty:
    """The difficulty that a source of synthetic faces asks for.

    Args:
        source: ``synthetic``, or ``synthetic:NAME=VALUE,NAME=VALUE``.

    Raises:
        UserError: see `parse_difficulty`.
    """
    _, colon, knobs = source.partition(":")
    return parse_difficulty(knobs.split(",") if colon else ())
