"""One image from anywhere, brought into the form that a network was trained on."""

from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from tinyvgg.faces.single import read_face
from tinyvgg.trained import TrainedNetwork


def read_as_trained(network: TrainedNetwork, path: Path) -> UInt8[ndarray, "s s 3"]:
    """The pixels of an image, cropped and resized as those of the network's own set were.

    Raises:
        UserError: a file that cannot be read or decoded, or shows no face where one is looked for.
    """
    photographs = network.manifest.get("photographs") or {}
    return read_face(path, network.size, photographs.get("cropping"))
