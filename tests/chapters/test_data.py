"""Design, splits, verdicts and figures of chapter 1."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from synthfaces import ANGLES, EMOTIONS
from tests.helpers.made_up import made_up_faces, made_up_study
from tinyvgg import paper
from tinyvgg.chapters import data
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.splits import Split, split


@pytest.fixture(scope="module")
def everyone():
    return made_up_study(made_up_faces(67))


@pytest.fixture(scope="module")
def few():
    return made_up_study(made_up_faces(4))


@pytest.fixture(scope="module")
def folder():
    return made_up_study(made_up_faces(6, kind="folder"))


@pytest.fixture
def portraits(monkeypatch):
    """Takes the place of the renderer and keeps what was asked of it."""
    asked = []

    def render(shots, size):
        asked.append(shots)
        return np.zeros((len(shots), size, size, 3), np.uint8)

    monkeypatch.setattr(data, "portraits", render)
    return asked


def test_the_design_is_the_papers(everyone):
    found = data.counts(data.whole_design(everyone.faces))
    expected = {"subjects": 67, "emotions": 8, "gazes": 3, "angles": 5}
    assert expected.items() <= found.items()
    assert (found["images_per_subject"], found["images"]) == (120, 8040)


def test_both_readings_of_the_emotion_split_have_the_papers_counts(everyone):
    parts = data.readings(everyone)
    counts = {key: (len(one.train), len(one.test)) for key, one in parts.items()}
    assert counts == {
        ("subject", data.HALF): (2412, 2412),
        ("emotion", data.TABLE): (2400, 2424),
        ("emotion", data.TEXT): (2424, 2400),
    }
    by_cell = data.cell_counts(everyone.faces.index, "emotion", parts["emotion", data.TABLE])
    assert (by_cell["train"] == 100).all()
    assert (by_cell["test"] == 101).all()


def test_twins_differ_in_gaze_alone_and_equal_pixels_in_both_parts_are_found(few):
    table = few.faces.index.table
    shot = (table["subject"] == 1) & (table["emotion"] == "sad") & (table["angle"] == 90)
    one, *twins = table.index[shot]
    alone = table.query("subject == 2 and angle == 45").index[0]
    parts, images = Split(np.array([one]), np.array([*twins, alone])), few.faces.images.copy()
    found = data.nearness(few.faces, parts)
    assert found["twin, other gaze"] == pytest.approx(2 / 3)
    assert (found["same shot, other camera"], found["equal pixels"]) == (0, 0)
    images[alone] = images[one]
    again = data.nearness(Faces("synthetic", few.faces.index, images, "x"), parts)
    assert again["equal pixels"] == pytest.approx(1 / 3)


def test_counts_are_said_beside_the_papers_where_they_differ(everyone, few):
    found = data.shown(everyone)
    assert list(found) == ["D1", "D2", "D3", "D4", "F1", "F2"]
    for claim in ("D1", "D3", "F1", "F2"):
        assert "instead of" not in found[claim]
    assert "side of a cropped face 8 instead of 224" in found["D2"]
    assert "Table 2" in found["D4"]
    assert "instead of 2,412" in data.shown(few)["D3"]


def test_a_folder_has_classes_and_no_design(folder, portraits):
    assert data.whole_design(folder.faces) is None
    assert len(set(data.shown(folder).values())) == 1
    splits = data.readings(folder)
    assert [len(parts.train) for parts in splits.values()] == [6]
    assert list(data.nearness(folder.faces, *splits.values())) == ["equal pixels"]
    for draw in (data.angles_figure, data.emotions_figure):
        assert draw(folder.faces) is None
    assert data.examples(folder.faces).shape == (2, 6)
    assert not portraits
    keys = data.numbers(folder, splits)
    labels = [paper.describe(key).label for key in keys if ".class." in key and keys[key]]
    assert "training images per class" in labels
    assert not [label for label in labels if "subject" in label or "angle" in label]


def test_a_mosaic_puts_every_image_in_its_place_and_leaves_the_others_white():
    images = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)
    expected = np.full((5, 5, 3), 255)
    expected[:2, :2], expected[3:, 3:] = images[1], images[0]
    whole = data.mosaic(images, pd.DataFrame([[1, -1], [-1, 0]]), gap=1)
    np.testing.assert_array_equal(whole, expected)


def test_a_contact_sheet_shows_each_class_evenly():
    faces = made_up_faces(40, kind="folder")
    rows = data.of_each(faces, "class", columns=5)
    assert rows.to_numpy().tolist() == [[0, 9, 19, 29, 39], [40, 49, 59, 69, 79]]
    axis = data.contact_sheet(faces, "class").axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array()[10:18, :8], faces.images[40])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["cat", "dog"]
    assert len(data.of_each(faces, "class", most=1)) == 1


def test_angles_and_emotions_are_the_papers_panels(few, portraits):
    figure = data.angles_figure(few.faces)
    assert list(portraits[0]["angle"]) == [180, 135, 90, 45, 0] == sorted(ANGLES, reverse=True)
    assert set(portraits[0]["subject"]) == {1}
    emotions = data.emotions_figure(few.faces)
    assert list(portraits[1]["emotion"]) == list(EMOTIONS)
    assert set(portraits[1]["angle"]) == {90}
    assert [axes.get_title()[4:] for axes in emotions.axes] == list(EMOTIONS)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["(a) 180°", "(b) 135°", "(c) 90°", "(d) 45°", "(e) 0°"]


def test_examples_are_one_subjects_images_by_emotion_and_view_framed_by_part(few):
    arranged = data.examples(few.faces)
    assert arranged.shape == (8, 9)
    chosen = few.faces.index.table.iloc[arranged.iloc[2]]
    assert set(chosen["emotion"]) == {arranged.index[2]}
    assert chosen["subject"].nunique() == 1
    axis = data.examples_figure(few.faces, split(few.faces.index, "subject")).axes[0]
    colours = [patch.get_edgecolor() for patch in axis.patches]
    assert [colours.count(colour) for colour in set(colours)] == [36, 36]
    assert axis.get_xticklabels()[0].get_text() == "45°\nfrontal"


def test_a_source_may_show_a_shot_twice(few):
    twice = FaceIndex(pd.concat([few.faces.index.table] * 2))
    assert data.examples(replace(few.faces, index=twice)).shape == (8, 9)
