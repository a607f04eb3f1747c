import functools
from collections import OrderedDict
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.helpers import small
from tinyvgg.backtracking import backtrack
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.reading import read_network
from tinyvgg.trace import record


class Viewed(nn.Module):
    """A model with the forward that tutorials write."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 5, 3)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.fc1 = nn.Linear(5 * 2 * 2, 8)
        self.fc2 = nn.Linear(8, 5)
        self.double()

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.conv1(x))))
        x = F.max_pool2d(self.conv2(x).relu(), kernel_size=2, stride=1)
        self.last = x
        return self.tail(x)

    def tail(self, x):
        return self.fc2(torch.relu(self.fc1(self.drop(x.view(x.size(0), -1)))))


class Reshaped(Viewed):
    def tail(self, x):
        return self.fc2(F.relu(self.fc1(self.drop(x.reshape(-1, 5 * 2 * 2)))))


class Flattened(Viewed):
    def tail(self, x):
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1)), inplace=True))


def insist_on_tensors(forward):
    @functools.wraps(forward)
    def checked(self, x):
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"{x} is no tensor")
        return forward(self, x)

    return checked


class Checked(Viewed):
    forward = insist_on_tensors(Viewed.forward)


@pytest.mark.parametrize("kind", [Viewed, Reshaped, Flattened, Checked])
def test_a_plain_forward_is_read(kind):
    net = kind()
    trace = record(net, small.images())
    torch.testing.assert_close(trace.logits, net.eval()(small.images()).detach())
    assert [layer.name for layer in trace.network.dense] == ["fc1", "fc2"]
    assert backtrack(trace).pixels.shape == (4, 5, 2, 2)


def test_a_pool_or_relu_may_be_used_many_times_and_layers_carry_the_names_of_the_user():
    relu, pool = nn.ReLU(True), nn.MaxPool2d(2)
    eyes = nn.Sequential(nn.Conv2d(3, 4, 3), relu, pool, nn.Conv2d(4, 4, 3), relu, pool)
    head = {"flat": nn.Flatten(), "fc": nn.Linear(4, 6), "relu": relu, "verdict": nn.Linear(6, 5)}
    net = nn.Sequential(OrderedDict(eyes=eyes, **head)).double()
    trace = record(net, small.images())
    assert torch.equal(trace.logits, net(small.images()))
    names = [layer.name for layer in (*trace.network.body, *trace.network.neck)]
    assert names == ["eyes.0", "eyes.1", "eyes.2", "eyes.3", "eyes.1", "eyes.2", "flat"]
    assert [layer.name for layer in trace.network.dense] == ["fc", "verdict"]


def state_of(net):
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    modes = [m.training for m in net.modules()]
    attributes = [sorted(vars(m)) for m in net.modules()]
    return hooks, modes, attributes, {k: v.clone() for k, v in net.state_dict().items()}


class Raises(Viewed):
    def tail(self, x):
        raise RuntimeError("out of luck")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("kind", "size", "error"),
    [
        (Viewed, 12, None),
        (Viewed, 20, "180 pixels"),
        (Raises, 12, r"Raises cannot be read.*out of luck.*nn\.Sequential"),
    ],
)
def test_nothing_of_the_model_changes_or_calls_its_hooks_also_on_error(training, kind, size, error):
    net, call, calls = kind().train(training), nn.Module.__call__, []
    net.pool.eval()
    for module in (net, net.conv1):
        module.register_forward_hook(lambda *given: calls.append(given))
    *before, weights = state_of(net)
    with pytest.raises(UserError, match=error) if error else nullcontext():
        trace = record(net, small.images(size=size))
        deconvolve(trace)
        backtrack(trace)
    *after, weights_after = state_of(net)
    assert after == before
    assert all(torch.equal(weights[key], weights_after[key]) for key in weights)
    assert nn.Module.__call__ is call
    assert not calls
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in net.parameters())


class TwoHeads(Viewed):
    def tail(self, x):
        return super().tail(x), x


class Skip(Viewed):
    def tail(self, x):
        return super().tail(x + F.relu(x))


class Loop(Viewed):
    def tail(self, x):
        return super().tail(x if x.sum() > 0 else -x)


class Sliced(Viewed):
    def tail(self, x):
        return super().tail(x[:, :])


class Careless(Viewed):
    """Its dropout does not stop in eval mode."""

    def tail(self, x):
        return super().tail(F.dropout(x, 0.5))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (TwoHeads, "TwoHeads returns more than logits"),
        (Skip, "'add' in Skip does not follow 'relu_2' alone"),
        (Loop, "Loop cannot be read as a chain"),
        (Sliced, "'getitem'"),
        (Careless, r"'dropout' \(dropout\) drops units in eval mode"),
    ],
)
def test_a_forward_that_is_no_chain_is_refused(kind, message):
    with pytest.raises(UserError, match=message) as error:
        read_network(kind())
    assert "\n" not in str(error.value)


CONV, RELU, POOL, FLAT = nn.Conv2d(3, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
FC, CONV2, NORM = nn.Linear(50, 4), nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)
MEAN = nn.AdaptiveAvgPool2d(5)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([CONV, nn.BatchNorm2d(2, track_running_stats=False), POOL, FLAT, FC], "no statistics"),
        ([CONV, NORM, RELU, CONV2, NORM, POOL, FLAT, FC], "layer '1' is used 2 times"),
        ([CONV, POOL, nn.AdaptiveAvgPool2d(5), RELU, FLAT, FC], r"'3' \(ReLU\) stands behind"),
        ([CONV, POOL, MEAN, nn.AdaptiveAvgPool2d(3), FLAT, FC], "'3' is a second average"),
        ([CONV, POOL, FLAT, MEAN, FC], "'3' averages flattened maps"),
        ([CONV, RELU, POOL, FLAT, FC, nn.Softmax(0)], r"'5' \(Softmax\) is not supported"),
        ([CONV, nn.Sigmoid(), POOL, FLAT, FC], r"'1' \(Sigmoid\)"),
        ([CONV, RELU, POOL, nn.Flatten(2), FC], r"'3' \(Flatten\)"),
        ([nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), RELU, POOL, FLAT, FC], "reflect"),
        ([nn.Conv2d(3, 2, 2, padding="same"), RELU, POOL, FLAT, FC], "odd kernel"),
        ([CONV, RELU, nn.MaxPool2d(2, return_indices=True), FLAT, FC], "return_indices=False"),
        ([CONV, RELU, FLAT, FC], "no max-pool"),
        ([CONV, RELU, POOL, FLAT], "no dense layer"),
        ([CONV, RELU, POOL, FC], "no flatten before layer '3'"),
        ([CONV, RELU, POOL, nn.Conv2d(2, 2, 3), FLAT, FC], r"'3' \(convolution\) stands between"),
        ([CONV, FLAT, POOL, FLAT, FC], r"'1' \(flattening\) stands before the last max-pool"),
        ([CONV, RELU, POOL, FLAT, nn.Linear(50, 6), nn.Linear(6, 4)], r"'5' \(dense\).*a ReLU"),
        ([CONV, RELU, POOL, FLAT, FC, RELU], r"'1' \(rectification\) comes after the last linear"),
        ([CONV, RELU, CONV, POOL, FLAT, FC], "layer '0' is used 2 times"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_supported_is_refused_by_name_with_the_way_out(layers, message):
    with pytest.raises(UserError, match=message) as error:
        read_network(nn.Sequential(*layers))
    assert "\n" not in str(error.value)
    assert ": " in str(error.value)


class Tutorial(Viewed):
    """Functional dropout and a log-softmax, as in many a first example; and it asks its mode."""

    def tail(self, x):
        x = x.sigmoid() if self.training else x
        x = F.dropout(x, 0.25, training=self.training)
        x = F.relu(self.fc1(torch.flatten(x, start_dim=1)))
        return F.log_softmax(self.fc2(F.dropout(x, training=self.training)), dim=1)


@pytest.mark.parametrize("training", [True, False])
def test_a_forward_is_read_as_in_eval_mode_without_dropout_and_a_last_softmax(training):
    net = Tutorial().train(training)
    trace = record(net, small.images())
    assert net.training == training
    expected = net.eval()(small.images()).detach()
    torch.testing.assert_close(trace.logits.log_softmax(1), expected)
    assert not torch.allclose(trace.logits, expected)
