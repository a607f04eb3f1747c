"""The one error that a user is meant to read."""

from importlib.util import find_spec


class UserError(ValueError):
    """Bad input: one line that names the thing, the value seen and the way out."""


class MissingExtraError(UserError, ImportError):
    """A part of the package is used whose requirements are not installed."""


def need(extra: str, *modules: str) -> None:
    """Refuse to go on without the modules that an extra brings.

    Args:
        extra: its name in ``pip install '.[extra]'``.
        modules: top-level names of what it brings.

    Raises:
        MissingExtraError: one is missing; names it and the way to get it.
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(
                f"{module!r} is not installed: pip install '.[{extra}]' in a checkout brings it"
            )
