"""Chapter 6: where tracked features lie, and how they differ from those that nobody selected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tinyvgg import files, paper
from tinyvgg.backtracking import LABELS, Rule
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import Followed
from tinyvgg.chapters.cases import Pairs, counted, pixel_sets, random_pixels
from tinyvgg.chapters.deconvolution import correlations
from tinyvgg.chapters.interventions import parts_seen, showing
from tinyvgg.chapters.statistics import Estimate, Interval, Networks, estimate, read_tables
from tinyvgg.chapters.verdicts import judge, mean_with_interval
from tinyvgg.contribution import top_pixels
from tinyvgg.deconvolution import deconvolve
from tinyvgg.faces.sources import SYNTHETIC
from tinyvgg.trace import Trace
from tinyvgg.tracking import track_features
from tinyvgg.training.runs import Run

FEATURES = ("eyes", "nose", "cheeks", "mouth")
"""The parts of the face that the paper names."""
TOGETHER = "eyes, nose, cheeks, mouth"
FACE = {
    **{name: (name.upper(),) for name in FEATURES},
    "rest of the face": ("FOREHEAD", "BROWS", "CHIN"),
}
BESIDE = {"ears, hair, neck": ("EARS", "HAIR", "NECK"), "background": ("BACKGROUND",)}
"""Regions of an image by the renderer's parts, on and beside the face."""
MOST = 0.5
COLUMNS = 8
TILE = 64
ERRORS = 5
SETS = {
    "literal": LABELS["literal"],
    "cutoff": LABELS["cutoff"],
    "largest": "largest, same number",
    "random": "random, same number",
    "whole": "all maps",
    "activation": "activation of the maps",
    "gradient": "gradient of the logit",
}


Regions = Mapping[str, Bool[np.ndarray, "m h w"]]
"""The pixels of some images that show each part of the face, as the renderer knows them."""


@dataclass(frozen=True, eq=False)
class Tracked:
    """Tracked features of a run's errors for several sets of cells.

    Sets are those of both rules, and the same number of cells as the cutoff keeps: of the
    ``largest`` activation, and active ones at ``random``. The ink of ``whole`` projects all maps.
    """

    run: Run
    trace: Trace
    pixels: Mapping[str, Bool[Tensor, "n c h w"]]
    ink: Mapping[str, Float[Tensor, "n y x"]]

    def __len__(self) -> int:
        return len(self.trace)

    @property
    def rows(self) -> Int[np.ndarray, "n"]:
        """Rows of the errors in the faces."""
        return np.asarray(self.run.split.test[self.run.errors])

    @property
    def names(self) -> list[str]:
        """True and predicted class of each error, short."""
        names = [style.short(name) for name in self.run.classes]
        true, predicted = self.run.labels[self.run.errors], self.run.predicted[self.run.errors]
        return [f"{names[t]} > {names[p]}" for t, p in zip(true, predicted, strict=True)]


def track(run: Run, followed: Followed, seed: int = 0) -> Tracked:
    """Track the pixels that both rules and both controls find in the errors of a run."""
    trace = followed.trace
    pixels = {rule: followed.pixels(rule) for rule in followed.found}
    counts = counted(pixels["cutoff"])
    pixels["largest"] = top_pixels(trace.maps, counts)
    pixels["random"] = random_pixels(trace.maps, counts, seed)
    projected = {name: track_features(trace, chosen) for name, chosen in pixels.items()}
    projected["whole"] = deconvolve(trace)
    return Tracked(run, trace, pixels, {n: style.strength(p) for n, p in projected.items()})


def tracked_table(tracked: Tracked) -> pd.DataFrame:
    """Measure the features of each set and image.

    ``left`` is the share of the active pixels that stay in M', ``strength`` the ink in units of
    that of the whole projection, and ``with_*`` the correlation with other sets' features.
    """
    active = counted(tracked.trace.maps > 0).double()
    total = tracked.ink["whole"].flatten(1).sum(1)
    parts = {}
    for name, pixels in tracked.pixels.items():
        own = tracked.ink[name]
        columns = {
            "pixels": counted(pixels),
            "left": 1 - counted(pixels).double() / active,
            "strength": own.flatten(1).sum(1) / total,
            "with_whole": correlations(own, tracked.ink["whole"]),
            "with_largest": correlations(own, tracked.ink["largest"]),
            "with_random": correlations(own, tracked.ink["random"]),
        }
        parts[name] = pd.DataFrame(columns)
    return pd.concat(parts, names=["set", "image"]).reset_index()


def tracked_summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Average `tracked_table` by task and set, the first correlation with its 95 % interval."""
    rows = {
        (paper.TASK_NAMES[task], SETS[str(name)]): {
            "cells": f"{part['pixels'].mean():,.0f}",
            "active cells left": f"{part['left'].mean():.1%}",
            "ink, all maps = 1": f"{part['strength'].mean():.2f}",
            "correlation with all maps": mean_with_interval(part["with_whole"]),
            "with the largest": paper.show(float(part["with_largest"].mean()), "share"),
            "with random": paper.show(float(part["with_random"].mean()), "share"),
        }
        for task, table in tables.items()
        for name, part in table.groupby("set", sort=False)
        if name != "literal"
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis(["task", "cells from"]) if rows else table


def tracked_numbers(tracked: Tracked, table: pd.DataFrame) -> dict[str, Estimate]:
    """Return the numbers of A2, means over the errors; the table is `tracked_table`.

    ``left_literal`` is the share of errors in whose maps the printed rule's suppression leaves a
    value other than zero.
    """
    kept = (tracked.trace.maps != 0) & ~tracked.pixels["literal"]
    wide = table.pivot(index="image", columns="set")
    whole = wide["with_whole"]
    found = {
        "left_literal": kept.flatten(1).any(1),
        "cutoff_less_like_whole": whole["random"] - whole["cutoff"],
        "literal_with_whole": whole["literal"],
        "cutoff_with_whole": whole["cutoff"],
        "cutoff_with_largest": wide["with_largest"]["cutoff"],
        "cutoff_with_random": wide["with_random"]["cutoff"],
        "random_with_whole": whole["random"],
    }
    return {name: estimate(values) for name, values in found.items()}


def find_regions(tracked: Tracked) -> Regions:
    """Return the regions of synthetic errors, of no image for others: nobody knows these."""
    if tracked.run.faces.kind != SYNTHETIC:
        return by_parts(np.zeros((0, *tracked.trace.images.shape[2:]), np.uint8))
    return by_parts(parts_seen(tracked.run.faces, tracked.rows))


def by_parts(seen: UInt8[np.ndarray, "n h w"]) -> Regions:
    """Return regions, from the `FacePart` of each pixel."""
    of = FACE | BESIDE | {TOGETHER: tuple(map(str.upper, FEATURES))}
    of["face"] = sum(FACE.values(), ())
    return {name: showing(seen, parts) for name, parts in of.items()}


def region_table(tracked: Tracked, regions: Regions) -> pd.DataFrame:
    """Measure each set's ink in each region: its share, that of the area, and their ratio.

    The ratio is the ``density``: 1 for ink that is spread evenly, NaN without ink or without such a
    region. Beside the sets stand the activation of the last maps, and the gradient of the predicted
    class's logit.
    """
    size = tracked.trace.images.shape[2:]
    inks = {
        **tracked.ink,
        "activation": interpolate(tracked.trace.maps.sum(1, keepdim=True), tuple(size))[:, 0],
        "gradient": style.strength(logit_gradient(tracked.run.model, tracked.trace)),
    }
    parts = {}
    for name, strengths in inks.items():
        for region, inside in regions.items():
            mask = torch.from_numpy(inside).double()
            values = strengths[: len(mask)].double()
            ink, area = (values * mask).sum((1, 2)) / values.sum((1, 2)), mask.mean((1, 2))
            found = {"ink": ink, "area": area, "density": ink / area}
            parts[name, region] = pd.DataFrame(found)
    return pd.concat(parts, names=["set", "region", "image"]).reset_index()


def logit_gradient(model: nn.Module, trace: Trace) -> Float[Tensor, "n 3 h w"]:
    """Return the gradient of each image's predicted logit by the image."""
    found = []
    for images, classes in zip(trace.images.split(32), trace.predicted.split(32), strict=True):
        images = images.detach().requires_grad_()
        with torch.enable_grad():
            logits = model(images).gather(1, classes[:, None])
        found.append(torch.autograd.grad(logits.sum(), images)[0])
    return torch.cat(found) if found else torch.zeros_like(trace.images)


def region_numbers(table: pd.DataFrame) -> dict[str, Estimate]:
    """Return the numbers of F8, means over the errors; the table is `region_table`."""
    if table.empty:
        return {}
    wide = table.pivot(index="image", columns=["set", "region"])
    density = wide["density"]
    features = density["cutoff", TOGETHER]
    found = {
        "ink_on_features": features,
        "ink_above_largest": features - density["largest", TOGETHER],
        "ink_above_random": features - density["random", TOGETHER],
    }
    for region in FEATURES:
        found[f"ink_{region}"] = density["cutoff", region]
        found[f"gradient_{region}"] = density["gradient", region]
    for region in ("face", "background"):
        found[f"ink_share_{region}"] = wide["ink", "cutoff", region]
        found[f"area_share_{region}"] = wide["area", "cutoff", region]
    return {name: estimate(values) for name, values in found.items()}


def on_background(task: str, table: pd.DataFrame) -> str:
    """Say how much of each kind of ink lies on the background, from the means of `region_table`.

    It is empty where nobody knows which pixels show the background, or where there is no ink.
    """
    of = table[table["region"] == "background"].groupby("set")[["ink", "area"]].mean()
    if of.empty or of["ink"].isna().any():
        return ""
    ink = {name: f"{share:.0%}" for name, share in of["ink"].items()}
    return (
        f"For {paper.TASK_NAMES[task]}, the background is {of['area']['cutoff']:.0%} of the area."
        f" It has {ink['cutoff']} of the tracked ink, {ink['random']} of the ink of random cells,"
        f" {ink['activation']} of the activation of the last maps, and {ink['gradient']} of the"
        " gradient of the logit."
    )


CROPS = "synthetic", "synthetic:crop=head"
OF_CROPS = (
    *("t2.subject.accuracy", "t2.emotion.accuracy", "f8.subject.area_share_face"),
    *("f8.subject.area_share_background", "f8.subject.ink_share_background"),
)
"""The numbers in which networks of the two crops are compared, beside the verdict."""


def crop_table(profile: str) -> pd.DataFrame:
    """Judge F8 by the recorded networks of each crop, each crop by itself; empty without both.

    Each test of the parts together has its mean over networks, a 95 % interval, and the number of
    networks in which it is as asserted; `OF_CROPS` mean and standard deviation.
    """
    rows, table = read_tables([files.results() / "seeds.csv"]), {}
    for crop in CROPS:
        networks = Networks(rows[(rows["profile"] == profile) & (rows["faces"] == crop)])
        verdict = judge(networks)["F8"]
        column = {"verdict on F8": verdict.verdict}
        for test, found in verdict.parts:
            if test.number.rpartition("_")[2] in FEATURES:
                continue
            label = paper.describe(test.number).label
            column[label] = "not measured"
            if found.mean is not None:
                bounds = paper.show_interval(cast(Interval, (found.low, found.high)), "share")
                agreeing = f"{test.asserted} {test.bound:g} in {found.agreeing} of {found.networks}"
                column[label] = f"{paper.show(found.mean, 'share')} ({bounds}), {agreeing}"
        for about in map(paper.describe, OF_CROPS):
            column[about.full_label] = paper.show_spread(networks, about.key)
        if len(networks):
            table[f"{crop}, {len(networks)} networks"] = column
    return pd.DataFrame(table if len(table) == len(CROPS) else {})


def pairs_sheet(
    images: UInt8[np.ndarray, "n h w 3"], ink: Float[Tensor, "n h w"]
) -> UInt8[np.ndarray, "H W 3"]:
    """Lay images out with their features at their right, `COLUMNS` pairs a row.

    Images with more than `TILE` pixels a side lose some of their rows and columns.
    """
    step = max(1, images.shape[1] // TILE)
    tops = ink.amax((1, 2), keepdim=True).clamp_min(1e-12)
    features = (255 - 255 * ink / tops).round().numpy().astype(np.uint8)
    tiles = np.concatenate([images, np.repeat(features[..., None], 3, 3)], 2)[:, ::step, ::step]
    pad = max(2, tiles.shape[1] // 6)
    margins = (0, 0), (pad, 0), (0, pad), (0, 0)
    return style.tiled(np.pad(tiles, margins, constant_values=255), COLUMNS, 255.0)


@style.styled()
def gallery(tracked: Tracked, rule: str, page: int = 0, size: int = 120) -> Figure | None:
    """Draw misclassified images beside their tracked features, a page of them (Figure 8)."""
    places = np.arange(len(tracked))[page * size : (page + 1) * size]
    if not len(places):
        return None
    sheet = pairs_sheet(tracked.run.faces.images[tracked.rows[places]], tracked.ink[rule][places])
    aspect = sheet.shape[0] / sheet.shape[1] + 0.05
    figure, ((ax,),) = style.grid(1, 1, cell=style.WIDTH, aspect=aspect)
    ax.imshow(sheet, interpolation="antialiased")
    name = f"{paper.TASK_NAMES[tracked.run.task]}, {style.called(tracked.run.faces)}"
    shown = f"errors {places[0] + 1} to {places[-1] + 1} of {len(tracked)}"
    ax.set_title(f"{name}, {shown}, {SETS[rule]}")
    width = sheet.shape[1] / COLUMNS
    height = sheet.shape[0] / -(-len(places) // COLUMNS)
    for tile, name in enumerate(tracked.names[places[0] : places[-1] + 1]):
        left, top = tile % COLUMNS * width, (tile // COLUMNS + 0.13) * height
        ax.text(left, top, name, fontsize=4.5, va="bottom")
    style.clear(ax)
    return figure


def beside_lookalikes(run: Run, pairs: Pairs, rule: Rule) -> Figure | None:
    """Draw errors and their right look-alikes, a column a pair, with the features of their cells.

    The last row has the features of the cells that are unique to the error. Each picture has its
    own scale.
    """
    if not len(pairs):
        return None
    sets, images, cases = pixel_sets(pairs, rule), run.faces.images, pairs.cases
    names = [style.short(name, 13) for name in run.classes]

    def features(trace: Trace, pixels: Tensor) -> list[tuple[str, np.ndarray]]:
        return [("", ink) for ink in style.strength(track_features(trace, pixels)).numpy()]

    rows = [
        ("error", [(f"taken for\n{names[case.predicted]}", images[case.row]) for case in cases]),
        ("its features", features(pairs.wrong, sets.wrong)),
        ("look-alike", [(f"right:\n{names[case.true]}", images[case.lookalike]) for case in cases]),
        ("its features", features(pairs.right, sets.right)),
        ("unique to\nthe error", features(pairs.wrong, sets.unique)),
    ]
    return style.pictures(rows, cell=style.WIDTH / max(6, len(pairs)))


def feature_sets(tracked: Tracked, published: UInt8[np.ndarray, "n h w"]) -> Figure | None:
    """Draw the features of each set of cells, and those of the cutoff in the published display."""
    if not len(tracked):
        return None
    sets, rows = ["cutoff", "largest", "random", "whole"], list[style.Row]()
    titles = ["", *(SETS[name].replace(" ", "\n", 1) for name in sets), "cutoff, as\npublished"]
    for place in np.linspace(0, len(tracked) - 1, min(ERRORS, len(tracked))).astype(int):
        shown = [
            tracked.run.faces.images[tracked.rows[place]],
            *(tracked.ink[name][place].numpy() for name in sets),
            published[place],
        ]
        label = tracked.names[place].replace(" > ", "\n> ")
        rows.append((label, list(zip([""] * len(titles) if rows else titles, shown, strict=True))))
    return style.pictures(rows, aspect=1.08)


def average_features(tracked: Tracked, regions: Regions) -> Figure | None:
    """Draw the mean image of the errors at each angle and the mean ink of each set.

    Without angles all errors are averaged together. Outlines are those of the parts that most
    images of the angle have there.
    """
    if not len(tracked):
        return None
    faces, sets = tracked.run.faces, ("cutoff", "random", "whole")
    groups = np.array(["all errors"] * len(tracked))
    if faces.index.has("angle"):
        groups = np.array([f"{angle}°" for angle in faces.index.table["angle"].iloc[tracked.rows]])
    of = {group: groups == group for group in sorted(set(groups), key=lambda g: (len(g), g))}
    images = [(g, faces.images[tracked.rows[mine]].mean(0) / 255) for g, mine in of.items()]
    inks = [
        (SETS[name], [("", tracked.ink[name][mine].mean(0).numpy()) for mine in of.values()])
        for name in sets
    ]
    figure = style.pictures([("mean image", images), *inks], cell=1.7, aspect=1.05)
    for ax, mine in zip(figure.axes, list(of.values()) * (1 + len(sets)), strict=False):
        _outline(ax, regions, mine)
    return figure


def _outline(ax: Axes, regions: Regions, mine: Bool[np.ndarray, "n"]) -> None:
    for name in FEATURES if len(regions[FEATURES[0]]) else ():
        shares = regions[name][mine].mean(0)
        if shares.min() < MOST < shares.max():
            ax.contour(shares, [MOST], colors=[style.BLUE], linewidths=0.8)
