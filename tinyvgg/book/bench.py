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
from tinyvgg.chapters.cases import find_cases
from tinyvgg.errors import UserError
from tinyvgg.network import Convolution, Dense, Pooling, Rectification
from tinyvgg.reading import read_network
from tinyvgg.training.batches import resident
from tinyvgg.training.loop import predict
from tinyvgg.training.runs import Run

MOST = 9_000_000  # bytes of both scripts of a task
KINDS = {Convolution: "convolution", Rectification: "relu", Pooling: "max_pool", Dense: "dense"}
ASPECTS = ("subject", "emotion", "angle")


def write_bench(run: Run, folder: Path) -> list[Path]:
    """Write a network and its test errors as two scripts for ``book/bench/network.js``.

    ``network-TASK.js`` has the weights as float16, as those of shipped networks are already.
    ``errors-TASK.js`` has the errors made with these, and their look-alikes; where not all fit into
    `MOST` bytes, it has some at even distances.

    Raises:
        UserError: the network has other layers than Tiny VGG.
    """
    if (architecture := run.experiment.design.architecture) != "tinyvgg":
        raise UserError(f"network {run.name!r} is of architecture {architecture!r}, not 'tinyvgg'")
    run, template = round_weights(run), TEMPLATES.get_template("bench.js.j2")
    paths, room = [folder / f"{table}-{run.task}.js" for table in ("network", "errors")], MOST
    for path, describe in zip(paths, (_network, _errors), strict=True):
        content = {"table": path.stem.partition("-")[0], "task": json.dumps(run.task)}
        files.write_text(path, template.render(**content, content=json.dumps(describe(run, room))))
        room -= path.stat().st_size
    return paths


def round_weights(run: Run) -> Run:
    """Return a run with weights that 16 bits hold, and the logits that follow from these."""
    model = copy.deepcopy(run.model).half().float()
    source = resident(run.faces, run.task, "cpu", run.scaling)
    return run.having(model=model, logits=predict(model, source, run.split.test)[0])


def _network(run: Run, room: int) -> dict[str, Any]:
    """Return what the script's `load` takes: of all weights the low bytes, then the high ones."""
    network = read_network(run.model)
    layers: list[dict[str, Any]] = []
    for layer in (*network.body, *network.dense):
        layers.append({"kind": KINDS[type(layer)]})
        if isinstance(layer, Convolution | Dense):
            layers[-1]["outputs"], layers[-1]["inputs"] = layer.module.weight.shape[:2]
    weights = torch.cat([each.detach().flatten() for each in run.model.parameters()]).half()
    planes = weights.numpy().astype("<f2").view(np.uint8).reshape(-1, 2).T.tobytes()
    about = {"classes": run.classes, "size": run.size, "scaling": vars(run.scaling)}
    return {**about, "layers": layers, "weights": _base64(zlib.compress(planes, 9))}


def _errors(run: Run, room: int) -> dict[str, Any]:
    """Return as many errors as there is room for, and the images that they are about, by row."""
    cases = find_cases(run)
    count = min(len(cases), room // (2 * len(json.dumps(_image(run, 0))) + 200))
    chosen = [cases[place] for place in np.linspace(0, len(cases) - 1, count).astype(int)]
    rows = sorted({row for case in chosen for row in (case.row, case.lookalike) if row is not None})
    plain = [
        {"row": each.row, "true": each.true, "given": each.predicted, "lookalike": each.lookalike}
        for each in chosen
    ]
    return {"total": len(cases), "cases": plain, "images": {row: _image(run, row) for row in rows}}


def _image(run: Run, row: int) -> dict[str, Any]:
    """Return the pixels of an image, (height, width, 3), and what its source knows of it."""
    about = run.faces.index.table.iloc[row]
    known = {aspect: str(about[aspect]) for aspect in ASPECTS if aspect in about}
    return {"pixels": _base64(np.ascontiguousarray(run.faces.images[row]).tobytes()), **known}


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
