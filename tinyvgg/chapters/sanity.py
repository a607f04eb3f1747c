"""Chapter 18: which explanations change with the network's weights, and with the class asked."""

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tinyvgg.backtracking import NAMED, backtrack
from tinyvgg.chapters.backtracking import jaccard, random_classes
from tinyvgg.chapters.deconvolution import correlations
from tinyvgg.chapters.statistics import mean_interval
from tinyvgg.chapters.style import strength
from tinyvgg.chapters.trials import Do, Numbers, analysis, kept
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.network import Convolution
from tinyvgg.trace import record
from tinyvgg.tracking import track_features
from tinyvgg.training.experiments import Study, train_or_load
from tinyvgg.training.runs import Run, build_model
from tinyvgg.training.sweeps import Row, plan

IMAGES = 8
"""Errors of each network that are explained, at most."""
SHUFFLED = (0,)
"""Seeds of the networks of the last task that are trained on shuffled labels, too."""
RULES = {"literal": "Algorithm 1", "cutoff": "published cutoff"}
RULES |= {"contribution": "contributions", "contrastive": "contrastive"}
METHODS = {
    "shares": "all contributions",
    "deconvnet": "whole projection",
    "Saliency": "gradient",
    "InputXGradient": "gradient times input",
    "IntegratedGradients": "integrated gradients",
    "GuidedBackprop": "guided backpropagation",
    "Occlusion": "occlusion",
    "GradCam": "Grad-CAM",
}
"""Names of rules and of other methods in tables and figures."""
SAME = 0.9
"""Explanations stay the same if the interval of their mean similarity lies above this."""
Explained = Mapping[str, Tensor]


def explanations(model: nn.Module, images: Tensor, target: Tensor) -> Explained:
    """Explain a class of each image by every method: sets and shares of cells, and ink."""
    trace = record(model, images)
    sets = {rule: backtrack(trace, target, NAMED[rule]).pixels for rule in RULES}
    ink = {f"tracked_{r}": track_features(trace, sets[r]) for r in ("cutoff", "contrastive")}
    ink |= {"deconvnet": deconvolve(trace), **by_captum(deepcopy(model), images, target)}
    shares = contributions(trace, target)
    return {**sets, "shares": shares, **{name: strength(x) for name, x in ink.items()}}


def by_captum(
    model: nn.Module, images: Tensor, target: Tensor, names: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Return Captum's attributions, all if none are named; the model is left with LRP's rules."""
    from captum import attr
    from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Flatten):
            layer.rule = GammaRule() if isinstance(layer, nn.Conv2d) else EpsilonRule()
    patch = (images.shape[1], images.shape[2] // 4, images.shape[3] // 4)
    methods: dict[str, dict[str, Any]] = {"GradCam": {"relu_attributions": True}}
    methods |= {"Saliency": {}, "InputXGradient": {}, "LRP": {}}
    methods |= {"GuidedBackprop": {}, "IntegratedGradients": {"n_steps": 5}}
    methods |= {"Occlusion": {"sliding_window_shapes": patch, "strides": patch}}
    *_, pool = (layer for layer in model.modules() if isinstance(layer, nn.MaxPool2d))
    found = dict[str, Tensor]()
    with warnings.catch_warnings(action="ignore"):  # about hooks, which are removed again
        for name in names or methods:
            by = attr.LayerGradCam(model, pool) if name == "GradCam" else getattr(attr, name)(model)
            found[name] = by.attribute(images, target=target, **methods[name]).detach()
            if name == "GradCam":
                found[name] = interpolate(found[name], images.shape[2:], mode="bilinear")
    return found


def alike(first: Explained, second: Explained) -> dict[str, float]:
    """Return the mean similarity of explanations over the images, by method.

    The overlap of sets, and the correlation of shares and of ranks of ink; 0 for constant ones.
    """
    found = {}
    for name, x in first.items():
        pair, measured = [x, second[name]], jaccard if x.dtype == torch.bool else correlations
        if x.ndim == 3:
            pair = [torch.from_numpy(rankdata(ink.flatten(1), axis=1)) for ink in pair]
        found[name] = round(float(measured(*pair).nan_to_num(0).mean()), 4)
    return found


def asked(run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """Return errors of a run, spread evenly, with their predicted and their true classes."""
    places = run.errors[:: max(1, -(-len(run.errors) // IMAGES))]
    predicted, true = (torch.from_numpy(each[places]) for each in (run.predicted, run.labels))
    return run.tensor(run.split.test[places]), predicted, true


def cascades(run: Run) -> Row:
    """Compare explanations of a run's answers with those of networks with untrained layers.

    These are added from the ``top`` or from the ``bottom``, or each is ``alone``, from the top;
    ``head`` has all dense ones. ``class`` asks about a random class and ``true`` about the true one
    instead, and ``image`` compares with the explanation of another image.
    """
    images, target, true = asked(run)
    first, trace = explanations(run.model, images, target), record(run.model, images)
    body = [layer.name for layer in trace.network.body if isinstance(layer, Convolution)]
    head = [layer.name for layer in trace.network.dense]
    names, seed = [*body, *head], 1000 + run.experiment.seed
    untrained = build_model(replace(run.experiment, seed=seed))

    @cache
    def after(*layers: str) -> dict[str, float]:
        changed, new = deepcopy(run.model), untrained.state_dict()
        new = {key: value for key, value in new.items() if key.rpartition(".")[0] in layers}
        changed.load_state_dict(new, strict=False)
        return alike(first, explanations(changed, images, target))

    places = range(len(names))
    ways = {
        "top": [after(*names[place:]) for place in reversed(places)],
        "bottom": [after(*names[: place + 1]) for place in places],
        "alone": [after(name) for name in reversed(names)],
    }
    row: Row = {way: {n: [step[n] for step in found] for n in first} for way, found in ways.items()}
    for change, other in (("class", random_classes(trace, true, seed)), ("true", true)):
        row[change] = alike(first, explanations(run.model, images, other))
    row["image"] = alike(first, {name: x.roll(1, 0) for name, x in first.items()})
    return row | {"head": after(*head), "images": len(images), "dense": len(head)}


def shuffled(run: Run) -> Row:
    """Compare explanations of a run's answers with those of a network with shuffled labels."""
    index, generator = run.faces.index, np.random.default_rng(run.experiment.seed)
    table = index.table.assign(**{run.task: generator.permutation(index.table[run.task])})
    faces = replace(run.faces, index=replace(index, table=table))
    fingerprint = f"{faces.fingerprint} with shuffled labels"
    other = train_or_load(replace(run.experiment, fingerprint=fingerprint), faces)
    images, target, _ = asked(run)
    first, second = (explanations(each.model, images, target) for each in (run, other))
    return {"shuffled": alike(first, second), "ended": other.ended}


def trial(study: Study, do: Do) -> tuple[list[Row], Numbers]:
    """Compare explanations in networks of both tasks, then train one on shuffled labels."""
    rows, numbers = analysis(5, study, do)
    jobs = plan(study, study.tasks[-1:], SHUFFLED, {})
    return rows + [kept(job, shuffled) for job in jobs], numbers


measure = partial(kept, compute=cascades)
"""Return `cascades` of the network of a job."""


def label(name: str) -> str:
    """Return a method's name as tables and figures show it."""
    kind, _, rule = name.rpartition("_")
    shown = f"{RULES[rule]} ({'features' if kind else 'cells'})" if rule in RULES else name
    return METHODS.get(name, shown)


def blind(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what each method is blind to, by a record: to the ``head``, or to the ``class``.

    That is a change after which its explanations stay the same, over the networks (`SAME`).
    """
    rows = [row for row in record["networks"] if "head" in row]

    def same(name: str, change: str) -> bool:
        return mean_interval(np.array([row[change][name] for row in rows])).low > SAME

    return {name: [c for c in ("head", "class") if same(name, c)] for name in rows[0]["head"]}
