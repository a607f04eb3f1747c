"""Emotion can be read from the face and from nothing else."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import synthfaces
from synthfaces import EMOTIONS, USUAL, FacePart, FaceSpec, design, face_spec, render_face
from synthfaces.photograph import Renderer
from tests.helpers import probes
from tests.helpers.probes import FACE, HELD_OUT, PROBES, Probe, Reading, without

SIZE = 32
PEOPLE = 8
ANGLES = (45, 90)
CHANCE = 1 / len(EMOTIONS)
FORBIDDEN = [probe for probe in PROBES if not probe.may_carry]


class Few(NamedTuple):
    """A few people's images: a table, a picture a row, and what each pixel ever shows."""

    table: pd.DataFrame
    images: np.ndarray
    shown: dict

    @property
    def labels(self) -> np.ndarray:
        return self.table["emotion"].map(EMOTIONS.index).to_numpy()

    def read(self, probe: Probe, held_out: str) -> Reading:
        features = probe.measure(self.images, probe.kept(self.shown, self.table))
        return probes.read_emotion(features, self.table, held_out)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    table = design(PEOPLE, ANGLES)
    table = table[table["gaze"].isin(["left", "frontal"])].reset_index(drop=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Renderer, "sitter", cache(Renderer.sitter))  # made up once
        folder = tmp_path_factory.mktemp("faces")
        images = synthfaces.render(table, SIZE, folder, workers=1, progress=False)
        frontal = table[table["gaze"] == "frontal"]
        yield Few(table, images, probes.parts_shown(frontal, SIZE))


def probe(region: str, features: str) -> Probe:
    return next(one for one in PROBES if (one.region, one.features) == (region, features))


@pytest.mark.parametrize("held_out", HELD_OUT)
@pytest.mark.parametrize("forbidden", FORBIDDEN, ids=lambda one: f"{one.region}-{one.features}")
def test_emotion_cannot_be_read_from_what_is_no_face(forbidden, held_out, few):
    found = few.read(forbidden, held_out)
    assert found.interval.low <= CHANCE <= found.interval.high, found


@pytest.mark.parametrize("held_out", ["gaze", "subject"])
def test_the_same_model_reads_emotion_from_whole_images(held_out, few):
    assert few.read(probe("whole image", "pixels"), held_out).interval.low > 3 * CHANCE


def exposed(few: Few, rng: np.random.Generator) -> np.ndarray:
    """Give each emotion an exposure of its own; they vary as much as the camera's do."""
    return add(few.images, rng.normal(0, USUAL.exposure * 255, (8, 1, 1, 1))[few.labels])


def grained(few: Few, rng: np.random.Generator) -> np.ndarray:
    """Give each emotion a pattern of noise of its own, half as strong as the sensor's."""
    return add(few.images, rng.normal(0, USUAL.noise / 2 * 255, (8, SIZE, SIZE, 3))[few.labels])


def shifted(few: Few, rng: np.random.Generator) -> np.ndarray:
    """Move each emotion to a place of its own, within a pixel."""
    places = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    pairs = zip(few.images, places[few.labels], strict=True)
    return np.stack([np.roll(image, place, axis=(0, 1)) for image, place in pairs])


def add(images: np.ndarray, difference: np.ndarray) -> np.ndarray:
    return np.clip(images + difference + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("leak", "region", "features", "splits"),
    [
        (exposed, "background", "statistics", ("gaze", "angle", "subject")),
        (grained, "background", "pixels", ("gaze", "angle", "subject")),
        (grained, "border", "pixels", ("gaze", "angle", "subject")),
        (shifted, "hair, ears and background", "pixels", ("gaze", "subject")),
        (shifted, "hair, ears and background", "statistics", ("gaze",)),
        (shifted, "border", "pixels", ("gaze", "subject")),
    ],
)
def test_a_planted_leak_is_found(leak, region, features, splits, few):
    leaking = few._replace(images=leak(few, np.random.default_rng(0)))
    for held_out in splits:
        found = leaking.read(probe(region, features), held_out)
        assert found.interval.low > CHANCE, (held_out, found)


def test_a_mask_does_not_depend_on_the_emotion_and_covers_every_face(few):
    kept = without(FACE, few.shown, few.table)
    for rows in few.table.groupby(["subject", "angle"]).indices.values():
        assert (kept[rows] == kept[rows[0]]).all()
        assert kept[rows[0]].mean() > 0.08
    for row in few.table[few.table["subject"] <= 2].index[::6]:
        (seen,) = probes.parts_shown(few.table.loc[[row]], SIZE).values()
        assert not (seen[list(FACE)].any(axis=0) & kept[row]).any()


def test_expressions_change_nothing_but_the_face_and_neck(few):
    row = few.table[(few.table["subject"] == 2) & (few.table["angle"] == 90)][:1]
    apart = without((*FACE, FacePart.NECK), few.shown, row)[0]
    neck = without(FACE, few.shown, row)[0] & ~apart
    background = probe("background", "pixels").kept(few.shown, row)[0]
    specs = [FaceSpec(2, face_spec(2, emotion).expression) for emotion in EMOTIONS]
    images = [render_face(spec, SIZE).astype(float) for spec in specs]
    change = np.abs(np.array(images) - images[EMOTIONS.index("neutral")]).mean(axis=-1)
    assert change[:, background].max() == 0
    assert change[:, apart].mean(axis=1).max() < 0.05
    assert change[:, apart].max() < 2
    assert change[:, neck].mean(axis=1).max() < 1
    assert change[:, ~apart & ~neck].mean() > 2


def test_ridge_solves_the_normal_equations():
    rng = np.random.default_rng(0)
    train, test = rng.normal(2, 3, (20, 5)).astype(np.float32), rng.normal(2, 3, (7, 5))
    targets = np.eye(4)[rng.integers(0, 4, 20)]
    mean, spread = train.mean(axis=0), train.std(axis=0) * 5**0.5
    x, asked = (train - mean) / spread, (test - mean) / spread
    weights = np.linalg.inv(x.T @ x + np.eye(5)) @ x.T @ (targets - targets.mean(axis=0))
    found = probes.ridge(train, targets, test.astype(np.float32))
    assert found == pytest.approx(asked @ weights + targets.mean(axis=0), abs=1e-5)


@pytest.mark.parametrize("held_out", HELD_OUT)
def test_no_image_is_fitted_and_tested_and_the_subject_does_not_matter(held_out):
    """A probe that saw the tested images would know their noise by heart."""
    table, rng = design(6, ANGLES), np.random.default_rng(0)
    noise = rng.normal(size=(len(table), 500)).astype(np.float32)
    found = probes.read_emotion(noise, table, held_out)
    assert found.shots == 6 * 8 * 3
    assert found.at_chance, found
    whose = 100 * np.random.default_rng(0).normal(size=74)[table["subject"]]
    informative = np.eye(8)[table["emotion"].map(EMOTIONS.index)] + whose[:, None]
    assert probes.read_emotion(informative.astype(np.float32), table, held_out).accuracy == 1


def test_parts_of_a_table_are_those_of_each_image_in_its_order():
    table = design(2, ANGLES)
    table = table[(table["gaze"] == "left") & (table["emotion"] == "happy")].iloc[[3, 0, 2, 1]]
    found = synthfaces.parts_seen(table, SIZE)
    for parts, spec in zip(found, synthfaces.face_specs(table), strict=True):
        assert np.array_equal(parts, synthfaces.ground_truth(spec, SIZE).parts)
    assert synthfaces.parts_seen(table[:0], SIZE).shape == (0, SIZE, SIZE)
