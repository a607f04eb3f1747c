"""How few pixels repair an error, by whichever way of choosing them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter
from torch import Tensor

from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import random_classes
from tinyvgg.chapters.cases import RULES, Pairs, PixelSets, counted, pixel_sets, random_pixels
from tinyvgg.chapters.statistics import proportion_interval
from tinyvgg.chapters.verdicts import mean_with_interval
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.paper import NOTHING
from tinyvgg.repairs import EXHAUSTIVE, Repair, repair, smallest_repair
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
SHOWN = (1, 4, 32)
CANDIDATES = 10
SET = "repair set of that size or smaller"
PLACES = ("common", "unique", "neither")
CLAIMS = {"emotion": "s4"}
"""The claim that the numbers of a task belong to; those of other tasks belong to S3."""


def rankings(pairs: Pairs, seed: int) -> dict[str, Float[Tensor, "n c h w"]]:
    """Scores of the pixels of each error, by ways to rank them, in the order of what they know."""
    maps = pairs.wrong.maps
    everything = torch.full((len(pairs),), maps[0].numel() if len(pairs) else 0)
    shuffled = random_pixels(maps, everything, seed) * torch.rand(
        maps.shape, generator=torch.Generator().manual_seed(seed)
    )
    return {
        "contrastive": contributions(pairs.wrong, None, against=pairs.labels),
        "contribution": contributions(pairs.wrong),
        "largest": maps,
        "random": shuffled,
    }


def curve_table(pairs: Pairs, found: Repair, seed: int) -> pd.DataFrame:
    """Share of the errors that are repaired without so many pixels, with Wilson's 95 % interval.

    One row for each way of choosing pixels and number of them; columns ``chosen``, ``pixels``,
    ``repaired`` (count), ``share``, ``low``, ``high``. The repair set counts for every number from
    its own size on.
    """
    answers = {
        (name, count): rescore(pairs.wrong, top_pixels(scores, count)).argmax(1) == pairs.labels
        for name, scores in rankings(pairs, seed).items()
        for count in COUNTS
    }
    answers |= {(SET, count): found.repaired & (found.size <= count) for count in COUNTS}
    rows = [
        _share(int(right.sum()), len(pairs), chosen=name, pixels=count)
        for (name, count), right in answers.items()
    ]
    return pd.DataFrame(rows)


def set_points(pairs: Pairs) -> pd.DataFrame:
    """The paper's sets under both rules, in the columns of `curve_table`: their mean size."""
    rows = []
    for rule, how in RULES.items():
        sets = pixel_sets(pairs, how)
        for name in ("unique", "common"):
            pixels: Bool[Tensor, "n c h w"] = getattr(sets, name)
            right = rescore(pairs.wrong, pixels).argmax(1) == pairs.labels
            size = float(counted(pixels).double().mean()) if len(pairs) else float("nan")
            rows.append(_share(int(right.sum()), len(pairs), chosen=f"{name}, {rule}", pixels=size))
    return pd.DataFrame(rows)


def points_table(
    curves: Mapping[str, pd.DataFrame], points: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """The figure's numbers for some of its counts, and for the paper's sets, in words."""
    rows = []
    for task in curves:
        few = curves[task][curves[task]["pixels"].isin(SHOWN)]
        for row in pd.concat([few, points[task]]).to_dict("records"):
            rows.append(
                {
                    "task": task,
                    "chosen": row["chosen"],
                    "pixels": f"{row['pixels']:.4g}",
                    "repaired": str(row["repaired"]),
                    "share": _percent(row["share"]),
                    "95 % interval": f"{_percent(row['low'])} to {_percent(row['high'])}",
                }
            )
    return pd.DataFrame(rows).set_index(["task", "chosen", "pixels"])


def _share(count: int, of: int, **place: object) -> dict[str, object]:
    low, high = proportion_interval(count, of)
    share = count / of if of else float("nan")
    return {**place, "repaired": count, "share": share, "low": low, "high": high}


def size_summary(repairs: Mapping[str, tuple[Pairs, Repair]]) -> pd.DataFrame:
    """Of each task, how many errors were repaired and by how few pixels."""
    rows = {}
    for task, (pairs, found) in repairs.items():
        sizes = pd.Series(found.size[found.repaired].double().numpy())
        rows[task] = {
            "errors": str(len(found)),
            "repaired": str(int(found.repaired.sum())),
            "mean pixels": mean_with_interval(sizes),
            "median": _whole(sizes.median()),
            "most": _whole(sizes.max()),
            "of active pixels": _percent((found.size / _active(pairs)).double().mean().item()),
            "certainly minimal": str(int(found.minimal.sum())),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def _active(pairs: Pairs) -> Tensor:
    return (pairs.wrong.maps > 0).flatten(1).sum(1)


def _whole(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{value:g}"


def _percent(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{value:.1%}"


def control_summary(repairs: Mapping[str, tuple[Pairs, Repair]], seed: int) -> pd.DataFrame:
    """Repair sets for the true class beside those for a random class, neither given nor true.

    Where the latter are as small, few pixels turn these images into anything.
    """
    rows = []
    for task, (pairs, found) in repairs.items():
        if pairs.wrong.network.classes < 3:
            continue
        other = repair(pairs.wrong, random_classes(pairs.wrong, pairs.labels, seed))
        back = repair(pairs.right, pairs.wrong.predicted)
        for name, sets in (
            ("error to its true class", found),
            ("error to a random class", other),
            ("right look-alike to the same mistake", back),
        ):
            sizes = pd.Series(sets.size[sets.repaired].double().numpy())
            rows.append(
                {
                    "task": task,
                    "from and to": name,
                    "images": len(sets),
                    "reached": int(sets.repaired.sum()),
                    "mean pixels": mean_with_interval(sizes),
                    "median": _whole(sizes.median()),
                }
            )
    columns = ["task", "from and to", "images", "reached", "mean pixels", "median"]
    return pd.DataFrame(rows, columns=columns).set_index(["task", "from and to"])


def places(pairs: Pairs, found: Repair, rule: str) -> dict[str, tuple[float, float]]:
    """Shares of the repair pixels that are common, unique or in neither set; and of all active.

    The second number of each is what a repair set drawn from the active pixels would have.
    """
    sets, active = pixel_sets(pairs, RULES[rule]), pairs.wrong.maps > 0
    parts = _parts(sets)
    shares = {}
    for name in PLACES:
        chosen, all_active = int((parts[name] & found.pixels).sum()), int(active.sum())
        among = int((parts[name] & active).sum())
        total = int(found.pixels.sum())
        shares[name] = (_ratio(chosen, total), _ratio(among, all_active))
    return shares


def _parts(sets: PixelSets) -> dict[str, Bool[Tensor, "n c h w"]]:
    return {
        "common": sets.common,
        "unique": sets.unique,
        "neither": ~sets.wrong,
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def places_table(repairs: Mapping[str, tuple[Pairs, Repair]]) -> pd.DataFrame:
    """Where the repair sets lie in the sets of the paper, beside where active pixels lie."""
    rows = [
        {
            "task": task,
            "rule": rule,
            **{
                f"{name} (active)": f"{_percent(share)} ({_percent(chance)})"
                for name, (share, chance) in places(pairs, found, rule).items()
            },
        }
        for task, (pairs, found) in repairs.items()
        for rule in RULES
    ]
    return pd.DataFrame(rows).set_index(["task", "rule"])


def harm_table(repairs: Mapping[str, tuple[Pairs, Repair]]) -> pd.DataFrame:
    """Right look-alikes whose answer changes without the same pixels, by position."""
    rows = {}
    for task, (pairs, found) in repairs.items():
        changed = rescore(pairs.right, found.pixels).argmax(1) != pairs.right.predicted
        low, high = proportion_interval(int(changed.sum()), len(changed))
        rows[task] = {
            "look-alikes": str(len(changed)),
            "answer changes": str(int(changed.sum())),
            "share": _percent(_ratio(int(changed.sum()), len(changed))),
            "95 % interval": f"{_percent(low)} to {_percent(high)}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def smallest_sizes(pairs: Pairs) -> Tensor:
    """Smallest repair among the parts of each error's most contrastive pixels, by trying all."""
    assert CANDIDATES <= EXHAUSTIVE
    shares = contributions(pairs.wrong, None, against=pairs.labels)
    return smallest_repair(pairs.wrong, pairs.labels, top_pixels(shares, CANDIDATES))


def gap_summary(repairs: Mapping[str, tuple[Pairs, Repair]]) -> pd.DataFrame:
    """Sizes beside those of an exhaustive search among the most contrastive pixels."""
    rows = {}
    for task, (pairs, found) in repairs.items():
        smallest = smallest_sizes(pairs)
        both = (smallest > 0) & found.repaired
        gap = (found.size - smallest)[both]
        rows[task] = {
            "errors": len(found),
            "repaired by some part": int((smallest > 0).sum()),
            "ours as small": int((gap == 0).sum()),
            "ours smaller": int((gap < 0).sum()),
            "ours larger": int((gap > 0).sum()),
            "largest gap": int(gap.max()) if len(gap) else 0,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def numbers(task: str, pairs: Pairs, found: Repair) -> dict[str, float | int]:
    """What is recorded of a task's repairs; nothing where it has no errors."""
    if not len(pairs):
        return {}
    key = f"{CLAIMS.get(task, 's3')}.{task}."
    where = places(pairs, found, "cutoff")
    harmed = rescore(pairs.right, found.pixels).argmax(1) != pairs.right.predicted
    recorded: dict[str, float | int] = {
        "repair_sets": int(found.repaired.sum()),
        "repair_pixels": float(found.size[found.repaired].double().mean()),
        "repair_single": int((found.repaired & (found.size == 1)).sum()),
        "repair_common": where["common"][0],
        "repair_unique": where["unique"][0],
        "repair_harmed": int(harmed.sum()),
    }
    return {key + name: value for name, value in recorded.items() if value == value}


def tolerances(recorded: Mapping[str, float | int]) -> Sequence[tuple[str, float | int, float]]:
    """Each number with how far another run on another machine may be from it."""
    return [
        (key, value, 0.3 if isinstance(value, float) and value <= 1 else max(2.0, 0.5 * value))
        for key, value in recorded.items()
    ]


LINES = {
    SET: (style.RED, "-", 4.0),
    "contrastive": (style.BLUE, "-", 2.0),
    "contribution": (style.GREEN, "--", 1.5),
    "largest": (style.PURPLE, "-.", 1.5),
    "random": (style.GRAY, ":", 1.5),
}
"""Colour, dashes and width of each curve: those that coincide can all be seen."""
MARKS = {"unique": "s", "common": "o"}
NO_ERROR = "No error of this run has a right look-alike: there is nothing to repair."


def curves_figure(
    curves: Mapping[str, pd.DataFrame], points: Mapping[str, pd.DataFrame]
) -> style.Drawn:
    """Share of errors repaired against the number of pixels suppressed.

    Args:
        curves: by task, `tinyvgg.chapters.repairs.curve_table`.
        points: by task, `tinyvgg.chapters.repairs.set_points`.
    """
    if not any(table["share"].notna().any() for table in curves.values()):
        return style.Missing(NO_ERROR)
    figure, axes = style.grid(1, len(curves), aspect=0.85 if len(curves) > 1 else 0.5)
    with style.styled():
        for ax, (task, table) in zip(axes[0], curves.items(), strict=True):
            _curves(ax, table)
            _points(ax, points[task])
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
            ax.set(title=style.TASK_NAMES[task], xlabel="pixels suppressed", ylim=(-0.03, 1.03))
        axes[0, 0].set_ylabel("errors repaired")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _curves(ax: Axes, table: pd.DataFrame) -> None:
    for name, (colour, dashes, width) in LINES.items():
        part = table[table["chosen"] == name]
        x = part["pixels"].to_numpy(float)
        line: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": width}
        ax.plot(x, part["share"], marker=".", label=name, **line)
        ax.fill_between(x, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)


def _points(ax: Axes, table: pd.DataFrame) -> None:
    for row in table.to_dict("records"):
        kind, rule = row["chosen"].split(", ")
        face = style.ORANGE if rule == "cutoff" else "none"
        marks: dict[str, Any] = {"marker": MARKS[kind], "mfc": face, "mec": style.ORANGE}
        x, y = np.array([row["pixels"]]), np.array([row["share"]])
        ax.plot(x, y, linestyle="none", label=f"{kind}, {rule} rule", **marks)


def sizes_figure(repairs: Mapping[str, tuple[Pairs, Repair]]) -> style.Drawn:
    """How many pixels the repair sets have, a bar for each size."""
    if not any(len(found) for _, found in repairs.values()):
        return style.Missing(NO_ERROR)
    figure, axes = style.grid(1, len(repairs), aspect=0.6 if len(repairs) > 1 else 0.35)
    with style.styled():
        for ax, (task, (_, found)) in zip(axes[0], repairs.items(), strict=True):
            sizes = found.size[found.repaired].numpy()
            counts = np.bincount(sizes)[1:] if len(sizes) else np.zeros(1)
            ax.bar(range(1, len(counts) + 1), counts, color=style.TASK_COLOURS[task])
            for axis in (ax.xaxis, ax.yaxis):
                axis.get_major_locator().set_params(integer=True)
            ax.set(title=style.TASK_NAMES[task], xlabel="pixels in the repair set")
        axes[0, 0].set_ylabel("errors")
    return figure


def examples_figure(run: Run, pairs: Pairs, found: Repair, most: int = 6) -> style.Drawn:
    """Errors, their repair sets' tracked features, and their look-alikes; first the smallest sets.

    Args:
        run: gives images and names.
        pairs: the errors.
        found: their repairs.
        most: columns at most.
    """
    smallest_first = found.size.argsort(stable=True)
    order = smallest_first[found.repaired[smallest_first]][:most].tolist()
    if not order:
        return style.Missing(NO_ERROR)
    features = style.strength(track_features(pairs.wrong[order], found.pixels[order]))
    figure, axes = style.grid(3, len(order), cell=style.WIDTH / most, aspect=1.35)
    with style.styled():
        for column, (place, ink) in enumerate(zip(order, features, strict=True)):
            case = pairs.cases[place]
            names = [style.short(run.classes[label]) for label in (case.predicted, case.true)]
            size = int(found.size[place])
            image = np.asarray(run.faces.images[case.row])
            style.show_image(axes[0, column], image, f"taken for\n{names[0]}")
            style.show_map(axes[1, column], ink)
            axes[1, column].set_title(f"{size} pixel{'s' if size > 1 else ''}")
            other = np.asarray(run.faces.images[case.lookalike])
            style.show_image(axes[2, column], other, f"right:\n{names[1]}")
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure
