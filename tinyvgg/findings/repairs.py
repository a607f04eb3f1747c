"""How few pixels repair an error, by whichever way of choosing them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tinyvgg.cases import RULES, Pairs, PixelSets, pixel_sets
from tinyvgg.contribution import contributions, top_pixels
from tinyvgg.findings.conclusions import mean_with_interval
from tinyvgg.metrics import proportion_interval
from tinyvgg.paper import NOTHING
from tinyvgg.repairs import EXHAUSTIVE, Repair, repair, smallest_repair
from tinyvgg.sensitivity import random_classes
from tinyvgg.suppression import counted, random_pixels
from tinyvgg.tracking import rescore

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
