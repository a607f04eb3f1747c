"""The benchmarks run; how fast is not tested."""

import json
import re
import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO

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


@pytest.mark.parametrize(
    "script",
    [f"{name}.py" for name in ("training", "explanation", "faces", "photographs", "twins")]
    + ["verification.py"],
)
def test_a_benchmark_says_how_it_is_called(run, script, capsys):
    with pytest.raises(SystemExit, match="0"):
        run(script, "--help")
    assert "usage" in capsys.readouterr().out


def test_what_another_machine_makes_passed_verification_and_what_is_wrong_failed(repository):
    trials = runpy.run_path(str(repository / "benchmarks" / "verification.py"))["TRIALS"]
    found = json.loads((repository / "results" / "verification.json").read_text("utf-8"))
    assert set(found) == set(trials)
    passed = {name for name, outcome in found.items() if outcome["passed"]}
    assert passed == {"two threads", "capped code paths"}


def test_the_training_benchmark_sets_both_loops_beside_each_other(run, monkeypatch, capsys):
    import timing

    def here(what, **options):
        with redirect_stdout(StringIO()) as out:
            run("training.py", "--only", what, *(f"--{name}={options[name]}" for name in options))
        return json.loads(out.getvalue())

    monkeypatch.setattr(timing, "in_a_process", here)
    for name in ("matmul_rate", "memory_rate"):
        monkeypatch.setattr(timing, name, lambda device: 1.0)
    given = ["--size", "16", "--images", "40", "--batch", "4", "--rounds", "1", "--steps", "fused"]
    run("training.py", *given)
    out = capsys.readouterr().out
    assert {"plain loop", "tinyvgg", "fused step", "sum"} <= {
        *re.findall(r"(?m)^\| ([^|]+) \|", out)
    }
    assert re.search(r"\| features\.2, Conv2d \| (?!0\.00)\S+ \| (?!0\.00)", out)  # both ways
