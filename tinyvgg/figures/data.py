"""Figures of chapter 1: who is shown how, and which images train the network."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tinyvgg import paper
from tinyvgg.faces import EMOTIONS, Faces, Split
from tinyvgg.faces.files import ImageFiles
from tinyvgg.figures import style
from tinyvgg.findings.data import FACTORS, lacking, model_subject, views, whole_design

PORTRAIT = 224
TRAIN, TEST = style.BLUE, style.ORANGE
EXAMPLES = 9
MOST_CLASSES = 20
"""A figure of more would be taller than pages are."""


class Examples(NamedTuple):
    """Rows of a set of faces, arranged with headings; -1 where there is none."""

    rows: Int[np.ndarray, "r c"]
    row_names: list[str]
    column_names: list[str]


def mosaic(
    images: Shaped[np.ndarray, "n h w 3"] | ImageFiles, rows: Int[np.ndarray, "r c"], gap: int
) -> Shaped[np.ndarray, "y x 3"]:
    """One image of many, in the arrangement of `rows` (indices; white where negative)."""
    height, width = images.shape[1:3]
    down, across = rows.shape
    shape = (down * (height + gap) - gap, across * (width + gap) - gap, 3)
    whole = np.full(shape, 255, np.uint8)
    for (r, c), row in np.ndenumerate(rows):
        if row >= 0:
            top, left = r * (height + gap), c * (width + gap)
            whole[top : top + height, left : left + width] = images[row]
    return whole


def panel_angles() -> list[int]:
    """The camera angles in the order of the paper's Figure 1."""
    return [int(paper.number(f"f1.both.angle_{panel}")) for panel in "abcde"]


@style.styled()
def angles_figure(faces: Faces) -> style.Drawn:
    """One subject from the five cameras; below, what the network gets to see (Figure 1)."""
    design = whole_design(faces)
    if design is None:
        return style.Missing(f"There is no figure of five angles. {lacking(faces.index)}")
    subject = model_subject(faces.index.table)
    wanted = {"subject": subject, "emotion": "neutral", "gaze": "frontal"}
    shots = _of(design, **wanted).set_index("angle")
    there = [angle for angle in panel_angles() if angle in shots.index]
    large = dict(zip(there, views(faces, shots.loc[there].reset_index(), PORTRAIT), strict=True))
    figure, axes = style.grid(2, len(panel_angles()))
    for column, angle in enumerate(panel_angles()):
        title = f"({'abcde'[column]}) {angle}°"
        _show_or_say(axes[0, column], large.get(angle), title, f"{title}\nnot there")
        seen = _of(faces.index.table, **wanted, angle=angle).index
        image = faces.images[seen[0]] if len(seen) else None
        size = faces.images.shape[1]
        _show_or_say(axes[1, column], image, f"{size} × {size} pixels", "left out")
    figure.suptitle(f"subject {style.short(str(subject), 16)} ({style.called(faces)})")
    return figure


def _show_or_say(
    axis: Axes, image: Shaped[np.ndarray, "h w 3"] | None, title: str, instead: str
) -> None:
    """An image, or a word where there is none."""
    style.clear(axis)
    if image is None:
        axis.text(0.5, 0.5, instead, ha="center", va="center", color=style.GRAY)
    else:
        style.show_image(axis, image, title)


@style.styled()
def emotions_figure(faces: Faces) -> Figure:
    """One subject with the eight emotions (Figure 2); else examples of each class."""
    design = whole_design(faces)
    if design is None:
        return examples_figure(faces, None)
    subject = model_subject(faces.index.table)
    shots = _of(design, subject=subject, gaze="frontal", angle=90).set_index("emotion")
    there = [emotion for emotion in EMOTIONS if emotion in shots.index]
    large = dict(zip(there, views(faces, shots.loc[there].reset_index(), PORTRAIT), strict=True))
    figure, axes = style.grid(2, 4, cell=1.5, aspect=1.08)
    for axis, letter, emotion in zip(axes.flat, "abcdefgh", EMOTIONS, strict=True):
        title = f"({letter}) {emotion}"
        _show_or_say(axis, large.get(emotion), title, f"{title}\nnot there")
    figure.suptitle(f"subject {style.short(str(subject), 16)} ({style.called(faces)})")
    return figure


@style.styled()
def subjects_figure(faces: Faces, columns: int = 12) -> style.Drawn:
    """Everybody, neutral, from the front, at the size that the network sees."""
    if not faces.index.has("group", "sex", *FACTORS):
        return style.Missing(f"There is no figure of all subjects. {lacking(faces.index)}")
    arranged = everybody(faces.index.table, columns)
    figure, axis = _tiled(faces, arranged)
    subjects = faces.index.table["subject"]
    pitch = faces.images.shape[1] + _gap(faces)
    for (r, c), row in np.ndenumerate(arranged.rows):
        if row >= 0:
            label = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            place = (c * pitch, r * pitch)
            axis.text(
                *place,
                style.short(str(subjects.iloc[row]), 12),
                fontsize=5.5,
                va="center",
                bbox=label,
            )
    return figure


def everybody(table: pd.DataFrame, columns: int) -> Examples:
    """One image a subject, in rows that each belong to one group and sex."""
    faces_on = _of(table, emotion="neutral", gaze="frontal", angle=90)
    rows: list[list[int]] = []
    names: list[str] = []
    columns = min(columns, int(faces_on.groupby(["group", "sex"]).size().max()))
    for (group, sex), members in faces_on.groupby(["group", "sex"]):
        found = list(members.index)
        for start in range(0, len(found), columns):
            line = found[start : start + columns]
            rows.append(line + [-1] * (columns - len(line)))
            heading = f"{style.short(str(group), 16)}\n{style.short(str(sex), 16)}"
            names.append(heading if start == 0 else "")
    return Examples(np.array(rows), names, [])


@style.styled()
def examples_figure(faces: Faces, parts: Split | None) -> Figure:
    """Images of one subject, or of each class, framed by the part that they belong to."""
    arranged = examples(faces)
    figure, axis = _tiled(faces, arranged)
    if parts is None:
        return figure
    pitch, side = faces.images.shape[1] + _gap(faces), faces.images.shape[1]
    for (r, c), row in np.ndenumerate(arranged.rows):
        if row >= 0:
            colour = TRAIN if row in parts.train else TEST
            corner = (c * pitch - 0.5, r * pitch - 0.5)
            axis.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=2))
    handles = [Rectangle((0, 0), 1, 1, fill=False, edgecolor=c, linewidth=2) for c in (TRAIN, TEST)]
    names = ["trains the network", "tests it"]
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure


@style.styled()
def contact_sheet(faces: Faces, task: str, most: int = 20, columns: int = 12) -> Figure:
    """Images of each class, taken evenly from all that it has.

    Args:
        faces: to show.
        task: the column whose values are the classes.
        most: classes, the first ones.
        columns: images of a class.
    """
    labels, names = faces.index.labels(task), faces.index.classes(task)[:most]
    lines = []
    for label in range(len(names)):
        rows = np.flatnonzero(labels == label)
        shown = rows[np.linspace(0, len(rows) - 1, min(columns, len(rows))).astype(int)]
        lines.append([*shown, *[-1] * (columns - len(shown))])
    titles = [style.short(name, 16) for name in names]
    return _tiled(faces, Examples(np.array(lines), titles, []))[0]


def examples(faces: Faces) -> Examples:
    """One subject's images by emotion, angle and gaze; else the first images of each class."""
    table, index = faces.index.table, faces.index
    if not index.has("subject", "emotion", "angle", "gaze"):
        return _first_of_each(table, index.tasks[-1])
    mine = _of(table, subject=model_subject(table))
    wide = mine.assign(row=mine.index).pivot(
        index="emotion", columns=["angle", "gaze"], values="row"
    )
    wide = wide.sort_index(axis=1)
    angles, gazes = (wide.columns.get_level_values(name) for name in ("angle", "gaze"))
    columns = [f"{angle}°\n{gaze}" for angle, gaze in zip(angles, gazes, strict=True)]
    return Examples(wide.to_numpy(np.int64), list(wide.index), columns)


def _first_of_each(table: pd.DataFrame, column: str) -> Examples:
    found = list(table.groupby(column))[:MOST_CLASSES]
    lines = [list(members.index[:EXAMPLES]) for _, members in found]
    names = [style.short(str(name), 16) for name, _ in found]
    widest = max(map(len, lines))
    rows = [line + [-1] * (widest - len(line)) for line in lines]
    return Examples(np.array(rows), names, [])


def _tiled(faces: Faces, arranged: Examples) -> tuple[Figure, Axes]:
    """A mosaic with its headings, as wide as the book's figures."""
    gap = _gap(faces)
    whole = mosaic(faces.images, arranged.rows, gap)
    height, width = whole.shape[:2]
    cell = min(6.0, 0.6 * arranged.rows.shape[1] + 1)
    figure, axes = style.grid(1, 1, cell=cell, aspect=height / width * 0.92 + 0.03)
    axis: Axes = axes[0, 0]
    style.show_image(axis, whole)
    axis.set(xlim=(-1.5, width + 0.5), ylim=(height + 0.5, -1.5))
    pitch, middle = faces.images.shape[1] + gap, faces.images.shape[1] / 2
    axis.set_yticks(
        [r * pitch + middle for r in range(len(arranged.row_names))], arranged.row_names
    )
    axis.set_xticks(
        [c * pitch + middle for c in range(len(arranged.column_names))], arranged.column_names
    )
    axis.xaxis.tick_top()
    axis.tick_params(length=0, labelsize=7)
    return figure, axis


def _gap(faces: Faces) -> int:
    return max(2, int(faces.images.shape[1]) // 12)


def _of(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values, their row numbers as index."""
    chosen = np.ones(len(table), dtype=bool)
    for column, value in wanted.items():
        chosen &= (table[column] == value).to_numpy()
    return table.reset_index(drop=True)[chosen]
