"""A reproduction that was made: its folder, and which one was the last to be completed.

The standard library is all that this needs, so that the command line can refuse at once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyvgg.errors import UserError
from tinyvgg.parameters import DEFAULTS

if TYPE_CHECKING:
    from tinyvgg.book.records import Records

LAST = "last.json"


@dataclass(frozen=True)
class Reproduction:
    """A profile, a source of faces and a seed, and the folder where their results are."""

    parameters: Mapping[str, Any]
    folder: Path

    @property
    def executed(self) -> list[Path]:
        """The executed notebooks."""
        return sorted((self.folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))

    def place(self, source: Path) -> Path:
        """Where the executed notebook of a source belongs."""
        return self.folder / "notebooks" / f"{source.stem}.ipynb"

    @property
    def records(self) -> "Records":
        """Everything that its notebooks recorded."""
        from tinyvgg.book.records import collect

        return collect(self.executed)


def last(root: Path) -> Reproduction:
    """The last reproduction that was completed in a folder.

    Raises:
        UserError: there is none, or its notebooks are gone.
    """
    made = noted(root)
    if made is None or not made.executed:
        raise UserError(f"nothing was reproduced in {str(root)!r} yet: run 'make reproduce'")
    return made


def noted(root: Path) -> Reproduction | None:
    """What the note on the last reproduction says; None where it is missing or damaged."""
    try:
        content = json.loads((root / LAST).read_text("utf-8"))
        parameters = {name: content["parameters"][name] for name in DEFAULTS}
        return Reproduction(parameters, root / content["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
