"""The shipped networks give the same analysis on other code paths, which stand for machines."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers import same_analysis
from tests.helpers.same_analysis import FEATURES, analyse, differing, network
from tinyvgg.backtracking import Cutoff
from tinyvgg.book.records import SLACK
from tinyvgg.book.reproduce import ERRORS
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.runs import shipped

CODE_PATHS = {
    "usual": {},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "SSE4.1": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
THREADS = {"usual": (1, 2), "AVX2": (1, 2), "SSE4.1": (1,)}  # the last one is slow
TASKS = ("subject", "emotion")
EACH = 50
IMAGES = ["row", "lookalike"]
Analyses = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, anatomy_folder: Path) -> Path:
    """Return a folder with errors of both networks, rendered with their look-alikes.

    The errors on emotion are of subjects that are rendered anyway, as each takes half a second.
    """
    made, design = tmp_path_factory.mktemp("errors"), synthfaces.design()
    every = same_analysis.read_errors(shipped(ERRORS)).dropna().astype(dict.fromkeys(IMAGES, int))
    first = every[every["task"] == "subject"].head(EACH)
    subjects = every[IMAGES].apply(lambda rows: design["subject"].to_numpy()[rows])
    known = subjects.isin(subjects.loc[first.index, "row"].unique()).all(axis=1)
    second = every[known & (every["task"] == "emotion")].head(EACH)
    errors = pd.concat([first, second])
    assert len(errors) == EACH * len(TASKS)
    errors.to_csv(made / same_analysis.ERRORS, index=False)
    rows = np.unique(errors[IMAGES])
    size = network("subject").size
    images = synthfaces.render(design.iloc[rows], size, anatomy_folder, progress=False)
    pixels = {
        task: images[np.searchsorted(rows, part[IMAGES].T)] for task, part in errors.groupby("task")
    }
    np.savez(made / same_analysis.IMAGES, **pixels)
    return made


@pytest.fixture(scope="module")
def analyses(folder: Path) -> Analyses:
    """Return what is found on each code path, by task and number of threads."""

    def analyse_by(path: str) -> dict[str, Any]:
        given = (str(folder), path, *map(str, THREADS[path]))
        variables = {"OMP_WAIT_POLICY": "PASSIVE", **CODE_PATHS[path]}
        subprocess.run(
            [sys.executable, "-m", "tests.helpers.same_analysis", *given],
            check=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **variables},
        )
        return torch.load(folder / f"{path}.pt", weights_only=True)

    with ThreadPoolExecutor() as pool:
        return dict(zip(CODE_PATHS, pool.map(analyse_by, CODE_PATHS), strict=True))


def read(folder: Path, task: str) -> pd.DataFrame:
    errors = same_analysis.read_errors(folder / same_analysis.ERRORS)
    return errors[errors["task"] == task]


@pytest.mark.slow
def test_the_same_is_found_on_every_code_path_with_one_and_with_two_threads(analyses, folder):
    used = {path: found["path"] for path, found in analyses.items()}
    if used["usual"].startswith("AVX"):
        assert (used["AVX2"], used["SSE4.1"]) == ("AVX2", "DEFAULT")
    for task in TASKS:
        errors, run = read(folder, task), network(task)
        true, given = ([run.label(n) for n in errors[column]] for column in ("true", "predicted"))
        usual = analyses["usual"][f"{task}, 1"]
        for path, threads in [(name, each) for name in THREADS for each in THREADS[name]]:
            found, about = analyses[path][f"{task}, {threads}"], (task, path, threads)
            assert found["wrong answers"].tolist() == given, about
            assert found["right answers"].tolist() == true, about
            others = differing(usual, found, SLACK)
            # SSE4.1 adds in another order: of two values of a max-pool that are all but equal the
            # other one may be the largest, and a little of what is deconvolved moves to its place.
            assert set(others) <= ({FEATURES} if path == "SSE4.1" else set()), about
            means = usual[FEATURES].mean(), found[FEATURES].mean()
            torch.testing.assert_close(*means, rtol=SLACK, atol=SLACK)


class Flipped(Cutoff):
    """The rule of the published code with the other sign."""

    def step(self, activations, weight, above, last):
        return super().step(activations, -weight, above, last)


@pytest.mark.slow
def test_other_images_a_flipped_sign_and_another_weight_are_noticed(analyses, folder, monkeypatch):
    run, few = network("subject"), slice(5)
    labels = torch.tensor([run.label(name) for name in read(folder, "subject")["true"][few]])
    with np.load(folder / same_analysis.IMAGES) as images:
        pixels = torch.from_numpy(images["subject"][:, few])
    usual = {name: value[few] for name, value in analyses["usual"]["subject, 1"].items()}
    assert differing(usual, analyse(run, labels, pixels), SLACK) == []

    assert "wrong answers" in differing(usual, analyse(run, labels, pixels.roll(1, 1)), SLACK)
    with monkeypatch.context() as patch:
        patch.setattr(same_analysis, "Cutoff", Flipped)
        others = differing(usual, analyse(run, labels, pixels), SLACK)
    assert {"cutoff, unique pixels", FEATURES} <= set(others)
    assert all(name == FEATURES or name.startswith("cutoff") for name in others)
    with torch.no_grad():
        next(run.model.parameters())[0, 0, 0, 0] += 0.001
    assert "wrong logits" in differing(usual, analyse(run, labels, pixels), SLACK)
