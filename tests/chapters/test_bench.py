"""The repair bench: in a page the network answers as the library does, and as a kernel would."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from markupsafe import escape
from torch import Tensor

from tests.helpers import made_up, pages, small_runs
from tests.helpers.same_analysis import shipped_errors
from tinyvgg import files
from tinyvgg.backtracking import Cutoff, backtrack
from tinyvgg.chapters import bench, bench_scripts, style
from tinyvgg.chapters.bench import Kernel, errors_of, in_page
from tinyvgg.chapters.bench_scripts import (
    ASPECTS,
    Errors,
    inline,
    read_errors,
    write_bench,
    write_site,
)
from tinyvgg.contribution import contributions
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.repairs import margin
from tinyvgg.trace import Trace, outputs, record
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.batches import resident
from tinyvgg.training.experiments import Study
from tinyvgg.training.loop import predict
from tinyvgg.training.runs import Run, shipped

NODE, SHIPPED = shutil.which("node"), ("subject", "emotion")
SCRIPT, USE = (Path(__file__).parent / name for name in ("explain_errors.mjs", "use_bench.js"))
MODULES = Path(__file__).parents[2] / "book" / "bench"
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


def test_no_name_is_taken_twice_in_the_scope_that_modules_share() -> None:
    for part in bench_scripts.MODULES:
        texts = "".join((MODULES / name).read_text("utf-8") for name in part)
        names = re.findall(r"(?m)^(?:export )?(?:async )?(?:function|const|let) (\w+)", texts)
        assert len(set(names)) == len(names) > 1


@needs_node
def test_the_modules_pass_their_own_tests() -> None:
    tests = sorted(MODULES.glob("*.test.mjs"))
    done = subprocess.run([NODE, "--test", *tests], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(tests) > 1


Explained = tuple[Trace, Tensor, dict, tuple[Tensor, ...]]
"""Errors, their true classes, what the network in a page finds in them, and its switches."""


def explain(run: Run, errors: Errors, folder: Path) -> Explained:
    scripts = write_bench(in_page(run), errors, folder)
    cases = content(scripts[1])["cases"][:MOST]
    lines = asked(scripts, [("explain", case) for case in cases])
    found = {name: [line[name] for line in lines] for name in lines[0]}
    trace = seen(run, errors, [case["row"] for case in cases])
    layers = zip(zip(*found["switches"], strict=True), trace.switches, strict=True)
    switches = tuple(torch.tensor(each).reshape(like.shape) for each, like in layers)
    return trace, torch.tensor([case["true"] for case in cases]), found, switches


@pytest.fixture(scope="module", params=["emotion", "class"])
def explained(request, tmp_path_factory) -> Explained:
    return explain(*small(request.param), tmp_path_factory.mktemp("bench"))


def assert_near(found: list | Tensor, expected: Tensor) -> None:
    np.testing.assert_allclose(np.array(found), expected.flatten(1), rtol=NEAR, atol=NEAR)


def mask(found: list, like: Tensor) -> Tensor:
    return torch.tensor(found).bool().reshape(like.shape)


@needs_node
def test_the_forward_pass_is_the_library_s(explained: Explained) -> None:
    trace, _, found, _ = explained
    assert_near(found["logits"], trace.logits)
    assert_near(found["probabilities"], trace.probabilities)
    assert_near(found["maps"], trace.maps)
    for layer, activations in enumerate(trace.dense):
        assert_near([dense[layer] for dense in found["dense"]], activations)


@needs_node
def test_switches_are_the_library_s_but_for_ties_by_rounding(explained: Explained) -> None:
    trace, _, _, switches = explained
    for place, (ours, theirs) in enumerate(zip(trace.switches, switches, strict=True)):
        position = trace.network.poolings[place]
        before = outputs(trace, [position - 1])[position - 1].flatten(2)
        most, chosen = (before.gather(2, each.flatten(2)) for each in (ours, theirs))
        assert (most - chosen <= TIE * most.clamp(min=1)).all()


@needs_node
def test_the_rules_keep_the_same_cells_and_neurons(explained: Explained) -> None:
    trace, _, found, _ = explained
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
    trace, labels, found, _ = explained
    cut = mask(found["cutoff"], trace.maps)
    assert_near(found["shares"], contributions(trace))
    assert_near(found["margin"], contributions(trace, None, labels))
    assert_near(found["rescored"], rescore(trace, cut).softmax(1))
    assert_near(found["filled"], rescore(trace, cut, 0.5))


@needs_node
def test_features_are_the_library_s_by_the_same_switches(explained: Explained) -> None:
    # a switch that a tie decides moves what is projected, by up to 1 % of the largest value
    trace, _, found, switches = explained
    same, cut = replace(trace, switches=switches), mask(found["cutoff"], trace.maps)
    for name, expected in (("projected", deconvolve(same)), ("tracked", track_features(same, cut))):
        top = expected.abs().flatten(1).amax(1, keepdim=True)
        assert_near(torch.tensor(found[name]) / top, expected.flatten(1) / top)


@needs_node
@pytest.mark.parametrize("task", SHIPPED)
def test_all_this_holds_for_errors_of_the_shipped_networks(task: str, tmp_path: Path) -> None:
    run, errors = shipped_errors(task)
    without_torch = write_bench(*bench_scripts.shipped(run.folder), tmp_path / "without torch")
    for path in write_bench(in_page(run), errors, tmp_path):
        assert content(path) == content(without_torch[0].with_name(path.name))
    explained = explain(run, errors, tmp_path)
    test_the_forward_pass_is_the_library_s(explained)
    test_switches_are_the_library_s_but_for_ties_by_rounding(explained)
    test_the_rules_keep_the_same_cells_and_neurons(explained)
    test_contributions_and_rescoring_are_the_library_s(explained)
    test_features_are_the_library_s_by_the_same_switches(explained)


@needs_node
@pytest.mark.parametrize("task", ["emotion", "class"])
def test_a_worker_answers_as_a_kernel_does(task: str, tmp_path: Path) -> None:
    run, errors = small(task)
    kernel, scripts = Kernel(run, errors), write_bench(in_page(run), errors, tmp_path)
    asks: list[tuple[str, dict]] = []
    for case in content(scripts[1])["cases"]:
        asks += [("open", case), ("open", {**case, "lookalike": None})]
        for name, cells in product(("off", "glow", "features"), ([], case["fewest"])):
            asks.append((name, {"row": case["row"], "cells": cells}))
        for target, rule in product(range(len(run.classes)), (*bench.RULES, "contribution")):
            asks.append(("backtrack", {"row": case["row"], "target": target, "rule": rule}))
        asks.append(("face", {"pixels": errors.images[case["row"]].ravel().tolist()}))
    assert any(about.get("lookalike") == 0 for _, about in asks) == (task == "emotion")
    opened: dict[str, Any] = {}
    for (name, about), answer in zip(asks, asked(scripts, asks), strict=True):
        if name == "face":  # the answer to an image is that to the error with this image
            opened["cells"] = opened.pop("sets")["cutoff"]["found"]
            assert_same(answer, {each: opened[each] for each in answer})
            continue
        assert_same(answer, getattr(kernel, name)(**about))
        opened = answer if name == "open" else opened


def assert_same(found: Any, expected: Any) -> None:
    """Check that two answers say the same: numbers nearly, and sets, which are whole numbers."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif expected is None:
        assert found is None
    else:
        np.testing.assert_allclose(found, expected, rtol=NEAR / 100, atol=NEAR)


@pytest.mark.parametrize("task", SHIPPED)
def test_shipped_errors_are_what_the_shipped_network_answers(task: str) -> None:
    run, errors = shipped_errors(task)
    table, paired = errors.table, errors.table.dropna(subset="lookalike")
    assert {image.shape for image in errors.images.values()} == {(run.size, run.size, 3)}
    assert set(errors.images) == {*table["row"], *paired["lookalike"]}
    trace = seen(run, errors, table["row"])
    assert [run.classes[label] for label in trace.predicted] == table["predicted"].tolist()
    labels = torch.tensor([run.label(name) for name in table["true"]])
    np.testing.assert_allclose(margin(trace.logits, labels), table["margin"], atol=NEAR)
    right = seen(run, errors, paired["lookalike"]).predicted
    assert [run.classes[label] for label in right] == paired["true"].tolist()
    gone = torch.zeros_like(trace.maps, dtype=torch.bool).flatten(1)
    for place, cells in enumerate(table["fewest"]):
        gone[place, cells] = True
    answers = rescore(trace, gone.reshape(trace.maps.shape)).argmax(1)
    assert torch.equal(answers == labels, gone.any(1))


@pytest.mark.parametrize("task", SHIPPED)
def test_the_sheet_has_the_images_that_are_rendered(task: str, tmp_path: Path) -> None:
    run, errors = shipped_errors(task)
    rows = errors.table.iloc[0][["row", "lookalike"]].tolist()
    table = synthfaces.design().iloc[rows]
    rendered = synthfaces.render(table, run.size, tmp_path, workers=1, progress=False)
    np.testing.assert_array_equal(rendered, [errors.images[row] for row in rows])
    assert set(table[task].astype(str)) == {errors.table.iloc[0]["true"]}


def test_errors_are_read_back_as_they_were_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "results", lambda: tmp_path)
    runs = [lost("emotion"), small("subject")[0]]
    bench.write_errors(runs)
    for run in runs:
        errors, expected = read_errors(shipped(run.task), run.task, run.size), errors_of(run)
        pd.testing.assert_frame_equal(errors.table, expected.table)
        assert errors.images.keys() == expected.images.keys()
        for row, image in errors.images.items():
            np.testing.assert_array_equal(image, run.faces.images[row])
    table = errors_of(runs[0]).table
    never = table["true"] == runs[0].classes[0]
    assert table["lookalike"].isna().equals(never)
    assert table["fewest"].map(len).eq(0).equals(never)
    assert 0 < never.sum() < len(table)
    right = torch.nn.functional.one_hot(torch.from_numpy(runs[1].labels)).float()
    bench.write_errors([runs[1].having(logits=right), runs[0]])
    assert len(read_errors(shipped(runs[1].task), runs[1].task, runs[1].size).table) == 0


@pytest.mark.parametrize(("task", "known"), [("emotion", ASPECTS[1:]), ("class", ())])
def test_scripts_have_the_network_and_what_is_known_of_each_error(task, known, tmp_path) -> None:
    run, errors = small(task)
    network, about = map(content, write_bench(in_page(run), errors, tmp_path))
    assert network["classes"] == about["classes"] == list(run.classes)
    kinds = [layer["kind"] for layer in network["layers"]]
    assert kinds == 3 * [*2 * ["convolution", "relu"], "max_pool"] + 3 * ["dense"]
    for case, line in zip(about["cases"], errors.table.to_dict("records"), strict=True):
        given, true = (run.classes[case.pop(name)] for name in ("given", "true"))
        shown = {aspect: str(errors.known[aspect][line["row"]]) for aspect in known}
        assert case | {"task": task, "true": true, "predicted": given} == line | shown


def test_a_network_that_runs_in_no_page_gets_no_scripts(tmp_path, monkeypatch) -> None:
    run = small("emotion")[0]
    assert "<script" in bench.RepairBench(run).html()
    design = replace(run.experiment.design, architecture="vgg16")
    assert not bench.fits(run.having(experiment=replace(run.experiment, design=design)))
    monkeypatch.setattr(bench, "MOST", 2 * sum(each.numel() for each in run.model.parameters()))
    monkeypatch.setattr(Study, "run", lambda _, task: small(task)[0])
    study = made_up.made_up_study(made_up.made_up_faces())
    write_site(tmp_path, bench.of_study(study))
    assert [path.name for path in tmp_path.iterdir()] == ["bench.js"]
    assert "each(document.currentScript.src, [])" in (tmp_path / "bench.js").read_text("utf-8")
    assert "<script" not in bench.RepairBench(run).html()


def test_a_widget_asks_its_kernel_and_has_a_picture_and_a_sentence_for_pages() -> None:
    run, errors = small("emotion")
    line = errors.table.to_dict("records")[-1]
    about = {"row": line["row"], "cells": line["fewest"]}
    widget = bench.repair_bench(run, line["row"])
    assert repr(widget) == f"RepairBench of {len(run.errors)} errors"
    answer = widget._answer({"name": "off", "asked": about}, [])
    assert answer == (Kernel(run, errors).off(**about), [])
    html = widget._repr_mimebundle_()[0]["text/html"]
    assert f"this image of {line['true']} for {line['predicted']}.\nA few cells" in html
    assert style.data_uri(style.png(errors.images[line["row"]])) in html
    assert "No cells were found" in bench.RepairBench(lost("emotion")).html()
    right = torch.nn.functional.one_hot(torch.from_numpy(run.labels)).float()
    faultless = run.having(logits=right)
    assert bench.repair_bench(faultless) is None
    with pytest.raises(UserError, match="row 999 is no test error"):
        bench.RepairBench(run, 999)


@pytest.mark.parametrize("how", ["scripts", "inline"])
def test_a_page_shows_what_the_kernel_answers_and_names_of_classes_stay_text(
    how, tmp_path, monkeypatch
) -> None:
    run = small("emotion")[0]
    run = run.having(experiment=replace(run.experiment, classes=HOSTILE))
    monkeypatch.setattr(Study, "run", lambda _, task: run if task == run.task else small(task)[0])
    study = made_up.made_up_study(made_up.made_up_faces())
    write_site(tmp_path / "bench", bench.of_study(study))
    kernel, errors = Kernel(run, errors_of(run)), errors_of(run)
    cases = bench_scripts.about(run.task, run.classes, errors)["cases"]
    case = min(cases, key=lambda case: max(kernel.off(case["row"], case["fewest"])))  # not 100 %
    row, fewest, reader = case["row"], case["fewest"], pages.Reader()
    host = bench.RepairBench(run, row).html()
    reader.feed(host)
    assert (reader.open, host.count("<script")) == ([], 1)
    true, given = (escape(HOSTILE[case[name]]) for name in ("true", "given"))
    assert f"<p>The network takes this image of {true} for {given}." in host
    if how == "inline":
        script = inline(in_page(run), errors)
        assert "</" not in script
        host = host.partition("<script")[0] + f"<script>{script}</script>"
    page = f"<title>bench</title>{host}<script>{USE.read_text('utf-8')}</script>"
    told, console = pages.told(page, tmp_path / "notebooks")
    assert (told["title"], console) == ("bench", [])
    (first, asked, last), target = told["found"], told["target"]
    assert target != case["given"]
    base, other = (kernel.backtrack(row, each, "literal") for each in (case["given"], target))
    assert asked["traced"].startswith(f"{len(other)} cell")
    assert ("exactly the same" in asked["traced"]) == (base == other)
    gone = f"{len(fewest)} cell{'s' * (len(fewest) > 1)}"
    assert told["judged"].endswith(f"The fewest found: {gone}.")
    marks = {case["true"]: " (true)", case["given"]: " (taken for)"}
    names = [name + marks.get(label, "") for label, name in enumerate(HOSTILE)]
    wrong, right = ("All cells on", "Still wrong."), (f"{gone} off", "Right!")
    for said, cells, (words, verdict) in ((first, [], wrong), (last, fewest, right)):
        chances = kernel.off(row, cells)
        numbers, best = [f"{100 * each:.0f}\xa0%" for each in chances], int(np.argmax(chances))
        assert said["said"] == f"{words}: {HOSTILE[best]}, {numbers[best]}. {verdict}"
        assert said["bars"] == [*chain(*zip(names, numbers, strict=True))]
    off = ".".join(map(str, fewest))
    assert told["hash"] == f"#bench:task=emotion&row={row}&off={off}&from={target}&rule=literal"
