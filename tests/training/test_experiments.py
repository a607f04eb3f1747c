"""The only door to a trained network."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from synthfaces import USUAL, Difficulty, design
from tests.helpers.children import begin, stamp, wait_for
from tinyvgg import cli
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.training import experiments
from tinyvgg.training.checkpoints import NAME
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import CHOICES, PROFILES, Recipe


def trained(faces: str, epochs: int = 2, **settings: Any) -> Run:
    return open_study("smoke", faces, 3, False, {"epochs": epochs, **settings}).run("class")


def test_predictions_are_those_of_the_stored_network_on_scaled_pixels(faces: str) -> None:
    run = trained(faces, scaling="standardised")
    seen = run.tensor(run.split.train).double()
    torch.testing.assert_close(seen.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(run.logits, run.model(run.tensor(run.split.test)))
    wrong = run.predicted != run.labels
    assert run.accuracy == pytest.approx(1 - wrong.mean())
    np.testing.assert_array_equal(run.errors, np.flatnonzero(wrong))
    assert run.history["test_error"].iloc[-1] == pytest.approx(wrong.mean())


def test_trained_once_and_loaded_ever_after(faces: str) -> None:
    first = trained(faces)
    files = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    second = trained(faces)
    assert {path.name: path.stat().st_mtime_ns for path in second.folder.iterdir()} == files
    assert torch.equal(first.logits, second.logits)
    tables = {"history.csv", "gradients.csv", "timings.csv"}
    others = {"config.json", "weights.safetensors", "predictions.npz", "manifest.json"}
    assert set(files) == tables | others | {".lock"}


def test_a_run_records_the_knobs_of_its_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(source: str, size: int, *_: object, **__: object) -> Faces:
        table = design(2)
        images = np.random.default_rng(0).integers(0, 256, (len(table), size, size, 3), np.uint8)
        return Faces(source, FaceIndex(table), images, "made up")

    monkeypatch.setattr(experiments, "load_faces", made_up)
    folders = []
    for source, knobs in (
        ("synthetic:noise=0.0211", Difficulty(noise=0.0211)),
        ("synthetic", USUAL),
    ):
        run = open_study("smoke", source, 0, False, {"epochs": 1}).run("subject")
        assert run.manifest["difficulty"] == knobs.values
        assert json.loads((run.folder / "config.json").read_text())["source"] == source
        folders.append(run.folder)
    assert len(set(folders)) == 2


@pytest.mark.parametrize(
    ("profile", "seed", "settings"),
    [
        *[("smoke", 1, {}), ("quick", 0, {}), ("smoke", 0, {"epochs": 3})],
        *(("smoke", 0, {name: values[name != "ending"]}) for name, values in CHOICES.items()),
    ],
)
def test_profile_seed_and_each_setting_make_another_experiment(
    faces: str, profile: str, seed: int, settings: dict[str, Any]
) -> None:
    usual = open_study("smoke", faces, 0, False).experiment("class")
    other = open_study(profile, faces, seed, False, settings).experiment("class")
    assert other.name != usual.name
    assert other.configuration != usual.configuration


def test_other_pixels_make_another_experiment(faces: str, folder: Path) -> None:
    usual = open_study("smoke", faces, 0, False).experiment("class").name
    Image.new("RGB", (32, 32)).save(folder / "calm" / "0.png")
    assert open_study("smoke", faces, 0, False).experiment("class").name != usual


def test_a_varied_study_has_the_same_faces_and_the_experiments_of_another(faces: str) -> None:
    study = open_study("smoke", faces, 0, False)
    varied = study.varied(2, {"rate": 0.2})
    assert varied.faces is study.faces
    opened = open_study("smoke", faces, 2, False, {"rate": 0.2})
    assert varied.experiment("class") == opened.experiment("class")
    with pytest.raises(UserError, match="setting 'colour'"):
        study.varied(0, {"colour": 1})


def test_an_absent_device_is_named_and_nothing_is_written(faces: str, home: Path) -> None:
    study = open_study("smoke", faces, 3, False)
    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(UserError, match=f"device '{absent}' is not there; this machine has .*cpu"):
        study.run("class", device=absent)
    with pytest.raises(UserError, match="device 'tpu' is not one of cuda, mps, cpu"):
        study.run("class", device="tpu")
    assert not (home / "runs").exists()


def test_killed_at_any_moment_it_ends_with_the_same_weights(faces: str, tmp_path: Path) -> None:
    command = ["train", "--profile", "smoke", "--faces", faces, "--seed", "3"]
    command += ["--device", "cpu", "--set", "epochs=20"]
    folder = trained(faces, epochs=20).folder
    weights = (folder / "weights.safetensors").read_bytes()
    for kept in folder.iterdir():
        kept.unlink()
    for _ in range(3):
        before = stamp(folder / NAME)
        child = begin(tmp_path / "log", cli.main, command)
        wait_for(lambda: stamp(folder / NAME) != before, child)  # noqa: B023
        child.kill()
        assert child.end() == -signal.SIGKILL
    assert begin(tmp_path / "log", cli.main, command).end() == 0
    assert (folder / "weights.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no readable manifest; remove the folder"),
        ("[]", "has no readable manifest; remove the folder"),
        ('{"format": 4, "sha256": []}', "has no readable manifest"),
        (
            '{"format": 0, "sha256": {}, "bytes": {}, "accuracy": 1}',
            "is of format 0, this version reads 4",
        ),
    ],
)
def test_a_manifest_that_says_nothing_is_named(faces: str, content: str, said: str) -> None:
    study = open_study("smoke", faces, 3, False)
    folder = study.experiment("class").folder
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(content)
    with pytest.raises(UserError, match=said):
        study.run("class")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("huge", "synthetic", 0), "profile 'huge' is not one of smoke, quick, paper"),
        (("quick", "rafd", 0), "'rafd'"),
        (("quick", "synthetic", -1), "seed -1 is not a whole number from 0 on"),
        (("quick", "synthetic", True), "seed True is not a whole number from 0 on"),
    ],
)
def test_unknown_parameters_are_named(arguments: tuple[str, str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_study(*arguments)


def test_one_profile_is_the_papers_and_gives_small_folders_enough_steps() -> None:
    paper = PROFILES["paper"]
    assert paper.recipe(2400) == Recipe(epochs=100, batch=12, rate=0.01, precision="auto")
    assert (paper.size, paper.maps, paper.dense) == (224, 32, (1024, 512, 256))
    assert PROFILES["quick"].recipe(2400) == Recipe(epochs=100, ending="fitted")
    assert [PROFILES["quick"].recipe(images).batch for images in (400, 150, 10)] == [12, 5, 1]
    assert {profile.recipe(102).epochs for profile in (paper, PROFILES["quick"])} == {100}
