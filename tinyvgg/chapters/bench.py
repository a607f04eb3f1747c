"""The repair bench: errors of a network, and what it answers without some cells of its last maps.

Its page is `book/bench/`. In the site the network itself answers, in the reader's browser; in a
notebook the kernel answers the same questions (`Kernel`).
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

import anywidget
import numpy as np
import pandas as pd
import torch
import traitlets
from jaxtyping import Bool, UInt8
from jinja2.utils import htmlsafe_json_dumps
from PIL import Image
from torch import Tensor

from tinyvgg import files
from tinyvgg.backtracking import Contribution, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.cases import RULES, find_cases
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.network import Convolution, Dense, Pooling, Rectification
from tinyvgg.reading import read_network
from tinyvgg.repairs import margin, repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, suppress, track_features
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import CONFIGURATION, Experiment, Run, shipped

MOST = 9_000_000
"""Bytes that the weights of a network may have to run in a page."""
KINDS = {Convolution: "convolution", Rectification: "relu", Pooling: "max_pool", Dense: "dense"}
ASPECTS = ("name", "subject", "emotion", "angle")
MODULES = ("network.js", "session.js"), ("logic.js", "bench.js", "causes.js")
"""The scripts that a worker runs, and those of the page."""
FIRST = 0x3400
"""The character that stands for 15 bits of zeros; the 2^15 from here on are whole in UTF-16."""
ERRORS, SHEET, ACROSS = "errors.csv", "errors.png", 16


@dataclass(frozen=True)
class Errors:
    """Test errors of a run, and the images that they are about.

    The table has a row an error: the ``row`` of its image and that of its ``lookalike``, the class
    names ``true`` and ``predicted``, ``margin`` (true logit minus largest other), and ``fewest``,
    the pixels of a smallest repair found, as flat indices.
    """

    table: pd.DataFrame
    images: Mapping[int, UInt8[np.ndarray, "s s 3"]]  # those of the table, by row
    known: pd.DataFrame  # the index of all images


def errors_of(run: Run) -> Errors:
    """Return all test errors of a run, with their look-alikes and the smallest repairs found."""
    cases = find_cases(run)
    trace = record(run.model, run.tensor([case.row for case in cases]))
    labels = torch.tensor([case.true for case in cases], dtype=torch.int64)
    found = repair(trace, labels)
    repairs = zip(found.pixels, found.repaired, strict=True)
    table = pd.DataFrame(
        {
            "task": run.task,
            "row": [case.row for case in cases],
            "true": [run.classes[case.true] for case in cases],
            "predicted": [run.classes[case.predicted] for case in cases],
            "lookalike": pd.array([case.lookalike for case in cases], "Int64"),
            "margin": np.round(margin(trace.logits, labels).tolist(), 4),
            "fewest": [as_cells(pixels) if ok else [] for pixels, ok in repairs],
        }
    )
    images = {row: np.asarray(run.faces.images[row]) for row in _rows(table)}
    return Errors(table, images, run.faces.index.table)


def as_cells(pixels: Bool[Tensor, "*any"]) -> Any:
    """Return the pixels of one image that are in a set, as a list of rising flat indices."""
    return pixels.flatten().nonzero().flatten().tolist()


def _rows(table: pd.DataFrame) -> list[int]:
    return sorted({*map(int, table["row"]), *map(int, table["lookalike"].dropna())})


def write_errors(runs: Iterable[Run]) -> None:
    """Write the errors of shipped networks into a CSV file, and their images beside each network.

    The images are one PNG a task: all rows of the table, rising, from the left to the right.
    """
    tables = []
    for run in runs:
        errors = errors_of(run)
        cells = errors.table["fewest"].map(lambda cells: " ".join(map(str, cells)))
        tables.append(errors.table.assign(fewest=cells))
        images = np.zeros((max(len(errors.images), 1), run.size, run.size, 3), np.uint8)
        images[: len(errors.images)] = list(errors.images.values()) or 0
        sheet = style.png(style.tiled(images, ACROSS, 255.0))
        path = shipped(run.task) / SHEET
        if not path.exists() or path.read_bytes() != sheet:
            files.write_whole(path, partial(Path.write_bytes, data=sheet))
    write = partial(pd.concat(tables).to_csv, index=False, lineterminator="\n")
    files.write_whole(shipped(ERRORS), write)


def shipped_errors(task: str) -> tuple[Run, Errors]:
    """Return the network of a task that ships with the project, and its errors."""
    folder = shipped(task)
    experiment = Experiment.of(json.loads((folder / CONFIGURATION).read_text("utf-8")))
    kinds: Any = {"lookalike": "Int64", "true": str, "predicted": str, "fewest": str}
    table = pd.read_csv(shipped(ERRORS), dtype=kinds)
    table = table[table["task"] == task].reset_index(drop=True)
    table["fewest"] = [[int(cell) for cell in each.split()] for each in table["fewest"].fillna("")]
    side, sheet = experiment.size, np.asarray(Image.open(folder / SHEET).convert("RGB"))
    tiles = sheet.reshape(-1, side, ACROSS, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    images = dict(zip(_rows(table), tiles, strict=False))
    return Run(experiment, folder), Errors(table, images, synthfaces.design())


# ------------------------------------------------------------------------------------ the scripts


def write_bench(run: Run, errors: Errors, folder: Path) -> list[Path]:
    """Write a network that `fits` a page and its errors as two scripts.

    ``network-TASK.js`` has the weights as float16, as those of shipped networks are already, and
    ``errors-TASK.js`` the errors and their images.
    """
    tables = {"network": _network(run), "errors": about(run, errors) | {"images": _images(errors)}}
    paths = [folder / f"{table}-{run.task}.js" for table in tables]
    for path, (table, data) in zip(paths, tables.items(), strict=True):
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        place = f"((globalThis.tinyvgg ??= {{}}).{table} ??= {{}})[{json.dumps(run.task)}]"
        content = f"\ufeff{place} = {text};\n".encode("utf-16-le")
        files.write_whole(path, partial(Path.write_bytes, data=content))
    return paths


def fits(run: Run) -> bool:
    """Return whether a network runs in a page: it is Tiny VGG, and has fewer bytes than `MOST`."""
    weights = sum(each.numel() for each in run.model.parameters())
    return run.experiment.design.architecture == "tinyvgg" and 2 * weights < MOST


def about(run: Run, errors: Errors) -> dict[str, Any]:
    """Return the task of a run, its classes, and its errors, as the page takes them."""
    known = [aspect for aspect in ASPECTS if aspect in errors.known]
    cases = [
        {
            "row": line["row"],
            "true": None if pd.isna(line["true"]) else run.label(line["true"]),
            "given": run.label(line["predicted"]),
            "lookalike": None if pd.isna(line["lookalike"]) else line["lookalike"],
            "fewest": line["fewest"],
            "margin": line["margin"],
            **{aspect: str(errors.known[aspect].iloc[line["row"]]) for aspect in known},
        }
        for line in errors.table.to_dict("records")
    ]
    return {"task": run.task, "classes": list(run.classes), "cases": cases}


def _network(run: Run) -> dict[str, Any]:
    """Return what the script's `load` takes: of all weights the low bytes, then the high ones."""
    network = read_network(run.model, torch.zeros(1, 3, run.size, run.size))
    layers: list[dict[str, Any]] = []
    for layer in (*network.body, *network.dense):
        layers.append({"kind": KINDS[type(layer)]})
        if isinstance(layer, Convolution | Dense):
            layers[-1]["outputs"], layers[-1]["inputs"] = layer.module.weight.shape[:2]
    weights = torch.cat([each.detach().flatten() for each in run.model.parameters()]).half()
    planes = weights.numpy().astype("<f2").view(np.uint8).reshape(-1, 2).T
    scaling = vars(run.scaling)
    start = {"classes": list(run.classes), "size": run.size, "scaling": scaling}
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


def inline(run: Run, errors: Errors) -> str:
    """Return one script with the bench of some images, for a page that loads nothing.

    It is empty if the network does not run in a page.
    """
    if not fits(run):
        return ""
    tables = {"network": _network(run), "errors": about(run, errors) | {"images": _images(errors)}}
    registered = {name: {run.task: table} for name, table in tables.items()}
    data = htmlsafe_json_dumps(registered, ensure_ascii=False)
    return f"globalThis.tinyvgg = {data};\n{page_script([run.task])}"


def write_site(folder: Path, study: Study | None) -> None:
    """Write the scripts that the pages of a site load: their own, and those of each task.

    They are about the networks of a study; about those that ship with the project if it is None.
    """
    if study is None:
        shown = [shipped_errors(path.parent.name) for path in shipped("").glob(f"*/{SHEET}")]
    else:
        shown = [(run, errors_of(run)) for run in map(study.run, study.tasks) if fits(run)]
    for run, errors in shown:
        write_bench(run, errors, folder)
    files.write_text(folder / "bench.js", page_script([run.task for run, _ in shown]))


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


# ------------------------------------------------------------------------------------ a notebook


class Kernel:
    """Answers to the questions of a bench about a run's errors, whatever layers its network has."""

    def __init__(self, run: Run, errors: Errors) -> None:
        self.run, self.errors = run, errors
        self._trace = lru_cache(maxsize=8)(self._record)

    def _record(self, row: int) -> Trace:
        pixels = torch.from_numpy(np.ascontiguousarray(self.errors.images[row]))
        return record(self.run.model, self.run.scaling(pixels[None]))

    def open(self, row: int, lookalike: int | None, true: int | None, **_: Any) -> dict[str, Any]:
        """Return an error: images, maps, exact shares in given minus true, and what rules find.

        Where the true class is not known, the second answer takes its place.
        """
        trace, images = self._trace(row), self.errors.images
        against = int(trace.logits[0].topk(2).indices[1]) if true is None else true
        right = None if lookalike is None else self._trace(lookalike)
        sets = {}
        for name, rule in RULES.items():
            found = backtrack(trace, rule=rule).pixels
            other = found & False if right is None else backtrack(right, rule=rule).pixels
            parts = {"found": found, "common": found & other, "unique": found & ~other}
            sets[name] = {part: as_cells(cells) for part, cells in parts.items()}
        return {
            "image": images[row].ravel().tolist(),
            "lookalike": None if lookalike is None else images[lookalike].ravel().tolist(),
            "shape": list(trace.maps.shape[1:]),
            "maps": trace.maps.flatten().tolist(),
            "shares": contributions(trace, None, against).flatten().tolist(),
            "probabilities": trace.probabilities[0].tolist(),
            "sets": sets,
        }

    def off(self, row: int, cells: list[int]) -> Any:
        """Return the probabilities with some cells of the last maps at zero."""
        trace = self._trace(row)
        return rescore(trace, self._set(trace, cells)).softmax(1)[0].tolist()

    def backtrack(self, row: int, target: int, rule: str) -> Any:
        """Backtrack from a class; ``contribution`` takes as many cells as the cutoff."""
        trace = self._trace(row)
        if rule in RULES:
            return as_cells(backtrack(trace, target, RULES[rule]).pixels)
        count = int(backtrack(trace, target, RULES["cutoff"]).pixels.sum())
        return as_cells(backtrack(trace, target, Contribution(count)).pixels)

    def glow(self, row: int, cells: list[int]) -> Any:
        """Return what some cells alone look like in the image, as strength a pixel."""
        trace = self._trace(row)
        alone = suppress(trace.maps, ~self._set(trace, cells))
        return style.strength(deconvolve(trace, alone)).flatten().tolist()

    def features(self, row: int, cells: list[int]) -> Any:
        """Return the tracked features of some cells, as strength a pixel (Algorithm 2)."""
        trace = self._trace(row)
        features = track_features(trace, self._set(trace, cells))
        return style.strength(features).flatten().tolist()

    @staticmethod
    def _set(trace: Trace, cells: list[int]) -> Bool[Tensor, "1 c h w"]:
        chosen = torch.zeros(trace.maps.numel(), dtype=torch.bool)
        chosen[cells] = True
        return chosen.reshape(trace.maps.shape)


class RepairBench(anywidget.AnyWidget):
    """The bench of a run's errors: live with a kernel, and on a page with the network itself.

    `row` is the error that is shown; `cells` are those that are switched off, as flat indices of
    the last maps, to go on with in code.
    """

    about = traitlets.Dict().tag(sync=True)
    row = traitlets.Int(None, allow_none=True).tag(sync=True)
    cells = traitlets.List(traitlets.Int()).tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)

    def __init__(self, run: Run, row: int | None = None) -> None:
        errors = errors_of(run)
        if row is not None and row not in set(errors.table["row"]):
            raise UserError(f"row {row} is no test error of run {run.name!r}; see `find_cases`")
        self._kernel, self._first = Kernel(run, errors), row
        script = f"{modules()}\nexport default {{ render }};"
        super().__init__(about=about(run, errors), row=row, _esm=script)

    @anywidget.experimental.command
    def _answer(self, message: Any, buffers: Any) -> tuple[Any, list[bytes]]:
        return getattr(self._kernel, message["name"])(**message["asked"]), buffers

    def __repr__(self) -> str:
        return f"RepairBench of {len(self.about['cases'])} errors"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data, about = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/html": self.html()}, about

    def html(self) -> str:
        """Return the bench of a page: a picture and a sentence until the reader touches it."""
        run, table = self._kernel.run, self._kernel.errors.table
        line = (table if self._first is None else table[table["row"] == self._first]).iloc[0]
        kind = "subject " if run.task == "subject" else ""
        return style.TEMPLATES.get_template("bench.html.j2").render(
            task=run.task,
            row=self._first,
            picture=style.data_uri(style.png(self._kernel.errors.images[int(line.row)])),
            label=kind + line.true,
            given=kind + line.predicted,
            cells=len(line.fewest),
            live=fits(run),
        )


def repair_bench(run: Run, row: int | None = None) -> RepairBench | None:
    """Return the bench of a run's errors, which begins with that of a row; None if it has none."""
    return RepairBench(run, row) if len(run.errors) else None
