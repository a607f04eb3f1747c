"""Which images a model gets wrong, which cells decide each error, and which errors belong together.

Cells are the elements of the last maps (the paper's pixels).
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from scipy.stats import hypergeom
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from tqdm.auto import tqdm

from tinyvgg.backtracking import Contrastive, backtrack
from tinyvgg.contribution import contributions
from tinyvgg.errors import UserError
from tinyvgg.repairs import by_chance, margin, repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, track_features

PART = 32
"""Images that are recorded at a time, so that memory does not grow with their number."""
SIDE = 112
"""The longer side of pictures that are kept, pixels."""
APART = 0.7
"""Errors of a family are less than this apart, on average: 1 minus the cosine."""
FEW = 5
"""The images that a slice has at least."""
DRAWS = 20
"""Random sets of cells that a repair is held against."""
LEVEL = 0.05
"""The chance at which errors of a slice are taken for more than there are by chance."""

ALWAYS = 0.95
"""The share from which on a rule is said to keep everything, and a model to answer always alike."""


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The errors of a model on n images, of m of which it is known why.

    Attributes:
        table: a row an error, by its place among the n images, with columns

            - true, predicted: the right class and the answer, by name;
            - margin: the true logit minus the largest other one;
            - suspect: whether the label may be wrong instead, since the answer is as sure as right
              answers with that class are on average (after Northcutt et al. 2021);
            - cells: the fewest found whose suppression makes the answer right;
            - repaired, minimal: whether it does, and whether no smaller part of them does;
            - chance: the share of as many random active cells that make the answer right;
            - contrastive: the cells with a share in the answer minus the truth;
            - contrastive_repairs: whether the answer is right without these;
            - kept: the share of the active cells that Algorithm 1 keeps; NaN where it cannot walk.
        tier: how exact what is said of cells is (`Network.tier`).
        wrong: (n,), whether the answer to each image is wrong.
        confusion: (k, k), the number of images by true class (rows) and by answer.
        images: (m, y, x, channels), small copies of the images (of the first three channels, or the
            first), each from its least to its largest.
        features: (m, y, x), what the cells of the repair show there, 0 to 1.
        repair: (m, c, h, w), the fewest cells.
        contrastive: (m, c, h, w), the contrastive ones.
        decisive: (m, c + h w), the shares in the answer minus the truth, summed by map and by
            place; the two parts have length 1.
    """

    table: pd.DataFrame
    tier: str
    wrong: Bool[np.ndarray, "n"]
    confusion: pd.DataFrame
    images: UInt8[np.ndarray, "m y x channels"]
    features: Float[np.ndarray, "m y x"]
    repair: Bool[np.ndarray, "m c h w"]
    contrastive: Bool[np.ndarray, "m c h w"]
    decisive: Float[np.ndarray, "m _"]

    def __len__(self) -> int:
        return len(self.table)

    def families(self, apart: float = APART) -> pd.DataFrame:
        """Group the errors by what decides them, the largest family first.

        They are clustered by the shares of maps and places in the answer minus the truth: average
        linkage of the mean cosine of both.

        Returns:
            columns size; true, predicted and cells of the prototype, the error that is nearest to
            the others; prototype (its place among the m) and errors (the places of all).
        """
        distances = 1 - (self.decisive @ self.decisive.T / 2).clip(-1, 1)
        label, rows = np.ones(len(self), dtype=int), list[dict[str, Any]]()
        if len(self) > 1:
            pairs = distances[np.triu_indices(len(self), 1)]
            label = fcluster(linkage(pairs, "average"), apart, "distance")
        for family in np.unique(label):
            members = np.flatnonzero(label == family)
            prototype = members[distances[np.ix_(members, members)].sum(1).argmin()]
            about = self.table.iloc[prototype][["true", "predicted", "cells"]].to_dict()
            rows.append({"size": len(members), **about, "prototype": prototype, "errors": members})
        columns = ["size", "true", "predicted", "cells", "prototype", "errors"]
        table = pd.DataFrame(rows, columns=columns)
        return table.sort_values("size", ascending=False, kind="stable", ignore_index=True)

    def slices(self, columns: pd.DataFrame) -> pd.DataFrame:
        """Compare error rates between the values of columns, such as a camera's or a site's.

        Args:
            columns: a row for each of the n images, in their order. Numbers of which there are too
                many to have `FEW` images each are cut into quarters.

        Returns:
            a row for each value that at least `FEW` images have, the most surprising first: column,
            value, images, errors, rate, p (of that many errors or more if errors fell on images at
            random, by Fisher's exact test, times the number of rows), worse (p < `LEVEL`).

        Raises:
            UserError: another number of rows than of images.
        """
        if not isinstance(columns, pd.DataFrame) or len(columns) != len(self.wrong):
            given = f"{type(columns).__name__} of {len(columns)}"
            raise UserError(f"columns are a {given}: pass a table with {len(self.wrong)} rows")
        rows, count, wrong = [], len(self.wrong), int(self.wrong.sum())
        for name, column in columns.items():
            if is_numeric_dtype(column) and column.nunique() * FEW > count:
                column = pd.qcut(column, 4, duplicates="drop").astype("string")
            codes, values = pd.factorize(column, use_na_sentinel=False)
            for code, value in enumerate(values):
                places = np.flatnonzero(codes == code)
                if FEW <= len(places) < count:
                    errors = int(self.wrong[places].sum())
                    p = hypergeom.sf(errors - 1, count, wrong, len(places))
                    shown = "missing" if pd.isna(value) else value
                    rows.append((name, shown, len(places), errors, errors / len(places), p))
        table = pd.DataFrame(rows, columns=["column", "value", "images", "errors", "rate", "p"])
        table["p"] = (table["p"] * len(table)).clip(upper=1)
        table["worse"] = table["p"] < LEVEL
        return table.sort_values("p", kind="stable", ignore_index=True)

    def conclusions(self, slices: pd.DataFrame | None = None) -> list[str]:
        """Say whether the labels, a slice or the model itself are behind the errors.

        Args:
            slices: what `slices` found.
        """
        wrong, images, about = int(self.wrong.sum()), len(self.wrong), self.table
        said = [f"The model is wrong about {wrong:,} of {images:,} images ({wrong / images:.1%})."]
        if not len(self):
            return said
        counts = self.confusion.to_numpy()
        most = counts.sum(0).argmax()
        if (best := counts[linear_sum_assignment(-counts)].sum()) > images - wrong + images / 4:
            said.append(f"In another order of the classes {best:,} would be right: check theirs.")
        if counts[:, most].sum() > ALWAYS * images > counts[most].sum():
            name = self.confusion.index[most]
            said.append(f"It nearly always answers {name}: check the preprocessing.")
        if len(self) < wrong:
            said.append(f"What follows is about the first {len(self):,} of these.")
        suspects = int(about["suspect"].sum())
        sure = "at least as sure as right ones of the same class are on average"
        said.append(f"Labels: {suspects:,} of {len(self):,} wrong answers are {sure}.")
        if suspects:
            said[-1] += " Check the labels. Where one is right, the model is wrong and sure of it."
        if slices is not None and len(slices):
            column, value, seen, errors, *_ = slices.iloc[0]
            worse, by = slices["worse"].sum(), ", ".join(map(str, slices["column"].unique()))
            most = f", most clearly {column} {value} ({errors} of {seen})" * bool(worse)
            said.append(
                f"Slices: {worse or 'none'} of {len(slices)} groups of images (by {by}), each"
                f" tested alone, {'has' if worse == 1 else 'have'} more errors than chance"
                f" explains{most}."
            )
        families, repaired = self.families(), about[about["repaired"]]
        largest, kind = families.iloc[0], "families" if len(families) > 1 else "family"
        said.append(
            f"Model: errors that similar cells decide form {len(families)} {kind}, the largest of"
            f" {largest['size']} errors, such as {largest.true} taken for {largest.predicted}."
        )
        if len(repaired):
            said.append(
                f"Suppressing cells repairs {len(repaired):,} of {len(self):,} errors, half of them"
                f" with {repaired['cells'].median():g} cells or fewer. The same number of random"
                f" active cells repairs {repaired['chance'].mean():.1%}."
            )
        return [*said, *_cautions(self)]

    def show(self, places: Sequence[int] | None = None, columns: int = 4) -> Figure:
        """Draw errors, the first ones if none are named, each beside what its repair shows."""
        chosen = list(range(min(len(self), 12))) if places is None else [int(p) for p in places]
        lines = max(1, -(-len(chosen) // columns))
        figure = plt.figure(figsize=(2.6 * columns, 1.7 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False)
        plt.close(figure)  # so that a notebook shows it only once
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, place in zip(axes.flat, chosen, strict=False):
            about, ink = self.table.iloc[place], 1 - self.features[place]
            ink = np.asarray(255 * ink, np.uint8)[..., None].repeat(3, 2)
            ax.imshow(np.hstack([np.broadcast_to(self.images[place], ink.shape), ink]))
            cells = int(about.cells)
            few = f"right without {cells} cell{'s' * (cells != 1)}" if about.repaired else "wrong"
            said = f"{about.true}, taken for {about.predicted}\n{few}"
            ax.set_title(said, fontsize=7, parse_math=False)
        return figure


@torch.no_grad()
def explain_errors(
    model: nn.Module,
    loader: Iterable[Any],
    class_names: Sequence[str] | None = None,
    layer: str | nn.Module | None = None,
    output: int | str | None = None,
    most: int = 500,
    progress: bool = True,
) -> Diagnosis:
    """Find the errors of a model, and for each the cells that decide it.

    Memory does not grow with the number of images, but for small pictures and sets of cells of the
    errors that are explained, at most `most`. Others are counted.

    Args:
        model: any that maps a batch of images to logits.
        loader: of batches (images, labels, ...); a `DataLoader`, or a list of such pairs.
        class_names: names of the classes; their numbers if None.
        layer: the layer whose cells are asked about (see `record`).
        output: place or name of the logits, of a model that returns more.
        most: the number of errors that are explained, the first ones; of more, shuffle the loader.
        progress: whether to show a progress bar.

    Raises:
        UserError: a model or images that `record` refuses, labels that are no classes, or another
            number of names than of classes.
    """
    wrong, parts, left = list[bool](), list[dict[str, Any]](), most
    counts, sums = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.float64)
    if most < 0:
        raise UserError(f"most {most} is negative: a number of errors is 0 or more")
    for images, labels in _batches(loader, progress):
        for weight in model.parameters() if isinstance(model, nn.Module) else ():
            images = images.to(weight.device)
        trace = record(model, images, layer, output)
        classes = trace.network.classes
        names = list(map(str, range(classes) if class_names is None else class_names))
        if len(set(names)) != classes or len(names) != classes:
            raise UserError(f"class_names are {len(set(names))}, the model has {classes} classes")
        outside = labels[(labels < 0) | (labels >= classes)]
        if len(outside):
            raise UserError(f"label {int(outside[0])} is not one of the classes 0 to {classes - 1}")
        labels = labels.to(trace.logits.device, torch.int64)
        right, pairs = trace.predicted == labels, labels * classes + trace.predicted
        sure = trace.probabilities.amax(1)[right].double()
        counts = counts + torch.bincount(pairs, minlength=classes**2).cpu()
        sums = sums + torch.bincount(labels[right], sure, classes).cpu()
        missed = right.logical_not().cpu()
        rows = missed.nonzero()[:left, 0]
        if len(rows):
            parts.append(_explained(trace[rows], labels[rows], len(wrong) + rows))
        left -= len(rows)
        wrong += missed.tolist()
    if not wrong:
        raise UserError("the loader gave no images: nothing can be explained")
    if not parts:
        one = _explained(trace[:1], labels[:1], labels[:1].cpu())
        parts = [{name: values[:0] for name, values in one.items()}]
    table = pd.concat([part.pop("table") for part in parts])
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    confusion = pd.DataFrame(counts.reshape(classes, classes).numpy(), names, names)
    rights = np.diag(confusion)
    usual = np.where(rights > 0, sums.numpy() / np.maximum(rights, 1), np.inf)
    table["suspect"] = arrays.pop("surest") >= usual[table["predicted"]]
    table[["true", "predicted"]] = table[["true", "predicted"]].map(names.__getitem__)
    errors = Diagnosis(table, trace.network.tier, np.array(wrong), confusion, **arrays)
    for sentence in _cautions(errors):
        warnings.warn(sentence, stacklevel=3)  # of the caller
    return errors


def _batches(loader: Iterable[Any], progress: bool) -> Iterable[tuple[Tensor, Int[Tensor, "n"]]]:
    """Yield a few images and their labels at a time."""
    for batch in tqdm(loader, "explaining", unit="batch", disable=not progress):
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            raise UserError(
                f"the loader gave a {type(batch).__name__}: pass pairs (images, labels)"
            )
        try:
            images, labels = torch.as_tensor(batch[0]), torch.as_tensor(batch[1])
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"the loader gave no tensors ({error}): pass images, labels") from None
        if labels.shape != images.shape[:1] or labels.is_floating_point():
            raise UserError(
                f"labels have shape {tuple(labels.shape)} and dtype {labels.dtype}: pass the number"
                f" of a class for each of {len(images)} images"
            )
        yield from zip(images.split(PART), labels.split(PART), strict=True)


def _explained(trace: Trace, labels: Int[Tensor, "m"], places: Int[Tensor, "m"]) -> dict[str, Any]:
    """Return what `Diagnosis` says of some images."""
    found, contrast = repair(trace, labels), backtrack(trace, None, Contrastive(labels)).pixels
    random = by_chance(trace.network, trace.maps, found.pixels, DRAWS)
    kept = torch.full_like(trace.logits[:, 0], torch.nan)
    if trace.network.dense:
        both = backtrack(trace).pixels, trace.maps != 0
        kept = torch.div(*(pixels.flatten(1).sum(1) for pixels in both))
    try:
        drawn = track_features(trace, found.pixels).abs().mean(1, keepdim=True)
    except UserError:  # the deconvnet has no way back
        drawn = (trace.maps * found.pixels).abs().sum(1, keepdim=True)
    shares = contributions(trace, None, against=labels).flatten(2)
    colours = 3 if trace.images.shape[1] >= 3 else 1
    columns = {
        "true": labels,
        "predicted": trace.predicted,
        "margin": margin(trace.logits, labels),
        "suspect": torch.zeros_like(labels, dtype=torch.bool),  # not known yet
        "cells": found.size,
        "repaired": found.repaired,
        "minimal": found.minimal,
        "chance": (random == labels).float().mean(0),
        "contrastive": contrast.flatten(1).sum(1),
        "contrastive_repairs": rescore(trace, contrast).argmax(1) == labels,
        "kept": kept,
    }
    arrays = {
        "surest": trace.probabilities.amax(1),
        "images": (255 * _small(trace.images[:, :colours], trace) + 0.5).byte(),
        "features": _small(drawn, trace)[..., 0],
        "repair": found.pixels,
        "contrastive": contrast,
        "decisive": torch.cat(
            [normalize(sums, dim=1) for sums in (shares.sum(2), shares.sum(1))], 1
        ),
    }
    index = pd.Index(places.numpy(), name="image")
    table = pd.DataFrame({name: _plain(each) for name, each in columns.items()}, index)
    return {"table": table, **{name: _plain(each) for name, each in arrays.items()}}


def _plain(values: Tensor) -> Shaped[np.ndarray, "..."]:
    return np.asarray((values.float() if values.is_floating_point() else values).cpu())


def _small(pictures: Float[Tensor, "m c y x"], trace: Trace) -> Float[Tensor, "m j i c"]:
    """Return pictures in a size that is kept, each from its least value, 0, to its largest, 1."""
    share = min(1.0, SIDE / max(trace.images.shape[2:]))
    size = [max(1, round(share * side)) for side in trace.images.shape[2:]]
    if not len(pictures):
        return pictures.new_zeros(0, *size, pictures.shape[1])
    shrunk = interpolate(pictures.float(), size, mode="bilinear", antialias=True)
    low, high = shrunk.amin((1, 2, 3), keepdim=True), shrunk.amax((1, 2, 3), keepdim=True)
    return ((shrunk - low) / (high - low).clamp(min=1e-12)).permute(0, 2, 3, 1)


def _cautions(errors: Diagnosis) -> Iterable[str]:
    """Yield a sentence for each rule whose answer says nothing."""
    kept = errors.table["kept"].dropna()
    if len(kept) and kept.mean() > ALWAYS:
        yield (
            f"Algorithm 1 keeps {kept.mean():.0%} of the active cells, so it does not say what"
            " decides an error. Go by the repair and the contrastive cells."
        )
    if len(errors) and not errors.table["repaired"].any():
        yield "No set of cells repairs an error: what decides them lies below. Try another layer."
