"""Batches: images and labels by their rows, scaled as the network sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from tinyvgg.faces.sources import PIXEL_SCALE

if TYPE_CHECKING:
    from tinyvgg.faces.index import Faces

Rows = Int[np.ndarray, "_"]
Batch = tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b"]]


@dataclass(frozen=True)
class Scaling:
    """The map from 8-bit pixels to the network's input: (pixel - shift) / scale."""

    shift: tuple[float, ...] = (0.0, 0.0, 0.0)  # of red, green and blue
    scale: tuple[float, ...] = (PIXEL_SCALE, PIXEL_SCALE, PIXEL_SCALE)

    def __call__(self, pixels: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
        """Return images as a network takes them, on the device of the pixels, channels last."""
        images = pixels.permute(0, 3, 1, 2).float()
        shift, scale = (images.new_tensor(each)[:, None, None] for each in (self.shift, self.scale))
        return images.sub_(shift).div_(scale)


def fit_scaling(kind: str, faces: "Faces", train_rows: Int[np.ndarray, "n"]) -> Scaling:
    """Return the scaling of a `tinyvgg.training.settings.Design`, fitted to the training rows."""
    if kind == "256":
        return Scaling()
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for start in range(0, len(train_rows), 256):
        pixels = np.asarray(faces.images[train_rows[start : start + 256]], dtype=np.float64)
        count += pixels[..., 0].size
        total += pixels.sum((0, 1, 2))
        squares += (pixels**2).sum((0, 1, 2))
    mean = total / count
    # a colour that hardly changes is not blown up
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return Scaling(tuple(mean.tolist()), tuple(deviation.tolist()))


@dataclass(frozen=True)
class Resident:
    """Images with their labels, on the device or, where they are too many, on this machine."""

    pixels: UInt8[Tensor, "n h w 3"]  # 8-bit RGB; photographs may be mapped from their file
    labels: Int[Tensor, "n"]  # label of each image, on the device
    scaling: Scaling

    def batches(self, groups: Sequence[Rows]) -> Iterator[Batch]:
        """Return the batches of some groups of rows, in their order, on the device."""
        if not groups:
            return
        device = self.labels.device
        rows = torch.from_numpy(np.concatenate(groups)).to(device)
        for chosen in rows.split([len(group) for group in groups]):
            pixels = self.pixels[chosen.to(self.pixels.device)]
            yield self.scaling(pixels.to(device)), self.labels[chosen]


def resident(faces: "Faces", task: str, device: str, scaling: Scaling) -> Resident:
    """Return a set of images, moved to a device where they leave it half of its memory."""
    pixels, labels = faces.pixels(), torch.from_numpy(faces.index.labels(task)).to(device)
    if labels.device.type != "cuda" or 2 * pixels.nbytes < torch.cuda.mem_get_info(device)[0]:
        pixels = pixels.to(device)
    return Resident(pixels, labels, scaling)
