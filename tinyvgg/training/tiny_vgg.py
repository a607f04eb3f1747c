"""Tiny VGG, as in Table 1 of the paper, with other layers, and torchvision's VGGs."""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyvgg.errors import UserError
from tinyvgg.training.settings import Design

BLOCKS = 3
REPLACED = 7
"""The place of the convolution, the second of the second block, that gives way to an inception."""
DEEP_SIZE = 32
"""The smallest images, in pixels, that torchvision's VGGs can take."""


class TinyVGG(nn.Module):
    """Three blocks of two 3 x 3 convolutions and a max-pool, then four dense layers (Table 1).

    Weights are drawn from Glorot and Bengio's uniform distribution and biases are zero, as in the
    published code. `forward` returns logits; the softmax of Table 1 is left to the loss. `size` is
    the side of the square images in pixels, a multiple of 8.
    """

    def __init__(
        self,
        classes: int,
        size: int = 224,
        maps: int = 32,
        dense: tuple[int, ...] = (1024, 512, 256),
    ) -> None:
        super().__init__()
        if size < 2**BLOCKS or size % 2**BLOCKS:
            raise UserError(f"size {size} is not a positive multiple of {2**BLOCKS} pixels")
        channels = [3] + [maps] * BLOCKS
        self.features = nn.Sequential(
            *(layer for before, after in pairwise(channels) for layer in _block(before, after))
        )
        pixels = maps * (size // 2**BLOCKS) ** 2
        self.classifier = nn.Sequential(nn.Flatten(), *_head([pixels, *dense, classes]))
        initialise(self)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Return the logits of a batch of images."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _block(before: int, after: int) -> list[nn.Module]:
    first, second = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
    return [first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)]


def _head(sizes: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]


@torch.no_grad()
def initialise(model: nn.Module, kind: str = "glorot") -> None:
    """Draw the weights of convolutions and dense layers from torch's global generator, in place.

    ``glorot`` is uniform, by the mean of fan-in and fan-out; ``he`` normal, by the fan-in; both
    with zero biases. ``torch`` has the defaults of the layers.
    """
    for layer in model.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if kind == "torch":
            layer.reset_parameters()
            continue
        if kind == "he":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def build(
    design: Design,
    classes: int,
    size: int,
    maps: int = 32,
    dense: tuple[int, ...] = (1024, 512, 256),
    seed: int = 0,
) -> nn.Module:
    """Return a network with its initial weights; global generators are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if design.architecture in ("vgg16", "vgg19"):
            model: nn.Module = _deep(design.architecture, classes, size)
        else:
            model = TinyVGG(classes, size, maps, dense)
            if design.architecture == "average":
                _averaging(model)
            if design.architecture == "inception":
                _branching(model, maps)
        if design.initialisation != "glorot":
            initialise(model, design.initialisation)
    return model


def _averaging(model: TinyVGG) -> None:
    """Put average pools in place of the max-pools (claim P4)."""
    for place, layer in enumerate(model.features):
        if isinstance(layer, nn.MaxPool2d):
            model.features[place] = nn.AvgPool2d(layer.kernel_size)


def _branching(model: TinyVGG, maps: int) -> None:
    """Put torchvision's inception module, with as many maps, in place of a convolution (P4)."""
    from torchvision.models.googlenet import Inception

    def block(before: int, after: int, **options: Any) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(before, after, **options), nn.ReLU())

    model.features[REPLACED] = module = Inception(maps, *[maps // 4] * 6, conv_block=block)
    initialise(module)


def _deep(name: str, classes: int, size: int) -> nn.Module:
    """Return a VGG of torchvision with Glorot's weights (claim P3)."""
    from torchvision import models

    if size < DEEP_SIZE:
        raise UserError(f"size {size} is too small for {name}; choose {DEEP_SIZE} at least")
    model: nn.Module = getattr(models, name)(weights=None, init_weights=False, num_classes=classes)
    initialise(model)
    return model
