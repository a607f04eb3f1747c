"""Read a model into a Network: what it does with an image says which layers run, in which order."""

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyvgg.errors import UserError
from tinyvgg.network import (
    Averaging,
    BodyLayer,
    Convolution,
    Dense,
    Flattening,
    Graph,
    Layer,
    Network,
    Normalization,
    Pooling,
    Rectification,
    pair,
    two_classes,
)
from tinyvgg.tape import DROPOUT, Call, Tape, follow, for_any_number, is_affine, unwrapped

SAME = ("contiguous", "clone", "detach", *DROPOUT)
"""Functions that change no value in eval mode."""
MOST = 2**27
"""Elements of the largest matrix that several linear layers are made one of."""


def read_network(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    layer: str | nn.Module | None = None,
    output: int | str | None = None,
) -> Network:
    """Read the layers of a model as a `Network`, from what it does with the first image.

    It runs as in eval mode. A softmax, log-softmax or sigmoid at the end is left out, as logits are
    explained; one logit z counts as the two -z/2 and z/2, whose softmax is its sigmoid.

    Args:
        model: any that maps a batch of images to logits.
        images: (n, channels, height, width), of which the first one is run.
        layer: the layer whose output are the maps that are explained, by name or itself. None is
            the last max-pool of a chain of layers, of any other model the last that has places.
        output: place or name of the logits, of a model that returns more.

    Raises:
        UserError: the model cannot be run, or not be followed; a layer that is not there, has no
            places, or is gone round.
    """
    check_images(model, images)
    return read(model, images, layer, output)[0]


def read(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    layer: str | nn.Module | None = None,
    output: int | str | None = None,
) -> tuple[Network, Float[Tensor, "1 k"], bool]:
    """Return the network, the logits of the first image, and whether other images may differ."""
    model = unwrapped(model)
    one = images[:1] if len(images) else images.new_zeros(1, *images.shape[1:])
    tape, logits = follow(model, one, output)
    network = None if layer is not None else _chain(tape, model)
    if network is None:
        two, _ = follow(model, torch.cat([one, one.flip(-1)]), output)
        network = _graph(for_any_number(tape, two), layer, model, one)
    return network, two_classes(logits), tape.asked


def check_images(model: Any, images: Any) -> None:
    """Refuse what no model can be run on, and a model that is none."""
    if isinstance(model, Network):
        tensors = model.graph.tape.weights if model.graph else [model.dense[0].module.weight]
    elif isinstance(model, nn.Module):
        tensors = list(model.parameters())
    else:
        raise UserError(f"the model is of type {type(model).__name__}: pass an nn.Module")
    if not isinstance(images, Tensor):
        kind = type(images).__name__
        raise UserError(f"images are of type {kind}: pass a tensor (n, channels, height, width)")
    if images.ndim != 4 or not images.is_floating_point():
        raise UserError(
            f"images have shape {tuple(images.shape)} and dtype {images.dtype}: pass a batch of"
            " floating point numbers of shape (n, channels, height, width)"
        )
    weights = [each for each in tensors if each.is_floating_point()]
    for what in ("dtype", "device") if weights else ():
        have, want = getattr(images, what), getattr(weights[0], what)
        if have != want:
            raise UserError(
                f"images have {what} {have} but the model has {want}: use images.to(...)"
            )
    if images.is_meta:
        raise UserError("images and model hold no values, on device meta: load the weights first")
    finite = images.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        row = int(finite.logical_not().nonzero()[0])
        raise UserError(f"image {row} holds NaN or infinity: leave it out or mend it")


# ------------------------------------------------------------------------------ chains of layers


def _chain(tape: Tape, model: nn.Module) -> Network | None:
    """Return the network of a chain with a max-pool before its dense layers; None of others."""
    layers = _layers(tape, 0, model) or []
    pools = [place for place, layer in enumerate(layers) if isinstance(layer, Pooling)]
    if not pools:
        return None
    body, rest = layers[: pools[-1] + 1], layers[pools[-1] + 1 :]
    if not all(isinstance(layer, BodyLayer) for layer in body):
        return None
    # a ReLU behind the last weights leaves no maps that are negative
    last = next((layer for layer in reversed(body) if not isinstance(layer, Pooling)), None)
    found = _head(rest, isinstance(last, Rectification))
    return found and Network(tuple(body), *found)  # type: ignore[arg-type]


def _layers(tape: Tape, start: int, model: nn.Module) -> list[Layer] | None:
    """Return the layers that lead from a tensor to the logits; None where other calls do."""
    layers, number, modules = list[Layer](), start, dict(model.named_modules())
    for call in tape.between(start, tape.logits):
        if call.on_images:
            alone = call.on_images == [number] and len(call.outputs) == 1
            found = _layer(call, tape, modules) if alone else None
            if found is None:
                return None
            layers += found
            number = call.outputs[0]
    return layers if number == tape.logits else None


def _head(
    layers: Sequence[Layer], rectified: bool
) -> tuple[tuple[Any, ...], tuple[Dense, ...]] | None:
    """Return neck and dense layers, without ReLUs of the neck that change nothing."""
    kinds = "".join(type(layer).__name__[0] for layer in layers)  # A, D, F, R, or of the body
    found = re.fullmatch("(R*)(A?)([RF]*F[RF]*)((?:DR)*D)", kinds)
    if not found:
        return None
    first, after, dense = layers[: found.start(3)], layers[slice(*found.span(3))], found.start(4)
    if found[2]:  # what is not negative has no negative averages
        if "R" in found[3] and not (rectified or found[1]):
            return None
        after = [layer for layer in after if isinstance(layer, Flattening)]
    *hidden, last = [layer for layer in layers[dense:] if isinstance(layer, Dense)]
    return (*first, *after), (*hidden, _of_two(last))


def _of_two(layer: Dense) -> Dense:
    """Return the last layer, of two logits at least (see `two_classes`)."""
    if layer.module.out_features > 1:
        return layer
    weight, bias = layer.module.weight.detach(), layer.module.bias
    both = None if bias is None else two_classes(bias.detach())
    return _dense(layer.name, two_classes(weight.T).T.contiguous(), both)


def _layer(call: Call, tape: Tape, modules: dict[str, nn.Module]) -> list[Layer] | None:
    """Return the layer that a call stands for, none where it changes nothing; None for others."""
    name, given = call.label, {key: tape.known(value) for key, value in call.given.items()}
    module = modules.get(call.modules[0]) if call.modules else None
    before, after = tape.shapes[call.refs[0]], tape.shapes[call.outputs[0]]
    if call.name in SAME and is_affine(call):
        return []
    if call.name == "relu":
        return [Rectification(name)]
    if call.name == "conv2d":
        layer = Convolution(name, _convolution(module, given))
        odd = isinstance(layer.module.padding, str) and any(e % 2 for e in layer.reach)
        return None if odd else [layer]
    if call.name == "batch_norm" and len(before) == 4 and is_affine(call):
        settings = len(given["running_mean"]), given.get("eps", 1e-5)
        return [Normalization(name, _module(nn.BatchNorm2d, module, given, *settings))]
    if call.name == "max_pool2d":
        kernel = pair(given["kernel_size"])
        stride = pair(given.get("stride") or kernel)
        padding, dilation = pair(given.get("padding", 0)), pair(given.get("dilation", 1))
        return [Pooling(name, kernel, stride, padding, dilation, given.get("ceil_mode", False))]
    if call.name == "adaptive_avg_pool2d":
        size = given["output_size"]
        return [Averaging(name, tuple(size) if isinstance(size, tuple | list) else (size, size))]
    if call.name in ("flatten", "view", "reshape") and len(after) == 2:
        return [Flattening(name)]
    if call.name == "mean" and len(before) == 4 and after == before[:2]:
        return [Averaging(name, (1, 1)), Flattening(name)]
    if call.name == "linear" and len(before) == 2:
        return [_dense(name, given["weight"], given.get("bias"), module)]
    return None


def _convolution(module: nn.Module | None, given: dict[str, Any]) -> nn.Conv2d:
    weight, padding, groups = given["weight"], given.get("padding", 0), given.get("groups", 1)
    made: nn.Conv2d = _module(
        nn.Conv2d,
        module,
        given,
        weight.shape[1] * groups,
        len(weight),
        weight.shape[2:],
        pair(given.get("stride", 1)),
        padding if isinstance(padding, str) else pair(padding),
        pair(given.get("dilation", 1)),
        groups,
        given.get("bias") is not None,
    )
    return made


def _dense(
    name: str,
    weight: Float[Tensor, "i r"],
    bias: Float[Tensor, "i"] | None,
    module: nn.Module | None = None,
) -> Dense:
    given, settings = {"weight": weight, "bias": bias}, (*weight.shape[::-1], bias is not None)
    return Dense(name, _module(nn.Linear, module, given, *settings))


def _module(kind: Any, module: nn.Module | None, given: Mapping[str, Any], *settings: Any) -> Any:
    """Return the module of a call, or one that stands for it where it has other tensors."""
    tensors = {name: given.get(name) for name in ("weight", "bias", "running_mean", "running_var")}
    own = all(getattr(module, name, None) is tensor for name, tensor in tensors.items())
    made = kind(*settings, device="meta").eval()
    if isinstance(module, kind) and own and module.extra_repr() == made.extra_repr():
        return module
    for name, tensor in tensors.items():
        if name in made._parameters:
            held = None if tensor is None else nn.Parameter(tensor.detach(), requires_grad=False)
            made.register_parameter(name, held)
        elif hasattr(made, name):
            setattr(made, name, tensor)
    return made


# ---------------------------------------------------------------------------------- other models


def _graph(tape: Tape, layer: str | nn.Module | None, model: nn.Module, image: Tensor) -> Network:
    """Return the network of any model, with its head as dense layers where it is of such."""
    maps = _maps(tape, layer, model)
    graph = Graph(tape, maps)
    rectified = tape.calls[tape.maker(maps)].name in ("relu", "relu6")
    found = _head(_layers(tape, maps, model) or [], rectified)
    return Network((), *(found or _joined(graph, image)), graph)


def _maps(tape: Tape, layer: str | nn.Module | None, model: nn.Module) -> int:
    """Return the number of the maps: what a layer makes, or the last tensor that has places."""
    if layer is None:
        for number in reversed(range(1, tape.logits)):
            shape = tape.shapes[number]
            if len(shape) == 4 and shape[1] > 1 < shape[2] * shape[3]:
                try:
                    tape.between(number, tape.logits)
                except UserError:
                    continue
                return number
        raise UserError("the model makes no maps, (n, channels, height, width): name a layer")
    name = next((key for key, one in model.named_modules() if one is layer), layer)
    if not isinstance(name, str):
        raise UserError(f"layer of type {type(name).__name__} is no part of the model")
    places = [
        place
        for place, call in enumerate(tape.calls)
        if (name in call.modules or name == call.label) and call.on_images
    ]
    if not places:
        known = ", ".join(dict.fromkeys(call.label for call in tape.calls))
        raise UserError(f"layer '{name}' is not one of: {known}")
    if places != list(range(places[0], places[-1] + 1)):
        raise UserError(f"layer '{name}' runs several times: name one that runs once")
    number = tape.calls[places[-1]].outputs[0]
    if len(tape.shapes[number]) != 4:
        raise UserError(
            f"layer '{name}' makes {('n', *tape.shapes[number][1:])}: choose one that makes maps,"
            " (n, channels, height, width)"
        )
    tape.between(number, tape.logits)
    return number


def _joined(graph: Graph, image: Tensor) -> tuple[tuple[Any, ...], tuple[Dense, ...]]:
    """Return dense layers, each of which does what affine functions between two ReLUs do.

    There are none where other functions are among them, or where their matrix would be too large.
    """
    tape, start, dense = graph.tape, graph.maps, list[Dense]()
    ends = [(call.refs[0], call.outputs[0]) for call in graph.calls if call.name == "relu"]
    if not all(call.name == "relu" or is_affine(call) for call in graph.calls):
        return (), ()
    for end, after in [*ends, (tape.logits, tape.logits)]:
        shape, size = tape.shapes[start][1:], prod(tape.shapes[end][1:])
        if prod(shape) * size > MOST:
            return (), ()
        try:
            with torch.enable_grad():
                zeros = image.new_zeros(1, *shape, requires_grad=True)
                sums = tape.replay(start, zeros, end).flatten(1)
                rows = torch.eye(size, dtype=sums.dtype, device=sums.device)[:, None]
                (weight,) = torch.autograd.grad(sums, zeros, rows, is_grads_batched=True)
        except UserError:  # ReLUs side by side
            return (), ()
        weight, bias = weight.reshape(size, -1), sums.detach()[0]
        dense.append(_dense(tape.label(end), weight, bias))
        start = after
    return (Flattening(tape.label(graph.maps)),), (*dense[:-1], _of_two(dense[-1]))
