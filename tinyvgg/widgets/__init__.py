"""Explorers for notebooks: suppress pixels of an error, or change a face, and see what follows."""

from tinyvgg.extras import need

need("widgets", "pandas", "matplotlib", "ipywidgets")


from tinyvgg.widgets.album import Album, album
from tinyvgg.widgets.explorer import Explorer, explorer
from tinyvgg.widgets.face_explorer import static_faces
from tinyvgg.widgets.live import LiveErrors
from tinyvgg.widgets.scenes import CHOICES, Bench, Scene
from tinyvgg.widgets.static import StaticExplorer, static_explorer
from tinyvgg.widgets.studio import FaceStudio, face_studio

__all__ = [
    "CHOICES",
    "Album",
    "Bench",
    "Explorer",
    "FaceStudio",
    "LiveErrors",
    "Scene",
    "StaticExplorer",
    "album",
    "explorer",
    "face_studio",
    "static_explorer",
    "static_faces",
]
