"""Folders of photographs, and a home of its own for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what is decoded is kept."""
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Makes empty files below a folder."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "photographs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "photographs"

    return make
