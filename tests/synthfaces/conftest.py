"""Shots that several tests look at: each is rendered once."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from synthfaces import rendering
from synthfaces.photograph import Studio
from synthfaces.rendering import ground_truth, render_face
from synthfaces.specification import FaceSpec
from synthfaces.truth import Truth


@pytest.fixture(scope="session")
def image() -> Callable[[FaceSpec, int], np.ndarray]:
    """The image of a shot, as signed numbers."""
    return cache(lambda spec, size: render_face(spec, size).astype(int))


@pytest.fixture(scope="session")
def truth() -> Callable[[FaceSpec, int], Truth]:
    """The truth about the image of a shot."""
    return cache(ground_truth)


@pytest.fixture(scope="session")
def studio_of() -> Callable[[FaceSpec, int], Studio]:
    """The posed subject of a shot."""

    def studio(spec: FaceSpec, size: int) -> Studio:
        return rendering.renderer(size, spec.seed).studio(rendering.sitter(spec, size), spec)

    return studio
