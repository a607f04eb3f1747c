"""Shots that several tests look at: each is rendered once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from synthfaces import rendering
from synthfaces.photograph import Studio
from synthfaces.rendering import ground_truth, render_face
from synthfaces.specification import FaceSpec
from synthfaces.truth import Truth


@pytest.fixture(scope="session")
def image(anatomy_folder: Path) -> Callable[[FaceSpec, int], np.ndarray]:
    """The image of a shot, as signed numbers."""
    return cache(lambda spec, size: render_face(spec, size, anatomy_folder).astype(int))


@pytest.fixture(scope="session")
def truth(anatomy_folder: Path) -> Callable[[FaceSpec, int], Truth]:
    """The truth about the image of a shot."""
    return cache(lambda spec, size: ground_truth(spec, size, anatomy_folder))


@pytest.fixture(scope="session")
def studio_of(anatomy_folder: Path) -> Callable[[FaceSpec, int], Studio]:
    """The posed subject of a shot."""

    def studio(spec: FaceSpec, size: int) -> Studio:
        sitter = rendering.sitter(spec, size, anatomy_folder)
        return rendering.renderer(size, spec.seed, anatomy_folder).studio(sitter, spec)

    return studio


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch, anatomy_folder: Path) -> None:
    """One painted head serves all folders; painting takes seconds."""
    painter = rendering.painter
    monkeypatch.setattr(rendering, "painter", lambda _: painter(anatomy_folder))
