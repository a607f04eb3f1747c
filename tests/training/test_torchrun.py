"""``tinyvgg train`` under torchrun, from its words to its files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.children import begin, free_port, pair, torchrun, wait_for
from tinyvgg import cli


@pytest.fixture(scope="module")
def command(
    tmp_path_factory: pytest.TempPathFactory, draw_photographs: Callable[..., Path]
) -> list[str]:
    faces = draw_photographs(tmp_path_factory.mktemp("photographs") / "faces")
    given = ["train", "--profile", "smoke", "--faces", f"folder:{faces}::crop=centre"]
    given += ["--device", "cpu", "--set", "initialisation=he", "--set", "batch=3"]
    return [*given, "--set", "optimiser=adam", "--set", "rate=0.001"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, command: list[str]) -> Path:
    """A home where torchrun has trained a network without an interruption."""
    made = tmp_path_factory.mktemp("home")
    done = torchrun(made / "log", "-m", "tinyvgg", *command, TINYVGG_HOME=str(made))
    assert done.exitcode == 0, done.said
    assert done.out.count("\n") == 1
    assert done.out.startswith("class: accuracy ")
    assert " epochs, the last 5 without a training error; " in done.out  # all processes alike
    assert "arning" not in done.said
    assert done.said.count("training class:   0%") == 1  # one progress bar
    return made


def files(home: Path) -> dict[str, tuple[bytes, int]]:
    (folder,) = (home / "runs").iterdir()
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.slow
def test_two_machines_with_a_process_each_train_the_network_of_one_machine(
    tmp_path: Path, home: Path, command: list[str], trained: Path
) -> None:
    from torch.distributed.run import main

    given = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "it"]
    given += ["--rdzv-endpoint", f"127.0.0.1:{free_port()}", "-m", "tinyvgg", *command]
    machines = [begin(tmp_path / name, main, given) for name in ("one", "two")]
    assert [machine.end() for machine in machines] == [0, 0], machines[0].said
    assert sorted(machine.out.count("\n") for machine in machines) == [0, 1]
    for name in ("weights.safetensors", "history.csv", "predictions.npz"):
        assert files(home)[name][0] == files(trained)[name][0]


@pytest.mark.slow
def test_a_second_call_loads_what_the_first_has_trained(
    tmp_path: Path, command: list[str], trained: Path
) -> None:
    before = files(trained)
    first, second = pair(tmp_path, cli.main, command, TINYVGG_HOME=str(trained))
    assert (first.end(), second.end()) == (0, 0)
    assert first.out.startswith("class: accuracy ")
    assert "training" not in first.said + second.said + second.out
    assert files(trained) == before


@pytest.mark.slow
def test_both_killed_and_started_again_they_end_with_the_same_bits(
    tmp_path: Path, home: Path, command: list[str], trained: Path
) -> None:
    both = pair(tmp_path, cli.main, command)
    wait_for(lambda: list(home.glob("runs/*/checkpoint.safetensors")), *both)
    for process in both:
        process.kill()
        process.end()
    assert "manifest.json" not in files(home)
    again = pair(tmp_path, cli.main, command)
    assert [process.end() for process in again] == [0, 0], again[0].said
    for name in ("weights.safetensors", "history.csv", "predictions.npz"):
        assert files(home)[name][0] == files(trained)[name][0]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", ["1", "01"])
def test_what_is_wrong_in_any_process_is_said_once_and_ends_all(tmp_path: Path, ranks: str) -> None:
    done = torchrun(tmp_path / "log", "-m", "tests.helpers.failing", ranks)
    assert done.exitcode == 1
    assert done.out == ""
    said = [line for line in done.said.splitlines() if "tinyvgg: " in line]
    assert said == ["tinyvgg: something is wrong"]
