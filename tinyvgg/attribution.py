"""The explanations as attributions: ``attribute(inputs, target)``, as users of Captum know it.

Each class explains one model and returns something of the shape of the images, so that Captum's
metrics and visualisers, and Quantus, take it as they take their own. Captum itself is not needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyvgg.backtracking import Rule, backtrack
from tinyvgg.deconvolution import Options, Unit, deconvolve
from tinyvgg.errors import UserError
from tinyvgg.trace import Target, Trace, check_target, record
from tinyvgg.tracking import track_features

Images = Float[Tensor, "n c h w"]


@dataclass(frozen=True, eq=False)
class Attribution:
    """The common part of the three methods, each of which explains a model that `record` takes."""

    model: nn.Module

    def _explain(self, trace: Trace, target: Target) -> Images:
        raise TypeError(f"{type(self).__name__} has to define _explain")

    @overload
    def attribute(
        self, inputs: Images, target: Any = None, additional_forward_args: Any = None
    ) -> Images: ...

    @overload
    def attribute(
        self, inputs: tuple[Images], target: Any = None, additional_forward_args: Any = None
    ) -> tuple[Images]: ...

    @torch.no_grad()
    def attribute(
        self,
        inputs: Images | tuple[Images],
        target: Any = None,
        additional_forward_args: Any = None,
    ) -> Images | tuple[Images]:
        """Return an attribution for each image, of the images' shape.

        Args:
            inputs: images (n, channels, height, width), alone or as a tuple of one, as Captum's
                metrics pass them; the result comes in the same form.
            target: the class to explain, for all or each image, in any form that Captum takes;
                None is the predicted one.
            additional_forward_args: what the model takes after the images. Of a tensor with a row
                for each image each image has its own.

        Raises:
            UserError: input that `record` or the method refuses, or more than one input.
        """
        if not isinstance(inputs, tuple):
            return self._of(inputs.detach(), _classes(target), additional_forward_args)
        if len(inputs) != 1:
            raise UserError(f"{len(inputs)} inputs were given: these models take one, the images")
        return (self.attribute(inputs[0], target, additional_forward_args),)

    def _of(self, images: Images, target: Target, more: Any) -> Images:
        if more is None:
            return self._explain(record(self.model, images), target)
        more = more if isinstance(more, tuple) else (more,)
        own = [isinstance(one, Tensor) and one.ndim > 0 and len(one) == len(images) for one in more]
        if not any(own):
            return self._explain(record(_With(self.model, more), images), target)
        found = []
        for row, image in enumerate(images.split(1)):
            args = [a[row, None] if each else a for a, each in zip(more, own, strict=True)]
            one = target[row, None] if isinstance(target, Tensor) and target.ndim else target
            found.append(self._explain(record(_With(self.model, args), image), one))
        return torch.cat(found)

    @property
    def forward_func(self) -> nn.Module:
        """The model, as Captum calls it."""
        return self.model

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether attributions are gradients times inputs: no."""
        return False

    def has_convergence_delta(self) -> bool:
        """Return False: the attributions are not meant to sum to a difference of logits."""
        return False


class _With(nn.Module):
    """A model with all that it takes after the images."""

    def __init__(self, model: nn.Module, more: Sequence[Any]) -> None:
        super().__init__()
        self.model, self.more = model, tuple(more)

    def forward(self, images: Images) -> Any:
        """Run the model."""
        return self.model(images, *self.more)


def _classes(target: Any) -> Target:
    """Return classes as `record`'s users give them, from any form that Captum takes."""
    if isinstance(target, tuple) and len(target) == 1:
        target = target[0]
    if isinstance(target, list):
        target = torch.as_tensor(target).reshape(len(target), -1).squeeze(1)
    scalar = isinstance(target, Tensor) and target.numel() == 1
    found: Target = int(target) if scalar or isinstance(target, np.integer) else target
    return found


@dataclass(frozen=True, eq=False)
class Backtracking(Attribution):
    """The places of the backtracked pixels: their activations, summed over the maps.

    One value for each place of the last maps, laid over the part of the image that it came from
    (bilinear, as GradCAM's maps are) and the same for every channel. The pixels themselves, map
    by map, are `backtrack`'s.

    Attributes:
        rule: the rule that chooses the pixels.
    """

    rule: Rule | str = "literal"

    def _explain(self, trace: Trace, target: Target) -> Images:
        kept = trace.maps * backtrack(trace, target, self.rule).pixels
        size = (trace.images.shape[2], trace.images.shape[3])
        laid_over = F.interpolate(kept.sum(1, keepdim=True), size, mode="bilinear")
        return laid_over.expand_as(trace.images).contiguous()


@dataclass(frozen=True, eq=False)
class FeatureTracking(Attribution):
    """The features of the backtracked pixels in the image (`track_features`, Algorithm 2).

    Attributes:
        rule: the rule that chooses the pixels.
        options: choices of `deconvolve`, such as `PUBLISHED`.
    """

    rule: Rule | str = "literal"
    options: Options = field(default_factory=Options)

    def _explain(self, trace: Trace, target: Target) -> Images:
        return track_features(trace, backtrack(trace, target, self.rule).pixels, **self.options)


@dataclass(frozen=True, eq=False)
class Deconvnet(Attribution):
    """The projection of a layer's maps back to the image (`deconvolve`).

    The class plays no part in it: a `target` is checked and then left alone.

    Attributes:
        layer: the layer whose maps are projected.
        unit: one of its maps or pixels; None projects all.
        options: choices of `deconvolve`, such as `PUBLISHED`.
    """

    layer: int | str = -1
    unit: Unit = None
    options: Options = field(default_factory=Options)

    def _explain(self, trace: Trace, target: Target) -> Images:
        check_target(trace, target)
        return deconvolve(trace, layer=self.layer, unit=self.unit, **self.options)


def quantus_explain(
    model: nn.Module,
    inputs: Float[np.ndarray, "n c h w"],
    targets: Int[np.ndarray, "n"],
    method: str = "FeatureTracking",
    device: str | None = None,
    **options: Any,
) -> Float[np.ndarray, "n 1 h w"]:
    """Return attributions in the form in which Quantus asks for them: its ``explain_func``.

    Args:
        model: a model that `record` takes.
        inputs: images, moved to the model's device and dtype.
        targets: a class for each.
        method: Backtracking, FeatureTracking or Deconvnet.
        device: where to move the model first, as Quantus asks for it.
        options: attributes of that class.

    Returns:
        The sum of each attribution over the channels.

    Raises:
        UserError: an unknown method or option, or input that the method refuses.
    """
    methods = {kind.__name__: kind for kind in Attribution.__subclasses__()}
    if method not in methods:
        raise UserError(f"method {method!r} is not one of {', '.join(methods)}")
    known = [*methods[method].__dataclass_fields__][1:]
    for name in set(options) - set(known):
        raise UserError(f"option {name!r} of {method} is not one of {', '.join(known)}")
    model = model if device is None else model.to(device)
    weight = next(model.parameters())
    images = torch.as_tensor(inputs).to(weight.device, weight.dtype)
    found = methods[method](model, **options).attribute(images, torch.as_tensor(targets))
    return np.asarray(found.sum(1, keepdim=True).cpu())


class Margin(nn.Module):
    """A network with one output: the logit of one class of each image minus that of another."""

    def __init__(self, model: nn.Module, own: Int[Tensor, "n"], other: Int[Tensor, "n"]) -> None:
        super().__init__()
        self.model, self.own, self.other = model, own, other

    def forward(self, images: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m 1"]:
        """Return the margins of the images, which may be there several times, one after another."""
        logits, times = self.model(images), len(images) // len(self.own)
        own, other = (logits.gather(1, k.repeat(times)[:, None]) for k in (self.own, self.other))
        margin: Tensor = own - other
        return margin
