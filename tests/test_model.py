"""Tiny VGG against Table 1."""

import math

import pytest
import torch
from torch import nn

from tinyvgg.errors import UserError
from tinyvgg.model import TinyVGG


def test_layers_are_those_of_table_1() -> None:
    model = TinyVGG(67)
    kinds = [type(layer) for layer in model.features]
    block = [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    assert kinds == block * 3
    dense = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in dense] == [28 * 28 * 32, 1024, 512, 256]
    assert dense[-1].out_features == 67
    assert isinstance(model.classifier[-1], nn.Linear), "logits, not probabilities"


def test_a_block_keeps_the_size_and_its_pool_halves_it() -> None:
    model = TinyVGG(8, size=40)
    assert model.features(torch.rand(2, 3, 40, 40)).shape == (2, 32, 5, 5)
    assert model(torch.rand(2, 3, 40, 40)).shape == (2, 8)


def test_weights_are_glorot_uniform_and_biases_zero() -> None:
    model = TinyVGG(8, size=32)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            area = layer.weight[0, 0].numel()
            fan_in, fan_out = layer.weight.shape[1] * area, layer.weight.shape[0] * area
            bound = math.sqrt(6 / (fan_in + fan_out))
            assert layer.weight.abs().max() <= bound
            if layer.weight.numel() > 2000:
                assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
            assert not layer.bias.any()


@pytest.mark.parametrize("size", [0, 4, 30])
def test_size_that_three_pools_cannot_halve_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"size {size} is not a positive multiple of 8"):
        TinyVGG(8, size=size)
