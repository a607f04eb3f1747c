"""The network and its deconvolutional counterpart, drawn to the sizes that a model has."""

from collections.abc import Sequence
from itertools import pairwise
from math import log2
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon

from tinyvgg.figures import style
from tinyvgg.network import Convolution, Dense, Pooling
from tinyvgg.trace import Trace

COLOURS = {
    "image": "#d9d9d9",
    "convolution": "#9ecae1",
    "pooling": "#fdae6b",
    "dense": "#a1d99b",
    "unpooling": "#fdae6b",
    "deconvolution": "#9ecae1",
}
SLANT = 0.35


class Stage(NamedTuple):
    """What stands between two layers: which kind of layer made it, and its shape."""

    kind: str
    channels: int
    size: int

    @property
    def text(self) -> str:
        """The shape as the figure writes it."""
        if self.kind == "dense":
            return f"{self.channels:,}"
        return f"{self.size}²\n× {self.channels}"


def forward_stages(trace: Trace) -> list[Stage]:
    """The image and the output of every convolution, max-pool and dense layer."""
    body = trace.network.body
    stages = [Stage("image", trace.images.shape[1], trace.images.shape[2])]
    after = [*(size[0] for size in trace.sizes[1:]), trace.maps.shape[2]]
    for layer, size in zip(body, after, strict=True):
        if isinstance(layer, Convolution):
            stages.append(Stage("convolution", layer.module.out_channels, size))
        elif isinstance(layer, Pooling):
            stages.append(Stage("pooling", stages[-1].channels, size))
    dense: Sequence[Dense] = trace.network.dense
    return stages + [Stage("dense", layer.module.out_features, 1) for layer in dense]


def backward_stages(stages: Sequence[Stage]) -> list[Stage]:
    """What the deconvnet makes of the last maps, in its own order: each stage undone in turn."""
    body = [stage for stage in stages if stage.kind != "dense"]
    undone = {"pooling": "unpooling", "convolution": "deconvolution"}
    made = [Stage("pooling", body[-1].channels, body[-1].size)]
    for before, after in zip(reversed(body[:-1]), reversed(body), strict=False):
        made.append(Stage(undone[after.kind], before.channels, before.size))
    return made


@style.styled()
def diagram(trace: Trace) -> Figure:
    """The network from left to right, and below it the deconvnet from right to left (Figure 3)."""
    stages = forward_stages(trace)
    back = backward_stages(stages)
    figure, axes = style.grid(1, 1, cell=style.WIDTH * 1.15, aspect=0.5)
    axis: Axes = axes[0, 0]
    largest = stages[0].size
    places = _draw_row(axis, stages, 0.0, largest)
    body = places[: len(back)]
    for stage, (x, _) in zip(back, reversed(body), strict=True):
        _draw(axis, stage, x, -4.6, largest)
    _arrows(axis, [x for x, _ in places], 0.0, 1)
    _arrows(axis, [x for x, _ in reversed(body)], -4.6, -1)
    for stage, (x, _) in zip(stages, body, strict=False):
        if stage.kind == "pooling":
            _switches(axis, x)
    axis.text(-0.8, 1.9, "(a) convolution", weight="bold", ha="left")
    axis.text(-0.8, -2.75, "(b) deconvolution", weight="bold", ha="left")
    _legend(axis)
    axis.set(xlim=(-1.2, places[-1][0] + 1.2), ylim=(-6.8, 2.3), aspect="auto")
    axis.axis("off")
    return figure


def _draw_row(
    axis: Axes, stages: Sequence[Stage], y: float, largest: int
) -> list[tuple[float, float]]:
    places = []
    x = 0.0
    for before, stage in zip([None, *stages], stages, strict=False):
        if before is not None:
            x += 1.05
        _draw(axis, stage, x, y, largest)
        places.append((x, y))
    return places


def _height(stage: Stage, largest: int) -> float:
    """Height of a slab: by the logarithm of the size, so that small maps can still be seen."""
    if stage.kind == "dense":
        return 0.4 + 0.16 * log2(stage.channels)
    return 0.5 + 2.3 * log2(stage.size) / log2(largest)


def _draw(axis: Axes, stage: Stage, x: float, y: float, largest: int) -> None:
    """A slab in oblique projection; its width grows with the number of maps."""
    height = _height(stage, largest)
    width = 0.16 if stage.kind == "dense" else 0.1 + 0.06 * log2(max(2, stage.channels))
    slant = 0.12 if stage.kind == "dense" else SLANT * height / 2.8
    left, right = x - width / 2, x + width / 2
    low, high = y - height / 2, y + height / 2
    colour = COLOURS[stage.kind]
    sides = (
        ([(left, low), (right, low), (right, high), (left, high)], 1.0),
        (
            [
                (left, high),
                (right, high),
                (right + slant, high + slant),
                (left + slant, high + slant),
            ],
            0.75,
        ),
        (
            [
                (right, low),
                (right + slant, low + slant),
                (right + slant, high + slant),
                (right, high),
            ],
            0.5,
        ),
    )
    for corners, alpha in sides:
        axis.add_patch(Polygon(corners, facecolor="white", edgecolor="none"))
        axis.add_patch(
            Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="#404040", linewidth=0.6)
        )
    axis.text(x, low - 0.12, stage.text, ha="center", va="top", fontsize=6.5, linespacing=0.95)


def _arrows(axis: Axes, places: Sequence[float], y: float, direction: int) -> None:
    for start, end in pairwise(places):
        axis.add_patch(
            FancyArrowPatch(
                (start + 0.38 * direction + (0.1 if direction > 0 else 0), y),
                (end - 0.26 * direction + (0.0 if direction > 0 else 0.14), y),
                arrowstyle="-|>",
                mutation_scale=6,
                linewidth=0.7,
                color="#404040",
            )
        )


def _switches(axis: Axes, x: float) -> None:
    axis.add_patch(
        FancyArrowPatch(
            (x, -2.0),
            (x - 0.5, -3.1),
            connectionstyle="arc3,rad=-0.15",
            arrowstyle="-|>",
            mutation_scale=7,
            linewidth=0.8,
            linestyle=(0, (3, 2)),
            color=style.RED,
        )
    )
    axis.text(x + 0.05, -2.55, "switches", fontsize=6.5, color=style.RED, ha="left", va="center")


def _legend(axis: Axes) -> None:
    kinds = {
        "convolution": "convolution and ReLU;\ntransposed convolution",
        "pooling": "max-pooling; unpooling",
        "dense": "dense layer",
    }
    handles = [
        Polygon([(0, 0)], facecolor=COLOURS[kind], edgecolor="#404040", label=text)
        for kind, text in kinds.items()
    ]
    axis.legend(handles=handles, loc="lower right", fontsize=7, bbox_to_anchor=(1.0, 0.02))
