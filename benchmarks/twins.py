"""How many twins are found, and how many other images are taken for twins.

The sets are synthetic faces with all emotions, gazes and angles, at two sizes in pixels, and the
photographs of LONDON, the folder of the Face Research Lab London Set: everybody neutral and
smiling. Each change makes copies of some images, which are looked for in the set. Images of a set
without copies are all other shots; those that are put together with one before are false alarms.

    python benchmarks/twins.py INTO.json [LONDON]
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import synthfaces
from tinyvgg import files
from tinyvgg.faces import twins
from tinyvgg.faces.images import Facts, thumbnail_of

SUBJECTS = {64: 20, 224: 12}  # by size
COPIES, SEARCHED = 60, 400
Image = np.ndarray


def jpeg(image: Image, quality: int) -> Image:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)


def scaled(image: Image, by: float) -> Image:
    how = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=by, fy=by, interpolation=how)


def cropped(image: Image, shares: Sequence[float]) -> Image:
    (height, width), (top, bottom, left, right) = image.shape[:2], shares
    rows = slice(round(top * height), round((1 - bottom) * height))
    return image[rows, round(left * width) : round((1 - right) * width)]


def toned(image: Image, gain: float, offset: float) -> Image:
    return (gain * image + offset).clip(0, 255).astype(np.uint8)


def moved(image: Image, draw: np.random.Generator) -> Image:
    """Turn by up to 2 degrees, shift by up to 2 % of the side, and add noise of 4 gray levels."""
    size = (image.shape[1], image.shape[0])
    warp = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), draw.uniform(-2, 2), 1.0)
    warp[:, 2] += draw.uniform(-0.02, 0.02, 2) * max(size)
    shot = cv2.warpAffine(image, warp, size, None, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    return toned(shot + draw.normal(0, 4, shot.shape), 1, 0)


CHANGES: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    **{f"JPEG {q}": lambda image, _, q=q: jpeg(image, q) for q in (30, 60, 95)},
    **{f"{100 * by:.0f} %": lambda image, _, by=by: scaled(image, by) for by in (0.25, 0.5, 2)},
    "mirrored": lambda image, _: image[:, ::-1],
    "cropped by up to 5 % a side": lambda image, draw: cropped(image, draw.uniform(0, 0.05, 4)),
    "cropped by 5 % a side": lambda image, _: cropped(image, [0.05] * 4),
    "brighter": lambda image, _: toned(image, 1.15, 8),
    "burst": moved,
    "mirrored, cropped, brighter, 50 %, JPEG 60": lambda image, draw: jpeg(
        scaled(toned(cropped(image[:, ::-1], draw.uniform(0, 0.05, 4)), 1.08, 4), 0.5), 60
    ),
}


def clusters_of(images: Sequence[Image]) -> np.ndarray:
    pixels = [torch.from_numpy(np.ascontiguousarray(one)).permute(2, 0, 1) for one in images]
    facts = [Facts("", *one.shape[1:], thumbnail=thumbnail_of(one)) for one in pixels]
    return twins.near(facts, pixels.__getitem__)


def found(images: Sequence[Image], copies: int, change: str) -> int:
    """Count the copies of some images that are found in a set with all of them."""
    draw = np.random.default_rng(0)
    chosen = draw.permutation(len(images))[:copies]
    cluster = clusters_of([*images, *(CHANGES[change](images[place], draw) for place in chosen)])
    return int((cluster[chosen] == cluster[len(images) :]).sum())


def measure(images: Sequence[Image]) -> dict[str, Any]:
    some = np.random.default_rng(1).permutation(len(images))[:SEARCHED]
    hits = {change: found([images[n] for n in some], COPIES, change) for change in CHANGES}
    false = len(images) - len({*clusters_of(images).tolist()})
    pairs = len(images) * (len(images) - 1) // 2
    return {"images": len(images), "pairs": pairs, "false": false, "of": COPIES, "found": hits}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("into", type=Path)
    parser.add_argument("london", type=Path, nargs="?")
    args = parser.parse_args()
    report: dict[str, Any] = {"version": twins.VERSION, "opencv": cv2.__version__}
    for size, subjects in SUBJECTS.items():
        faces = synthfaces.render(synthfaces.design(subjects), size, files.faces_cache())
        made_by = {"fingerprint": synthfaces.fingerprint(size, 0)}
        report[f"synthetic faces, {size} pixels"] = {**made_by, **measure(list(faces))}
    if args.london:
        paths = sorted(args.london.glob("*_front/*.jpg"))
        read = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in paths]
        report["London Set, 600 pixels"] = measure(read)
    files.write_json(args.into, report)
