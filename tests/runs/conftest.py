"""One small network trained once; its folder is copied, changed and broken."""

import json
import os
import shutil
import time
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tinyvgg.training import runs as run_folder
from tinyvgg.training.experiments import open_study


@pytest.fixture(scope="session")
def faces(
    tmp_path_factory: pytest.TempPathFactory, draw_photographs: Callable[..., Path]
) -> Path:
    return draw_photographs(tmp_path_factory.mktemp("photographs") / "faces")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """The folder of a run of three epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(tmp_path_factory.mktemp("trained")))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        settings = {"epochs": 3, "initialisation": "he"}
        study = open_study("smoke", f"folder:{faces}", 3, False, settings)
        folder = study.run("class", device="cpu").folder
        torch.set_num_threads(threads)
    return folder


class Shelf:
    """The runs of a test."""

    def __init__(self, home: Path, trained: Path) -> None:
        self.folder, self.trained = home / "runs", trained

    def copy(self, name: str | None = None, age: float = 0.0, **manifest: Any) -> Path:
        """A copy under another name, with other facts, finished some seconds ago."""
        folder = self.folder / (name or self.trained.name)
        shutil.copytree(self.trained, folder)
        self.edit(folder, run_folder.MANIFEST, finished=time.time() - age, **manifest)
        return folder

    def interrupted(self, name: str, epochs: int = 2, age: float = 0.0) -> Path:
        """What a copy looks like after some epochs."""
        folder = self.copy(name)
        for path in folder.iterdir():
            if path.name not in (run_folder.CONFIGURATION, run_folder.HISTORY, run_folder.LOCK):
                path.unlink()
        (folder / "checkpoint.safetensors").write_bytes(b"0" * 1000)
        lines = (folder / run_folder.HISTORY).read_text().splitlines(keepends=True)
        (folder / run_folder.HISTORY).write_text("".join(lines[: epochs + 1]))
        for path in folder.iterdir():
            os.utime(path, (time.time() - age,) * 2)
        return folder

    @staticmethod
    def edit(folder: Path, name: str, **values: Any) -> None:
        """Change values in one of its JSON files; a mapping's are changed one by one."""
        found = json.loads((folder / name).read_text())
        for key, value in values.items():
            found[key] = {**found[key], **value} if isinstance(value, Mapping) else value
        (folder / name).write_text(run_folder.as_json(found))

    def configure(self, folder: Path, **values: Any) -> None:
        """Change the configuration, with its size and hash in the manifest."""
        self.edit(folder, run_folder.CONFIGURATION, **values)
        self.rehash(folder, run_folder.CONFIGURATION)

    def rehash(self, folder: Path, name: str) -> None:
        """Let the manifest say what a changed file is."""
        path = folder / name
        facts = {"sha256": {name: run_folder.sha256(path)}, "bytes": {name: path.stat().st_size}}
        self.edit(folder, run_folder.MANIFEST, **facts)


@pytest.fixture
def shelf(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    home = tmp_path / "home"
    monkeypatch.setenv("TINYVGG_HOME", str(home))
    return Shelf(home, trained)
