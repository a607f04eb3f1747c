"""Checkpoints: the state of a training in one safetensors file, which is written whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
    """Write a checkpoint in place of the one that was there."""
    tensors = {name: each.detach().cpu().contiguous() for name, each in checkpoint.tensors.items()}
    stands = {name: value for name, value in vars(checkpoint).items() if name != "tensors"}
    history = [asdict(epoch) for epoch in checkpoint.history]
    plain = json.dumps({"format": FORMAT, **stands, "history": history})
    metadata = {"checkpoint": plain, "sha256": _digest(tensors, plain)}
    try:
        paths.write_whole(folder / NAME, lambda to: save_file(tensors, to, metadata))
    except (OSError, SafetensorError) as error:
        size = sum(tensor.nbytes for tensor in tensors.values()) / 1e6
        raise UserError(
            f"checkpoint in {str(folder)!r}, {size:.1f} MB, cannot be written ({error}): make room"
            " or set TINYVGG_HOME to another disk; what was saved before it stays"
        ) from None


def load(folder: Path, training: str) -> Checkpoint | None:
    """Return the checkpoint of a training; None if there is none."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            metadata = stored.metadata()
        plain, fault = json.loads(metadata["checkpoint"]), ""
        if metadata["sha256"] != _digest(tensors, metadata["checkpoint"]):
            fault = "is damaged"
        elif plain.pop("format") != FORMAT:
            fault = "is of another version"
        elif plain["training"] != training:
            fault = "is of another training"
        else:
            history = tuple(Epoch(**row) for row in plain.pop("history"))
            seconds = tuple(plain.pop("seconds"))
            return Checkpoint(tensors=tensors, history=history, seconds=seconds, **plain)
    except (SafetensorError, OSError, LookupError, TypeError, AttributeError, json.JSONDecodeError):
        fault = "is damaged"
    raise UserError(f"checkpoint {str(path)!r} {fault}: remove it to train from the start")


def _digest(tensors: Mapping[str, Tensor], plain: str) -> str:
    digest = hashlib.sha256(plain.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
