"""The repair bench: in a page the network answers as the library does, and as a kernel would."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.helpers import made_up, pages, small_runs
from tinyvgg import files
from tinyvgg.backtracking import Cutoff, backtrack
from tinyvgg.chapters import bench
from tinyvgg.chapters.bench import Errors, Kernel, errors_of, shipped_errors, write_bench
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.faces.sources import synthfaces
from tinyvgg.repairs import margin
from tinyvgg.trace import Trace, outputs, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.batches import resident
from tinyvgg.training.experiments import Study
from tinyvgg.training.loop import predict
from tinyvgg.training.runs import CONFIGURATION, Run, shipped

NODE = shutil.which("node")
SCRIPT = Path(__file__).parent / "explain_errors.mjs"
MODULES = Path(__file__).parents[2] / "book" / "bench"
SHIPPED = ("subject", "emotion")
MOST = 50
"""Errors of a shipped network that are explained in both ways."""
NEAR = 1e-3
"""How far a page's numbers may lie from the library's: float32 sums in another order differ by
about 1e-6 of their terms, and no reader sees a thousandth of a probability."""
TIE = 1e-5
"""Activations that lie nearer to each other than this share may change places for that reason."""
HOSTILE = ("<b>a</b>", "</script><script>document.title = 'bad'</script>", "&lt;{{ 7 * 7 }}")

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed; it runs the script")


def changed(run: Run, model: torch.nn.Module) -> Run:
    """Return the run with another network, and the logits that follow from it."""
    source = resident(run.faces, run.task, "cpu", run.scaling)
    return run.having(model=model, logits=predict(model, source, run.split.test)[0])


@cache
def small(task: str) -> tuple[Run, Errors]:
    """Return a small run with weights that 16 bits hold, as in a page, and its errors."""
    run = small_runs.run(task)
    run = changed(run, copy.deepcopy(run.model).half().float())
    return run, errors_of(run)


def lost(task: str) -> Run:
    """Return a small run that never answers the first class: nothing repairs those errors."""
    model = copy.deepcopy(small(task)[0].model)
    list(model.parameters())[-1].data[0] = -1e4
    return changed(small(task)[0], model)


def seen(run: Run, errors: Errors, rows: Sequence[int]) -> Trace:
    """Record images of the errors, without any other."""
    images = np.stack([errors.images[row] for row in rows])
    return record(run.model, run.scaling(torch.from_numpy(images)))


def content(script: Path) -> dict:
    """Return what a script registers."""
    return json.loads(script.read_text("utf-16").split("] = ", 1)[1].rstrip(";\n"))


def asked(scripts: Sequence[Path], questions: Sequence[tuple[str, dict]]) -> list[Any]:
    """Return the answers of the network in a page."""
    given = {"input": json.dumps(questions), "capture_output": True, "encoding": "utf-8"}
    done = subprocess.run([NODE, SCRIPT, *scripts], check=True, **given)
    return [json.loads(line) for line in done.stdout.splitlines()]


# ----------------------------------------------------------------------------- the page's network


@needs_node
def test_the_modules_pass_their_own_tests() -> None:
    tests = sorted(MODULES.glob("*.test.mjs"))
    done = subprocess.run([NODE, "--test", *tests], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(tests) > 1


class Explained(NamedTuple):
    """Errors of a run, and what the network in a page finds in them."""

    trace: Trace
    switches: tuple[Tensor, ...]  # those of the page
    labels: Tensor
    found: dict


@pytest.fixture(
    scope="module", params=["emotion", "class", *(f"shipped {task}" for task in SHIPPED)]
)
def explained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Explained:
    task = request.param.removeprefix("shipped ")
    run, errors = small(task) if task == request.param else shipped_errors(task)
    scripts = write_bench(run, errors, tmp_path_factory.mktemp("bench"))
    cases = content(scripts[1])["cases"][:MOST]
    lines = asked(scripts, [("explain", case) for case in cases])
    trace = seen(run, errors, [case["row"] for case in cases])
    found = {name: [line[name] for line in lines] for name in lines[0]}
    given = zip(zip(*found["switches"], strict=True), trace.switches, strict=True)
    switches = tuple(torch.tensor(each).reshape(like.shape) for each, like in given)
    return Explained(trace, switches, torch.tensor([case["true"] for case in cases]), found)


def assert_near(found: list, expected: Tensor) -> None:
    torch.testing.assert_close(
        torch.tensor(found), expected.flatten(1), rtol=NEAR, atol=NEAR, check_dtype=False
    )


def mask(found: list, like: Tensor) -> Tensor:
    return torch.tensor(found).bool().reshape(like.shape)


@needs_node
def test_the_forward_pass_is_the_library_s(explained: Explained) -> None:
    trace, found = explained.trace, explained.found
    assert_near(found["logits"], trace.logits)
    assert_near(found["probabilities"], trace.probabilities)
    assert_near(found["maps"], trace.maps)
    for layer, activations in enumerate(trace.dense):
        assert_near([dense[layer] for dense in found["dense"]], activations)


@needs_node
def test_switches_are_the_library_s_but_for_ties_by_rounding(explained: Explained) -> None:
    trace = explained.trace
    for position, ours, theirs in zip(
        trace.network.poolings, trace.switches, explained.switches, strict=True
    ):
        before = outputs(trace, [position - 1])[position - 1].flatten(2)
        most, chosen = (before.gather(2, each.flatten(2)) for each in (ours, theirs))
        assert (most - chosen <= TIE * most.clamp(min=1)).all()


@needs_node
def test_the_rules_keep_the_same_cells_and_neurons(explained: Explained) -> None:
    trace, found = explained.trace, explained.found
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
def test_contributions_and_rescoring_are_the_library_s(explained: Explained) -> None:
    trace, _, labels, found = explained
    cut = mask(found["cutoff"], trace.maps)
    assert_near(found["shares"], contributions(trace))
    assert_near(found["margin"], contributions(trace, None, labels))
    assert_near(found["rescored"], rescore(trace, cut).softmax(1))
    assert_near(found["filled"], rescore(trace, cut, 0.5))


@needs_node
def test_features_are_the_library_s_by_the_same_switches(explained: Explained) -> None:
    # a switch that a tie decides moves what is projected: by 1 % of the largest value, at most
    trace, cut = explained.trace, mask(explained.found["cutoff"], explained.trace.maps)
    same = replace(trace, switches=explained.switches)
    for name, expected in (("projected", deconvolve(same)), ("tracked", track_features(same, cut))):
        largest = expected.abs().flatten(1).amax(1, keepdim=True).clamp(min=1)
        found = torch.tensor(explained.found[name]) / largest
        assert_near(found.tolist(), expected.flatten(1) / largest)


@needs_node
@pytest.mark.parametrize("task", ["emotion", "class"])
def test_a_worker_answers_as_a_kernel_does(task: str, tmp_path: Path) -> None:
    run, errors = small(task)
    scripts = write_bench(run, errors, tmp_path)
    questions: list[tuple[str, dict]] = []
    for case in content(scripts[1])["cases"]:
        row, cells = {"row": case["row"]}, {"row": case["row"], "cells": case["fewest"]}
        questions += [("open", case), ("open", {**case, "lookalike": None})]
        questions += [("off", cells), ("glow", cells), ("features", cells)]
        questions += [("off", {**row, "cells": []}), ("features", {**row, "cells": []})]
        for rule in (*bench.RULES, "contribution"):
            asks = [{"target": target, "rule": rule} for target in range(len(run.classes))]
            questions += [("backtrack", {**row, **each}) for each in asks]
    kernel, answers = Kernel(run, errors), asked(scripts, questions)
    for (name, about), answer in zip(questions, answers, strict=True):
        assert_same(answer, getattr(kernel, name)(**about))
    assert any(about.get("lookalike") == 0 for _, about in questions) == (task == "emotion")


def assert_same(found: Any, expected: Any) -> None:
    """Check that two answers say the same: numbers nearly, sets exactly."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif expected is None:
        assert found is None
    else:
        assert len(found) == len(expected)
        np.testing.assert_allclose(found, expected, rtol=0, atol=NEAR * max([1, *expected]) ** 0)


# ------------------------------------------------------------------------- errors, and the scripts


@pytest.mark.parametrize("task", SHIPPED)
def test_shipped_errors_are_what_the_shipped_network_answers(task: str) -> None:
    run, errors = shipped_errors(task)
    table = errors.table
    assert all(image.shape == (run.size, run.size, 3) for image in errors.images.values())
    assert set(errors.images) == {*table["row"], *table["lookalike"].dropna()}
    trace = seen(run, errors, table["row"])
    assert [run.classes[label] for label in trace.predicted] == table["predicted"].tolist()
    labels = torch.tensor([run.label(name) for name in table["true"]])
    np.testing.assert_allclose(margin(trace.logits, labels), table["margin"], atol=NEAR)
    paired = table.dropna(subset="lookalike")
    right = seen(run, errors, paired["lookalike"]).predicted
    assert [run.classes[label] for label in right] == paired["true"].tolist()
    gone = torch.zeros_like(trace.maps, dtype=torch.bool).flatten(1)
    for place, cells in enumerate(table["fewest"]):
        gone[place, cells] = True
    answers = rescore(trace, gone.reshape(trace.maps.shape)).argmax(1)
    assert torch.equal(answers == labels, gone.any(1))
    assert run.faces_known if hasattr(run, "faces_known") else True


@pytest.mark.parametrize("task", SHIPPED)
def test_the_sheet_has_the_images_that_are_rendered(task: str, anatomy_folder: Path) -> None:
    run, errors = shipped_errors(task)
    first = errors.table.iloc[0]
    rows = [int(first["row"]), int(first["lookalike"])]
    table = errors.known.iloc[rows]
    rendered = synthfaces.render(table, run.size, anatomy_folder, workers=1, progress=False)
    np.testing.assert_array_equal(rendered, [errors.images[row] for row in rows])
    assert table[task].astype(str).tolist() == [first["true"]] * len(rows)
