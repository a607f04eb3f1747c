"""Small random models, and the lists that the slow references take."""

import inspect
from itertools import pairwise

import torch
from torch import Tensor, nn

from tinyvgg.trace import Trace, record

CLASSES = 5


def model(
    hidden: tuple[int, ...] = (16, 12, 10),
    size: int = 12,
    maps: tuple[int, ...] = (4, 6),
    inplace: bool = False,
    bias: float = 0.1,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> nn.Sequential:
    """Return two convolutions with ReLUs and a max-pool for each entry of `maps`; then dense."""
    layers: list[nn.Module] = []
    for before, after in pairwise((3, *maps)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace)]
        layers += [nn.Conv2d(after, after, 3, padding=1), nn.ReLU(inplace), nn.MaxPool2d(2)]
        size //= 2
    layers.append(nn.Flatten())
    for before, after in pairwise((maps[-1] * size**2, *hidden, CLASSES)):
        layers += [nn.Linear(before, after), nn.ReLU(inplace)]
    return randomise(nn.Sequential(*layers[:-1]).to(dtype), bias, seed)


@torch.no_grad()
def randomise(net: nn.Sequential, bias: float = 0.1, seed: int = 0) -> nn.Sequential:
    draw = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        scale = bias if p.ndim == 1 else (2 / p[0].numel()) ** 0.5
        p.copy_(scale * torch.randn(p.shape, generator=draw, dtype=torch.float64))
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as if it had learnt something
            layer.running_mean.copy_(torch.randn(layer.num_features, generator=draw) / 3)
            layer.running_var.copy_(torch.rand(layer.num_features, generator=draw) + 0.3)
            layer.weight.copy_(1 + torch.rand(layer.num_features, generator=draw))
    return net


@torch.no_grad()
def few_valued(hidden: tuple[int, ...]) -> nn.Sequential:
    """Return a model whose weights take few values, so that many products are equal, and exact."""
    layers: list[nn.Module] = [nn.MaxPool2d(2), nn.Flatten()]
    for before, after in pairwise((3 * 6 * 6, *hidden, CLASSES)):
        layers += [nn.Linear(before, after), nn.ReLU()]
    net = randomise(nn.Sequential(*layers[:-1]).double())
    for p in net.parameters():
        p.copy_((8 * p).round() / 8)
    return net


def images(n: int = 4, size: int = 12, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, size, size, generator=draw, dtype=torch.float64).to(dtype)


def trace(net: nn.Module | None = None, n: int = 4, **options) -> Trace:
    return record(model(**options) if net is None else net, images(n, options.get("size", 12)))


def as_lists(of: Trace) -> tuple[list, list]:
    """Return a_0, ..., a_n of the one image of a trace, and W_1, ..., W_o, as plain lists."""
    activations = [of.maps.flatten(), *(a[0] for a in of.dense)]
    weights = [layer.module.weight.T for layer in of.network.dense]
    return [a.tolist() for a in activations], [W.tolist() for W in weights]


def as_users_run_it(function):
    """Return the function without the run-time type checker, which only tests switch on."""
    return inspect.unwrap(function)
