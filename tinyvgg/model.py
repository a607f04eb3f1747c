"""Tiny VGG, as Table 1 of the paper has it."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyvgg.errors import UserError

BLOCKS = 3


class TinyVGG(nn.Module):
    """Three blocks of two 3 x 3 convolutions and a max-pool, then four dense layers (Table 1).

    Weights are drawn from Glorot and Bengio's uniform distribution and biases are zero, as in the
    published code. `forward` returns logits; the softmax of Table 1 is left to the loss.

    Args:
        classes: number of outputs.
        size: side of the square input images in pixels, a multiple of 8.
        maps: feature maps of every convolution.
        dense: neurons of the hidden dense layers.
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
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _block(before: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(after, after, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2, stride=2),
    ]


def _head(sizes: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]


@torch.no_grad()
def initialise(model: nn.Module) -> None:
    """Glorot uniform weights and zero biases, drawn from torch's global generator."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
