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
from tinyvgg.chapters.deconvolution import correlations, edges
from tinyvgg.chapters.interventions import CAUSES, LOWER, PARTS, UPPER, Outcomes, outcomes, showing
from tinyvgg.chapters.sanity import by_captum
from tinyvgg.chapters.statistics import Estimate, Student, estimate, over_networks
from tinyvgg.chapters.trials import BATCH, analysis, kept
from tinyvgg.contribution import patch_effects, top_pixels
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import track_features
from tinyvgg.training import sweeps
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Job, Row

MINUTES = 8
"""What a network of 64 pixels takes on one core, for about 400 images."""
CUTOFF = NAMED["cutoff"]
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


Method: TypeAlias = Callable[[Asked], Tensor]
Drawn: TypeAlias = Float[np.ndarray, "n h w"]
Flips: TypeAlias = Bool[np.ndarray, "n 2"]
"""Whether a change of the upper and of the lower half flips each answer."""
Function: TypeAlias = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Of a model, images and answers: maps of the images, (n, h, w) or (n, channels, h, w)."""


def _found(asked: Asked, rule: Rule = CUTOFF) -> Tensor:
    return backtrack(asked.trace, asked.answers, rule).pixels


def _random(asked: Asked) -> Tensor:
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
    "Algorithm 1": partial(_found, rule=NAMED["literal"]),
    "published cutoff": _found,
    "largest activations": lambda a: top_pixels(a.trace.maps, _found(a).flatten(1).sum(1)),
    "whole projection": lambda asked: deconvolve(asked.trace),
    "contributions": partial(_found, rule=Contribution(TOP)),
    "contrastive": lambda asked: _found(asked, Contrastive(asked.against, TOP)),
    "unique": lambda asked: _found(asked) & ~backtrack(asked.others, asked.against, CUTOFF).pixels,
    # the cells whose difference from the look-alike's, times the gradient, is largest
    "patched": lambda a: top_pixels(patch_effects(a.trace, a.others, a.answers, a.against), TOP),
    **{k: partial(lambda of, asked: asked.attributions[of], of) for k, of in CAPTUM.items()},
    "edges": lambda asked: edges(asked.trace.images).float(),
    "image difference": lambda asked: asked.trace.images - asked.others.images,
    "random": _random,
}
"""The methods by their names; each returns what `marked` takes."""
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


trial = partial(analysis, 5, tasks=["emotion"])
"""Score all methods on the networks for emotion."""


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
    flips = found.logits[:, :2].argmax(2) != answers[:, None]  # by the halves, the first causes
    logits = run.logits[found.places].numpy()[np.arange(len(rows)), answers, None]
    losses = logits - found.logits[np.arange(len(rows)), 2 : 2 + len(PARTS), answers]
    maps = _maps(run, found, methods)
    half = {name: which_half(x, found.parts, flips, subjects) for name, x in maps.items()}
    part = {name: which_part(x, found.parts, losses, subjects) for name, x in maps.items()}
    maps[MEAN_MASK] = _mean_mask(run, found, flips)
    pixel = {name: which_pixels(x, found.masks, flips, subjects) for name, x in maps.items()}
    scored = {"half": half, "part": part, "pixel": pixel}
    return {key: {name: x._asdict() for name, x in of.items()} for key, of in scored.items()}


def marked(asked: Asked, found: Tensor) -> Float[Tensor, "n y x"]:
    """Return the strength of every pixel of each image, from what a method found.

    Of cells the features are tracked, and of colours the mean absolute value is taken.
    """
    if found.dtype == torch.bool:
        found = track_features(asked.trace, found)
    return style.strength(found) if found.ndim == 4 else found


def _maps(run: Run, found: Outcomes, methods: Mapping[str, Method]) -> dict[str, Drawn]:
    drawn, rows = dict[str, list[Any]](), run.split.test[found.places]
    for start in range(0, len(rows), 2 * BATCH):
        some = slice(start, start + 2 * BATCH)
        others = np.where(found.lookalikes[some] < 0, rows[some], found.lookalikes[some])
        traces = [record(run.model, run.tensor(each)) for each in (rows[some], others)]
        answers = torch.from_numpy(run.predicted[found.places[some]])
        against = torch.from_numpy(found.against[some])
        asked = Asked(run.model, traces[0], answers, against, traces[1], start)
        for name, method in methods.items():
            maps = marked(asked, method(asked)).detach().double().abs().numpy()
            drawn.setdefault(name, []).append(maps)
    return {name: np.concatenate(maps) for name, maps in drawn.items()}


def _mean_mask(run: Run, found: Outcomes, flips: Flips) -> Drawn:
    """Return the mean of the masks that flipped other subjects' answers at the same angle."""
    table = run.faces.index.table.iloc[run.split.test[found.places]]
    angles, subjects = table["angle"].to_numpy(), table["subject"].to_numpy()
    sums = (found.masks * flips[..., None, None]).sum(1, dtype=np.float64)
    others = (angles[:, None] == angles) & (subjects[:, None] != subjects)
    return np.tensordot(others.astype(float), sums, 1)


def auc(scores: Float[np.ndarray, "*k n"], positive: Bool[np.ndarray, "*k n"]) -> Any:
    """Return the chance that a positive has a larger score than a negative; ties count half."""
    ranks = rankdata(scores, axis=-1)
    count, total = positive.sum(-1), positive.shape[-1]
    with np.errstate(invalid="ignore"):
        area = (ranks * positive).sum(-1) - count * (count + 1) / 2
        return np.asarray(area / (count * (total - count)))


def which_half(maps: Drawn, parts: np.ndarray, flips: Flips, subjects: np.ndarray) -> Estimate:
    """Return the AUC of a map's share on the upper half; its error is over subjects."""
    one = np.flatnonzero(flips.sum(1) == 1)
    upper, lower = ((maps * showing(parts, each)).sum((1, 2))[one] for each in (UPPER, LOWER))
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
    maps: Drawn, parts: np.ndarray, losses: Float[np.ndarray, "n parts"], subjects: np.ndarray
) -> Estimate:
    """Return the mean rank correlation of the map on each part with the loss without the part."""
    sums = np.stack([(maps * showing(parts, seen)).sum((1, 2)) for _, seen in PARTS.values()], 1)
    ranks = [torch.from_numpy(rankdata(each, axis=1)) for each in (sums, losses)]
    return _by_subject(correlations(*ranks).numpy(), subjects)


def which_pixels(
    maps: Drawn, masks: Bool[np.ndarray, "n 2 h w"], flips: Flips, subjects: np.ndarray
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

    def method(asked: Asked) -> Tensor:
        maps = torch.as_tensor(function(asked.model, asked.trace.images.clone(), asked.answers))
        wanted = tuple(asked.trace.images[:, 0].shape)
        if (maps[:, 0] if maps.ndim == 4 else maps).shape != wanted:
            raise UserError(f"method {name!r} returned maps of {tuple(maps.shape)}, not {wanted}")
        return maps.double()

    methods, found = {name: method, "random": METHODS["random"]}, list[Row]()
    for job in sweeps.plan(study, ["emotion"], seeds, {}):
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
