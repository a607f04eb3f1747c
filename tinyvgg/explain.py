"""What can be said of single images: answer, backtracked pixels, tracked features, repair."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from torch import Tensor
from tqdm.auto import tqdm

import tinyvgg
from tinyvgg import files as paths
from tinyvgg.backtracking import Cutoff, Rule, backtrack
from tinyvgg.chapters.style import ink, png
from tinyvgg.columns import counted
from tinyvgg.documents.content import Block, Document, Picture, Pictures, Section, Table, Text
from tinyvgg.documents.html import render
from tinyvgg.errors import UserError
from tinyvgg.faces.folder import as_text, is_text
from tinyvgg.faces.loading import read_face
from tinyvgg.repairs import repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training import runs as run_folder
from tinyvgg.training.runs import TrainedNetwork


def read_as_trained(network: TrainedNetwork, path: Path) -> UInt8[ndarray, "s s 3"]:
    """The pixels of an image, cropped and resized as those of the network's own set were.

    Raises:
        UserError: a file that cannot be read or decoded, or shows no face where one is looked for.
    """
    photographs = network.manifest.get("photographs") or {}
    return read_face(path, network.size, photographs.get("cropping"))


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
        network: `tinyvgg.training.runs.load_trained` loads one.
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


ORANGE = np.array([230, 159, 0], dtype=np.float64)
PAPER = np.array([235, 235, 235], dtype=np.uint8)
MOST_MAPS = 32
"""Maps that are shown, those with the most pixels."""
COLUMNS = 8
TILE = 64
"""Side of a map in a picture, about."""
STRONGEST = 0.8
"""Share of orange where the most maps have a pixel."""


def over_image(
    image: UInt8[np.ndarray, "s s 3"], pixels: Bool[Tensor, "c h w"]
) -> UInt8[np.ndarray, "s s 3"]:
    """Where pixels of the last maps lie in the image: the more maps, the more orange.

    Each element of a map is drawn over the part of the image that lies at its place; what it
    responds to reaches further.
    """
    counts = pixels.sum(0).float()
    size = (image.shape[0], image.shape[1])
    grown = torch.nn.functional.interpolate(counts[None, None], size, mode="nearest-exact")[0, 0]
    share = STRONGEST * grown.numpy() / max(float(counts.max()), 1.0)
    mixed = image * (1 - share[..., None]) + ORANGE * share[..., None]
    shown: UInt8[np.ndarray, "s s 3"] = mixed.round().astype(np.uint8)
    return shown


def shown_maps(pixels: Bool[Tensor, "c h w"]) -> Int[np.ndarray, "m"]:
    """The maps with the most pixels, in that order; equals by their number; none without pixels."""
    counts = pixels.flatten(1).sum(1).numpy()
    order = np.argsort(-counts, kind="stable")[:MOST_MAPS]
    chosen: Int[np.ndarray, "m"] = order[counts[order] > 0]
    return chosen


def map_sheet(
    maps: Float[Tensor, "c h w"], pixels: Bool[Tensor, "c h w"]
) -> UInt8[np.ndarray, "a b 3"]:
    """The maps of `shown_maps`, strength as ink on one scale, with their pixels in orange."""
    chosen = shown_maps(pixels)
    if not len(chosen):
        return np.full((TILE, TILE, 3), 255, dtype=np.uint8)
    top = float(maps.abs().max())
    tiles = [_tile(maps[number].abs(), pixels[number], top) for number in chosen]
    height, width, _ = tiles[0].shape
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + 4), columns * (width + 4), 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        row, column = place // columns * (height + 4), place % columns * (width + 4)
        sheet[row : row + height, column : column + width] = tile
    return sheet


def _tile(
    values: Float[Tensor, "h w"], pixels: Bool[Tensor, "h w"], top: float
) -> UInt8[np.ndarray, "a b 3"]:
    gray = np.repeat(ink(values.numpy(), top)[..., None], 3, 2)
    gray = np.minimum(gray, PAPER)  # a map can be told from the page
    orange = 0.35 * gray + 0.65 * ORANGE
    tile = np.where(pixels.numpy()[..., None], orange, gray).round().astype(np.uint8)
    return enlarge(tile, TILE)


def enlarge(image: UInt8[np.ndarray, "h w *c"], side: int) -> UInt8[np.ndarray, "a b *c"]:
    """Every pixel a square, as large as brings the image up to about that side."""
    factor = max(1, round(side / max(image.shape[:2])))
    large: UInt8[np.ndarray, "a b *c"] = image.repeat(factor, 0).repeat(factor, 1)
    return large


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


FORMAT = 1
MANIFEST = "explanation.json"
PAGE = "explanation.html"
_KIND = "tinyvgg explanation"


def save(explained: Explained, folder: Path) -> Path:
    """Write pictures, page and JSON into a folder, whole or not at all.

    Args:
        explained: of `explain_images`.
        folder: new, empty, or of an earlier explanation, which is replaced.

    Returns:
        The path of the page.

    Raises:
        UserError: a folder that holds something else, or that cannot be written.
    """
    folder = folder.expanduser().resolve()
    check_folder(folder)
    drawn = [draw(one, explained.network.classes) for one in explained.explanations]
    try:
        paths.write_folder_whole(folder, lambda into: _write(explained, drawn, into))
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be written ({error.strerror}); name another"
        ) from None
    return folder / PAGE


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an explanation.

    Raises:
        UserError: it does, or is no folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"output {str(folder)!r} is a file; name a folder that is new or empty")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if there and not there <= _files_of(folder):
        raise UserError(
            f"output folder {str(folder)!r} holds something else; name one that is new or empty"
        )


def _files_of(folder: Path) -> set[str]:
    """The files of an explanation that is there; none where there is none."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
        return {MANIFEST, *found["files"]} if found["kind"] == _KIND else set()
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _write(explained: Explained, drawn: Sequence[Pngs], folder: Path) -> None:
    names = _names(explained)
    for name, pngs in zip(names, drawn, strict=True):
        (folder / name).mkdir()
        for kind, png in pngs.items():
            (folder / name / f"{kind}.png").write_bytes(png)
    (folder / PAGE).write_text(render(document(explained, drawn)), "utf-8")
    content = _plain(explained, names, drawn)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")


def _names(explained: Explained) -> list[str]:
    """A folder for each image: its place, and what its name leaves of plain letters."""
    digits = len(str(len(explained.explanations)))
    return [
        f"{place:0{digits}}_{_safe(one.path.stem)}"
        for place, one in enumerate(explained.explanations, 1)
    ]


def _safe(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w-]+", "_", plain).strip("_")[:40] or "image"


def _plain(explained: Explained, names: Sequence[str], drawn: Sequence[Pngs]) -> dict[str, Any]:
    """Everything as plain data."""
    network = explained.network
    pictures = [
        {kind: f"{name}/{kind}.png" for kind in pngs}
        for name, pngs in zip(names, drawn, strict=True)
    ]
    return {
        "kind": _KIND,
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "torch": version("torch"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": network.name,
        "weights_sha256": network.weights_hash,
        "rule": repr(explained.rule),
        "task": network.task,
        "size": network.size,
        "classes": list(network.classes),
        "maps": list(explained.explanations[0].maps.shape),
        "images": [
            _image(one, network.classes, files)
            for one, files in zip(explained.explanations, pictures, strict=True)
        ],
        "unreadable": [
            {"path": str(one.path), "reason": one.reason} for one in explained.unreadable
        ],
        "files": [PAGE, *(file for files in pictures for file in files.values())],
    }


def _image(
    explanation: Explanation, classes: tuple[str, ...], files: Mapping[str, str]
) -> dict[str, Any]:
    given, path = explanation.true_class, explanation.path
    return {
        "path": str(path),
        "sha256": run_folder.sha256(path) if path.is_file() else None,
        "predicted": classes[explanation.predicted],
        "target": classes[explanation.target],
        "true": None if given is None else classes[given],
        "logits": explanation.logits.tolist(),
        "probabilities": explanation.probabilities.tolist(),
        "pixels": _set(explanation.pixels),
        "active_pixels": explanation.active,
        "without_pixels": _outcome(explanation.without, classes),
        "repair": None
        if explanation.repaired is None
        else _repair_saving(explanation.repaired, classes),
        "pictures": dict(files),
    }


def _repair_saving(repaired: Repaired, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "found": repaired.found,
        "minimal": repaired.minimal,
        "pixels": _set(repaired.pixels),
        "without_pixels": _outcome(repaired.without, classes),
    }


def _set(pixels: Bool[Tensor, "c h w"]) -> dict[str, Any]:
    """A set by the flat indices of its elements in (maps, height, width), and by map."""
    counts = pixels.flatten(1).sum(1)
    return {
        "count": int(counts.sum()),
        "by_map": counts.tolist(),
        "indices": pixels.flatten().nonzero().flatten().tolist(),
    }


def _outcome(probabilities: Float[Tensor, "k"], classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "predicted": classes[int(probabilities.argmax())],
        "probabilities": probabilities.tolist(),
    }
