"""The benchmarks run; how fast is not tested."""

import runpy
import sys

import pytest


@pytest.fixture
def run(repository, monkeypatch):
    """Runs a benchmark with its arguments."""

    def call(script, *arguments):
        path = str(repository / "benchmarks" / script)
        monkeypatch.setattr(sys, "argv", [path, *arguments])
        runpy.run_path(path, run_name="__main__")

    monkeypatch.syspath_prepend(repository / "benchmarks")
    return call


@pytest.mark.parametrize("script", ["training.py", "explanation.py", "faces.py", "photographs.py"])
def test_a_benchmark_says_how_it_is_called(run, script, capsys):
    with pytest.raises(SystemExit, match="0"):
        run(script, "--help")
    assert "usage" in capsys.readouterr().out


def test_the_training_benchmark_sets_both_loops_beside_each_other(run, capsys):
    run("training.py", *["--size", "16", "--images", "40", "--batch", "4", "--rounds", "1"])
    rows = {
        line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if "|" in line
    }
    assert {"plain loop", "tinyvgg", "features.0, Conv2d", "classifier.7, Linear", "sum"} <= rows
