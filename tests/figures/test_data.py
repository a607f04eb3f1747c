"""What the figures of chapter 1 show."""

import numpy as np
import pytest

from synthfaces import ANGLES, EMOTIONS
from tests.helpers.made_up import made_up_faces, sentence
from tinyvgg.chapters import data
from tinyvgg.chapters import data as found
from tinyvgg.faces.splits import split


@pytest.fixture
def faces():
    return made_up_faces(4)


def test_a_contact_sheet_shows_each_class_evenly():
    faces = made_up_faces(40, kind="folder")
    axis = data.contact_sheet(faces, "class", columns=5).axes[0]
    shown, side, gap = axis.images[0].get_array(), 8, 2
    for line, first in enumerate((0, 40)):
        for column, place in enumerate((0, 9, 19, 29, 39)):
            top, left = line * (side + gap), column * (side + gap)
            tile = shown[top : top + side, left : left + side]
            np.testing.assert_array_equal(tile, faces.images[first + place])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["cat", "dog"]
    assert len(data.contact_sheet(faces, "class", most=1).axes[0].get_yticklabels()) == 1


@pytest.fixture
def portraits(monkeypatch):
    """Takes the place of the renderer and keeps what was asked of it."""
    asked = []

    def render(shots, size):
        asked.append(shots)
        return np.zeros((len(shots), size, size, 3), np.uint8)

    monkeypatch.setattr(found, "portraits", render)
    return asked


def test_a_mosaic_puts_every_image_in_its_place():
    images = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)
    whole = data.mosaic(images, np.array([[1, -1], [-1, 0]]), gap=1)
    assert whole.shape == (5, 5, 3)
    assert (whole[:2, :2] == images[1]).all()
    assert (whole[3:, 3:] == images[0]).all()
    assert (whole[:3, 2:] == 255).all()


def test_the_angles_are_the_papers_panels(faces, portraits):
    figure = data.angles_figure(faces)
    assert list(portraits[0]["angle"]) == [180, 135, 90, 45, 0] == sorted(ANGLES, reverse=True)
    assert set(portraits[0]["subject"]) == {data.model_subject(faces.index.table)}
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:5] == ["(a) 180°", "(b) 135°", "(c) 90°", "(d) 45°", "(e) 0°"]
    assert titles[5:] == ["", *["8 × 8 pixels"] * 3, ""]


def test_the_network_sees_the_same_shot(faces, portraits):
    figure = data.angles_figure(faces)
    table = faces.index.table
    shot = (table["emotion"] == "neutral") & (table["gaze"] == "frontal") & (table["angle"] == 135)
    row = int(np.flatnonzero(shot & (table["subject"] == 1))[0])
    assert (figure.axes[6].images[0].get_array() == faces.images[row]).all()


def test_the_emotions_are_all_there(faces, portraits):
    figure = data.emotions_figure(faces)
    assert list(portraits[0]["emotion"]) == list(EMOTIONS)
    assert set(portraits[0]["angle"]) == {90}
    assert [axes.get_title()[4:] for axes in figure.axes] == list(EMOTIONS)


def test_everybody_is_shown_once_by_group(faces):
    table = faces.index.table
    arranged = data.everybody(table, columns=12)
    rows = arranged.rows[arranged.rows >= 0]
    assert sorted(table["subject"].iloc[rows]) == sorted(table["subject"].unique())
    for line in arranged.rows:
        assert len({tuple(table.loc[row, ["group", "sex"]]) for row in line if row >= 0}) == 1


def test_examples_are_one_subjects_images_by_emotion_and_view(faces):
    arranged = data.examples(faces)
    assert arranged.rows.shape == (8, 9)
    assert arranged.column_names[0] == "45°\nfrontal"
    chosen = faces.index.table.iloc[arranged.rows[2]]
    assert set(chosen["emotion"]) == {arranged.row_names[2]}
    assert chosen["subject"].nunique() == 1


def test_frames_tell_the_parts_apart(faces):
    parts = split(faces.index, "subject")
    figure = data.examples_figure(faces, parts)
    colours = [patch.get_edgecolor() for patch in figure.axes[0].patches]
    assert len(colours) == 72
    assert len(set(colours)) == 2
    assert colours.count(colours[0]) == 36


def test_a_folder_shows_examples_of_its_classes(portraits):
    faces = made_up_faces(5, kind="folder")
    assert "does not say which" in sentence(data.angles_figure(faces))
    assert "does not say which" in sentence(data.subjects_figure(faces))
    labels = data.emotions_figure(faces).axes[0].get_yticklabels()
    assert [text.get_text() for text in labels] == ["cat", "dog"]
    assert data.examples(faces).rows.shape == (2, 5)
    assert not portraits
