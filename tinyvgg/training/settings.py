"""Plain settings of a network and of its training, checked when they are made."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_one_of, tasks_of

CHOICES: Mapping[str, tuple[str, ...]] = {
    "optimiser": ("sgd", "adam", "adagrad"),
    "order": ("reshuffled", "fixed"),
    "selection": ("last", "validation", "test"),
    "precision": ("float32", "tf32", "bfloat16", "auto"),
    "ending": ("epochs", "fitted"),
    "architecture": ("tinyvgg", "average", "inception", "vgg16", "vgg19"),
    "initialisation": ("glorot", "he", "torch"),
    "scaling": ("256", "standardised"),
}
"""The values of the settings that are names; the first is the default."""
TRAINED, SHIPPED, AUTO = NETWORKS = ("trained", "shipped", "auto")
"""The networks that a study shows: its own, or those that ship with the project, which are of one
study alone; ``auto`` takes these for that study, and else its own."""
RECORDED: Mapping[str, Any] = {"profile": "quick", "faces": "synthetic", "seed": 0}
"""The study that is recorded, and whose networks ship."""
MOST_SEEDS = 10_000
FITTED = 5
"""Epochs in a row without a training error in passing, after which ``fitted`` ends a training."""
STALLED, FEW = 20, 0.05
"""It also ends after so many epochs without fewer errors, if these are at most this share."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training; the defaults are the paper's, ours where it has none."""

    epochs: int = 100  # passes over the training part, or the most of them (see `ending`)
    batch: int = 12  # images a step; an incomplete last batch is used as it is
    rate: float = 0.01  # learning rate, the same throughout
    optimiser: str = "sgd"  # plain; ``adam`` or ``adagrad`` with torch's other defaults (claim P2)
    # ``reshuffled`` draws a new order each epoch, ``fixed`` keeps the first, as the published code
    order: str = "reshuffled"
    # epoch whose weights are kept: the ``last`` one, or the one with the fewest errors on
    # a ``validation`` part held out of the training part. ``test`` chooses by the test part, as the
    # published code does: a contrast, not a protocol.
    selection: str = "last"
    # precision of products: ``float32``, ``tf32`` (on a GPU; elsewhere the same), ``bfloat16``, or
    # ``auto``: one of these two where the device has units for it, else ``float32``
    precision: str = "float32"
    # when the training ends: after all ``epochs``, or once it has ``fitted`` its images: after five
    # epochs in a row without a training error in passing, or, where labels contradict each other,
    # twenty without fewer errors than before and these few; at most after all epochs
    ending: str = "epochs"

    def __post_init__(self) -> None:
        check_settings(vars(self))

    def tests(self, epoch: int, wrong: int) -> bool:
        """Return whether the network is tested after an epoch with so many training errors.

        Every fifth is, and each that may be among the last five; all are, if ``test`` selects one.
        """
        may_end = epoch > self.epochs - FITTED or (self.ending == "fitted" and not wrong)
        return epoch % FITTED == 0 or may_end or self.selection == "test"

    def ended(self, wrong: Sequence[int], images: int) -> str:
        """Return when and why a training on some images ends, empty while it goes on.

        `wrong` has the number of training errors in passing of each epoch so far.
        """
        epochs, fitted = len(wrong), self.ending == "fitted"
        after = f"after {epochs} epoch{'s' * (epochs != 1)}"
        if fitted and epochs >= FITTED and not any(wrong[-FITTED:]):
            return f"{after}, the last {FITTED} without a training error"
        least = min(wrong, default=images)
        if fitted and least <= FEW * images and least >= min(wrong[:-STALLED], default=images):
            return f"{after}, the last {STALLED} without fewer training errors than before, {least}"
        if epochs < self.epochs:
            return ""
        if not fitted:
            return f"{after}, as its recipe says"
        errors = f"{wrong[-1]} training error{'s' * (wrong[-1] != 1)}"
        return f"{after}, the most that its recipe allows, with {errors} in the last"


@dataclass(frozen=True)
class Design:
    """The settings of a network; the defaults are the paper's, its code's scaling among them."""

    # Table 1; the same with ``average`` pools or an ``inception`` module (claim P4); torchvision's
    # ``vgg16`` or ``vgg19`` (claim P3)
    architecture: str = "tinyvgg"
    # initial weights: ``glorot`` (uniform), ``he`` (normal, by the fan-in), both with zero biases,
    # or ``torch``, the defaults of its layers
    initialisation: str = "glorot"
    # scaling of pixels: divided by ``256``, or ``standardised``, each colour with mean 0 and
    # deviation 1 over the training part
    scaling: str = "256"

    def __post_init__(self) -> None:
        check_settings(vars(self))


Part = TypeVar("Part", Recipe, Design)

DEFAULTS: Mapping[str, Any] = {s.name: s.default for s in (*fields(Recipe), *fields(Design))}
"""Every setting with its usual value."""


def world_size() -> int:
    """Return the number of processes that torchrun started on all machines; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Return the number of this process among those of torchrun; 0 without it."""
    return int(os.environ["RANK"]) if world_size() > 1 else 0


def parse_settings(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Parse settings with all values that a sweep gives them: ``optimiser=sgd,adam``."""
    settings: dict[str, list[Any]] = {}
    for text in texts:
        name, sign, values = text.partition("=")
        if not sign or not values:
            raise UserError(f"setting {text!r} is not NAME=VALUE, such as optimiser=adam")
        if name in settings:
            raise UserError(f"setting {name!r} is given twice; give all its values at once")
        typed = [_typed(name, value.strip()) for value in values.split(",")]
        settings[name] = list(dict.fromkeys(typed))
    return settings


def parse_seeds(text: str) -> list[int]:
    """Parse seeds: ``0,1,2``, ``0-4``, or both; raise a `UserError` for anything else."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal()):
            raise UserError(f"seeds {part!r} are not whole numbers such as 0,1,2 or 0-4")
        numbers = range(int(first), int(last) + 1)
        if not numbers:
            raise UserError(f"seeds {part!r} run backwards; write {last}-{first}")
        seeds.update(dict.fromkeys(numbers[: MOST_SEEDS + 1]))
        if len(seeds) > MOST_SEEDS:
            raise UserError(f"seeds {text!r} are too many; the most are {MOST_SEEDS}")
    return list(seeds)


def check_study(profile: str, faces: str, seed: object) -> None:
    """Refuse parameters that no study can be opened with."""
    check_one_of("profile", profile, tuple(PROFILES))
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed {seed!r} is not a whole number from 0 on")
    tasks_of(faces)


def check_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings; refuse an unknown one, and one that cannot have its value."""
    for name, value in settings.items():
        check_one_of("setting", name, tuple(DEFAULTS))
        if name in CHOICES:
            check_one_of(name, value, CHOICES[name])
            continue
        whole = isinstance(DEFAULTS[name], int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise UserError(f"{name} {value!r} is not a {'whole ' if whole else ''}number")
        if not 0 < value < float("inf"):
            raise UserError(f"{name} {value!r} is not positive")
    return dict(settings)


def changed(base: Part, settings: Mapping[str, Any]) -> Part:
    """Return a recipe or design with the values of the settings that it has."""
    own = {setting.name for setting in fields(base)}
    return replace(base, **{name: value for name, value in settings.items() if name in own})


def _typed(name: str, text: str) -> Any:
    """Return a value with the type of its setting's default, checked."""
    value: Any = text
    with suppress(ValueError):  # the check says what is wrong with it
        value = type(DEFAULTS.get(name, ""))(text)
    return check_settings({name: value})[name]


@dataclass(frozen=True)
class Profile:
    """Everything about a run except its source of faces and its seed."""

    name: str  # on the command line
    size: int  # side of the images in pixels
    subjects: int | None  # number of synthetic subjects; None for all 67
    ending: str  # of its trainings, as in `Recipe`
    least_steps: int  # of all epochs; small sets have smaller batches for it
    epochs: int = 100  # the most, where the ending is ``fitted``
    batch: int = 12  # of sets that are large enough
    rate: float = 0.01
    maps: int = 32  # feature maps of every convolution
    dense: tuple[int, ...] = (1024, 512, 256)  # neurons of the hidden dense layers
    precision: str = Recipe.precision  # of products, as in `Recipe`

    def recipe(self, images: int) -> Recipe:
        """Return the settings of a training on that many images, whatever the task.

        The batch is smaller where all epochs would have fewer than `least_steps` steps.
        """
        batch = min(self.batch, max(1, images * self.epochs // self.least_steps))
        about = {name: getattr(self, name) for name in ("epochs", "rate", "ending", "precision")}
        return Recipe(batch=batch, **about)


_SMOKE = Profile("smoke", 32, 4, "fitted", 100, epochs=22, rate=0.05, maps=16, dense=(128, 64, 32))
"""A profile for tests: of a few seconds, with errors left to follow in both tasks."""
PROFILES: Mapping[str, Profile] = {
    "smoke": _SMOKE,
    "quick": Profile("quick", 64, None, "fitted", 3000),
    "paper": Profile("paper", 224, None, "epochs", 20_000, precision="auto"),
}
