"""Colours, sizes and drawing functions that all figures share."""

import base64
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped, UInt8
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from PIL import Image
from torch import Tensor

from tinyvgg.faces.index import Faces
from tinyvgg.trace import Trace
from tinyvgg.tracking import track_features

BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
RED, PURPLE, GRAY = "#cc3311", "#cc79a7", "#787878"
"""Okabe and Ito's colours and Tol's red, which colour-blind readers can distinguish, and a gray
that can be read on light and on dark pages."""

TASK_COLOURS = {"subject": BLUE, "emotion": ORANGE, "class": GREEN}
WIDTH = 7.5
"""Width of a figure in inches."""
FINE = 100
"""Images with at least this many pixels a side are drawn averaged, not pixel by pixel."""
LONGEST = 40
"""The most letters of a class's or a folder's name."""
TEMPLATES = Environment(
    loader=PackageLoader("tinyvgg.chapters"),
    autoescape=True,
    trim_blocks=True,
    undefined=StrictUndefined,
)
"""HTML and scripts of the chapters; all that is filled in stays text."""
_OTHERS = ["Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Arial Unicode MS"]
_OTHERS += ["Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Emoji"]
_FONTS = ["DejaVu Sans", *(name for name in _OTHERS if name in fontManager.get_font_names())]
"""The font of figures, and others for letters that it lacks, where they are installed."""
Row = tuple[str, Sequence[tuple[str, Shaped[np.ndarray, "..."]]]]
"""A row's label, and its pictures with a title each."""

_STYLE: Any = {
    "figure.dpi": 120,
    # no ground of their own, and text that is as dark as a light page lets it be on a dark one
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GRAY
    ),
    "font.family": _FONTS,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the book's style."""
    with plt.rc_context(_STYLE):
        yield


def grid(
    rows: int, columns: int, cell: float | None = None, aspect: float = 1.0, **options: Any
) -> tuple[Figure, Shaped[np.ndarray, "r c"]]:
    """Return a figure with a grid of axes, closed for pyplot so that it is shown only once.

    A cell is as wide as the figure's `WIDTH` allows if it is None inches, and `aspect` times as
    high; `options` are those of `matplotlib.pyplot.subplots`.
    """
    side = WIDTH / columns if cell is None else cell
    options |= {"figsize": (side * columns, side * aspect * rows), "layout": "constrained"}
    with styled():
        figure, axes = plt.subplots(rows, columns, squeeze=False, **options)
    plt.close(figure)
    return figure, axes


def show_image(axes: Axes, image: Shaped[np.ndarray, "h w *c"], title: str = "") -> None:
    """Draw an image without ticks: the pixels of small ones as squares, large ones averaged."""
    scale: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if image.ndim == 2 else {}
    sampling = "antialiased" if min(image.shape[:2]) >= FINE else "nearest"
    axes.imshow(image, interpolation=sampling, **scale)
    axes.set_title(title)
    clear(axes)


def clear(axes: Axes) -> None:
    """Take away ticks and frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def show_map(axes: Axes, values: Float[np.ndarray, "h w"], top: float | None = None) -> None:
    """Draw strength as ink: zero is white, `top` (the maximum if None) is black."""
    axes.imshow(values, cmap="gray_r", vmin=0, vmax=top or max(float(values.max()), 1e-12))
    clear(axes)


def show_intervals(
    axes: Axes, places: Float[np.ndarray, "n"], averages: pd.DataFrame, **options: Any
) -> None:
    """Draw means with the intervals from ``low`` to ``high``, at these places along the axis."""
    mean = averages["mean"]
    bars = np.abs([mean - averages["low"], averages["high"] - mean])
    axes.errorbar(places, mean, bars, capsize=2, **options)


@styled()
def pictures(rows: Sequence[Row], cell: float | None = None, aspect: float = 1.15) -> Figure:
    """Draw labelled rows of titled pictures: 8-bit ones as images, others as ink."""
    figure, axes = grid(len(rows), max(len(row) for _, row in rows), cell, aspect)
    for ax in axes.flat:
        clear(ax)
    for line, (label, row) in zip(axes, rows, strict=True):
        line[0].set_ylabel(label, fontsize=8)
        for ax, (title, picture) in zip(line, row, strict=False):
            if picture.ndim == 2 and picture.dtype != np.uint8:
                show_map(ax, np.asarray(picture))
            else:
                show_image(ax, picture)
            ax.set_title(title, fontsize=8)
    return figure


@styled()
def bars(shares: Mapping[str, float], colours: Sequence[str]) -> Figure:
    """Draw shares of one as bars, each under its name and value: a picture for a narrow column."""
    figure, axes = grid(1, 1, cell=WIDTH / 3, aspect=0.24 * len(shares))
    axis = axes[0, 0]
    for place, ((name, share), colour) in enumerate(zip(shares.items(), colours, strict=True)):
        axis.barh(place, share, color=colour, height=0.4)
        axis.text(0, place - 0.3, f"{name}: {share:.0%}", va="bottom", fontsize=10)
    axis.set(xlim=(0, 1), ylim=(len(shares) - 0.7, -0.8))
    clear(axis)
    return figure


def tiled(
    tiles: Shaped[np.ndarray, "n h w *c"], columns: int, fill: float
) -> Shaped[np.ndarray, "H W *c"]:
    """Lay tiles out in a sheet, `columns` a row, and fill the rest of the last row."""
    rows, (height, width, *colours) = -(-len(tiles) // columns), tiles.shape[1:]
    sheet = np.full((rows * columns, height, width, *colours), fill, dtype=tiles.dtype)
    sheet[: len(tiles)] = tiles
    lines = sheet.reshape(rows, columns, height, width, *colours).swapaxes(1, 2)
    return lines.reshape(rows * height, columns * width, *colours)


def short(name: str, most: int = 8) -> str:
    """Return a class's name in `most` letters at most, as text of a figure: see `_letter`."""
    letters = [_letter(letter) for letter in name]
    if sum(map(len, letters)) > most and len(letters) > 1:
        while len(letters) > 1 and sum(map(len, letters)) >= most:
            letters.pop()
        letters.append(".")
    return "".join(letters).replace("$", r"\$")


def in_markdown(text: str) -> str:
    """Return text, which may hold names of a user's, as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|$~&#])", r"\\\1", " ".join(text.split()))


def in_words(count: int, noun: str = "cell") -> str:
    """Return a number of things in words: "1 cell", "1,000 cells"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share_in_words(part: int, count: int, noun: str = "error") -> str:
    """Return how many of some things, in words: "all 3 errors", "2 of 3 errors"."""
    if part < count:
        return f"{part:,} of {in_words(count, noun)}"
    return f"the only {noun}" if count == 1 else f"all {in_words(count, noun)}"


def called(faces: Faces) -> str:
    """Return the name of faces, as text of a figure."""
    return short(faces.called, LONGEST)


def _letter(letter: str) -> str:
    r"""Return a letter as figures show it: a blank for a break, ``\uNNNN`` if no font has it.

    Names of classes and folders are those of the user: they may be in any script.
    """
    if unicodedata.category(letter)[0] in "CZ":
        return " "
    return letter if ord(letter) in _drawn() else f"\\u{ord(letter):04x}"


@lru_cache(maxsize=1)
def _drawn() -> frozenset[int]:
    """Return the letters that the fonts of figures have."""
    return frozenset().union(*(get_font(findfont(name)).get_charmap() for name in _FONTS))


def strength(features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Return one value a pixel of projected features: the mean absolute value over the colours."""
    return features.abs().mean(1)


def png(pixels: UInt8[np.ndarray, "h w *c"]) -> bytes:
    """Return an image as PNG."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """Return a PNG as the source of an image element."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def ink(features: Float[np.ndarray, "*n"], top: float) -> UInt8[np.ndarray, "*n"]:
    """Return strength as ink, 8 bits: zero is white, `top` and beyond are black."""
    share = np.clip(features / top if top > 0 else np.zeros_like(features), 0, 1)
    return np.asarray(np.round(255 * (1 - share)), dtype=np.uint8)


def tracked_ink(trace: Trace, pixels: Bool[Tensor, "n c h w"]) -> UInt8[np.ndarray, "n y x"]:
    """Return the tracked features of pixels as ink, from white to the darkest of each image."""
    features = strength(track_features(trace, pixels)).numpy()
    tops = features.max((1, 2), keepdims=True, initial=0)
    return ink(features / np.where(tops > 0, tops, 1), 1.0)
