"""``tinyvgg report``: one page and its numbers, and names that stay text on it."""

import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.helpers import pages
from tinyvgg import cli
from tinyvgg.book.report import check_place
from tinyvgg.errors import UserError
from tinyvgg.training.experiments import open_study

SETTINGS = {"initialisation": "he", "epochs": 6}
CLASSES = ("<script>alert(1)</script>", "$x^{", "顔 & *stars*")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of classes with hostile names, and a file that is no image."""
    folder = tmp_path_factory.mktemp("photographs") / "my <faces>"
    for label, name in enumerate(CLASSES):
        (folder / name.replace("/", "⁄")).mkdir(parents=True)
        for number in range(8):
            image = Image.effect_noise((40, 40), 60 + 20 * label).convert("RGB")
            image.save(folder / name.replace("/", "⁄") / f"{number}.png")
    (folder / CLASSES[1] / "<text>.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """A home with a report of the photographs."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(home))
        patch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        settings = ["--set", "epochs=6"]
        given = ["report", "--faces", f"folder:{faces}::crop=centre", "--profile", "smoke"]
        assert cli.main([*given, *settings]) == 0
        torch.set_num_threads(threads)
    return home


@pytest.fixture(scope="module")
def page(home: Path) -> Path:
    (page,) = (home / "build" / "reports").glob("*.html")
    return page


@pytest.fixture(scope="module")
def numbers(page: Path) -> dict:
    return json.loads(page.with_suffix(".json").read_text("utf-8"))


def test_the_page_is_complete_by_itself_and_needs_no_script(page: Path) -> None:
    html = page.read_text("utf-8")
    pages.read(html)
    assert page.name == "folder-my__faces_-smoke-seed0.html"
    assert "<script" not in html
    assert html.count("<figcaption>") >= 5
    for title in ("The set", "Training", "Errors", "Backtracking", "Tracked features", "Repairs"):
        assert re.search(f"<h2[^>]*>{title}", html)
    assert html.index("What may be concluded") < html.index("The set<")


def test_names_of_classes_folders_and_files_stay_text(page: Path) -> None:
    html = page.read_text("utf-8")
    assert "<title>Report: folder:my &lt;faces&gt;</title>" in html
    assert "&lt;script&gt;alert(1)" in html
    assert "&lt;text&gt;.png" in html
    assert "<stars>" not in html
    for name in ("$x^{", "顔 &amp; *stars*"):
        assert f"<th>{name}</th>" in html


def test_the_terms_of_the_photographs_stand_on_the_page(page: Path) -> None:
    assert "The photographs are the user's own." in page.read_text("utf-8")


def test_its_numbers_are_those_of_the_run(
    numbers: dict, home: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(home))
    run = open_study("smoke", f"folder:{faces}::crop=centre", 0, False, SETTINGS).run("class")
    assert set(numbers["tasks"]) == {"class"}
    found = numbers["tasks"]["class"]
    assert found["run"] == run.folder.name
    assert found["training"]["accuracy"] == run.accuracy
    assert found["errors"]["errors"] == len(run.errors) == len(found["errors"]["images"])
    assert numbers["set"]["images"] == 24
    assert numbers["fingerprint"] == run.faces.fingerprint
    (left_out,) = numbers["set"]["left_out"]
    assert left_out["path"].endswith("<text>.png")


def test_conclusions_stand_on_the_page(page: Path, numbers: dict) -> None:
    html = page.read_text("utf-8")
    conclusions = numbers["tasks"]["class"]["conclusions"]
    assert len(conclusions) >= 3
    for words in (*conclusions, *numbers["cautions"]):
        escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in html


def test_places_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"report\.pdf.* \.html"):
        check_place(tmp_path / "report.pdf")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match="folder"):
        check_place(tmp_path / "folder.html")
    for name in ("notes.html", "other.json"):
        (tmp_path / name).write_text("{}")
        with pytest.raises(UserError, match="something else than a report"):
            check_place((tmp_path / name).with_suffix(".html"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--faces", "folder:nowhere"], "does not exist"),
        (["--task", "class"], "'class' is not one of subject, emotion"),
        (["--set", "speed=3"], "'speed'"),
        (["-o", "report.pdf"], "report.pdf"),
        (["-o", "notes.html"], "notes.html"),
    ],
)
def test_bad_input_is_one_line_before_any_work(tmp_path, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    (tmp_path / "notes.html").write_text("kept")
    assert cli.main(["report", *arguments]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.html"]
