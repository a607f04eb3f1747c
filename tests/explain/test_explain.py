"""Single images explained: what is said and written is what the library finds in them."""

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tinyvgg
from tests.helpers import pages
from tinyvgg import backtracking as rules
from tinyvgg import files as paths
from tinyvgg.backtracking import NAMED
from tinyvgg.errors import UserError
from tinyvgg.explain import (
    Explained,
    Explanation,
    draw,
    explain_images,
    map_sheet,
    over_image,
    page,
    save,
    shown_maps,
)
from tinyvgg.faces.images import read_image
from tinyvgg.training import runs as registry
from tinyvgg.training import runs as run_folder
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Experiment, Run, load_trained


@pytest.fixture
def explained(network: Run, images: list[Path]) -> Explained:
    return explain_images(network, images, true_class="glad")


def trace_of(network: Run, path: Path) -> tinyvgg.Trace:
    pixels = torch.from_numpy(read_image(path, network.size))
    return tinyvgg.record(network.model, network.scaling(pixels[None]))


def test_a_network_is_the_one_of_its_run(network: Run, faces: Path) -> None:
    (name,) = registry.listed()["name"]
    assert (network.name, network.experiment.name) == (name, name)
    settings = {"epochs": 4, "initialisation": "he", "scaling": "standardised"}
    run = open_study("smoke", f"folder:{faces}", 3, False, settings).run("class")
    for name, weights in run.model.state_dict().items():
        assert torch.equal(network.model.state_dict()[name], weights)
    assert network.scaling == run.scaling
    assert not network.model.training


@pytest.mark.parametrize("rule", NAMED)
def test_explanations_are_what_the_library_finds(
    network: Run, images: list[Path], rule: str
) -> None:
    found = explain_images(network, images, NAMED[rule], true_class="glad").explanations
    assert [one.path for one in found] == images
    for one in found:
        trace = trace_of(network, one.path)
        pixels = tinyvgg.backtrack(trace, rule=NAMED[rule]).pixels
        assert torch.equal(one.found.pixels, pixels)
        assert torch.equal(one.trace.logits, trace.logits)
        without = tinyvgg.rescore(trace, pixels)[0].softmax(0)
        assert torch.equal(one.without(one.found.pixels), without)
        smallest = tinyvgg.repair(trace, 1)
        assert torch.equal(one.repair.pixels, smallest.pixels)
        assert bool(one.repair.repaired) == bool(smallest.repaired)


def test_backtracking_starts_from_the_class_that_is_asked_for(
    network: Run, images: list[Path]
) -> None:
    by_class = {
        label: explain_images(network, images[:1], rules.Contribution(), target=name)
        for label, name in enumerate(network.classes)
    }
    trace = trace_of(network, images[0])
    for label, found in by_class.items():
        (one,) = found.explanations
        assert one.target == label
        expected = tinyvgg.backtrack(trace, label, rules.Contribution()).pixels
        assert torch.equal(one.found.pixels, expected)
    assert not torch.equal(*(found.explanations[0].found.pixels for found in by_class.values()))


def test_scripts_read_the_same_as_json(
    explained: Explained, network: Run, tmp_path: Path
) -> None:
    page = save(explained, tmp_path / "new" / "folder")
    found = json.loads((page.parent / "explanation.json").read_text("utf-8"))
    assert found["run"] == network.name
    assert found["weights_sha256"] == run_folder.sha256(network.folder / run_folder.WEIGHTS)
    assert (found["rule"], found["tinyvgg"]) == (repr(rules.Cutoff()), tinyvgg.__version__)
    assert found["classes"] == ["calm", "glad"]
    for said, one in zip(found["images"], explained.explanations, strict=True):
        trace = trace_of(network, one.path)
        pixels = tinyvgg.backtrack(trace, rule=rules.Cutoff()).pixels
        rebuilt = torch.zeros(found["maps"], dtype=torch.bool).flatten()
        rebuilt[said["pixels"]["indices"]] = True
        assert torch.equal(rebuilt.reshape(found["maps"]), pixels[0])
        assert sum(said["pixels"]["by_map"]) == said["pixels"]["count"] == int(pixels.sum())
        np.testing.assert_allclose(said["probabilities"], trace.probabilities[0], rtol=1e-6)
        without = tinyvgg.rescore(trace, pixels).softmax(1)[0]
        np.testing.assert_allclose(said["without_pixels"]["probabilities"], without, rtol=1e-6)
        assert said["predicted"] == network.classes[int(trace.predicted)]
        assert said["sha256"] == run_folder.sha256(one.path)
        for file in said["pictures"].values():
            assert file in found["files"]
    there = {p.relative_to(page.parent).as_posix() for p in page.parent.rglob("*.*")}
    assert there == {"explanation.json", *found["files"]}


def test_the_page_is_complete_by_itself(explained: Explained, tmp_path: Path) -> None:
    html = save(explained, tmp_path / "folder").read_text("utf-8")
    pages.read(html)
    assert html.count("<h2 id=") == len(explained.explanations)
    assert "&lt;b&gt;Zoë &amp; 顔.png" in html
    assert "<b>" not in html
    assert 'scope="col"' in html
    assert 'scope="row"' in html


def test_the_page_shows_in_a_browser_what_was_computed(
    explained: Explained, network: Run, tmp_path: Path
) -> None:
    html = save(explained, tmp_path / "folder").read_text("utf-8")
    dom = " ".join(pages.shown(html, tmp_path).split())
    for one in explained.explanations:
        answer, chance = network.classes[one.predicted], float(one.probabilities.max())
        assert f"The answer is <strong>{answer}</strong>, with probability {chance:.3f}." in dom


def test_the_picture_of_the_input_is_what_the_network_sees(
    explained: Explained, network: Run
) -> None:
    one = explained.explanations[1]
    seen = np.asarray(Image.open(BytesIO(draw(one)["input"])))
    np.testing.assert_array_equal(seen, read_image(one.path, network.size))


def test_orange_lies_where_the_pixels_are() -> None:
    image = np.full((16, 16, 3), 100, dtype=np.uint8)
    pixels = torch.zeros(3, 4, 4, dtype=torch.bool)
    pixels[:2, 1, 2] = pixels[0, 3, 0] = True
    change = np.abs(over_image(image, pixels).astype(int) - image).sum(2)
    assert (change[4:8, 8:12] == change[4, 8]).all()
    assert change[4, 8] > change[12, 0] > 0
    change[4:8, 8:12] = change[12:16, 0:4] = 0
    assert not change.any()


def test_maps_are_shown_by_the_number_of_their_pixels() -> None:
    pixels = torch.zeros(4, 2, 2, dtype=torch.bool)
    pixels[3] = pixels[1, 0] = True
    assert shown_maps(pixels).tolist() == [3, 1]
    sheet = map_sheet(torch.ones(4, 2, 2), pixels)
    assert sheet.shape[1] > sheet.shape[0]
    assert not len(shown_maps(torch.zeros_like(pixels)))
    assert (map_sheet(torch.zeros(4, 2, 2), torch.zeros_like(pixels)) == 255).all()


def test_the_page_says_whether_the_answer_stays(
    explained: Explained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = explained.explanations[0]
    given, other = one.predicted, 1 - one.predicted
    classes, pictures = explained.run.classes, [draw(one)]

    def said(**changes: object) -> str:
        shown = replace(explained, explanations=(replace(one, **changes),), unreadable=())
        return " ".join(page(shown, pictures).split())

    for after, verb in ((given, "stays"), (other, "becomes")):
        certain = torch.eye(2)[after]
        monkeypatch.setattr(Explanation, "without", lambda *_, certain=certain: certain)
        assert f"the answer {verb} <strong>{classes[after]}</strong>" in said()
    assert "That is right." in said(true_class=given)
    assert "There is nothing to repair." in said(true_class=given)
    unfound = replace(one.repair, repaired=torch.tensor([False]))
    assert "No set of pixels was found" in said(true_class=other, repair=unfound)


def test_an_unreadable_image_stops_no_other(
    network: Run, images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_text("text")
    given = [tmp_path / "bad.jpg", *images[:1], tmp_path / "nowhere.png", tmp_path]
    found = explain_images(network, given)
    assert [one.path for one in found.explanations] == images[:1]
    assert [one.path for one in found.unreadable] == [given[0], *given[2:]]
    html = save(found, tmp_path / "folder").read_text("utf-8")
    assert "nowhere.png" in html
    said = json.loads((tmp_path / "folder" / "explanation.json").read_text())
    assert [one["path"] for one in said["unreadable"]] == [str(given[0]), *map(str, given[2:])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "sad"}, "class 'sad' is not one of calm, glad"),
        ({"true_class": "sad"}, "class 'sad' is not one of calm, glad"),
        ({"images": [Path("nowhere.png")]}, "none of 1 images can be explained: image 'nowhere"),
        ({"images": []}, "none of 0 images"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    network: Run, images: list[Path], arguments: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        explain_images(network, **{"images": images, **arguments})


def test_a_folder_with_something_else_is_left_alone(explained: Explained, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(UserError, match="holds something else"):
        save(explained, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match="is a file"):
        save(explained, tmp_path / "file")


def test_an_earlier_explanation_is_replaced_unless_something_was_added(
    network: Run, explained: Explained, images: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    save(explained, folder)
    save(explain_images(network, images[:1]), folder)
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (folder / "notes.txt").write_text("kept")
    with pytest.raises(UserError, match="holds something else"):
        save(explained, folder)


def test_a_failure_leaves_nothing_behind_and_the_earlier_one_in_place(
    explained: Explained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    save(explained, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}

    def fail(*_: object) -> None:
        raise RuntimeError("no page")

    monkeypatch.setattr("tinyvgg.explain.page", fail)
    with pytest.raises(RuntimeError):
        save(explained, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    with pytest.raises(RuntimeError):
        save(explained, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_moved_into_place_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("old")
    replace_really = paths.os.replace

    def refuse(source: Path, target: Path) -> None:
        if str(source).endswith(".new"):
            raise OSError("full")
        replace_really(source, target)

    monkeypatch.setattr(paths.os, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        paths.write_folder_whole(folder, lambda into: (into / "new").write_text("new"))
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


def test_only_complete_runs_are_asked(home: Path, tmp_path: Path, monkeypatch) -> None:
    (trained,) = (home / "runs").iterdir()
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    copy = tmp_path / "runs" / "copy"
    shutil.copytree(trained, copy)
    assert load_trained("cop").name == "copy"
    (copy / run_folder.WEIGHTS).write_bytes(b"0")
    with pytest.raises(UserError, match="damaged"):
        load_trained("copy")
    (copy / run_folder.MANIFEST).unlink()
    with pytest.raises(UserError, match="run 'copy' is interrupted"):
        load_trained("copy")
    with pytest.raises(UserError, match="is not one of copy"):
        load_trained("other")


def test_a_configuration_without_its_settings_is_refused(network: Run) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Experiment.of({"task": "class"})
    with pytest.raises(UserError, match="cannot be read"):
        Experiment.of({**network.experiment.configuration, "recipe": {"unheard": 1}})


@pytest.mark.parametrize(
    "source", ["synthetic", "synthetic:noise=0.02", "folder:here", "folder:here::crop=faces"]
)
def test_an_experiment_keeps_its_name_without_the_place_of_its_images(
    network: Run, source: str
) -> None:
    given = replace(network.experiment, source=source)
    kept = json.loads(json.dumps(given.configuration))
    assert Experiment.of(kept).name == given.name
