"""What the figures of the data sheet show."""

import numpy as np
import pandas as pd
import pytest

from synthfaces import EMOTIONS, Camera, FacePart, Landmarks, Truth, design, face_spec
from tests.helpers.made_up import made_up_faces, sentence
from tinyvgg.chapters import data_sheet
from tinyvgg.chapters import data_sheet as tuning_figures
from tinyvgg.chapters.data_sheet import Judged, Measured, Tuning


def looks(numbers):
    """Subjects in this order, each with a colour of its own."""
    return pd.DataFrame(
        {
            "subject": numbers,
            "group": "Kid",
            "red": np.linspace(1, 0.2, len(numbers)),
            "green": 0.5,
            "blue": 0.0,
            "angle": np.linspace(60, 0, len(numbers)),
        }
    )


@pytest.fixture
def asked(monkeypatch):
    """Takes the place of the renderer and keeps what was asked of it."""
    shots = []

    def render(table, size):
        shots.append(table)
        return np.zeros((len(table), size, size, 3), np.uint8)

    monkeypatch.setattr(data_sheet, "portraits", render)
    return shots


def test_everybody_is_there_once_in_the_order_given_above_the_colour_of_the_skin():
    faces = made_up_faces(4)
    axis = data_sheet.everybody_figure(faces, looks([3, 99, 1, 4, 2])).axes[0]
    assert [text.get_text() for text in axis.texts if text.get_text()] == ["3", "1", "4", "2"]
    shown = np.asarray(axis.images[0].get_array())
    table = faces.index.table
    chosen = table.query("subject == 3 and emotion == 'neutral' and gaze == 'frontal'")
    (row,) = chosen.index[chosen["angle"] == 90]
    assert (shown[:8, :8] == faces.images[row]).all()
    assert (shown[8:, :8] == [255, 128, 0]).all()


def test_skins_are_dots_of_their_own_colour_at_their_angle():
    people = looks([1, 2, 3])
    dots = data_sheet.tones_figure(people).axes[0].collections[0]
    assert dots.get_offsets()[:, 0].tolist() == people["angle"].tolist()
    assert dots.get_facecolor()[:, 0].tolist() == people["red"].tolist()


def test_a_woman_a_man_of_the_second_group_and_a_child_are_chosen():
    assert data_sheet.one_of_each_group(design()) == [1, 3, 4]
    assert data_sheet.one_of_each_group(design(1)) == [1]


def test_emotions_are_columns_and_subjects_rows(asked):
    figure = data_sheet.emotions_figure([3, 1])
    (shots,) = asked
    assert list(shots["emotion"]) == [*EMOTIONS, *EMOTIONS]
    assert list(shots["subject"]) == [3] * 8 + [1] * 8
    assert set(shots["gaze"]) == {"frontal"}
    assert [axis.get_title() for axis in figure.axes] == [*EMOTIONS, *[""] * 8]
    assert figure.axes[8].get_ylabel() == "subject 1"


def test_angles_go_from_profile_to_profile(asked):
    figure = data_sheet.angles_figure([2])
    assert list(asked[0]["angle"]) == [180, 135, 90, 45, 0]
    assert figure.axes[0].get_title() == "180°"


def test_weights_stand_in_their_cells_and_nothing_where_there_is_none():
    strengths = pd.DataFrame({"happy": [0.0, 1.25]}, index=["browDown", "mouthPress:far"])
    axis = data_sheet.expressions_figure(strengths).axes[0]
    (text,) = axis.texts
    assert (text.get_text(), text.get_position()) == ("1.25", (0, 1))
    assert axis.get_yticklabels()[1].get_text() == "mouthPress (far side)"


def test_each_part_of_the_truth_has_its_colour_and_hidden_landmarks_are_open():
    parts = np.zeros((4, 4), np.uint8)
    parts[0, 0] = FacePart.MOUTH
    marks = Landmarks(
        ("chin", "nose-tip"),
        np.array([[1.0, 2.0], [3.0, 1.0]]),
        np.array([True, False]),
        (FacePart.CHIN, FacePart.NOSE),
    )
    spec, axis = face_spec(1, "happy"), np.zeros(3)
    truth = Truth(spec, Camera(axis, axis, axis, axis, 1.0, (0.0, 0.0)), marks, parts)
    figure = data_sheet.truth_figure([truth], [np.full((4, 4, 3), 100, np.uint8)])
    image, drawn, over = figure.axes
    assert (np.asarray(image.images[0].get_array()) == 100).all()
    colours = np.asarray(drawn.images[0].get_array())
    assert (colours[0, 0] != colours[0, 1]).any()
    assert len(np.unique(data_sheet._part_colours(), axis=0)) == len(FacePart)
    seen, hidden = over.collections
    assert seen.get_offsets().tolist() == [[0.5, 1.5]]
    assert len(seen.get_facecolor()) == 1
    assert hidden.get_offsets().tolist() == [[2.5, 0.5]]
    assert len(hidden.get_facecolor()) == 0


def test_readings_are_shares_of_their_row():
    confusion = {"sad": {"sad": 3, "happy": 1}, "happy": {"sad": 0, "happy": 2}}
    judged = Judged(224, 0, 67, "x", {}, pd.DataFrame(), confusion, {})
    axis = data_sheet.readings_figure(judged).axes[0]
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    assert texts == {(0, 0): "75%", (1, 0): "25%", (1, 1): "100%"}
    assert "without that report" in sentence(data_sheet.readings_figure(None))


def measured(task, seed, errors):
    return Measured(task, "quick", 64, seed, "x", 100, errors, {}, {})


def test_error_rates_lie_in_the_panel_of_their_task():
    tuning = Tuning("synthetic", (measured("subject", 0, 4), measured("emotion", 0, 9)))
    first, second = tuning_figures.rates_figure(tuning).axes
    assert (first.get_title(), second.get_title()) == ("identity", "emotion")
    dots = [line.get_xdata()[0] for line in second.lines if line.get_marker() == "o"]
    assert dots == [0.09]
    alone = tuning_figures.rates_figure(Tuning("synthetic", (measured("emotion", 0, 9),)))
    assert len(alone.axes) == 1


@pytest.mark.parametrize("tuning", [None, Tuning("synthetic", ())])
def test_without_error_rates_there_is_a_sentence(tuning):
    assert "without that report" in sentence(tuning_figures.rates_figure(tuning))
