import contextlib
import dataclasses
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthfaces import (
    FaceError,
    anatomy,
    camera,
    expressions,
    lighting,
    mesh,
    rendering,
    specification,
)
from synthfaces.parameters import EMOTIONS
from synthfaces.people import design
from synthfaces.photograph import Renderer
from synthfaces.rendering import fingerprint, render
from synthfaces.subjects import pose

SIZE = 32
STILL = camera.Nuisance(shift=(0.0, 0.0), scale=1.0, roll=0.0, exposure=0.0, grain=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="module")
def frontal(folder) -> tuple[pd.DataFrame, np.ndarray]:
    """Every emotion and gaze of four subjects, seen from the front."""
    table = design(4, angles=(90,))
    return table, render(table, SIZE, folder, workers=1, progress=False)


@pytest.fixture
def few(frontal) -> pd.DataFrame:
    """Two shots of each of three subjects."""
    table = frontal[0]
    chosen = (table["emotion"].isin(["happy", "sad"])) & (table["gaze"] == "left")
    return table[chosen & (table["subject"] <= 3)].reset_index(drop=True)


@pytest.fixture
def renderer(folder, frontal) -> Renderer:
    return rendering.renderer(SIZE, 0, folder)


@pytest.fixture
def shots_taken(monkeypatch) -> list[tuple]:
    """Records (subject, emotion, gaze) of every shot that is rendered."""
    taken = []
    take = Renderer.shot

    def counted(self, sitter, emotion, gaze, angles):
        taken.append((sitter.subject.person.number, emotion, gaze))
        return take(self, sitter, emotion, gaze, angles)

    monkeypatch.setattr(Renderer, "shot", counted)
    return taken


@pytest.fixture
def fresh(folder, frontal, tmp_path) -> Path:
    """An empty folder but for the parsed anatomy, which takes seconds to make."""
    for cached in folder.glob("anatomy-*.npz"):
        (tmp_path / cached.name).hardlink_to(cached)
    return tmp_path


def subject_files(folder: Path, seed: int = 0) -> list[Path]:
    return sorted((folder / fingerprint(SIZE, seed)).iterdir())


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_face(few, fresh, frontal):
    table, images = frontal
    again = render(few, SIZE, fresh, workers=1, progress=False)
    rows = table["path"].isin(few["path"]).to_numpy()
    assert np.array_equal(again, images[rows])
    other = render(few[:1], SIZE, fresh, seed=1, workers=1, progress=False)
    assert np.abs(other[0].astype(int) - again[0]).mean() > 5


def test_an_image_does_not_depend_on_the_other_angles(renderer):
    sitter = renderer.sitter(1)
    together = renderer.shot(sitter, "happy", "left", [0, 45, 90, 135, 180])
    assert together.shape == (5, SIZE, SIZE, 3)
    for number, angle in enumerate((0, 45, 90, 135, 180)):
        alone = renderer.shot(sitter, "happy", "left", [angle])[0]
        assert np.array_equal(alone, together[number])


def test_images_come_in_the_order_of_the_table(frontal, folder, shots_taken):
    table, images = frontal
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = render(table.iloc[order], SIZE, folder, workers=1, progress=False)
    assert np.array_equal(shuffled, images[order])
    assert not shots_taken


def test_what_is_lost_or_damaged_is_rendered_again_and_nothing_else(few, fresh, shots_taken):
    images = render(few, SIZE, fresh, workers=1, progress=False)
    assert len(shots_taken) == 6
    whole, cut, altered = subject_files(fresh)
    cut.write_bytes(cut.read_bytes()[:-500])
    damaged = bytearray(altered.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    altered.write_bytes(bytes(damaged))
    shots_taken.clear()
    assert np.array_equal(render(few, SIZE, fresh, workers=1, progress=False), images)
    assert {number for number, _, _ in shots_taken} == {2, 3}
    assert len(shots_taken) == 4
    whole.unlink()
    shots_taken.clear()
    assert np.array_equal(render(few, SIZE, fresh, workers=1, progress=False), images)
    assert {number for number, _, _ in shots_taken} == {1}


def test_an_interrupted_render_leaves_whole_files_only_and_goes_on(few, fresh, monkeypatch):
    take, taken = Renderer.shot, []

    def interrupted(self, *shot):
        taken.append(shot)
        if len(taken) == 4:
            raise KeyboardInterrupt
        return take(self, *shot)

    with monkeypatch.context() as patch:
        patch.setattr(Renderer, "shot", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render(few, SIZE, fresh, workers=1, progress=False)
    (kept,) = subject_files(fresh)
    with np.load(kept) as saved:
        assert saved["images"].shape == (2, SIZE, SIZE, 3)
    assert len(render(few, SIZE, fresh, workers=1, progress=False)) == 6
    assert len(subject_files(fresh)) == 3


@pytest.mark.slow
def test_several_processes_make_the_same_bytes_even_from_an_unguarded_script(
    few, fresh, frontal, tmp_path
):
    few.to_csv(tmp_path / "table.csv", index=False)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, numpy as np, pandas as pd\n"
        "from pathlib import Path\n"
        "from synthfaces import render\n"
        "folder = Path(sys.argv[1])\n"
        "table = pd.read_csv(folder / 'table.csv')\n"
        f"images = render(table, {SIZE}, folder, workers=2, progress=False)\n"
        "np.save(folder / 'images.npy', images)\n"
    )
    root = Path(rendering.__file__).parents[1]
    subprocess.run(
        [sys.executable, str(script), str(tmp_path)], check=True, env={"PYTHONPATH": str(root)}
    )
    rows = frontal[0]["path"].isin(few["path"]).to_numpy()
    assert np.array_equal(np.load(tmp_path / "images.npy"), frontal[1][rows])


def test_every_emotion_changes_the_face_and_leaves_the_background_alone(renderer, monkeypatch):
    monkeypatch.setattr(specification, "draw_nuisance", lambda *_: STILL)
    sitter = renderer.sitter(1)
    neutral = renderer.shot(sitter, "neutral", "frontal", [90])[0].astype(int)
    again = renderer.shot(sitter, "neutral", "frontal", [90])[0]
    assert np.array_equal(neutral, again)
    for emotion in set(EMOTIONS) - {"neutral"}:
        image = renderer.shot(sitter, emotion, "frontal", [90])[0]
        change = np.abs(image - neutral).mean(axis=-1)
        assert change[10:29, 9:23].mean() > 2, emotion
        assert change[:8, :3].max() == 0, emotion
        assert change[:8, -3:].max() == 0, emotion


def background_features(images: np.ndarray) -> np.ndarray:
    """Brightness and noise of the corners above the shoulders, per channel."""
    corners = np.concatenate([images[:, :6, :2], images[:, :6, -2:]], axis=2).astype(float)
    return np.concatenate([corners.mean(axis=(1, 2)), corners.std(axis=(1, 2))], axis=1)


def accuracy_over_subjects(features: np.ndarray, table: pd.DataFrame) -> float:
    """Of a ridge classifier of emotions that is tested on subjects it has not seen."""
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


def test_the_background_does_not_tell_the_emotion(frontal):
    table, images = frontal
    assert images[:, :6, [0, 1, -2, -1]].min() > 235, "the corners are background"
    chance = 1 / len(EMOTIONS)
    bound = chance + 4 * np.sqrt(chance * (1 - chance) / len(table))
    assert accuracy_over_subjects(background_features(images), table) < bound


def test_the_same_classifier_would_find_a_leak(frontal):
    table, images = frontal
    noise = {
        emotion: np.random.default_rng(n).normal(0, 2, 3) for n, emotion in enumerate(EMOTIONS)
    }
    leak = np.array([noise[emotion] for emotion in table["emotion"]])
    leaking = np.clip(images + leak[:, None, None], 0, 255).astype(np.uint8)
    assert accuracy_over_subjects(background_features(leaking), table) > 0.5


def test_occlusion_between_traced_vertices_is_close_to_tracing_them_all(renderer):
    sitter, head = renderer.sitter(4), renderer.mesh
    rng = np.random.default_rng(0)
    surprise = expressions.draw_expression(
        "surprised", "left", specification.temperament(sitter.subject.person.number, 0), rng
    )
    posed = pose(head, sitter.subject, surprise)
    scene = mesh.ray_scene(posed.vertices, head.triangles)
    fast = lighting.Visibility(head, posed, scene).at(np.ones(len(head.template), bool))
    slow = lighting.trace_visibility(scene, posed.vertices, posed.normals)
    front = np.flatnonzero(head.template[head.skin, 2] > 0.6)
    assert np.abs(fast - slow)[front].mean() < 0.03
    shuffled = np.random.default_rng(0).permutation(front)
    assert np.abs(fast[shuffled] - slow[front]).mean() > 0.15, "else the bound means nothing"


def test_lids_stay_outside_the_eyeballs(renderer):
    sitter, head = renderer.sitter(3), renderer.mesh
    rng = np.random.default_rng(0)
    for gaze in ("left", "right"):
        anger = expressions.draw_expression(
            "disgusted", gaze, specification.temperament(sitter.subject.person.number, 0), rng
        )
        vertices = pose(head, sitter.subject, anger).vertices
        for name, eye in sitter.subject.eyes.items():
            distance = np.linalg.norm(vertices[head.lids[name]] - eye.centre, axis=1)
            assert distance.min() >= eye.radius


def test_a_damaged_anatomy_is_parsed_again(folder, frontal, tmp_path):
    (cached,) = folder.glob("anatomy-*.npz")
    (tmp_path / cached.name).write_bytes(cached.read_bytes()[:10_000])
    parsed = anatomy.load_anatomy(tmp_path)
    kept = anatomy.load_anatomy(folder)
    for field in dataclasses.fields(anatomy.Anatomy):
        np.testing.assert_equal(getattr(parsed, field.name), getattr(kept, field.name))
    assert (tmp_path / cached.name).stat().st_size == cached.stat().st_size


@pytest.mark.parametrize(
    ("shot", "message"),
    [
        ((6, "happy", "left", [90]), "subject 6 is not one of RaFD's 67 numbers"),
        ((1, "joyful", "left", [90]), "emotion 'joyful' is not one of angry, "),
        ((1, "happy", "up", [90]), "gaze 'up' is not one of left, frontal, right"),
        ((1, "happy", "left", [60]), "angle 60 is not one of 0, 45, 90, 135, 180"),
    ],
)
def test_an_unknown_shot_is_refused(shot, message, tmp_path):
    row = dict(zip(("subject", "emotion", "gaze", "angle"), (*shot[:3], shot[3][0]), strict=True))
    with pytest.raises(FaceError, match=message):
        render(pd.DataFrame([row]), SIZE, tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 4}, "size 4 is not a number of pixels from 8 to 2048"),
        ({"workers": 0}, "workers 0 is not a positive number"),
        ({"table": design(1).drop(columns="gaze")}, "the table lacks column 'gaze'"),
    ],
)
def test_impossible_options_are_refused(options, message, tmp_path):
    given = {"table": design(1), "size": SIZE, "folder": tmp_path, "progress": False}
    with pytest.raises(FaceError, match=message):
        render(**{**given, **options})


@dataclasses.dataclass(frozen=True)
class Endless:
    """A job that tells when it begins and when it is stopped, and never ends by itself."""

    folder: Path
    images: int = 1

    def prepare(self) -> None:
        pass

    def run(self) -> None:
        (self.folder / "begun").touch()
        try:
            while True:
                time.sleep(0.01)
        finally:
            (self.folder / "tidied").touch()


@dataclasses.dataclass(frozen=True)
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


def test_the_largest_jobs_come_first_and_every_image_moves_the_bar(monkeypatch, tmp_path):
    order, moves = [], []

    @dataclasses.dataclass(frozen=True)
    class Noted(Endless):
        def run(self) -> None:
            order.append(self.images)

    class Bar(contextlib.nullcontext):
        def __init__(self, total, **_):
            super().__init__()
            moves.append(-total)

        def update(self, images):
            moves.append(images)

    monkeypatch.setattr(rendering, "tqdm", Bar)
    with monkeypatch.context() as patch:
        patch.setattr(rendering, "cores", lambda: 1)
        rendering.work_off([Noted(tmp_path, count) for count in (2, 5, 3)], None, True, "noting")
    assert order == [5, 3, 2]
    assert sum(moves) == 0
