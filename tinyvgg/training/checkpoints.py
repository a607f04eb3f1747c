"""Checkpoints: the state of a training in one safetensors file, and the one before it.

Each is written beside its place and moved there; if the process dies, one of the two is whole.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.training.watching import Epoch

FORMAT = 2
NAME = "checkpoint.safetensors"
PREVIOUS = "checkpoint-before.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two steps."""

    training: str  # name of the training; a checkpoint of another one is refused
    step: int  # steps done of the epoch that is under way
    # weights, state of the optimiser, sums over the epoch, weights kept so far: the first part of
    # a name, up to a dot, says which
    tensors: Mapping[str, Tensor] = field(repr=False)
    history: tuple[Epoch, ...] = ()  # the complete epochs
    seconds: tuple[float, ...] = ()  # wall time of each of them
    elapsed: float = 0.0  # wall time of the epoch that is under way
    sessions: int = 1  # calls that had a part in it so far

    def group(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a group, by their names without the group's."""
        named = (key.partition(".") for key in self.tensors)
        return {rest: self.tensors[f"{name}.{rest}"] for group, _, rest in named if group == name}


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the one that was there becomes the previous one."""
    tensors = {name: tensor.detach().cpu() for name, tensor in checkpoint.tensors.items()}
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    stands = {name: value for name, value in vars(checkpoint).items() if name != "tensors"}
    history = [epoch.plain for epoch in checkpoint.history]
    plain = json.dumps({"format": FORMAT, **stands, "history": history})
    metadata = {"checkpoint": plain, "sha256": _digest(tensors, plain)}

    def write(temporary: Path) -> None:
        save_file(tensors, temporary, metadata)
        if (folder / NAME).exists():
            os.replace(folder / NAME, folder / PREVIOUS)

    try:
        paths.write_whole(folder / NAME, write)
    except (OSError, SafetensorError) as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise UserError(_not_written(folder, error, size, len(checkpoint.history))) from None


def load(folder: Path, training: str) -> tuple[Checkpoint | None, str]:
    """Return the last good checkpoint (None if there is none) and the fault of a newer one."""
    faults: list[str] = []
    for path in (folder / NAME, folder / PREVIOUS):
        if path.exists():
            try:
                return _read(path, training), "; ".join(faults)
            except ValueError as error:
                faults.append(f"checkpoint {str(path)!r} {error}")
    if faults:
        them = "it" if len(faults) == 1 else "them"
        raise UserError(f"{'; '.join(faults)}: remove {them} to train from the start")
    return None, ""


def remove(folder: Path) -> None:
    """Remove the checkpoints of a training that is complete."""
    for name in (NAME, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def _read(path: Path, training: str) -> Checkpoint:
    """Read one file; a ValueError says what is wrong with it."""
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            metadata = stored.metadata()
        plain = json.loads(metadata["checkpoint"])
        if metadata["sha256"] != _digest(tensors, metadata["checkpoint"]):
            raise ValueError("is damaged")
        if plain.pop("format") != FORMAT:
            raise ValueError("is of another version")
        history = tuple(Epoch(**row) for row in plain.pop("history"))
        seconds = tuple(plain.pop("seconds"))
        read = Checkpoint(tensors=tensors, history=history, seconds=seconds, **plain)
    except (SafetensorError, OSError, LookupError, TypeError, AttributeError, json.JSONDecodeError):
        raise ValueError("is damaged") from None
    if read.training != training:
        raise ValueError("is of another training")
    return read


def _digest(tensors: Mapping[str, Tensor], plain: str) -> str:
    digest = hashlib.sha256(plain.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _not_written(folder: Path, error: Exception, size: int, epoch: int) -> str:
    """Describe a write that failed, with the way out."""
    place, kept = f"checkpoint in {str(folder)!r}", "there is none before it"
    if (folder / NAME).exists() or (folder / PREVIOUS).exists():
        kept = "the last good one is kept, and the same command goes on from it"
    if getattr(error, "errno", None) != errno.ENOSPC and "os error 28" not in str(error).lower():
        return f"the {place} cannot be written ({error}); {kept}"
    free = shutil.disk_usage(folder).free / 1e6
    return (
        f"no space is left for the {place} after epoch {epoch}: it needs {size / 1e6:.1f} MB,"
        f" {free:.1f} MB are free; make room or set TINYVGG_HOME to another disk; {kept}"
    )
