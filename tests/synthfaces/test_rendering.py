"""Images of a whole set: rendered, kept, and made again where they are lost."""

import multiprocessing
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthfaces import FaceError, camera, lighting, mesh, rendering, specification
from synthfaces.parameters import EMOTIONS, Difficulty
from synthfaces.people import design
from synthfaces.photograph import Renderer
from synthfaces.rendering import fingerprint, render
from synthfaces.subjects import pose

SIZE = 32
STILL = camera.Nuisance(shift=(0.0, 0.0), scale=1.0, roll=0.0, exposure=0.0, grain=0)
FEW = design(3, (90,), ["happy", "sad"], ["left"])
ANGRY = design(2, (90,), ["angry"], ["left"])
WHOLE = Difficulty(crop="head")


def made(table: pd.DataFrame, folder: Path, seed: int = 0, **more: Any) -> np.ndarray:
    return render(table, SIZE, folder, seed, workers=1, progress=False, **more)


@pytest.fixture(scope="module")
def angry(tmp_path_factory) -> np.ndarray:
    """Two angry subjects, seen from the front."""
    return made(ANGRY, tmp_path_factory.mktemp("angry"))


@pytest.fixture
def renderer() -> Renderer:
    return rendering.renderer(SIZE, 0)


@pytest.fixture
def taken(monkeypatch) -> list[tuple[int, str]]:
    """Subject and emotion of each shot that is taken; no two images are the same."""
    found: list[tuple[int, str]] = []

    class Noise:
        def sitter(self, number):
            return number

        def shot(self, number, emotion, gaze, angles):
            found.append((number, emotion))
            draw = np.random.default_rng([number, *emotion.encode()])
            return draw.integers(0, 256, (len(angles), SIZE, SIZE, 3), np.uint8)

    monkeypatch.setattr(rendering, "renderer", lambda *_: Noise())
    return found


def kept_in(folder: Path) -> list[Path]:
    return sorted((folder / fingerprint(SIZE, 0)).iterdir())


def test_the_same_seed_gives_the_same_bytes_and_another_another_face(angry, tmp_path):
    again, other = (made(ANGRY[:1], tmp_path, seed) for seed in (0, 1))
    assert np.array_equal(again, angry[:1])
    assert np.abs(other.astype(int) - again).mean() > 5


def test_an_image_does_not_depend_on_the_other_angles(renderer):
    sitter, angles = renderer.sitter(1), [0, 45, 90, 135, 180]
    together = renderer.shot(sitter, "happy", "left", angles)
    assert together.shape == (5, SIZE, SIZE, 3)
    for angle, image in zip(angles, together, strict=True):
        assert np.array_equal(renderer.shot(sitter, "happy", "left", [angle])[0], image)


def test_images_come_in_the_order_of_the_table(tmp_path, taken):
    images = made(FEW, tmp_path)
    order = np.random.default_rng(0).permutation(len(FEW))
    taken.clear()
    assert np.array_equal(made(FEW.iloc[order], tmp_path), images[order])
    assert not taken


def test_what_is_lost_or_damaged_is_rendered_again_and_nothing_else(tmp_path, taken):
    images = made(FEW, tmp_path)
    assert len(taken) == 6
    whole, cut, altered = kept_in(tmp_path)
    cut.write_bytes(cut.read_bytes()[:-500])
    damaged = bytearray(altered.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    altered.write_bytes(bytes(damaged))
    taken.clear()
    assert np.array_equal(made(FEW, tmp_path), images)
    assert taken == [(2, "happy"), (2, "sad"), (3, "happy"), (3, "sad")]
    whole.unlink()
    taken.clear()
    assert np.array_equal(made(FEW, tmp_path), images)
    assert taken == [(1, "happy"), (1, "sad")]


def test_an_interrupted_render_leaves_whole_files_only_and_goes_on(tmp_path, taken, monkeypatch):
    noise = rendering.renderer()

    class Interrupted:
        sitter = noise.sitter

        def shot(self, *given):
            if len(taken) == 3:
                raise KeyboardInterrupt
            return noise.shot(*given)

    with monkeypatch.context() as patch:
        patch.setattr(rendering, "renderer", lambda *_: Interrupted())
        with pytest.raises(KeyboardInterrupt):
            made(FEW, tmp_path)
    (kept,) = kept_in(tmp_path)
    with np.load(kept) as saved:
        assert saved["images"].shape == (2, SIZE, SIZE, 3)
    assert len(made(FEW, tmp_path)) == 6
    assert len(kept_in(tmp_path)) == 3


@pytest.mark.slow
def test_processes_of_an_unguarded_script_make_the_same_bytes(angry, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from synthfaces import design, render\n"
        "folder = Path(sys.argv[1])\n"
        "table = design(2, (90,), ['angry'], ['left'])\n"
        f"images = render(table, {SIZE}, folder, workers=2, progress=False)\n"
        "np.save(folder / 'images.npy', images)\n"
    )
    path = {"PYTHONPATH": str(Path(rendering.__file__).parents[1])}
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, env=path)
    assert np.array_equal(np.load(tmp_path / "images.npy"), angry)


def test_every_emotion_changes_the_face_and_leaves_the_background_alone(monkeypatch):
    monkeypatch.setattr(specification, "draw_nuisance", lambda *_: STILL)
    renderer = rendering.renderer(SIZE, 0, WHOLE)
    sitter = renderer.sitter(1)
    neutral = renderer.shot(sitter, "neutral", "frontal", [90])[0].astype(int)
    for emotion in set(EMOTIONS) - {"neutral"}:
        image = renderer.shot(sitter, emotion, "frontal", [90])[0]
        change = np.abs(image - neutral).mean(axis=-1)
        assert change[10:29, 9:23].mean() > 2, emotion
        assert change[:8, [0, 1, 2, -3, -2, -1]].max() == 0, emotion


def emotions_told_from_corners(table: pd.DataFrame, images: np.ndarray) -> float:
    """Accuracy of a ridge classifier that is tested on subjects it has not seen.

    It knows brightness and noise, per channel, of the corners above the shoulders.
    """
    corners = images[:, :6, [0, 1, -2, -1]].astype(float)
    features = np.concatenate([corners.mean(axis=(1, 2)), corners.std(axis=(1, 2))], axis=1)
    labels = np.array([EMOTIONS.index(emotion) for emotion in table["emotion"]])
    subjects = table["subject"].to_numpy()
    right = 0
    for held_out in np.unique(subjects):
        train, test = subjects != held_out, subjects == held_out
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0) + 1e-9
        x = np.pad((features - mean) / deviation, ((0, 0), (0, 1)), constant_values=1)
        penalty = 0.1 * np.eye(x.shape[1])
        targets = np.eye(len(EMOTIONS))[labels[train]]
        weights = np.linalg.solve(x[train].T @ x[train] + penalty, x[train].T @ targets)
        right += int(((x[test] @ weights).argmax(axis=1) == labels[test]).sum())
    return right / len(table)


def test_the_background_does_not_tell_the_emotion_and_a_leak_would_be_found(tmp_path):
    table = design(4, angles=(90,), gazes=["left"])
    images = made(table, tmp_path, difficulty=WHOLE)
    assert images[:, :6, [0, 1, -2, -1]].min() > 235, "the corners are background"
    chance = 1 / len(EMOTIONS)
    bound = chance + 4 * np.sqrt(chance * (1 - chance) / len(table))
    assert emotions_told_from_corners(table, images) < bound
    tints = [np.random.default_rng(n).normal(0, 3, 3) for n in range(len(EMOTIONS))]
    leak = np.array([tints[EMOTIONS.index(emotion)] for emotion in table["emotion"]])
    leaking = np.clip(images + leak[:, None, None], 0, 255).astype(np.uint8)
    assert emotions_told_from_corners(table, leaking) > 0.5


def test_occlusion_between_traced_vertices_is_close_to_tracing_them_all(renderer):
    head = renderer.mesh
    surprise = specification.face_spec(4, "surprised", "left").expression
    posed = pose(head, renderer.sitter(4).subject, surprise)
    scene = mesh.ray_scene(posed.vertices, head.triangles)
    fast = lighting.Visibility(head, posed, scene).at(np.ones(len(head.template), bool))
    slow = lighting.trace_visibility(scene, posed.vertices, posed.normals)
    front = np.flatnonzero(head.template[head.skin, 2] > 0.6)
    assert np.abs(fast - slow)[front].mean() < 0.03
    shuffled = np.random.default_rng(0).permutation(front)
    assert np.abs(fast[shuffled] - slow[front]).mean() > 0.15, "else the bound means nothing"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": FEW.assign(subject=6)}, "subject 6 is not one of RaFD's 67 numbers"),
        ({"table": FEW.assign(emotion="joyful")}, "emotion 'joyful' is not one of angry, "),
        ({"table": FEW.assign(gaze="up")}, "gaze 'up' is not one of left, frontal, right"),
        ({"table": FEW.assign(angle=60)}, "angle 60 is not one of 0, 45, 90, 135, 180"),
        ({"table": FEW.drop(columns="gaze")}, "the table lacks column 'gaze'"),
        ({"size": 4}, "size 4 is not a number of pixels from 8 to 2048"),
        ({"workers": 0}, "workers 0 is not a positive number"),
    ],
)
def test_what_cannot_be_rendered_is_refused(options, message, tmp_path):
    with pytest.raises(FaceError, match=message):
        render(**{"table": FEW, "size": SIZE, "folder": tmp_path, "progress": False, **options})
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Endless:
    """A job that records its beginning and its stop, and never ends by itself."""

    folder: Path
    images: int = 1

    def run(self) -> None:
        (self.folder / "begun").touch()
        try:
            while True:
                time.sleep(0.01)
        finally:
            (self.folder / "tidied").touch()


@dataclass(frozen=True)
class Failing(Endless):
    """A job that fails once another one has begun."""

    def run(self) -> None:
        while not (self.folder / "begun").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_an_interruption_ends_the_other_processes_which_tidy_up(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # they import this module
    with pytest.raises(KeyboardInterrupt):
        rendering.work_off([Endless(tmp_path), Failing(tmp_path)], 2, False, "waiting")
    assert (tmp_path / "tidied").exists()
    assert not multiprocessing.active_children()
