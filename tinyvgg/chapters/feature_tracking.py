"""Where tracked features lie, and how they differ from those of pixels that nobody selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from tinyvgg import paper
from tinyvgg.backtracking import Rule
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import Followed
from tinyvgg.chapters.cases import Pairs, counted, pixel_sets, random_pixels
from tinyvgg.chapters.deconvolution import correlations, ink
from tinyvgg.chapters.statistics import Interval, bootstrap_interval
from tinyvgg.chapters.verdicts import Part, Verdict, mean_with_interval, weigh
from tinyvgg.contribution import top_pixels
from tinyvgg.deconvolution import PUBLISHED, deconvolve
from tinyvgg.trace import Trace
from tinyvgg.tracking import suppress, track_features
from tinyvgg.training.runs import Run

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
        return [weigh(claim, "this run has no misclassified images") for claim in ("A2", "F8")]
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
        return weigh("F8", "the source has no task of identity")
    if not identity.run.faces.framed:
        return weigh("F8", "where eyes and mouth are is known of cropped faces only")
    found = region_densities(region_table(identity), "cutoff")
    if not found:
        return weigh("F8", "no misclassified face seen from the front")
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


COLUMNS = 8
TILE = 64
BESIDE = ("error", "its features", "look-alike", "its features", "unique to\nthe error")
NO_PAIR = "No error of this run has a right look-alike."
NOTHING = "No image of this run is misclassified: there is nothing to track."


def darkness(ink: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Ink as gray levels: none is white, the strongest of the image black."""
    top = max(float(ink.max()), 1e-12)
    shown: UInt8[np.ndarray, "h w"] = (255 - 255 * ink / top).round().astype(np.uint8)
    return shown


def pairs_sheet(
    images: UInt8[np.ndarray, "n h w 3"], ink: Float[Tensor, "n h w"], columns: int
) -> UInt8[np.ndarray, "H W 3"]:
    """Each image with its features at its right, `columns` pairs a row.

    Of images with more than `TILE` pixels a side only some rows and columns are taken.
    """
    step = max(1, images.shape[1] // TILE)
    tiles = [
        np.hstack([image, np.repeat(darkness(features)[..., None], 3, 2)])[::step, ::step]
        for image, features in zip(images, ink.numpy(), strict=True)
    ]
    height, width, _ = tiles[0].shape
    pad = max(2, height // 6)
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + pad), columns * (width + pad), 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + pad), place % columns * (width + pad)
        sheet[top + pad : top + pad + height, left : left + width] = tile
    return sheet


@style.styled()
def gallery(tracked: Tracked, rule: str, page: int = 0, size: int = 120) -> style.Drawn:
    """Misclassified images beside their tracked features, a page of them (Figure 8)."""
    total = len(tracked)
    places = np.arange(page * size, min(total, (page + 1) * size))
    if not total:
        return style.Missing(NOTHING)
    if not len(places):
        return style.Missing(f"All {total} misclassified images are shown above.")
    rows, names = rows_of(tracked.run), _short_names(tracked.run)
    sheet = pairs_sheet(tracked.run.faces.images[rows[places]], tracked.ink[rule][places], COLUMNS)
    ratio = sheet.shape[0] / sheet.shape[1]
    figure, axes = style.grid(1, 1, cell=style.WIDTH, aspect=ratio + 0.05)
    axes[0, 0].imshow(sheet, interpolation="antialiased")
    task = style.TASK_NAMES.get(tracked.run.task, tracked.run.task)
    axes[0, 0].set_title(
        f"{task}, {style.called(tracked.run.faces)}, errors {places[0] + 1} to {places[-1] + 1}"
        f" of {total}, {SETS[rule]}"
    )
    width = sheet.shape[1] / COLUMNS
    height = sheet.shape[0] / -(-len(places) // COLUMNS)
    for tile, place in enumerate(places):
        left, top = tile % COLUMNS * width, tile // COLUMNS * height
        axes[0, 0].text(left, top + 0.13 * height, names[place], fontsize=4.5, va="bottom")
    style.clear(axes[0, 0])
    return figure


def _short_names(run: Run) -> list[str]:
    return [" > ".join(map(style.short, name.split(" > "))) for name in names_of(run)]


@style.styled()
def beside_lookalikes(run: Run, pairs: Pairs, rule: Rule) -> style.Drawn:
    """Errors and their right look-alikes, a column a pair, with the features of their pixels.

    Rows: the error, what its backtracked pixels show, the look-alike, what its pixels show, and
    what the pixels show that are unique to the error. Each picture has its own scale.
    """
    if not len(pairs):
        return style.Missing(NO_PAIR)
    sets, names = pixel_sets(pairs, rule), [style.short(name, 13) for name in run.classes]
    images = [np.asarray(run.faces.images[case.row]) for case in pairs.cases]
    others = [np.asarray(run.faces.images[case.lookalike or 0]) for case in pairs.cases]
    wrong = style.strength(track_features(pairs.wrong, sets.wrong))
    right = style.strength(track_features(pairs.right, sets.right))
    unique = style.strength(track_features(pairs.wrong, sets.unique))
    figure, axes = style.grid(5, len(pairs), cell=style.WIDTH / max(6, len(pairs)), aspect=1.15)
    for column, case in enumerate(pairs.cases):
        taken = f"taken for\n{names[case.predicted]}"
        style.show_image(axes[0, column], images[column], taken)
        style.show_map(axes[1, column], wrong[column])
        style.show_image(axes[2, column], others[column], f"right:\n{names[case.true]}")
        style.show_map(axes[3, column], right[column])
        style.show_map(axes[4, column], unique[column])
    for ax, words in zip(axes[:, 0], BESIDE, strict=True):
        ax.set_ylabel(words, fontsize=7)
    return figure


@style.styled()
def feature_sets(tracked: Tracked, count: int = 5) -> style.Drawn:
    """Features of both rules, of random pixels, and of all maps, and the published display."""
    if not len(tracked):
        return style.Missing(NOTHING)
    places = np.linspace(0, len(tracked) - 1, min(count, len(tracked))).astype(int)
    rows, names = rows_of(tracked.run), _short_names(tracked.run)
    shown, _ = published_display(tracked.trace, tracked.pixels["cutoff"])
    titles = [SETS["whole"], *(SETS[name] for name in tracked.pixels), "cutoff, as published"]
    figure, axes = style.grid(len(places), 1 + len(titles), aspect=1.08)
    for row, place in zip(axes, places, strict=True):
        style.show_image(row[0], tracked.run.faces.images[rows[place]])
        row[0].set_ylabel(names[place].replace(" > ", "\n> "), fontsize=7)
        for ax, name in zip(row[1:], ("whole", *tracked.pixels), strict=False):
            style.show_map(ax, tracked.ink[name][place].numpy())
        style.show_image(row[-1], shown[place])
    for ax, title in zip(axes[0, 1:], titles, strict=True):
        ax.set_title(title.replace(", ", ",\n"), fontsize=8)
    return figure


@style.styled()
def average_features(tracked: Tracked) -> style.Drawn:
    """Mean image of the errors at each angle and the mean ink of each set, on one scale a row."""
    if not len(tracked):
        return style.Missing(NOTHING)
    names = ["cutoff", "random", "whole"]
    found = {name: average_by_angle(tracked, name) for name in names}
    columns = list(found["cutoff"])
    figure, axes = style.grid(1 + len(names), len(columns), cell=1.7, aspect=1.05)
    for ax, label in zip(axes[0], columns, strict=True):
        style.show_image(ax, found["cutoff"][label][0], label)
    axes[0, 0].set_ylabel("mean image")
    for row, name in zip(axes[1:], names, strict=True):
        for ax, label in zip(row, columns, strict=True):
            style.show_map(ax, found[name][label][1])
        row[0].set_ylabel(SETS[name])
    if frontal(tracked).any():
        for ax in axes[:, columns.index("90°")]:
            _draw_regions(ax, tracked.trace.images.shape[2])
    return figure


def _draw_regions(ax: Axes, side: int) -> None:
    for boxes in REGIONS.values():
        for top, bottom, left, right in boxes:
            corner = (left * side - 0.5, top * side - 0.5)
            width, height = (right - left) * side, (bottom - top) * side
            box = Rectangle(corner, width, height, fill=False, edgecolor=style.BLUE, linewidth=0.8)
            ax.add_patch(box)


@style.styled()
def region_plot(densities: Mapping[str, Mapping[str, Sequence[float]]]) -> style.Drawn:
    """Density of ink by region: for each set a mean, its lower and its upper bound.

    Args:
        densities: by set, then by region.
    """
    known = {name: regions for name, regions in densities.items() if regions}
    if not known:
        return style.Missing(NO_REGIONS)
    figure, axes = style.grid(1, 1, cell=5.0, aspect=0.6)
    ax = axes[0, 0]
    colours = (style.ORANGE, style.GRAY, style.BLUE, style.GREEN)
    for offset, ((name, regions), colour) in enumerate(zip(known.items(), colours, strict=False)):
        places = np.arange(len(regions)) + 0.15 * (offset - (len(known) - 1) / 2)
        mean, low, high = np.array(list(regions.values())).T
        bars = np.abs(np.stack([mean - low, high - mean]))
        ax.errorbar(places, mean, bars, fmt="o", color=colour, capsize=2, label=SETS[name])
        ax.set_xticks(range(len(regions)), list(regions))
    ax.axhline(1, color=style.GRAY, linewidth=0.5)
    ax.set(ylabel="share of ink / share of area", ylim=(0, None))
    ax.legend()
    return figure
