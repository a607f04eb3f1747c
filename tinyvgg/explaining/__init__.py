"""Why does a trained network see this in an image? For single images, from anywhere."""

from tinyvgg.extras import need

need("faces", "filelock", "pandas", "PIL", "safetensors", "scipy", "torchvision", "tqdm")

from tinyvgg.explaining.explanation import (
    Explained,
    Explanation,
    Repaired,
    Unreadable,
    explain_images,
)
from tinyvgg.explaining.saving import save
from tinyvgg.trained import TrainedNetwork, load_trained

__all__ = [
    "Explained",
    "Explanation",
    "Repaired",
    "TrainedNetwork",
    "Unreadable",
    "explain_images",
    "load_trained",
    "save",
]
