"""A folder of small random images, a home of its own, and one thread."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in every process that is started."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def faces(tmp_path: Path) -> str:
    """Three classes of ten noisy images, told apart by their red, but not by much."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("calm", "glad", "sad")):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 128, (32, 32, 3), dtype=np.uint8)
            pixels[..., 0] += 40 * label
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{number}.png")
    return f"folder:{tmp_path / 'faces'}"
