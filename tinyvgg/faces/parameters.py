"""What a study is asked for, its profile, faces and seed: typed, and checked before any work.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from tinyvgg.errors import UserError
from tinyvgg.faces.photographs_of import list_photographs
from tinyvgg.faces.sources import SOURCES as SOURCES
from tinyvgg.faces.sources import parse_source

PROFILE_NAMES = ("smoke", "quick", "paper")
SYNTHETIC_TASKS = ("subject", "emotion")
DEVICES = ("cuda", "mps", "cpu")
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"profile": "quick", "faces": "synthetic", "seed": 0}
)

Parameters = dict[str, Any]


def parse(pairs: Iterable[tuple[str, str]], known: Mapping[str, Any], name: str) -> Parameters:
    """Values typed on a command line as the types that the defaults have.

    Args:
        pairs: names and values.
        known: parameters with their defaults.
        name: whose parameters they are, for the message.

    Raises:
        UserError: an unknown parameter; lists the known ones. A value of the wrong type.
    """
    return {key: _typed(key, value, known, name) for key, value in pairs}


def check(parameters: Mapping[str, Any]) -> Parameters:
    """Refuse values that no study can be opened with; the source is written as `absolute` does.

    Raises:
        UserError: see `check_study`.
    """
    checked = dict(parameters)
    profile, faces, seed = (checked[name] for name in DEFAULTS)
    check_study(profile, faces, seed)
    checked["faces"] = absolute(faces)
    return checked


def check_study(profile: str, faces: str, seed: object) -> None:
    """Refuse parameters that no study can be opened with, before any work is done.

    Raises:
        UserError: an unknown profile or source, an unusable folder, a seed that is no whole
            number from 0 on.
    """
    if profile not in PROFILE_NAMES:
        raise UserError(f"profile {profile!r} is not one of {', '.join(PROFILE_NAMES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed {seed!r} is not a whole number from 0 on")
    check_source(faces)


def check_source(source: str) -> None:
    """Refuse a source that cannot be loaded, before any work is done.

    Raises:
        UserError: an unknown source or option, a folder or table that is missing, empty or has too
            little to train on, or knobs of the synthetic faces that do not exist or have a value
            out of range.
    """
    asked = parse_source(source)
    if not asked.is_synthetic:
        list_photographs(asked)


def tasks_of(source: str) -> tuple[str, ...]:
    """What a network can be trained to tell of a source; the first is the usual one.

    Raises:
        UserError: see `check_source`.
    """
    asked = parse_source(source)
    return SYNTHETIC_TASKS if asked.is_synthetic else list_photographs(asked).tasks


def check_task(task: str | None, source: str) -> str:
    """A task of a source; the usual one for None.

    Raises:
        UserError: one that the source does not have.
    """
    tasks = tasks_of(source)
    if task is not None and task not in tasks:
        raise UserError(f"task {task!r} is not one of {', '.join(tasks)} of faces {source!r}")
    return task or tasks[0]


def check_device(device: str | None) -> str | None:
    """Refuse a device that does not exist; whether this machine has it is not looked at.

    Raises:
        UserError: an unknown kind of device.
    """
    if device is not None and device.partition(":")[0] not in DEVICES:
        raise UserError(f"device {device!r} is not one of {', '.join(DEVICES)}")
    return device


def absolute(faces: str) -> str:
    """A source of faces as it is always written: it means the same from every working folder."""
    return parse_source(faces).absolute


def named(faces: str) -> str:
    """A source of faces as pages call it: of a folder, its name and not its place."""
    return parse_source(faces).named


def _typed(key: str, value: str, known: Mapping[str, Any], name: str) -> Any:
    if key not in known:
        names = ", ".join(known) or "none"
        raise UserError(f"parameter {key!r} of {name} is not one of {names}")
    if not isinstance(known[key], int):
        return value
    try:
        return int(value)
    except ValueError:
        raise UserError(f"{key} {value!r} is not a whole number, such as {known[key]}") from None
