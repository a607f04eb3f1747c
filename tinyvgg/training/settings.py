"""What a network is and how it is trained, as plain settings, checked before any work.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, TypeVar

from tinyvgg.errors import UserError

CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "optimiser": ("sgd", "adam", "adagrad"),
        "order": ("reshuffled", "fixed"),
        "selection": ("last", "validation", "test"),
        "precision": ("float32", "tf32", "bfloat16"),
        "architecture": ("tinyvgg", "vgg16", "vgg19"),
        "initialisation": ("glorot", "he", "torch"),
        "scaling": ("256", "centred", "standardised"),
    }
)
"""The values that settings with a name can have; the first is the paper's."""


class _Checked:
    """Settings whose values are checked when they are made."""

    def __post_init__(self) -> None:
        for setting in fields(self):  # type: ignore[arg-type]
            _check(setting.name, getattr(self, setting.name))


@dataclass(frozen=True)
class Recipe(_Checked):
    """How a network is trained. The defaults are the paper's (claim P1).

    Attributes:
        epochs: passes over the training part.
        batch: images a step; an incomplete last batch is used as it is.
        rate: learning rate, the same throughout.
        optimiser: ``sgd``, plain stochastic gradient descent; ``adam`` or ``adagrad``, with torch's
            other defaults (claim P2).
        order: ``reshuffled`` draws a new order each epoch, ``fixed`` keeps that of the first one,
            as the published code does.
        selection: whose weights are kept: of the ``last`` epoch, or of the one with the fewest
            errors on a ``validation`` part that is held out of the training part. ``test`` chooses
            by the test part, as the published code does: a contrast, not a protocol.
        precision: of the arithmetic: ``float32``, or with fewer bits in the products: ``tf32`` (on
            a GPU; elsewhere the same as float32) or ``bfloat16``. Weights are float32 always.
    """

    epochs: int = 100
    batch: int = 12
    rate: float = 0.01
    optimiser: str = "sgd"
    order: str = "reshuffled"
    selection: str = "last"
    precision: str = "float32"


@dataclass(frozen=True)
class Design(_Checked):
    """What is trained. The defaults are the paper's.

    Attributes:
        architecture: ``tinyvgg`` (Table 1), or torchvision's ``vgg16`` or ``vgg19`` (claim P3).
        initialisation: of the weights: ``glorot`` (uniform), ``he`` (normal, by the fan-in), or
            ``torch``, the defaults of its layers. Biases are zero in the first two.
        scaling: of the pixels: divided by ``256``; ``centred``, the same moved and stretched to
            -1 to 1; ``standardised``, each colour with mean 0 and deviation 1 over the training
            part.
    """

    architecture: str = CHOICES["architecture"][0]
    initialisation: str = CHOICES["initialisation"][0]
    scaling: str = CHOICES["scaling"][0]


Part = TypeVar("Part", Recipe, Design)

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {s.name: s.default for kind in (Recipe, Design) for s in fields(kind)}
)
"""Every setting with its usual value."""


def parse_setting(text: str) -> tuple[str, list[Any]]:
    """One setting and its values, as typed: ``optimiser=sgd,adam``.

    Raises:
        UserError: an unknown setting, or a value that it cannot have.
    """
    name, sign, values = text.partition("=")
    if not sign or not values:
        raise UserError(f"setting {text!r} is not NAME=VALUE, such as optimiser=adam")
    _check_name(name)
    typed = [_typed(name, value.strip()) for value in values.split(",")]
    for value in typed:
        _check(name, value)
    return name, typed


def check_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse settings that do not exist, or values that they cannot have.

    Raises:
        UserError: names the setting, the value and what is known.
    """
    for name, value in settings.items():
        _check_name(name)
        _check(name, value)
    return dict(settings)


def changed(base: Part, settings: Mapping[str, Any]) -> Part:
    """A recipe or design with those of the settings that it has."""
    own = {setting.name for setting in fields(base)}
    return replace(base, **{name: value for name, value in settings.items() if name in own})


def described(settings: Iterable[tuple[str, Any]]) -> str:
    """Settings as they are typed; nothing for none."""
    return ", ".join(f"{name}={value}" for name, value in settings)


def _check_name(name: str) -> None:
    if name not in DEFAULTS:
        raise UserError(f"setting {name!r} is not one of {', '.join(DEFAULTS)}")


def _check(name: str, value: object) -> None:
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise UserError(f"{name} {value!r} is not one of {', '.join(CHOICES[name])}")
        return
    whole = isinstance(DEFAULTS[name], int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UserError(f"{name} {value!r} is not a {'whole ' if whole else ''}number")
    if not 0 < value < float("inf"):
        raise UserError(f"{name} {value!r} is not positive")


def _typed(name: str, value: str) -> Any:
    usual = DEFAULTS[name]
    if isinstance(usual, str):
        return value
    try:
        return type(usual)(value)
    except ValueError:
        kind = "whole number" if isinstance(usual, int) else "number"
        raise UserError(f"{name} {value!r} is not a {kind}, such as {usual}") from None


@dataclass(frozen=True)
class Profile:
    """Everything about a run but its source of faces and its seed.

    Attributes:
        name: what it is called on the command line.
        size: side of the images in pixels.
        subjects: how many synthetic subjects; None for all 67.
        epochs: by task; for ``class`` the fewest.
        least_steps: that a network is trained for, however few images there are: small sets of
            photographs have few steps an epoch.
        batch: images a step.
        rate: learning rate.
        maps: feature maps of every convolution.
        dense: neurons of the hidden dense layers.
    """

    name: str
    size: int
    subjects: int | None
    epochs: Mapping[str, int]
    least_steps: int
    batch: int = 12
    rate: float = 0.01
    maps: int = 32
    dense: tuple[int, ...] = (1024, 512, 256)

    def recipe(self, task: str, images: int) -> Recipe:
        """The training settings of a task with that many training images."""
        batch = min(self.batch, images)
        steps = -(-images // batch)
        epochs = max(self.epochs[task], -(-self.least_steps // steps))
        return Recipe(epochs=epochs, batch=batch, rate=self.rate)


def _epochs(subject: int, emotion: int) -> Mapping[str, int]:
    by_task = {"subject": subject, "emotion": emotion, "class": subject}
    return MappingProxyType(by_task)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "smoke",
                size=32,
                subjects=4,
                epochs=_epochs(12, 24),
                least_steps=100,
                rate=0.05,
                maps=16,
                dense=(128, 64, 32),
            ),
            Profile("quick", size=64, subjects=None, epochs=_epochs(24, 48), least_steps=3000),
            Profile("paper", size=224, subjects=None, epochs=_epochs(100, 100), least_steps=20_000),
        )
    }
)
