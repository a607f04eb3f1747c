"""What the data sheet shows of the probes for shortcuts: a sample of the set, read live."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from tinyvgg import paper, paths
from tinyvgg.experiments import Study
from tinyvgg.faces import synthetic
from tinyvgg.faces.synthetic.parts_shown import parts_shown
from tinyvgg.findings.probes import LEVEL
from tinyvgg.findings.shortcuts import shortcut_table
from tinyvgg.metrics import Interval

SUBJECTS, ANGLES, GAZES = 8, (45, 90), ("frontal", "left")
"""Of the sample; a study of fewer subjects has fewer."""

_SMALL = 32


class Sample(NamedTuple):
    """Small images of a part of the set, with a row each."""

    images: UInt8[np.ndarray, "n s s 3"]
    table: pd.DataFrame


def sample(study: Study) -> Sample:
    """The first few subjects: a synthetic study's images, made smaller, or rendered small."""
    most = study.profile.subjects or SUBJECTS
    wanted = synthetic.design(min(most, SUBJECTS), angles=ANGLES, gazes=GAZES)
    if study.source != "synthetic":
        folder = paths.faces_cache()
        return Sample(synthetic.render(wanted, _SMALL, folder, progress=False), wanted)
    rows = study.faces.index.table.reset_index().set_index("path")["index"][wanted["path"]]
    return Sample(halved(np.asarray(study.faces.images[rows.to_numpy()])), wanted)


def halved(images: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n t t 3"]:
    """Images by means of two by two pixels, again and again while they stay small ones."""
    count, size = images.shape[:2]
    if size % 2 or size < 2 * _SMALL:
        return images
    blocks = images.reshape(count, size // 2, 2, size // 2, 2, 3).astype(np.float32)
    return halved(np.round(blocks.mean(axis=(2, 4))).astype(np.uint8))


def readings(study: Study) -> pd.DataFrame:
    """How often probes read the emotion of the sample; see `shortcut_table`."""
    images, table = sample(study)
    shown = parts_shown(table, images.shape[1], paths.faces_cache())
    return shortcut_table(images, table, shown)


def readings_table(found: pd.DataFrame) -> pd.DataFrame:
    """Accuracies with their intervals, a row for each probe and a column for what is held out."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for reading in found.reset_index().to_dict("records"):
        key = reading["region"], reading["features"]
        row = rows.setdefault(key, {"may tell": "yes" if reading["may tell"] else "no"})
        interval = paper.show_interval(Interval(reading["low"], reading["high"]), "percent")
        accuracy = paper.show(reading["accuracy"], "percent")
        row[f"other {reading['held out']}s"] = f"{accuracy} ({interval})"
    return pd.DataFrame(rows).T.rename_axis(["region", "features"])


def readings_sentence(found: pd.DataFrame) -> str:
    """How many of the readings that must not tell an emotion are those of guessing."""
    table = found.reset_index()
    forbidden = table[~table["may tell"].astype(bool)]
    whole = table["accuracy"][table["region"] == "whole image"].max()
    return (
        f"Guessing is right in {found['chance'].iloc[0]:.1%}. Of the {len(forbidden)} readings of "
        f"what must not tell, {int(forbidden['at chance'].sum())} are within their {LEVEL:.0%} "
        f"interval of that. Of whole images the same models read up to {whole:.0%} right."
    )
