"""Why did the network get this image wrong? Backtracking, deconvolution and feature tracking."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# The modules of the core's names; __init__.pyi says the same to type checkers.
_HOMES = {
    "attribution": ["Backtracking", "Deconvnet", "FeatureTracking", "quantus_explain"],
    "backtracking": [
        "Backtrack",
        "Contribution",
        "Contrastive",
        "Cutoff",
        "Literal",
        "Rule",
        "Stepwise",
        "backtrack",
        "published",
    ],
    "contribution": ["contributions", "top_pixels"],
    "deconvolution": ["PUBLISHED", "deconvolve"],
    "diagnosis": ["Diagnosis", "explain_errors"],
    "errors": ["UserError"],
    "repairs": ["Repair", "margin", "repair", "smallest_repair"],
    "trace": ["Trace", "record"],
    "training.tiny_vgg": ["TinyVGG"],
    "tracking": ["rescore", "suppress", "track_features"],
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a name of the core on first use: commands that need no torch start fast."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tinyvgg' has no attribute {name!r}")
    try:
        return getattr(import_module(f"tinyvgg.{_HOME_OF[name]}"), name)
    except ModuleNotFoundError as error:
        way = "pip install 'tinyvgg[faces]' brings it"
        raise ModuleNotFoundError(f"{name} needs {error.name}: {way}", name=error.name) from error


def __dir__() -> list[str]:
    """Return the names of the core and those that were imported already."""
    return sorted({*globals(), *__all__})
