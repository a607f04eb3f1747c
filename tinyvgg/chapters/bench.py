"""The repair bench: errors of a network, and what it answers without some cells of its last maps.

Its page is `book/bench/`. In the site the network itself answers, in the reader's browser; in a
notebook the kernel answers the same questions (`Kernel`).
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import torch
import traitlets
from jaxtyping import Bool
from torch import Tensor

from tinyvgg import files
from tinyvgg.backtracking import Contribution, backtrack
from tinyvgg.chapters import bench_scripts, style
from tinyvgg.chapters.bench_scripts import ACROSS, ERRORS, SHEET, Errors, PageNetwork, rows_of
from tinyvgg.chapters.cases import RULES, find_cases
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.repairs import margin, repair
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import rescore, suppress, track_features
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run, shipped

MOST = 9_000_000
"""Bytes that the weights of a network may have to run in a page."""


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
    images = {row: np.asarray(run.faces.images[row]) for row in rows_of(table)}
    return Errors(table, images, run.faces.index.table)


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


def as_cells(pixels: Bool[Tensor, "*any"]) -> Any:
    """Return the pixels of one image that are in a set, as a list of rising flat indices."""
    return pixels.flatten().nonzero().flatten().tolist()


def fits(run: Run) -> bool:
    """Return whether a network runs in a page: it is Tiny VGG, and has fewer bytes than `MOST`."""
    weights = sum(each.numel() for each in run.model.parameters())
    return run.experiment.design.architecture == "tinyvgg" and 2 * weights < MOST


def in_page(run: Run) -> PageNetwork:
    """Return a network that `fits` as a page runs it."""
    weights = [each.detach().cpu().numpy() for each in run.model.parameters()]
    return PageNetwork(run.task, run.classes, run.size, vars(run.scaling), weights)


def of_study(study: Study) -> list[tuple[PageNetwork, Errors]]:
    """Return the networks of a study that run in a page, with their errors."""
    return [(in_page(run), errors_of(run)) for run in filter(fits, map(study.run, study.tasks))]


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
        return style.strength(track_features(trace, self._set(trace, cells))).flatten().tolist()

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
        script = f"{bench_scripts.modules()}\nexport default {{ render }};"
        about = bench_scripts.about(run.task, run.classes, errors)
        super().__init__(about=about, row=row, _esm=script)

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
