"""Single images explained: what is said and written is what the library finds in them."""

import json
import os
import sys
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
from tinyvgg import cli, files
from tinyvgg.backtracking import NAMED
from tinyvgg.errors import UserError
from tinyvgg.explain import (
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
from tinyvgg.training import runs
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import load_trained


@pytest.fixture(scope="module")
def home(tmp_path_factory, draw_photographs):
    """A TINYVGG_HOME with one complete run, of classes calm and glad."""
    home = tmp_path_factory.mktemp("home")
    faces = draw_photographs(tmp_path_factory.mktemp("photographs") / "faces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(home))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        settings = {"epochs": 4, "initialisation": "he", "scaling": "standardised"}
        open_study("smoke", f"folder:{faces}", 3, False, settings).run("class", device="cpu")
        torch.set_num_threads(threads)
        yield home


@pytest.fixture(scope="module")
def network(home):
    return load_trained("class-folder")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three images of other sizes than the network's, the last with a name to be careful with."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(5)
    paths = [folder / name for name in ("one.png", "two.png", "<b>Zoë & 顔.png")]
    for number, path in enumerate(paths):
        pixels = generator.integers(0, 200, (40 + number, 48, 3), dtype=np.uint8)
        pixels[..., 0] += 15 * number
        Image.fromarray(pixels).save(path)
    return paths


@pytest.fixture(scope="module")
def explained(network, images):
    return explain_images(network, images, true_class="glad")


@pytest.fixture(scope="module")
def saved(explained, tmp_path_factory):
    """The page, and what is beside it as JSON."""
    page = save(explained, tmp_path_factory.mktemp("explained") / "new" / "folder")
    return page, json.loads((page.parent / "explanation.json").read_text("utf-8"))


def trace_of(network, path):
    pixels = torch.from_numpy(read_image(path, network.size))
    return tinyvgg.record(network.model, network.scaling(pixels[None]))


@pytest.mark.parametrize("rule", NAMED)
def test_explanations_are_what_the_library_finds(network, images, rule):
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


def test_backtracking_starts_from_the_class_that_is_asked_for(network, images):
    trace, rule, found = trace_of(network, images[0]), rules.Contribution(), []
    for label, name in enumerate(network.classes):
        (one,) = explain_images(network, images[:1], rule, target=name).explanations
        assert one.target == label
        assert torch.equal(one.found.pixels, tinyvgg.backtrack(trace, label, rule).pixels)
        found.append(one.found.pixels)
    assert not torch.equal(*found)


def test_scripts_read_the_same_as_json(saved, explained, network):
    page, found = saved
    assert found["run"] == network.name
    assert found["weights_sha256"] == runs.sha256(network.folder / runs.WEIGHTS)
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
        assert said["sha256"] == runs.sha256(one.path)
        for file in said["pictures"].values():
            assert file in found["files"]
    there = {p.relative_to(page.parent).as_posix() for p in page.parent.rglob("*.*")}
    assert there == {"explanation.json", *found["files"]}


def test_the_page_is_complete_by_itself(saved, explained):
    html = saved[0].read_text("utf-8")
    pages.read(html)
    assert html.count("<h2 id=") == len(explained.explanations)
    assert "&lt;b&gt;Zoë &amp; 顔.png" in html
    assert "<b>" not in html
    assert all(f'scope="{of}"' in html for of in ("col", "row"))


def test_the_page_shows_in_a_browser_what_was_computed(saved, explained, network, tmp_path):
    dom = " ".join(pages.shown(saved[0].read_text("utf-8"), tmp_path).split())
    for one in explained.explanations:
        answer, chance = network.classes[one.predicted], float(one.probabilities.max())
        assert f"The answer is <strong>{answer}</strong>, with probability {chance:.3f}." in dom


def test_pictures_show_what_the_network_sees_and_orange_lies_where_the_pixels_are(
    explained, network
):
    one = explained.explanations[1]
    seen = np.asarray(Image.open(BytesIO(draw(one)["input"])))
    np.testing.assert_array_equal(seen, read_image(one.path, network.size))
    image = np.full((16, 16, 3), 100, dtype=np.uint8)
    pixels = torch.zeros(3, 4, 4, dtype=torch.bool)
    pixels[:2, 1, 2] = pixels[1, 3, 0] = True
    change = np.abs(over_image(image, pixels).astype(int) - image).sum(2)
    assert (change[4:8, 8:12] == change[4, 8]).all()
    assert change[4, 8] > change[12, 0] > 0
    change[4:8, 8:12] = change[12:16, 0:4] = 0
    assert not change.any()
    assert shown_maps(pixels).tolist() == [1, 0]  # the one with most pixels first
    assert not len(shown_maps(torch.zeros_like(pixels)))
    assert (map_sheet(torch.zeros(3, 4, 4), torch.zeros_like(pixels)) == 255).all()


def test_the_page_says_whether_the_answer_stays(explained, tmp_path, monkeypatch):
    one = explained.explanations[0]
    given, other = one.predicted, 1 - one.predicted
    classes, pictures = explained.run.classes, [draw(one)]

    def said(**changes):
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"true_class": "sad"}, "class 'sad' is not one of calm, glad"),
        ({"images": [Path("nowhere.png")]}, "none of 1 images can be explained: image 'nowhere"),
        ({"images": []}, "none of 0 images"),
    ],
)
def test_what_cannot_be_explained_is_refused(network, images, arguments, message):
    with pytest.raises(UserError, match=message):
        explain_images(network, **{"images": images, **arguments})


def test_an_earlier_explanation_is_replaced_unless_something_was_added(
    network, explained, images, tmp_path
):
    folder = tmp_path / "folder"
    save(explained, folder)
    save(explain_images(network, images[:1]), folder)
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (folder / "notes.txt").write_text("kept")
    with pytest.raises(UserError, match="holds something else"):
        save(explained, folder)
    assert (folder / "notes.txt").exists()
    with pytest.raises(UserError, match="is a file"):
        save(explained, folder / "notes.txt")


def test_a_failure_leaves_nothing_behind_and_the_earlier_one_in_place(
    explained, tmp_path, monkeypatch
):
    folder = tmp_path / "folder"
    save(explained, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}

    def fail(*_):
        raise RuntimeError("no page")

    monkeypatch.setattr("tinyvgg.explain.page", fail)
    with pytest.raises(RuntimeError):
        save(explained, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    with pytest.raises(RuntimeError):
        save(explained, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_moved_into_place_comes_back(tmp_path, monkeypatch):
    folder, move = tmp_path / "folder", os.replace
    folder.mkdir()
    (folder / "old").write_text("old")

    def refuse(source, target):
        if str(source).endswith(".new"):
            raise OSError("full")
        move(source, target)

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        files.write_folder_whole(folder, lambda into: (into / "new").write_text("new"))
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


# --- tinyvgg explain


def test_images_are_explained_into_a_folder(images, tmp_path, capsys):
    given = ["explain", *map(str, images), "--run", "folder", "--true", "glad", "-o"]
    assert cli.main([*given, str(tmp_path / "out")]) == 0
    *answers, page = capsys.readouterr().out.splitlines()
    found = json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))
    for line, one in zip(answers, found["images"], strict=True):
        chance = max(one["probabilities"])
        assert line == f"{one['path']}: {one['predicted']}, probability {chance:.3f}"
    assert page == f"The page: {tmp_path / 'out' / 'explanation.html'}"


def test_the_folder_is_named_after_the_run_unless_one_is_given(images, home, network):
    given = ["explain", str(images[0]), "--run", "folder", "--rule", "literal", "--target", "calm"]
    assert cli.main(given) == 0
    folder = home / "build" / "explained" / network.name
    found = json.loads((folder / "explanation.json").read_text("utf-8"))
    assert (found["rule"], found["images"][0]["target"]) == ("Literal()", "calm")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_an_image_is_passed_over_where_it_or_its_name_cannot_be_read(images, tmp_path, capsys):
    bad, strange = tmp_path / "bad.jpg", tmp_path / os.fsdecode(b"strange\xff.png")
    bad.write_text("text")
    strange.write_bytes(images[0].read_bytes())
    missed = [str(path) for path in (bad, strange, tmp_path / "no.png", tmp_path)]
    given = [*missed[:2], str(images[0]), *missed[2:], "--run", "folder", "-o"]
    assert cli.main(["explain", *given, str(tmp_path / "out")]) == cli.SOME_UNREADABLE
    said = capsys.readouterr()
    assert said.err.count("passed over: image") == 4
    assert "has a name that is not UTF-8; rename it" in said.err
    assert str(images[0]) in said.out
    assert "no.png" in (tmp_path / "out" / "explanation.html").read_text("utf-8")
    found = json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))
    missed[1] = missed[1].replace("\udcff", "\\udcff")
    assert [one["path"] for one in found["unreadable"]] == missed
    assert [one["path"] for one in found["images"]] == [str(images[0])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "nothing"], "run 'nothing' is not one of class-folder"),
        (["--run", "folder", "--rule", "fuzzy"], "'fuzzy' is not one of 'literal', 'cutoff'"),
        (["--run", "folder", "--target", "sad"], "class 'sad' is not one of calm, glad"),
        (["--run", "folder", "-o", "there"], "output folder 'there' holds something else"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    images, home, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["explain", str(images[0]), *arguments]) == cli.BAD_INPUT
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert sorted(tmp_path.rglob("*")) == before
