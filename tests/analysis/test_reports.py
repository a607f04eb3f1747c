"""``tinyvgg report``: the whole page, from what is typed to what lies on disk."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.helpers import pages, small_runs
from tests.helpers.studies import complete, faultless, study_of
from tinyvgg import cli
from tinyvgg.analysis import saving
from tinyvgg.analysis.analyse import Analysis, analyse
from tinyvgg.documents.content import Document
from tinyvgg.errors import UserError
from tinyvgg.training.experiments import open_study

Capture = pytest.CaptureFixture[str]
SETTINGS = ["--set", "initialisation=he", "--set", "epochs=6"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, draw_photographs: Callable[..., Path]) -> Path:
    folder = draw_photographs(tmp_path_factory.mktemp("photographs") / "my <faces>")
    (folder / "calm" / "<text>.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """With a report of a folder of photographs."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYVGG_HOME", str(home))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        assert (
            cli.main(["report", "--faces", f"folder:{faces}", "--profile", "smoke", *SETTINGS]) == 0
        )
        torch.set_num_threads(threads)
    return home


@pytest.fixture
def page(home: Path) -> Path:
    (page,) = (home / "build" / "reports").glob("*.html")
    return page


def test_the_report_of_a_folder_is_complete_by_itself(page: Path) -> None:
    html = page.read_text("utf-8")
    pages.read(html)
    assert page.name == "folder-my__faces_-smoke-seed0.html"
    assert "Report: folder my &lt;faces&gt;" in html
    for title in ("The set", "Training", "Errors", "Backtracking", "Tracked features", "Repairs"):
        assert f">{title}</h2>" in html


def test_images_that_were_left_out_are_listed_with_the_reason(page: Path) -> None:
    (left_out,) = json.loads(page.with_suffix(".json").read_text("utf-8"))["set"]["left_out"]
    assert left_out["path"] == "calm/<text>.png"
    html = page.read_text("utf-8")
    assert f'">calm/&lt;text&gt;.png</th><td class="words">{left_out["reason"]}</td>' in html


def test_the_terms_of_a_source_are_told(page: Path) -> None:
    assert "The photographs are the user&#x27;s own." in page.read_text("utf-8")


def test_its_numbers_are_those_of_the_run(
    page: Path, home: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(home))
    found = json.loads(page.with_suffix(".json").read_text("utf-8"))
    settings = {"initialisation": "he", "epochs": 6}
    run = open_study("smoke", f"folder:{faces}", 0, False, settings).run("class")
    assert set(found["tasks"]) == {"class"}
    told = found["tasks"]["class"]
    assert told["run"] == run.folder.name
    assert told["training"]["accuracy"] == run.accuracy
    assert told["errors"]["errors"] == len(run.errors)
    assert found["set"]["images"] == 20
    assert found["fingerprint"] == run.faces.fingerprint


def test_conclusions_stand_on_the_page(page: Path, tmp_path: Path) -> None:
    found = json.loads(page.with_suffix(".json").read_text("utf-8"))
    dom = pages.shown(page.read_text("utf-8"), tmp_path)
    plain = dom.replace("<strong>", "").replace("</strong>", "").replace("&lt;", "<")
    assert len(found["tasks"]["class"]["conclusions"]) >= 3
    for words in (*found["tasks"]["class"]["conclusions"], *found["cautions"]):
        assert words in plain


def test_the_same_command_writes_the_same_again(
    page: Path, home: Path, faces: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(home))
    before = [path.read_bytes() for path in (page, page.with_suffix(".json"))]
    given = ["report", "--faces", f"folder:{faces}", "--profile", "smoke", *SETTINGS]
    assert cli.main([*given, "--task", "class"]) == 0
    assert [path.read_bytes() for path in (page, page.with_suffix(".json"))] == before
    assert str(page) in capsys.readouterr().out
    assert len(list((home / "runs").iterdir())) == 1


def test_each_task_has_its_part() -> None:
    runs = [complete(small_runs.run(task)) for task in ("subject", "emotion")]
    found = analyse(study_of(*runs))
    (concluded, _, *tasks) = found.document.sections
    assert [section.title for section in tasks] == ["Identity", "Emotion"]
    assert [len(section.sections) for section in tasks] == [5, 5]
    assert [section.title for section in concluded.sections] == [
        "Identity",
        "Emotion",
        "In general",
    ]
    assert set(found.numbers["tasks"]) == {"subject", "emotion"}
    alone = analyse(study_of(*runs), ["emotion"])
    assert set(alone.numbers["tasks"]) == {"emotion"}
    with pytest.raises(UserError, match="task 'class' is not one of subject, emotion"):
        analyse(study_of(*runs), ["class"])


def test_a_network_without_errors_has_a_report(tmp_path: Path) -> None:
    found = analyse(study_of(faultless(complete(small_runs.run("class")))))
    saving.save(found, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    pages.read(html)
    assert "makes no error on its 54 test images" in html


@pytest.fixture
def analysis() -> Analysis:
    return Analysis(Document("Title", [], []), {"kind": "tinyvgg report", "n": 1})


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_other_files_are_left_alone(analysis: Analysis, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match="something else than a report"):
        saving.save(analysis, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "{}"


def test_places_that_cannot_be_are_refused(analysis: Analysis, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not end in .html"):
        saving.save(analysis, tmp_path / "report.pdf")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        saving.save(analysis, tmp_path / "folder.html")


def test_a_number_that_is_none_writes_nothing(analysis: Analysis, tmp_path: Path) -> None:
    saving.save(analysis, tmp_path / "report.html")
    before = (tmp_path / "report.json").read_text()
    analysis.numbers["n"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        saving.save(analysis, tmp_path / "report.html")
    assert (tmp_path / "report.json").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faces", "folder:nowhere"], "does not exist"),
        (["--task", "class"], "task 'class' is not one of subject, emotion"),
        (["--set", "speed=3"], "setting 'speed' is not one of"),
        (["--profile", "fast"], "profile 'fast' is not one of"),
        (["-o", "report.pdf"], "'report.pdf' does not end in .html"),
        (["-o", "notes.html"], "something else than a report"),
    ],
)
def test_bad_input_is_one_line_before_any_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    (tmp_path / "notes.html").write_text("kept")
    assert cli.main(["report", *arguments]) == cli.BAD_INPUT
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.html"]
