"""Shapes and types in signatures are checked at run time, in the tests only."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook
from PIL import Image

install_import_hook(["synthfaces", "tinyvgg"], "beartype.beartype")

# Where tests run in the background, interruptions are ignored, and so they would be in the
# processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def draw_photographs() -> Callable[..., Path]:
    """Draws a folder of two classes of ten noisy images, which differ in their red."""

    def draw(folder: Path, height: int = 32) -> Path:
        generator = np.random.default_rng(0)
        for label, name in enumerate(("calm", "glad")):
            (folder / name).mkdir(parents=True)
            for number in range(10):
                pixels = generator.integers(0, 128, (height, 32, 3), dtype=np.uint8)
                pixels[..., 0] += 100 * label
                Image.fromarray(pixels).save(folder / name / f"{number}.png")
        return folder

    return draw
