"""One image from anywhere, brought into the form that a network was trained on."""

from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from tinyvgg.faces.decoding import read_image
from tinyvgg.trained import TrainedNetwork


def read_as_trained(network: TrainedNetwork, path: Path) -> UInt8[ndarray, "s s 3"]:
    """The pixels of an image, cropped and resized as those of the network's own set were.

    Raises:
        UserError: a file that cannot be read or decoded.
    """
    return read_image(path, network.size)
