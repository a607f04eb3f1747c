"""Synthetic faces: RaFD's factorial design, with people that do not exist.

67 subjects x 8 emotions x 3 gazes x up to 5 angles, rendered on the CPU from CC0 anatomy
(LICENSE.md). All of it is made up: no photograph of anybody is used.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

# __init__.pyi lists the public names; each is imported when it is first asked for.
_HOME_OF = {
    alias.name: str(node.module)
    for node in ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that checking input starts fast."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'synthfaces' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """Return the public names and those that were imported already."""
    return sorted({*globals(), *__all__})
