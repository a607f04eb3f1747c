"""Faces and runs for tests, with images of noise and given answers."""

import numpy as np
import pandas as pd
import torch

from synthfaces import design
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.splits import split
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Experiment, Run
from tinyvgg.training.settings import PROFILES, Recipe
from tinyvgg.training.tiny_vgg import TinyVGG

SIZE = 8


def made_up_faces(subjects: int = 3, size: int = SIZE, kind: str = "synthetic") -> Faces:
    """Return the synthetic design, or a folder of two classes, with images of noise."""
    if kind == "synthetic":
        table = design(subjects)
    else:
        names = [f"{name}/{i}.jpg" for name in ("cat", "dog") for i in range(subjects)]
        table = pd.DataFrame({"path": names, "class": [n[:3] for n in names], "source": "folder"})
    noise = np.random.default_rng(0).integers(0, 256, (len(table), size, size, 3), dtype=np.uint8)
    return Faces(kind if kind == "synthetic" else "folder:x", FaceIndex(table), noise, "made up")


def made_up_run(faces: Faces, task: str, wrong: dict[int, int] | float = 0.0) -> Run:
    """Return a run whose answers are right but for the given errors.

    Args:
        faces: the images.
        task: a column of them.
        wrong: wrong labels by place in the test part, or a share of errors at random.
    """
    classes, size = faces.index.classes(task), faces.images.shape[1]
    parts = split(faces.index, task)
    labels = faces.index.labels(task)[parts.test]
    answers = labels.copy()
    generator = np.random.default_rng(1)
    if isinstance(wrong, float):
        chosen = generator.choice(len(labels), round(wrong * len(labels)), replace=False)
        shift = generator.integers(1, len(classes), len(chosen))
        answers[chosen] = (labels[chosen] + shift) % len(classes)
    else:
        answers[list(wrong)] = list(wrong.values())
    scores = generator.uniform(0, 1, (len(labels), len(classes))).astype(np.float32)
    scores[np.arange(len(labels)), answers] += generator.uniform(1, 4, len(labels))
    error = float((answers != labels).mean())
    history = pd.DataFrame({"epoch": range(1, 6), "train_loss": 1.0, "test_loss": 1.0})
    history["train_error"] = np.linspace(0.9, 0.2, 5)
    history["test_error"] = [*np.linspace(0.9, error / 2, 4), error]
    history["seconds"] = 2.0
    recipe = Recipe(epochs=5)
    experiment = Experiment(task, faces.source, "made up", classes, size, 4, (8,), recipe, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TinyVGG(len(classes), size, 4, (8,)).eval()
    given = {"faces": faces, "split": parts, "model": model, "history": history}
    given["manifest"] = {"device": "cpu", "ended": recipe.ended([1] * 5, 10)}
    return Run(experiment, logits=torch.from_numpy(scores), **given)


def made_up_study(faces: Faces) -> Study:
    """Return a study on these faces."""
    study = Study(PROFILES["smoke"], faces.source, 0, progress=False)
    vars(study)["faces"] = faces
    return study
