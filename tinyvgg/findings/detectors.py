"""How two face detectors compare, and which of them crops photographs here.

``tools/measure_detectors.py`` measures them and writes the report that is read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tinyvgg.face_parameters import ANGLES
from tinyvgg.findings.reports import missing, read_report, report_path

FILE, TOOL = "detectors.json", "tools/measure_detectors.py"
GROUPS: Mapping[str, str] = {
    "london": "London set",
    "small": "the same, far away",
    "astronaut": "an astronaut",
    "none": "no face at all",
    **{str(angle): f"synthetic, {angle}°" for angle in ANGLES},
}
"""What was shown, and what tables call it."""
_COLUMNS = ("detector", "long_side", "group", "shown", "faces", "found", "elsewhere", "ms")


@dataclass(frozen=True)
class Comparison:
    """A report on detectors.

    Attributes:
        used: the detector that crops photographs here, at which scale, with which threshold.
        measured: a row for each detector, scale and group of photographs: faces that are shown,
            found, detections elsewhere, and milliseconds an image on one processor.
    """

    used: Mapping[str, Any]
    measured: pd.DataFrame


def load_detectors(path: Path | None = None) -> Comparison | None:
    """The committed report; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_report(path or report_path(FILE), _parse, TOOL)


def _parse(content: Any) -> Comparison:
    table = pd.DataFrame(content["measured"])[list(_COLUMNS)]
    strange = set(table["group"]) - set(GROUPS)
    if strange:
        raise ValueError(f"{strange} are not among the groups that are known")
    return Comparison(dict(content["used"]), table)


def best_scales(comparison: Comparison) -> pd.DataFrame:
    """Of each detector the fastest scale that misses fewest faces, and the one that is used."""
    sums = comparison.measured.groupby(["detector", "long_side"], sort=False)[
        ["shown", "faces", "found", "elsewhere"]
    ].sum()
    sums["missed"] = sums["faces"] - sums["found"]
    sums["ms"] = _mean_time(comparison.measured)
    used = (comparison.used["detector"], comparison.used["long_side"])
    chosen = []
    for detector, of_detector in sums.groupby(level="detector", sort=False):
        order = of_detector.sort_values(["missed", "elsewhere", "ms"], kind="stable")
        chosen += [order.index[0]] + ([used] if detector == used[0] else [])
    return sums.loc[list(dict.fromkeys(chosen))]


def _mean_time(measured: pd.DataFrame) -> "pd.Series[float]":
    """Milliseconds an image, over all that were shown."""
    spent = measured.assign(spent=measured["ms"] * measured["shown"])
    sums = spent.groupby(["detector", "long_side"], sort=False)[["spent", "shown"]].sum()
    return sums["spent"] / sums["shown"]


def table(comparison: Comparison) -> pd.DataFrame:
    """The scales of `best_scales` by what was shown: found of how many, and false detections."""
    rows = {}
    for detector, scale in best_scales(comparison).index:
        of_scale = comparison.measured.query("detector == @detector and long_side == @scale")
        cells = {}
        for row in of_scale.itertuples():
            false = f", {row.elsewhere} elsewhere" if row.elsewhere else ""
            cells[GROUPS[str(row.group)]] = f"{row.found} of {row.faces}{false}"
            cells[f"{GROUPS[str(row.group)]}, ms"] = f"{row.ms:.0f}"
        rows[f"{detector}, {scale} pixels"] = cells
    order = [name for title in GROUPS.values() for name in (title, f"{title}, ms")]
    return pd.DataFrame(rows).reindex(order).dropna(how="all").rename_axis("shown")


def sentence(comparison: Comparison | None) -> str:
    """Which detector is used and why."""
    if comparison is None:
        return missing(FILE, TOOL)
    scales = best_scales(comparison)
    used = scales.loc[(comparison.used["detector"], comparison.used["long_side"])]
    others = scales.drop(index=[used.name])
    said = "; ".join(
        f"{detector} at {scale} misses {row['missed']:.0f} and takes {row['ms']:.0f} ms"
        for (detector, scale), row in others.iterrows()
    )
    return (
        f"{comparison.used['detector']} is used, with the photograph scaled to "
        f"{comparison.used['long_side']} pixels (the second where nothing is found at the first): it "
        f"misses {used['missed']:.0f} of {used['faces']:.0f} faces, finds {used['elsewhere']:.0f} "
        f"where there are none, and takes {used['ms']:.0f} ms an image on one processor. Beside it, "
        f"{said}."
    )
