"""Any model that maps images to logits is read, exactly as far as its parts are."""

import re
import threading
import warnings
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests import zoo
from tests.helpers import small
from tinyvgg.backtracking import Literal, backtrack
from tinyvgg.contribution import completeness_error, contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.reading import read_network
from tinyvgg.repairs import repair
from tinyvgg.tape import in_eval_mode, unwrapped
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, track_features

IMAGES = small.images(3, 32)


@pytest.fixture(scope="module", params=zoo.ZOO)
def read(request):
    """A network, how it is expected to be read, and a trace of it."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = zoo.ZOO[request.param].make().double()
        return net, zoo.ZOO[request.param], record(net, IMAGES), request.param


def logits_of(net, name, images=IMAGES):
    """Return what the model itself says, as logits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = net.eval()(images)
    if name == "one_probability":
        said = said.logit()
    said = said.reshape(len(images), -1)
    if said.shape[1] == 1:
        return torch.cat([-said, said], 1) / 2
    return said.log() if name == "softmax_at_the_end" else said


def test_the_answers_are_the_models_own_in_the_tier_that_is_said(read):
    net, entry, trace, name = read
    assert trace.network.tier.startswith(entry.tier), trace.network.tier
    expected, found = logits_of(net, name).detach(), trace.logits
    if "oftmax" in name:
        found, expected = found.log_softmax(1), expected.log_softmax(1)
    torch.testing.assert_close(found, expected)


def by_hand(net, name, layer, change):
    """Return the logits of the model, run with the output of a layer changed by a hook of torch."""
    module = dict(unwrapped(net).named_modules())[layer]
    outputs = []
    watching = module.register_forward_hook(lambda *given: outputs.append(given[2]))
    logits_of(net, name)
    watching.remove()
    count = []

    def hook(_module, _args, out):
        count.append(1)
        return change(out) if len(count) == len(outputs) else None

    with_hook = module.register_forward_hook(hook)
    try:
        return logits_of(net, name)
    finally:
        with_hook.remove()


def test_answers_without_pixels_and_shares_are_those_of_the_model_run_by_hand(read):
    net, _, trace, name = read
    layer = trace.network.layer
    if layer not in dict(unwrapped(net).named_modules()):
        pytest.skip("its maps are made by no module that torch could hook")
    gone = torch.rand(trace.maps.shape) < 0.3
    with torch.no_grad():
        expected = by_hand(net, name, layer, lambda out: out.masked_fill(gone, 0))
    found = rescore(trace, gone)
    target = trace.logits.argmin(1)
    kept = []

    def keep(out):
        kept.append(out.detach().requires_grad_())
        return kept[0]

    own = by_hand(net, name, layer, keep)
    if "oftmax" in name:
        found, expected = found.log_softmax(1), expected.log_softmax(1)
        shares = contributions(trace, target, trace.predicted)
        score = (own.gather(1, target[:, None]) - own.gather(1, trace.predicted[:, None])).sum()
    else:
        shares, score = contributions(trace, target), own.gather(1, target[:, None]).sum()
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(score, kept[0])
    torch.testing.assert_close(shares, trace.maps * gradient)


def test_rules_walk_down_linear_functions_and_relus_and_are_refused_elsewhere(read):
    _, _, trace, _ = read
    if not trace.network.dense:
        with pytest.raises(UserError, match="no chain of linear functions and ReLUs"):
            backtrack(trace)
        return
    sums, weight = trace.maps.flatten(1), trace.network.pixel_weight(trace.maps)
    found = backtrack(trace, rule=Literal())
    *_, first = (*found.neurons[:1], F.one_hot(trace.predicted, trace.network.classes).bool())[:1]
    products = sums[:, None] * weight * first[:, :, None]
    assert torch.equal(found.pixels.flatten(1), (products > 0).any(1))


def test_the_deconvnet_goes_back_or_says_what_is_in_its_way(read):
    _, entry, trace, _ = read
    with nullcontext() if entry.back else pytest.raises(UserError, match="no way back through '"):
        image = deconvolve(trace)
        assert image.shape == IMAGES.shape
        assert image.any()
        assert (track_features(trace, trace.maps > 0) >= 0).all()


def test_repairs_and_completeness_are_what_rescoring_says(read):
    _, _, trace, _ = read
    wanted = trace.logits.argsort(1)[:, -2]
    found = repair(trace, wanted, budget=16)
    right = rescore(trace, found.pixels).argmax(1) == wanted
    assert torch.equal(found.repaired, right)
    error = completeness_error(trace)
    bare = rescore(trace, torch.ones_like(trace.maps, dtype=torch.bool))
    lost = (trace.logits - bare).gather(1, trace.predicted[:, None])[:, 0]
    torch.testing.assert_close(error, contributions(trace).flatten(1).sum(1) - lost)
    if len(trace.network.dense) == 1:
        torch.testing.assert_close(error, torch.zeros_like(error))


def test_the_deconvnet_of_a_graph_is_that_of_the_chain():
    net = small.model()
    chain = record(net, small.images())
    graph = record(net, small.images(), layer=net[9])
    assert (chain.network.tier, graph.network.tier) == ("exact chain", "exact above '9'")
    torch.testing.assert_close(graph.logits, chain.logits)
    for options in ({}, {"relu": False}, {"final_relu": True}, {"unit": 2}):
        torch.testing.assert_close(deconvolve(graph, **options), deconvolve(chain, **options))
    for options in ({"bias": True}, {"ties": "all"}, {"switches": "none"}):
        with pytest.raises(UserError, match="choices for chains of layers"):
            deconvolve(graph, **options)


def test_a_network_that_was_read_once_is_passed_on():
    net = small.model()
    network = read_network(net, small.images())
    assert torch.equal(record(network, small.images()).logits, record(net, small.images()).logits)
    graph = read_network(zoo.residual().double(), IMAGES)
    assert len(record(graph, small.images(7, 32))) == 7
    with pytest.raises(UserError, match=r"images have shape \(3, 16, 16\) but the model was read"):
        record(graph, small.images(1, 16))


def state_of(net):
    modes = [m.training for m in net.modules()]
    attributes = [sorted(vars(m)) for m in net.modules()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    return hooks, modes, attributes, {k: v.clone() for k, v in net.state_dict().items()}


class Raises(zoo.Forward):
    def flat(self, x):
        raise RuntimeError("out of luck")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", [zoo.KeepsItsFeatures, Raises])
def test_nothing_of_the_model_changes_also_on_error(training, kind):
    net, call = kind().double().train(training), nn.Module.__call__
    net.pool.eval()
    *before, weights = state_of(net)
    expected = pytest.raises(UserError, match=r"Raises cannot be run .*\(out of luck\)")
    with expected if kind is Raises else nullcontext():
        deconvolve(record(net, IMAGES))
    *after, weights_after = state_of(net)
    assert after == before
    assert all(torch.equal(weights[key], weights_after[key]) for key in weights)
    assert nn.Module.__call__ is call
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in net.parameters())


def test_a_model_in_training_mode_is_run_as_in_eval_mode():
    net = nn.Sequential(*zoo.body(nn.BatchNorm2d(8)), nn.Dropout(), nn.Flatten(), *zoo.head())
    net = net.double().train()
    trace = record(net, IMAGES)
    assert net[5].training
    torch.testing.assert_close(trace.logits, net.eval()(IMAGES).detach())
    shared = in_eval_mode(net.train())
    assert [*shared.parameters()] == [*net.parameters()]


def test_threads_read_side_by_side_and_other_models_go_on():
    nets, wrong, stop = [zoo.plain().double().train() for _ in range(3)], [], threading.Event()
    other = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    def run(work):
        try:
            work()
        except Exception as error:
            wrong.append(error)

    def serve():
        while not stop.is_set():
            other(torch.rand(2, 4))
            assert nets[0].training

    def explain(net):
        for _ in range(10):
            record(net, IMAGES)

    server = threading.Thread(target=run, args=(serve,))
    workers = [threading.Thread(target=run, args=(lambda net=net: explain(net),)) for net in nets]
    for thread in (server, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    server.join()
    assert not wrong


class Several(zoo.Forward):
    def end(self, x):
        return {"logits": x, "probabilities": x.softmax(1)}


class Pair(zoo.Forward):
    def end(self, x):
        return x, x.softmax(1)


class Counts(zoo.Forward):
    def end(self, x):
        return x.numpy()


def test_one_of_several_outputs_is_chosen_by_name_or_place():
    for kind, outputs in ((Several, ("logits", "probabilities", 0)), (Pair, (0, 1))):
        net = kind().double()
        logits = [record(net, IMAGES, output=output).logits for output in outputs]
        assert all(torch.equal(each, logits[0]) for each in logits)
        with pytest.raises(UserError, match="returns several outputs: choose by output="):
            record(net, IMAGES)
        with pytest.raises(UserError, match="returns no output 'maps': .*one of 0, 1"):
            record(net, IMAGES, output="maps")
    with pytest.raises(UserError, match="returns one tensor: leave out output=0"):
        record(zoo.Forward().double(), IMAGES, output=0)
    with pytest.raises(UserError, match="returns ndarray: return logits as a tensor"):
        record(Counts().double(), IMAGES)


class Decides(zoo.Forward):
    def eyes(self, x):
        return super().eyes(x if x.sum() < 1000 else -x)


class Careless(zoo.Forward):
    def flat(self, x):
        return F.dropout(x.flatten(1))


class Mixes(zoo.Forward):
    def flat(self, x):
        return (x - x.sum() / len(x)).flatten(1)


class Wild(zoo.Forward):
    def flat(self, x):
        return torch.from_numpy(x.flatten(1).numpy() * 2)


class Maps(zoo.Forward):
    def end(self, x):
        return x[:, :, None, None]


NAN = zoo.plain()
NAN[-1].weight.data[0, 0] = torch.nan


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Decides(), r"Decides does something to image \d that cannot be followed"),
        (Careless(), "Careless does something to image 0 that cannot be followed"),
        (Maps(), r"returns shape \('n', 4, 1, 1\)"),
        (Wild(), "logits of shape"),
        (NAN, "the logits of image 0 hold NaN"),
        (nn.Sequential(nn.Flatten(), nn.Linear(3072, 4)), "makes no maps"),
        (torch.jit.script(zoo.plain().double()), "compiled"),
        ({"a": 1}, "of type dict: pass an nn.Module"),
        (zoo.plain().to("meta"), "device"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_explained_is_refused_in_one_line(model, message):
    if isinstance(model, nn.Module) and not isinstance(model, torch.jit.ScriptModule):
        model = model.double()
    draw = torch.rand(6, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad(), pytest.raises(UserError, match=message) as error:
        small.as_users_run_it(record)(model, draw * small.images(6, 32))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("nowhere", "layer 'nowhere' is not one of: 0, 1, 2"),
        (
            "3.conv1",
            r"not everything goes through layer '3.conv1': '3\..*' takes what comes past it",
        ),
        ("5", r"layer '5' makes \('n', 6\): choose one that makes maps"),
        (nn.ReLU(), "layer of type ReLU is no part of the model"),
    ],
    ids=str,
)
def test_a_layer_that_cannot_be_explained_is_refused(layer, message):
    layers = [*zoo.stem(), zoo.Residual(6), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(6, 4)).double()
    with pytest.raises(UserError, match=message) as error:
        record(net, IMAGES, layer)
    assert not re.search(r"\n", str(error.value))
    assert record(net, IMAGES, "2").maps.shape == (3, 6, 16, 16)
    assert record(net, IMAGES, net[3]).network.layer == "3.relu"
