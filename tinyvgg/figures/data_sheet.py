"""Pictures of the data sheet: everybody, what faces do, and what is known of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tinyvgg.face_parameters import ANGLES, EMOTIONS
from tinyvgg.faces import Faces
from tinyvgg.faces.synthetic import FacePart, Truth, design
from tinyvgg.figures import style
from tinyvgg.figures.data import mosaic
from tinyvgg.findings.data import portraits
from tinyvgg.findings.data_sheet import SKIN_CLASSES
from tinyvgg.findings.judges import Judged, confusion_table

SMALL, LARGE = 112, 224
"""Sizes at which portraits are rendered for these figures, pixels."""
COLUMNS = 12

_PART_COLOURS = {
    FacePart.BACKGROUND: "#f2f2f2",
    FacePart.HAIR: "#5b4a3a",
    FacePart.NECK: "#b9a48f",
    FacePart.EARS: "#d55e00",
    FacePart.FOREHEAD: "#f0e442",
    FacePart.CHEEKS: "#f4b9a7",
    FacePart.CHIN: "#9a7fc7",
    FacePart.NOSE: "#009e73",
    FacePart.MOUTH: "#cc3311",
    FacePart.EYES: "#0072b2",
    FacePart.BROWS: "#1a1a1a",
}


@style.styled()
def everybody_figure(faces: Faces, people: pd.DataFrame) -> Figure:
    """Everybody, neutral and from the front, from the lightest skin to the darkest.

    Args:
        faces: of the synthetic set.
        people: `tinyvgg.findings.data_sheet.looks`, whose order is kept.
    """
    table = faces.index.table.reset_index(drop=True)
    chosen = (table["emotion"] == "neutral") & (table["gaze"] == "frontal") & (table["angle"] == 90)
    row_of = dict(zip(table["subject"][chosen], table.index[chosen], strict=True))
    people = people[people["subject"].isin(list(row_of))]
    size = int(faces.images.shape[1])
    band, gap = max(3, size // 10), max(2, size // 16)
    tiles = np.stack(
        [
            _with_skin(np.asarray(faces.images[row_of[subject]]), colour, band)
            for subject, colour in zip(people["subject"], _skins(people), strict=True)
        ]
    )
    columns = min(COLUMNS, len(tiles))
    places = _in_rows(len(tiles), columns)
    whole = mosaic(tiles, places, gap)
    height, width = whole.shape[:2]
    cell = min(style.WIDTH, 0.7 * columns)
    figure, axes = style.grid(1, 1, cell=cell, aspect=height / width)
    axis: Axes = axes[0, 0]
    style.show_image(axis, whole)
    label = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    for (r, c), place in np.ndenumerate(places):
        if place >= 0:
            corner = (c * (size + gap), r * (size + band + gap))
            number = str(people["subject"].iloc[place])
            axis.text(*corner, number, fontsize=5.5, va="center", bbox=label)
    axis.set(xlim=(-1.5, width - 0.5), ylim=(height - 0.5, -1.5))
    return figure


def _with_skin(
    image: Shaped[np.ndarray, "s s 3"], colour: Float[np.ndarray, "3"], band: int
) -> UInt8[np.ndarray, "h s 3"]:
    """A portrait above a band of the colour of its skin."""
    strip = np.full((band, image.shape[1], 3), np.round(255 * colour), np.uint8)
    return np.concatenate([image, strip])


def _skins(people: pd.DataFrame) -> Float[np.ndarray, "n 3"]:
    return people[["red", "green", "blue"]].to_numpy(np.float64)


def _in_rows(count: int, columns: int) -> Int[np.ndarray, "r c"]:
    rows = -(-count // columns)
    places = np.full(rows * columns, -1)
    places[:count] = np.arange(count)
    return places.reshape(rows, columns)


@style.styled()
def tones_figure(people: pd.DataFrame) -> Figure:
    """The typology angle of each subject's skin by group, drawn in the colour of the skin."""
    groups = sorted(people["group"].unique())
    figure, axes = style.grid(1, 1, cell=style.WIDTH, aspect=0.26)
    axis: Axes = axes[0, 0]
    for place, group in enumerate(groups):
        mine = people[people["group"] == group]
        spread = np.resize([-0.18, 0.0, 0.18], len(mine))
        axis.scatter(
            mine["angle"], place + spread, c=_skins(mine), s=70, edgecolor=style.GRAY, linewidth=0.4
        )
    axis.set_yticks(range(len(groups)), groups)
    low, high = people["angle"].min() - 4, people["angle"].max() + 4
    axis.set(xlim=(high, low), ylim=(len(groups) - 0.4, -0.6), xlabel="individual typology angle")
    axis.xaxis.set_major_formatter("{x:.0f}°")
    upper = high
    for name, border in SKIN_CLASSES:
        inner = max(border, low)
        if inner < upper:
            axis.text((upper + inner) / 2, -0.75, name, ha="center", fontsize=8, color=style.GRAY)
        if low < border < high:
            axis.axvline(border, color=style.GRAY, linewidth=0.8, linestyle=":")
        upper = min(upper, border)
    axis.tick_params(axis="y", length=0)
    return figure


def one_of_each_group(table: pd.DataFrame) -> list[int]:
    """The first woman of the set, the first Moroccan man and the first child that are there."""
    people = table.drop_duplicates("subject")
    wanted = (("Caucasian", "female"), ("Moroccan", "male"), ("Kid", None))
    found = []
    for group, sex in wanted:
        mine = people[(people["group"] == group) & ((people["sex"] == sex) | (sex is None))]
        found += mine["subject"].head(1).tolist()
    return found


@style.styled()
def emotions_figure(subjects: Sequence[int]) -> Figure:
    """The eight emotions (columns) of a few subjects (rows)."""
    shots = _rows(design(angles=(90,), gazes=("frontal",)), subjects, list(EMOTIONS), "emotion")
    return _portrait_grid(shots, subjects, list(EMOTIONS))


@style.styled()
def angles_figure(subjects: Sequence[int]) -> Figure:
    """A few subjects (rows) from all five cameras (columns)."""
    table = design(angles=ANGLES, emotions=("neutral",), gazes=("frontal",))
    angles = sorted(ANGLES, reverse=True)
    shots = _rows(table, subjects, angles, "angle")
    return _portrait_grid(shots, subjects, [f"{angle}°" for angle in angles])


def _rows(
    table: pd.DataFrame, subjects: Sequence[int], values: Sequence[object], column: str
) -> pd.DataFrame:
    """The shots of these subjects, one after the other, each with these values in order."""
    indexed = table.set_index(["subject", column])
    wanted = [(subject, value) for subject in subjects for value in values]
    return indexed.loc[wanted].reset_index()


def _portrait_grid(shots: pd.DataFrame, subjects: Sequence[int], titles: Sequence[str]) -> Figure:
    images = portraits(shots, SMALL)
    figure, axes = style.grid(len(subjects), len(titles))
    for place, image in enumerate(images):
        row, column = divmod(place, len(titles))
        style.show_image(axes[row, column], image, titles[column] if row == 0 else "")
        if column == 0:
            axes[row, column].set_ylabel(f"subject {subjects[row]}")
    return figure


@style.styled()
def expressions_figure(strengths: pd.DataFrame) -> Figure:
    """How strongly each action (rows) is put on in each emotion (columns)."""
    return _heat_map(
        strengths.to_numpy(),
        [_words(action) for action in strengths.index],
        list(strengths.columns),
        "{:g}",
        "Blues",
        (style.WIDTH * 0.8, 0.21 * len(strengths) + 0.9),
    )


def _words(action: str) -> str:
    """The name of an action without what the code has of it."""
    name, _, side = action.partition(":")
    return f"{name} ({side} side)" if side else name


@style.styled()
def truth_figure(truths: Sequence[Truth], images: Sequence[UInt8[np.ndarray, "s s 3"]]) -> Figure:
    """Images of the set, the parts of the face that their pixels show, and the landmarks."""
    figure, axes = style.grid(len(truths), 3, cell=style.WIDTH / 3.1)
    colours = _part_colours()
    for row, (truth, image) in enumerate(zip(truths, images, strict=True)):
        titles = ("image", "parts", "landmarks") if row == 0 else ("", "", "")
        style.show_image(axes[row, 0], image, titles[0])
        style.show_image(axes[row, 1], colours[truth.parts], titles[1])
        style.show_image(axes[row, 2], _faded(image), titles[2])
        marks = truth.landmarks
        for seen, face in ((True, style.BLUE), (False, "none")):
            points = marks.points[marks.visible == seen] - 0.5
            axes[row, 2].scatter(*points.T, s=14, facecolor=face, edgecolor=style.BLUE)
    handles = [
        Patch(facecolor=_PART_COLOURS[part], edgecolor=style.GRAY, label=part.name.lower())
        for part in FacePart
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _part_colours() -> UInt8[np.ndarray, "parts 3"]:
    colours = [bytes.fromhex(_PART_COLOURS[part].removeprefix("#")) for part in FacePart]
    return np.array([list(colour) for colour in colours], np.uint8)


def _faded(image: UInt8[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "s s 3"]:
    return (255 - (255 - image.astype(np.uint16)) // 2).astype(np.uint8)


@style.styled()
def readings_figure(judged: Judged | None) -> style.Drawn:
    """What the reader of expressions says (columns) of each emotion put on (rows), as shares."""
    if judged is None:
        return style.Missing("What is read in the faces cannot be shown without that report.")
    confusion = confusion_table(judged)
    shares = confusion.div(confusion.sum(axis=1), axis=0).to_numpy()
    figure = _heat_map(
        shares,
        list(confusion.index),
        list(confusion.columns),
        "{:.0%}",
        "Blues",
        (style.WIDTH * 0.72, 3.6),
    )
    figure.axes[0].set(xlabel="read as", ylabel="put on")
    return figure


def _heat_map(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    form: str,
    colours: str,
    inches: tuple[float, float],
) -> Figure:
    """Numbers on colour; what is zero is left empty."""
    figure, axes = style.grid(1, 1, cell=inches[0], aspect=inches[1] / inches[0])
    axis: Axes = axes[0, 0]
    top = max(float(values.max()), 1e-12)
    axis.imshow(values, cmap=colours, vmin=0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if value > 0:
            colour = "white" if value > 0.6 * top else "black"
            text = form.format(value)
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="#e4e4e4", linewidth=0.6)
    axis.tick_params(which="both", length=0, labelsize=8)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure
