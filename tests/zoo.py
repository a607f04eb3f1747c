"""Small networks in the styles in which people write them, for images of 3 x 32 x 32.

`ZOO` has for each name a function that makes a network, the kind of its tier, and whether the
deconvnet has a way back through it.
"""

import types
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

CLASSES = 4


class Entry(NamedTuple):
    make: Callable[[], nn.Module]
    tier: str  # "exact chain", "exact above" or "first order"
    back: bool  # whether the deconvnet has a way back


ZOO: dict[str, Entry] = {}


def of(tier: str = "exact above", back: bool = True):
    """Register a function, or a class without parameters, that makes a network."""

    def register(make):
        ZOO[make.__name__] = Entry(make, tier, back)
        return make

    return register


def stem(*layers: nn.Module) -> list[nn.Module]:
    return [nn.Conv2d(3, 6, 3, padding=1), *layers, nn.ReLU(), nn.MaxPool2d(2)]


def body(*between: nn.Module) -> list[nn.Module]:
    return [*stem(), nn.Conv2d(6, 8, 3, padding=1), *between, nn.ReLU(), nn.MaxPool2d(2)]


PIXELS = 8 * 8 * 8


def head(*between: nn.Module, outputs: int = CLASSES) -> list[nn.Module]:
    return [nn.Linear(PIXELS, 12), *between, nn.ReLU(), nn.Linear(12, outputs)]


chain = of("exact chain")
above = of()


class Forward(nn.Module):
    """The parts of a tutorial's network; what follows overrides pieces of its forward."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.pool, self.drop = nn.MaxPool2d(2), nn.Dropout()
        self.fc1, self.fc2 = nn.Linear(PIXELS, 12), nn.Linear(12, CLASSES)

    def eyes(self, x):
        return self.pool(F.relu(self.conv2(self.pool(F.relu(self.conv1(x))))))

    def flat(self, x):
        return x.view(x.size(0), -1)

    def end(self, x):
        return x

    def forward(self, x):
        return self.end(self.fc2(F.relu(self.fc1(self.flat(self.eyes(x))))))


# ------------------------------------------------------------------------------- chains of layers


@chain
def plain():
    return nn.Sequential(*body(), nn.Flatten(), *head())


@chain
def one_dense():
    return nn.Sequential(*body(), nn.Flatten(), nn.Linear(PIXELS, CLASSES))


@chain
def normalized():
    return nn.Sequential(*body(nn.BatchNorm2d(8)), nn.Flatten(), *head())


@chain
def dropped_out():
    return nn.Sequential(*body(), nn.Dropout2d(), nn.Flatten(), *head(nn.Dropout()))


@chain
def averaged():
    return nn.Sequential(*body(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, CLASSES))


@chain
def softmax_at_the_end():
    return nn.Sequential(*body(), nn.Flatten(), *head(), nn.Softmax(1))


@chain
def log_softmax_of_old():
    return nn.Sequential(*body(), nn.Flatten(), *head(), nn.LogSoftmax())


@chain
def one_logit():
    return nn.Sequential(*body(), nn.Flatten(), *head(outputs=1))


@chain
def one_probability():
    return nn.Sequential(*body(), nn.Flatten(), *head(outputs=1), nn.Sigmoid())


@chain
def one_logit_squeezed():
    class Squeezed(Forward):
        def __init__(self):
            super().__init__()
            self.fc2 = nn.Linear(12, 1)

        def end(self, x):
            return x.squeeze(-1)

    return Squeezed()


@chain
def in_place():
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(True), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(6 * 15 * 15, 9), nn.ReLU(True), nn.Linear(9, CLASSES))


@chain
def names():
    return nn.Sequential(OrderedDict(eyes=nn.Sequential(*body()), flat=nn.Flatten(), fc=head()[0],
                                     relu=nn.ReLU(), verdict=nn.Linear(12, CLASSES)))  # fmt: skip


@chain
class Viewed(Forward):
    pass


@chain
class NumFlatFeatures(Forward):
    def flat(self, x):
        features = 1
        for size in x.size()[1:]:
            features *= size
        return x.view(-1, features)


@chain
class Unpacked(Forward):
    def flat(self, x):
        b, c, h, w = x.shape
        return x.reshape(b, c * h * w)


@chain
class Lengths(Forward):
    def flat(self, x):
        return x.contiguous().view(len(x), -1)


@chain
class Keywords(Forward):
    def flat(self, x):
        return torch.flatten(input=x, start_dim=1)


@chain
class Functional(Forward):
    def flat(self, x):
        return F.dropout(torch.flatten(x, 1), 0.3, training=self.training)


@chain
class LogSoftmax(Forward):
    def end(self, x):
        return F.log_softmax(x, dim=1)


@chain
class Asserts(Forward):
    def eyes(self, x):
        assert x.shape[1] == 3
        assert not torch.isnan(x).any()
        return super().eyes(x)


@chain
class KeepsItsFeatures(Forward):
    def eyes(self, x):
        self.last = super().eyes(x)
        return self.last


@chain
def own_convolution():
    class Own(nn.Conv2d):
        pass

    return nn.Sequential(Own(3, 6, 3), *stem()[1:], nn.Flatten(), nn.Linear(1350, CLASSES))


@chain
def pruned():
    net = plain()
    for layer in (net[0], net[-1]):
        prune.l1_unstructured(layer, "weight", 0.5)
    return net


@chain
def weight_normed():
    net = plain()
    parametrizations.weight_norm(net[0])
    return net


@chain
def data_parallel():
    return nn.DataParallel(plain())


@chain
def one_convolution_twice():
    conv = nn.Conv2d(6, 6, 3, padding=1)
    layers = [*stem(), conv, nn.ReLU(), conv, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(384, CLASSES))


@chain
def strides_and_groups():
    layers = [
        nn.Conv2d(3, 6, 5, 2, "valid"),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, groups=3, padding="same"),
    ]
    return nn.Sequential(*layers, nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Linear(294, CLASSES))


# ---------------------------------------------------------------- exact above a layer that is found


@above
def two_linear_in_a_row():
    return nn.Sequential(*body(), nn.Flatten(), nn.Linear(PIXELS, 9), nn.Linear(9, CLASSES))


@above
def batch_norm_in_the_head():
    return nn.Sequential(*body(), nn.Flatten(), *head(nn.BatchNorm1d(12)))


@above
def global_average():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 9, 3, 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(9, CLASSES))


@above
def average_pools():
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU()]
    return nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(288, CLASSES))


@above
def a_pool_of_one():
    return nn.Sequential(*body(), nn.AvgPool2d(1, 1), nn.Flatten(), *head())


@above
def strided():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 8, 3, 2), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(392, 9), nn.ReLU(), nn.Linear(9, CLASSES))


@above
def leaky():
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1350, 9)]
    return nn.Sequential(*layers, nn.LeakyReLU(0.1), nn.Linear(9, CLASSES))


@above
def relu6():
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU6(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1350, CLASSES))


@above
def reflected():
    layers = [nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1536, CLASSES))


@above
def even_and_same():
    layers = [nn.Conv2d(3, 6, 2, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1536, CLASSES))


@above
def convolutions_to_the_end():
    layers = [*body(), nn.Conv2d(8, CLASSES, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers)


@above
def a_mean_of_places():
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.eyes, self.fc = nn.Sequential(*body()[:-1]), nn.Linear(8, CLASSES)

        def forward(self, x):
            return self.fc(self.eyes(x).mean([2, 3]))

    return Mean()


@above
class DividedBy255(Forward):
    def eyes(self, x):
        return super().eyes(x / 255)


@above
class Normalizes(Forward):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.rand(1, 3, 1, 1))

    def eyes(self, x):
        return super().eyes((x - self.mean) / 0.25)


@above
def normalizing_hook():
    net = plain()
    net.register_forward_pre_hook(lambda module, args: ((args[0] - 0.5) / 0.1,))
    return net


@above
def steering_hook():
    net = plain()
    net[0].register_forward_hook(lambda module, args, out: out * -1)
    return net


@chain
def adapted():
    net = plain()
    more = torch.randn_like(net[0].weight)
    forward = lambda self, x: F.conv2d(x, self.weight + more, self.bias, padding=1)  # noqa: E731
    net[0].forward = types.MethodType(forward, net[0])
    return net


class Residual(nn.Module):
    def __init__(self, maps: int, *, keep: bool = True):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(maps, maps, 3, padding=1) for _ in range(2))
        self.norm, self.relu, self.keep = nn.BatchNorm2d(maps), nn.ReLU(inplace=True), keep

    def forward(self, x):
        out = self.norm(self.conv2(self.relu(self.conv1(x))))
        if self.keep:
            return self.relu(out + x)
        out += x
        return self.relu(out)


@above
def residual():
    layers = [*stem(), Residual(6), Residual(6), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(6, CLASSES))


@above
def residual_in_place():
    layers = [*stem(), Residual(6, keep=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(6, CLASSES))


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.three = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x):
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x)), F.avg_pool2d(x, 3, 1, 1)], 1)


@above
def inception():
    return nn.Sequential(*stem(), Branches(), nn.Flatten(), nn.Linear(14 * 256, CLASSES))


@above
def dense_connections():
    class Grown(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 5, 3, 2), nn.Conv2d(5, 5, 3, padding=1)
            self.fc = nn.Linear(10, CLASSES)

        def forward(self, x):
            x = F.relu(self.first(x))
            x = torch.cat([x, F.relu(self.second(x))], dim=1)
            return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))

    return Grown()


@above
def shuffled():
    class Shuffled(nn.Module):
        def __init__(self):
            super().__init__()
            self.eyes, self.fc = nn.Sequential(*stem()), nn.Linear(6, CLASSES)

        def forward(self, x):
            x = self.eyes(x)
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
            one, other = x.chunk(2, dim=1)
            return self.fc(torch.cat([other, one], 1).mean([2, 3]))

    return Shuffled()


@above
def depthwise():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU6()]
    layers += [nn.Conv2d(6, 6, 3, groups=6, padding=1), nn.BatchNorm2d(6), nn.ReLU6()]
    layers += [nn.Conv2d(6, 9, 1), nn.BatchNorm2d(9), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(9, CLASSES))


@of(back=False)
def sigmoid_in_the_body():
    layers = [nn.Conv2d(3, 6, 3), nn.Sigmoid(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1350, CLASSES))


@of(back=False)
def silu():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(6, CLASSES))


@of(back=False)
def hardswish():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(6, CLASSES))


class Gate(nn.Module):
    def __init__(self, maps: int):
        super().__init__()
        self.down, self.up = nn.Linear(maps, 2), nn.Linear(2, maps)

    def forward(self, x):
        weights = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


@of(back=False)
def squeeze_and_excite():
    layers = [*stem(), Gate(6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES)]
    return nn.Sequential(*layers)


@of(back=False)
def group_norm():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.GroupNorm(2, 6), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, CLASSES))


@of(back=False)
def instance_norm():
    layers = [nn.Conv2d(3, 6, 3, 2), nn.InstanceNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, CLASSES))


# ---------------------------------------------------------------- first order above


@of("first order")
def tanh_in_the_head():
    layers = [*body(), nn.Flatten(), nn.Linear(PIXELS, 9), nn.Tanh(), nn.Linear(9, CLASSES)]
    return nn.Sequential(*layers)


@of("first order")
def gelu_in_the_head():
    layers = [*body(), nn.Flatten(), nn.Linear(PIXELS, 9), nn.GELU(), nn.Linear(9, CLASSES)]
    return nn.Sequential(*layers)


@of("first order")
def layer_norm_in_the_head():
    layers = [*body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8)]
    return nn.Sequential(*layers, nn.Linear(8, CLASSES))


@of("first order")
def cosine_head():
    class Cosine(nn.Module):
        def __init__(self):
            super().__init__()
            self.eyes, self.weight = nn.Sequential(*body()), nn.Parameter(torch.randn(CLASSES, 8))

        def forward(self, x):
            x = F.normalize(self.eyes(x).mean((2, 3)), dim=1)
            return 16 * x @ F.normalize(self.weight, dim=1).T

    return Cosine()


class Patches(nn.Module):
    """A small vision transformer."""

    def __init__(self):
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.randn(1, 1, 8))
        self.place = nn.Parameter(torch.randn(1, 17, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.place
        return self.fc(self.layer(x)[:, 0])


@of("first order")
def transformer():
    return Patches()


@of("first order")
def recurrent_head():
    class Read(nn.Module):
        def __init__(self):
            super().__init__()
            self.eyes = nn.Sequential(*body())
            self.key, self.value, self.fc = nn.Linear(8, 1), nn.Linear(8, 8), nn.Linear(8, CLASSES)

        def forward(self, x):
            x = self.eyes(x).flatten(2).transpose(1, 2)
            return self.fc((self.key(x).softmax(1) * self.value(x)).sum(1))

    return Read()
