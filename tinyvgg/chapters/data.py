"""Chapter 1: the design of a set of faces, its two parts, and how near these are (D1 to D4)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tinyvgg import files, paper
from tinyvgg.chapters import style
from tinyvgg.chapters.verdicts import lacking
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.sources import synthfaces, terms_of
from tinyvgg.faces.splits import Split, cells, split
from tinyvgg.training.experiments import Study

FACTORS = ("subject", "emotion", "gaze", "angle")
PLURALS = {factor: f"{factor}s" for factor in FACTORS} | {"class": "classes"}
HALF, TABLE, TEXT = "half of each group", "as Table 2 counts", "as the text counts"
CLAIMS = {"subject": "d3", "emotion": "d4", "class": "d3"}
PORTRAIT = 224
"""Size of single portraits, pixels."""
ACROSS = 12
"""Images in a row of a mosaic."""

Images = Shaped[np.ndarray, "n h w 3"]
Image = UInt8[np.ndarray, "_ _ 3"]
Count = int | float | str | None
Corner = tuple[float, float]


def whole_design(faces: Faces) -> pd.DataFrame | None:
    """Return a row for every image that is there or can be rendered, of all cameras."""
    if not faces.index.has(*FACTORS):
        return None
    if faces.originals is not None:
        return faces.originals.shots()
    return synthfaces.design(angles=synthfaces.ANGLES)


def counts(table: pd.DataFrame | None) -> dict[str, Count]:
    """Count the levels of each factor that the table knows, images of a subject, and images."""
    if table is None:
        return {}
    known = {plural: table[factor] for factor, plural in PLURALS.items() if factor in table}
    found: dict[str, Count] = {plural: int(column.nunique()) for plural, column in known.items()}
    if "subject" in table:
        found["images_per_subject"] = int(table["subject"].value_counts().max())
    return {**found, "images": len(table)}


def readings(study: Study) -> dict[tuple[str, str], Split]:
    """Draw the splits by (task, reading): each task's own, and for emotion also the text's (D4).

    Where a group has an odd number of images the two readings give the odd one to different parts.
    """
    found = {(t, TABLE if t == "emotion" else HALF): study.split(t) for t in study.tasks}
    if "emotion" in study.tasks:
        index = study.faces.index
        smallest = int(index.table.groupby(cells(index.table, "emotion")).size().min())
        found["emotion", TEXT] = split(index, "emotion", study.seed, per_cell=-(-smallest // 2))
    return found


def cell_counts(index: FaceIndex, task: str, parts: Split) -> pd.DataFrame:
    """Count the training and test images of every group that is drawn from."""
    part = np.full(len(index), "", dtype=object)
    part[parts.train], part[parts.test] = "train", "test"
    by_cell = index.table.assign(part=part).groupby([*cells(index.table, task), "part"]).size()
    return by_cell.unstack("part", fill_value=0)[["train", "test"]]


def nearness(faces: Faces, parts: Split) -> dict[str, float]:
    """Return the shares of the test part with a near relative in the training part.

    A relative is an image with equal pixels; a twin, which shows the same subject with the same
    expression from the same angle, and differs in gaze alone; another camera's image of the shot.
    """
    digests = [sha256(image.tobytes()).hexdigest() for image in faces.images]
    kinds = {"equal pixels": np.array(digests)}
    if faces.index.has(*FACTORS):
        of = faces.index.table.groupby
        kinds["twin, other gaze"] = of(["subject", "emotion", "angle"]).ngroup().to_numpy()
        kinds["same shot, other camera"] = of(["subject", "emotion", "gaze"]).ngroup().to_numpy()
    return {k: float(np.isin(v[parts.test], v[parts.train]).mean()) for k, v in kinds.items()}


def numbers(study: Study, splits: Mapping[tuple[str, str], Split]) -> dict[str, Count]:
    """Return the numbers that chapter 1 records, all of them exact counts."""
    faces = study.faces
    used = counts(faces.index.table)
    ours = {f"d1.both.{name}": value for name, value in counts(whole_design(faces)).items()}
    ours |= {f"d2.both.{name}": used.get(name) for name in ("angles", "images")}
    ours |= {"d2.both.size": faces.images.shape[1], "f2.both.panels": used.get("emotions")}
    for (task, reading), parts in splits.items():
        by_cell = cell_counts(faces.index, task, parts)
        found: dict[str, Count] = {
            "train_per_cell": int(by_cell["train"].min()),
            "train": len(parts.train),
            "test": len(parts.test),
        }
        if reading != TEXT:
            found |= {
                "cells": len(by_cell),
                "images_per_cell": int(by_cell.sum(axis=1).min()),
                "twins": nearness(faces, parts).get("twin, other gaze"),
            }
        if reading == TABLE:
            found["test_per_cell"] = int(by_cell["test"].min())
        suffix = "_text" if reading == TEXT else ""
        ours |= {f"{CLAIMS[task]}.{task}.{name}{suffix}": value for name, value in found.items()}
    return ours


def shown(study: Study) -> dict[str, str]:
    """Say how this run's set and its parts compare with the paper's (D1 to D4, F1 and F2)."""
    faces = study.faces
    if lacks := lacking(faces.index, *FACTORS):
        return dict.fromkeys(("D1", "D2", "D3", "D4", "F1", "F2"), lacks)
    ours = numbers(study, readings(study))
    made_up = not terms_of(faces.source).shows_people
    whose = "synthetic subject" if made_up else "subject"
    used = f"{faces.index.table['subject'].nunique()} subjects and {len(faces):,} images"
    whole = ("subjects", "emotions", "gazes", "angles", "images")
    table = ("train_per_cell", "test_per_cell", "train", "test")
    return {
        "D1": f"the whole set has {_beside(ours, 'd1.both', *whole)}; this run uses {used}"
        + ", all made up" * made_up,
        "D2": _beside(ours, "d2.both", "angles", "images", "size"),
        "D3": _beside(ours, "d3.subject", "train_per_cell", "cells", "train", "test"),
        "D4": f"{_beside(ours, 'd4.emotion', *table)}; drawn as in Table 2, which the text of the "
        "paper contradicts",
        "F1": f"{ours['d1.both.angles']} views of one {whose}",
        "F2": f"{ours['f2.both.panels']} expressions of one {whose}",
    }


def _beside(ours: Mapping[str, Count], prefix: str, *names: str) -> str:
    """Say some of our counts, and the paper's where they differ."""
    facts = []
    for name in names:
        about, mine = paper.quantity(f"{prefix}.{name}"), ours[f"{prefix}.{name}"]
        said = "" if mine == about.value else f" instead of {about.text}"
        facts.append(f"{about.label} {paper.show(mine, 'count')}{said}")
    return ", ".join(facts)


def model_subject(table: pd.DataFrame) -> Any:
    """Return the subject for Figures 1 and 2: the first Caucasian woman, as in the paper."""
    if {"group", "sex"} <= set(table):
        women = table[(table["group"] == "Caucasian") & (table["sex"] == "female")]
        table = women if len(women) else table
    return table["subject"].iloc[0]


def portraits(shots: pd.DataFrame, size: int) -> Images:
    """Render synthetic images of these shots at a size of their own, once."""
    return synthfaces.render(shots, size, files.faces_cache(), workers=1, progress=False)


def of(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Return the rows with these values, with their row numbers as index."""
    rows = table.reset_index(drop=True)
    return rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)]


def angles_figure(faces: Faces) -> Figure | None:
    """Draw one subject from the five cameras (Figure 1)."""
    angles = [int(paper.number(f"f1.both.angle_{panel}")) for panel in "abcde"]
    titles = {angle: f"{angle}°" for angle in angles}
    return _views(faces, 1, "angle", titles, emotion="neutral", gaze="frontal")


def emotions_figure(faces: Faces) -> Figure | None:
    """Draw one subject with the eight emotions (Figure 2)."""
    titles = {emotion: emotion for emotion in synthfaces.EMOTIONS}
    return _views(faces, 2, "emotion", titles, gaze="frontal", angle=90)


@style.styled()
def _views(
    faces: Faces, lines: int, column: str, titles: Mapping[Any, str], **shot: object
) -> Figure | None:
    """Draw large images of one subject, in lines, by the values of a column that have titles."""
    design = whole_design(faces)
    if design is None:
        return None
    subject = model_subject(faces.index.table)
    shots = of(design, subject=subject, **shot).drop_duplicates(column).set_index(column)
    there = [value for value in titles if value in shots.index]
    shots = shots.loc[there].reset_index()
    if faces.originals is None:
        images = portraits(shots, PORTRAIT)
    else:
        images = faces.originals.portraits(list(shots["path"]), PORTRAIT)
    found = dict(zip(there, images, strict=True))
    figure, axes = style.grid(lines, len(titles) // lines, aspect=1.08)
    for axis, panel, (value, title) in zip(axes.flat, "abcdefgh", titles.items(), strict=False):
        said = f"({panel}) {title}"
        if value in found:
            style.show_image(axis, found[value], said)
        else:
            style.clear(axis)
            axis.text(0.5, 0.5, f"{said}\nnot there", ha="center", va="center", color=style.GRAY)
    figure.suptitle(f"subject {style.short(str(subject), 16)} ({style.called(faces)})")
    return figure


def mosaic(images: Images, rows: pd.DataFrame, gap: int) -> Shaped[np.ndarray, "y x 3"]:
    """Arrange images in one, by their row numbers; white where these are negative."""
    (height, width), places = images.shape[1:3], rows.to_numpy().ravel()
    tiles = np.full((len(places), height + gap, width + gap, 3), 255, np.uint8)
    tiles[places >= 0, :height, :width] = images[places[places >= 0]]
    return style.tiled(tiles, rows.shape[1], 255.0)[:-gap, :-gap]


def of_each(faces: Faces, task: str, most: int = 20, columns: int = ACROSS) -> pd.DataFrame:
    """Arrange images of each of the first classes, taken evenly from all of the class.

    Returns a line of row numbers for each class, with -1 where it is shorter than others.
    """
    labels, names = faces.index.labels(task), faces.index.classes(task)[:most]
    members = [np.flatnonzero(labels == label) for label in range(len(names))]
    lines = [
        rows[np.linspace(0, len(rows) - 1, min(columns, len(rows))).astype(int)].tolist()
        for rows in members
    ]
    table = pd.DataFrame(lines, index=[style.short(name, 16) for name in names])
    return table.fillna(-1).astype(int)


def examples(faces: Faces) -> pd.DataFrame:
    """Arrange one subject's images by emotion, angle and gaze; else some of each class."""
    if not faces.index.has(*FACTORS):
        return of_each(faces, faces.index.tasks[-1], columns=9)
    mine = of(faces.index.table, subject=model_subject(faces.index.table))
    mine = mine.drop_duplicates(["emotion", "angle", "gaze"])
    wide = mine.reset_index().pivot(index="emotion", columns=["angle", "gaze"], values="index")
    wide = wide.sort_index(axis=1).fillna(-1).astype(int)
    return wide.set_axis(wide.columns.map("{0[0]}°\n{0[1]}".format), axis=1)


@style.styled()
def contact_sheet(faces: Faces, task: str) -> Figure:
    """Draw images of each of the first classes of a task."""
    return tiled(faces.images, of_each(faces, task))[0]


@style.styled()
def examples_figure(faces: Faces, parts: Split) -> Figure:
    """Draw images of one subject, or of each class, framed by the part that they belong to."""
    figure, axis, corners = tiled(faces.images, examples(faces))

    def frame(corner: Corner, colour: str) -> Rectangle:
        side = faces.images.shape[1]
        return Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=2)

    for row, corner in corners.items():
        axis.add_patch(frame(corner, style.BLUE if row in parts.train else style.ORANGE))
    handles = [frame((0.0, 0.0), colour) for colour in (style.BLUE, style.ORANGE)]
    names = ["trains the network", "tests it"]
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def tiled(images: Images, places: pd.DataFrame) -> tuple[Figure, Axes, dict[int, Corner]]:
    """Draw a mosaic with its headings; return also the upper left corner of each row's image."""
    tall, wide = images.shape[1:3]
    gap = max(2, wide // 12)
    whole = mosaic(images, places, gap)
    height, width = whole.shape[:2]
    cell = min(6.0, 0.6 * places.shape[1] + 1)
    figure, ((axis,),) = style.grid(1, 1, cell=cell, aspect=height / width * 0.92 + 0.03)
    style.show_image(axis, whole)
    axis.set(xlim=(-1.5, width + 0.5), ylim=(height + 0.5, -1.5))
    rows, columns = (np.arange(count) for count in places.shape)
    axis.set_yticks(tall / 2 + (tall + gap) * rows, places.index.tolist())
    if places.columns.dtype != int:
        axis.set_xticks(wide / 2 + (wide + gap) * columns, places.columns.tolist())
    axis.xaxis.tick_top()
    axis.tick_params(length=0, labelsize=7)
    corners = {
        int(row): (c * (wide + gap) - 0.5, r * (tall + gap) - 0.5)
        for (r, c), row in np.ndenumerate(places.to_numpy())
        if row >= 0
    }
    return figure, axis, corners
