"""What can be said of single images: answer, backtracked pixels, tracked features, repair."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from tqdm.auto import tqdm

from tinyvgg.backtracking import backtrack
from tinyvgg.errors import UserError
from tinyvgg.explaining.images import read_as_trained
from tinyvgg.photographs.walking import as_text, is_text
from tinyvgg.repairs import repair
from tinyvgg.rules import Cutoff, Rule
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.trained import TrainedNetwork


@dataclass(frozen=True, eq=False)
class Repaired:
    """The smallest set of pixels found without which an answer is the true class.

    Attributes:
        pixels: of the last maps; none where the answer is right already.
        found: whether the answer is the true class without them. Where it is not, they are the
            set that comes nearest.
        minimal: whether every part of the set was tried, and none repairs.
        without: probabilities of the classes without them.
        features: what they show in the image.
    """

    pixels: Bool[Tensor, "c h w"]
    found: bool
    minimal: bool
    without: Float[Tensor, "k"]
    features: Float[Tensor, "3 s s"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a network says of one image, and why.

    Attributes:
        path: of the image.
        image: as the network sees it, 8-bit RGB.
        maps: the last maps.
        logits: of the classes.
        target: the class that backtracking started from.
        true_class: the right answer, where it was given.
        pixels: elements of the last maps that are backtracked.
        features: what they show in the image (Algorithm 2).
        without: probabilities of the classes once they are suppressed.
        repaired: the smallest repair, where the right answer was given.
    """

    path: Path
    image: UInt8[np.ndarray, "s s 3"]
    maps: Float[Tensor, "c h w"]
    logits: Float[Tensor, "k"]
    target: int
    true_class: int | None
    pixels: Bool[Tensor, "c h w"]
    features: Float[Tensor, "3 s s"]
    without: Float[Tensor, "k"]
    repaired: Repaired | None

    @property
    def probabilities(self) -> Float[Tensor, "k"]:
        """Softmax of the logits."""
        return self.logits.softmax(0)

    @property
    def predicted(self) -> int:
        """The answer: the class of the largest logit."""
        return int(self.logits.argmax())

    @property
    def active(self) -> int:
        """Elements of the last maps that are not zero."""
        return int((self.maps != 0).sum())


@dataclass(frozen=True)
class Unreadable:
    """An image that was passed over.

    Attributes:
        path: of the image.
        reason: why it cannot be read.
    """

    path: Path
    reason: str


@dataclass(frozen=True, eq=False)
class Explained:
    """Images that one network was asked about.

    Attributes:
        network: that was asked.
        rule: of backtracking.
        explanations: of the images that could be read, in their order.
        unreadable: the others.
    """

    network: TrainedNetwork
    rule: Rule
    explanations: tuple[Explanation, ...]
    unreadable: tuple[Unreadable, ...]


def explain_images(
    network: TrainedNetwork,
    images: Sequence[Path],
    rule: Rule | None = None,
    target: str | None = None,
    true_class: str | None = None,
    progress: bool = False,
) -> Explained:
    """Ask a trained network about images. One that cannot be read stops none of the others.

    Args:
        network: `tinyvgg.trained.load_trained` loads one.
        images: paths.
        rule: of backtracking; `Cutoff()` if None.
        target: the class to backtrack from; None for the one that each image is taken for.
        true_class: the right answer for all of them, for which the smallest repair is then sought.
        progress: whether to show a progress bar.

    Raises:
        UserError: a class that the network does not know, no images, or none that can be read.
    """
    chosen = Cutoff() if rule is None else rule
    start = None if target is None else network.label(target)
    wanted = None if true_class is None else network.label(true_class)
    found: list[Explanation] = []
    unreadable: list[Unreadable] = []
    for path in tqdm(images, "explaining", unit="image", disable=not progress):
        try:
            if not is_text(str(path)):
                raise UserError(f"image {str(path)!r} has a name that is not UTF-8; rename it")
            pixels = read_as_trained(network, path)
        except UserError as error:
            unreadable.append(Unreadable(Path(as_text(str(path))), str(error)))
            continue
        found.append(_explain(network, path, pixels, chosen, start, wanted))
    if not found:
        first = f": {unreadable[0].reason}" if unreadable else "; name some"
        raise UserError(f"none of {len(images)} images can be explained{first}")
    return Explained(network, chosen, tuple(found), tuple(unreadable))


def _explain(
    network: TrainedNetwork,
    path: Path,
    image: UInt8[np.ndarray, "s s 3"],
    rule: Rule,
    target: int | None,
    true_class: int | None,
) -> Explanation:
    trace = record(network.model, network.tensor(torch.from_numpy(image)[None]))
    found = backtrack(trace, target, rule)
    return Explanation(
        path=path,
        image=image,
        maps=trace.maps[0],
        logits=trace.logits[0],
        target=int(found.target),
        true_class=true_class,
        pixels=found.pixels[0],
        features=track_features(trace, found.pixels)[0],
        without=rescore(trace, found.pixels)[0].softmax(0),
        repaired=None if true_class is None else _repair(trace, true_class),
    )


def _repair(trace: Trace, true_class: int) -> Repaired:
    found = repair(trace, true_class)
    return Repaired(
        pixels=found.pixels[0],
        found=bool(found.repaired),
        minimal=bool(found.minimal),
        without=rescore(trace, found.pixels)[0].softmax(0),
        features=track_features(trace, found.pixels)[0],
    )
