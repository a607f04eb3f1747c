"""Explorers for notebooks: pick an error, suppress pixels, see what changes."""

from tinyvgg.extras import need

need("widgets", "pandas", "matplotlib", "ipywidgets")


from tinyvgg.widgets.explorer import Explorer, explorer
from tinyvgg.widgets.live import LiveErrors
from tinyvgg.widgets.scenes import CHOICES, Bench, Scene
from tinyvgg.widgets.static import StaticExplorer, static_explorer

__all__ = [
    "CHOICES",
    "Bench",
    "Explorer",
    "LiveErrors",
    "Scene",
    "StaticExplorer",
    "explorer",
    "static_explorer",
]
