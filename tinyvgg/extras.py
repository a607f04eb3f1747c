"""Parts of the package that ask for more than torch and numpy, and what they ask for."""

from importlib.util import find_spec

from tinyvgg.errors import UserError


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
