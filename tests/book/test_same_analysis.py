"""The shipped networks give the same analysis on other code paths, which stand for machines."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import same_analysis
from tests.helpers.same_analysis import (
    FEATURES,
    TASKS,
    analyse,
    differing,
    network,
    shipped_errors,
)
from tinyvgg.backtracking import Cutoff
from tinyvgg.book.records import SLACK

CODE_PATHS = {
    "usual": {},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "SSE4.1": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
THREADS = {"usual": "12", "AVX2": "12", "SSE4.1": "1"}  # the last one is slow
EACH = 50
BOTH = ["row", "lookalike"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with errors of both networks, and their look-alikes."""
    folder, kept = tmp_path_factory.mktemp("errors"), {}
    for task in TASKS:
        run, errors = shipped_errors(task)
        table = errors.table.dropna(subset="lookalike").head(EACH)
        assert len(table) == EACH
        both = [np.stack([errors.images[row] for row in table[column]]) for column in BOTH]
        kept[f"{task} pixels"] = np.stack(both)
        for column in ("true", "predicted"):
            kept[f"{task} {column}"] = np.array([run.label(name) for name in table[column]])
    np.savez(folder / "images.npz", **kept)
    return folder / "images.npz"


@pytest.fixture(scope="module")
def analyses(images: Path) -> dict[str, dict[str, same_analysis.Found]]:
    """Return what is found on each code path, by task and number of threads."""

    def analyse_by(path: str) -> dict[str, same_analysis.Found]:
        into = images.with_name(f"{path}.pt")
        command = ["-m", "tests.helpers.same_analysis", str(images), str(into), *THREADS[path]]
        variables = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **CODE_PATHS[path]}
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, *command], check=True, cwd=root, env=variables)
        return torch.load(into, weights_only=True)

    with ThreadPoolExecutor() as pool:
        return dict(zip(CODE_PATHS, pool.map(analyse_by, CODE_PATHS), strict=True))


@pytest.mark.slow
def test_the_same_is_found_on_every_code_path_with_one_and_with_two_threads(analyses, images):
    used = {path: found["path"] for path, found in analyses.items()}
    if used["usual"].startswith("AVX"):
        assert (used["AVX2"], used["SSE4.1"]) == ("AVX2", "DEFAULT")
    with np.load(images) as stored:
        known = {name: stored[name].tolist() for name in stored if "pixels" not in name}
    for task in TASKS:
        usual = analyses["usual"][f"{task}, 1"]
        for path, threads in [(name, each) for name in THREADS for each in THREADS[name]]:
            found, about = analyses[path][f"{task}, {threads}"], (task, path, threads)
            assert found["wrong answers"].tolist() == known[f"{task} predicted"], about
            assert found["right answers"].tolist() == known[f"{task} true"], about
            # SSE4.1 adds in another order: of two values of a max-pool that are all but equal the
            # other one may be the largest, and a little of what is deconvolved moves to its place.
            moved = {FEATURES} if path == "SSE4.1" else set()
            assert differing(usual, found, SLACK) <= moved, about
            mean, other = ({FEATURES: each[FEATURES].mean()} for each in (usual, found))
            assert not differing(mean, other, SLACK), about


class Flipped(Cutoff):
    """The rule of the published code with the other sign."""

    def step(self, activations, weight, above, last):
        return super().step(activations, -weight, above, last)


@pytest.mark.slow
def test_other_images_a_flipped_sign_and_another_weight_are_noticed(analyses, images, monkeypatch):
    run, known, few = network("subject"), np.load(images), slice(5)
    labels = torch.from_numpy(known["subject true"][few])
    pixels = torch.from_numpy(known["subject pixels"][:, few])
    usual = {name: value[few] for name, value in analyses["usual"]["subject, 1"].items()}

    def noticed(pixels=pixels):
        return differing(usual, analyse(run, labels, pixels), SLACK)

    assert noticed() == set()
    assert "wrong answers" in noticed(pixels.roll(1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(same_analysis, "Cutoff", Flipped)
        assert {"cutoff, unique", FEATURES} <= noticed()
    with torch.no_grad():
        next(run.model.parameters())[0, 0, 0, 0] += 0.001
    assert "wrong logits" in noticed()
