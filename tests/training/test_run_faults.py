"""A run and what can go wrong around it: a full disk, no permission, two processes at once."""

import re
from pathlib import Path

import pytest
from filelock import FileLock

from tests.helpers.children import NO_MOUNTS, Child, begin, on_a_disk, wait_for
from tinyvgg import cli
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run

EPOCHS = 10


def command(faces: str) -> list[str]:
    given = ["train", "--profile", "smoke", "--seed", "3", "--device", "cpu"]
    return [*given, "--faces", faces, "--set", f"epochs={EPOCHS}"]


def trained(faces: str) -> Run:
    return open_study("smoke", faces, 3, False, {"epochs": EPOCHS}).run("class", device="cpu")


def trained_on_a_disk(disk: Path, faces: str, *options: str) -> Child:
    disk.mkdir()
    steps = [(each, command(faces)) for each in options]
    child = begin(disk.with_name("log"), on_a_disk, disk, *steps, TINYVGG_HOME=str(disk))
    if child.end() == NO_MOUNTS:
        pytest.skip("this system gives no mounts of one's own")
    assert child.exitcode == 0, child.said
    return child


def test_a_full_disk_stops_it_and_room_lets_it_go_on(faces: str, tmp_path: Path) -> None:
    """The disk holds one checkpoint, and the second does not fit beside it."""
    weights = trained(faces).folder / "weights.safetensors"
    room = int(1.6 * weights.stat().st_size)
    done = trained_on_a_disk(tmp_path / "disk", faces, f"size={room}", "size=20m")
    assert re.findall(r"^status (\d+)", done.out, re.MULTILINE) == [str(cli.BAD_INPUT), "0"]
    (refused,) = re.findall(
        r"tinyvgg: checkpoint in '.*', 0\.\d MB, cannot be written.*", done.said
    )
    assert "TINYVGG_HOME" in refused
    left = {path.name for path in (tmp_path / "disk-0" / "runs").glob("*/*")}
    assert "checkpoint.safetensors" in left
    assert not [name for name in left if name.startswith(".checkpoint")]
    (ended,) = (tmp_path / "disk-1" / "runs").glob("*/weights.safetensors")
    assert ended.read_bytes() == weights.read_bytes()


def test_a_folder_that_cannot_be_written_is_one_line(faces: str, tmp_path: Path) -> None:
    done = trained_on_a_disk(tmp_path / "disk", faces, "ro")
    assert done.out == f"status {cli.BAD_INPUT}\n"
    said = done.said.splitlines()[-1]
    assert f"tinyvgg: '{tmp_path / 'disk'}" in said
    assert "Read-only file system" in said
    assert "TINYVGG_HOME" in said


def test_a_second_process_waits_and_loads_what_the_first_trained(
    faces: str, tmp_path: Path
) -> None:
    run = trained(faces).folder
    manifest = (run / "manifest.json").rename(tmp_path / "manifest.json")
    files = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    with FileLock(run / ".lock"):
        second = begin(tmp_path / "second", cli.main, command(faces))
        wait_for(lambda: f"another process trains '{run.name}'" in second.said, second)
        manifest.rename(run / "manifest.json")
    assert second.end() == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_two_processes_at_once_train_it_once(faces: str, home: Path, tmp_path: Path) -> None:
    both = [begin(tmp_path / name, cli.main, command(faces)) for name in ("one", "other")]
    assert [process.end() for process in both] == [0, 0]
    assert both[0].out == both[1].out
    assert len(list((home / "runs").iterdir())) == 1
