"""``tinyvgg report``: one page and its numbers, and names that stay text on it."""

import json
import re
from html import escape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import pages
from tinyvgg import cli, files
from tinyvgg.training.experiments import open_study

SETTINGS = {"initialisation": "he", "epochs": 30, "scaling": "standardised"}
CLASSES = ("<script>alert(1)</script>", "$x^{", "顔 & *stars*")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of classes with hostile names, and a file that is no image."""
    return drawn(tmp_path_factory.mktemp("photographs") / "my <faces>", 60)


def drawn(folder: Path, brighter: int) -> Path:
    """Draw classes that differ in brightness, and give every eighth image to the next class."""
    draw = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name.replace("/", "⁄")).mkdir(parents=True)
        for number in range(24):
            level = (label + (number % 8 == 7)) % len(CLASSES)
            noise = draw.normal(128 + brighter * (level - 1), 60, (40, 40))
            image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
            image.convert("RGB").save(folder / name.replace("/", "⁄") / f"{number}.png")
    (folder / CLASSES[1] / "<text>.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """A report of the photographs, in a home of its own."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
        torch.set_num_threads(1)
        given = "report --profile smoke --set epochs=30 --set scaling=standardised"
        given = [*given.split(), "--faces", f"folder:{faces}::crop=centre"]
        assert cli.main(given) == 0
        torch.set_num_threads(threads)
        (page,) = (files.build() / "reports").glob("*.html")
    return page


def test_the_page_is_complete_by_itself_and_needs_no_script(page):
    html = page.read_text("utf-8")
    pages.read(html)
    assert page.name == "folder-my__faces_-smoke-seed0.html"
    assert "<script" not in html
    assert html.count("<figcaption>") >= 5
    for title in ("The set", "Training", "Errors", "Backtracking", "Tracked features", "Repairs"):
        assert re.search(f"<h2[^>]*>{title}", html)
    assert html.index("What may be concluded") < html.index("The set<")
    assert "The photographs are the user's own." in html


def test_it_begins_with_how_the_folder_was_read(page):
    first = page.read_text("utf-8").partition("<main>")[2].partition("<p>")[2]
    assert first.startswith("The folder is read as 73 images of 3 classes: $x^{, ")
    assert "Left out: 1 file. One cannot be read (it is no image)." in first


def test_errors_of_a_network_that_has_learned_nothing_are_not_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    page, place = tmp_path / "page.html", drawn(tmp_path / "noise", 0)
    given = ["report", "--profile", "smoke", "--set", "epochs=2", "-o", str(page)]
    assert cli.main([*given, "--faces", f"folder:{place}::crop=centre"]) == 0
    found = json.loads(page.with_suffix(".json").read_text("utf-8"))["tasks"]["class"]
    assert not found["explained"]
    assert (found["repairs"]["pairs"], found["tracked_features"], found["backtracking"]) == (
        0,
        [],
        {},
    )
    assert any("do not show that it has learned anything" in said for said in found["conclusions"])
    html = page.read_text("utf-8")
    assert "Its errors are not explained here" in html
    assert not re.search(r"<h2[^>]*>(Backtracking|Tracked features|Repairs)", html)


def test_names_of_classes_folders_and_files_stay_text(page):
    html = page.read_text("utf-8")
    assert "<title>Report: folder:my &lt;faces&gt;</title>" in html
    assert "&lt;script&gt;alert(1)" in html
    assert "&lt;text&gt;.png" in html
    assert "<stars>" not in html
    for name in ("$x^{", "顔 &amp; *stars*"):
        assert f"<th>{name}</th>" in html


def test_its_numbers_are_those_of_the_run_and_its_conclusions_stand_on_the_page(
    page, faces, monkeypatch
):
    monkeypatch.setenv("TINYVGG_HOME", str(page.parents[2]))
    numbers = json.loads(page.with_suffix(".json").read_text("utf-8"))
    run = open_study("smoke", f"folder:{faces}::crop=centre", 0, False, SETTINGS).run("class")
    assert set(numbers["tasks"]) == {"class"}
    found = numbers["tasks"]["class"]
    assert found["run"] == run.folder.name
    assert found["training"]["accuracy"] == run.accuracy
    assert found["errors"]["errors"] == len(run.errors) == len(found["errors"]["images"])
    assert numbers["set"]["images"] == 72
    assert found["explained"]
    assert numbers["fingerprint"] == run.faces.fingerprint
    (left_out,) = numbers["set"]["left_out"]
    assert left_out["path"].endswith("<text>.png")
    assert len(found["conclusions"]) >= 3
    for words in (*found["conclusions"], *numbers["cautions"]):
        assert escape(words, quote=False) in page.read_text("utf-8")
