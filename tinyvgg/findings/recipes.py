"""The network beside Table 1, and the recipe beside the paper's (T1, P1)."""

from collections.abc import Hashable, Mapping
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from tinyvgg import paper
from tinyvgg.experiments import Study
from tinyvgg.findings.conclusions import in_words
from tinyvgg.network import Convolution, Dense, Layer, Pooling
from tinyvgg.paper import TASK_NAMES
from tinyvgg.reading import read_network
from tinyvgg.runs import Run, build_model
from tinyvgg.sizes import convolved_size

_ORDERS = {"reshuffled": "new each epoch", "fixed": "the same each epoch"}


def network_table(run: Run) -> pd.DataFrame:
    """Layer by layer: what Table 1 says, what runs here, output sizes and parameters (T1)."""
    network = read_network(run.model)
    layers: list[Layer] = [*network.body, *network.dense]
    ours = [layer for layer in layers if isinstance(layer, Convolution | Pooling | Dense)]
    theirs = paper.table1().to_dict("records")
    if len(ours) != len(theirs):
        theirs = [{}] * len(ours)
    rows = []
    classes = _classes(run.task)
    sizes = {"paper": int(paper.number("t1.both.size")), "here": run.experiment.size}
    maps = 0
    for entry, layer in zip(theirs, ours, strict=True):
        said, runs = _said(entry, classes), _runs(layer)
        maps = layer.module.out_channels if isinstance(layer, Convolution) else maps
        sizes = {who: _after(size, layer) for who, size in sizes.items()}
        rows.append(
            {
                "layer": layer.name,
                "Table 1": said,
                "this run": runs,
                "output, paper": _output(sizes["paper"], maps, layer, said),
                "output, this run": _output(sizes["here"], maps, layer, runs),
                "parameters, this run": f"{_parameters(layer):,}",
            }
        )
    return pd.DataFrame(rows).set_index("layer")


def _classes(task: str) -> int | None:
    known = paper.load().numbers.get(f"t1.{task}.classes")
    return int(known.value) if known and isinstance(known.value, int) else None


def _said(entry: Mapping[Hashable, Any], classes: int | None) -> str:
    if not entry:
        return paper.NOTHING
    if entry["layer"] == "conv":
        return _conv(entry["field"], entry["stride"], entry["padding"], entry["maps"])
    if entry["layer"] == "max-pool":
        return _pool(entry["field"], entry["stride"])
    units = classes if pd.isna(entry["units"]) else entry["units"]
    return "one neuron a class" if units is None else _dense(units)


def _runs(layer: Layer) -> str:
    if isinstance(layer, Convolution):
        module = layer.module
        return _conv(module.kernel_size[0], module.stride[0], layer.padding[0], module.out_channels)
    if isinstance(layer, Pooling):
        return _pool(layer.kernel[0], layer.stride[0])
    assert isinstance(layer, Dense)
    return _dense(layer.module.out_features)


def _conv(field: object, stride: object, padding: object, maps: object) -> str:
    return f"conv {field} × {field}, stride {stride}, padding {padding}, {maps} maps"


def _pool(field: object, stride: object) -> str:
    return f"max-pool {field} × {field}, stride {stride}"


def _dense(units: object) -> str:
    return f"dense, {units} neurons"


def _after(size: int, layer: Layer) -> int:
    if isinstance(layer, Convolution):
        module = layer.module
        return convolved_size(size, module.kernel_size[0], layer.padding[0], module.stride[0])
    if isinstance(layer, Pooling):
        return convolved_size(size, layer.kernel[0], layer.padding[0], layer.stride[0])
    return size


def _output(size: int, maps: int, layer: Layer, description: str) -> str:
    if isinstance(layer, Dense):
        return description.removeprefix("dense, ").removesuffix(" neurons")
    return f"{size} × {size} × {maps}"


def _parameters(layer: Layer) -> int:
    if isinstance(layer, Pooling) or not isinstance(layer, Convolution | Dense):
        return 0
    return sum(weights.numel() for weights in layer.module.parameters())


def parameters(model: nn.Module) -> int:
    """Weights and biases of a network."""
    return sum(weights.numel() for weights in model.parameters())


def parameters_sentence(run: Run) -> str:
    """How many parameters a network has, and how many of them follow the last maps."""
    network, total = read_network(run.model), parameters(run.model)
    first = network.dense[0]
    return (
        f"With all its weights and biases the network for {in_words(run.task)} has {total:,}"
        f" parameters; {_parameters(first) / total:.0%} of them sit where the last maps,"
        f" {first.module.in_features:,} pixels, meet the first dense layer."
    )


def recipe_table(study: Study) -> pd.DataFrame:
    """The settings of each network beside the paper's (P1)."""
    columns = {f"this run, {TASK_NAMES.get(t, t)}": _recipe(study, t) for t in study.tasks}
    said = {
        "initial weights": "Glorot and Bengio's",
        "optimiser": "plain gradient descent",
        "images a batch": paper.quantity("p1.both.batch").text,
        "learning rate": paper.quantity("p1.both.rate").text,
        "epochs": paper.quantity("p1.both.epochs").text,
        "order of the images": "not said",
        "pixels are divided by": f"{paper.quantity('p1.both.code_scale').text} (published code)",
        "side of an image": paper.quantity("d2.both.size").text,
    }
    return pd.DataFrame({"paper": said, **columns}).rename_axis("setting")


def _recipe(study: Study, task: str) -> dict[str, str]:
    experiment = study.experiment(task)
    recipe = experiment.recipe
    largest = max(_glorot_share(layer) for layer in build_model(experiment).modules())
    within = largest <= 1 + 1e-6
    return {
        "initial weights": "Glorot and Bengio's" if within else "beyond Glorot and Bengio's bound",
        "optimiser": "plain gradient descent",
        "images a batch": str(recipe.batch),
        "learning rate": f"{recipe.rate:g}",
        "epochs": str(recipe.epochs),
        "order of the images": "new each epoch"
        if recipe.order == "reshuffled"
        else "the same each epoch",
        "pixels are divided by": f"{_scale(study):g}",
        "side of an image": str(experiment.size),
    }


def _glorot_share(layer: nn.Module) -> float:
    """The largest weight of a layer by Glorot and Bengio's bound."""
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return 0.0
    taps = layer.weight[0, 0].numel()
    bound = sqrt(6 / (taps * (layer.weight.shape[0] + layer.weight.shape[1])))
    return float(layer.weight.detach().abs().max()) / bound


def _scale(study: Study) -> float:
    image = np.asarray(study.faces.images[:1])
    return float(image.max() / study.faces.tensor([0]).max())
