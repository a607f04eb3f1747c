"""How a command is added to the command line."""

import argparse
from collections.abc import Callable
from typing import Any


def add_command(
    commands: Any, name: str, run: Callable[..., int], about: str
) -> argparse.ArgumentParser:
    """A parser for a command.

    Args:
        commands: what `argparse` gives for sub-commands.
        name: of the command.
        run: is called with what was typed, and gives the exit status.
        about: one line on what it does.
    """
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(command=run)
    return parser
