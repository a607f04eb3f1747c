"""Chapter 4: how much each rule keeps, and how much it depends on the class it starts from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, Shaped
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import LABELS, NAMED, Backtrack, Rule, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.statistics import AVERAGES, Estimate, difference, estimate
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.trace import Trace, record
from tinyvgg.training.runs import Run

RULES: Mapping[str, Rule] = {name: NAMED[name] for name in ("literal", "cutoff")}
"""Algorithm 1 as printed, and with the published code's cutoff."""
COLOURS = {"literal": style.BLUE, "cutoff": style.ORANGE, "contribution": style.GREEN}
PIXELS = "pixels"
"""The last maps as a layer in tables; readers see `SHOWN`."""
SHOWN = {PIXELS: "cells"}
NEURONS, OUTPUTS = 24, 10


def sample_rows(run: Run, count: int, seed: int) -> Int[np.ndarray, "m"]:
    """Draw at most `count` test rows at random, in ascending order."""
    return np.sort(np.random.default_rng(seed).permutation(run.split.test)[:count])


def random_classes(trace: Trace, labels: Int[Tensor, "n"], seed: int) -> Int[Tensor, "n"]:
    """Draw a class that is neither predicted nor true; of two classes, take the other one."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(trace.logits.shape, generator=generator)
    if trace.network.classes > 2:
        scores.scatter_(1, labels[:, None], -1)
    return scores.scatter(1, trace.predicted[:, None], -2).argmax(1)


@dataclass(frozen=True, eq=False)
class Followed:
    """Images that were followed back from three classes each, under several rules."""

    trace: Trace
    targets: Mapping[str, Int[Tensor, "n"]]  # predicted, true and random
    found: Mapping[str, Mapping[str, Backtrack]]  # by rule and by target

    def pixels(self, rule: str) -> Bool[Tensor, "n c h w"]:
        """Return the pixels that a rule finds from the predicted class."""
        return self.found[rule]["predicted"].pixels


def follow_errors(run: Run, seed: int = 0) -> Followed:
    """Backtrack all errors of a run from their predicted, their true and a random other class."""
    trace = record(run.model, run.tensor(run.split.test[run.errors]))
    labels = torch.from_numpy(run.labels[run.errors])
    other = random_classes(trace, labels, seed)
    targets = {"predicted": trace.predicted, "true": labels, "random": other}
    found = {
        name: {target: backtrack(trace, classes, rule) for target, classes in targets.items()}
        for name, rule in RULES.items()
    }
    return Followed(trace, targets, found)


def by_layer(dense: Sequence[Tensor], maps: Tensor) -> dict[str, Bool[Tensor, "n _"]]:
    """Name units in the order of the walk: a_n, ..., a_1, then the pixels, flattened."""
    named = {f"a_{j}": units for j, units in enumerate(dense, start=1)}
    return {**dict(reversed(named.items())), PIXELS: maps.flatten(1)}


def kept_table(followed: Followed) -> pd.DataFrame:
    """Count the active units of each layer and image, and what each rule keeps of them.

    Rules start from the predicted class; ``share`` is NaN where no unit is active.
    """
    trace = followed.trace
    active = by_layer([a > 0 for a in trace.dense], trace.maps > 0)
    parts = {}
    for rule, found in followed.found.items():
        walk = found["predicted"]
        for layer, units in by_layer(walk.neurons, walk.pixels).items():
            counts = {"kept": units.sum(1), "active": active[layer].sum(1)}
            parts[rule, layer] = pd.DataFrame(counts)
    table = pd.concat(parts, names=["rule", "layer", "image"]).reset_index()
    return table.assign(share=table["kept"] / table["active"].where(table["active"] > 0))


def jaccard(first: Bool[Tensor, "n ..."], second: Bool[Tensor, "n ..."]) -> Float[Tensor, "n"]:
    """Return intersection over union of the two sets of each image; NaN where both are empty."""
    both = (first & second).flatten(1).sum(1).double()
    either = (first | second).flatten(1).sum(1).double()
    return both / either


def overlap_table(followed: Followed) -> pd.DataFrame:
    """Compare the sets of the predicted class with those of the true and of a random class.

    The rule ``contribution`` is the control that knows the class: as many pixels as the last rule
    keeps, those with the largest exact share in the logit of the class.
    """
    sets = {
        rule: {target: by_layer(walk.neurons, walk.pixels) for target, walk in walks.items()}
        for rule, walks in followed.found.items()
    }
    counts = list(followed.found.values())[-1]["predicted"].pixels.flatten(1).sum(1)
    sets["contribution"] = {
        target: by_layer([], top_pixels(contributions(followed.trace, classes), counts))
        for target, classes in followed.targets.items()
    }
    parts = {
        (rule, layer, against): pd.DataFrame({"overlap": jaccard(kept, by_target[against][layer])})
        for rule, by_target in sets.items()
        for against in ("true", "random")
        for layer, kept in by_target["predicted"].items()
    }
    return pd.concat(parts, names=["rule", "layer", "against", "image"]).reset_index()


def layer_summary(tables: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, str]:
    """Return `averages` as text, a column for each task, and a sentence on the layers left out.

    Those are where a rule has one for every task; the sentence is empty without them.
    """
    columns = {
        paper.TASK_NAMES[task]: table.set_index(list(table.columns.drop(AVERAGES)))["text"]
        for task, table in tables.items()
    }
    shown = pd.concat(columns, axis=1, sort=False).fillna(paper.NOTHING).rename(index=SHOWN)
    ones = (shown == "1.000").all(axis=1).groupby(level=["rule", "layer"]).transform("all")
    equal = shown.index[ones].to_frame(index=False).groupby("rule", sort=False)["layer"]
    places = [f"{', '.join(layers.unique())} ({rule})" for rule, layers in equal]
    sentence = f"The table leaves out where both sets are the same: {' and '.join(places)}."
    return shown[~ones], sentence if places else ""


def pixel_counts(followed: Followed, rule: str) -> Float[np.ndarray, "n"]:
    """Count the backtracked pixels of each image."""
    return np.asarray(followed.pixels(rule).flatten(1).sum(1).double())


def more_pixels(followed: Mapping[str, Followed]) -> dict[str, Estimate]:
    """Return by rule the mean pixels of identity's errors minus those of emotion's (B1)."""
    tasks = ("subject", "emotion")
    if not set(tasks) <= set(followed):
        return {}
    return {
        rule: difference(*(estimate(pixel_counts(followed[task], rule)) for task in tasks))
        for rule in RULES
    }


@torch.no_grad()
def logit_terms(trace: Trace) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n"]]:
    """Return the terms of the winning logit: a_i W_ik of each neuron i, and b_k (equation 3)."""
    layer = trace.network.dense[-1].module
    products = trace.dense[-1] * layer.weight[trace.predicted]
    return products, layer.bias[trace.predicted]


def shown(tables: Mapping[str, pd.DataFrame], followed: Mapping[str, Followed]) -> dict[str, str]:
    """Say what a run shows of E2, F6 and F7.

    Tables hold, for each image, how far equations 2 and 3 are from the network.
    """
    every = pd.concat(tables)
    return {
        "E2": f"probabilities of {len(every)} test images deviate from equation 2 by "
        f"{every['softmax_gap'].max():.0e} at most, and the class with the largest logit has the "
        "largest probability",
        "F6": "the terms drawn add up to the winning logit, with a deviation of "
        f"{every['sum_gap'].max():.0e} of their size at most",
        "F7": "; ".join(map(_left, followed, followed.values())),
    }


def _left(task: str, part: Followed) -> str:
    """Say in how many errors a rule leaves some of the active cells, none, or all of them."""
    active, facts = (part.trace.maps > 0).flatten(1).sum(1).numpy(), []
    for rule in RULES if len(active) else ():
        counts = pixel_counts(part, rule)
        some = (counts > 0) & (counts < active)
        found = {"some": some, "none": counts == active, "all": counts == 0}
        sums = ((word, int(each.sum())) for word, each in found.items() if each.any())
        said = [f"{word} in {style.share_in_words(n, len(active))}" for word, n in sums]
        facts.append(f"the {LABELS[rule]} leaves {', '.join(said)}")
    left = f"of the active cells {' and '.join(facts)}" if facts else "no errors"
    return f"{paper.TASK_NAMES[task]}: {left}"


@style.styled()
def last_layers(image: Trace, classes: Sequence[str]) -> Figure:
    """Draw how the strongest neurons of the last hidden layer feed the winning class (Figure 6)."""
    figure, ((ax,),) = style.grid(1, 1, cell=style.WIDTH, aspect=0.62)
    (products,), (bias,) = logit_terms(image)
    order = products.abs().argsort(descending=True)[:NEURONS].tolist()
    heights = np.linspace(1, 0, len(order))
    outputs = image.logits[0].argsort(descending=True)[:OUTPUTS].tolist()
    places = np.linspace(0.95, 0.05, len(outputs))
    strongest = max(float(products.abs().max()), 1e-12)
    for neuron, product, height in zip(order, products[order].tolist(), heights, strict=True):
        colour, thick = style.BLUE if product > 0 else style.RED, 4 * abs(product) / strongest
        ends = [0.06, 0.6], [height, places[0]]
        ax.plot(*ends, color=colour, linewidth=0.3 + thick, alpha=0.5, zorder=1)
        words = f"$i$ = {neuron}   {product:+.2f}"
        ax.text(0.03, height, words, ha="right", va="center", fontsize=7)
    ink = {"c": image.dense[-1][0, order].numpy(), "cmap": "gray_r", "vmin": 0}
    ax.scatter(np.full(len(order), 0.06), heights, s=60, edgecolors=style.GRAY, zorder=2, **ink)
    for label, place in zip(outputs, places, strict=True):
        colour = style.BLUE if label == outputs[0] else style.GRAY
        probability = float(image.probabilities[0, label])
        ax.scatter(0.6, place, s=90, color=colour, zorder=3)
        ax.text(0.63, place, f"{float(image.logits[0, label]):+.2f}", va="center")
        ax.text(0.75, place, style.short(classes[label], style.LONGEST), va="center")
        ax.barh(place, 0.16 * probability, left=0.94, height=0.04, color=colour)
        ax.text(0.95 + 0.16 * probability, place, f"{probability:.3f}", va="center", fontsize=7)
    rest = float(products.sum() - products[order].sum())
    sums = (
        f"$\\sum_i a_i W_{{ik}}$ = {float(products.sum()):.3f}   ({rest:+.3f} of it from neurons"
        f" not drawn),   $b_k$ = {float(bias):+.3f},   $x_k$ = {float(image.logits.amax()):.3f}"
    )
    ax.text(0.33, -0.1, sums, ha="center")
    ax.set(xlim=(-0.12, 1.18), ylim=(-0.14, 1.1))
    for x, title in ((0.06, "$a_n$"), (0.6, "$x$"), (0.77, "class"), (1.02, "softmax")):
        ax.text(x, 1.05, title, ha="center", fontsize=11)
    ax.axis("off")
    return figure


@style.styled()
def layers_figure(tables: Mapping[str, pd.DataFrame], label: str) -> Figure:
    """Draw `averages` by layer, from the last hidden layer down, a panel for each task."""
    aspect = 0.45 if len(tables) == 1 else 0.75
    figure, axes = style.grid(1, len(tables), aspect=aspect, sharey=True)
    for ax, (task, table) in zip(axes[0], tables.items(), strict=True):
        layers = list(dict.fromkeys(table["layer"]))
        by = [column for column in ("rule", "against") if column in table]
        groups = table.groupby(by, sort=False)
        for place, (key, part) in enumerate(groups, start=1):
            places = np.array([layers.index(layer) for layer in part["layer"]], dtype=float)
            places += 0.1 * (place - (len(groups) + 1) / 2)
            rule, *classes = map(str, key)
            mark = {"fmt": "s" if "random" in classes else "o", "color": COLOURS[rule]}
            words = ", ".join([LABELS[rule], *(f"{against} class" for against in classes)])
            style.show_intervals(ax, places, part, label=words, markersize=5, **mark)
        ticks = [SHOWN.get(layer, f"${layer}$") for layer in layers]
        ax.set_xticks(range(len(layers)), ticks)
        ax.set(title=paper.TASK_NAMES[task], ylim=(-0.03, 1.06))
    axes[0, 0].set_ylabel(label)
    legends = [ax.get_legend_handles_labels() for ax in axes[0]]
    most = max(legends, key=lambda found: len(found[0]))
    figure.legend(*most, loc="outside lower center", ncols=3, fontsize=7)
    return figure


@style.styled()
def maps_without_pixels(shown: Sequence[tuple[Run, Followed]]) -> Figure:
    """Draw errors, their last maps, and the maps without the cells of each rule (Figure 7).

    Missing cells are red. Ink is activation, each map to its own maximum. The first two errors of
    each run are drawn, of different true classes where possible.
    """
    panels = []
    for run, part in shown:
        again = pd.Series(run.labels[run.errors]).duplicated().sort_values(kind="stable")
        panels += [(run, part, place) for place in again.index[:2].tolist()]
    ratios = [1.1, *[2.0] * (1 + len(RULES))]
    figure, axes = style.grid(len(panels), len(ratios), aspect=0.72, width_ratios=ratios)
    for line, (run, part, place) in zip(axes, panels, strict=True):
        labels = (run.labels[run.errors][place], run.predicted[run.errors][place])
        true, predicted = (style.short(run.classes[label], 12) for label in labels)
        image = run.faces.images[run.split.test[run.errors][place]]
        style.show_image(line[0], image, f"{true} taken\nfor {predicted}")
        maps = part.trace.maps[place].numpy()
        _show_maps(line[1], maps, np.zeros_like(maps, dtype=bool))
        line[1].set_title(f"{len(maps)} maps, {(maps > 0).sum():,} active")
        for ax, rule in zip(line[2:], RULES, strict=True):
            missing = part.pixels(rule)[place].numpy()
            _show_maps(ax, maps, missing)
            ax.set_title(f"{LABELS[rule]}: {missing.sum():,} missing")
    return figure


def _show_maps(
    ax: Axes, maps: Float[np.ndarray, "c h w"], missing: Bool[np.ndarray, "c h w"]
) -> None:
    ink = maps / np.maximum(maps.max((1, 2), keepdims=True), 1e-12)
    ax.imshow(montage(0.15 + 0.85 * np.where(missing, 0, ink)), cmap="gray_r", vmin=0, vmax=1)
    ax.imshow(montage(np.where(missing, 1.0, np.nan)), cmap=ListedColormap([style.RED]))
    style.clear(ax)


def montage(maps: Shaped[np.ndarray, "c h w"]) -> Shaped[np.ndarray, "H W"]:
    """Lay maps side by side in a sheet about twice as wide as high, with lines of NaN between."""
    padded = np.pad(maps, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    return style.tiled(padded, math.ceil(math.sqrt(2 * len(maps))), np.nan)[:-1, :-1]
