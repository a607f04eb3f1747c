"""A run and what can go wrong around it: a full disk, no permission, two processes at once."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tinyvgg import cli
from tinyvgg.training.experiments import open_study

REPOSITORY = Path(__file__).parents[2]


def command(faces: str) -> list[str]:
    train = ["-m", "tinyvgg", "train", "--profile", "smoke", "--seed", "3", "--device", "cpu"]
    return [sys.executable, *train, "--faces", faces]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "TINYVGG_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}


def weights(home: Path) -> str:
    (path,) = (home / "runs").glob("*/weights.safetensors")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def in_a_mount_of_its_own(script: str, home: Path, faces: str) -> subprocess.CompletedProcess:
    """Run a script where it may mount file systems that nobody else sees."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("this system gives no mounts of one's own")
    return subprocess.run(
        [*unshare, "sh", "-c", script, "sh", str(home), *command(faces)],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_stops_it_with_the_last_checkpoint_kept_and_room_lets_it_go_on(
    faces: str, tmp_path: Path
) -> None:
    """The disk holds two checkpoints, and the third does not fit."""
    subprocess.run(command(faces), env=environment(tmp_path / "wide"), check=True)
    size = sum(path.stat().st_size for path in (tmp_path / "wide" / "runs").glob("*/w*"))
    home = tmp_path / "narrow"
    home.mkdir()
    script = f"""
        home=$1; shift
        mount -t tmpfs -o size={int(2.6 * size)} none "$home" || exit 9
        "$@"; echo "status $?"
        ls -A "$home"/runs/*
        mount -o remount,size=20m "$home"
        "$@"; echo "status $?"
        sha256sum "$home"/runs/*/weights.safetensors
    """
    done = in_a_mount_of_its_own(script, home, faces)
    assert done.returncode == 0, done.stderr
    refused, left = re.search("tinyvgg: (.*)", done.stderr), done.stdout
    assert refused
    assert re.match(
        r"no space is left for the checkpoint in '.*' after epoch \d+: it needs 0\.\d MB, 0\.\d MB"
        r" are free; make room or set TINYVGG_HOME to another disk; the last good one is kept, and"
        " the same command goes on from it",
        refused[1],
    ), refused[1]
    assert f"status {cli.BAD_INPUT}" in left
    assert "status 0" in left
    assert "checkpoint.safetensors" in left
    assert not re.search(r"^\.checkpoint", left, re.MULTILINE), "nothing half-written is left"
    assert weights(tmp_path / "wide") in left


def test_a_folder_that_cannot_be_written_is_one_line(faces: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = """
        home=$1; shift
        mount -t tmpfs -o size=1m none "$home" && mount -o remount,ro "$home" || exit 9
        exec "$@"
    """
    done = in_a_mount_of_its_own(script, home, faces)
    assert done.returncode == cli.BAD_INPUT
    said = done.stderr.splitlines()[-1]
    assert f"tinyvgg: '{home}" in said
    assert "Read-only file system" in said
    assert "TINYVGG_HOME" in said


def test_a_second_process_says_that_it_waits_and_loads_what_the_first_trained(
    faces: str, home: Path, tmp_path: Path
) -> None:
    run = open_study("smoke", faces, 3, progress=False).run("class").folder
    manifest = (run / "manifest.json").rename(tmp_path / "manifest.json")
    trained = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    first = FileLock(run / ".lock")
    first.acquire()
    with subprocess.Popen(
        command(faces), env=environment(home), stderr=subprocess.PIPE, text=True
    ) as second:
        assert second.stderr is not None
        said = next(line for line in second.stderr if run.name in line)
        assert "another process trains" in said
        assert second.poll() is None
        manifest.rename(run / "manifest.json")
        first.release()
    assert second.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in trained} == trained


def test_two_processes_at_once_train_it_once(faces: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    both = [
        subprocess.Popen(command(faces), env=environment(home), stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(list((home / "runs").iterdir())) == 1
