"""Where batches come from: images that stay on the device, or that are read from disk meanwhile."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import current_process
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tinyvgg.errors import UserError
from tinyvgg.faces.images import ImageFiles
from tinyvgg.faces.index import PIXEL_SCALE, Faces
from tinyvgg.faces.sources import synthfaces

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
    """The scaling of a kind that `tinyvgg.training.settings.Design` names.

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
        labels = torch.from_numpy(faces.index.labels(task)).to(device)
        with streamed(Streamed(faces.images, labels, scaling)) as source:
            yield source
    else:
        yield resident(faces, task, device, scaling)


AHEAD = 4
"""Batches that each worker decodes before they are asked for."""
MOST = 8
"""Workers, however many processors there are."""
WORKER = "DataLoader worker"
"""How torch begins to say that one was ended."""


@dataclass(frozen=True)
class Failure:
    """What a worker says instead of pixels: an exception would come with its traceback."""

    message: str


class Streamed:
    """A set of images on disk, decoded by workers a few batches ahead of the training.

    The workers start with the first batch and are kept until `close`, over all epochs and tests.

    Args:
        images: the files.
        labels: of each image, on the device.
        scaling: of the pixels.
        workers: processes that decode; 0 for none but this one, None for what suits the machine.
    """

    def __init__(
        self,
        images: ImageFiles,
        labels: Int[Tensor, "n"],
        scaling: Scaling,
        workers: int | None = None,
    ) -> None:
        self.labels, self.scaling = labels, scaling
        self.workers = usual_workers() if workers is None else workers
        self._groups = _Groups()
        self._loader = _loader(images, self._groups, self.workers)
        self._started = False

    def batches(self, groups: Sequence[Rows]) -> Iterator[Batch]:
        """See `Source`; what is left of an earlier call is dropped.

        Raises:
            UserError: an image that cannot be read.
        """
        if not groups:
            return
        self._groups.given = groups
        for pixels, rows in zip(self._decoded(), groups, strict=True):
            if self._groups.given is not groups:
                raise RuntimeError("batches of other groups were asked for meanwhile")
            if isinstance(pixels, Failure):
                raise UserError(pixels.message)
            yield (
                self.scaling(self._moved(pixels)),
                self.labels[self._moved(torch.from_numpy(rows))],
            )

    def close(self) -> None:
        """End the workers."""
        iterator = getattr(self._loader, "_iterator", None)
        if iterator is not None:
            with _ended_already():
                iterator._shutdown_workers()
        self._started = False

    def _decoded(self) -> Iterator[Any]:
        """What the workers make of each group."""
        iterator = self._begun()
        while True:
            try:
                pixels = next(iterator)
            except StopIteration:
                return
            except (ConnectionError, EOFError, FileNotFoundError):  # from one that is gone
                raise _ended(self.workers) from None
            yield pixels

    def _begun(self) -> Iterator[Any]:
        if self._started or not self.workers:
            return iter(self._loader)
        self._started = True
        with synthfaces.bare_children(), synthfaces.deaf_children():
            return iter(self._loader)

    def _moved(self, tensor: Tensor) -> Tensor:
        """On the device of the labels; a GPU takes it over while it computes."""
        device = self.labels.device
        if device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(device, non_blocking=True)


@contextmanager
def streamed(source: Streamed) -> Iterator[Streamed]:
    """A source whose workers end with the block.

    Raises:
        UserError: a worker was ended from outside.
    """
    try:
        yield source
    except RuntimeError as error:
        if WORKER not in str(error):
            raise
        raise _ended(source.workers) from None
    finally:
        source.close()


@contextmanager
def _ended_already() -> Iterator[None]:
    """Pass over what is said again of a worker that is gone; the others are ended all the same."""
    try:
        yield
    except RuntimeError as error:
        if WORKER not in str(error):
            raise


def usual_workers() -> int:
    """All processors but the one that trains, shared with other processes that train here.

    Dask's workers may not start processes; there the images are decoded between the steps.
    """
    if current_process().daemon:
        return 0
    trainings = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(MOST, synthfaces.cores() // trainings - 1))


class _Groups(Sampler[Rows]):
    """The groups of rows that are to be decoded next; others for each call."""

    def __init__(self) -> None:
        self.given: Sequence[Rows] = ()

    def __iter__(self) -> Iterator[Rows]:
        return iter(self.given)


class _Decoder(Dataset[UInt8[Tensor, "b s s 3"] | Failure]):
    """The images of a group of rows."""

    def __init__(self, images: ImageFiles) -> None:
        self.images = images

    def __getitem__(self, rows: Rows) -> UInt8[Tensor, "b s s 3"] | Failure:
        try:
            return torch.from_numpy(self.images[rows])
        except UserError as error:
            return Failure(str(error))


def _loader(images: ImageFiles, groups: _Groups, workers: int) -> DataLoader[Any]:
    kept: dict[str, Any] = {
        "num_workers": workers,
        "persistent_workers": True,
        "prefetch_factor": AHEAD,
        "multiprocessing_context": "spawn",  # a process with threads cannot be forked safely
        "worker_init_fn": _begin,
    }
    return DataLoader(
        _Decoder(images),
        batch_size=None,
        sampler=groups,
        collate_fn=_as_it_is,
        generator=torch.Generator(),  # the global one is left alone
        **(kept if workers else {}),
    )


def _begin(worker: int) -> None:
    """What a worker does first."""
    synthfaces.leave_with_parent()


def _as_it_is(batch: Any) -> Any:
    return batch


def _ended(workers: int) -> UserError:
    return UserError(
        f"one of the processes that decode images ({workers}) was ended by the system; free some"
        " memory, or enlarge /dev/shm in a container; the same command goes on from here"
    )
