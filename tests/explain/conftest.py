"""One small network trained once, and images that it has never seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run, load_trained


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory, draw_photographs: Callable[..., Path]) -> Path:
    return draw_photographs(tmp_path_factory.mktemp("photographs") / "faces")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """A TINYVGG_HOME with one complete run, of classes calm and glad."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(home))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        settings = {"epochs": 4, "initialisation": "he", "scaling": "standardised"}
        open_study("smoke", f"folder:{faces}", 3, False, settings).run("class", device="cpu")
        torch.set_num_threads(threads)
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(home))


@pytest.fixture
def network() -> Run:
    return load_trained("class-folder")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three images of other sizes than the network's, the last with a name to be careful with."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(5)
    paths = [folder / name for name in ("one.png", "two.png", "<b>Zoë & 顔.png")]
    for number, path in enumerate(paths):
        pixels = generator.integers(0, 200, (40 + number, 48, 3), dtype=np.uint8)
        pixels[..., 0] += 15 * number
        Image.fromarray(pixels).save(path)
    return paths
