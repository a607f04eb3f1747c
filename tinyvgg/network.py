"""A model as the explanations see it: convolutions, ReLUs, max-pools, then dense layers.

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
from tinyvgg.tape import Call, Tape, is_piecewise_linear

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
            return (0, 0) if padding == "valid" else pair(e // 2 for e in self.reach)
        return pair(padding)

    @property
    def reach(self) -> Pair:
        """Rows and columns from the first to the last tap of the filter."""
        module = self.module
        return pair(d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k i j"]:
        """Convolve the maps and add the bias."""
        m = self.module
        return F.conv2d(maps, m.weight, m.bias, pair(m.stride), self.padding, m.dilation, m.groups)

    def transpose(self, maps: Float[Tensor, "n k i j"], size: Pair) -> Float[Tensor, "n c h w"]:
        """Apply the adjoint of the convolution without bias; `size` is the input's (height, width).

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
            maps, m.weight, None, pair(m.stride), self.padding, pair(left), m.groups, m.dilation
        )


@dataclass(frozen=True, eq=False)
class Normalization:
    """A batch norm with the statistics that it learnt: in eval mode a scale and a shift a map."""

    name: str
    module: nn.BatchNorm2d

    @property
    def scale(self) -> Float[Tensor, "c"]:
        """The factor of each map: weight / sqrt(variance + eps)."""
        scale = (self.module.get_buffer("running_var") + self.module.eps).rsqrt()
        return scale if self.module.weight is None else scale * self.module.weight

    @property
    def shift(self) -> Float[Tensor, "c"]:
        """The constant added to each map: bias - mean * scale."""
        shift = -self.module.get_buffer("running_mean") * self.scale
        return shift if self.module.bias is None else shift + self.module.bias

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Scale and shift the maps."""
        m = self.module
        return F.batch_norm(maps, m.running_mean, m.running_var, m.weight, m.bias, eps=m.eps)

    def transpose(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Apply the adjoint of the scaling; the shift is left out, as a convolution's bias is."""
        return maps * self.scale[:, None, None]


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
        return pair(d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def _windows(self) -> tuple[Pair, Pair, Pair, Pair, bool]:
        return self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode

    def forward(
        self, maps: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n c i j"], Int[Tensor, "n c i j"]]:
        """Return the largest value of each window and its switch, a flat index in the input plane.

        Where several are largest the first in reading order wins.
        """
        values, switches = F.max_pool2d(maps, *self._windows, return_indices=True)
        return values, switches

    def transpose(
        self, values: Float[Tensor, "n c i j"], switches: Int[Tensor, "n c i j"], size: Pair
    ) -> Float[Tensor, "n c h w"]:
        """Put each value back to its switch, zeros elsewhere: the gradient of the max-pool.

        A switch lies in its window. Where windows overlap, values of one switch add up.
        """
        layout = torch.contiguous_format
        if values.is_contiguous(memory_format=torch.channels_last) and not values.is_contiguous():
            layout = torch.channels_last
        plane = torch.empty(
            (*values.shape[:2], *size),
            dtype=values.dtype,
            device=values.device,
            memory_format=layout,
        )
        unpooled: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            values, plane, *self._windows, switches.contiguous(memory_format=layout)
        )
        return unpooled


@dataclass(frozen=True)
class Averaging:
    """An adaptive average pool between the last maps and the dense layers.

    Element (i, j) of its output is the mean of a rectangle of rows and columns, so the whole is
    R X C' for each map X, with a matrix R of row means and C of column means.
    """

    name: str
    size: tuple[int | None, int | None]

    def output(self, size: Pair) -> Pair:
        """Return the height and width of its output for maps of this size."""
        return pair(have if s is None else s for s, have in zip(self.size, size, strict=True))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
        """Average the maps."""
        return F.adaptive_avg_pool2d(maps, self.size)

    def transpose(self, means: Float[Tensor, "n c i j"], size: Pair) -> Float[Tensor, "n c h w"]:
        """Apply the adjoint: each mean is shared equally by the elements that it averages."""
        rows, columns = (
            F.adaptive_avg_pool1d(torch.eye(have, dtype=torch.float64), want).to(means)
            for have, want in zip(size, means.shape[2:], strict=True)
        )
        return rows @ means @ columns.T


@dataclass(frozen=True)
class Flattening:
    """The step from maps to one vector per image, in the order channel, row, column."""

    name: str


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense layer; `module.weight[i, r]` is W[r, i] of the paper."""

    name: str
    module: nn.Linear


BodyLayer = Convolution | Normalization | Rectification | Pooling
Layer = BodyLayer | Averaging | Flattening | Dense


@dataclass(frozen=True, eq=False)
class Graph:
    """A model that is no chain of layers, parts of which are run again from its tape.

    Attributes:
        tape: what it does with images.
        maps: the number of the maps that are explained.
    """

    tape: Tape
    maps: int

    @property
    def calls(self) -> list[Call]:
        """The calls above the maps that depend on them."""
        return [call for call in self.tape.between(self.maps, self.tape.logits) if call.on_images]


@dataclass(frozen=True, eq=False)
class Network:
    """A model read as layers in the order in which they run, as far as it is of such.

    Attributes:
        body: convolutions, batch norms, ReLUs and max-pools, the last max-pool included.
        neck: layers between the last maps and the first dense layer. A ReLU comes before an
            average.
        dense: the dense layers W_1, ..., W_n, W_o; a ReLU follows each but the last.
        graph: in place of a body that is no chain of layers, and of dense layers where what stands
            above the maps is none.
    """

    body: tuple[BodyLayer, ...]
    neck: tuple[Rectification | Averaging | Flattening, ...]
    dense: tuple[Dense, ...]
    graph: Graph | None = None

    @property
    def layer(self) -> str:
        """The name of the layer whose output are the maps."""
        return self.body[-1].name if self.graph is None else self.graph.tape.label(self.graph.maps)

    @property
    def tier(self) -> str:
        """How results are to be read: exact for all of a chain, or above a layer, or in part.

        It names the functions above the maps that are not piecewise linear.
        """
        if self.graph is None:
            return "exact chain"
        calls = [] if self.dense else self.graph.calls
        bent = dict.fromkeys(call.name for call in calls if not is_piecewise_linear(call))
        if bent:
            return f"first order above '{self.layer}' ({', '.join(bent)})"
        return f"exact above '{self.layer}'"

    @property
    def poolings(self) -> tuple[int, ...]:
        """Positions of the max-pools in `body`, shallow to deep."""
        return tuple(i for i, layer in enumerate(self.body) if isinstance(layer, Pooling))

    @property
    def averaging(self) -> Averaging | None:
        """The average pool of the neck."""
        return next((layer for layer in self.neck if isinstance(layer, Averaging)), None)

    @property
    def classes(self) -> int:
        """Number of logits."""
        if self.dense or self.graph is None:
            return self.dense[-1].module.out_features
        return max(2, self.graph.tape.shapes[self.graph.tape.logits][1])

    def pixels(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return the activations a_0 of the pixels of the last maps, after a ReLU of the neck."""
        activations = maps.flatten(1)
        rectified = any(isinstance(layer, Rectification) for layer in self.neck)
        return activations.relu() if rectified else activations

    def pixel_weight(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "i d"]:
        """Return W_1 as seen from the pixels of such maps, an average pool between them included.

        The average and the first dense layer are one linear layer, whose weight is W_1 followed
        by the adjoint of the average. Without an average that changes anything it is the model's
        own tensor.

        Raises:
            UserError: the maps do not fit the first dense layer; there are no dense layers.
        """
        if not self.dense:
            raise UserError(
                f"what stands above layer '{self.layer}' is no chain of linear functions and ReLUs:"
                " choose a rule by shares, Contribution or Contrastive, or another layer"
            )
        return self.to_pixels(self.dense[0].module.weight.detach(), maps)

    def to_pixels(
        self, gradient: Float[Tensor, "m e"], maps: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, "m d"]:
        """Carry a gradient from the input of the first dense layer to the pixels of such maps."""
        if not self.dense:
            return gradient
        size, means = self._sizes(maps)
        if self.averaging is None or means == size:
            return gradient
        windows = gradient.reshape(len(gradient), maps.shape[1], *means)
        return self.averaging.transpose(windows, size).flatten(1)

    def enter(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n e"]:
        """Return the input of the first dense layer: the pixels, averaged where the neck averages.

        Raises:
            UserError: the maps do not fit the first dense layer.
        """
        size, means = self._sizes(maps)
        pixels = self.pixels(maps)
        if self.averaging is None or means == size:
            return pixels
        return self.averaging.forward(pixels.reshape(maps.shape)).flatten(1)

    def _sizes(self, maps: Tensor) -> tuple[Pair, Pair]:
        """Return height and width of the maps and of the input of the dense layers."""
        size = pair(maps.shape[2:])
        means = size if self.averaging is None else self.averaging.output(size)
        pixels, first = maps.shape[1] * means[0] * means[1], self.dense[0]
        if pixels != first.module.in_features:
            raise UserError(
                f"the last maps have {pixels} pixels but layer '{first.name}' takes"
                f" {first.module.in_features}: pass images of the size that the model was"
                " made for"
            )
        return size, means


def dense_forward(
    network: Network, maps: Float[Tensor, "n c h w"]
) -> tuple[tuple[Float[Tensor, "n _"], ...], Float[Tensor, "n k"]]:
    """Return the hidden dense layers' activations a_1, ..., a_n (after ReLU) and the logits."""
    return dense_rest(network, first_sums(network, maps))


def first_sums(network: Network, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n i"]:
    """Return the sums of the first dense layer, before its ReLU; without one the pixels."""
    if not network.dense:
        return maps.flatten(1)
    return _linear(network.dense[0], network.enter(maps))


def dense_rest(
    network: Network, sums: Float[Tensor, "*n i"]
) -> tuple[tuple[Float[Tensor, "*n _"], ...], Float[Tensor, "*n k"]]:
    """Continue `dense_forward` from the sums of the first dense layer."""
    if not network.dense and (graph := network.graph) is not None:
        maps = sums.reshape(-1, *graph.tape.shapes[graph.maps][1:])
        logits = graph.tape.replay(graph.maps, maps, graph.tape.logits)
        return (), two_classes(logits.reshape(*sums.shape[:-1], logits.shape[-1]))
    activations = []
    for layer in network.dense[1:]:
        activations.append(sums.relu())
        sums = _linear(layer, activations[-1])
    return tuple(activations), sums


def two_classes(logits: Float[Tensor, "*n k"]) -> Float[Tensor, "*n m"]:
    """Return one logit z as those of two classes, -z/2 and z/2; others as they are."""
    return torch.cat([-logits, logits], -1) / 2 if logits.shape[-1] == 1 else logits


def terms(
    network: Network,
    maps: Float[Tensor, "n c h w"],
    pixels: Int[Tensor, "n s"],
    weight: Float[Tensor, "i d"] | None = None,
) -> Float[Tensor, "n s i"]:
    """Return the terms of some pixels of each image in `first_sums`.

    `weight` is `pixel_weight` of these maps, where it is known already.
    """
    values = network.pixels(maps).gather(1, pixels)[..., None]
    if not network.dense:
        return values * F.one_hot(pixels, maps[0].numel()).to(values)
    weight = network.pixel_weight(maps) if weight is None else weight
    return values * weight.T[pixels]


@torch.no_grad()
def head(network: Network, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
    """Return the logits of the dense layers for these last maps."""
    return dense_forward(network, maps)[1]


def _linear(layer: Dense, activations: Tensor) -> Tensor:
    return F.linear(activations, layer.module.weight, layer.module.bias)


def pair(value: int | Iterable[int]) -> Pair:
    """Return settings of both axes, of which one alone holds for both."""
    first, *more = value if isinstance(value, Iterable) else (value,)
    return first, more[0] if more else first
