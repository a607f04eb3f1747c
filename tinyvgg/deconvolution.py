"""The deconvnet: maps projected back to the input through the network in reverse.

Zeiler and Fergus's walk in reverse order of the layers: unpool with the switches of the forward
pass, rectify where the network does, and convolve with the transposed filters.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict, Unpack

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Graph, Network, Normalization, Pooling
from tinyvgg.tape import is_affine
from tinyvgg.trace import Trace, laid_out, outputs, parts

RECTIFIED = ("relu", "relu6", "hardtanh", "max_pool2d")
"""Functions with a way back of their own, by name; a hardtanh is a ReLU if it begins at zero."""


def unpool_ties(
    maps: Float[Tensor, "n c i j"], pool: Pooling, before: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Put each value back to every element of its window that equals the window's maximum.

    Args:
        maps: the values.
        pool: the max-pool that is undone.
        before: its input.
    """
    maxima, _ = pool.forward(before)
    # the plane that the windows cover: padded, and without rows and columns that fill no window
    tall, wide = (
        (windows - 1) * stride + reach + 1
        for windows, stride, reach in zip(maps.shape[2:], pool.stride, pool.reach, strict=True)
    )
    (above, left), (height, width) = pool.padding, before.shape[2:]
    edges = (left, wide - left - width, above, tall - above - height)
    padded = F.pad(before, edges, value=-torch.inf)
    elements = F.unfold(padded, pool.kernel, pool.dilation, stride=pool.stride)
    elements = elements.unflatten(1, (maps.shape[1], -1))  # images, maps, of a window, windows
    values, largest = (each.flatten(2)[:, :, None] for each in (maps, maxima))
    shares = torch.where(elements == largest, values, 0).flatten(1, 2)
    folded = F.fold(shares, (tall, wide), pool.kernel, pool.dilation, stride=pool.stride)
    return F.pad(folded, [-edge for edge in edges])


Unit = int | tuple[int, int, int] | None


class Options(TypedDict, total=False):
    """The named choices of `deconvolve`, whose docstring explains each."""

    bias: bool
    relu: bool
    final_relu: bool
    switches: str
    ties: str
    seed: int


PUBLISHED: Final[Options] = {
    "bias": True,
    "final_relu": True,
    "switches": "recorded",
    "ties": "all",
}
"""The choices of the paper's published code, where Theano's own max-pool runs it."""


@torch.no_grad()
def deconvolve(
    trace: Trace,
    maps: Float[Tensor, "n k i j"] | None = None,
    layer: int | str = -1,
    unit: Unit = None,
    **options: Unpack[Options],
) -> Float[Tensor, "n c h w"]:
    """Project maps back to the input, through the network in reverse.

    Without bias the projection of zero is zero and it scales with maps of one sign; it is not
    linear, since ReLUs stand between, unless ``relu`` is False.

    Args:
        trace: gives the switches and the sizes.
        maps: the output of the chosen layer, changed or not; the recorded one if None.
        layer: the layer whose output is projected: a max-pool by its place among them, an index
            into `trace.pooled`, or any layer of the body by its name.
        unit: project one map (k) or one pixel (k, i, j) of each image alone; None is all of them.
        options: each has a default.

            - ``bias`` (False): add to the output of each transposed convolution the bias of the
              previous convolution, whose maps these are; the last one adds none. A batch norm
              behind that convolution is counted to it.
            - ``relu`` (True): rectify on the way back where the network does. False gives the
              adjoint of the network with the recorded switches.
            - ``final_relu`` (False): rectify the image as well, so that it has no negative values.
            - ``switches`` ("recorded"): a value goes back to where the maximum was in the forward
              pass. "none" puts it on the first element of its window, "random" on a random one.
            - ``ties`` ("first"): a value goes back to the first of tied maxima in reading order;
              "all" sends it to each of them, as Theano's max-pool does, in one more forward pass.
            - ``seed`` (0): the seed of random switches, which are the same for all images.

    Raises:
        UserError: an unknown layer, unit or choice, maps of another shape, dtype or device.
    """
    choices = _Choices(**options)
    if not isinstance(layer, int | str):
        raise UserError(f"layer is of type {type(layer).__name__}: pass its name, or its place")
    if trace.network.graph is not None and not trace.network.body:
        return _through(trace, trace.network.graph, maps, layer, unit, choices)
    start = _position(trace.network, layer)
    pools = trace.network.poolings
    kept = trace.pooled[pools.index(start)] if start in pools else outputs(trace, [start])[start]
    signal = _only(unit, _fitting(maps, kept))
    trace = _with_switches(trace, choices)
    rows = parts(trace.images, trace.network)
    shown = [_walk(trace[some], signal[some], start, choices) for some in rows]
    return torch.cat(shown).contiguous()


@dataclass(frozen=True)
class _Choices:
    bias: bool = False
    relu: bool = True
    final_relu: bool = False
    switches: str = "recorded"
    ties: str = "first"
    seed: int = 0

    def __post_init__(self) -> None:
        known = {"switches": ("recorded", "none", "random"), "ties": ("first", "all")}
        for name, values in known.items():
            if (value := getattr(self, name)) not in values:
                raise UserError(f"{name} '{value}' is not one of: {', '.join(values)}")
        if self.ties == "all" and self.switches != "recorded":
            raise UserError(
                f"ties 'all' goes with recorded switches, not with '{self.switches}':"
                " leave one of them out"
            )


def _walk(trace: Trace, signal: Tensor, start: int, choices: _Choices) -> Float[Tensor, "n c h w"]:
    network, before = trace.network, dict[int, Tensor]()
    if choices.ties == "all":
        inputs = {position - 1 for position in network.poolings if 0 < position <= start}
        before = {-1: trace.images, **outputs(trace, inputs)}
    switches = dict(zip(network.poolings, trace.switches, strict=True))
    signal, ours = laid_out(signal), False
    for position in reversed(range(start + 1)):
        layer, size = network.body[position], trace.sizes[position]
        if isinstance(layer, Pooling) and before:
            signal = unpool_ties(signal, layer, before[position - 1])
        elif isinstance(layer, Pooling):
            signal = layer.transpose(signal, switches[position], size)
        elif isinstance(layer, Convolution):
            signal = layer.transpose(signal, size)
            if choices.bias:
                signal += _previous_bias(network, position)
        elif isinstance(layer, Normalization):
            signal = layer.transpose(signal)
        elif choices.relu:
            signal = signal.relu_() if ours else signal.relu()
        ours = ours or isinstance(layer, Pooling | Convolution | Normalization)
    return signal.relu() if choices.final_relu else signal


class _Rectified(torch.autograd.Function):
    """A ReLU, cut off at `high`, that lets values from `least` on pass on the way back."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, high: float, least: float) -> Tensor:
        """Rectify the maps."""
        ctx.least = least
        return maps.clamp(0, high)

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor, None, None]:
        """Rectify the signal, whatever came forward."""
        return signals[0].clamp_min(ctx.least), None, None


def _through(
    trace: Trace, graph: Graph, maps: Tensor | None, layer: int | str, unit: Unit, choices: _Choices
) -> Float[Tensor, "n c h w"]:
    """Walk back through any functions whose gradient is a walk back, but for that of ReLUs."""
    start = graph.maps
    if layer not in (-1, 0, trace.network.layer):
        raise UserError(f"layer {layer!r} was not recorded: record(..., layer={layer!r}) does")
    if choices.bias or choices.ties != "first" or choices.switches != "recorded":
        raise UserError("bias, ties and switches are choices for chains of layers: leave them out")
    for call in graph.tape.between(0, start):
        zero = call.name != "hardtanh" or call.given.get("min_val", -1) == 0
        passes = (zero and call.name in RECTIFIED) or is_affine(call)
        if call.on_images and not passes:
            raise UserError(
                f"the deconvnet has no way back through '{call.label}' ({call.name}): choose a"
                " layer before it, or a method by shares"
            )
    least = 0.0 if choices.relu else -torch.inf

    def rectified(maps: Tensor, high: float = torch.inf) -> Any:
        return _Rectified.apply(maps, high, least)  # type: ignore[no-untyped-call]

    rules = {
        "relu": lambda x, *_, **__: rectified(x),
        "relu6": lambda x, *_, **__: rectified(x, 6.0),
        "hardtanh": lambda x, min_val, max_val, *_, **__: rectified(x, max_val),
    }
    signal = _only(unit, _fitting(maps, trace.maps))
    found = []
    for rows in parts(trace.images, trace.network):
        with torch.enable_grad():
            images = trace.images[rows].detach().requires_grad_()
            ahead = graph.tape.replay(0, images, start, rules)
        found.append(torch.autograd.grad(ahead, images, signal[rows])[0])
    image = torch.cat(found).contiguous()
    return image.relu() if choices.final_relu else image


def _fitting(maps: Tensor | None, recorded: Tensor) -> Tensor:
    """Return maps that are of the recorded ones' shape, dtype and device; these for none."""
    if maps is None:
        return recorded
    for what in ("shape", "dtype", "device"):
        have, want = getattr(maps, what), getattr(recorded, what)
        if have != want:
            have, want = (tuple(x) if what == "shape" else x for x in (have, want))
            raise UserError(f"maps have {what} {have} but the trace's have {want}: make them alike")
    return maps


def _only(unit: Unit, maps: Float[Tensor, "n k i j"]) -> Float[Tensor, "n k i j"]:
    """Return one map or one pixel of each image, with zeros elsewhere."""
    if unit is None:
        return maps
    place = unit if isinstance(unit, tuple) else (unit,)
    inside = (0 <= at < size for at, size in zip(place, maps.shape[1:], strict=False))
    if len(place) not in (1, 3) or not all(inside):
        raise UserError(
            f"unit {unit} is no map (k) and no pixel (k, i, j) of maps of shape"
            f" {tuple(maps.shape[1:])}"
        )
    chosen = torch.zeros_like(maps)
    index = (slice(None), *place)
    chosen[index] = maps[index]
    return chosen


def _with_switches(trace: Trace, choices: _Choices) -> Trace:
    """Return the trace with the switches that were chosen in place of the recorded ones."""
    if choices.switches == "recorded":
        return trace
    generator = torch.Generator().manual_seed(choices.seed)
    made = []
    for position, recorded in zip(trace.network.poolings, trace.switches, strict=True):
        layer, size = trace.network.body[position], trace.sizes[position]
        assert isinstance(layer, Pooling)
        plane = torch.zeros(1, recorded.shape[1], *size)
        if choices.switches == "random":  # the largest of random elements is a random one
            plane = torch.rand(plane.shape, generator=generator)
        switches = layer.forward(plane)[1][0]  # of equal elements the first is the largest
        made.append(switches.to(recorded.device).expand_as(recorded))
    return replace(trace, switches=tuple(made))


def _position(network: Network, layer: int | str) -> int:
    """Return the position of a layer in the body."""
    pools = network.poolings
    if isinstance(layer, str):
        found = [i for i, one in enumerate(network.body) if one.name == layer]
        if len(found) == 1:
            return found[0]
        names = ", ".join(dict.fromkeys(one.name for one in network.body))
        raise UserError(
            f"layer '{layer}' runs {len(found)} times: name one that runs once"
            if found
            else f"layer '{layer}' is not one of: {names}"
        )
    if not -len(pools) <= layer < len(pools):
        raise UserError(
            f"layer {layer} is not one of the {len(pools)} max-pools, 0 to {len(pools) - 1}"
        )
    return pools[layer]


def _previous_bias(network: Network, position: int) -> Float[Tensor, "c 1 1"] | float:
    """Return the bias of the previous convolution and of the batch norm that follows it."""
    shift: Tensor | None = None
    for before, layer in zip((None, *network.body), network.body[:position], strict=False):
        if isinstance(layer, Convolution):
            shift = layer.module.bias
        elif isinstance(layer, Normalization):
            if not isinstance(before, Convolution):
                raise UserError(
                    f"layer '{layer.name}' (BatchNorm2d) does not follow a convolution, so it is"
                    " no part of one's bias: use bias=False"
                )
            shift = layer.shift if shift is None else shift * layer.scale + layer.shift
    return 0.0 if shift is None else shift[:, None, None]
