"""The scripts of the repair bench (`book/bench/`), with which a network answers in a page.

They need no torch: whoever only builds the committed book has none.
"""

import json
import re
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from jinja2.utils import htmlsafe_json_dumps
from PIL import Image
from safetensors.numpy import load_file

from tinyvgg import files
from tinyvgg.faces.sources import synthfaces

ASPECTS = ("name", "subject", "emotion", "angle")
MODULES = ("network.js", "session.js"), ("logic.js", "bench.js", "causes.js")
"""The scripts that a worker runs, and those of the page."""
FIRST = 0x3400
"""The character that stands for 15 bits of zeros; the 2^15 from here on are whole in UTF-16."""
ERRORS, SHEET, ACROSS = "errors.csv", "errors.png", 16


@dataclass(frozen=True)
class PageNetwork:
    """A Tiny VGG as a page runs it."""

    task: str
    classes: tuple[str, ...]
    size: int  # side of its images, pixels
    scaling: Mapping[str, Sequence[float]]  # `tinyvgg.training.batches.Scaling`
    weights: Sequence[np.ndarray]  # from the first layer to the last, weights before biases


@dataclass(frozen=True)
class Errors:
    """Test errors of a network, and the images that they are about.

    The table has a row an error: the ``row`` of its image and that of its ``lookalike``, the class
    names ``true`` and ``predicted``, ``margin`` (true logit minus largest other), and ``fewest``,
    the pixels of a smallest repair found, as flat indices.
    """

    table: pd.DataFrame
    images: Mapping[int, UInt8[np.ndarray, "s s 3"]]  # those of the table, by row
    known: pd.DataFrame  # the index of all images


def rows_of(table: pd.DataFrame) -> list[int]:
    """Return the rows of all images that a table of errors is about, rising."""
    return sorted({*map(int, table["row"]), *map(int, table["lookalike"].dropna())})


def shipped(folder: Path) -> tuple[PageNetwork, Errors]:
    """Return the network in the folder of one that ships with the project, and its errors."""
    trained, manifest = (files.report(folder / name) for name in ("config.json", "manifest.json"))
    task, classes, size = (trained[name] for name in ("task", "classes", "size"))
    weights = load_file(folder / "weights.safetensors")
    in_order = [weights[name] for name in sorted(weights, key=_place)]
    network = PageNetwork(task, tuple(classes), size, manifest["scaling"], in_order)
    return network, read_errors(folder, task, size)


def _place(name: str) -> tuple[bool, int, bool]:
    part, layer, kind = name.split(".")
    return part == "classifier", int(layer), kind == "bias"


def read_errors(folder: Path, task: str, size: int) -> Errors:
    """Return the errors of a network that ships, which were kept with its images."""
    kinds: Any = {"lookalike": "Int64", "true": str, "predicted": str, "fewest": str}
    table = pd.read_csv(folder.parent / ERRORS, dtype=kinds)
    table = table[table["task"] == task].reset_index(drop=True)
    table["fewest"] = [[int(cell) for cell in each.split()] for each in table["fewest"].fillna("")]
    sheet = np.asarray(Image.open(folder / SHEET).convert("RGB"))
    tiles = sheet.reshape(-1, size, ACROSS, size, 3).swapaxes(1, 2).reshape(-1, size, size, 3)
    return Errors(table, dict(zip(rows_of(table), tiles, strict=False)), synthfaces.design())


def write_bench(network: PageNetwork, errors: Errors, folder: Path) -> list[Path]:
    """Write a network and its errors as two scripts.

    ``network-TASK.js`` has the weights as float16, as those of shipped networks are already, and
    ``errors-TASK.js`` the errors and their images.
    """
    tables = _tables(network, errors)
    paths = [folder / f"{table}-{network.task}.js" for table in tables]
    for path, (table, data) in zip(paths, tables.items(), strict=True):
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        place = f"((globalThis.tinyvgg ??= {{}}).{table} ??= {{}})[{json.dumps(network.task)}]"
        content = f"\ufeff{place} = {text};\n".encode("utf-16-le")
        files.write_whole(path, partial(Path.write_bytes, data=content))
    return paths


def inline(network: PageNetwork, errors: Errors) -> str:
    """Return one script with the bench of some images, for a page that loads nothing."""
    task, tables = network.task, _tables(network, errors)
    data = htmlsafe_json_dumps({name: {task: tables[name]} for name in tables}, ensure_ascii=False)
    return f"globalThis.tinyvgg = {data};\n{page_script([task])}"


def write_site(folder: Path, shown: Iterable[tuple[PageNetwork, Errors]]) -> None:
    """Write the scripts that the pages of a site load: their own, and those of each network."""
    tasks = []
    for network, errors in shown:
        write_bench(network, errors, folder)
        tasks.append(network.task)
    files.write_text(folder / "bench.js", page_script(tasks))


def _tables(network: PageNetwork, errors: Errors) -> dict[str, dict[str, Any]]:
    cases = about(network.task, network.classes, errors)
    return {"network": _network(network), "errors": cases | {"images": _images(errors)}}


def about(task: str, classes: Sequence[str], errors: Errors) -> dict[str, Any]:
    """Return a task, its classes, and the errors, as the page takes them."""
    known = [aspect for aspect in ASPECTS if aspect in errors.known]
    label = {name: number for number, name in enumerate(classes)}
    cases = [
        {
            "row": line["row"],
            "true": None if pd.isna(line["true"]) else label[line["true"]],
            "given": label[line["predicted"]],
            "lookalike": None if pd.isna(line["lookalike"]) else line["lookalike"],
            "fewest": line["fewest"],
            "margin": line["margin"],
            **{aspect: str(errors.known[aspect].iloc[line["row"]]) for aspect in known},
        }
        for line in errors.table.to_dict("records")
    ]
    return {"task": task, "classes": list(classes), "cases": cases}


def _network(network: PageNetwork) -> dict[str, Any]:
    """Return what the script's `load` takes: of all weights the low bytes, then the high ones."""
    layers: list[dict[str, Any]] = []
    for place, weight in enumerate(network.weights[::2]):
        kind = "convolution" if weight.ndim > 2 else "dense"
        layers.append({"kind": kind, "outputs": weight.shape[0], "inputs": weight.shape[1]})
        if kind == "convolution":
            pool = place % 2  # after every second convolution
            layers += [{"kind": "relu"}, {"kind": "max_pool"}][: 1 + pool]
    flat = np.concatenate([each.ravel() for each in network.weights])
    planes = flat.astype("<f2").view(np.uint8).reshape(-1, 2).T
    start = {"classes": list(network.classes), "size": network.size, "scaling": network.scaling}
    return {**start, "layers": layers, "weights": packed(planes.tobytes())}


def _images(errors: Errors) -> dict[str, Any]:
    """Return images by differences along their rows, of R - G, G and B - G."""
    rows = list(errors.images)
    pixels = np.stack([errors.images[row] for row in rows]) if rows else np.zeros((0, 1, 1, 3))
    red, green, blue = np.moveaxis(pixels.astype(np.uint8), -1, 0)
    planes = np.stack([red - green, green, blue - green], axis=1)
    planes[..., 1:] -= planes[..., :-1].copy()
    return {"rows": rows, "pixels": packed(planes.tobytes())}


def packed(content: bytes) -> str:
    """Return bytes, compressed by zlib, as text of 15 bits a character.

    The first character says how many bits of the last one are spare. Base64 takes a quarter more.
    """
    bits = np.unpackbits(np.frombuffer(zlib.compress(content, 9), np.uint8))
    spare = -len(bits) % 15
    words = np.pad(bits, (0, spare)).reshape(-1, 15) @ (1 << np.arange(14, -1, -1))
    return (np.insert(words, 0, spare) + FIRST).astype("<u2").tobytes().decode("utf-16-le")


def page_script(tasks: Sequence[str]) -> str:
    """Return the page's modules as one classic script: browsers load no module from a file.

    It offers the networks of `tasks`; what a page has for other tasks stays a picture.
    """
    given = f"document.currentScript.src, {json.dumps(tasks)}"
    start = f"for (const each of [offer, follow]) each({given});"
    return f'(() => {{\n"use strict";\n{modules()}\n{start}\n}})();\n'


@lru_cache
def modules() -> str:
    """Return all modules in one scope, with the style sheet and what the worker runs."""
    folder = files.project() / "book" / "bench"
    folder = folder if folder.is_dir() else Path(sys.prefix) / "share" / "tinyvgg" / "bench"
    texts = ("\n".join((folder / name).read_text("utf-8") for name in part) for part in MODULES)
    links = re.compile(r"^(import [^;]*;.*\n|export )", re.MULTILINE)  # one scope needs none
    of_worker, of_page = (links.sub("", text) for text in texts)
    sheet = json.dumps((folder / "bench.css").read_text("utf-8"))
    return f"const STYLE = {sheet};\nfunction core() {{\n{of_worker}\nserve(self);\n}}\n{of_page}"
