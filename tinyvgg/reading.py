"""Read a model into a Network: which layers run, in which order, without running or changing it."""

import inspect
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from tinyvgg.errors import UserError
from tinyvgg.network import (
    Averaging,
    BodyLayer,
    Convolution,
    Dense,
    Flattening,
    Layer,
    Network,
    Normalization,
    Pooling,
    Rectification,
)

SUPPORTED = (
    "convolution, batch norm, ReLU, max-pool, adaptive average pool, flatten, linear and dropout"
)
TRANSPARENT = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
DROPOUT = (F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout)
RELU = (F.relu, F.relu_, torch.relu, torch.relu_, "relu", "relu_")
SOFTMAX = (F.softmax, F.log_softmax, torch.softmax, torch.log_softmax, "softmax", "log_softmax")
FLATTEN = (torch.flatten, "flatten", torch.reshape, "reshape", "view")


def read_network(model: nn.Module) -> Network:
    """Read the layers of a model as a `Network`.

    The forward is followed symbolically (torch.fx) as it runs in eval mode, so plain Python
    forwards are read as well as nn.Sequential; dropout is the identity there. A softmax after the
    last linear layer is ignored, since logits are explained.

    Raises:
        UserError: the forward is no chain, or a layer or their order is not supported.
    """
    graph = _trace(model)
    nodes = list(_chain(graph, model))
    if nodes and _is_softmax(nodes[-1], model):
        nodes.pop()
    layers = [layer for node in nodes if (layer := _layer(node, model)) is not None]
    _refuse_reuse(layers)
    return _arrange(layers)


class _Tracer(fx.Tracer):
    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if self.is_leaf_module(m, self.path_of_module(m)):
            return super().call_module(m, forward, args, kwargs)
        try:
            return m.forward(*args, **kwargs)
        except Exception:
            # A run-time type checker around forward refuses symbolic images: look beneath it.
            beneath = inspect.unwrap(type(m).forward)
            if beneath is type(m).forward or "forward" in vars(m):
                raise
            return beneath(m, *args, **kwargs)


class _Root(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Any) -> Any:
        return self.model(images)


def _trace(model: nn.Module) -> fx.Graph:
    with _attributes_restored(model):
        for module in model.modules():
            module.training = False
        try:
            return _Tracer().trace(_Root(model))
        except Exception as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"the forward of {type(model).__name__} cannot be read as a chain of layers"
                f" ({reason}): pass an nn.Sequential of its layers"
            ) from error


@contextmanager
def _attributes_restored(model: nn.Module) -> Iterator[None]:
    """Undo what a forward stored on its modules, such as its last features, and their modes."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            now = vars(module)
            for name in now.keys() - attributes.keys():
                del now[name]
            now.update(attributes)


def _chain(graph: fx.Graph, model: nn.Module) -> Iterator[fx.Node]:
    """Yield the nodes that work on the images, each on the result of the previous one."""
    current, *nodes = graph.nodes
    shapes: set[fx.Node] = set()
    for node in nodes:
        if _asks_for_shape(node, shapes):
            shapes.add(node)
        elif node.op == "output":
            if node.args[0] is not current:
                raise UserError(
                    f"{type(model).__name__} returns more than logits:"
                    " pass a model that returns one tensor"
                )
        elif set(node.all_input_nodes) - shapes != {current}:
            raise UserError(
                f"'{_name(node)}' in {type(model).__name__} does not follow '{_name(current)}'"
                " alone: only a single chain of layers can be explained"
            )
        else:
            yield node
            current = node


def _asks_for_shape(node: fx.Node, shapes: set[fx.Node]) -> bool:
    if node.target is getattr:
        return node.args[1] == "shape"
    if node.target is operator.getitem:
        return node.args[0] in shapes
    return node.op == "call_method" and node.target == "size"


def _layer(node: fx.Node, model: nn.Module) -> Layer | None:
    name = _name(node)
    if node.op == "call_module":
        return _from_module(name, model.get_submodule(name) if name else model)
    if node.target in RELU:
        return Rectification(name)
    if node.target in DROPOUT:
        _refuse_active_dropout(name, node)
        return None
    if node.target in FLATTEN and _keeps_batch(node):
        return Flattening(name)
    if node.target is F.max_pool2d:
        return _from_module(name, nn.MaxPool2d(*node.args[1:], **node.kwargs))  # type: ignore[arg-type]
    if node.target is F.adaptive_avg_pool2d:
        return _from_module(name, nn.AdaptiveAvgPool2d(*node.args[1:], **node.kwargs))  # type: ignore[arg-type]
    kind = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "?")
    raise _unsupported(name, kind)


def _from_module(name: str, module: nn.Module) -> Layer | None:
    kind = type(module)
    if kind in TRANSPARENT:
        return None
    if kind is nn.Conv2d:
        return _convolution(name, module)  # type: ignore[arg-type]
    if kind is nn.BatchNorm2d:
        return _normalization(name, module)  # type: ignore[arg-type]
    if kind is nn.ReLU:
        return Rectification(name)
    if kind is nn.MaxPool2d:
        return _pooling(name, module)  # type: ignore[arg-type]
    if kind is nn.Linear:
        return Dense(name, module)  # type: ignore[arg-type]
    if kind is nn.Flatten and module.start_dim == 1 and module.end_dim == -1:
        return Flattening(name)
    if kind is nn.AdaptiveAvgPool2d:
        size = module.output_size
        return Averaging(name, size if isinstance(size, tuple) else (size, size))  # type: ignore[arg-type]
    raise _unsupported(name, kind.__name__)


def _convolution(name: str, module: nn.Conv2d) -> Convolution:
    if module.padding_mode != "zeros":
        raise UserError(
            f"layer '{name}' (Conv2d) pads with '{module.padding_mode}':"
            " only padding_mode='zeros' is supported"
        )
    layer = Convolution(name, module)
    if module.padding == "same" and any(reach % 2 for reach in layer.reach):
        raise UserError(
            f"layer '{name}' (Conv2d) pads one side more than the other, padding='same' with"
            f" kernel {tuple(module.kernel_size)}: use an odd kernel or pad by a number"
        )
    return layer


def _normalization(name: str, module: nn.BatchNorm2d) -> Normalization:
    if module.running_mean is None:
        raise UserError(
            f"layer '{name}' (BatchNorm2d) keeps no statistics, so that an image's answer depends"
            " on the others of its batch: use track_running_stats=True"
        )
    return Normalization(name, module)


def _pooling(name: str, module: nn.MaxPool2d) -> Pooling:
    if module.return_indices:
        raise UserError(
            f"layer '{name}' (MaxPool2d) returns its switches:"
            " use return_indices=False, they are recorded anyway"
        )
    kernel = _pair(module.kernel_size)
    stride = kernel if module.stride is None else _pair(module.stride)
    padding, dilation = _pair(module.padding), _pair(module.dilation)
    return Pooling(name, kernel, stride, padding, dilation, module.ceil_mode)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _keeps_batch(node: fx.Node) -> bool:
    """Return whether flatten, view or reshape makes one vector of each image.

    The width of view(-1, width) is checked where the maps meet the first dense layer.
    """
    if node.target in (torch.flatten, "flatten"):
        start = node.args[1] if len(node.args) > 1 else node.kwargs.get("start_dim", 0)
        return (start, len(node.args), node.kwargs.get("end_dim", -1)) in ((1, 1, -1), (1, 2, -1))
    shape = node.args[1:] if len(node.args) > 2 else node.args[1]
    return isinstance(shape, tuple | list) and len(shape) == 2


def _refuse_active_dropout(name: str, node: fx.Node) -> None:
    given = dict(zip(("input", "p", "training"), node.args, strict=False)) | node.kwargs
    if given.get("training", node.target is not F.alpha_dropout):
        raise UserError(
            f"layer '{name}' ({node.target.__name__}) drops units in eval mode, too:"  # type: ignore[union-attr]
            " pass training=self.training, or use nn.Dropout"
        )


def _is_softmax(node: fx.Node, model: nn.Module) -> bool:
    if node.op == "call_module":
        module = model.get_submodule(_name(node)) if _name(node) else model
        return isinstance(module, nn.Softmax | nn.LogSoftmax) and module.dim in (1, -1)
    given = dict(zip(("input", "dim"), node.args, strict=False)) | node.kwargs
    return node.target in SOFTMAX and given.get("dim") in (1, -1)


def _refuse_reuse(layers: list[Layer]) -> None:
    weighted = Convolution | Normalization | Dense
    uses = Counter(layer.name for layer in layers if isinstance(layer, weighted))
    for name, times in uses.items():
        if times > 1:
            raise UserError(f"layer '{name}' is used {times} times: give each use its own layer")


def _arrange(layers: list[Layer]) -> Network:
    first_dense = _first(layers, Dense, "dense layer: add an nn.Linear whose output are the logits")
    pools = [i for i, layer in enumerate(layers[:first_dense]) if isinstance(layer, Pooling)]
    if not pools:
        raise UserError("the model has no max-pool before its dense layers: pixels are its output")
    body, neck = layers[: pools[-1] + 1], layers[pools[-1] + 1 : first_dense]
    for layer in body:
        _expect(layer, BodyLayer, "stands before the last max-pool")
    for layer in neck:
        _expect(
            layer,
            Rectification | Averaging | Flattening,
            "stands between the last max-pool and the first dense layer",
        )
    # a ReLU behind the last weights leaves no maps that are negative
    last = next((layer for layer in reversed(body) if not isinstance(layer, Pooling)), None)
    neck = _checked_neck(neck, isinstance(last, Rectification))
    _first(
        neck, Flattening, f"flatten before layer '{layers[first_dense].name}': add an nn.Flatten"
    )
    dense = _dense_layers(layers[first_dense:])
    return Network(tuple(body), tuple(neck), dense)  # type: ignore[arg-type]


def _checked_neck(neck: list[Layer], rectified: bool) -> list[Layer]:
    """Return the neck without ReLUs behind an average, which change nothing on rectified maps."""
    averages = [i for i, layer in enumerate(neck) if isinstance(layer, Averaging)]
    if len(averages) > 1:
        raise UserError(
            f"layer '{neck[averages[1]].name}' is a second average before the dense layers:"
            " make it one"
        )
    first = averages[0] if averages else len(neck)
    before, after = neck[:first], neck[first:]
    if averages and any(isinstance(layer, Flattening) for layer in before):
        raise UserError(f"layer '{neck[first].name}' averages flattened maps: average them before")
    rectified = rectified or any(isinstance(layer, Rectification) for layer in before)
    for layer in after:
        if isinstance(layer, Rectification) and not rectified:
            raise UserError(
                f"layer '{layer.name}' (ReLU) stands behind the average of maps that may be"
                " negative: put it before"
            )
    return before + [layer for layer in after if not isinstance(layer, Rectification)]


def _dense_layers(layers: list[Layer]) -> tuple[Dense, ...]:
    for position, layer in enumerate(layers):
        wanted = Rectification if position % 2 else Dense
        place = "stands where the head, linear and ReLU in turn, has a"
        _expect(layer, wanted, f"{place} {'ReLU' if position % 2 else 'linear layer'}")
    if len(layers) % 2 == 0:
        _expect(layers[-1], Dense, "comes after the last linear layer, whose logits are explained,")
    return tuple(layer for layer in layers if isinstance(layer, Dense))


def _first(layers: list[Layer], kind: type[Layer], what: str) -> int:
    for position, layer in enumerate(layers):
        if isinstance(layer, kind):
            return position
    raise UserError(f"the model has no {what}")


def _expect(layer: Layer, kinds: Any, where: str) -> None:
    if not isinstance(layer, kinds):
        kind = type(layer).__name__.lower()
        raise UserError(f"layer '{layer.name}' ({kind}) {where}: take it out or move it")


def _unsupported(name: str, kind: str) -> UserError:
    return UserError(
        f"layer '{name}' ({kind}) is not supported: networks of {SUPPORTED} are; take it out or"
        " replace it by these"
    )


def _name(node: fx.Node) -> str:
    """Return the user's name of a layer, or the operation's name where there is no module."""
    if node.op == "call_module":
        return str(node.target).removeprefix("model").removeprefix(".")
    return node.name
