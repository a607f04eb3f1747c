"""Where tracked features lie, and how they differ from those of pixels that nobody selected."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from tinyvgg import paper
from tinyvgg.claims import Verdict
from tinyvgg.contribution import top_pixels
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.findings.conclusions import Part, mean_with_interval, untestable, weigh
from tinyvgg.findings.deconvolution import correlations, ink
from tinyvgg.metrics import Interval, bootstrap_interval
from tinyvgg.runs import Run
from tinyvgg.sensitivity import Followed
from tinyvgg.suppression import counted, random_pixels
from tinyvgg.trace import Trace
from tinyvgg.tracking import suppress, track_features

REGIONS: Mapping[str, tuple[tuple[float, float, float, float], ...]] = {
    "eyes": ((0.28, 0.44, 0.22, 0.78),),
    "nose": ((0.44, 0.60, 0.40, 0.60),),
    "cheeks": ((0.46, 0.64, 0.20, 0.38), (0.46, 0.64, 0.62, 0.80)),
    "mouth": ((0.62, 0.76, 0.34, 0.66),),
}
"""Top, bottom, left, right of parts of a synthetic face seen from the front, in image sides."""

FRONTAL = 90
SOME = 0.5
LUMA = (0.299, 0.587, 0.114)
NO_REGIONS = "No image here is a misclassified face whose eyes, nose, cheeks and mouth are known."
SETS = {
    "literal": "literal rule",
    "cutoff": "published cutoff",
    "largest": "largest, as many",
    "random": "random, as many",
    "whole": "all of M",
}


@dataclass(frozen=True, eq=False)
class Tracked:
    """Tracked features of n images for several sets of pixels.

    Attributes:
        run: whose errors they are.
        trace: of the errors.
        pixels: by set: ``literal``, ``cutoff``, and as many as the cutoff keeps: ``largest``,
            of the largest activation, and ``random``, active ones at random.
        ink: by set, and ``whole``, the projection of all maps: strength per image pixel.
    """

    run: Run
    trace: Trace
    pixels: Mapping[str, Bool[Tensor, "n c h w"]]
    ink: Mapping[str, Float[Tensor, "n y x"]]

    def __len__(self) -> int:
        return len(self.trace)


def track(run: Run, followed: Followed, seed: int = 0) -> Tracked:
    """Track what both rules find in the errors of a run, and both controls."""
    trace = followed.trace
    pixels = {rule: followed.pixels(rule) for rule in followed.found}
    counts = counted(pixels["cutoff"])
    pixels["largest"] = top_pixels(trace.maps, counts)
    pixels["random"] = random_pixels(trace.maps, counts, seed)
    strengths = {name: ink(track_features(trace, chosen)) for name, chosen in pixels.items()}
    return Tracked(run, trace, pixels, {**strengths, "whole": ink(deconvolve(trace))})


def rows_of(run: Run) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Rows in the faces of the misclassified test images."""
    rows: np.ndarray[tuple[int], np.dtype[np.int64]] = run.split.test[run.errors]
    return rows


def names_of(run: Run) -> list[str]:
    """True and predicted class of each misclassified test image."""
    true, predicted = run.labels[run.errors], run.predicted[run.errors]
    return [f"{run.classes[t]} > {run.classes[p]}" for t, p in zip(true, predicted, strict=True)]


def area_of_ink(strengths: Float[Tensor, "n h w"], share: float = 0.9) -> Float[Tensor, "n"]:
    """Smallest share of the image that holds that share of the ink; NaN where there is none."""
    ordered = strengths.flatten(1).double().sort(1, descending=True).values.cumsum(1)
    total = ordered[:, -1:]
    needed = (ordered < share * total).sum(1) + 1
    part = needed.double() / ordered.shape[1]
    return torch.where(total[:, 0] > 0, part, torch.full_like(part, torch.nan))


def tracked_table(tracked: Tracked) -> pd.DataFrame:
    """One row for each set and image.

    Columns: ``set``, ``image``, ``pixels``; ``left``, the share of active pixels that stay in M';
    ``strength``, ink in units of that of the whole projection; ``with_whole``, correlation with
    the whole projection; ``with_largest`` and ``with_random``, with the features of the controls;
    ``area``, share of the image that holds nine tenths of the ink.
    """
    whole = tracked.ink["whole"]
    on = (tracked.trace.maps > 0).flatten(1).sum(1).double()
    total = whole.flatten(1).sum(1)
    parts = [
        pd.DataFrame(
            {
                "set": name,
                "image": np.arange(len(tracked)),
                "pixels": counted(pixels).numpy(),
                "left": (1 - counted(pixels).double() / on).numpy(),
                "strength": (tracked.ink[name].flatten(1).sum(1) / total).numpy(),
                **{
                    f"with_{other}": correlations(tracked.ink[name], tracked.ink[other]).numpy()
                    for other in ("whole", "largest", "random")
                },
                "area": area_of_ink(tracked.ink[name]).numpy(),
            }
        )
        for name, pixels in tracked.pixels.items()
    ]
    return pd.concat(parts, ignore_index=True)


def tracked_summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Means of `tracked_table` by task and set, correlations with 95 % intervals."""
    rows = {
        (paper.TASK_NAMES.get(task, task), SETS[str(name)]): {
            "images": len(part),
            "pixels": f"{part['pixels'].mean():,.1f}",
            "of the active pixels M' keeps": f"{part['left'].mean():.3f}",
            "ink, whole projection = 1": f"{part['strength'].mean():.3f}",
            "correlation with the whole": mean_with_interval(part["with_whole"]),
            "with largest pixels' features": mean_with_interval(part["with_largest"]),
            "with random pixels' features": mean_with_interval(part["with_random"]),
            "area with 90 % of the ink": paper.show(float(part["area"].mean()), "share"),
        }
        for task, table in tables.items()
        for name, part in table.groupby("set", sort=False)
    }
    if not rows:
        return pd.DataFrame({"images": []})
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["task", "pixels from"])


def tracked_numbers(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Numbers of claim A2 by key."""
    return {
        f"a2.{task}.{name}_{column}": float(table.loc[table["set"] == name, column].mean())
        for task, table in tables.items()
        for name, column in (
            ("literal", "with_whole"),
            ("cutoff", "with_whole"),
            ("cutoff", "with_largest"),
            ("cutoff", "with_random"),
            ("random", "with_whole"),
        )
    }


def frontal(tracked: Tracked) -> Bool[np.ndarray, "n"]:
    """Which errors are faces seen from the front, framed so that their regions are known."""
    index = tracked.run.faces.index
    if not tracked.run.faces.framed or not index.has("angle"):
        return np.zeros(len(tracked), dtype=bool)
    angles: Bool[np.ndarray, "n"] = index.table["angle"].to_numpy()[rows_of(tracked.run)] == FRONTAL
    return angles


def region_mask(region: str, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """The pixels of an image that belong to a region."""
    inside = np.zeros((height, width), dtype=bool)
    for top, bottom, left, right in REGIONS[region]:
        rows = slice(round(top * height), round(bottom * height))
        inside[rows, round(left * width) : round(right * width)] = True
    return inside


def region_table(tracked: Tracked) -> pd.DataFrame:
    """Density of ink in each region of the frontal errors: share of ink over share of area.

    One row for each set, region and image; columns ``set``, ``region``, ``image``, ``density``. 1
    is what ink spread evenly over the image has.
    """
    chosen = np.flatnonzero(frontal(tracked))
    parts = []
    for name, strengths in tracked.ink.items():
        values = strengths[chosen].double().numpy()
        total = values.sum((1, 2))
        for region in REGIONS:
            inside = region_mask(region, *values.shape[1:])
            share = values[:, inside].sum(1) / np.where(total > 0, total, np.nan)
            part = {
                "set": name,
                "region": region,
                "image": chosen,
                "density": share / inside.mean(),
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def region_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean densities with 95 % intervals: regions in rows, sets in columns; empty if unknown."""
    groups = table.dropna().groupby(["region", "set"], sort=False)["density"]
    text = {key: mean_with_interval(part) for key, part in groups}
    if not text:
        return pd.DataFrame()
    found = pd.Series(text).unstack().reindex(index=list(REGIONS))
    return found[[name for name in SETS if name in found]].rename(columns=SETS)


def region_densities(table: pd.DataFrame, name: str) -> dict[str, tuple[float, Interval]]:
    """Mean density of each region with its interval, for one set."""
    part = table[table["set"] == name].dropna()
    return {
        str(region): (float(values.mean()), bootstrap_interval(values.to_numpy(float)))
        for region, values in part.groupby("region", sort=False)["density"]
    }


def region_numbers(task: str, table: pd.DataFrame) -> dict[str, float]:
    """Numbers of claim F8 by key."""
    return {
        f"f8.{task}.density_{region}_{name}": mean
        for name in ("cutoff", "random")
        for region, (mean, _) in region_densities(table, name).items()
    }


def average_by_angle(
    tracked: Tracked, name: str
) -> dict[str, tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]]:
    """Mean image and mean ink of the errors at each angle, or of all where angles are unknown."""
    rows = rows_of(tracked.run)
    index = tracked.run.faces.index
    if index.has("angle"):
        groups = [f"{angle}°" for angle in index.table["angle"].to_numpy()[rows]]
    else:
        groups = ["all errors"] * len(rows)
    of = np.array(groups)
    order = sorted(set(groups), key=lambda group: (len(group), group))
    return {
        group: (
            tracked.run.faces.images[rows[of == group]].mean(0) / 255,
            tracked.ink[name][torch.from_numpy(of == group)].mean(0).numpy(),
        )
        for group in order
    }


@torch.no_grad()
def published_display(
    trace: Trace, pixels: Bool[Tensor, "n c i j"]
) -> tuple[UInt8[np.ndarray, "n h w"], Float[np.ndarray, "n h w"]]:
    """Tracked features as the published code shows them, and the differences before its 8 bits.

    Both projections are made with the code's options and turned gray; of their difference whole
    gray levels are kept, multiplied by 38 modulo 256 and inverted. What the code's projections are
    scaled to is not known: ours are times 256, the scale of the images before they were divided.
    Its last step, more brightness and contrast, is left out.
    """
    gain, levels = (int(paper.number(f"a2.both.code_{name}")) for name in ("gain", "levels"))
    weights = torch.tensor(LUMA).reshape(1, 3, 1, 1)
    with_all, without = (
        (deconvolve(trace, maps, **PUBLISHED) * weights).sum(1) * levels
        for maps in (trace.maps, suppress(trace.maps, pixels))
    )
    difference = (with_all - without).abs().double().numpy()
    wrapped = np.floor(difference).astype(np.int64) * gain % levels
    return (levels - 1 - wrapped).astype(np.uint8), difference


def display_table(tracked: Mapping[str, Tracked], rule: str = "cutoff") -> pd.DataFrame:
    """What the published display does to the tracked features of a rule, by task."""
    return pd.DataFrame.from_dict(
        {
            paper.TASK_NAMES.get(task, task): _displayed(part, rule)
            for task, part in tracked.items()
            if len(part)
        },
        orient="index",
    ).rename_axis("task")


def _displayed(tracked: Tracked, rule: str) -> dict[str, object]:
    shown, difference = published_display(tracked.trace, tracked.pixels[rule])
    gain, levels = (paper.number(f"a2.both.code_{name}") for name in ("gain", "levels"))
    darkness = torch.from_numpy(255.0 - shown)
    honest = pd.Series(correlations(darkness, torch.from_numpy(difference)).numpy())
    return {
        "images": len(tracked),
        "pixels below one level, lost": f"{(difference < 1).mean():.3f}",
        "pixels that wrap around": f"{(np.floor(difference) * gain >= levels).mean():.3f}",
        "correlation of darkness and difference": mean_with_interval(honest),
    }


def verdicts(
    tracked: Mapping[str, Tracked], tables: Mapping[str, pd.DataFrame], agrees: bool
) -> list[Verdict]:
    """A2 and F8.

    Args:
        tracked: by task.
        tables: `tracked_table` by task.
        agrees: whether the algorithm's loop and the package give the same features.
    """
    some = {task: table for task, table in tables.items() if len(table)}
    if not some:
        return untestable(("A2", "F8"), "this run has no misclassified images")
    runs = Part(agrees, "the loop and the package give the same features")
    selects = [_selects(task, table) for task, table in some.items()]
    return [weigh("A2", [runs, *selects]), _spread(tracked)]


def _selects(task: str, table: pd.DataFrame) -> Part:
    literal = table[table["set"] == "literal"]
    empty = int((literal["left"] == 0).sum())
    name = paper.TASK_NAMES.get(task, task)
    fact = (
        f"{name}: the literal rule leaves something of M (nothing is left in {empty} of"
        f" {len(literal)} images)"
    )
    return Part(empty < len(literal) / 2, fact)


def _spread(tracked: Mapping[str, Tracked]) -> Verdict:
    identity = tracked.get("subject")
    if identity is None:
        return untestable(("F8",), "the source has no task of identity")[0]
    if not identity.run.faces.framed:
        return untestable(("F8",), "where eyes and mouth are is known of cropped faces only")[0]
    found = region_densities(region_table(identity), "cutoff")
    if not found:
        return untestable(("F8",), "no misclassified face seen from the front")[0]
    control = region_densities(region_table(identity), "random")
    parts = [
        Part(
            interval.low > SOME,
            f"{region}: {mean:.2f} times the even spread ({interval.low:.2f} to"
            f" {interval.high:.2f}; random pixels {control[region][0]:.2f})",
        )
        for region, (mean, interval) in found.items()
    ]
    return weigh("F8", parts)
