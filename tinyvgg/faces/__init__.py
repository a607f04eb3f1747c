"""Faces: images with an index, from whichever source."""

from importlib import import_module
from typing import Any

from tinyvgg.extras import need

need("faces", "pandas", "PIL", "cv2", "scipy", "torchvision", "tqdm")

# Where the names live; __init__.pyi says the same to type checkers.
_HOMES = {
    "tinyvgg.face_parameters": ["ANGLES", "EMOTIONS", "GAZES"],
    "tinyvgg.faces.index": ["FaceIndex", "Faces"],
    "tinyvgg.faces.loading": ["load_faces"],
    "tinyvgg.faces.splits": ["Split", "hold_out", "split"],
    "tinyvgg.parameters": ["SOURCES", "check_source"],
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: what renders faces needs no torch."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tinyvgg.faces' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """These names beside those that are there already."""
    return sorted({*globals(), *__all__})
