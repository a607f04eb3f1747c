"""How two face detectors compare, and which of them crops photographs here.

``tools/measure_detectors.py`` measures them and writes the report that is read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool
from PIL import Image

from tinyvgg import files as paths
from tinyvgg.chapters.reports import missing, read_report, report_path
from tinyvgg.faces.index import Faces, load_faces
from tinyvgg.faces.sources import OPTIONS, Terms, synthfaces, terms_of

FILE, TOOL = "detectors.json", "tools/measure_detectors.py"
GROUPS: Mapping[str, str] = {
    "london": "London set",
    "small": "the same, far away",
    "astronaut": "an astronaut",
    "none": "no face at all",
    **{str(angle): f"synthetic, {angle}°" for angle in synthfaces.ANGLES},
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
    """Of each detector the fastest scale that misses fewest faces, and what is used."""
    measured = comparison.measured
    spent = measured.assign(ms=measured["ms"] * measured["shown"])
    sums = spent.groupby(["detector", "long_side"], sort=False, as_index=False)[
        ["shown", "faces", "found", "elsewhere", "ms"]
    ].sum()
    sums["missed"], sums["ms"] = sums["faces"] - sums["found"], sums["ms"] / sums["shown"]
    order = sums.sort_values(["missed", "ms"], kind="stable")
    best = order.drop_duplicates("detector")
    used = sums[_is_used(sums, comparison)]
    return pd.concat([best, used]).drop_duplicates().sort_index().reset_index(drop=True)


def _is_used(table: pd.DataFrame, comparison: Comparison) -> Bool[np.ndarray, "n"]:
    used = comparison.used
    same = (table["detector"] == used["detector"]) & (table["long_side"] == used["long_side"])
    return np.asarray(same, dtype=bool)


def table(comparison: Comparison) -> pd.DataFrame:
    """The scales of `best_scales` by what was shown: how many were found, and how long it took."""
    columns = {}
    for scale in best_scales(comparison).itertuples():
        measured = comparison.measured
        mine = measured[
            (measured["detector"] == scale.detector) & (measured["long_side"] == scale.long_side)
        ]
        columns[f"{scale.detector}, {scale.long_side} pixels"] = {
            GROUPS[str(row.group)]: _cell(row) for row in mine.itertuples()
        }
    order = [
        title for title in GROUPS.values() if any(title in cells for cells in columns.values())
    ]
    return pd.DataFrame(columns).reindex(order).rename_axis("shown")


def _cell(row: Any) -> str:
    found = f"{row.found} of {row.faces}" if row.faces else f"none in {row.shown}"
    false = f", {row.elsewhere} elsewhere" if row.elsewhere else ""
    return f"{found}{false}; {row.ms:.0f} ms"


def sentence(comparison: Comparison | None) -> str:
    """Which detector is used and why."""
    if comparison is None:
        return missing(FILE, TOOL)
    scales = best_scales(comparison)
    used = _is_used(scales, comparison)
    (mine,) = scales[used].itertuples()
    others = "; ".join(_said(row) for row in scales[~used].itertuples())
    return (
        f"{mine.detector} is used, on photographs scaled to {mine.long_side} pixels. Of "
        f"{mine.faces} faces in {mine.shown} images {_said(mine)}. Beside it: {others}."
    )


def _said(row: Any) -> str:
    return (
        f"{row.detector} at {row.long_side} pixels misses {row.missed}; it finds {row.elsewhere} "
        f"where there are none, and takes {row.ms:.0f} ms an image on one processor"
    )


PEOPLE = 4
SIZE = 64


def in_rafd_form(progress: bool = False) -> Faces:
    """A few synthetic people before five cameras, written as RaFD's folder and read from there."""
    folder = paths.build() / "examples" / f"rafd-{synthfaces.fingerprint(SIZE, 0)}"
    synthfaces.write_rafd(
        folder,
        PEOPLE,
        emotions=("happy", "neutral"),
        gazes=("frontal",),
        progress=progress,
        cache=paths.faces_cache(),
    )
    return load_faces(f"rafd:{folder}", SIZE, progress=progress)


def with_bad_files() -> Faces:
    """Two classes of coloured squares, and beside them what a folder may hold that is of no use."""
    folder = paths.build() / "examples" / "bad-files"
    generator = np.random.default_rng(0)
    for name in ("calm", "glad"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    whole = (folder / "calm" / "0.png").read_bytes()
    (folder / "calm" / "cut off.png").write_bytes(whole[: len(whole) // 2])
    (folder / "calm" / "empty.jpg").write_bytes(b"")
    (folder / "calm" / "letter.jpg").write_text("To whom it may concern")
    (folder / "glad" / "copy.png").write_bytes(whole)
    frames = [Image.fromarray(np.full((9, 9, 3), shade, np.uint8)) for shade in (10, 200)]
    frames[0].save(folder / "glad" / "moving.webp", save_all=True, append_images=frames[1:])
    (folder / "beside.png").write_bytes(whole)
    return load_faces(f"folder:{folder}::crop=centre", SIZE, progress=False)


def options_table() -> pd.DataFrame:
    """What can be chosen of each source of photographs; the first is what is usual."""
    names = list(dict.fromkeys(name for options in OPTIONS.values() for name in options))
    rows = {
        f"{kind}:PATH": {
            name: ", ".join(allowed or ("FILE.csv",)) for name, allowed in options.items()
        }
        for kind, options in OPTIONS.items()
    }
    return pd.DataFrame(rows).T[names].fillna("—").rename_axis("source")


def terms_table() -> pd.DataFrame:
    """What may be done with the images of each source."""
    rows = {source: _terms(terms_of(source)) for source in ("synthetic", *_places())}
    return pd.DataFrame(rows).T.rename_axis("source")


def _places() -> list[str]:
    return [f"{kind}:{Path('PATH')}" for kind in ("rafd", "london", "folder")]


def _terms(terms: Terms) -> dict[str, str]:
    yes = {True: "yes", False: "only if you confirm that you may"}
    return {
        "images": terms.name,
        "licence": terms.licence,
        "a site is published": yes[terms.may_publish],
        "part of this repository": "yes" if terms.may_commit else "no",
    }
