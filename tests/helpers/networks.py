"""A small run on random images, trained by nobody."""

import numpy as np
import pandas as pd
import torch

from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.splits import Split
from tinyvgg.training.runs import Experiment, Run, build_model
from tinyvgg.training.settings import PROFILES

SIZE = 16
EMOTIONS = ("angry", "happy", "sad")


def faces(n=24, seed=0, kind="synthetic"):
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "subject": np.arange(n) % 4 + 1,
            "emotion": np.array(EMOTIONS)[np.arange(n) % 3],
            "angle": np.array([45, 90, 135])[np.arange(n) // 3 % 3],
        }
    )
    images = draw.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
    return Faces(kind, FaceIndex(table), images, "fingerprint")


def run(task="subject", wrong=True, kind="synthetic", seed=0):
    """A run of random weights; `wrong` false gives one whose logits are all right."""
    of = faces(kind=kind)
    recipe = PROFILES["smoke"].recipe(task, 12)
    classes = of.index.classes(task)
    experiment = Experiment(task, kind, "f", classes, SIZE, 6, (20, 16, 12), recipe, seed)
    split = Split(train=np.arange(0, 24, 2), test=np.arange(1, 24, 2))
    model = build_model(experiment).eval()
    with torch.no_grad():
        for layer in model.classifier:
            if hasattr(layer, "bias") and layer.bias is not None:
                layer.bias.uniform_(-0.05, 0.05, generator=torch.Generator().manual_seed(1))
        logits = model(of.tensor(split.test))
    if not wrong:
        labels = of.index.labels(task)[split.test]
        logits = torch.eye(len(classes))[torch.from_numpy(labels)]
    return Run(
        experiment,
        faces=of,
        split=split,
        model=model,
        history=pd.DataFrame(),
        logits=logits,
        manifest={"device": "cpu"},
    )
