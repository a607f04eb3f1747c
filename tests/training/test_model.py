"""Tiny VGG against Table 1."""

import math

import pytest
import torch
from torch import nn

from tinyvgg.errors import UserError
from tinyvgg.reading import read_network
from tinyvgg.training.settings import Design
from tinyvgg.training.tiny_vgg import TinyVGG, build


def test_layers_are_those_of_table_1() -> None:
    model = TinyVGG(67)
    block = [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    assert [type(layer) for layer in model.features] == block * 3
    dense = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in dense] == [28 * 28 * 32, 1024, 512, 256]
    assert dense[-1].out_features == 67
    assert isinstance(model.classifier[-1], nn.Linear), "logits, not probabilities"


@pytest.mark.parametrize("size", [0, 4, 30])
def test_size_that_three_pools_cannot_halve_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"size {size} is not a positive multiple of 8"):
        TinyVGG(8, size=size)


@pytest.mark.parametrize(
    ("kind", "spread", "biased"),
    [
        ("glorot", lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)), False),
        ("he", lambda fan_in, fan_out: math.sqrt(2 / fan_in), False),
        ("torch", lambda fan_in, fan_out: math.sqrt(1 / (3 * fan_in)), True),
    ],
)
def test_initial_weights_have_the_spread_of_their_kind(kind, spread, biased) -> None:
    model = build(Design(initialisation=kind), 8, 32)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert bool(layer.bias.any()) == biased
            if layer.weight.numel() > 2000:
                area = layer.weight[0, 0].numel()
                fans = layer.weight.shape[1] * area, layer.weight.shape[0] * area
                assert layer.weight.std().item() == pytest.approx(spread(*fans), rel=0.05)
                uniform = layer.weight.abs().max().item() <= 3**0.5 * spread(*fans)
                assert uniform == (kind != "he"), "the others are normal"


def test_the_seed_alone_decides_the_weights() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again = (build(Design(), 8, 32, seed=3) for _ in range(2))
    other = build(Design(), 8, 32, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.features[0].weight, again.features[0].weight)
    assert not torch.equal(first.features[0].weight, other.features[0].weight)


def test_deeper_networks_are_torchvisions_with_glorots_weights() -> None:
    model = build(Design(architecture="vgg16"), 8, 32)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 13
    expected = math.sqrt(2 / (512 * 9 + 512 * 9))
    assert layers[-1].weight.std().item() == pytest.approx(expected, rel=0.02)
    assert not layers[-1].bias.any()
    assert read_network(model, torch.zeros(1, 3, 32, 32)).classes == 8


def test_images_too_small_for_the_deeper_networks_are_refused() -> None:
    with pytest.raises(UserError, match="size 16 is too small for vgg19; choose 32 at least"):
        build(Design(architecture="vgg19"), 8, 16)
