"""What the folders below runs are found to be."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from tinyvgg.training import runs as registry
from tinyvgg.training import runs as run_folder
from tinyvgg.training import runs
from tinyvgg.errors import UserError
from tinyvgg.training.settings import PROFILES
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Entry
from tinyvgg.training.runs import describe
from tinyvgg.training.runs import described_profile
from tinyvgg.training.runs import entries
from tinyvgg.training.runs import find
from tinyvgg.training.watching import Watcher


def only() -> Entry:
    (entry,) = entries()
    return entry


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in [folder, *folder.rglob("*")]
    }


def test_a_complete_run_is_described_by_its_files(shelf: Any) -> None:
    folder = shelf.copy(age=7200)
    entry = only()
    history = pd.read_csv(folder / "history.csv")
    assert (entry.state, entry.fault) == (registry.COMPLETE, "")
    assert (entry.task, entry.source, entry.seed) == ("class", "folder", 3)
    assert entry.profile == "smoke, epochs=3, initialisation=he"
    assert (entry.epochs, entry.planned, entry.tested) == (3, 3, 10)
    assert entry.accuracy == pytest.approx(1 - history["test_error"].iloc[-1])
    assert entry.errors == round(10 * history["test_error"].iloc[-1])
    assert time.time() - entry.changed == pytest.approx(7200, abs=60)
    assert entry.size == sum(path.stat().st_size for path in folder.iterdir())


def test_an_interrupted_run_tells_how_far_it_came(shelf: Any) -> None:
    folder = shelf.interrupted("class-folder-32px-seed3-0", epochs=2)
    entry = only()
    assert (entry.state, entry.fault) == (registry.INTERRUPTED, "")
    assert (entry.epochs, entry.planned) == (2, 3)
    error = pd.read_csv(folder / "history.csv")["test_error"].iloc[-1]
    assert entry.accuracy == pytest.approx(1 - error)
    assert entry.errors == round(10 * error)


def test_what_is_trained_is_written_before_the_first_step(
    shelf: Any, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study("smoke", f"folder:{faces}", 3, False, {"optimiser": "adam"})
    found = []

    class Look(Watcher):
        def begin(self, plan: object) -> None:
            found.append(only())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run("class", device="cpu", watchers=[Look()])
    (entry,) = found
    assert entry.state == registry.TRAINING
    assert entry.profile == "smoke, optimiser=adam"
    assert entry.configuration["images"] == {"train": 10, "test": 10, "validation": 0}
    assert (entry.epochs, entry.accuracy) == (0, None)
    assert only().state == registry.INTERRUPTED


def test_the_configuration_is_among_the_hashes(shelf: Any) -> None:
    folder = shelf.copy()
    shelf.edit(folder, "config.json", seed=4)
    with pytest.raises(UserError, match="has a damaged config.json"):
        run_folder.read_manifest(folder)


def test_a_held_lock_means_training_and_looking_changes_nothing(shelf: Any) -> None:
    folder = shelf.interrupted("class-folder-32px-seed3-0")
    bare = shelf.interrupted("class-folder-32px-seed3-1")
    (bare / ".lock").unlink()
    before = stamps(shelf.folder)
    states = {entry.name: entry.state for entry in entries()}
    assert set(states.values()) == {registry.INTERRUPTED}
    with FileLock(folder / ".lock"):
        states = {entry.name: entry.state for entry in entries()}
    assert states == {folder.name: registry.TRAINING, bare.name: registry.INTERRUPTED}
    assert stamps(shelf.folder) == before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("manifest.json", "", "has no readable manifest"),
        ("manifest.json", "[]", "has no readable manifest"),
        ("manifest.json", '{"format": 2, "sha256": {}}', "has no readable manifest"),
        ("manifest.json", '{"format": 1, "sha256": {}}', "is of format 1, this version reads 2"),
        ("weights.safetensors", "short", "has a damaged weights.safetensors, or none"),
        ("weights.safetensors", None, "has a damaged weights.safetensors, or none"),
        ("predictions.npz", "", "has a damaged predictions.npz, or none"),
        ("config.json", "{", "has a damaged config.json, or none"),
    ],
)
def test_a_damaged_folder_is_a_row_that_says_what_is_wrong(
    shelf: Any, name: str, content: str | None, said: str
) -> None:
    shelf.copy("whole")
    folder = shelf.copy("class-folder-32px-seed3-0")
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    found = {entry.name: entry for entry in entries()}
    assert found["whole"].state == registry.COMPLETE
    broken = found[folder.name]
    assert (broken.state, broken.fault) == (registry.DAMAGED, said)
    assert (broken.task, broken.source, broken.seed) == ("class", "folder", 3)


def test_damage_that_keeps_the_size_is_seen_when_files_are_read(shelf: Any) -> None:
    weights = shelf.copy() / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert only().state == registry.COMPLETE
    assert describe(weights.parent, hashes=True).state == registry.DAMAGED


@pytest.mark.parametrize("content", ["[]", '{"task": 3}', '{"task": "class", "recipe": []}'])
def test_a_configuration_that_says_nothing_is_damage(shelf: Any, content: str) -> None:
    folder = shelf.copy()
    (folder / "config.json").write_text(content)
    shelf.rehash(folder, "config.json")
    assert (only().state, only().fault) == (registry.DAMAGED, "has a damaged config.json")
    (folder / "manifest.json").unlink()
    assert (only().state, only().fault) == (registry.INTERRUPTED, "has a damaged config.json")
    assert only().plain["seed"] == 3


@pytest.mark.parametrize("content", ["", "epoch\n1\n", "epoch,test_error\n1,many\n", "\0"])
def test_a_broken_history_tells_nothing(shelf: Any, content: str) -> None:
    folder = shelf.interrupted("class-folder-32px-seed3-0")
    (folder / "history.csv").write_text(content)
    assert (only().epochs, only().accuracy) == (0, None)


def test_losses_that_are_no_numbers_are_left_open(shelf: Any) -> None:
    folder = shelf.interrupted("class-folder-32px-seed3-0")
    (folder / "history.csv").write_text("epoch,test_loss,test_error\n1,,0.5\n2,0.3,0.4\n")
    assert (only().epochs, only().accuracy) == (2, 0.6)


def test_a_folder_of_something_else_is_no_run(shelf: Any) -> None:
    (shelf.folder / "notes").mkdir(parents=True)
    (shelf.folder / "notes" / "todo.txt").write_text("x")
    (shelf.folder / "file.txt").write_text("x")
    assert (only().state, only().fault) == (registry.FOREIGN, "has no file of a run")


def test_no_folder_means_no_runs(shelf: Any) -> None:
    assert entries() == []


def test_the_newest_comes_first(shelf: Any) -> None:
    shelf.copy("older", age=500)
    shelf.interrupted("middle", age=300)
    shelf.copy("newest", age=100)
    assert [entry.name for entry in entries()] == ["newest", "middle", "older"]


def test_any_part_of_a_name_that_no_other_has_finds_a_run(shelf: Any) -> None:
    for name in ("class-seed1-abc", "class-seed2-abd", "class-seed1"):
        shelf.copy(name)
    assert find("abc").name == "class-seed1-abc"
    assert find("class-seed1").name == "class-seed1"
    with pytest.raises(UserError, match=r"'ab' could be class-seed\S+ or class-seed\S+; give"):
        find("ab")
    with pytest.raises(UserError, match=r"'xyz' is not one of .*class-seed2-abd") as told:
        find("xyz")
    assert "\n" not in str(told.value)
    shutil.rmtree(shelf.folder)
    with pytest.raises(UserError, match=r"'abc' is not there: .*runs' has none"):
        find("abc")


def test_many_candidates_are_counted_beyond_the_first(shelf: Any) -> None:
    for number in range(10):
        (shelf.folder / f"run-{number}").mkdir(parents=True)
    with pytest.raises(UserError, match=r"could be (run-\d, ){7}run-\d or 2 more; give"):
        find("run")


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("task", ["subject", "emotion", "class"])
def test_every_profile_is_recognised_with_what_differs(name: str, task: str) -> None:
    profile = PROFILES[name]
    recipe = profile.recipe(task, 70)
    made = runs.Experiment(
        task, "synthetic", "0", ("a", "b"), profile.size, profile.maps, profile.dense, recipe, 0
    )
    given = {**made.configuration, "images": {"train": 60, "validation": 10, "test": 5}}
    given["dense"] = list(given["dense"])
    assert described_profile(given) == name
    other = {**given, "recipe": {**given["recipe"], "rate": 0.3}, "maps": 7}
    assert described_profile(other) == f"{name}, maps=7, rate=0.3"
    near = {**given, "size": profile.size + 1}
    assert described_profile(near) == f"{name}, size={profile.size + 1}"
    assert described_profile({**near, "maps": 7, "dense": [9]}) == "custom"


def test_the_list_is_there_before_anything_large_is_imported(shelf: Any) -> None:
    shelf.copy()
    code = (
        "import sys\nfrom tinyvgg import cli\nassert cli.main(['runs']) == 0\n"
        "print(*{'torch', 'pandas', 'numpy', 'scipy'}.intersection(sys.modules))"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == ""
    assert shelf.trained.name in done.stdout
