"""What the explanations see of a model: convolutions, ReLUs and max-pools, then dense layers.

The layers keep the model's own modules, so no weight is copied: a model trained further is another
network, and traces of it must be recorded anew. Nothing here calls a module; its parameters are
used functionally, so hooks, modes and in-place options of the model play no part.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyvgg.errors import UserError

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution with zero padding."""

    name: str
    module: nn.Conv2d

    @property
    def padding(self) -> Pair:
        """Rows and columns of zeros on each side."""
        padding = self.module.padding
        if isinstance(padding, str):
            return (0, 0) if padding == "valid" else _pair(e // 2 for e in self.reach)
        return _pair(padding)

    @property
    def reach(self) -> Pair:
        """Rows and columns from the first to the last tap of the filter."""
        module = self.module
        return _pair(d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k i j"]:
        """The convolution, with its bias."""
        m = self.module
        return F.conv2d(maps, m.weight, m.bias, _pair(m.stride), self.padding, m.dilation, m.groups)

    def transpose(self, maps: Float[Tensor, "n k i j"], size: Pair) -> Float[Tensor, "n c h w"]:
        """The adjoint of the convolution without bias, back to an input of height and width `size`.

        Rows and columns that no filter reached (stride > 1) come back as zeros.
        """
        m = self.module
        left = [
            wanted - ((have - 1) * s - 2 * p + reach + 1)
            for wanted, have, s, p, reach in zip(
                size, maps.shape[2:], m.stride, self.padding, self.reach, strict=True
            )
        ]
        return F.conv_transpose2d(
            maps, m.weight, None, _pair(m.stride), self.padding, _pair(left), m.groups, m.dilation
        )


@dataclass(frozen=True)
class Rectification:
    """A ReLU."""

    name: str


@dataclass(frozen=True)
class Pooling:
    """A max-pool."""

    name: str
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @property
    def reach(self) -> Pair:
        """Rows and columns from the first to the last element of a window."""
        return _pair(d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True))

    def forward(
        self, maps: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n c i j"], Int[Tensor, "n c i j"]]:
        """The largest value of each window and its switch, the flat index in the input plane.

        Where several are largest the first in reading order wins.
        """
        values, switches = F.max_pool2d(
            maps, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode, True
        )
        return values, switches


@dataclass(frozen=True)
class Averaging:
    """An adaptive average pool between the last maps and the dense layers."""

    name: str
    size: tuple[int | None, int | None]

    def is_identity(self, size: Pair) -> bool:
        """Whether maps of this height and width pass unchanged."""
        return all(s is None or s == have for s, have in zip(self.size, size, strict=True))


@dataclass(frozen=True)
class Flattening:
    """Maps to one vector per image, in the order channel, row, column."""

    name: str


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense layer; `module.weight[i, r]` is W[r, i] of the paper."""

    name: str
    module: nn.Linear


Layer = Convolution | Rectification | Pooling | Averaging | Flattening | Dense


@dataclass(frozen=True, eq=False)
class Network:
    """A model read as layers in the order in which they run.

    Attributes:
        body: convolutions, ReLUs and max-pools, the last max-pool included.
        neck: what stands between the last maps and the first dense layer.
        dense: the dense layers W_1, ..., W_n, W_o; a ReLU follows each but the last.
    """

    body: tuple[Convolution | Rectification | Pooling, ...]
    neck: tuple[Rectification | Averaging | Flattening, ...]
    dense: tuple[Dense, ...]

    @property
    def poolings(self) -> tuple[int, ...]:
        """Positions of the max-pools in `body`, shallow to deep."""
        return tuple(i for i, layer in enumerate(self.body) if isinstance(layer, Pooling))

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.dense[-1].module.out_features


def flatten(network: Network, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """Activations a_0 that enter the first dense layer; element r is pixel r of the flat maps.

    Raises:
        UserError: the neck averages maps of this size, or they do not fit the first dense layer.
    """
    size = _pair(maps.shape[2:])
    activations = maps.flatten(1)
    for layer in network.neck:
        if isinstance(layer, Averaging) and not layer.is_identity(size):
            raise UserError(
                f"layer '{layer.name}' averages maps of {size[0]} x {size[1]}:"
                f" hand over images whose last maps have its output size {layer.size}"
            )
        if isinstance(layer, Rectification):
            activations = activations.relu()
    first = network.dense[0]
    if activations.shape[1] != first.module.in_features:
        raise UserError(
            f"the last maps have {activations.shape[1]} pixels but layer '{first.name}' takes"
            f" {first.module.in_features}: hand over images of the size that the model was made for"
        )
    return activations


def dense_forward(
    network: Network, maps: Float[Tensor, "n c h w"]
) -> tuple[tuple[Float[Tensor, "n _"], ...], Float[Tensor, "n k"]]:
    """Activations a_1, ..., a_n of the hidden dense layers after their ReLU, and the logits."""
    activations = [flatten(network, maps)]
    for layer in network.dense[:-1]:
        activations.append(_linear(layer, activations[-1]).relu())
    return tuple(activations[1:]), _linear(network.dense[-1], activations[-1])


@torch.no_grad()
def head(network: Network, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
    """Logits that the dense layers give for these last maps."""
    return dense_forward(network, maps)[1]


def _linear(layer: Dense, activations: Tensor) -> Tensor:
    return F.linear(activations, layer.module.weight, layer.module.bias)


def _pair(values: Iterable[int]) -> Pair:
    first, second = values
    return first, second
