"""The benchmarks run; how fast is not tested."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("script", ["training.py", "explanation.py", "faces.py"])
def test_a_benchmark_says_how_it_is_called(script, repository):
    done = run(repository, script, "--help")
    assert "usage" in done.stdout
    assert done.returncode == 0, done.stderr


def test_the_training_benchmark_sets_both_loops_beside_each_other(repository):
    small = ["--size", "16", "--images", "40", "--batch", "4", "--rounds", "1"]
    done = run(repository, "training.py", *small)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if "|" in line]
    assert {"plain loop", "tinyvgg", "features.0, Conv2d", "classifier.7, Linear", "sum"} <= set(
        rows
    )


def run(repository: Path, script: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(repository / "benchmarks" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
