"""What the data sheet says of the synthetic set."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from synthfaces import EMOTIONS, EXPRESSIONS, KNOBS, SUBJECTS, USUAL, fingerprint, to_linear
from tests.helpers.made_up import made_up_faces
from tinyvgg.chapters import data_sheet as sheet
from tinyvgg.training.experiments import Study
from tinyvgg.training.settings import PROFILES


def study_of(source):
    return Study(PROFILES["smoke"], source, 0, progress=False)


@pytest.fixture(scope="module")
def people():
    return sheet.looks()


def test_the_whole_design_stands_beside_what_is_rendered():
    table = sheet.design_table(made_up_faces(3))
    assert list(table.loc["images"]) == ["8,040", "4,824", "216"]
    assert list(table.loc["subjects"]) == ["67", "67", "3"]


def test_the_cohorts_are_the_data_bases():
    table = sheet.cohorts()
    assert table.loc["all", "all"] == 67
    assert table.loc["Moroccan"].to_dict() == {"female": 0, "male": 18, "all": 18}


def test_everybody_is_listed_once_the_lightest_first(people):
    assert sorted(people["subject"]) == sorted(SUBJECTS)
    assert people["angle"].is_monotonic_decreasing
    assert people[["red", "green", "blue"]].to_numpy().min() >= 0
    mean = people.groupby("group")["angle"].mean()
    assert mean["Caucasian"] > mean["Moroccan"] + 10


@pytest.mark.parametrize("srgb", [(0.83, 0.69, 0.62), (0.7, 0.55, 0.47), (0.3, 0.2, 0.15)])
def test_the_typology_angle_follows_from_lightness_and_yellowness(srgb):
    lightness, _, yellow = rgb2lab(np.array(srgb))
    angle = np.degrees(np.arctan((lightness - 50) / yellow))
    assert sheet.typology_angle(to_linear(np.array(srgb))) == pytest.approx(angle, abs=0.1)


def test_subjects_are_counted_by_tone_and_by_cut(people):
    tones, cuts = sheet.skin_table(people), sheet.hair_table(people)
    assert tones.loc["all", "all"] == cuts.loc["all", "all"] == 67
    assert list(tones.index) == [name for name, _ in sheet.SKIN_CLASSES] + ["all"]
    assert tones.loc["very light", "all"] == (people["angle"] > 55).sum()
    mine = people[(people["sex"] == "female") & (people["cut"] == "long")]
    assert cuts.loc["female", "long"] == len(mine)


def test_the_table_of_expressions_is_that_of_the_renderer_from_brows_to_jaw():
    table = sheet.expression_table()
    assert list(table.columns) == list(EMOTIONS)
    for emotion, actions in EXPRESSIONS.items():
        strengths = table[emotion][table[emotion] > 0]
        assert strengths.to_dict() == dict(actions)
    assert table.index[0].startswith("brow")
    assert table.index[-1].startswith("jaw")


def test_the_fingerprints_shown_are_those_of_the_set():
    table = sheet.identity_table([224, 64, 64])
    assert table["value"]["fingerprint at 64 pixels"] == fingerprint(64, 0)
    assert list(table.index[-2:]) == ["fingerprint at 64 pixels", "fingerprint at 224 pixels"]


def test_images_that_differ_from_what_is_rendered_now_are_counted(monkeypatch):
    faces = made_up_faces(2)

    def render_face(spec, size, folder):
        (row,) = (faces.index.table["subject"] == spec.subject).to_numpy().nonzero()
        image = faces.images[row[0] if spec.subject == 1 else row[-1]].copy()
        if spec.subject == 2:
            image[0, 0, 0] ^= 4
        return image

    monkeypatch.setattr(sheet.synthetic, "render_face", render_face)
    said = sheet.repeated_sentence(faces, count=2)
    assert "1 of 2 images are those of the set to the byte; the others are off by up to 4" in said
    alone = sheet.repeated_sentence(faces, count=1)
    assert alone.endswith("1 of 1 images are those of the set to the byte.")


def test_every_knob_is_described_with_its_default_and_range():
    table = sheet.knobs_table(study_of("synthetic"))
    assert list(table.index) == list(KNOBS)
    assert table.loc["noise", "default"] == f"{USUAL.noise:g}"
    assert table.loc["roll", "range"] == "0 to 30"
    assert table["what it is"].str.len().min() > 10
    assert table.loc["intensity", "what it is"].startswith("mean factor on the weights")
    assert "deviation" in table.loc["noise", "what it is"]
    assert "this run" not in table


def test_a_run_with_other_knobs_has_a_column_of_its_own():
    table = sheet.knobs_table(study_of("synthetic:noise=0.02"))
    assert table.loc["noise", "this run"] == "0.02"
    assert table.loc["roll", "this run"] == table.loc["roll", "default"]


@pytest.mark.parametrize("source", ["folder:x", "synthetic:noise=0.02"])
def test_the_sheet_shows_the_usual_set_whatever_a_study_works_on(source, monkeypatch):
    asked = []

    def render(table, size, *_, **__):
        asked.append((len(table), size))
        return np.zeros((len(table), size, size, 3), np.uint8)

    monkeypatch.setattr(sheet.synthetic, "render", render)
    faces = sheet.synthetic_faces(study_of(source))
    assert asked == [(4, 32)]
    assert set(faces.index.table["emotion"]) == {"neutral"}
    assert faces.fingerprint == fingerprint(32, 0)
