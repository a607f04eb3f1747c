"""Images that are decoded while the network trains."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tinyvgg.errors import UserError
from tinyvgg.faces.images import ImageFiles
from tinyvgg.faces.index import Faces
from tinyvgg.faces.loading import load_faces
from tinyvgg.training import batches as streaming
from tinyvgg.training.batches import Scaling, Streamed, open_source, resident
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run

GROUPS = [np.array([3, 11, 0]), np.array([7]), np.array([5, 5, 19, 2]), np.array([1, 13])]
SCRIPT = """
import os, sys, time
import numpy as np
from tinyvgg.faces import load_faces
from tinyvgg.training import Scaling, open_source

print("begun", flush=True)
faces = load_faces(sys.argv[1], 16, progress=False, stream=True)
try:
    with open_source(faces, "class", "cpu", Scaling()) as source:
        while True:
            for _ in source.batches([np.arange(5)] * 4):
                print("batch", flush=True)
                time.sleep(0.1)
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path, draw_photographs: Callable[..., Path]) -> Path:
    return draw_photographs(tmp_path / "faces", height=40)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def load(folder: Path, stream: bool = True) -> Faces:
    return load_faces(f"folder:{folder}", 16, progress=False, stream=stream)


def streamed(faces: Faces, workers: int) -> Streamed:
    assert isinstance(faces.images, ImageFiles)
    labels = torch.from_numpy(faces.index.labels("class"))
    return Streamed(faces.images, labels, Scaling(), workers)


def check_same(source: Streamed, held: Faces, groups: list[np.ndarray]) -> None:
    expected = list(resident(held, "class", "cpu").batches(groups))
    given = list(source.batches(groups))
    assert len(given) == len(expected)
    for (images, labels), (same, alike) in zip(given, expected, strict=True):
        assert torch.equal(images, same)
        assert torch.equal(labels, alike)


def started() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid}


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_memory_by_workers_that_stay_until_it_is_closed(
    folder: Path, workers: int
) -> None:
    before = started()
    source, held = streamed(load(folder), workers), load(folder, stream=False)
    check_same(source, held, GROUPS)
    at_first = started() - before
    assert len(at_first) == workers
    check_same(source, held, GROUPS[::-1] * 9)
    next(source.batches([np.arange(20)] * 30))
    check_same(source, held, GROUPS[1:])
    assert list(source.batches([])) == []
    assert started() - before == at_first
    source.close()
    assert started() == before


def test_another_call_ends_the_one_before_it(folder: Path) -> None:
    source = streamed(load(folder), 0)
    first = source.batches(GROUPS)
    next(first)
    next(source.batches(GROUPS[1:]))
    with pytest.raises(RuntimeError, match="other groups were asked for"):
        next(first)


def test_an_unreadable_image_is_one_line_and_the_workers_go_on(folder: Path, home: Path) -> None:
    faces = load(folder)
    for kept in home.rglob("*.pixels"):
        kept.unlink()
    (folder / "calm" / "5.png").unlink()
    with open_source(faces, "class", "cpu", Scaling()) as source:
        with pytest.raises(UserError, match=r"^image '.*5.png' cannot be read .* remove it$") as e:
            list(source.batches(GROUPS))
        assert "\n" not in str(e.value)
        assert [len(labels) for _, labels in source.batches(GROUPS[:2])] == [3, 1]


def test_a_worker_that_the_system_ends_is_one_line(folder: Path) -> None:
    def killed() -> Iterator[None]:
        with open_source(load(folder), "class", "cpu", Scaling()) as source:
            before = started()
            for _ in source.batches([np.arange(20)] * 200):
                for pid in started() & before:
                    os.kill(pid, signal.SIGKILL)
                before = started()
                yield

    with pytest.raises(UserError, match=r"^one of the processes that decode .* from here$") as e:
        list(killed())
    assert "\n" not in str(e.value)


def test_global_generators_are_left_alone(folder: Path) -> None:
    before = torch.random.get_rng_state()
    list(streamed(load(folder), 0).batches(GROUPS))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("settings", [{}, {"scaling": "standardised"}])
def test_training_from_disk_ends_with_the_bits_of_training_from_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str]
) -> None:
    def trained(stream: bool) -> Run:
        monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / f"home-{stream}"))
        given = {"epochs": 3, **settings}
        study = open_study("smoke", f"folder:{folder}", 3, False, given, stream=stream)
        assert isinstance(study.faces.images, ImageFiles) == stream
        return study.run("class")

    before = started()
    disk, held = trained(True), trained(False)
    assert started() == before
    assert disk.folder.name == held.folder.name
    for name in ("weights.safetensors", "history.csv", "gradients.csv", "config.json"):
        first, second = (home / "runs" / disk.folder.name / name for home in _homes(tmp_path))
        assert first.read_bytes() == second.read_bytes()
    assert torch.equal(disk.logits, held.logits)


def _homes(tmp_path: Path) -> list[Path]:
    return [tmp_path / f"home-{stream}" for stream in (True, False)]


@pytest.mark.parametrize(
    ("cores", "trainings", "expected"), [(1, 1, 1), (2, 1, 1), (4, 1, 3), (64, 1, 8), (16, 4, 3)]
)
def test_one_processor_is_left_for_the_training(
    monkeypatch: pytest.MonkeyPatch, cores: int, trainings: int, expected: int
) -> None:
    monkeypatch.setattr(streaming, "cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(trainings))
    assert streaming.usual_workers() == expected


def test_processes_that_may_start_none_decode_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "current_process", lambda: SimpleNamespace(daemon=True))
    assert streaming.usual_workers() == 0


@pytest.fixture
def child(tmp_path: Path, folder: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a script without a main guard that streams until it is ended."""
    script, begun = tmp_path / "script.py", []
    script.write_text(SCRIPT)

    def start() -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                [sys.executable, str(script), f"folder:{folder}"],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    """Process ids of the workers of a process."""
    try:
        begun = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = [Path(f"/proc/{number}/cmdline").read_bytes() for number in begun]
    except OSError:
        return []
    return [int(n) for n, line in zip(begun, lines, strict=True) if b"spawn_main" in line]


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


needs_proc = pytest.mark.skipif(
    not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(),
    reason="finds child processes in /proc",
)


@needs_proc
@pytest.mark.parametrize("moment", ["starting", "decoding"])
def test_ctrl_c_is_heard_by_the_main_process_alone(
    child: Callable[[], subprocess.Popen[str]], moment: str
) -> None:
    process = child()
    assert process.stdout
    lines = [process.stdout.readline()]
    wait_for(lambda: children(process.pid))
    if moment == "decoding":
        lines.append(process.stdout.readline())
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert error == "interrupted\n"
    assert process.returncode == 0
    assert [*lines, *out.splitlines(True)].count("begun\n") == 1


@needs_proc
@pytest.mark.parametrize("moment", ["starting", "decoding"])
def test_workers_end_with_a_process_that_was_killed(
    child: Callable[[], subprocess.Popen[str]], moment: str
) -> None:
    process = child()
    assert process.stdout
    process.stdout.readline()
    wait_for(lambda: children(process.pid))
    if moment == "decoding":
        process.stdout.readline()
    workers = children(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
