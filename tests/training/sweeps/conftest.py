"""A folder of small random images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def faces(tmp_path: Path) -> str:
    """Three classes of ten noisy images that differ in their red, but not by much."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("calm", "glad", "sad")):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 128, (32, 32, 3), dtype=np.uint8)
            pixels[..., 0] += 40 * label
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{number}.png")
    return f"folder:{tmp_path / 'faces'}::crop=centre"
