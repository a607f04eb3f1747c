"""Chapter 9: the fewest cells that repair an error, by the way of choosing them."""

from collections.abc import Mapping

import pandas as pd
import torch
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from torch import Tensor

from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.cases import RULES, Pairs, counted, pixel_sets
from tinyvgg.chapters.statistics import proportion_interval
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.repairs import Repair
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
SET = "repair set up to this size"


def rankings(pairs: Pairs, seed: int) -> dict[str, Float[Tensor, "n c h w"]]:
    """Score the cells of each error by rankings, those that know more of the classes first."""
    maps = pairs.wrong.maps
    drawn = torch.rand(maps.shape, generator=torch.Generator().manual_seed(seed))
    return {
        "contrastive": contributions(pairs.wrong, None, against=pairs.labels),
        "contribution": contributions(pairs.wrong),
        "largest": maps,
        "random": (maps > 0) * drawn,
    }


def curve_table(pairs: Pairs, found: Repair, seed: int) -> pd.DataFrame:
    """Return the share of errors repaired, by the number of cells suppressed and their ranking.

    The interval is Wilson's. The repair set counts for every number from its own size on.
    """
    answers = {
        (name, count): rescore(pairs.wrong, top_pixels(scores, count)).argmax(1) == pairs.labels
        for name, scores in rankings(pairs, seed).items()
        for count in COUNTS
    }
    answers |= {(SET, count): found.repaired & (found.size <= count) for count in COUNTS}
    return pd.DataFrame([_share(*place, right) for place, right in answers.items()])


def set_points(pairs: Pairs) -> pd.DataFrame:
    """Return the paper's sets (published cutoff) in the columns of `curve_table`: mean sizes."""
    sets, rows = pixel_sets(pairs, RULES["cutoff"]), []
    for name, pixels in (("unique", sets.unique), ("common", sets.common)):
        size = float(counted(pixels).double().mean())
        right = rescore(pairs.wrong, pixels).argmax(1) == pairs.labels
        rows.append(_share(name, size, right))
    return pd.DataFrame(rows)


def _share(chosen: str, pixels: float | int, right: Bool[Tensor, "n"]) -> dict[str, object]:
    count, share = int(right.sum()), float(right.double().mean())
    interval = proportion_interval(count, len(right))._asdict()
    return {"chosen": chosen, "pixels": pixels, "repaired": count, "share": share, **interval}


LINES = {
    SET: (style.RED, "-", 4.0),
    "contrastive": (style.BLUE, "-", 2.0),
    "contribution": (style.GREEN, "--", 1.5),
    "largest": (style.PURPLE, "-.", 1.5),
    "random": (style.GRAY, ":", 1.5),
}
"""Colour, dashes and width of each curve; curves that coincide can all be seen."""
MARKS = {"unique": "s", "common": "o"}


@style.styled()
def curves_figure(curves: Mapping[str, pd.DataFrame], points: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the share of errors repaired against the number of cells suppressed, by task."""
    figure, axes = style.grid(1, len(curves), aspect=0.85 if len(curves) > 1 else 0.5)
    for ax, (task, table) in zip(axes[0], curves.items(), strict=True):
        for name, (colour, dashes, width) in LINES.items():
            part = table[table["chosen"] == name]
            x = part["pixels"].to_numpy(float)
            look = {"color": colour, "linewidth": width, "label": name}
            ax.plot(x, part["share"], dashes, marker=".", **look)
            ax.fill_between(x, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
        for row in points[task].to_dict("records"):
            look = {"color": style.ORANGE, "label": f"{row['chosen']} cells"}
            ax.plot(row["pixels"], row["share"], MARKS[row["chosen"]], **look)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set(title=paper.TASK_NAMES[task], xlabel="cells suppressed", ylim=(-0.03, 1.03))
    axes[0, 0].set_ylabel("errors repaired")
    legend = axes[0, 0].get_legend_handles_labels()
    figure.legend(*legend, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def examples_figure(run: Run, pairs: Pairs, found: Repair, most: int = 6) -> Figure | None:
    """Draw errors with the smallest repairs, the tracked features of these, and look-alikes."""
    smallest_first = found.size.argsort(stable=True)
    order = smallest_first[found.repaired[smallest_first]][:most].tolist()
    if not order:
        return None
    cases, images = [pairs.cases[place] for place in order], run.faces.images
    names = [style.short(name) for name in run.classes]
    inks = style.strength(track_features(pairs.wrong[order], found.pixels[order])).numpy()
    sizes = map(style.in_words, found.size[order].tolist())
    rows = [
        ("", [(f"taken for\n{names[case.predicted]}", images[case.row]) for case in cases]),
        ("", list(zip(sizes, inks, strict=True))),
        ("", [(f"right:\n{names[case.true]}", images[case.lookalike]) for case in cases]),
    ]
    figure = style.pictures(rows, cell=style.WIDTH / most, aspect=1.35)
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure
