"""``tinyvgg train`` under torchrun, from its words to its files."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.processes import start, torchrun

SCRIPT = ("-m", "tests.helpers.told")
SETTINGS = ("epochs=40", "batch=3", "initialisation=he")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, draw_photographs: Callable[..., Path]) -> Path:
    return draw_photographs(tmp_path_factory.mktemp("photographs") / "faces")


def arguments(faces: Path) -> list[str]:
    given = [
        "train",
        "--profile",
        "smoke",
        "--faces",
        f"folder:{faces}::crop=centre",
        "--device",
        "cpu",
    ]
    return given + [part for setting in SETTINGS for part in ("--set", setting)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """Where two processes have trained a network without an interruption."""
    made = tmp_path_factory.mktemp("home")
    status, out, said = torchrun("-m", "tinyvgg", *arguments(faces), home=made)
    assert status == 0, said[-3000:]
    assert out.count("\n") == 1
    assert out.startswith("class: accuracy ")
    assert "arning" not in said
    assert said.count("training class:   0%") == 1  # one progress bar
    return made


def files(home: Path) -> dict[str, tuple[bytes, int]]:
    (folder,) = (home / "runs").iterdir()
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.slow
def test_a_second_call_loads_what_the_first_has_trained(faces: Path, home: Path) -> None:
    before = files(home)
    status, out, said = torchrun("-m", "tinyvgg", *arguments(faces), home=home)
    assert status == 0, said[-3000:]
    assert out.startswith("class: accuracy ")
    assert out.count("\n") == 1
    assert "training" not in said
    assert files(home) == before


@pytest.mark.slow
def test_both_killed_and_started_again_they_end_with_the_same_bits(
    tmp_path: Path, faces: Path, home: Path
) -> None:
    killed = tmp_path / "home"
    running = start(*SCRIPT, "note", tmp_path, *arguments(faces), home=killed)
    while not list(killed.glob("runs/*/checkpoint-before.safetensors")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.005)
    for rank in (0, 1):
        os.kill(int((tmp_path / f"process-{rank}").read_text()), signal.SIGKILL)
    running.communicate(timeout=60)
    assert "manifest.json" not in files(killed)
    status, _, said = torchrun("-m", "tinyvgg", *arguments(faces), home=killed)
    assert status == 0, said[-3000:]
    for name in ("weights.safetensors", "history.csv", "predictions.npz"):
        assert files(killed)[name][0] == files(home)[name][0]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", ["1", "01"])
def test_what_is_wrong_in_any_process_is_said_once_and_ends_all(tmp_path: Path, ranks: str) -> None:
    status, out, said = torchrun(*SCRIPT, "fail", ranks, "train", home=tmp_path)
    assert status != 0
    assert out == ""
    assert [line for line in said.splitlines() if "tinyvgg: " in line] == [
        "tinyvgg: something is wrong"
    ]


@pytest.mark.slow
def test_an_interruption_is_said_once(tmp_path: Path) -> None:
    _, out, said = torchrun(*SCRIPT, "interrupt", "all", "train", home=tmp_path)
    assert out == ""
    assert said.count("interrupted; the same command goes on from here") == 1


@pytest.mark.slow
def test_wrong_usage_is_said_once(tmp_path: Path) -> None:
    status, _, said = torchrun("-m", "tinyvgg", "train", "--profiel", "smoke", home=tmp_path)
    assert status != 0
    assert said.count("--profiel") >= 1
