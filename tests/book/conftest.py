"""A small project of its own for each test: two notebooks, a book, nothing of the real one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tinyvgg import files as paths
from tinyvgg.book import reproduce
from tinyvgg.book.notebooks import DEFAULTS

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Workshop:
    """Folders of a small project."""

    root: Path

    def add(self, name: str, *cells: str) -> Path:
        """Write a notebook's source: the usual parameters, then these cells."""
        lines = (f"{name} = {value!r}\n" for name, value in DEFAULTS.items())
        head = '# %% tags=["parameters"]\n' + "".join(lines)
        source = self.root / "notebooks" / f"{name}.py"
        source.write_text(head + "".join(f"\n# %%\n{cell}\n" for cell in cells))
        return source

    def files(self) -> set[str]:
        """Everything that lies in it."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    shutil.copytree(Path(__file__).parent / "fixtures" / "notebooks", tmp_path / "notebooks")
    (tmp_path / "book").mkdir()
    monkeypatch.setattr(paths, "project", lambda: tmp_path)
    monkeypatch.delenv("TINYVGG_HOME", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.chdir(tmp_path)
    return Workshop(tmp_path)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Faces and networks are there without work; the list has what was asked for."""
    asked: list[dict[str, object]] = []

    def prepare(parameters, training=True, meanwhile=None):
        asked.append({**parameters, "training": training})
        weights = {"subject": "hash", "emotion": "hash"}
        trained = {"weights_sha256": weights} if training else {}
        return {"fingerprint": "fingerprint", **trained}

    monkeypatch.setattr(reproduce, "prepare", prepare)
    monkeypatch.setattr(reproduce, "tasks_of", lambda faces: ("subject", "emotion"))
    return asked
