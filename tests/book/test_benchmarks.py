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


def test_the_rendering_benchmark_sets_faces_beside_bare_rays(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    small = ["--sizes", "16", "32", "--subjects", "1", "--shots", "1", "--rounds", "1"]
    done = run(repository, "faces.py", *small)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "×" in line]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [cells[0] for cells in rows] == ["16 × 16", "32 × 32"]
    for _, images, rays, ratio, *_, memory in rows:
        assert float(images) < float(rays), "colours and shadows take time, too"
        assert float(images) / float(rays) == pytest.approx(
            float(ratio.strip("%")) / 100, abs=0.006
        )
        assert 50 < float(memory.removesuffix(" MB")) < 1000


def run(repository: Path, script: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(repository / "benchmarks" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
