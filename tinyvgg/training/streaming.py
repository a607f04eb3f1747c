"""Images that are decoded while the network trains, by processes that stay for a whole training."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import current_process
from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tinyvgg.errors import UserError
from tinyvgg.faces.files import ImageFiles
from tinyvgg.processes import bare_children, cores, deaf_children, leave_with_parent
from tinyvgg.training.sources import Batch, Rows, Scaling

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
        with bare_children(), deaf_children():
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
    return max(1, min(MOST, cores() // trainings - 1))


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
    leave_with_parent()


def _as_it_is(batch: Any) -> Any:
    return batch


def _ended(workers: int) -> UserError:
    return UserError(
        f"one of the processes that decode images ({workers}) was ended by the system; free some"
        " memory, or enlarge /dev/shm in a container; the same command goes on from here"
    )
