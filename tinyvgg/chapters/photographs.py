"""Chapter 21: the part of photographs that is used, and detectors of faces."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Float32, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from tinyvgg.chapters import style
from tinyvgg.faces.images import Crop
from tinyvgg.faces.index import CONFLICT, COPY, NEAR, Faces, Originals, Seen
from tinyvgg.faces.sources import BY_CAMERA, some, synthfaces

PHOTOGRAPH, PORTRAIT = 340, 224
"""Height of whole photographs as they are shown, and of the part that is used, pixels."""
Image = UInt8[np.ndarray, "_ _ 3"]


def best_scales(report: dict[str, Any]) -> pd.DataFrame:
    """Return each detector's fastest scale of those that miss fewest faces, and the one in use."""
    measured, used = pd.DataFrame(report["measured"]), report["used"]
    spent = measured.assign(ms=measured["ms"] * measured["shown"])
    sums = spent.groupby(["detector", "long_side"], sort=False, as_index=False)[
        ["shown", "faces", "found", "elsewhere", "ms"]
    ].sum()
    sums["missed"], sums["ms"] = sums["faces"] - sums["found"], sums["ms"] / sums["shown"]
    in_use = (sums["detector"] == used["detector"]) & (sums["long_side"] == used["long_side"])
    best = sums.sort_values(["missed", "ms"], kind="stable").drop_duplicates("detector")
    shown: pd.DataFrame = sums.assign(used=in_use)[in_use | sums.index.isin(best.index)]
    return shown


def used_of(faces: Faces) -> str:
    """Describe the crops of photographs, the files left out, and the parts that the set lacks."""
    if faces.originals is None:
        return ""
    listing, left_out = faces.originals.listing, len(faces.left_out)
    missing = listing.missing
    used = f"Of {left_out + len(faces):,} files {len(faces):,} are used, and the others left out."
    said = f"{style.in_markdown(listing.reading)} {faces.originals.cropping.about} ".lstrip()
    said += used if left_out else "All files are used."
    if missing:
        more = ["and more"] if len(missing) > 20 else []
        said += " Missing are:\n" + "".join(
            f"\n- {style.in_markdown(it)}" for it in [*missing[:20], *more]
        )
    return said


def left_out_of(faces: Faces, most: int = 3) -> str:
    """Describe the most frequent reasons for which files are left out, apart from twins."""
    left_out = faces.left_out
    reasons = left_out.loc[left_out["kind"] == "", "reason"].value_counts()
    if not len(reasons):
        return ""
    said = [
        f"{'One' if count == 1 else f'Each of {count:,}'} {reason}."
        for reason, count in reasons[:most].items()
    ]
    more = [f"The reasons of {reasons[most:].sum():,} more are below."] * (len(reasons) > most)
    return " ".join([f"Left out: {style.in_words(int(reasons.sum()), 'file')}.", *said, *more])


def twins_of(faces: Faces) -> str:
    """Describe what is there twice, or nearly; labels that contradict each other come first."""
    left_out, sentences = faces.left_out, list[str]()
    for kind, what in (
        (CONFLICT, "left out, since the same picture is there with another class"),
        (COPY, "left out as another copy of a picture"),
        (NEAR, "not learned from, for a near-twin in another part"),
    ):
        if paths := left_out.loc[left_out["kind"] == kind, "path"].tolist():
            sentences.append(f"{style.in_words(len(paths), 'image')} {what}: {some(paths)}.")
    if faces.index.has("twins"):
        near = faces.index.table["twins"].dropna()
        sentences.append(
            f"{style.in_words(len(near), 'image')} with near-twins (the same shot, cropped, encoded"
            f" or taken once more), in {style.in_words(near.nunique(), 'group')}; no group is in"
            " two parts."
        )
    return " ".join(sentences)


@style.styled()
def crops_figure(faces: Faces) -> Figure | None:
    """Draw photographs with the part that is used, above their crops.

    Where each camera has a square of its own: the mean photograph of people with a neutral
    expression at each angle, and the mean crop. Else some photographs, and their crops.
    """
    originals, table = faces.originals, faces.index.table
    if originals is None:
        return None
    if originals.cropping.how == BY_CAMERA:
        shown = _cameras(originals)
    else:
        places = np.linspace(0, len(table) - 1, min(6, len(table))).round().astype(int)
        chosen = table.iloc[places].set_index("path")[faces.index.tasks[-1]]
        usable = originals.seen(list(chosen.index), PHOTOGRAPH, PORTRAIT)
        shown = [(style.short(str(chosen[path]), 16), seen) for path, seen in usable.items()]
    if not shown:
        return None
    figure, axes = style.grid(2, len(shown), cell=1.25, aspect=1.35)
    for (above, below), (title, seen) in zip(axes.T, shown, strict=True):
        style.show_image(above, seen.image, title)
        style.show_image(below, seen.portrait)
        height, width = seen.image.shape[:2]
        square = corners(seen.crop)
        above.add_patch(Polygon(square, fill=False, edgecolor=style.ORANGE, linewidth=1.5))
        above.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure


def _cameras(originals: Originals) -> list[tuple[str, Seen]]:
    """Return for each camera a title, and the mean of what is seen of its photographs."""
    shots, shown = originals.shots(), []
    for angle in synthfaces.ANGLES:
        mine = shots[shots["angle"] == angle]
        plain = mine[(mine["emotion"] == "neutral") & (mine["gaze"] == "frontal")]
        paths = list((plain if len(plain) else mine)["path"][:40])
        if found := originals.seen(paths, PHOTOGRAPH, PORTRAIT):
            images, crops, portraits = zip(*found.values(), strict=True)
            seen = Seen(_mean(images), crops[0], _mean(portraits))
            shown.append((f"{angle}°, {len(found)} people", seen))
    return shown


def _mean(images: Sequence[Image]) -> Image:
    return np.asarray(np.stack(images).mean(axis=0).round(), dtype=np.uint8)


def corners(crop: Crop) -> Float32[np.ndarray, "4 2"]:
    """Return the corners of a crop, (x, y) from the upper left one on, clockwise."""
    middle, sides = (crop.x - 0.5, crop.y - 0.5), (crop.side, crop.side)
    return np.roll(cv2.boxPoints((middle, sides, crop.turn)), -1, axis=0)
