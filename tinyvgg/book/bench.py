"""Networks and their errors as scripts, for pages that run Tiny VGG in the reader's browser."""

import copy
import json
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tinyvgg import files
from tinyvgg.book.site import TEMPLATES
from tinyvgg.chapters.cases import Case, find_cases
from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Dense, Layer, Pooling, Rectification
from tinyvgg.reading import read_network
from tinyvgg.training.batches import resident
from tinyvgg.training.loop import predict
from tinyvgg.training.runs import Run

MOST = 9_000_000
"""Bytes of both scripts of a task at most; errors that do not fit are left out."""
KINDS: dict[type, str] = {
    Convolution: "convolution",
    Rectification: "relu",
    Pooling: "max_pool",
    Dense: "dense",
}
ASPECTS = ("subject", "emotion", "angle")


def write_bench(run: Run, folder: Path) -> list[Path]:
    """Write a network and its test errors as two scripts for ``book/bench/network.js``.

    ``network-TASK.js`` has the weights as float16, which those of a shipped network are already,
    and ``errors-TASK.js`` the errors that the network makes with these weights, with their
    look-alikes. Where not all errors fit, they are taken at even distances.

    Raises:
        UserError: the network has other layers than Tiny VGG.
    """
    if (architecture := run.experiment.design.architecture) != "tinyvgg":
        raise UserError(f"network {run.name!r} is of architecture {architecture!r}, not 'tinyvgg'")
    rounded = round_weights(run)
    network = _script("networks", run.task, _network(rounded))
    errors = _script("errors", run.task, _errors(rounded, MOST - len(network)))
    written = {f"network-{run.task}.js": network, f"errors-{run.task}.js": errors}
    for name, script in written.items():
        files.write_text(folder / name, script)
    return [folder / name for name in written]


def round_weights(run: Run) -> Run:
    """Return a run whose weights are rounded to 16 bits, and whose logits follow from these."""
    model = copy.deepcopy(run.model).half().float()
    source = resident(run.faces, run.task, "cpu", run.scaling)
    return run.having(model=model, logits=predict(model, source, run.split.test)[0])


def _script(table: str, task: str, content: dict[str, Any]) -> str:
    template = TEMPLATES.get_template("bench.js.j2")
    return template.render(table=table, task=json.dumps(task), content=json.dumps(content))


def _network(run: Run) -> dict[str, Any]:
    """Return what `load` of the script takes; low bytes of the weights come before high ones."""
    network = read_network(run.model)
    layers: list[Layer] = [*network.body, *network.dense]
    weights = torch.cat([p.detach().flatten() for p in run.model.parameters()]).half().numpy()
    planes = weights.astype("<f2").view(np.uint8).reshape(-1, 2).T.tobytes()
    return {
        "classes": run.classes,
        "size": run.size,
        "scaling": vars(run.scaling),
        "layers": [_layer(layer) for layer in layers],
        "weights": _base64(zlib.compress(planes, 9)),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": KINDS[type(layer)]}
    if isinstance(layer, Convolution | Dense):
        outputs, inputs = layer.module.weight.shape[:2]
        plain |= {"inputs": inputs, "outputs": outputs}
    return plain


def _errors(run: Run, room: int) -> dict[str, Any]:
    """Return as many errors as there is room for, and the images that they are about, by row."""
    cases = find_cases(run)
    pair = 2 * len(json.dumps(_image(run, 0))) + 200
    count = min(len(cases), room // pair)
    chosen = [cases[place] for place in np.linspace(0, len(cases) - 1, count).astype(int)]
    rows = sorted({row for case in chosen for row in (case.row, case.lookalike) if row is not None})
    images = {str(row): _image(run, row) for row in rows}
    return {"total": len(cases), "cases": [_case(case) for case in chosen], "images": images}


def _case(case: Case) -> dict[str, Any]:
    facts = {"row": case.row, "true": case.true, "given": case.predicted}
    return {**facts, "lookalike": case.lookalike}


def _image(run: Run, row: int) -> dict[str, Any]:
    """Return the pixels of an image, (height, width, 3), and what its source knows of it."""
    about = run.faces.index.table.iloc[row]
    known = {aspect: str(about[aspect]) for aspect in ASPECTS if aspect in about}
    return {"pixels": _base64(np.ascontiguousarray(run.faces.images[row]).tobytes()), **known}


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
