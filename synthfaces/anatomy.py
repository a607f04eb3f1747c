"""MakeHuman's head, read from a file of this package that ``tools/vendor.py`` makes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Float32, Int, UInt8
from scipy.spatial import cKDTree

from synthfaces.maths import Array, Vectors, contract
from synthfaces.parameters import FaceError

Quads = Int[np.ndarray, "f 4"]
"""The numbers of the four vertices around each face."""

RELAXED = ("mouthSmileLeft", "mouthSmileRight")
"""The targets whose displacements are smoothed."""

_ROUNDS, _PACE = 14, 0.7
_LIPS = 0.3
_KEPT, _FREE = 0.03, 0.15
_CHEEKS, _EYES = 6.95, 7.15


def relaxed(
    displacements: Float32[np.ndarray, "s 3"], quads: Quads, freedom: Float[np.ndarray, "s"]
) -> Float32[np.ndarray, "s 3"]:
    """Draw displacements towards the mean of their neighbours', round after round."""
    neighbours = _neighbours(quads, len(displacements))
    field = displacements.astype(np.float64)
    pace = _PACE * freedom[:, None]
    for _ in range(_ROUNDS):
        field += pace * (neighbours @ field - field)
    return field.astype(np.float32)


def freedom_of_cheeks(
    points: Float32[np.ndarray, "s 3"], lips: Float[np.ndarray, "s"]
) -> Float[np.ndarray, "s"]:
    """Return zero near the lips, one from 0.15 dm away, and zero again from the eyes upwards."""
    distance, _ = cKDTree(points[lips > _LIPS]).query(points)
    below = np.clip((_EYES - points[:, 1]) / (_EYES - _CHEEKS), 0, 1)
    return np.asarray(np.clip((distance - _KEPT) / (_FREE - _KEPT), 0, 1) * below)


def mask_at_vertices(
    mask: UInt8[np.ndarray, "s s"], uv: Float[np.ndarray, "f 4 2"], quads: Quads, vertices: int
) -> Float[np.ndarray, "n"]:
    """Return a grey image over texture coordinates, 0..1, averaged over each vertex's corners."""
    size = len(mask)
    x = np.clip((uv[..., 0] * size).astype(int), 0, size - 1)
    y = np.clip(((1 - uv[..., 1]) * size).astype(int), 0, size - 1)
    corner: Array = mask[y, x].astype(np.float64) / 255
    total = np.bincount(quads.ravel(), corner.ravel(), vertices)
    return np.asarray(total / np.maximum(np.bincount(quads.ravel(), minlength=vertices), 1))


def _neighbours(quads: Quads, vertices: int) -> Any:
    """Return the matrix that averages over the neighbours of each vertex."""
    ends = np.concatenate([quads, np.roll(quads, -1, axis=1)]).ravel()
    others = np.concatenate([np.roll(quads, -1, axis=1), quads]).ravel()
    joined = sp.csr_matrix((np.ones(len(ends)), (ends, others)), (vertices, vertices))
    joined.data[:] = 1
    degree = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)
    return sp.diags(1 / degree) @ joined


@dataclass(frozen=True)
class Reach:
    """The piece of the body that counts as the head."""

    lowest: float  # height where it ends, dm
    widest: float  # distance from the middle where it ends, dm


HEAD = Reach(lowest=5.0, widest=1.9)
BUST = Reach(lowest=3.2, widest=3.6)
"""The body down to the elbows, as portraits show it."""


@dataclass(frozen=True)
class Anatomy:
    """A head, and the targets that deform it."""

    vertices: Vectors  # vertices of the undeformed head, dm, part after part
    parts: dict[str, slice]  # vertices of each part
    quads: dict[str, Int[np.ndarray, "_ 4"]]  # per part, faces as vertex numbers within the part
    # texture coordinates at the corners of the skin's faces, v up
    skin_uv: Float32[np.ndarray, "f 4 2"]
    # grey images over those coordinates: lips, inside-mouth, ears
    masks: dict[str, UInt8[np.ndarray, "s s"]]
    targets: Float32[np.ndarray, "t n 3"]  # displacements, dm, at weight one
    names: tuple[str, ...]  # names of the targets
    # targets that are the two directions of one local trait: positive to negative
    opposites: dict[str, str]

    def displacement(self, weights: Mapping[str, float]) -> Vectors:
        """Return the weighted sum of targets, dm."""
        rows = [self.names.index(name) for name in weights]
        amounts = np.array(list(weights.values()), dtype=np.float32)
        return contract("t,tnc->nc", amounts, self.targets[rows])


_FILE = Path(__file__).with_name("anatomy.npz")


def load_anatomy(reach: Reach = HEAD) -> Anatomy:
    """Return the anatomy within reach, which takes a fraction of a second.

    Raises:
        FaceError: its file is missing or damaged.
    """
    try:
        content = _FILE.read_bytes()
    except OSError:
        content = b""
    if sha256(content).hexdigest() != origin()["sha256"]:
        raise _broken(_FILE)
    with np.load(BytesIO(content)) as saved:
        arrays = dict(saved)
    quads = _beginning("quads-", arrays)
    bounds = zip(quads, arrays["parts"].tolist(), strict=True)
    whole = Anatomy(
        vertices=arrays["vertices"],
        parts={part: slice(*bound) for part, bound in bounds},
        quads={part: corners.astype(np.int64) for part, corners in quads.items()},
        skin_uv=arrays["skin_uv"],
        masks=_beginning("mask-", arrays),
        targets=arrays["targets"],
        names=tuple(arrays["names"].tolist()),
        opposites=dict(arrays["opposites"].tolist()),
    )
    return _with_soft_smile(_within(reach, whole))


def origin() -> dict[str, str]:
    """Return the release that the anatomy comes from, its licence, and the digest of its file."""
    path = _FILE.with_suffix(".json")
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        raise _broken(path) from None


def _broken(path: Path) -> FaceError:
    return FaceError(f"file {str(path)!r} is missing or damaged; install the package again")


def _beginning(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Return the arrays whose names begin alike, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _within(reach: Reach, whole: Anatomy) -> Anatomy:
    """Return the anatomy with the faces of the skin that lie within reach."""
    skin, quads = whole.parts["skin"], whole.quads["skin"]
    points = whole.vertices[skin]
    near = (points[:, 1] > reach.lowest) & (np.abs(points[:, 0]) < reach.widest)
    faces = near[quads].all(axis=1)
    kept = np.unique(quads[faces])
    order = np.append(kept, np.arange(skin.stop, len(whole.vertices)))
    cut = skin.stop - len(kept)
    others = {part: slice(at.start - cut, at.stop - cut) for part, at in whole.parts.items()}
    return replace(
        whole,
        vertices=whole.vertices[order],
        parts={**others, "skin": slice(0, len(kept))},
        quads={**whole.quads, "skin": np.searchsorted(kept, quads[faces])},
        skin_uv=whole.skin_uv[faces],
        targets=whole.targets[:, order],
    )


def _with_soft_smile(raw: Anatomy) -> Anatomy:
    """Return the anatomy with the targets of `RELAXED` smoothed on the cheeks."""
    skin, quads = raw.parts["skin"], raw.quads["skin"]
    points = raw.vertices[skin]
    lips = [
        mask_at_vertices(raw.masks[name], raw.skin_uv, quads, len(points))
        for name in ("lips", "inside-mouth")
    ]
    freedom = freedom_of_cheeks(points, np.maximum(*lips))
    targets = raw.targets.copy()
    for name in RELAXED:
        row = raw.names.index(name)
        targets[row, skin] = relaxed(targets[row, skin], quads, freedom)
    return replace(raw, targets=targets)
