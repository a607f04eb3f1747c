"""What a page's script finds in a network's errors is what the library finds."""

import json
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers import small_runs
from tinyvgg.backtracking import Cutoff, backtrack
from tinyvgg.book import bench
from tinyvgg.chapters.cases import find_cases
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.trace import Trace, outputs, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

NODE = shutil.which("node")
SCRIPT = Path(__file__).parent / "explain_errors.mjs"
OWN_TESTS = Path(__file__).parents[2] / "book" / "bench" / "network.test.mjs"
NEAR = 1e-3
"""How far a page's numbers may lie from the library's: float32 sums in another order differ by
about 1e-6 of their terms, and no reader sees a thousandth of a probability."""
TIE = 1e-5
"""Activations that lie nearer to each other than this may change places for that reason."""

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed; it runs the script")


@cache
def run(task: str) -> Run:
    return bench.round_weights(small_runs.run(task))


def content(script: Path) -> dict:
    """Return what a script registers."""
    return json.loads(script.read_text().split("] = ", 1)[1].rstrip().rstrip(";"))


@pytest.fixture(params=["emotion", "class"])
def explained(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Trace, Tensor, dict]:
    """The trace of all errors of a run, their true classes, and what the script finds in them."""
    chosen = run(request.param)
    scripts = bench.write_bench(chosen, tmp_path)
    done = subprocess.run([NODE, SCRIPT, *scripts], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    cases = find_cases(chosen)
    assert [line["row"] for line in lines] == [case.row for case in cases] != []
    trace = record(chosen.model, chosen.tensor([case.row for case in cases]))
    found = {name: [line[name] for line in lines] for name in lines[0]}
    return trace, torch.tensor([case.true for case in cases]), found


def assert_near(found: list, expected: Tensor) -> None:
    torch.testing.assert_close(
        torch.tensor(found), expected.flatten(1), rtol=NEAR, atol=NEAR, check_dtype=False
    )


def mask(found: list, like: Tensor) -> Tensor:
    return torch.tensor(found).bool().reshape(like.shape)


@needs_node
def test_the_script_passes_its_own_tests() -> None:
    done = subprocess.run([NODE, "--test", OWN_TESTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@needs_node
def test_the_forward_pass_is_the_library_s(explained) -> None:
    trace, _, found = explained
    assert_near(found["logits"], trace.logits)
    assert_near(found["probabilities"], trace.probabilities)
    assert_near(found["maps"], trace.maps)
    for layer, activations in enumerate(trace.dense):
        assert_near([dense[layer] for dense in found["dense"]], activations)


@needs_node
def test_switches_are_the_library_s_but_for_ties_by_rounding(explained) -> None:
    trace, _, found = explained
    for place, (position, switches) in enumerate(
        zip(trace.network.poolings, trace.switches, strict=True)
    ):
        theirs = torch.tensor([each[place] for each in found["switches"]]).reshape(switches.shape)
        before = outputs(trace, [position - 1])[position - 1].flatten(2)
        best, seen = (before.gather(2, chosen.flatten(2)) for chosen in (switches, theirs))
        apart = (best - seen)[(switches != theirs).flatten(2)]
        assert ((apart > 0) & (apart < TIE)).all()


@needs_node
def test_the_rules_keep_the_same_cells_and_neurons(explained) -> None:
    trace, _, found = explained
    literal, tied = backtrack(trace), trace.maps.abs() < TIE
    assert not ((mask(found["literal"], tied) ^ literal.pixels) & ~tied).any()
    for layer, (neurons, activations) in enumerate(zip(literal.neurons, trace.dense, strict=True)):
        theirs = mask([each[layer] for each in found["neurons"]], neurons)
        assert not ((theirs ^ neurons) & (activations > TIE)).any()
    cut = mask(found["cutoff"], tied)
    few, many = (backtrack(trace, rule=Cutoff(90 + by)).pixels for by in (0.01, -0.01))
    assert not (few & ~cut).any()
    assert not (cut & ~many).any()
    assert few.any()
    assert not torch.equal(many, literal.pixels)


@needs_node
def test_contributions_rescoring_and_tracking_are_the_library_s(explained) -> None:
    trace, labels, found = explained
    cut = mask(found["cutoff"], trace.maps)
    assert_near(found["shares"], contributions(trace))
    assert_near(found["margin"], contributions(trace, None, labels))
    assert_near(found["rescored"], rescore(trace, cut))
    assert_near(found["filled"], rescore(trace, cut, 0.5))
    assert_near(found["projected"], deconvolve(trace))
    assert_near(found["tracked"], track_features(trace, cut))


def test_scripts_hold_float16_weights_and_every_error_with_its_look_alike(tmp_path: Path) -> None:
    chosen = run("emotion")
    network, errors = map(content, bench.write_bench(chosen, tmp_path))
    assert network["classes"] == list(chosen.classes)
    kinds = [layer["kind"] for layer in network["layers"]]
    assert kinds == 3 * [*2 * ["convolution", "relu"], "max_pool"] + 3 * ["dense"]
    assert errors["total"] == len(errors["cases"]) == len(chosen.errors)
    case, known = errors["cases"][0], chosen.faces.index.table
    for row in (case["row"], case["lookalike"]):
        image = errors["images"][str(row)]
        pixels = np.frombuffer(b64decode(image["pixels"]), np.uint8)
        assert np.array_equal(pixels, chosen.faces.images[row].ravel())
        assert (image["emotion"], image["angle"]) == (
            known["emotion"][row],
            str(known["angle"][row]),
        )
    assert chosen.classes[case["true"]] == known["emotion"][case["row"]]


def test_a_source_without_columns_and_too_little_room_leave_things_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = run("class")
    whole = bench.write_bench(chosen, tmp_path)
    assert all(set(image) == {"pixels"} for image in content(whole[1])["images"].values())
    most = sum(path.stat().st_size for path in whole) - 4_000
    monkeypatch.setattr(bench, "MOST", most)
    fewer = bench.write_bench(chosen, tmp_path)
    assert sum(path.stat().st_size for path in fewer) <= most
    assert 0 < len(content(fewer[1])["cases"]) < content(fewer[1])["total"] == len(chosen.errors)


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    chosen = run("emotion")
    other = replace(
        chosen.experiment, design=replace(chosen.experiment.design, architecture="vgg16")
    )
    with pytest.raises(UserError, match="vgg16"):
        bench.write_bench(Run(other), tmp_path)
