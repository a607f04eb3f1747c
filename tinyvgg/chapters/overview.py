"""The README's picture, which `tinyvgg record` draws: one error from the image to its repair."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import make_grid

from tinyvgg import files
from tinyvgg.chapters import style
from tinyvgg.chapters.cases import RULES, Pairs, closest, find_cases, pixel_sets, record_pairs
from tinyvgg.errors import UserError
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run


def shown_pair(pairs: Pairs) -> Pairs:
    """Return the pair nearest to its look-alike, of those repaired without the unique cells."""
    after = rescore(pairs.wrong, pixel_sets(pairs, RULES["cutoff"]).unique).argmax(1).tolist()
    repaired = [c for c, answer in zip(pairs.cases, after, strict=True) if answer == c.true]
    return pairs.only(closest(repaired or pairs.cases))


def draw(study: Study) -> Path:
    """Draw an error of the last task of a study, and return the path of the picture."""
    run = study.run(study.tasks[-1])
    path = files.project() / "book" / "_static" / "overview.png"
    drawn = overview(run, shown_pair(record_pairs(run, find_cases(run))))
    drawn.savefig(path, dpi=150, metadata={"Software": None})
    return path


@style.styled()
def overview(run: Run, pair: Pairs) -> Figure:
    """Draw an error, its unique cells, their features, and the answer without them.

    Raises:
        UserError: the pair is empty.
    """
    if not len(pair):
        raise UserError("no error of this run has a right look-alike: nothing can be drawn")
    case, pixels = pair.cases[0], pixel_sets(pair, RULES["cutoff"]).unique
    names = [style.short(name, 14) for name in run.classes]
    figure, (axes,) = style.grid(1, 4, cell=2.6, aspect=1.12)
    title = f"{names[case.true]}, taken for {names[case.predicted]}"
    style.show_image(axes[0], np.asarray(run.faces.images[case.row]), title)
    count = f"{int(pixels.sum())} cells of the last maps (orange)"
    style.show_image(axes[1], montage(pair.wrong.maps[0], pixels[0]), count)
    style.show_map(axes[2], style.strength(track_features(pair.wrong, pixels))[0].numpy())
    axes[2].set_title("what they show in the image")
    _bars(axes[3], names, pair, rescore(pair.wrong, pixels).softmax(1)[0])
    figure.suptitle(style.called(run.faces), fontsize=8, color=style.GRAY)
    return figure


def montage(
    maps: Float[Tensor, "c h w"], pixels: Bool[Tensor, "c h w"]
) -> Float[np.ndarray, "y x 3"]:
    """Draw all maps in a grid, strength as ink, chosen cells orange, gaps light gray."""
    ink = 1 - (maps / maps.max().clamp(min=1e-12)).sqrt()[:, None].expand(-1, 3, -1, -1)
    orange = torch.tensor(to_rgb(style.ORANGE))[:, None, None]
    drawn = torch.where(pixels[:, None], orange, ink)
    grid = make_grid(drawn, int(np.ceil(len(maps) ** 0.5)), padding=1, pad_value=0.92)
    return np.asarray(grid[:, 1:-1, 1:-1].permute(1, 2, 0))


def _bars(ax: Axes, names: list[str], pair: Pairs, after: Float[Tensor, "k"]) -> None:
    """Show all classes where they are few, else the true, the predicted and the likeliest ones."""
    case, before = pair.cases[0], pair.wrong.probabilities[0]
    weight = before + after
    weight[[case.true, case.predicted]] = torch.inf
    most = len(names) if len(names) <= 8 else 6
    labels = weight.argsort(descending=True, stable=True)[:most].sort().values
    places = np.arange(len(labels))
    ax.barh(places - 0.2, before[labels], 0.4, color="#b8b8b8", label="with them")
    ax.barh(places + 0.2, after[labels], 0.4, color=style.BLUE, label="without them")
    ax.set_yticks(places, [names[label] for label in labels])
    ax.get_yticklabels()[labels.tolist().index(case.true)].set_fontweight("bold")
    ax.set(xlim=(0, 1), ylim=(len(labels) - 0.5, -0.5), title="probability of each class")
    ax.legend(loc="best", fontsize=7)
