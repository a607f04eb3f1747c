"""Figures of tracked features: galleries, averages, and how they are displayed."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from tinyvgg.cases import Pairs, pixel_sets
from tinyvgg.figures import style
from tinyvgg.findings.tracking import (
    NO_REGIONS,
    REGIONS,
    SETS,
    Tracked,
    average_by_angle,
    frontal,
    names_of,
    published_display,
    rows_of,
)
from tinyvgg.rules import Rule
from tinyvgg.runs import Run
from tinyvgg.tracking import track_features

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
