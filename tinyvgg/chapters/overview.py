"""The README's picture: one error from the image to its repair.

``python -m tinyvgg.chapters.overview`` draws it anew; see ``--help``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from torch import Tensor

from tinyvgg import files as paths
from tinyvgg.chapters import style
from tinyvgg.chapters.cases import RULES, Case, Pairs, closest, find_cases, pixel_sets, record_pairs
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import SOURCES
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import PROFILES

GAP = 1
MOST = 6
"""Classes shown with a bar."""


def shown_pair(pairs: Pairs) -> Pairs:
    """The pair of the picture: of those that the unique pixels' loss repairs, the closest one.

    Where none is repaired it is the closest of all; there may be none.
    """
    after = rescore(pairs.wrong, pixel_sets(pairs, RULES["cutoff"]).unique)
    answers = zip(pairs.cases, after.argmax(1).tolist(), strict=True)
    repaired: list[Case] = [case for case, answer in answers if answer == case.true]
    return pairs.only(closest(repaired or pairs.cases))


def overview(run: Run, pair: Pairs) -> style.Drawn:
    """An error, its unique pixels in the last maps, what they show, and the answer without them."""
    if not len(pair):
        return style.Missing("No error of this run has a right look-alike.")
    case = pair.cases[0]
    pixels = pixel_sets(pair, RULES["cutoff"]).unique
    after = rescore(pair.wrong, pixels).softmax(1)[0]
    figure, axes = style.grid(1, 4, cell=2.6, aspect=1.12)
    with style.styled():
        style.show_image(
            axes[0, 0],
            np.asarray(run.faces.images[case.row]),
            f"{style.short(run.classes[case.true], 14)}, taken for "
            f"{style.short(run.classes[case.predicted], 14)}",
        )
        axes[0, 1].imshow(montage(pair.wrong.maps[0], pixels[0]))
        axes[0, 1].set_title(f"{int(pixels.sum())} pixels of the last maps (orange)")
        style.clear(axes[0, 1])
        ink = style.strength(track_features(pair.wrong, pixels))[0].astype(np.float64)
        style.show_map(axes[0, 2], ink)
        axes[0, 2].set_title("what they show in the image")
        _bars(axes[0, 3], run, case, pair.wrong.probabilities[0], after)
        figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


def montage(
    maps: Float[Tensor, "c h w"], pixels: Bool[Tensor, "c h w"]
) -> Float[np.ndarray, "y x 3"]:
    """All maps in a grid, strength as ink, chosen pixels orange; gaps are light gray."""
    count, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    drawn = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 0.92)
    top = max(float(maps.max()), 1e-12)
    mark = np.array(mpl.colors.to_rgb(style.ORANGE))
    for place, (values, chosen) in enumerate(zip(maps.numpy(), pixels.numpy(), strict=True)):
        y, x = (place // columns) * (height + GAP), (place % columns) * (width + GAP)
        ink = np.repeat(1 - np.sqrt(values / top)[..., None], 3, axis=2)
        drawn[y : y + height, x : x + width] = np.where(chosen[..., None], mark, ink)
    return drawn.astype(np.float64)


def _bars(
    ax: Axes, run: Run, case: Case, before: Float[Tensor, "k"], after: Float[Tensor, "k"]
) -> None:
    labels = _labels(case, (before + after).tolist())
    places = np.arange(len(labels))
    for offset, (values, colour, name) in enumerate(
        ((before, "#b8b8b8", "with them"), (after, style.BLUE, "without them"))
    ):
        widths = [float(values[label]) for label in labels]
        ax.barh(places + 0.4 * offset - 0.2, widths, 0.4, color=colour, label=name)
    ax.set_yticks(places, [style.short(run.classes[label], 14) for label in labels])
    ax.get_yticklabels()[labels.index(case.true)].set_fontweight("bold")
    ax.set(xlim=(0, 1), ylim=(len(labels) - 0.5, -0.5), title="probability of each class")
    ax.legend(loc="best", fontsize=7)


def _labels(case: Case, weight: Sequence[float]) -> list[int]:
    """The true and the mistaken class, and the likeliest others, in their order."""
    order = sorted(range(len(weight)), key=lambda label: -weight[label])
    first = [case.true, case.predicted]
    most = len(weight) if len(weight) <= MOST + 2 else MOST
    return sorted(first + [label for label in order if label not in first][: most - 2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the picture of a profile's emotion network; returns the exit status."""
    default = paths.project() / "book" / "_static" / "overview.png"
    parser = argparse.ArgumentParser(
        prog="python -m tinyvgg.chapters.overview", description=__doc__
    )
    parser.add_argument("--profile", default="quick", choices=list(PROFILES))
    parser.add_argument("--faces", default="synthetic", help=f"one of {', '.join(SOURCES)}")
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--to", default=default, type=Path, help="the PNG to write")
    asked = parser.parse_args(arguments)
    try:
        study = open_study(asked.profile, asked.faces, asked.seed)
        run = study.run(study.tasks[-1])
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    pairs = record_pairs(run, find_cases(run))
    figure = overview(run, shown_pair(pairs))
    if isinstance(figure, style.Missing):
        print(figure.sentence, file=sys.stderr)
        return 2
    paths.write_whole(
        asked.to,
        lambda path: figure.savefig(path, format="png", dpi=150, metadata={"Software": None}),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
