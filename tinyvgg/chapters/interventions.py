"""The same shots rendered again with one cause changed, and what a network makes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from tinyvgg.chapters.cases import nearest
from tinyvgg.faces.index import Faces
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Row

PARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "brows": (("brow",), ("BROWS", "FOREHEAD")),
    "eyes": (("eyeBlink", "eyeSquint", "eyeWide"), ("EYES",)),
    "nose and cheeks": (("nose", "cheek"), ("NOSE", "CHEEKS")),
    "mouth": (("mouth", "jaw"), ("MOUTH", "CHIN")),
}
"""What the beginnings of the names of each part's actions are, and where the part is seen."""
UPPER = ("BROWS", "FOREHEAD", "EYES")
LOWER = ("NOSE", "CHEEKS", "MOUTH", "CHIN")
CAUSES = ("upper", "lower", *PARTS, "gaze", "light", "camera", "hair", "skin")
TURN, STEP = 40.0, 15.0
"""Degrees by which the lamps are carried around the head, and the camera is moved."""
VISIBLE = 8
"""Levels of 255 from which on a pixel counts as changed."""


def parts_seen(faces: Faces, rows: Int[np.ndarray, "n"]) -> UInt8[np.ndarray, "n h w"]:
    """Return the `FacePart` that each pixel of some synthetic images shows."""
    shots, knobs = faces.index.table.iloc[rows], synthfaces.difficulty_of(faces.source)
    return synthfaces.parts_seen(shots, faces.images.shape[1], difficulty=knobs)


def showing(seen: UInt8[np.ndarray, "n h w"], parts: Iterable[str]) -> Bool[np.ndarray, "n h w"]:
    """Return the pixels that show some parts of the face, from the `FacePart` of each."""
    return np.isin(seen, [synthfaces.FacePart[part] for part in parts])


def changed(spec: synthfaces.FaceSpec, cause: str, emotion: str, gaze: str) -> synthfaces.FaceSpec:
    """Return a shot with one cause changed.

    A half of the face shows the given emotion, a part is at rest, eyes look ahead or, if they do
    so already, to the left; hair and skin are those of the next subject.
    """
    if cause in PARTS:
        moved = [name for name in spec.expression.actions if name.startswith(PARTS[cause][0])]
        return synthfaces.intervene(spec, actions=dict.fromkeys(moved, 0.0)) if moved else spec
    following = synthfaces.SUBJECTS.index(spec.subject) + 1
    other = synthfaces.SUBJECTS[following % len(synthfaces.SUBJECTS)]
    changes: dict[str, Any] = {"upper": emotion, "lower": emotion, "hair": other, "skin": other}
    changes["gaze"] = "left" if gaze == "frontal" else "frontal"
    changes["light"] = synthfaces.Light(turn=spec.light.turn + TURN)
    changes["angle"] = spec.angle + (STEP if spec.angle <= 90 else -STEP)
    name = "angle" if cause == "camera" else cause
    return synthfaces.intervene(spec, **{name: changes[name]})


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Test images of a network, and its logits for each with one of `CAUSES` changed.

    Attributes:
        places: places of the images in the test part: all errors, then as many right ones.
        against: the other class that each is held against: the true one of an error, else the
            one with the second largest logit, whose expression the halves of the face are given.
        lookalikes: rows of the nearest right image of that class, -1 where there is none.
        logits: (n, causes, classes), of the changed images.
        masks: (n, 2, h, w), the pixels that change with the upper and the lower half.
        parts: (n, h, w), the `FacePart` that each pixel of the unchanged image shows.
    """

    places: Int[np.ndarray, "n"]
    against: Int[np.ndarray, "n"]
    lookalikes: Int[np.ndarray, "n"]
    logits: Float[np.ndarray, "n causes k"]
    masks: Bool[np.ndarray, "n 2 h w"]
    parts: UInt8[np.ndarray, "n h w"]


def chosen(run: Run) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Return `Outcomes.places` and `Outcomes.against` of a network."""
    right = np.flatnonzero(run.predicted == run.labels)
    some = right[np.linspace(0, len(right) - 1, min(len(right), len(run.errors))).astype(int)]
    places = np.concatenate([run.errors, some])
    second = run.logits.argsort(1, descending=True)[:, 1].numpy()
    wrong = run.predicted[places] != run.labels[places]
    return places, np.where(wrong, run.labels[places], second[places])


def outcomes(run: Run) -> Row:
    """Render the chosen images again for each cause, and run the network on them."""
    places, against = chosen(run)
    rows, knobs = run.split.test[places], synthfaces.difficulty_of(run.faces.source)
    table = run.faces.index.table.iloc[rows]
    specs = list(synthfaces.face_specs(table, difficulty=knobs))
    size, count = run.size, len(rows)
    logits = np.empty((count, len(CAUSES), len(run.classes)), np.float32)
    masks = np.zeros((count, 2, size, size), bool)
    for place in sorted(range(count), key=lambda place: specs[place].subject):
        emotion, gaze = run.classes[against[place]], table["gaze"].iloc[place]
        others = [changed(specs[place], cause, emotion, gaze) for cause in CAUSES]
        images = np.stack([synthfaces.render_face(each, size) for each in others])
        before = run.faces.images[rows[place]].astype(np.int16)
        masks[place] = np.abs(images[:2].astype(np.int16) - before).max(-1) >= VISIBLE
        with torch.no_grad():
            logits[place] = run.model(run.scaling(torch.from_numpy(images))).numpy()
    alike = [nearest(run, int(row), int(label)) for row, label in zip(rows, against, strict=True)]
    lookalikes = np.array([-1 if row is None else row for row, _ in alike])
    found = Outcomes(places, against, lookalikes, logits, masks, parts_seen(run.faces, rows))
    flipped = (run.predicted[places] != logits.argmax(2).T).astype(int).tolist()
    flips = dict(zip(CAUSES, flipped, strict=True))
    return {"images": count, "errors": len(run.errors), "flips": flips, "pictures": vars(found)}
