"""Explanations as a page: pictures, the network's answers, and sentences about them."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

import tinyvgg
from tinyvgg.columns import counted
from tinyvgg.documents import Document, Picture, Pictures, Section, Table, Text
from tinyvgg.documents.content import Block
from tinyvgg.drawing import ink, png
from tinyvgg.explaining.explanation import Explained, Explanation, Repaired
from tinyvgg.explaining.pictures import enlarge, map_sheet, over_image, shown_maps

Pngs = Mapping[str, bytes]
"""Pictures by their kind: input, pixels, maps, features, and repair where it was sought."""
SIDE = 256
"""Side of a picture on the page, about."""
SHOWN = 5
"""Classes that a table has at most, beside the true one and the one backtracked from."""


def draw(explanation: Explanation, classes: Sequence[str]) -> dict[str, bytes]:
    """The pictures of an explanation, as PNG."""
    image, pixels = explanation.image, explanation.pixels
    drawn = {
        "input": png(image),
        "pixels": png(enlarge(over_image(image, pixels), SIDE)),
        "maps": png(map_sheet(explanation.maps, pixels)),
        "features": png(enlarge(_ink(explanation.features), SIDE)),
    }
    if explanation.repaired is not None:
        drawn["repair"] = png(enlarge(_ink(explanation.repaired.features), SIDE))
    return drawn


def document(explained: Explained, drawn: Sequence[Pngs]) -> Document:
    """The page of all explanations, and of what could not be read."""
    network, total = explained.network, len(explained.explanations)
    told = f"The network **{network.name}** tells {len(network.classes)} classes of {network.task}."
    how = (
        f"Backtracking follows the rule {explained.rule!r}. A pixel is an element of the last"
        " feature maps; suppressed pixels are set to zero."
    )
    sections = [
        Section(explanation.path.name, list(_blocks(explanation, pngs, network.classes)))
        for explanation, pngs in zip(explained.explanations, drawn, strict=True)
    ]
    if explained.unreadable:
        rows = [[str(one.path), one.reason] for one in explained.unreadable]
        table = Table("Images that were passed over", ["image", "reason"], rows)
        sections.append(Section("Images that could not be read", [table]))
    footer = (
        f"Made by tinyvgg {tinyvgg.__version__} from the weights with SHA-256"
        f" {network.weights_hash}."
    )
    title = f"{counted(total, 'image')} explained"
    return Document(title, [Text(told), Text(how)], sections, footer)


def _blocks(explanation: Explanation, pngs: Pngs, classes: Sequence[str]) -> list[Block]:
    blocks: list[Block] = [Text(words) for words in sentences(explanation, classes)]
    blocks += [_pictures(explanation, pngs, classes), _table(explanation, classes)]
    if len(shown_maps(explanation.pixels)):
        blocks.append(_maps(explanation, pngs))
    if explanation.repaired is not None and bool(explanation.repaired.pixels.any()):
        words = f"what {_pixels(explanation.repaired.pixels)} of the smallest repair show"
        caption = "What the pixels of the smallest repair show in the image."
        blocks.append(Picture(pngs["repair"], f"Ink: {words}", caption, SIDE, True))
    return blocks


def sentences(explanation: Explanation, classes: Sequence[str]) -> list[str]:
    """What the network says, why, and what it says without the pixels."""
    answer, target = classes[explanation.predicted], classes[explanation.target]
    chance = float(explanation.probabilities.max())
    said = f"The answer is **{answer}**, with probability {chance:.3f}."
    if explanation.true_class is not None:
        right = explanation.true_class == explanation.predicted
        said += " That is right." if right else f" The truth is {classes[explanation.true_class]}."
    counts = explanation.pixels.flatten(1).sum(1)
    found = (
        f"Followed back from {target}, {_pixels(explanation.pixels)} of {explanation.active:,}"
        f" active ones are kept, in {int((counts > 0).sum())} of {len(counts)} maps."
    )
    after = int(explanation.without.argmax())
    same = after == explanation.predicted
    then = (
        f"Without them the answer {'stays' if same else 'becomes'} **{classes[after]}**, with"
        f" probability {float(explanation.without[after]):.3f}."
    )
    last = [] if explanation.repaired is None else [_repair_sentence(explanation, classes)]
    return [said, f"{found} {then}", *last]


def _repair_sentence(explanation: Explanation, classes: Sequence[str]) -> str:
    repaired: Repaired | None = explanation.repaired
    if repaired is None or explanation.true_class is None:
        return ""
    true = classes[explanation.true_class]
    if explanation.predicted == explanation.true_class:
        return "There is nothing to repair."
    if not repaired.found:
        return f"No set of pixels was found without which the answer is {true}."
    least = ", and no part of them is enough" if repaired.minimal else ""
    return (
        f"Without {_pixels(repaired.pixels)} the answer is **{true}**, with probability"
        f" {float(repaired.without[explanation.true_class]):.3f}{least}: the smallest repair found."
    )


def _pictures(explanation: Explanation, pngs: Pngs, classes: Sequence[str]) -> Pictures:
    target, many = classes[explanation.target], _pixels(explanation.pixels)
    name = explanation.path.name
    three = (
        ("input", f"The image {name} as the network sees it", "input"),
        ("pixels", f"The image with the places of {many} in orange", "backtracked pixels"),
        ("features", f"Ink: the features that led to {target}", "tracked features"),
    )
    shown = [Picture(pngs[kind], words, caption, SIDE, True) for kind, words, caption in three]
    return Pictures(
        shown,
        f"{name}: the image as the network sees it; where the pixels that are backtracked from"
        f" {target} lie, the more maps the more orange; and what they show in the image, dark where"
        " strong.",
    )


def _table(explanation: Explanation, classes: Sequence[str]) -> Table:
    before, after = explanation.probabilities, explanation.without
    first = before.argsort(descending=True, stable=True)[:SHOWN].tolist()
    for label in (explanation.target, explanation.true_class, int(after.argmax())):
        if label is not None and label not in first:
            first.append(label)
    columns, values = ["class", "probability", "without the pixels"], [before, after]
    if explanation.repaired is not None:
        columns.append("without the repair's")
        values.append(explanation.repaired.without)
    rows = [[classes[k], *(f"{float(chances[k]):.3f}" for chances in values)] for k in first]
    caption = "The most probable classes, before and after."
    return Table(caption, columns, rows)


def _maps(explanation: Explanation, pngs: Pngs) -> Picture:
    chosen = shown_maps(explanation.pixels)
    having = int((explanation.pixels.flatten(1).any(1)).sum())
    which = "The maps" if having == len(chosen) else f"The {len(chosen)} of {having} maps"
    numbers = ", ".join(map(str, chosen))
    caption = (
        f"{which} with the most backtracked pixels (orange), in that order: {numbers}. Dark is"
        " strong, on one scale for all."
    )
    words = f"A grid of {len(chosen)} feature maps with their backtracked pixels in orange"
    return Picture(pngs["maps"], words, caption, pixelated=True)


def _ink(features: Float[Tensor, "3 s s"]) -> UInt8[np.ndarray, "s s"]:
    strength = features.abs().mean(0).numpy()
    return ink(strength, float(strength.max()))


def _pixels(pixels: Tensor) -> str:
    number = int(pixels.sum())
    return f"{number:,} pixel" if number == 1 else f"{number:,} pixels"
