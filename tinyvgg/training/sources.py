"""Where batches come from: images that stay on the device, or that are read from disk meanwhile."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from tinyvgg.faces.files import ImageFiles
from tinyvgg.faces.index import PIXEL_SCALE, Faces

Rows = Int[np.ndarray, "_"]
Batch = tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b"]]


@dataclass(frozen=True)
class Scaling:
    """What becomes of 8-bit pixels before the network sees them: (pixel - shift) / scale.

    Attributes:
        shift: one number for each colour.
        scale: the same.
    """

    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (PIXEL_SCALE, PIXEL_SCALE, PIXEL_SCALE)

    def __call__(self, pixels: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
        """Images as a network takes them, on the device of the pixels, channels last in memory."""
        images = pixels.permute(0, 3, 1, 2).float()
        if any(self.shift):
            images -= images.new_tensor(self.shift)[:, None, None]
        if len(set(self.scale)) == 1:
            return images.div_(self.scale[0])
        return images.div_(images.new_tensor(self.scale)[:, None, None])


def fit_scaling(kind: str, faces: Faces, train_rows: Int[np.ndarray, "n"]) -> Scaling:
    """The scaling of a kind that `tinyvgg.settings.Design` names.

    Args:
        kind: ``256``, ``centred`` or ``standardised``.
        faces: all images.
        train_rows: those whose mean and deviation standardise.
    """
    if kind == "256":
        return Scaling()
    if kind == "centred":
        half = PIXEL_SCALE / 2
        return Scaling((half, half, half), (half, half, half))
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for start in range(0, len(train_rows), 256):
        pixels = np.asarray(faces.images[train_rows[start : start + 256]], dtype=np.float64)
        count += pixels[..., 0].size
        total += pixels.sum((0, 1, 2))
        squares += (pixels**2).sum((0, 1, 2))
    mean = total / count
    # a colour that hardly changes is not blown up
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    r, g, b = (float(value) for value in mean)
    x, y, z = (float(value) for value in deviation)
    return Scaling((r, g, b), (x, y, z))


@runtime_checkable
class Source(Protocol):
    """Gives images and labels by their rows."""

    @property
    def labels(self) -> Int[Tensor, "n"]:
        """Of all images."""
        ...

    def batches(self, groups: Sequence[Rows]) -> Iterator[Batch]:
        """The batches of some groups of rows, in their order, on the device."""
        ...


@dataclass(frozen=True)
class Resident:
    """All images in the memory of the device.

    Attributes:
        pixels: 8-bit RGB, (n, height, width, 3).
        labels: of each image.
        scaling: of the pixels.
    """

    pixels: UInt8[Tensor, "n h w 3"]
    labels: Int[Tensor, "n"]
    scaling: Scaling

    def batches(self, groups: Sequence[Rows]) -> Iterator[Batch]:
        """See `Source`; the rows of all groups are moved to the device at once."""
        if not groups:
            return
        rows = torch.from_numpy(np.concatenate(groups)).to(self.labels.device)
        for chosen in rows.split([len(group) for group in groups]):
            yield self.scaling(self.pixels[chosen]), self.labels[chosen]


def resident(faces: Faces, task: str, device: str, scaling: Scaling | None = None) -> Resident:
    """A set of images, moved to a device."""
    pixels = torch.from_numpy(np.ascontiguousarray(faces.images)).to(device)
    labels = torch.from_numpy(faces.index.labels(task)).to(device)
    return Resident(pixels, labels, scaling or Scaling())


@contextmanager
def open_source(faces: Faces, task: str, device: str, scaling: Scaling) -> Iterator[Source]:
    """The source that suits a set of images, for as long as it is used.

    Args:
        faces: the images.
        task: the column that the labels come from.
        device: that batches are wanted on.
        scaling: of the pixels.
    """
    if isinstance(faces.images, ImageFiles):
        from tinyvgg.training.streaming import Streamed, streamed

        labels = torch.from_numpy(faces.index.labels(task)).to(device)
        with streamed(Streamed(faces.images, labels, scaling)) as source:
            yield source
    else:
        yield resident(faces, task, device, scaling)
