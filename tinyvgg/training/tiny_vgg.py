"""Tiny VGG, as in Table 1 of the paper, and torchvision's VGGs."""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyvgg.errors import UserError
from tinyvgg.training.settings import Design

BLOCKS = 3
DEEP_SIZE = 32  # pixels: the smallest images that torchvision's VGGs can take


class TinyVGG(nn.Module):
    """Three blocks of two 3 x 3 convolutions and a max-pool, then four dense layers (Table 1).

    Weights are drawn from Glorot and Bengio's uniform distribution and biases are zero, as in the
    published code. `forward` returns logits; the softmax of Table 1 is left to the loss. `size` is
    the side of the square images in pixels, a multiple of 8. `layers` may be ``average``, for
    average pools, or ``inception``, for such a module as the fourth convolution (claim P4).
    """

    def __init__(
        self,
        classes: int,
        size: int = 224,
        maps: int = 32,
        dense: tuple[int, ...] = (1024, 512, 256),
        layers: str = "tinyvgg",
    ) -> None:
        super().__init__()
        if size < 2**BLOCKS or size % 2**BLOCKS:
            raise UserError(f"size {size} is not a positive multiple of {2**BLOCKS} pixels")
        channels = [3] + [maps] * BLOCKS
        pool = nn.AvgPool2d if layers == "average" else nn.MaxPool2d
        body: list[nn.Module] = []
        for before, after in pairwise(channels):
            body += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            body += [nn.Conv2d(after, after, 3, padding=1), nn.ReLU(), pool(2)]
        self.features = nn.Sequential(*body)
        if layers == "inception":
            self.features[7] = _inception(maps)  # the fourth convolution
        pixels = maps * (size // 2**BLOCKS) ** 2
        head: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise([pixels, *dense, classes]):
            head += [nn.Linear(before, after), nn.ReLU()]
        self.classifier = nn.Sequential(*head[:-1])
        initialise(self)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Return the logits of a batch of images."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _inception(maps: int) -> Any:
    """Return torchvision's inception module without batch norm, with as many maps as it takes."""
    from torchvision.models.googlenet import Inception

    def block(before: int, after: int, **options: Any) -> nn.Module:
        return nn.Sequential(nn.Conv2d(before, after, **options), nn.ReLU())

    return Inception(maps, *[maps // 4] * 6, conv_block=block)


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
        if design.architecture.startswith("vgg"):
            model = _deep(design.architecture, classes, size)
        else:
            model = TinyVGG(classes, size, maps, dense, design.architecture)
        if design.initialisation != "glorot":
            initialise(model, design.initialisation)
    return model


def _deep(name: str, classes: int, size: int) -> nn.Module:
    """Return a VGG of torchvision with Glorot's weights (claim P3)."""
    from torchvision import models

    if size < DEEP_SIZE:
        raise UserError(f"size {size} is too small for {name}; choose {DEEP_SIZE} at least")
    model: nn.Module = getattr(models, name)(weights=None, init_weights=False, num_classes=classes)
    initialise(model)
    return model
