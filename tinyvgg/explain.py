"""Explain a trained network's answers for single images: pictures, one page, and JSON."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, UInt8
from jinja2 import Environment, PackageLoader
from torch import Tensor
from tqdm.auto import tqdm

import tinyvgg
from tinyvgg import files
from tinyvgg.backtracking import NAMED, Backtrack, Rule, backtrack
from tinyvgg.chapters import bench, bench_scripts
from tinyvgg.chapters.statistics import proportion_interval
from tinyvgg.chapters.style import data_uri, in_words, png, tracked_ink
from tinyvgg.diagnosis import PART, explain_errors
from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import read_face
from tinyvgg.faces.folder import LeftOut, as_text
from tinyvgg.faces.index import load_faces
from tinyvgg.faces.sources import CENTRE, parse_source
from tinyvgg.faces.splits import split
from tinyvgg.network import Network, head
from tinyvgg.repairs import Repair, by_chance, margin, repair
from tinyvgg.trace import record
from tinyvgg.tracking import suppress
from tinyvgg.training.looks import RATE
from tinyvgg.training.own_model import OwnModel
from tinyvgg.training.runs import Run, sha256

FORMAT = 1
KIND = "tinyvgg explanation"
USUAL = "contrastive"
"""The rule for models of one's own."""

Image = UInt8[np.ndarray, "s s 3"]
Pixels = Bool[Tensor, "1 c h w"]

ORANGE = np.array([230, 159, 0], dtype=np.float64)
STRONGEST = 0.8  # share of orange where the most maps have a pixel
SIDE = 256  # side of a picture on the page, about
DRAWS = 100  # of random cells, for comparison
MOST_ROWS = 100  # of a table
MOST_SHOWN = 12  # families whose prototype is explained
MOST_CLASSES = 5  # in a table, beside the true one and the one backtracked from


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer of a network for one image, and why.

    Attributes:
        path: path of the image.
        image: the image as the network sees it, 8-bit RGB.
        network: the layers of the network.
        maps: the last pooled maps.
        logits: the answer.
        found: the neurons and pixels that backtracking keeps.
        of_other: the pixels that it keeps from the runner-up; from the answer if `found` is that.
        features: tracked features as ink, of these pixels ("features") and the repair's ("repair");
            empty where the deconvnet has no way back.
        true_class: the right answer, if it was given.
        repair: the smallest repair found, if the right answer was given.
        strange: whether the image looks unlike those that the network learned from; None if that is
            not known.
    """

    path: Path
    image: Image
    network: Network
    maps: Float[Tensor, "1 c h w"]
    logits: Float[Tensor, "1 k"]
    found: Backtrack
    of_other: Pixels
    features: Mapping[str, UInt8[np.ndarray, "s s"]]
    true_class: int | None = None
    repair: Repair | None = None
    strange: bool | None = None

    @property
    def predicted(self) -> int:
        """The answer: the class of the largest logit."""
        return int(self.logits.argmax())

    @property
    def runner_up(self) -> int:
        """The class of the second largest logit."""
        return int(self.logits[0].topk(2).indices[1])

    @property
    def changed_by_chance(self) -> int:
        """Number of random draws of as many active pixels without which the answer is another."""
        answers = by_chance(self.network, self.maps, self.found.pixels, DRAWS)
        return int((answers != self.predicted).sum())

    @property
    def probabilities(self) -> Float[Tensor, "k"]:
        """Softmax of the logits."""
        return self.logits[0].softmax(0)

    def without(self, pixels: Pixels) -> Float[Tensor, "k"]:
        """Return the probabilities of the classes without some pixels of the last maps."""
        return head(self.network, suppress(self.maps, pixels))[0].softmax(0)


@dataclass(frozen=True, eq=False)
class Explained:
    """Images whose answers by one network are explained.

    Attributes:
        run: the network.
        rule: the rule of backtracking.
        explanations: one for each image that could be read, in their order.
        unreadable: the other images, with the reasons.
        survey: what is known of a whole set, whose errors the images stand for.
    """

    run: Run | OwnModel
    rule: Rule
    explanations: tuple[Explanation, ...]
    unreadable: tuple[LeftOut, ...]
    survey: "Survey | None" = None

    @property
    def kind(self) -> str:
        """The kind of the page."""
        return KIND if self.survey is None else files.REPORT


class Survey(NamedTuple):
    """A whole set of images as a model sees it: sentences, and tables by their captions."""

    sentences: Sequence[str]
    tables: Mapping[str, pd.DataFrame]


def explain_images(
    run: Run | OwnModel,
    images: Sequence[Path],
    rule: Rule | str | None = None,
    target: str | None = None,
    true_class: str | list[str] | None = None,
    progress: bool = False,
) -> Explained:
    """Explain a network's answers for images; one that cannot be read does not stop the others.

    Args:
        run: a run, as `tinyvgg.training.runs.load_trained` loads it, or a model of one's own
            (`tinyvgg.training.own_model.load_own`).
        images: paths.
        rule: the rule of backtracking. None is the published cutoff, or `USUAL` for a model of
            one's own, whose numbers it was not made for.
        target: the class to backtrack from; None for the predicted class of each image.
        true_class: the right answer for all or each of them, for which the smallest repair is then
            sought.
        progress: whether to show a progress bar.

    Raises:
        UserError: a class that the network does not know, no images, or none that can be read.
    """
    chosen = (USUAL if isinstance(run, OwnModel) else "cutoff") if rule is None else rule
    start = None if target is None else run.label(target)
    given = true_class if isinstance(true_class, list) else [true_class] * len(images)
    wanted = [None if name is None else run.label(name) for name in given]
    found, unreadable = list[Explanation](), list[LeftOut]()
    shown = tqdm(images, "explaining", unit="image", disable=not progress)
    for path, label in zip(shown, wanted, strict=True):
        try:
            pixels = _read(run, path)
        except UserError as error:
            unreadable.append(LeftOut(as_text(str(path)), str(error)))
            continue
        trace = record(run.model, run.scaling(torch.from_numpy(pixels)[None]))
        repaired = None if label is None else repair(trace, label)
        followed, features = backtrack(trace, start, chosen), {}
        try:
            features["features"] = tracked_ink(trace, followed.pixels)[0]
            if repaired is not None:
                features["repair"] = tracked_ink(trace, repaired.pixels)[0]
        except UserError:  # the deconvnet has no way back
            features = {}
        first, second = trace.logits[0].topk(2).indices.tolist()
        of_other = backtrack(trace, first if start == second else second, chosen).pixels
        kept = trace.network, trace.maps, trace.logits, followed, of_other, features
        strange = None if run.looks is None else bool(run.looks.strange(pixels[None])[0])
        found.append(Explanation(path, pixels, *kept, label, repaired, strange))
    if not found:
        first = f": {unreadable[0].reason}" if unreadable else "; name some"
        raise UserError(f"none of {len(images)} images can be explained{first}")
    return Explained(run, found[0].found.rule, tuple(found), tuple(unreadable))


def explain_set(
    own: OwnModel,
    source: str,
    rule: Rule | str | None = None,
    task: str | None = None,
    progress: bool = False,
) -> Explained:
    """Explain a model's errors on a set of images, one of each of the largest families.

    Args:
        own: the model; where the names of its classes were not given, they are those of the set in
            the order of the alphabet.
        source: of photographs (`tinyvgg.faces.index.load_faces`), of which the middle is taken
            where nothing else is said. Of a set with a split of its own the test part is asked
            about, of others all images.
        rule: see `explain_images`.
        task: the column of the classes; the first that can be learned if None.
        progress: whether to show progress bars.

    Raises:
        UserError: a source that cannot be read, or a class that the model does not have.
    """
    asked = parse_source(source)
    if asked.is_synthetic:
        raise UserError(f"faces {source!r} are none of your own: name folder:PATH")
    chosen = replace(asked, options={"crop": CENTRE, **asked.options})
    faces = load_faces(str(chosen), own.size, progress=progress)
    assert faces.originals is not None  # they are photographs
    table, listing = faces.index.table, faces.originals.listing
    task = task or faces.index.tasks[0]
    names = faces.index.classes(task)
    if not own.named and len(names) != len(own.classes):
        raise UserError(
            f"the set has {len(names)} classes with enough images, and the model"
            f" {len(own.classes)}: name the model's by --classes"
        )
    classes = own.classes if own.named else names
    own = replace(own, classes=classes, cropping=faces.originals.cropping.plain)
    label = torch.tensor([own.label(name) for name in names])
    true = label[torch.from_numpy(faces.index.labels(task))]
    rows = split(faces.index, task).test if "split" in table else np.arange(len(faces))
    rows = np.random.default_rng(0).permutation(rows)  # so that the first errors are a fair sample
    parts = np.array_split(rows, -(-len(rows) // PART))
    watched = tqdm(parts, "explaining errors", unit="batch", disable=not progress)
    batches = ((own.scaling(faces.pixels(part)), true[part]) for part in watched)
    with warnings.catch_warnings(action="ignore"):  # the conclusions say it
        errors = explain_errors(own.model, batches, own.classes, progress=False)
    known = table.iloc[rows].drop(columns=["path", task, "split", "twins"], errors="ignore")
    slices, families = errors.slices(known), errors.families()
    paths = table["path"].iloc[rows].tolist()
    prototypes = errors.table.iloc[families["prototype"][:MOST_SHOWN]]
    listed = errors.table.rename(index=lambda row: paths[row])
    tables = {
        "Families of errors, the largest first.": families[["true", "predicted", "size", "cells"]],
        "Values of columns.": slices.drop(columns="worse"),
        "Errors whose labels are suspect.": listed[listed["suspect"]].drop(columns="suspect"),
        "All errors that are explained.": listed,
        "Images that were left out.": faces.left_out.set_index("path"),
    }
    survey = Survey([listing.reading, *errors.conclusions(slices)], tables)
    if not len(errors):
        return Explained(own, NAMED[USUAL], (), (), survey)
    shown = [listing.folder / paths[row] for row in prototypes.index]
    found = explain_images(own, shown, rule, true_class=prototypes["true"].tolist())
    return replace(found, survey=survey)


def _read(run: Run | OwnModel, path: Path) -> Image:
    """Return an image cropped and resized as those that the network was trained on."""
    if str(path) != as_text(str(path)):
        raise UserError(f"image {str(path)!r} has a name that is not UTF-8; rename it")
    return read_face(path, run.size, run.cropping)


# ------------------------------------------------------------------------------------- pictures


def over_image(image: Image, pixels: Bool[Tensor, "c h w"]) -> Image:
    """Return the image with the places of pixels in orange, the more maps the more orange.

    Each element of a map covers the part of the image at its place; the part that it responds to is
    larger.
    """
    counts = pixels.sum(0).float()
    size = (image.shape[0], image.shape[1])
    grown = torch.nn.functional.interpolate(counts[None, None], size, mode="nearest-exact")[0, 0]
    share = STRONGEST * grown.numpy() / max(float(counts.max()), 1.0)
    mixed = image * (1 - share[..., None]) + ORANGE * share[..., None]
    return np.asarray(mixed.round(), dtype=np.uint8)


def draw(explanation: Explanation) -> dict[str, bytes]:
    """Return the pictures of an explanation as PNG, by their kind."""
    found, image = explanation.found, explanation.image
    return {
        "input": png(image),
        "pixels": _enlarged(over_image(image, found.pixels[0])),
        **{kind: _enlarged(shown) for kind, shown in explanation.features.items()},
    }


def _enlarged(image: UInt8[np.ndarray, "h w *c"]) -> bytes:
    factor = max(1, round(SIDE / max(image.shape[:2])))
    return png(image.repeat(factor, 0).repeat(factor, 1))


# --------------------------------------------------------------------------------- page and JSON


def page(explained: Explained) -> str:
    """Return all explanations as one page of HTML that loads nothing."""
    environment = Environment(loader=PackageLoader("tinyvgg"), autoescape=True)
    run = explained.run
    return environment.get_template("explanation.html.j2").render(
        explained=explained,
        about=_about(run) if isinstance(run, Run) else run.about,
        guesses=isinstance(run, Run) and _guesses(run),
        run=run,
        pages=[_facts(one, run.classes) for one in explained.explanations],
        bench=_bench(explained),
        in_words=in_words,
        draws=DRAWS,
        most_rows=MOST_ROWS,
        usual=1 - RATE,
        version=tinyvgg.__version__,
    )


def _about(run: Run) -> str:
    tested, right = in_words(run.manifest["test_images"], "test image"), run.manifest["accuracy"]
    return f"Its training ended {run.ended}. It is right in {100 * right:.1f} % of {tested}."


def _guesses(run: Run) -> bool:
    """Return whether the network may as well be guessing."""
    tested = run.manifest["test_images"]
    most_wrong = proportion_interval(round((1 - run.manifest["accuracy"]) * tested), tested).high
    return 1 - most_wrong <= 1 / len(run.classes)


def _bench(explained: Explained) -> str:
    """Return the script of the repair bench; of an image that is right the truth is left out."""
    run, lines = explained.run, list[dict[str, Any]]()
    if not isinstance(run, Run) or not bench.fits(run):
        return ""
    for row, one in enumerate(explained.explanations):
        true = None if one.true_class == one.predicted else one.true_class
        repaired = one.repair
        lines.append(
            {
                "row": row,
                "true": None if true is None else run.classes[true],
                "predicted": run.classes[one.predicted],
                "lookalike": None,
                "fewest": bench.as_cells(repaired.pixels) if repaired and repaired.repaired else [],
                "margin": 0.0 if true is None else float(margin(one.logits[0], torch.tensor(true))),
            }
        )
    images = {row: one.image for row, one in enumerate(explained.explanations)}
    known = pd.DataFrame({"name": [one.path.name for one in explained.explanations]})
    errors = bench_scripts.Errors(pd.DataFrame(lines), images, known)
    return bench_scripts.inline(bench.in_page(run), errors)


def _facts(one: Explanation, classes: Sequence[str]) -> dict[str, Any]:
    """Return what the page states about an image: what the JSON has, a table and pictures."""
    before, after = one.probabilities, one.without(one.found.pixels)
    columns = {"probability": before, "without the cells": after}
    if one.repair is not None:
        columns["without the repair's"] = one.without(one.repair.pixels)
    shown = before.argsort(descending=True, stable=True)[:MOST_CLASSES].tolist()
    more = (int(one.found.target), one.true_class, int(after.argmax()))
    shown += [k for k in dict.fromkeys(more) if k is not None and k not in shown]
    return {
        **_plain_image(one, classes),
        "name": one.path.name,
        "columns": list(columns),
        "rows": [(classes[k], [float(of[k]) for of in columns.values()]) for k in shown],
        "pictures": {kind: data_uri(content) for kind, content in draw(one).items()},
    }


def save(explained: Explained, path: Path) -> Path:
    """Write the page, which loads nothing, and its facts as JSON beside it, whose path is returned.

    Raises:
        UserError: a path that cannot be written, or that holds something else.
    """
    files.check_page(path, explained.kind)
    files.write_page(path, page(explained), files.as_json(_plain(explained)))
    return path.with_suffix(".json")


def _plain(explained: Explained) -> dict[str, Any]:
    """Return everything as plain data."""
    run, survey = explained.run, explained.survey
    return {
        "kind": explained.kind,
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "torch": version("torch"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run.name,
        "weights_sha256": run.weights_hash,
        "rule": repr(explained.rule),
        "task": run.task,
        "size": run.size,
        "classes": list(run.classes),
        "maps": [*explained.explanations[0].maps.shape[1:]] if explained.explanations else [],
        "images": [_plain_image(one, run.classes) for one in explained.explanations],
        "unreadable": [one._asdict() for one in explained.unreadable],
        "survey": survey
        and {
            "conclusions": survey.sentences,
            "tables": {
                name: json.loads(table.reset_index().to_json(orient="records"))
                for name, table in survey.tables.items()
            },
        },
    }


def _plain_image(one: Explanation, classes: Sequence[str]) -> dict[str, Any]:
    repaired: dict[str, Any] | None = None
    if one.repair is not None:
        repaired = {
            "found": bool(one.repair.repaired),
            "minimal": bool(one.repair.minimal),
            **_suppressed(one, one.repair.pixels, classes),
        }
    return {
        "path": str(one.path),
        "sha256": sha256(one.path) if one.path.is_file() else None,
        "predicted": classes[one.predicted],
        "target": classes[int(one.found.target)],
        "true": None if one.true_class is None else classes[one.true_class],
        "logits": one.logits[0].tolist(),
        "probabilities": one.probabilities.tolist(),
        "runner_up": classes[one.runner_up],
        "strange": one.strange,
        "same_from_other": torch.equal(one.found.pixels, one.of_other),
        "changed_by_chance": one.changed_by_chance,
        "active_pixels": int((one.maps != 0).sum()),
        **_suppressed(one, one.found.pixels, classes),
        "repair": repaired,
    }


def _suppressed(one: Explanation, pixels: Pixels, classes: Sequence[str]) -> dict[str, Any]:
    """Return a set of pixels, by flat indices in (maps, height, width), and the answer without."""
    after, counts = one.without(pixels), pixels[0].flatten(1).sum(1)
    return {
        "pixels": {
            "count": int(counts.sum()),
            "by_map": counts.tolist(),
            "indices": bench.as_cells(pixels),
        },
        "without_pixels": {
            "predicted": classes[int(after.argmax())],
            "probabilities": after.tolist(),
        },
    }
