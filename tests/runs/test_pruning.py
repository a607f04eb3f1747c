"""Which runs are removed, and that none is left by half."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tinyvgg import pruning
from tinyvgg.training import runs as registry
from tinyvgg.training import runs as run_folder
from tinyvgg.errors import UserError
from tinyvgg.pruning import DAY
from tinyvgg.pruning import Selection
from tinyvgg.pruning import remove
from tinyvgg.pruning import select
from tinyvgg.training.runs import describe
from tinyvgg.training.runs import entries

ROOT = Path(__file__).resolve().parents[2]


def names(selection: Selection) -> list[str]:
    return sorted(entry.name for entry in select(entries(), selection, time.time()))


@pytest.fixture
def full(shelf: Any) -> Any:
    """Runs of every state, age, task and kind."""
    shelf.copy("new", age=DAY)
    shelf.copy("old", age=9 * DAY)
    shelf.copy("oldest", age=12 * DAY)
    shelf.configure(shelf.copy("other", age=10 * DAY), task="emotion")
    shelf.interrupted("cut", age=2 * DAY)
    (shelf.copy("broken") / "manifest.json").write_text("")
    (shelf.folder / "notes").mkdir()
    (shelf.folder / "notes" / "todo.txt").write_text("x")
    return shelf


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(states=(registry.INTERRUPTED,)), ["cut"]),
        (Selection(states=(registry.INTERRUPTED, registry.DAMAGED)), ["broken", "cut"]),
        (Selection(older=9), ["old", "oldest", "other"]),
        (Selection(older=9, task="class"), ["old", "oldest"]),
        (Selection(task="emotion"), ["other"]),
        (Selection(names=("oldest", "cut")), ["cut", "oldest"]),
        (Selection(names=("oldest", "cut"), older=9), ["oldest"]),
        (Selection(keep=1), ["broken", "cut", "old", "oldest"]),
        (Selection(keep=2, task="class"), ["broken", "cut", "oldest"]),
        (Selection(keep=9), []),
        (Selection(keep=0, states=(registry.COMPLETE,)), ["new", "old", "oldest", "other"]),
    ],
)
def test_what_all_conditions_let_through_is_selected(
    full: Any, selection: Selection, found: list[str]
) -> None:
    assert names(selection) == found


def test_another_seed_is_of_the_same_kind_and_another_setting_is_not(shelf: Any) -> None:
    shelf.copy("new")
    shelf.configure(shelf.copy("seed", age=DAY), seed=9)
    shelf.configure(shelf.copy("rate", age=DAY), recipe={"rate": 0.3})
    assert names(Selection(keep=1)) == ["seed"]


def test_a_run_in_training_is_never_selected_and_never_removed(full: Any) -> None:
    (entry,) = select(entries(), Selection(names=("cut",)), time.time())
    with FileLock(full.folder / "cut" / ".lock"):
        assert "cut" not in names(Selection(keep=0))
        with pytest.raises(UserError, match="'cut' is in training; interrupt that first"):
            names(Selection(names=("cut",)))
        assert not remove(entry)
    assert describe(full.folder / "cut").epochs == 2


def test_a_folder_of_something_else_is_never_removed(full: Any) -> None:
    assert "notes" not in names(Selection(keep=0))
    with pytest.raises(UserError, match=r"notes' has no file of a run; remove it yourself"):
        names(Selection(names=("notes",)))


def test_a_removed_run_leaves_nothing(full: Any) -> None:
    before = {entry.name for entry in entries()}
    for entry in select(entries(), Selection(names=("cut", "broken", "oldest")), time.time()):
        assert remove(entry)
    assert {entry.name for entry in entries()} == before - {"cut", "broken", "oldest"}
    assert {path.name for path in full.folder.iterdir()} == before - {"cut", "broken", "oldest"}


def test_a_run_completed_since_it_was_looked_at_stays(full: Any) -> None:
    (entry,) = select(entries(), Selection(names=("cut",)), time.time())
    shutil.rmtree(full.folder / "cut")
    full.copy("cut")
    assert not remove(entry)
    assert describe(full.folder / "cut").state == registry.COMPLETE


def test_a_removal_that_is_killed_leaves_no_run_and_is_completed_later(
    full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (entry,) = select(entries(), Selection(names=("oldest",)), time.time())
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            remove(entry)
    assert "oldest" not in {found.name for found in entries()}
    (left,) = pruning.leftovers()
    assert (left / "manifest.json").exists()
    pruning.sweep()
    assert not left.exists()


def test_a_link_to_a_run_is_removed_and_not_what_it_leads_to(shelf: Any, tmp_path: Path) -> None:
    place = shelf.copy("here").rename(tmp_path / "elsewhere")
    (shelf.folder / "here").symlink_to(place)
    assert remove(entries()[0])
    assert entries() == []
    assert (place / "weights.safetensors").exists()


def test_whoever_waits_for_a_removed_runs_lock_gets_it_in_a_new_folder(shelf: Any) -> None:
    """Both the moment after the folder is gone, and one in which the old lock is open."""
    folder = shelf.interrupted("cut")
    got: list[bool] = []

    def wait() -> None:
        with run_folder.held(folder):
            got.append(folder.is_dir() and not list(folder.glob("*.json")))

    hidden = folder.with_name(".removed-cut")
    with run_folder.held(folder):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        os.replace(folder, hidden)
        time.sleep(0.2)
        (hidden / ".lock").unlink()
    waiting.join(30)
    assert got == [True]
    assert describe(folder).epochs == 0


@pytest.mark.slow
def test_a_process_that_waits_to_train_does_so_after_the_run_is_removed(
    shelf: Any, faces: Path
) -> None:
    folder = shelf.interrupted(shelf.trained.name)
    code = (
        "import sys\nfrom tinyvgg.training.experiments import open_study\n"
        "settings = {'epochs': 3, 'initialisation': 'he'}\n"
        "study = open_study('smoke', sys.argv[1], 3, False, settings)\n"
        "print(study.experiment('class').name, flush=True)\n"
        "study.run('class', device='cpu')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, f"folder:{faces}"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        with run_folder.held(folder):
            assert child.stdout.readline().strip() == folder.name
            assert "waiting for it" in child.stderr.readline()
            hidden = folder.with_name(".removed-this")
            os.replace(folder, hidden)
            (hidden / ".lock").unlink()
        assert child.wait(120) == 0, child.stderr.read()
    assert describe(folder, hashes=True).state == registry.COMPLETE
    weights = "weights.safetensors"
    assert (folder / weights).read_bytes() == (shelf.trained / weights).read_bytes()
