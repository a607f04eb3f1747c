"""What a model does with images: the functions of PyTorch that it calls, in order.

The model runs for real, in a mode of this thread that sees each call (`TorchFunctionMode`). Nothing
is patched and nothing is left behind: what runs is a shallow copy of the model in eval mode, which
shares its weights. From the calls any part of the forward can be run again.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode

from tinyvgg.errors import UserError

ASKED = (
    "__bool__", "__int__", "__float__", "__index__", "__contains__", "item", "tolist",
    "numpy", "equal", "allclose",
)  # fmt: skip
"""Functions by whose results Python code may decide what to do next."""
SOFTMAX = ("softmax", "log_softmax", "sigmoid", "logsigmoid")
"""Functions at the end that are left out, as logits are explained."""
DROPOUT = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
)  # fmt: skip
"""Functions that change nothing in eval mode."""
SUMS = (
    "add", "iadd", "radd", "sub", "isub", "rsub", "neg", "cat", "concat", "stack", "mean",
    "sum", "flatten", "view", "reshape", "unflatten", "permute", "transpose", "movedim", "t",
    "squeeze", "unsqueeze", "contiguous", "clone", "detach", "float", "double", "to",
    "type_as", "getitem", "get", "chunk", "split", "unbind", "narrow", "select", "expand",
    "expand_as", "repeat", "flip", "roll", "pad", "interpolate", "avg_pool2d",
    "adaptive_avg_pool2d", "pixel_shuffle", "channel_shuffle",
)  # fmt: skip
"""Functions that are affine in all tensors that they take."""
PRODUCTS = (
    "mul", "imul", "rmul", "matmul", "rmatmul", "mm", "bmm", "einsum", "div", "truediv",
    "itruediv",
)  # fmt: skip
"""Functions that are affine in any one tensor; a quotient in its numerator."""
WEIGHTED = (
    "linear", "conv1d", "conv2d", "conv_transpose2d", "batch_norm",
)  # fmt: skip
"""Functions that are affine in the first tensor."""
BENT = (
    "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "threshold", "hardsigmoid", "clamp",
    "clamp_min", "abs", "maximum", "minimum", "max", "amax", "max_pool2d",
)  # fmt: skip
"""Functions that are piecewise linear, beside affine ones."""
PARAMETERS: Mapping[str, str] = {
    "conv2d": "input weight bias stride padding dilation groups",
    "batch_norm": "input running_mean running_var weight bias training momentum eps",
    "max_pool2d": "input kernel_size stride padding dilation ceil_mode return_indices",
    "adaptive_avg_pool2d": "input output_size",
    "linear": "input weight bias",
    "hardtanh": "input min_val max_val inplace",
    **dict.fromkeys(DROPOUT, "input p training inplace"),
}
"""Names of the parameters of functions, in their order."""


@dataclass(frozen=True)
class Ref:
    """A tensor of a tape, by its number, and whether it depends on the images, which are 0."""

    number: int
    varies: bool


@dataclass(frozen=True)
class Scaled:
    """A whole number that goes with the number of images, n: first + step n."""

    first: int
    step: int


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a function.

    Attributes:
        func: the function.
        args: its arguments; tensors of the tape are a `Ref`.
        kwargs: the same by name.
        outputs: the numbers of its results; one that it changed in place has a new number.
        modules: names of the modules that it was called in, the innermost first.
        label: the module's name, or the function's where the module has several parts.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[int, ...]
    modules: tuple[str, ...]
    label: str

    @cached_property
    def name(self) -> str:
        """The function's name without the underscores of operators and of in-place forms."""
        return _name(self.func).strip("_")

    @property
    def in_place(self) -> bool:
        """Whether it may change a tensor that it takes, and others that share its memory."""
        name = _name(self.func)
        marked = name.endswith("_") and not name.startswith("__")
        return marked or name.startswith(("__i", "__setitem")) or "inplace" in self.kwargs

    @cached_property
    def given(self) -> dict[str, Any]:
        """Its arguments by name, of a function in `PARAMETERS`."""
        names = PARAMETERS.get(self.name, "").split()
        return {**dict(zip(names, self.args, strict=False)), **self.kwargs}

    @cached_property
    def refs(self) -> list[int]:
        """The numbers of the tensors of the tape that it takes."""
        return [ref.number for ref in self._refs]

    @cached_property
    def on_images(self) -> list[int]:
        """The numbers of those that depend on the images; where none does its results are fixed."""
        return [ref.number for ref in self._refs if ref.varies]

    @cached_property
    def _refs(self) -> list[Ref]:
        return [leaf for leaf in _leaves((self.args, self.kwargs)) if isinstance(leaf, Ref)]


@dataclass(frozen=True, eq=False)
class Tape:
    """The calls of one forward pass.

    Attributes:
        calls: in their order.
        shapes: of each tensor, by its number, for one image.
        logits: the number of what the model returned, before a softmax or sigmoid.
        asked: whether Python code may have decided by values of tensors what to do.
        fixed: tensors that it made and that do not depend on the images, such as pruned weights.
    """

    calls: tuple[Call, ...]
    shapes: tuple[tuple[int, ...], ...]
    logits: int
    asked: bool
    fixed: Mapping[int, Tensor]
    _plans: dict[tuple[int, int], list[Call]] = field(default_factory=dict, init=False)

    @property
    def weights(self) -> list[Tensor]:
        """The tensors of the model that its calls take."""
        taken = _leaves([(call.args, dict(call.kwargs)) for call in self.calls])
        return [leaf for leaf in taken if isinstance(leaf, Tensor)]

    def maker(self, number: int) -> int:
        """Return the place of the call that made a tensor; -1 for the images."""
        return next((i for i, call in enumerate(self.calls) if number in call.outputs), -1)

    def between(self, start: int, end: int) -> list[Call]:
        """Return the calls that lead from one tensor to another.

        Raises:
            UserError: the other one depends on the images past the first one, too.
        """
        if (start, end) in self._plans:
            return self._plans[start, end]
        there, plan, beside, made = {start}, list[Call](), list[Call](), self.maker(start)
        for place, call in enumerate(self.calls[: self.maker(end) + 1]):
            if not call.on_images or (place > made and there.issuperset(call.refs)):
                plan.append(call)
                there.update(call.outputs)
            elif place > made and there.intersection(call.refs):
                beside.append(call)
        if end not in there:
            by = f": '{beside[0].label}' takes what comes past it" if beside else ""
            raise UserError(
                f"not everything goes through layer '{self.label(start)}'{by}; choose another layer"
            )
        needed, kept = {end}, list[Call]()
        for call in reversed(plan):
            if call.in_place or needed.intersection(call.outputs):
                kept.insert(0, call)
                needed.update(call.refs)
        return self._plans.setdefault((start, end), kept)

    def known(self, value: Any) -> Any:
        """Return an argument; a tensor itself where it does not depend on the images."""
        return self.fixed.get(value.number, value) if isinstance(value, Ref) else value

    def label(self, number: int) -> str:
        """Return the label of the call that made a tensor."""
        place = self.maker(number)
        return self.calls[place].label if place >= 0 else "images"

    def replay(
        self,
        start: int,
        value: Float[Tensor, "n *shape"],
        end: int,
        rules: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Tensor:
        """Return the tensor `end` where the tensor `start` has another value, of n images.

        `rules` are functions that run in place of others, by name.
        """
        plan, values = self.between(start, end), {start: value.clone()}
        last = {number: place for place, call in enumerate(plan) for number in call.refs}

        def at(leaf: Any) -> Any:
            if isinstance(leaf, Ref):
                return values[leaf.number]
            return leaf.first + leaf.step * len(value) if isinstance(leaf, Scaled) else leaf

        for place, call in enumerate(plan):
            func = (rules or {}).get(call.name, call.func)
            args, kwargs = map_aggregate((call.args, call.kwargs), at)
            made = _made(call.func, func(*args, **kwargs), args)
            values.update(zip(call.outputs, made, strict=True))
            for number in call.refs:
                if last[number] == place and number != end:
                    values.pop(number, None)
        return values[end]


def is_affine(call: Call) -> bool:
    """Return whether a call is affine in what depends on the images."""
    if call.name in DROPOUT:
        return not call.given.get("training", True) or not call.given.get("p", 0.5)
    if call.name in (*PRODUCTS, *WEIGHTED):
        first = next(iter((*call.args, *call.kwargs.values())), None)
        anywhere = call.name in PRODUCTS and not call.name.endswith(("div", "truediv"))
        evaluates = call.func is not torch.batch_norm and not call.given.get("training", False)
        varies = isinstance(first, Ref) and first.varies
        return len(call.on_images) == 1 and (anywhere or varies) and evaluates
    return call.name in SUMS


def is_piecewise_linear(call: Call) -> bool:
    """Return whether a call is affine in what depends on the images where that changes little."""
    return call.name in BENT or is_affine(call)


def in_eval_mode(model: nn.Module) -> nn.Module:
    """Return a shallow copy of a model in eval mode, which shares parameters and buffers.

    What a forward stores on its modules is stored on the copy.
    """
    twins: dict[nn.Module | None, nn.Module]
    twins = {one: object.__new__(type(one)) for one in model.modules()}
    for one in model.modules():
        children = {name: twins.get(child) for name, child in one._modules.items()}
        vars(twins[one]).update(vars(one), _modules=children, training=False)
    return twins[model]


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model that was written: not compiled, and not spread over devices."""
    parallel = isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
    inner: Any = getattr(model, "module" if parallel else "_orig_mod", None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else model


@contextmanager
def running(title: str, images: Float[Tensor, "n c h w"]) -> Iterator[None]:
    """Raise what goes wrong while a model runs on images, but for memory, as a `UserError`."""
    try:
        yield
    except (UserError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{title} cannot be run on images of shape {tuple(images.shape)}"
            f" ({reason or type(error).__name__}): pass images that the model was made for"
        ) from error


def follow(
    model: nn.Module, images: Float[Tensor, "n c h w"], output: int | str | None = None
) -> tuple[Tape, Float[Tensor, "n k"]]:
    """Run a model on images; return the tape, for an output by place or name, and the logits.

    Raises:
        UserError: the model cannot be run on the images, does not run in Python, or returns
            something else.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise UserError("the model is compiled (TorchScript): pass the one it was made from")
    model, images = unwrapped(model), images.clone()  # the first layer may work in place
    twin, title = in_eval_mode(model), type(model).__name__
    recorder = _Recorder(images, model, twin)
    with torch.no_grad(), running(title, images), recorder:
        result = twin(images)
    number = recorder.noted(_chosen(result, output, title))
    if not isinstance(number, Ref):
        raise UserError(f"what {title} returns is made by no function of PyTorch")
    made = {n for call in recorder.calls if not call.on_images for n in call.outputs}
    fixed = {n: recorder.kept[n] for n in made}
    calls, shapes = tuple(recorder.calls), tuple(recorder.shapes)
    tape = Tape(calls, shapes, number.number, recorder.asked, fixed)
    tape = replace(tape, logits=_before_softmax(tape, title))
    return tape, recorder.kept[tape.logits].reshape(len(images), -1)


def _before_softmax(tape: Tape, title: str) -> int:
    """Return the number of the logits: what is returned, before a softmax or sigmoid."""
    number = tape.logits
    while (place := tape.maker(number)) >= 0:
        call, shape = tape.calls[place], tape.shapes[number]
        one_logit = shape == tape.shapes[0][:1]
        reshaped = one_logit and call.name in ("squeeze", "flatten", "view", "reshape")
        if call.name not in SOFTMAX and not reshaped:
            break
        number = call.refs[0]
    if len(tape.shapes[number]) != 2 or not tape.calls[place].on_images:
        raise UserError(
            f"{title} returns shape {('n', *tape.shapes[number][1:])}: logits of shape (n, classes)"
            " are explained"
        )
    return number


def _chosen(result: Any, output: int | str | None, title: str) -> Tensor:
    """Return one of the outputs of a model."""
    if isinstance(result, Tensor) and output is None:
        return result
    named = dict(result) if isinstance(result, Mapping) else getattr(result, "_asdict", dict)()
    placed = [*named.values()] or (result if isinstance(result, tuple | list) else [])
    outputs = {**dict(enumerate(placed)), **named}
    tensors = {key: value for key, value in outputs.items() if isinstance(value, Tensor)}
    if isinstance(result, Tensor):
        raise UserError(f"{title} returns one tensor: leave out output={output!r}")
    if not tensors:
        raise UserError(f"{title} returns {type(result).__name__}: return logits as a tensor")
    if output is None and len(placed) == 1:
        return tensors[0]
    if output not in tensors:
        known = ", ".join(map(repr, tensors))
        given = "several outputs" if output is None else f"no output {output!r}"
        raise UserError(f"{title} returns {given}: choose by output=..., one of {known}")
    return tensors[output]


def for_any_number(one: Tape, two: Tape) -> Tape:
    """Return a tape for any number of images, from those of one image and of two.

    Raises:
        UserError: they differ in more than in numbers that go with the number of images.
    """
    if len(one.calls) != len(two.calls):
        raise UserError("the model takes another way for two images than for one")
    calls = []
    for first, second in zip(one.calls, two.calls, strict=True):
        if (first.func, first.outputs) != (second.func, second.outputs):
            raise UserError(f"'{first.label}' is reached for one image, and not for two")
        try:
            args, kwargs = _merged((first.args, first.kwargs), (second.args, second.kwargs))
        except ValueError:
            raise UserError(
                f"'{first.label}' ({first.name}) takes what cannot be followed from the images: it"
                " is computed elsewhere, or mixes the images of a batch"
            ) from None
        calls.append(replace(first, args=args, kwargs=kwargs))
    return replace(one, calls=tuple(calls), asked=one.asked or two.asked)


def _merged(one: Any, two: Any) -> Any:
    """Return what is the same for one image and two, with `Scaled` for what goes with them.

    Raises:
        ValueError: they differ in more than that.
    """
    pairs = zip(_leaves(one), _leaves(two), strict=True)
    merged = iter([_merged_leaf(*pair) for pair in pairs])
    return map_aggregate(one, lambda _: next(merged))


def _merged_leaf(one: Any, two: Any) -> Any:
    if type(one) is int and type(two) is int and one != two:
        return Scaled(2 * one - two, two - one)
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        same = one is two or (one.dtype == two.dtype and torch.equal(one, two))
    else:
        plain = isinstance(one, Ref | bool | int | float | str | torch.dtype | torch.device)
        same = one is two or (plain and one == two)
    if not same:
        raise ValueError
    return one


class _Recorder(TorchFunctionMode):
    """Writes down every call of a function while it is entered."""

    def __init__(self, images: Tensor, model: nn.Module, twin: nn.Module) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.shapes = [tuple(images.shape)]
        self.asked = False
        self.kept = [images]  # an id is that of one tensor as long as it is there
        self._refs: dict[int, Any] = {id(images): Ref(0, True)}
        self._names = {id(one): name for of in (model, twin) for name, one in of.named_modules()}
        self._leaves = {name for name, one in model.named_modules() if not one._modules}
        self._labels = Counter[str]()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given, named = self.noted((args, kwargs or {}))
        result = func(*args, **(kwargs or {}))
        made, name = _made(func, result, args), _name(func)
        self.asked |= name in ASKED and any(isinstance(one, Ref) for one in _leaves(given))
        if made:
            outputs = tuple(range(len(self.shapes), len(self.shapes) + len(made)))
            modules = tuple(self._modules(sys._getframe(1)))
            call = Call(func, given, named, outputs, modules, self._label(modules, name.strip("_")))
            self.calls.append(call)
            self.kept += made
            self.shapes += [tuple(tensor.shape) for tensor in made]
            for tensor, number in zip(made, outputs, strict=True):
                self._refs[id(tensor)] = Ref(number, bool(call.on_images))
        return result

    def noted(self, tree: Any) -> Any:
        """Return arguments or a result with a `Ref` for each tensor of the tape."""
        return map_aggregate(tree, lambda leaf: self._refs.get(id(leaf), leaf))

    def _label(self, modules: tuple[str, ...], name: str) -> str:
        inner = modules[0] if modules else ""
        if inner in self._leaves and inner:
            return inner
        label = f"{inner}.{name}" if inner else name
        self._labels[label] += 1
        return label if self._labels[label] == 1 else f"{label}_{self._labels[label] - 1}"

    def _modules(self, frame: Any) -> Iterator[str]:
        """Yield the names of the modules whose code is running, the innermost first."""
        before = None
        while frame is not None:
            code = frame.f_code
            owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
            name = self._names.get(id(owner))
            if name is not None and name != before:
                yield name
                before = name
            frame = frame.f_back


def _name(func: Any) -> str:
    return str(getattr(func, "__name__", func))


def _made(func: Any, result: Any, args: tuple[Any, ...]) -> list[Tensor]:
    """Return the tensors that a call made; one that it wrote into counts as made."""
    if _name(func) == "__setitem__":
        result = args[:1]
    return [leaf for leaf in _leaves(result) if isinstance(leaf, Tensor)]


def _leaves(tree: Any) -> list[Any]:
    """Return the leaves of nested data."""
    found: list[Any] = []
    map_aggregate(tree, found.append)
    return found
