"""The tool that trains networks and keeps what they get wrong."""

import importlib
import json
from pathlib import Path

import pytest

from synthfaces import FaceError, fingerprint
from tests.helpers.made_up import made_up_faces, made_up_run
from tinyvgg.training.experiments import Study

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("measure_difficulty")


@pytest.fixture
def trained(monkeypatch):
    """Takes the place of the training: keeps task, size and seed, and errs in one place a seed."""
    asked = []

    def load(self):
        faces = made_up_faces(3, size=8)
        made_by = fingerprint(self.profile.size, 0)
        return type(faces)(self.source, faces.index, faces.images, made_by)

    def run(self, task, *, device=None, watchers=()):
        asked.append((task, self.profile.size, self.seed))
        made = made_up_run(self.faces, task, dict.fromkeys((1, 30, 60, 90), 0))
        experiment = self.experiment(task)
        return type(made)(**{**vars(made), "experiment": experiment})

    monkeypatch.setattr(Study, "faces", property(load))
    monkeypatch.setattr(Study, "varied", lambda self, seed, settings: _with_seed(self, seed))
    monkeypatch.setattr(Study, "run", run)
    return asked


def _with_seed(study, seed):
    return Study(study.profile, study.source, seed, study.progress)


def test_errors_are_counted_by_class_and_by_angle(tool):
    faces = made_up_faces(3)
    run = made_up_run(faces, "emotion", {0: 3, 5: 3})
    found = tool.measure(run, "quick")
    assert found["errors"] == len(run.errors)
    names = [run.classes[label] for label in run.labels]
    taken = [run.classes[label] for label in run.predicted]
    for true in set(names):
        for other in set(taken):
            times = sum(pair == (true, other) for pair in zip(names, taken, strict=True))
            assert found["confusion"][true].get(other, 0) == times
    angles = faces.index.table["angle"].to_numpy()[run.split.test]
    assert found["by_angle"]["45"]["images"] == (angles == 45).sum()
    assert found["by_angle"]["45"]["errors"] == (angles[run.errors] == 45).sum()


def test_every_task_seed_and_size_is_trained_once_and_written(tool, trained, tmp_path, capsys):
    path = tmp_path / "report.json"
    tool.main.main(["--seeds", "0,3", "--sizes", "64,96", "-o", str(path)], standalone_mode=False)
    expected = [
        (task, size, seed)
        for size in (64, 96)
        for seed in (0, 3)
        for task in ("subject", "emotion")
    ]
    assert trained == expected
    runs = json.loads(path.read_text())["runs"]
    assert [(run["task"], run["size"], run["seed"]) for run in runs] == sorted(
        expected, key=lambda key: (key[0] != "subject", *key[1:])
    )
    assert "emotion" in capsys.readouterr().out


def test_only_a_report_trains_nothing(tool, trained, tmp_path, capsys):
    path = tmp_path / "report.json"
    tool.main.main(["--seeds", "0", "--only-report", "-o", str(path)], standalone_mode=False)
    assert not trained
    assert "nothing is trained yet" in capsys.readouterr().out


def test_other_networks_stay_unless_their_images_are_of_an_earlier_version(tool, trained, tmp_path):
    path = tmp_path / "report.json"
    for seed in "012":
        if seed == "2":
            report = json.loads(path.read_text())
            report["runs"][0]["fingerprint"] = "0123"
            path.write_text(json.dumps(report))
        tool.main.main(["--seeds", seed, "-o", str(path)], standalone_mode=False)
    found = [run["seed"] for run in json.loads(path.read_text())["runs"]]
    assert found == [1, 2, 0, 1, 2]
    assert tool.merged("synthetic:noise=0.02", path, ())["runs"] == []


def test_faces_that_the_renderer_does_not_know_are_refused_before_any_work(tool, tmp_path):
    given = ["--faces", "synthetic:colour=1", "-o", str(tmp_path / "report.json")]
    with pytest.raises(FaceError, match="'colour' is not one of intensity"):
        tool.main.main(given, standalone_mode=False)
    assert not list(tmp_path.iterdir())
