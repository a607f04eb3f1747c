"""The design of a set of faces, its splits, and how near the two parts are (claims D1 to D4)."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import cos, radians, sin
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from tinyvgg import files as paths
from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.verdicts import Part, Verdict, weigh
from tinyvgg.faces.cropping import ByCamera
from tinyvgg.faces.images import Crop
from tinyvgg.faces.index import FaceIndex, Faces, Originals, Seen
from tinyvgg.faces.sources import OPTIONS, SYNTHETIC, named, synthfaces, terms_of
from tinyvgg.faces.splits import Split, cells, split
from tinyvgg.paper import TASK_NAMES
from tinyvgg.training.experiments import Study

FACTORS = ("subject", "emotion", "gaze", "angle")
PLURALS = {
    "subject": "subjects",
    "emotion": "emotions",
    "gaze": "gazes",
    "angle": "angles",
    "class": "classes",
}
HALF, TABLE, TEXT = "half of each cell", "as Table 2 counts", "as the text counts"
MOST_MISSING = 20
"""Lines on what is missing that a page shows."""
CLAIMS = {"subject": "d3", "emotion": "d4", "class": "d3"}

Readings = Mapping[tuple[str, str], Split]


def whole_design(faces: Faces) -> pd.DataFrame | None:
    """All that could be rendered or is there, with every camera; None where there are none."""
    if faces.originals is not None:
        shots = faces.originals.shots()
        return shots if set(FACTORS) <= set(shots) else None
    if faces.kind != SYNTHETIC:
        return None

    return synthfaces.design(angles=synthfaces.ANGLES)


def counts(table: pd.DataFrame | None) -> dict[str, int | float | None]:
    """Levels of each factor that the table knows, images a subject, and images."""
    if table is None:
        return {}
    known: dict[str, int | float | None] = {
        PLURALS[column]: int(table[column].nunique())
        for column in (*FACTORS, "class")
        if column in table
    }
    if "subject" in table:
        known["images_per_subject"] = int(table["subject"].value_counts().max())
    return {**known, "images": len(table)}


def design_table(faces: Faces) -> pd.DataFrame:
    """The paper's design beside what this run uses, and beside all of the synthetic set."""
    whole = whole_design(faces)
    columns: dict[str, dict[str, int | float | None]] = {
        "paper, all": _paper("d1"),
        "paper, used": _paper("d1") | {"images_per_subject": None} | _paper("d2"),
        **({} if whole is None else {f"{faces.kind}, all": counts(whole)}),
        "this run": counts(faces.index.table) | {"size": faces.images.shape[1]},
    }
    names = dict.fromkeys(name for values in columns.values() for name in values)
    shown = {
        title: [paper.show(values.get(name), "count") for name in names]
        for title, values in columns.items()
    }
    named = {"size": "pixels, side of an image", "images_per_subject": "images of a subject"}
    rows = [named.get(name, name) for name in names]
    return pd.DataFrame(shown, index=pd.Index(rows, name="number of"))


def _paper(claim: str) -> dict[str, int | float | None]:
    known = ("subjects", "emotions", "gazes", "angles", "images_per_subject", "images", "size")
    keys = {key: number.value for key, number in paper.load().numbers.items()}
    found = {name: keys.get(f"{claim}.both.{name}") for name in known}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def at_hand(faces: Faces) -> str:
    """What this run works on, and what of the paper's design is not known about it."""
    kind, _, name = named(faces.source).partition(":")
    whose = f"images of the folder `{name}`" if kind in OPTIONS else f"of the {kind} faces"
    if kind not in OPTIONS and name:
        whose += f" (`{name}`)"
    left = "" if faces.index.has(*FACTORS) else " What asks for that is left out of these pages."
    return f"This run works on {len(faces):,} {whose}. {lacking(faces.index)}{left}"


def lacking(index: FaceIndex) -> str:
    """One sentence about the factors of the paper's design that a source does not know."""
    missing = [factor for factor in FACTORS if not index.has(factor)]
    if not missing:
        return "This source knows all factors of the paper's design."
    return f"This source does not say which {_either(missing)} an image shows."


def _either(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def people_table(faces: Faces) -> pd.DataFrame:
    """Subjects by group and sex; images by class where the source knows no people."""
    table = faces.index.table
    if not faces.index.has("subject", "group", "sex"):
        column = faces.index.tasks[-1]
        return table[column].value_counts().sort_index().rename("images").to_frame()
    people = table.drop_duplicates("subject")
    return pd.crosstab(people["group"], people["sex"], margins=True, margins_name="all")


def model_subject(table: pd.DataFrame) -> Any:
    """The subject for Figures 1 and 2: as in the paper a Caucasian woman, the first there is."""
    if {"group", "sex"} <= set(table):
        wanted = table[(table["group"] == "Caucasian") & (table["sex"] == "female")]
        table = wanted if len(wanted) else table
    return table["subject"].iloc[0]


def portraits(shots: pd.DataFrame, size: int) -> Shaped[np.ndarray, "n s s 3"]:
    """Synthetic images of these shots at a size of their own, rendered once and kept."""
    return synthfaces.render(shots, size, paths.faces_cache(), workers=1, progress=False)


def views(faces: Faces, shots: pd.DataFrame, size: int) -> Shaped[np.ndarray, "n s s 3"]:
    """Images of shots among those of `whole_design`, at a size of their own."""
    if faces.originals is None:
        return portraits(shots, size)
    return faces.originals.portraits(list(shots["path"]), size)


def cropping_sentence(faces: Faces) -> str:
    """How the images were cut out of larger ones."""
    if faces.originals is None:
        return "These faces are rendered as they are used: nothing is cropped."
    return faces.originals.cropping.about


def left_out_sentence(faces: Faces) -> str:
    """How many images are not used."""
    if faces.originals is None:
        return "No image is left out."
    count, everything = len(faces.left_out), len(faces.left_out) + len(faces)
    if not count:
        return f"All {everything:,} photographs that are there are used."
    return f"Of {everything:,} files that are there {count:,} are left out:"


def left_out_table(faces: Faces) -> pd.DataFrame:
    """What is not used and why, in the order of the paths."""
    return faces.left_out.set_index("path")


def missing_sentence(faces: Faces) -> str:
    """What the design of a source has, and this copy of it has not."""
    missing = faces.originals.listing.missing if faces.originals is not None else ()
    if not missing:
        return "Nothing that the source's design has is missing."
    lines = "".join(f"\n- {one}" for one in missing[:MOST_MISSING])
    more = len(missing) - MOST_MISSING
    return f"Missing is:\n{lines}" + (f"\n- ... and {more} more lines" if more > 0 else "")


def readings(study: Study) -> dict[tuple[str, str], Split]:
    """The splits by (task, reading): each task's own, and for emotion also the text's (D4).

    Where a cell has an odd number of images the two readings give the odd one to different parts.
    """
    found = {
        (task, TABLE if task == "emotion" else HALF): study.split(task) for task in study.tasks
    }
    if "emotion" in study.tasks:
        index = study.faces.index
        larger = _cell_size(index, "emotion") - _cell_size(index, "emotion") // 2
        found["emotion", TEXT] = split(index, "emotion", study.seed, per_cell=larger)
    return found


def _cell_size(index: FaceIndex, task: str) -> int:
    return int(index.table.groupby(cells(index, task)).size().min())


def cell_counts(index: FaceIndex, task: str, parts: Split) -> pd.DataFrame:
    """Training and test images of every cell that is drawn from."""
    part = np.full(len(index), "", dtype=object)
    part[parts.train], part[parts.test] = "train", "test"
    by_cell = index.table.assign(part=part).groupby([*cells(index, task), "part"]).size()
    return by_cell.unstack("part", fill_value=0)[["train", "test"]]


def split_table(index: FaceIndex, splits: Readings) -> pd.DataFrame:
    """What each split amounts to: cells, images of a cell in either part, and sums."""
    rows = []
    for (task, reading), parts in splits.items():
        by_cell = cell_counts(index, task, parts)
        rows.append(
            {
                "task": TASK_NAMES.get(task, task),
                "split": reading,
                "cells": len(by_cell),
                "train a cell": _range(by_cell["train"]),
                "test a cell": _range(by_cell["test"]),
                "train": len(parts.train),
                "test": len(parts.test),
                "in both": len(np.intersect1d(parts.train, parts.test)),
                "in neither": len(index) - len(np.union1d(parts.train, parts.test)),
            }
        )
    return pd.DataFrame(rows).set_index(["task", "split"])


def _range(values: "pd.Series[int]") -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def reading_table() -> pd.DataFrame:
    """Which of the paper's two splits for emotion its accuracy and error count belong to (D4)."""
    errors = int(paper.number("t2.emotion.errors"))
    printed = paper.show(paper.number("t2.emotion.accuracy"), "percent")
    rows = []
    for reading, suffix in ((TABLE, ""), (TEXT, "_text")):
        test = int(paper.number(f"d4.emotion.test{suffix}"))
        follows = paper.show(1 - errors / test, "percent")
        rows.append(
            (reading, test, errors, follows, printed, "yes" if follows == printed else "no")
        )
    columns = ["split", "test images", "errors", "accuracy that follows", "printed", "agree"]
    return pd.DataFrame(rows, columns=columns).set_index("split")


def nearness_table(faces: Faces, splits: Readings) -> pd.DataFrame:
    """How much of the test part the network has nearly seen: images by what trains beside them."""
    rows = [
        {"task": TASK_NAMES.get(task, task), "split": reading, **nearness(faces, parts)}
        for (task, reading), parts in splits.items()
    ]
    return pd.DataFrame(rows).set_index(["task", "split"]).round(4)


def nearness(faces: Faces, parts: Split) -> dict[str, float]:
    """Shares of the test part with a training image of equal pixels, a twin, or of the same shot.

    A twin shows the same subject with the same expression from the same angle, and differs in gaze
    alone; the other cameras of a shot released at the same moment.
    """
    table = faces.index.table
    shares = {"equal pixels": _share(_digests(faces), parts)}
    if faces.index.has(*FACTORS):
        shares["twin, other gaze"] = _share(_keys(table, "subject", "emotion", "angle"), parts)
        shares["same shot, other camera"] = _share(
            _keys(table, "subject", "emotion", "gaze"), parts
        )
    return shares


def _digests(faces: Faces) -> Shaped[np.ndarray, "n"]:
    return np.array([sha256(image.tobytes()).hexdigest() for image in faces.images])


def _keys(table: pd.DataFrame, *columns: str) -> Shaped[np.ndarray, "n"]:
    numbers: Shaped[np.ndarray, "n"] = table.groupby(list(columns)).ngroup().to_numpy()
    return numbers


def _share(keys: Shaped[np.ndarray, "n"], parts: Split) -> float:
    return float(np.isin(keys[parts.test], keys[parts.train]).mean())


def numbers(study: Study, splits: Readings) -> dict[str, object]:
    """What chapter 1 records, all of it exact."""
    faces = study.faces
    ours: dict[str, object] = {
        f"d1.both.{name}": value for name, value in counts(whole_design(faces)).items()
    }
    used = counts(faces.index.table)
    ours |= {f"d2.both.{name}": used.get(name) for name in ("angles", "images")}
    ours |= {"d2.both.size": faces.images.shape[1], "f2.both.panels": used.get("emotions")}
    for (task, reading), parts in splits.items():
        twins = nearness(faces, parts).get("twin, other gaze")
        by_cell = cell_counts(faces.index, task, parts)
        suffix = "_text" if reading == TEXT else ""
        split_numbers: dict[str, object] = {
            "train_per_cell": int(by_cell["train"].min()),
            "train": len(parts.train),
            "test": len(parts.test),
        }
        if not suffix:
            split_numbers |= {
                "cells": len(by_cell),
                "images_per_cell": int(by_cell.sum(axis=1).min()),
                "twins": twins,
            }
        prefix = f"{CLAIMS[task]}.{task}"
        ours |= {f"{prefix}.{name}{suffix}": value for name, value in split_numbers.items()}
        if reading == TABLE:
            ours[f"{prefix}.test_per_cell"] = int(by_cell["test"].min())
    return ours


def twins_sentence(index: FaceIndex, ours: Mapping[str, object]) -> str:
    """How many test images have a twin that was learned, in words.

    Args:
        index: of the faces.
        ours: what `numbers` found.
    """
    shares = [
        f"{share:.1%} of the test images for {TASK_NAMES[task]}"
        for task in index.tasks
        if isinstance(share := ours.get(f"{CLAIMS[task]}.{task}.twins"), float)
    ]
    if not shares:
        return f"How many images of this run have a twin is not known. {lacking(index)}"
    return f"In this run {' and '.join(shares)} have a twin that was learned."


def verdicts(study: Study) -> list[Verdict]:
    """D1 to D4, F1 and F2: met where the counts are the paper's."""
    faces = study.faces
    if not faces.index.has(*FACTORS):
        reason = f"the {faces.called} is no factorial design of subjects, emotions and angles"
        return [weigh(claim, reason) for claim in ("D1", "D2", "D3", "D4", "F1", "F2")]
    ours = numbers(study, readings(study))
    designed = _agree(ours, "d1.both", "subjects", "emotions", "gazes", "angles", "images")
    used = len(faces.index.table["subject"].unique())
    everyone = Part(
        used == paper.number("d1.both.subjects"),
        f"{used} subjects in this run" + (", all of them made up" if made_up(faces) else ""),
    )
    identity = _agree(ours, "d3.subject", "train_per_cell", "cells", "train", "test")
    table = _agree(ours, "d4.emotion", "train_per_cell", "test_per_cell", "train", "test")
    text = _agree(ours, "d4.emotion", "train_text", "test_text")
    one = Part(
        text.met and ours["d4.emotion.train"] == ours["d4.emotion.train_text"],
        "text and Table 2 cannot both be right: they give the odd image of each cell to "
        "different parts, and the printed accuracy fits the table only",
    )
    five = counts(whole_design(faces)).get("angles", 0)
    eight = counts(faces.index.table)["emotions"]
    whose = "synthetic subject" if made_up(faces) else "subject"
    return [
        weigh("D1", [designed, everyone]),
        weigh("D2", _one_by_one(ours, "d2.both", "angles", "images", "size")),
        weigh("D3", [identity]),
        weigh("D4", [table, one]),
        weigh("F1", [Part(five == len(synthfaces.ANGLES), f"{five} views of one {whose}")]),
        weigh(
            "F2", [Part(eight == len(synthfaces.EMOTIONS), f"{eight} expressions of one {whose}")]
        ),
    ]


def made_up(faces: Faces) -> bool:
    """Whether nobody is shown."""
    return not terms_of(faces.source).shows_people


def _agree(ours: Mapping[str, object], prefix: str, *names: str) -> Part:
    parts = _one_by_one(ours, prefix, *names)
    return Part(all(part.met for part in parts), ", ".join(part.fact for part in parts))


def _one_by_one(ours: Mapping[str, object], prefix: str, *names: str) -> list[Part]:
    parts = []
    for name in names:
        about, mine = paper.quantity(f"{prefix}.{name}"), ours[f"{prefix}.{name}"]
        same = mine == about.value
        shown = paper.show(mine, "count")  # type: ignore[arg-type]
        parts.append(Part(same, f"{about.label} {shown}" + ("" if same else f" for {about.text}")))
    return parts


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
    images: Shaped[np.ndarray, "n h w 3"], rows: Int[np.ndarray, "r c"], gap: int
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
    there = [emotion for emotion in synthfaces.EMOTIONS if emotion in shots.index]
    large = dict(zip(there, views(faces, shots.loc[there].reset_index(), PORTRAIT), strict=True))
    figure, axes = style.grid(2, 4, cell=1.5, aspect=1.08)
    for axis, letter, emotion in zip(axes.flat, "abcdefgh", synthfaces.EMOTIONS, strict=True):
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


HEIGHT = 340
"""Of whole photographs as they are shown, in pixels."""
MOST = 40
"""Photographs behind the mean image of a camera."""
CROPS_EXAMPLES = 6
SIZE = 224
Image = UInt8[np.ndarray, "_ _ 3"]


class Shown(NamedTuple):
    """A column of the figure: its title, a photograph with the part that is used, that part."""

    title: str
    whole: Seen
    crop: Image


@style.styled()
def crops_figure(faces: Faces) -> style.Drawn:
    """The part of photographs that is used, and what becomes of it.

    Where each camera has a square of its own: the mean photograph of people with a neutral
    expression at each angle, and the mean crop. Else some photographs, and their crops.
    """
    originals = faces.originals
    if originals is None:
        return style.Missing(f"There is no figure of crops. {cropping_sentence(faces)}")
    if isinstance(originals.cropping, ByCamera):
        shown = _cameras(originals)
    else:
        shown = _examples(faces, originals)
    if not shown:
        return style.Missing("There is no figure of crops. The photographs are not there any more.")
    figure, axes = style.grid(2, len(shown), cell=1.25, aspect=1.35)
    for column, (title, whole, crop) in enumerate(shown):
        style.show_image(axes[0, column], whole.image, title)
        _outline(axes[0, column], whole)
        style.show_image(axes[1, column], crop)
    return figure


def _cameras(originals: Originals) -> list[Shown]:
    """The mean image of each camera, with the part that is used, and the mean of that part."""
    shots, shown = originals.shots(), []
    for angle in synthfaces.ANGLES:
        found = _usable(originals, _neutral(shots[shots["angle"] == angle]))
        if found:
            seen, crops = zip(*found.values(), strict=True)
            whole = Seen(_mean([one.image for one in seen]), seen[0].crop)
            shown.append(Shown(f"{angle}°, {len(seen)} people", whole, _mean(crops)))
    return shown


def _neutral(shots: pd.DataFrame) -> list[str]:
    plain = shots[(shots["emotion"] == "neutral") & (shots["gaze"] == "frontal")]
    return list((plain if len(plain) else shots)["path"][:MOST])


def _examples(faces: Faces, originals: Originals) -> list[Shown]:
    """Photographs spread over the set."""
    table, task = faces.index.table, faces.index.tasks[-1]
    places = np.linspace(0, len(table) - 1, min(CROPS_EXAMPLES, len(table))).round().astype(int)
    chosen = table.iloc[places]
    titles = dict(zip(chosen["path"], chosen[task], strict=True))
    found = _usable(originals, list(titles))
    return [Shown(style.short(str(titles[path]), 16), *both) for path, both in found.items()]


def _usable(originals: Originals, paths: Sequence[str]) -> dict[str, tuple[Seen, Image]]:
    """Photographs that are there and can be used, whole and cropped, by path."""
    usable = [
        path for path, crop in zip(paths, originals.crops(paths), strict=True) if crop is not None
    ]
    both = zip(originals.seen(usable, HEIGHT), originals.portraits(usable, SIZE), strict=True)
    return dict(zip(usable, both, strict=True))


def _mean(images: Sequence[Image]) -> Image:
    return np.asarray(np.stack(images).mean(axis=0).round(), dtype=np.uint8)


def _outline(axis: Axes, seen: Seen) -> None:
    """The square that is used, in a photograph that is shown."""
    height, width = seen.image.shape[:2]
    axis.add_patch(Polygon(corners(seen.crop), fill=False, edgecolor=style.ORANGE, linewidth=1.5))
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def corners(crop: Crop) -> Float[np.ndarray, "4 2"]:
    """The corners of a crop, (x, y) from the upper left one on, clockwise; pixel centres count."""
    angle = radians(crop.turn)
    right = np.array([cos(angle), sin(angle)]) * crop.side / 2
    down = np.array([-sin(angle), cos(angle)]) * crop.side / 2
    middle = np.array([crop.x, crop.y]) - 0.5
    return np.stack(
        [middle + x * right + y * down for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    )
