"""A model that was trained elsewhere, in the place of a run: its weights, classes and scaling."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import CENTRE, check_one_of
from tinyvgg.trace import record
from tinyvgg.training.batches import Scaling
from tinyvgg.training.runs import sha256

SIZE = 224
"""Side of the images in pixels, where nothing says another."""
WRAPPED = ("module.", "_orig_mod.")
"""What wrappers of models put before the names of weights."""
NESTED = ("state_dict", "model_state_dict", "model")
"""The entries of checkpoints that hold weights."""


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A model that was trained elsewhere, as far as explanations need to know it.

    Attributes:
        name: the function that makes it.
        model: the model, with its weights, in eval mode.
        classes: names of its outputs.
        size: side of its images, pixels.
        scaling: how it takes pixels.
        weights_hash: SHA-256 of the file of its weights; empty where there is none.
        about: what is known of it, as sentences.
        named: whether the names of the classes were given, and are not numbers for want of them.
        cropping: how photographs are cropped (`tinyvgg.faces.cropping.cropping_of`).
    """

    name: str
    model: nn.Module
    classes: tuple[str, ...]
    size: int
    scaling: Scaling
    weights_hash: str
    about: str
    named: bool
    cropping: Mapping[str, Any] = field(default_factory=lambda: {"how": CENTRE})
    task: ClassVar[str] = "class"
    looks: ClassVar[None] = None

    def label(self, name: str) -> int:
        """Return the label of a class by its name."""
        check_one_of("class", name, self.classes)
        return self.classes.index(name)


def load_own(
    model: str,
    weights: Path | None = None,
    classes: Sequence[str] | None = None,
    preprocessing: str | None = None,
    size: int | None = None,
) -> OwnModel:
    """Load a model without running any code but the function that makes it.

    Args:
        model: ``package.module:function``; without arguments the function returns the model.
        weights: a file of safetensors, or one that `torch.save` wrote: a state dict, or a
            checkpoint that has one. None keeps the weights that the function made.
        classes: names of the outputs; their numbers if None.
        preprocessing: ``MEAN/DEVIATION`` of pixels from 0 to 1, each as R,G,B, such as
            ``0.5,0.5,0.5/0.5,0.5,0.5``; or weights of torchvision, such as
            ``ResNet18_Weights.DEFAULT``, whose size is taken as well, and not its framing: the
            largest square in the middle is used, or what the source says. None leaves pixels from 0
            to 1.
        size: side of the images, 224 if None and if the preprocessing does not say it.

    Raises:
        UserError: no such function, no model, weights that cannot be read or do not fit, an
            unknown preprocessing.
    """
    made = _made(model)
    if weights is not None:
        _fill(made, weights)
    scaling, usual = _preprocessing(preprocessing)
    side, made = size or usual, made.float().eval()
    outputs = record(made, torch.zeros(1, 3, side, side)).network.classes
    names = tuple(map(str, range(outputs) if classes is None else classes))
    if len(names) != outputs or len(set(names)) != outputs:
        raise UserError(f"classes are {len(set(names))}, and the model has {outputs} outputs")
    shown = "its own weights" if weights is None else f"the weights of '{weights.name}'"
    return OwnModel(
        name=model,
        model=made,
        classes=names,
        size=side,
        scaling=scaling,
        weights_hash="" if weights is None else sha256(weights),
        about=f"It was trained elsewhere, and has {shown}.",
        named=classes is not None,
    )


def imported(what: str, path: str) -> Any:
    """Return what ``package.module:function`` names, also in the working folder."""
    module, _, name = path.partition(":")
    sys.path.insert(0, "")
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # the module may do anything
        raise UserError(
            f"{what} {path!r} cannot be found ({error}): name it as package.module:function"
        ) from None
    finally:
        sys.path.remove("")


def _made(model: str) -> nn.Module:
    function = imported("model", model)
    try:
        found = function()
    except Exception as error:
        raise UserError(f"model {model!r} cannot be made without arguments ({error})") from None
    if not isinstance(found, nn.Module):
        raise UserError(f"model {model!r} returns a {type(found).__name__}, not an nn.Module")
    return found.cpu()


def _fill(model: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"weights {str(path)!r} are no file: name one of safetensors or torch.save")
    try:
        if path.suffix == ".safetensors":
            kept: Any = load_file(path)
        else:
            kept = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = re.sub(r"\x1b\[\d*m", "", str(error)).strip().split("\n")[0][:160]
        raise UserError(
            f"weights {str(path)!r} cannot be read without running code ({reason}): save"
            " model.state_dict() anew"
        ) from None
    inner = next((kept[key] for key in NESTED if isinstance(kept, Mapping) and key in kept), kept)
    pairs: Any = inner.items() if isinstance(inner, Mapping) else [(0, 0)]
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in pairs):
        raise UserError(f"weights {str(path)!r} hold no state dict: save model.state_dict()")
    state, own = dict[str, Tensor](), model.state_dict()
    for key, value in pairs:
        name = key
        while name not in own and name.startswith(WRAPPED):
            name = name.partition(".")[2]
        state[name] = value
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        fault = " ".join(str(error).split("\n")[1:2]).strip() or str(error)
        raise UserError(f"weights {str(path)!r} do not fit the model: {fault[:200]}") from None


def _preprocessing(text: str | None) -> tuple[Scaling, int]:
    """Return how pixels from 0 to 255 are scaled, and the side of images."""
    mean, deviation, size = tuple[float, ...]([0.0] * 3), tuple[float, ...]([1.0] * 3), SIZE
    try:
        if text and "/" in text:
            mean, deviation = (tuple(map(float, part.split(","))) for part in text.split("/"))
        elif text:
            about: Any = models.get_weight(text).transforms()
            mean, deviation, size = about.mean, about.std, about.crop_size[0]
    except (ValueError, AttributeError, KeyError):
        mean = ()
    fine = all(0 <= m <= 1 for m in mean) and all(0 < d <= 1 for d in deviation)
    if len(mean) != 3 or len(deviation) != 3 or not fine:
        raise UserError(
            f"preprocessing {text!r} is neither R,G,B/R,G,B, from 0 to 1, nor the name of"
            " torchvision's weights, such as ResNet18_Weights.DEFAULT"
        )
    return Scaling(tuple(255 * m for m in mean), tuple(255 * d for d in deviation)), size
