"""Chapter 20: who is in the synthetic set, what outside judges see in it, and how hard it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from skimage.color import rgb2lab

from tinyvgg import files
from tinyvgg.chapters import style
from tinyvgg.chapters.data import of
from tinyvgg.chapters.feature_tracking import BESIDE
from tinyvgg.chapters.statistics import proportion_interval
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.experiments import Study

SEED = 0
"""Seed of the set that the book uses."""
ASKED_ANGLES = (45, 90, 135)
LEAST_FOUND, LEAST_RIGHT, LEAST_RIGHT_OF_EACH = 0.99, 0.75, 0.50
"""The shares required beforehand: faces at these angles, all readings, each emotion."""
AREAS = ("face", *BESIDE)
"""The regions of an image whose areas were asked for; a face is without ears, hair and neck."""
LEAST_FACE, MOST_BACKGROUND = {45: 0.45, 90: 0.55, 135: 0.45}, 0.30
"""Mean shares of an image that were asked for: of the face by angle, of the background."""
SKIN_CLASSES = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -90.0,
}
"""Classes of the individual typology angle with their lower borders, degrees."""


def synthetic_faces(study: Study) -> Faces:
    """Return the synthetic faces of a study; of one of photographs, neutral portraits."""
    if study.source == "synthetic":
        return study.faces
    people, size = study.profile.subjects or len(synthfaces.SUBJECTS), study.profile.size
    table = synthfaces.design(people, angles=(90,), emotions=("neutral",), gazes=("frontal",))
    images = synthfaces.render(table, size, files.faces_cache(), SEED, progress=False)
    return Faces("synthetic", FaceIndex(table), images, synthfaces.fingerprint(size, SEED))


def looks() -> pd.DataFrame:
    """Return the skin without light, and the hair, of all subjects; the lightest skin first.

    Returns:
        columns subject, group, sex, red, green and blue (of the skin, sRGB, 0..1), angle (its
        individual typology angle, degrees), tone (the class of the angle) and cut (of the hair).
    """
    rows = []
    for number in synthfaces.SUBJECTS:
        who = synthfaces.person(number)
        drawn = synthfaces.draw_appearance(who, synthfaces.stream(SEED, number, "appearance"))
        colour, cut = synthfaces.to_srgb(drawn.skin), drawn.style.cut.name.lower()
        lightness, _, yellow = rgb2lab(colour)
        angle = float(np.degrees(np.arctan2(lightness - 50, yellow)))
        tone = next(name for name, border in SKIN_CLASSES.items() if angle > border)
        rows.append((number, who.group, who.sex, *colour.tolist(), angle, tone, cut))
    columns = ["subject", "group", "sex", "red", "green", "blue", "angle", "tone", "cut"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("angle", ascending=False, kind="stable", ignore_index=True)


def requirements(judged: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return what the judges reached: shares, each with the least that was asked for."""
    required, table = dict[str, tuple[float, float]](), confusion_table(judged)
    for detector, cameras in judged["found"].items():
        asked = [count for angle, count in cameras.items() if int(angle) in ASKED_ANGLES]
        found, shown = (sum(count[what] for count in asked) for what in ("found", "shown"))
        required[f"faces that {detector} finds"] = found / shown, LEAST_FOUND
    named = table[table.index.isin(table.columns)]  # the classifier has no name for the others
    right, whole = pd.Series(np.diag(named[named.index]), named.index), named.sum(axis=1)
    for emotion, share in (right / whole).items():
        required[f"readings of {emotion}"] = share, LEAST_RIGHT_OF_EACH
    return {**required, "all readings together": (right.sum() / whole.sum(), LEAST_RIGHT)}


def judged_sentence(judged: Mapping[str, Any]) -> str:
    """Describe the judged set and the requirements that it missed."""
    missed = [
        f"{what} ({share:.1%}, at least {least:.0%} were asked for)"
        for what, (share, least) in requirements(judged).items()
        if share < least
    ]
    outcome = "All targets were met."
    if missed:
        outcome = f"Targets that were missed: {'; '.join(missed)}. All others were met."
    return (
        f"{judged['subjects']} of {len(synthfaces.SUBJECTS)} subjects of `{judged['source']}` were "
        f"judged with frontal gaze at {judged['size']} pixels. {outcome}"
    )


def confusion_table(judged: Mapping[str, Any]) -> pd.DataFrame:
    """Count images by the emotion put on (rows) and the one read (columns)."""
    return pd.DataFrame(judged["expressions"]["confusion"]).T.fillna(0).astype("int64")


def weakest(confusion: pd.DataFrame) -> str:
    """Say which emotion is least often read right, and as what it is read instead."""
    read: dict[Any, Any] = confusion.T.to_dict()
    right = {name: row[name] / sum(row.values()) for name, row in read.items() if name in row}
    least = min(right, key=right.__getitem__)
    other = {name: times for name, times in read[least].items() if name != least}
    most, of = max(other, key=other.__getitem__), sum(read[least].values())
    return f"Read right least often: {least}. The classifier reads {other[most]} of {of} as {most}."


def read_right(readings: Mapping[str, int], emotion: str) -> str:
    """Return the share of images whose emotion is read right, with Wilson's interval."""
    right, whole = readings.get(emotion, 0), sum(readings.values())
    low, high = proportion_interval(right, whole)
    return f"{right / whole:.0%} ({low:.0%} to {high:.0%}, {whole} images)"


def areas_table(areas: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate what images of each crop show by angle: mean shares, beside those asked for.

    Shares were asked for of the usual crop alone.
    """
    rows = {}
    for crop, measured in areas.items():
        for angle, shares in measured["by_angle"].items():
            row = {region: f"{share:.1%}" for region, share in shares.items()}
            if synthfaces.difficulty_of(crop).crop == synthfaces.USUAL.crop:
                row["face"] += f" (asked for: at least {LEAST_FACE[int(angle)]:.0%})"
                row["background"] += f" (at most {MOST_BACKGROUND:.0%})"
            rows[crop, f"{angle}°"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["faces", "camera"])


def everybody_figure(faces: Faces, people: pd.DataFrame) -> Figure:
    """Draw everybody, neutral and from the front, in the order of `looks`, above their skin."""
    frontal = of(faces.index.table, emotion="neutral", gaze="frontal", angle=90)
    row_of = dict(zip(frontal["subject"], frontal.index, strict=True))
    people = people[people["subject"].isin(list(row_of))]
    size = int(faces.images.shape[1])
    skins = people[["red", "green", "blue"]].to_numpy(np.float64)
    strips = np.round(255 * skins).astype(np.uint8)[:, None, None]
    images = np.asarray(faces.images[[row_of[subject] for subject in people["subject"]]])
    bands = np.tile(strips, (1, max(3, size // 10), size, 1))
    tiles = np.concatenate([images, bands], axis=1)
    shown = [(str(subject), tile) for subject, tile in zip(people["subject"], tiles, strict=True)]
    return style.pictures([("", shown[i : i + 12]) for i in range(0, len(shown), 12)], aspect=1.4)
