"""Sanity checks: what explanations are compared with, how, and what counts as blind."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from tests.helpers import small, small_runs
from tinyvgg.chapters import sanity, trials
from tinyvgg.chapters.sanity import alike, blind, by_captum, cascades, explanations
from tinyvgg.training.runs import build_model


@pytest.fixture(scope="module")
def row(run):
    return cascades(run)


def test_sets_shares_and_ink_are_compared_each_in_its_own_way():
    first, second = torch.rand(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    pairs = {
        "sets": (first > 0.4, second > 0.4),
        "shares": (first, second),
        "ink": (first[:, 0].round(decimals=1), second[:, 0].round(decimals=1)),  # with ties
    }
    found = alike(*({name: pair[i] for name, pair in pairs.items()} for i in (0, 1)))
    by_hand = {name: [] for name in pairs}
    for image in range(3):
        (a, b), shares, ink = ([x[image].flatten() for x in pair] for pair in pairs.values())
        a, b = set(a.nonzero().flatten().tolist()), set(b.nonzero().flatten().tolist())
        by_hand["sets"].append(len(a & b) / len(a | b))
        by_hand["shares"].append(np.corrcoef(*shares)[0, 1])
        by_hand["ink"].append(spearmanr(*ink).statistic)
    assert found == pytest.approx({name: np.mean(each) for name, each in by_hand.items()}, abs=1e-4)


def test_an_explanation_that_vanishes_is_like_no_other():
    there, gone = torch.rand(2, 3, 3), torch.zeros(2, 3, 3)
    assert alike({"ink": there}, {"ink": gone}) == {"ink": 0}
    sets = {"cells": there[:, None] > 0.1}, {"cells": gone[:, None] > 0.1}
    assert alike(*sets) == {"cells": 0}


def test_captums_methods_are_those_of_their_names_and_leave_the_model_as_it_is():
    net, images, target = small.model(bias=0.3), small.images(), torch.tensor([0, 3, 1, 4])
    given = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(given).gather(1, target[:, None]).sum(), given)
    ink = explanations(net, images, target)
    torch.testing.assert_close(ink["Saliency"], gradient.abs().mean(1))
    torch.testing.assert_close(ink["InputXGradient"], (images * gradient).abs().mean(1))
    covered = images.clone()
    covered[:, :, 3:6, 6:9] = 0  # one of sixteen patches
    change = (net(images) - net(covered)).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(ink["Occlusion"][:, 4, 7], change.abs().float())
    maps = net[:10](given)
    (weight,) = torch.autograd.grad(net[10:](maps).gather(1, target[:, None]).sum(), maps)
    small_cam = (maps * weight.mean((2, 3), keepdim=True)).sum(1, keepdim=True).relu()
    cam = torch.nn.functional.interpolate(small_cam, images.shape[2:], mode="bilinear")
    torch.testing.assert_close(ink["GradCam"], cam[:, 0].detach())
    assert not any(hasattr(layer, "rule") or layer._backward_hooks for layer in net.modules())
    assert not torch.allclose(by_captum(net, images, target)["LRP"], images * gradient)


def test_layers_become_untrained_one_after_the_other(run, row):
    layers = 6 + 3
    for way in ("top", "bottom", "alone"):
        assert {len(values) for values in row[way].values()} == {layers}
    for name in row["head"]:
        top, bottom, alone = (row[way][name] for way in ("top", "bottom", "alone"))
        assert (top[2], top[-1]) == (row["head"][name], bottom[-1])
        assert (alone[0], alone[-1]) == (top[0], bottom[0])
    images, target, _ = sanity.asked(run)
    untrained = build_model(sanity.replace(run.experiment, seed=1000))
    by_hand = [explanations(model, images, target) for model in (run.model, untrained)]
    assert alike(*by_hand) == {name: values[-1] for name, values in row["top"].items()}


def test_errors_are_explained_and_the_deconvnet_sees_neither_head_nor_class(run, row):
    images, target, true = sanity.asked(run)
    assert 0 < len(images) == row["images"] <= sanity.IMAGES
    assert torch.equal(run.model(images).argmax(1), target)
    assert (target != true).all()
    assert [row[change]["deconvnet"] for change in ("head", "class", "true")] == [1, 1, 1]
    assert max(row["image"]["deconvnet"], row["class"]["Saliency"]) < 1


def test_a_network_learns_shuffled_labels_once(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    run = small_runs.run("emotion")
    found = sanity.shuffled(run)
    assert set(found["shuffled"]) == set(explanations(run.model, *sanity.asked(run)[:2]))
    (folder,) = (tmp_path / "runs").iterdir()
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert sanity.shuffled(run) == found
    assert (folder / "manifest.json").stat().st_mtime_ns == before


def test_what_stays_the_same_over_the_networks_is_blind():
    values = {"literal": (1.0, 1.0), "cutoff": (0.8, 0.82), "unsure": (0.99, 0.85)}
    one, two = ({name: pair[i] for name, pair in values.items()} for i in (0, 1))
    same = dict.fromkeys(values, 1.0)
    networks = [{"head": one, "class": same}, {"head": two, "class": same}, {"shuffled": {}}]
    both = ["head", "class"]
    assert blind({"networks": networks}) == {
        "literal": both,
        "cutoff": ["class"],
        "unsure": ["class"],
    }
    assert blind({"networks": networks[:1]})["literal"] == []  # one network has no interval


def test_both_tasks_are_measured_and_the_last_one_learns_shuffled_labels(monkeypatch):
    study, asked = trials.open_study("quick", progress=False), []
    vars(study)["faces"] = small_runs.run("emotion").faces
    monkeypatch.setattr(sanity, "kept", lambda job, compute: {"job": job, "by": compute})
    rows, _ = sanity.trial(study, lambda jobs: asked.extend(jobs) or [{}])
    assert {(job.task, job.seed) for job in asked} == set(product(study.tasks, range(5)))
    job, compute = rows[-1].values()
    assert (job.task, job.seed, compute) == ("emotion", 0, sanity.shuffled)
