"""Single images explained: what is said and written is what the library finds in them."""

import json
import os
import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

import tinyvgg
from tests.helpers import pages
from tinyvgg import cli, explain, files
from tinyvgg.backtracking import Contribution, Cutoff
from tinyvgg.errors import UserError
from tinyvgg.explain import Explanation, explain_images, over_image, save
from tinyvgg.faces.cropping import read_face
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import WEIGHTS, load_trained, sha256


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


def trace_of(network, path):
    pixels = torch.from_numpy(read_face(path, network.size, {"how": "centre"}))
    return tinyvgg.record(network.model, network.scaling(pixels[None]))


@pytest.mark.parametrize("target", [None, "calm", "glad"])
def test_explanations_are_what_the_library_finds(network, images, target):
    rule, start = Contribution(), None if target is None else network.classes.index(target)
    found = explain_images(network, images, rule, target, "glad").explanations
    assert [one.path for one in found] == images
    for one in found:
        trace = trace_of(network, one.path)
        pixels = tinyvgg.backtrack(trace, start, rule).pixels
        assert torch.equal(one.found.pixels, pixels)
        assert torch.equal(one.logits, trace.logits)
        assert not any(isinstance(value, tinyvgg.Trace) for value in vars(one).values())
        without = tinyvgg.rescore(trace, pixels)[0].softmax(0)
        assert torch.equal(one.without(one.found.pixels), without)
        assert one.runner_up == 1 - one.predicted
        other = one.predicted if start == one.runner_up else one.runner_up
        assert torch.equal(one.of_other, tinyvgg.backtrack(trace, other, rule).pixels)
        assert 0 <= one.changed_by_chance <= explain.DRAWS
        smallest = tinyvgg.repair(trace, 1)
        assert torch.equal(one.repair.pixels, smallest.pixels)
        assert bool(one.repair.repaired) == bool(smallest.repaired)


def test_all_active_cells_at_random_are_all_active_cells(explained):
    one = explained.explanations[0]
    every = replace(one, found=replace(one.found, pixels=one.maps > 0))
    answer = int(one.without(one.maps > 0).argmax())
    assert every.changed_by_chance == (explain.DRAWS if answer != one.predicted else 0)
    none = replace(one, found=replace(one.found, pixels=one.maps < 0))
    assert none.changed_by_chance == 0


def test_what_is_written_is_complete_by_itself_and_says_what_was_found(
    explained, network, tmp_path
):
    page = tmp_path / "new" / "page.html"
    found = json.loads(save(explained, page).read_text("utf-8"))
    assert found["run"] == network.name
    assert found["weights_sha256"] == sha256(network.folder / WEIGHTS)
    assert (found["rule"], found["tinyvgg"]) == (repr(Cutoff()), tinyvgg.__version__)
    assert found["classes"] == ["calm", "glad"]
    html = page.read_text("utf-8")
    pages.read(html)
    assert html.count("<h2 id=") == len(found["images"])
    assert "&lt;b&gt;Zoë &amp; 顔.png" in html
    assert "<b>" not in html
    assert all(f'scope="{of}"' in html for of in ("col", "row"))
    for said, one in zip(found["images"], explained.explanations, strict=True):
        trace = trace_of(network, one.path)
        pixels = tinyvgg.backtrack(trace, rule=Cutoff()).pixels
        rebuilt = torch.zeros(found["maps"], dtype=torch.bool).flatten()
        rebuilt[said["pixels"]["indices"]] = True
        assert torch.equal(rebuilt.reshape(found["maps"]), pixels[0])
        assert sum(said["pixels"]["by_map"]) == said["pixels"]["count"] == int(pixels.sum())
        np.testing.assert_allclose(said["probabilities"], trace.probabilities[0], rtol=1e-6)
        without = tinyvgg.rescore(trace, pixels).softmax(1)[0]
        np.testing.assert_allclose(said["without_pixels"]["probabilities"], without, rtol=1e-6)
        assert said["predicted"] == network.classes[int(trace.predicted)]
        same = torch.equal(pixels, tinyvgg.backtrack(trace, one.runner_up, Cutoff()).pixels)
        assert said["same_from_other"] == same
        assert html.count("keeps exactly the same cells") >= (same and pixels.any())
        assert said["sha256"] == sha256(one.path)
        assert f"<strong>{said['predicted']}</strong>, with probability" in html
        assert f"{float(trace.probabilities.max()):.3f}" in html
    assert sorted(path.name for path in page.parent.iterdir()) == ["page.html", "page.json"]


@pytest.mark.parametrize(("accuracy", "guesses"), [(0.5, True), (0.7, True), (0.8, False)])
def test_a_network_that_may_be_guessing_is_said_to(explained, tmp_path, accuracy, guesses):
    manifest = {**explained.run.manifest, "accuracy": accuracy, "test_images": 20}
    run = explained.run.having(manifest=manifest)
    save(replace(explained, run=run), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    assert f"{100 * accuracy:.1f} % of 20 test images" in html
    assert ("may as well be guessing" in html) == guesses


def test_pictures_show_what_the_network_sees_and_orange_lies_where_the_pixels_are(
    explained, network
):
    one = explained.explanations[1]
    seen = np.asarray(Image.open(BytesIO(explain.draw(one)["input"])))
    np.testing.assert_array_equal(seen, read_face(one.path, network.size, {"how": "centre"}))
    image = np.full((16, 16, 3), 100, dtype=np.uint8)
    pixels = torch.zeros(3, 4, 4, dtype=torch.bool)
    pixels[:2, 1, 2] = pixels[1, 3, 0] = True
    change = np.abs(over_image(image, pixels).astype(int) - image).sum(2)
    assert (change[4:8, 8:12] == change[4, 8]).all()
    assert change[4, 8] > change[12, 0] > 0
    change[4:8, 8:12] = change[12:16, 0:4] = 0
    assert not change.any()


def test_the_page_says_whether_the_answer_stays_and_what_repairs_it(explained, monkeypatch):
    one = explained.explanations[0]
    given, other = one.predicted, 1 - one.predicted
    classes = explained.run.classes
    unknown = replace(one, true_class=None, repair=None)

    def said(after, **changes):
        monkeypatch.setattr(Explanation, "without", lambda *_: torch.eye(2)[after])
        shown = replace(explained, explanations=(replace(one, **changes), unknown))
        return " ".join(explain.page(shown).split())

    right = said(given, true_class=given)
    assert f"the answer stays <strong>{classes[given]}</strong>" in right
    assert "There is nothing to repair." in right
    unfound = replace(one.repair, repaired=torch.tensor([False]))
    wrong = said(other, true_class=other, repair=unfound)
    assert f"the answer becomes <strong>{classes[other]}</strong>" in wrong
    assert "No set of cells was found" in wrong


def test_an_image_unlike_the_training_images_is_warned_of(network, images, tmp_path):
    Image.new("RGB", (40, 40), "navy").save(tmp_path / "blue.png")
    asked = [images[0], tmp_path / "blue.png"]
    looks = network.looks
    limit = np.mean([looks.distances(read_face(path, network.size, {"how": "centre"})[None],
                                     np.zeros(1, int)) for path in asked])  # fmt: skip
    between = network.having(looks=looks._replace(limit=limit), manifest=network.manifest)
    both = explain_images(between, asked)
    assert [one.strange for one in both.explanations] == [False, True]
    save(both, tmp_path / "new.html")
    html = (tmp_path / "new.html").read_text("utf-8")
    assert html.count("This image looks unlike those that the network learned from") == 1
    assert "99 % of its test images" in " ".join(html.split())
    ships = network.having(folder=tmp_path, model=network.model, manifest=network.manifest)
    assert explain_images(ships, images[:1]).explanations[0].strange is None


def test_an_earlier_page_is_replaced_and_nothing_else_is(network, explained, images, tmp_path):
    page = tmp_path / "page.html"
    save(explained, page)
    facts = json.loads(save(explain_images(network, images[:1]), page).read_text("utf-8"))
    assert len(facts["images"]) == 1
    (tmp_path / "mine.html").write_text("kept")
    with pytest.raises(UserError, match="is something else than a tinyvgg explanation"):
        save(explained, tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "kept"
    with pytest.raises(UserError, match="does not end in .html"):
        save(explained, tmp_path / "folder")


def test_a_failure_leaves_the_earlier_page_in_place(network, images, tmp_path, monkeypatch):
    page, one = tmp_path / "page.html", explain_images(network, images[:1])
    save(one, page)
    before = page.read_bytes()

    def refuse(*_):
        raise OSError(28, "the disk is full")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(UserError, match=r"page.html' cannot be written \(the disk is full\)"):
        save(one, page)
    assert page.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "page.json"]


# --- tinyvgg explain


def test_images_are_explained_on_a_page_named_after_the_run(images, home, network, capsys):
    given = ["explain", *map(str, images), "--run", "folder", "--rule", "literal"]
    assert cli.main([*given, "--target", "calm", "--true", "glad"]) == 0
    usual = home / "build" / "explained" / f"{network.name}.html"
    *answers, facts, page = capsys.readouterr().out.splitlines()
    found = json.loads(usual.with_suffix(".json").read_text("utf-8"))
    for line, one in zip(answers, found["images"], strict=True):
        chance = max(one["probabilities"])
        assert line == f"{one['path']}: {one['predicted']}, probability {chance:.3f}"
        assert (one["target"], one["true"]) == ("calm", "glad")
    assert found["rule"] == "Literal()"
    assert (facts, page) == (f"The numbers: {usual.with_suffix('.json')}", f"The page: {usual}")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_an_image_is_passed_over_where_it_or_its_name_cannot_be_read(
    images, home, tmp_path, capsys
):
    bad, strange = tmp_path / "bad.jpg", tmp_path / os.fsdecode(b"strange\xff.png")
    bad.write_text("text")
    strange.write_bytes(images[0].read_bytes())
    missed = [str(path) for path in (bad, strange, tmp_path / "no.png", tmp_path)]
    given = [*missed[:2], str(images[0]), *missed[2:], "--run", "folder", "-o"]
    assert cli.main(["explain", *given, str(tmp_path / "out.html")]) == cli.SOME_UNREADABLE
    said = capsys.readouterr()
    assert said.err.count("passed over: image") == 4
    assert "not UTF-8" in said.err
    assert str(images[0]) in said.out
    assert "no.png" in (tmp_path / "out.html").read_text("utf-8")
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    missed[1] = missed[1].replace("\udcff", "\\udcff")
    assert [one["path"] for one in found["unreadable"]] == missed
    assert [one["path"] for one in found["images"]] == [str(images[0])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("one.png --run nothing", "no complete run is called 'nothing' (complete: class-folder"),
        ("one.png --run folder --rule fuzzy", "'fuzzy' is not one of 'literal', 'cutoff'"),
        ("one.png --run folder --target sad", "class 'sad' is not one of calm, glad"),
        ("one.png --run folder --true sad", "class 'sad' is not one of calm, glad"),
        (
            "one.png --run folder -o there.html",
            "'there.html' or 'there.json' beside it is something",
        ),
        ("one.png --run folder --model a:b", "name a network, either by --run or by --model"),
        ("one.png --model a:b", "model 'a:b' cannot be found"),
        ("one.png --run folder --weights w.pt", "--weights goes with --model"),
        ("no.png --run folder", "none of 1 images can be explained: image 'no.png'"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    images, home, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.html").write_text("kept")
    (tmp_path / "one.png").write_bytes(images[0].read_bytes())
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["explain", *arguments.split()]) == cli.BAD_INPUT
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert sorted(tmp_path.rglob("*")) == before
