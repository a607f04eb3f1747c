"""One recorded forward pass, from which every explanation is read."""

import operator
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Network, Pooling, Rectification, dense_forward, two_classes
from tinyvgg.reading import check_images, read
from tinyvgg.tape import follow, running

Rows = int | slice | Sequence[int] | Int[np.ndarray, "m"] | Int[Tensor, "m"] | Bool[Tensor, "m"]
PART = 2**22
"""Elements of the largest maps that are worked on at a time on a CPU.

The allocator uses blocks of memory of this size again, and they lie in part in the caches.
"""

Target = int | Sequence[int] | Int[Tensor, "n"] | Int[np.ndarray, "n"] | None


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass of n images; `trace[rows]` is the trace of some of them.

    Attributes:
        network: the layers, whose weights are the model's own.
        images: the input, (n, channels, height, width).
        pooled: output of each max-pool of a chain, shallow to deep; of other models the maps alone.
        switches: of each max-pool, the flat index in its input plane of every maximum.
        sizes: height and width of the input of each layer of `network.body`.
        dense: a_1, ..., a_n, the hidden dense layers after their ReLU.
        logits: (n, classes).
    """

    network: Network
    images: Float[Tensor, "n c h w"]
    pooled: tuple[Float[Tensor, "n _ _ _"], ...]
    switches: tuple[Int[Tensor, "n _ _ _"], ...]
    sizes: tuple[tuple[int, int], ...]
    dense: tuple[Float[Tensor, "n _"], ...]
    logits: Float[Tensor, "n k"]

    @property
    def maps(self) -> Float[Tensor, "n c h w"]:
        """The last pooled maps, or the layer's, whose elements are the paper's pixels."""
        return self.pooled[-1]

    @property
    def probabilities(self) -> Float[Tensor, "n k"]:
        """Softmax of the logits (equation 2)."""
        return self.logits.softmax(dim=1)

    @property
    def predicted(self) -> Int[Tensor, "n"]:
        """Class of the largest logit."""
        return self.logits.argmax(dim=1)

    def with_maps(self, maps: Float[Tensor, "n c h w"]) -> "Trace":
        """Return the trace with other last maps, and the activations and logits that follow.

        Gradients flow to maps that require them.
        """
        with torch.set_grad_enabled(maps.requires_grad and torch.is_grad_enabled()):
            dense, logits = dense_forward(self.network, maps)
        return replace(self, pooled=(*self.pooled[:-1], maps), dense=dense, logits=logits)

    def to(self, device: str | torch.device) -> "Trace":
        """Return the trace on a device, with a copy of the weights there."""
        with _Moving(device):
            return deepcopy(self)

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, rows: Rows) -> "Trace":
        chosen = _rows(rows, len(self))
        return replace(
            self,
            images=self.images[chosen],
            pooled=tuple(maps[chosen] for maps in self.pooled),
            switches=tuple(switches[chosen] for switches in self.switches),
            dense=tuple(activations[chosen] for activations in self.dense),
            logits=self.logits[chosen],
        )


class _Moving(TorchFunctionMode):
    """Puts copies of tensors on a device."""

    def __init__(self, device: str | torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.to(self.device) if func in (Tensor.__deepcopy__, Tensor.clone) else made


def _rows(rows: Rows, length: int) -> slice | Tensor:
    if isinstance(rows, slice):
        return rows
    if isinstance(rows, Sequence | np.ndarray | Tensor):
        chosen = torch.as_tensor(rows)
        return chosen if chosen.numel() else chosen.long()
    row = operator.index(rows)
    if not -length <= row < length:
        raise IndexError(f"row {row} of a trace of {length} images")
    return slice(row % length, row % length + 1)


@torch.no_grad()
def record(
    model: nn.Module | Network,
    images: Float[Tensor, "n c h w"],
    layer: str | nn.Module | None = None,
    output: int | str | None = None,
) -> Trace:
    """Run a model on a batch of images, as in eval mode, and keep what explanations need.

    Memory grows with the batch: maps and switches of every max-pool of a chain are kept, of other
    models the maps of the layer. The model gets no hooks and keeps its mode.

    Args:
        model: any that maps a batch of images to logits, or the `Network` that `read_network` made
            of it; ``trace.network.tier`` says what is exact.
        images: (n, channels, height, width), of the model's dtype and on its device.
        layer: the layer whose maps are explained (see `read_network`).
        output: place or name of the logits, of a model that returns more.

    Raises:
        UserError: a model that cannot be followed, or images that it cannot take.
    """
    check_images(model, images)
    first: Tensor | None = None
    if isinstance(model, Network):
        network = model
        if network.graph is not None and images.shape[1:] != network.graph.tape.shapes[0][1:]:
            raise UserError(
                f"images have shape {tuple(images.shape[1:])} but the model was read with"
                f" {network.graph.tape.shapes[0][1:]}: read it anew, or pass such images"
            )
    else:
        network, first, decides = read(model, images, layer, output)
        if decides and len(images):  # on other images another way may be taken
            answers = [follow(model, image[None], output)[1] for image in images]
            first = two_classes(torch.cat(answers))
    images = images.detach()
    some = images if len(images) else images.new_zeros(1, *images.shape[1:])
    with running(type(model).__name__, images):
        trace = _run(network, some)[: len(images)]
    unsure = trace.logits.isfinite().all(1).logical_not()
    if bool(unsure.any()):
        raise UserError(
            f"the logits of image {int(unsure.nonzero()[0])} hold NaN or infinity: check the"
            " weights, or use float32"
        )
    if first is not None and len(images):
        _compare(trace.logits[: len(first)], first, type(model).__name__)
    return trace


def _run(network: Network, images: Tensor) -> Trace:
    sizes: tuple[tuple[int, int], ...] = ()
    pooled, switches = list[list[Tensor]](), list[list[Tensor]]()
    for rows in parts(images, network):
        if network.graph is None:
            maps, places, sizes, _ = _forward(network, images[rows])
        else:
            maps, places = [network.graph.tape.replay(0, images[rows], network.graph.maps)], []
        pooled.append(maps)
        switches.append(places)
    *before, last = (torch.cat(of_a_pool) for of_a_pool in zip(*pooled, strict=True))
    last = last.contiguous()
    dense, logits = dense_forward(network, last)
    put = tuple(torch.cat(of_a_pool) for of_a_pool in zip(*switches, strict=True))
    return Trace(network, images, (*before, last), put, sizes, dense, logits)


def _compare(logits: Tensor, expected: Tensor, title: str) -> None:
    apart = (logits - expected).abs().amax(1)
    most = torch.finfo(logits.dtype).eps ** 0.5 * (1 + expected.abs().max())
    if bool((apart > most).any()):
        row = int(apart.argmax())
        raise UserError(
            f"{title} does something to image {row} that cannot be followed: its logits differ by"
            f" {float(apart[row]):.2g} from those of the calls that were seen"
        )


def parts(images: Float[Tensor, "n c h w"], network: Network) -> list[slice]:
    """Split a batch into rows to work on at a time: few on a CPU, whose caches are small."""
    if images.device.type != "cpu" or not len(images):
        return [slice(None)]
    convolutions = [layer.module for layer in network.body if isinstance(layer, Convolution)]
    widest = max([images.shape[1], *(module.out_channels for module in convolutions)])
    most = widest * images.shape[2] * images.shape[3]
    if network.graph is not None:
        most = max(prod(shape) for shape in network.graph.tape.shapes)
    rows = max(1, PART // most)
    return [slice(start, start + rows) for start in range(0, len(images), rows)]


def laid_out(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return the maps in the memory order in which a CPU convolves and pools them fastest."""
    if maps.device.type == "cpu" and maps.dtype == torch.float32:
        return maps.contiguous(memory_format=torch.channels_last)
    return maps


@torch.no_grad()
def outputs(trace: Trace, positions: Collection[int]) -> dict[int, Float[Tensor, "n _ _ _"]]:
    """Run the recorded pass once more and return the outputs of layers of `network.body`."""
    return _forward(trace.network, trace.images, positions)[-1]


def _forward(
    network: Network, images: Tensor, wanted: Collection[int] = ()
) -> tuple[list[Tensor], list[Tensor], tuple[tuple[int, int], ...], dict[int, Tensor]]:
    """Run the body; return pooled maps, switches, inputs' sizes, and outputs of layers wanted."""
    maps, fresh = laid_out(images), False
    pooled, switches, sizes, outputs = [], [], [], {}
    for position, layer in enumerate(network.body):
        sizes.append((maps.shape[2], maps.shape[3]))
        if isinstance(layer, Pooling):
            maps, indices = layer.forward(maps)
            pooled.append(maps)
            switches.append(indices)
        elif isinstance(layer, Rectification):
            maps = maps.relu_() if fresh else maps.relu()
        else:
            maps = layer.forward(maps)
        if position in wanted:
            outputs[position] = maps
            if len(outputs) == len(wanted):
                break
        fresh = not isinstance(layer, Pooling) and position not in wanted
    return pooled, switches, tuple(sizes), outputs


def check_target(trace: Trace, target: Target) -> Int[Tensor, "n"]:
    """Return one class per image on the trace's device; None is the predicted class.

    Raises:
        UserError: a class out of range, or another number of targets than of images.
    """
    if target is None:
        return trace.predicted
    device, images, classes = trace.logits.device, len(trace), trace.network.classes
    try:
        if isinstance(target, Tensor | np.ndarray | Sequence):
            target = torch.as_tensor(target)
        else:
            target = torch.full((images,), operator.index(target))
    except (TypeError, ValueError):
        raise UserError(
            f"target {target!r} is no class: pass an int for all images, or one for each"
        ) from None
    if target.is_floating_point() or target.dtype == torch.bool:
        raise UserError(f"target has dtype {target.dtype}: pass class numbers, torch.int64")
    if target.shape != (images,):
        raise UserError(
            f"target has shape {tuple(target.shape)}: pass one class for each of the"
            f" {images} images, or one int for all"
        )
    wrong = target[(target < 0) | (target >= classes)]
    if len(wrong):
        raise UserError(f"target {int(wrong[0])} is not one of the classes 0 to {classes - 1}")
    return target.to(device, torch.int64)
