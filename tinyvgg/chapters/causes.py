"""Chapter 15: which half of a face, which part and which pixels flipped the answer, by method.

Whatever a method marks is held against what rendering the face again with one cause changed did to
the answer.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata
from torch import Tensor, nn

from tinyvgg.attribution import Margin
from tinyvgg.backtracking import NAMED, Contrastive, Contribution, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.deconvolution import edges
from tinyvgg.chapters.interventions import CAUSES, HALVES, LOWER, PARTS, UPPER, Outcomes, outcomes
from tinyvgg.chapters.sanity import by_captum
from tinyvgg.chapters.statistics import Estimate, Student, estimate, over_networks
from tinyvgg.chapters.trials import Do, Numbers, is_small, kept
from tinyvgg.contribution import patch_effects, top_pixels
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import track_features
from tinyvgg.training import sweeps
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Job, Row

MINUTES = 8
"""What a network of 64 pixels takes on one core, for about 400 images."""
TOP = 24
"""Cells that methods mark which choose by rank."""
RESAMPLED = 200
"""Draws of the bootstrap over subjects."""
QUESTIONS = {"half": "which half", "part": "which part", "pixel": "which pixels"}


@dataclass(frozen=True, eq=False)
class Asked:
    """What a method is given: images, the answer to each, and the class it is held against."""

    model: nn.Module
    trace: Trace
    answers: Int[Tensor, "n"]
    against: Int[Tensor, "n"]
    others: Trace  # of look-alikes of that class, or of the images where there are none
    place: int = 0  # of the first image among all

    @cached_property
    def attributions(self) -> Mapping[str, Tensor]:
        """Captum's attributions of the margin between the two classes."""
        margin = Margin(deepcopy(self.model), self.answers, self.against)
        return by_captum(margin, self.trace.images.clone(), torch.zeros_like(self.answers))


Maps: TypeAlias = Float[Tensor, "n y x"]
Method: TypeAlias = Callable[[Asked], Maps]
Function: TypeAlias = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Of a model, images and answers: maps of the images, (n, h, w) or (n, channels, h, w)."""


def _tracked(asked: Asked, pixels: Bool[Tensor, "n c h w"]) -> Maps:
    return style.strength(track_features(asked.trace, pixels))


def _by_rule(rule: Rule, asked: Asked) -> Maps:
    return _tracked(asked, backtrack(asked.trace, asked.answers, rule).pixels)


def _largest(asked: Asked) -> Maps:
    found = backtrack(asked.trace, asked.answers, NAMED["cutoff"]).pixels
    return _tracked(asked, top_pixels(asked.trace.maps, found.flatten(1).sum(1)))


def _unique(asked: Asked) -> Maps:
    own = backtrack(asked.trace, asked.answers, NAMED["cutoff"]).pixels
    other = backtrack(asked.others, asked.against, NAMED["cutoff"]).pixels
    return _tracked(asked, own & ~other)


def _patched(asked: Asked) -> Maps:
    """Mark the cells whose difference from the look-alike's, times the gradient, is largest."""
    scores = patch_effects(asked.trace, asked.others, asked.answers, asked.against)
    return _tracked(asked, top_pixels(scores, TOP))


def _captum(name: str, asked: Asked) -> Maps:
    return style.strength(asked.attributions[name])


def _random(asked: Asked) -> Maps:
    drawn = torch.Generator().manual_seed(asked.place)
    return torch.rand(asked.trace.images[:, 0].shape, generator=drawn)


CAPTUM = {
    "gradient": "Saliency",
    "integrated gradients": "IntegratedGradients",
    "guided backpropagation": "GuidedBackprop",
    "Grad-CAM": "GradCam",
    "occlusion": "Occlusion",
    "LRP": "LRP",
}
METHODS: Mapping[str, Method] = {
    "Algorithm 1": partial(_by_rule, NAMED["literal"]),
    "published cutoff": partial(_by_rule, NAMED["cutoff"]),
    "largest, as many": _largest,
    "whole projection": lambda asked: style.strength(deconvolve(asked.trace)),
    "contributions": partial(_by_rule, Contribution(TOP)),
    "contrastive": lambda asked: _by_rule(Contrastive(asked.against, TOP), asked),
    "unique": _unique,
    "patched": _patched,
    **{name: partial(_captum, attribution) for name, attribution in CAPTUM.items()},
    "edges": lambda asked: edges(asked.trace.images).float(),
    "image difference": lambda asked: style.strength(asked.trace.images - asked.others.images),
    "random": _random,
}
"""The methods by their names; each returns the strength of every pixel of each image."""
MEAN_MASK = "mean mask"
"""The baseline that knows the other images' changes alone: it is scored on pixels only."""
CHECKED = {
    "Algorithm 1": "literal",
    "published cutoff": "tracked_cutoff",
    "whole projection": "deconvnet",
    "contributions": "contribution",
    "contrastive": "tracked_contrastive",
    **CAPTUM,
}
"""What the sanity checks call the methods that they have; of some they have the cells alone."""
LOOKALIKE = ("unique", "patched", "image difference")
"""The methods that are shown a right image of the other class."""


def trial(study: Study, do: Do) -> tuple[list[Row], Numbers]:
    """Score all methods on the networks for emotion."""
    seeds = range(1 if is_small(study) else 5)
    return do(sweeps.plan(study, ["emotion"], seeds, {}, ())), {}


def measure(job: Job) -> Row:
    """Return the flips by cause and the scores of all methods for the network of a job."""
    found = kept(job, outcomes)

    def scored(run: Run) -> Row:
        return scores(run, Outcomes(**found["pictures"]), METHODS)

    row, arrays = kept(job, scored), found["pictures"]
    row |= {name: found[name] for name in ("images", "errors", "flips")}
    row |= {name: arrays[name].tolist() for name in ("places", "against", "lookalikes")}
    row["after"] = dict(zip(CAUSES, arrays["logits"].argmax(2).T.tolist(), strict=True))
    return {**row, "seconds": row["seconds"] + found["seconds"], "pictures": {}}


def scores(run: Run, found: Outcomes, methods: Mapping[str, Method]) -> Row:
    """Return for each question the score of each method: its value, and its error over subjects.

    ``half``: the AUC of the share of a map on the upper half, over images where changing one half
    flips the answer and changing the other does not. ``part``: the mean rank correlation, over the
    parts of a face, of the map's sum on a part with the loss of the answer's logit when the part
    is put at rest. ``pixel``: the mean AUC of a map for the pixels that change with a half whose
    change flips the answer.
    """
    rows = run.split.test[found.places]
    answers = run.predicted[found.places]
    subjects = run.faces.index.table["subject"].to_numpy()[rows]
    maps = _maps(run, found, methods)
    flips = found.logits[:, : len(HALVES)].argmax(2) != answers[:, None]
    maps[MEAN_MASK] = _mean_mask(run, found, flips)
    logits = run.logits[found.places].numpy()[np.arange(len(rows)), answers, None]
    losses = logits - found.logits[np.arange(len(rows)), 2 : 2 + len(PARTS), answers]
    asked: dict[str, Callable[[np.ndarray], Estimate]] = {
        "half": lambda drawn: which_half(drawn, found.parts, flips, subjects),
        "part": lambda drawn: which_part(drawn, found.parts, losses, subjects),
        "pixel": lambda drawn: which_pixels(drawn, found.masks, flips, subjects),
    }
    scored: Row = {question: {} for question in QUESTIONS}
    for name, drawn in maps.items():
        for question in QUESTIONS if name != MEAN_MASK else ("pixel",):
            scored[question][name] = asked[question](drawn)._asdict()
    return scored


def _maps(
    run: Run, found: Outcomes, methods: Mapping[str, Method]
) -> dict[str, Float[np.ndarray, "n h w"]]:
    drawn, rows = dict[str, list[Any]](), run.split.test[found.places]
    for start in range(0, len(rows), 2 * sweeps.BATCH):
        some = slice(start, start + 2 * sweeps.BATCH)
        others = np.where(found.lookalikes[some] < 0, rows[some], found.lookalikes[some])
        traces = [record(run.model, run.tensor(each)) for each in (rows[some], others)]
        answers = torch.from_numpy(run.predicted[found.places[some]])
        against = torch.from_numpy(found.against[some])
        asked = Asked(run.model, traces[0], answers, against, traces[1], start)
        for name, method in methods.items():
            maps = method(asked).detach().double().abs().numpy()
            drawn.setdefault(name, []).append(maps)
    return {name: np.concatenate(maps) for name, maps in drawn.items()}


def _mean_mask(
    run: Run, found: Outcomes, flips: Bool[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n h w"]:
    """Return the mean of the masks that flipped other subjects' answers at the same angle."""
    table = run.faces.index.table.iloc[run.split.test[found.places]]
    angles, subjects = table["angle"].to_numpy(), table["subject"].to_numpy()
    sums = (found.masks * flips[..., None, None]).sum(1, dtype=np.float64)
    means: Float[np.ndarray, "n h w"] = np.empty_like(sums)
    for place in range(len(sums)):
        others = (angles == angles[place]) & (subjects != subjects[place])
        means[place] = sums[others].sum(0)
    return means


def on(parts: np.ndarray, names: tuple[str, ...]) -> Bool[np.ndarray, "n h w"]:
    """Return the pixels that show some parts of the face."""
    return np.asarray(np.isin(parts, [synthfaces.FacePart[name] for name in names]))


def auc(scores: Float[np.ndarray, "*k n"], positive: Bool[np.ndarray, "*k n"]) -> Any:
    """Return the chance that a positive has a larger score than a negative; ties count half."""
    ranks = rankdata(scores, axis=-1)
    count, total = positive.sum(-1), positive.shape[-1]
    with np.errstate(invalid="ignore"):
        area = (ranks * positive).sum(-1) - count * (count + 1) / 2
        return np.asarray(area / (count * (total - count)))


def which_half(
    maps: Float[np.ndarray, "n h w"],
    parts: np.ndarray,
    flips: Bool[np.ndarray, "n 2"],
    subjects: np.ndarray,
) -> Estimate:
    """Return the AUC of a map's share on the upper half; its error is over subjects."""
    one = np.flatnonzero(flips.sum(1) == 1)
    upper, lower = ((maps * on(parts, each)).sum((1, 2))[one] for each in (UPPER, LOWER))
    share = upper / np.maximum(upper + lower, np.finfo(float).tiny)
    label, who, draws = flips[one, 0], subjects[one], []
    generator, people = np.random.default_rng(0), np.unique(who)
    if not len(people):
        return Estimate(float("nan"), 0.0)
    members = {person: np.flatnonzero(who == person) for person in people}
    for _ in range(RESAMPLED):
        some = generator.choice(people, len(people))
        places = np.concatenate([members[person] for person in some])
        draws.append(auc(share[places], label[places]))
    return Estimate(float(auc(share, label)), float(np.nanstd(draws)))


def which_part(
    maps: Float[np.ndarray, "n h w"],
    parts: np.ndarray,
    losses: Float[np.ndarray, "n parts"],
    subjects: np.ndarray,
) -> Estimate:
    """Return the mean rank correlation of the map on each part with the loss without the part."""
    sums = np.stack([(maps * on(parts, seen)).sum((1, 2)) for _, seen in PARTS.values()], 1)
    first, second = (rankdata(each, axis=1) for each in (sums, losses))
    first, second = (each - each.mean(1, keepdims=True) for each in (first, second))
    with np.errstate(invalid="ignore"):
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        return _by_subject((first * second).sum(1) / norms, subjects)


def which_pixels(
    maps: Float[np.ndarray, "n h w"],
    masks: Bool[np.ndarray, "n 2 h w"],
    flips: Bool[np.ndarray, "n 2"],
    subjects: np.ndarray,
) -> Estimate:
    """Return the mean AUC of a map for the pixels that changed with what flipped the answer."""
    images, halves = np.nonzero(flips & masks.any((2, 3)))
    flat = maps.reshape(len(maps), -1)[images]
    return _by_subject(auc(flat, masks[images, halves].reshape(len(images), -1)), subjects[images])


def _by_subject(values: Float[np.ndarray, "n"], subjects: np.ndarray) -> Estimate:
    """Return the mean of the known values, with its error over subjects."""
    known = pd.Series(values).dropna()
    of = known.groupby(subjects[known.index]).mean()
    return Estimate(float(known.mean()), estimate(of).error)


def audit(study: Study, seeds: Sequence[int], name: str, function: Function) -> pd.DataFrame:
    """Score a user's function on the networks of some seeds beside a random map, as text."""

    def method(asked: Asked) -> Maps:
        maps = torch.as_tensor(function(asked.model, asked.trace.images.clone(), asked.answers))
        drawn = style.strength(maps) if maps.ndim == 4 else maps
        wanted = tuple(asked.trace.images[:, 0].shape)
        if drawn.shape != wanted:
            raise UserError(f"method {name!r} returned maps of {tuple(maps.shape)}, not {wanted}")
        return drawn

    methods, found = {name: method, "random": METHODS["random"]}, list[Row]()
    for job in sweeps.plan(study, ["emotion"], seeds, {}, ()):
        known = kept(job, outcomes)
        run = study.varied(job.seed, {}).run(job.task)
        found.append(scores(run, Outcomes(**known["pictures"]), methods))
    return table(found)


def over(rows: Sequence[Row], question: str, name: str) -> Student:
    """Return the distribution of a method's mean score over networks, which are two at least."""
    found = [row[question][name] for row in rows]
    return over_networks(*(np.array([each[key] for each in found]) for key in ("value", "error")))


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the mean score of each method and question over networks, with its 95 % interval."""

    def shown(question: str, name: str) -> str:
        if len(rows) < 2:
            return f"{rows[0][question][name]['value']:.2f}"
        of = over(rows, question, name)
        return "{:.2f} ({:.2f} to {:.2f})".format(of.centre, *of.interval())

    columns = {
        title: {name: shown(question, name) for name in rows[0][question]}
        for question, title in QUESTIONS.items()
    }
    return pd.DataFrame(columns).rename_axis("method")
