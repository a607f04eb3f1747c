"""What the data sheet says and shows of the synthetic set."""

import numpy as np
import pandas as pd
import pytest
from skimage.color import rgb2lab

from synthfaces import (
    EMOTIONS,
    EXPRESSIONS,
    KNOBS,
    SUBJECTS,
    USUAL,
    Camera,
    FacePart,
    Landmarks,
    Truth,
    face_spec,
    fingerprint,
    to_linear,
)
from tests.helpers.made_up import made_up_faces
from tinyvgg.chapters import data_sheet as sheet
from tinyvgg.training.experiments import Study
from tinyvgg.training.settings import PROFILES


def study_of(source, faces=None):
    study = Study(PROFILES["smoke"], source, 0, progress=False)
    if faces is not None:
        vars(study)["faces"] = faces
    return study


@pytest.fixture(scope="module")
def people():
    return sheet.looks()


@pytest.fixture
def rendered(monkeypatch):
    """Takes the place of the renderer and keeps what was asked of it."""
    asked = []

    def render(table, size, *_, **__):
        asked.append((table, size))
        return np.zeros((len(table), size, size, 3), np.uint8)

    monkeypatch.setattr(sheet.synthfaces, "render", render, raising=False)
    monkeypatch.setattr(sheet, "portraits", render)
    return asked


# --- the set


def test_everybody_is_listed_once_the_lightest_first(people):
    assert sorted(people["subject"]) == sorted(SUBJECTS)
    assert people["angle"].is_monotonic_decreasing
    assert people[["red", "green", "blue"]].to_numpy().min() >= 0
    mean = people.groupby("group")["angle"].mean()
    assert mean["Caucasian"] > mean["Moroccan"] + 10
    assert (people["tone"] == "very light").sum() == (people["angle"] > 55).sum()


@pytest.mark.parametrize("srgb", [(0.83, 0.69, 0.62), (0.7, 0.55, 0.47), (0.3, 0.2, 0.15)])
def test_the_typology_angle_follows_from_lightness_and_yellowness(srgb):
    lightness, _, yellow = rgb2lab(np.array(srgb))
    angle = np.degrees(np.arctan((lightness - 50) / yellow))
    assert sheet.typology_angle(to_linear(np.array(srgb))) == pytest.approx(angle, abs=0.1)


def test_the_table_of_expressions_is_that_of_the_renderer_from_brows_to_jaw():
    table = sheet.expression_table()
    assert list(table.columns) == list(EMOTIONS)
    for emotion, actions in EXPRESSIONS.items():
        strengths = table[emotion][table[emotion] > 0]
        assert strengths.to_dict() == dict(actions)
    assert table.index[0].startswith("brow")
    assert table.index[-1].startswith("jaw")


def test_every_knob_is_described_with_its_default_and_range():
    table = sheet.knobs_table(study_of("synthetic:noise=0.02"))
    assert list(table.index) == list(KNOBS)
    assert table.loc["noise", "default"] == f"{USUAL.noise:g}"
    assert table.loc["noise", "this run"] == "0.02"
    assert table.loc["roll", "range"] == "0 to 30"
    assert table["what it is"].str.len().min() > 10
    assert table.loc["intensity", "what it is"].startswith("mean factor on the weights")
    assert "this run" not in sheet.knobs_table(study_of("synthetic"))


@pytest.mark.parametrize("source", ["folder:x", "synthetic:noise=0.02"])
def test_the_sheet_shows_the_usual_set_whatever_a_study_works_on(source, rendered):
    faces = sheet.synthetic_faces(study_of(source))
    images, table = sheet.sample(study_of(source))
    assert [(len(asked), size) for asked, size in rendered] == [(4, 32), (len(table), 32)]
    assert set(faces.index.table["emotion"]) == {"neutral"}
    assert faces.fingerprint == fingerprint(32, 0)
    assert images.shape == (len(table), 32, 32, 3)


def test_a_synthetic_study_gives_its_own_images_of_the_rows_of_the_sample():
    faces = made_up_faces(4, size=32)
    images, table = sheet.sample(study_of("synthetic", faces))
    assert len(table) == 4 * 8 * 2 * 2
    own = faces.index.table
    for row in (0, 17, 120):
        (place,) = np.flatnonzero(own["path"] == table["path"][row])
        assert (images[row] == faces.images[place]).all()


def test_images_are_made_smaller_by_means():
    large = np.zeros((1, 128, 128, 3), np.uint8)
    large[0, :4, :4] = np.arange(16).reshape(4, 4, 1) * 10
    small = sheet.halved(large)
    assert small.shape == (1, 32, 32, 3)
    assert (small[0, 0, 0] == 75).all()
    assert not small[0, 1:].any()
    assert sheet.halved(large[:, :48, :48]).shape == (1, 48, 48, 3)


# --- outside judges


@pytest.fixture
def judged():
    """Two emotions and contempt, shown ten times each; one detector misses a face at the side."""

    def counts(shown, found):
        return {"shown": shown, "found": found, "elsewhere": shown - found, "missed": []}

    return {
        "size": 224,
        "seed": 0,
        "subjects": 67,
        "fingerprint": fingerprint(224, 0),
        "judges": {"detector": "1.0"},
        "found": {
            "MTCNN": {"0": counts(10, 2), "90": counts(60, 60), "45": counts(40, 38)},
            "CenterFace": {"0": counts(10, 10), "90": counts(60, 60), "45": counts(40, 40)},
        },
        "expressions": {
            "confusion": {
                "contemptuous": {"happy": 3, "sad": 7},
                "happy": {"happy": 9, "sad": 1},
                "sad": {"happy": 6, "sad": 4},
            }
        },
    }


def test_faces_found_are_summed_over_the_angles_that_were_asked_for(judged):
    table = sheet.found_table(judged)
    together = table.loc[("MTCNN", "45°, 90°")]
    assert (together["shown"], together["found"]) == ("100", "98")
    assert (together["share"], together["met"]) == ("98.00%", "no")
    assert together["95 % interval"] == "93.00 to 99.45%"
    assert together["also found where no face is"] == 2
    assert table.loc[("CenterFace", "45°, 90°"), "met"] == "yes"
    assert table.loc[("MTCNN", "0°"), "share"] == "20.00%"
    assert table.loc[("MTCNN", "0°"), "met"] == "—"
    assert [camera for _, camera in table.index[:4]] == ["0°", "45°", "90°", "45°, 90°"]


def test_what_was_asked_for_and_is_not_reached_is_said(judged):
    said = sheet.judged_sentence(judged)
    assert "Not reached: faces that MTCNN finds (98.00%, at least 99% were asked for); " in said
    assert "readings of sad (40.00%, at least 50%" in said
    assert "CenterFace finds" not in said
    assert "changed since" not in said
    judged["found"].pop("MTCNN")
    judged["expressions"]["confusion"]["sad"] = {"happy": 1, "sad": 9}
    reached = sheet.judged_sentence(judged | {"fingerprint": "0123"})
    assert "All that was asked for is reached." in reached
    assert "The set has changed since" in reached


def test_readings_are_judged_one_by_one_and_together_without_contempt(judged):
    table = sheet.read_table(judged)
    assert list(table.index) == ["happy", "sad", "all of these"]
    assert list(table["share"]) == ["90.00%", "40.00%", "65.00%"]
    assert list(table["met"]) == ["yes", "no", "no"]
    assert list(table["else read as"]) == ["sad 1", "happy 6", ""]
    confusion = sheet.confusion_table(judged)
    assert list(confusion.index) == ["contemptuous", "happy", "sad"]
    assert sheet.in_order(confusion.loc["contemptuous"].to_dict()) == "sad 7, happy 3"


# --- error rates


@pytest.fixture
def networks():
    run = {
        "task": "emotion",
        "profile": "quick",
        "size": 64,
        "seed": 0,
        "test_images": 100,
        "errors": 20,
        "confusion": {"sad": {"sad": 40, "neutral": 10}, "neutral": {"neutral": 40, "sad": 10}},
    }
    other = {**run, "seed": 1, "errors": 10}
    other["confusion"] = {"sad": {"sad": 42, "neutral": 8}, "neutral": {"neutral": 48, "sad": 2}}
    return sheet.networks({"runs": [run, other]})


def test_error_rates_stand_beside_what_was_asked_for(networks):
    table = sheet.rates_table(networks).loc[("emotion", "quick", 64)]
    assert list(table.index) == ["0", "1", "mean"]
    assert list(table["errors"]) == ["20 of 100", "10 of 100", "—"]
    assert list(table["error rate"]) == ["20.00%", "10.00%", "15.00%"]
    assert table.loc["1", "95 % interval"] == "5.52 to 17.44%"
    assert table.loc["mean", "95 % interval"] == "0.00 to 78.53%"
    assert list(table["within"]) == ["no", "yes", "no"]
    assert list(networks["within"]) == [False, True]
    assert set(table["asked for"]) == {"6 to 13%"}
    assert set(table["paper"]) == {"9.03%"}


def test_the_most_frequent_confusions_are_counted_over_all_networks(networks):
    table = sheet.confusions_table(networks, "emotion")
    first = table.iloc[0]
    assert (first["true"], first["taken for"], first["so often"]) == ("sad", "neutral", 18)
    assert (first["of all errors"], first["of its images"]) == ("60.00%", "18.00%")
    assert len(table) == 2


def test_error_rates_lie_in_the_panel_of_their_task(networks):
    figure = sheet.rates_figure(pd.concat([networks.assign(task="subject"), networks]))
    assert [axis.get_title() for axis in figure.axes] == ["identity", "emotion"]
    (dots,) = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert list(dots.get_xdata()) == [0.2, 0.1]


# --- figures


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


def test_everybody_is_there_once_in_the_order_given_above_the_colour_of_the_skin():
    faces = made_up_faces(4)
    axis = sheet.everybody_figure(faces, looks([3, 99, 1, 4, 2])).axes[0]
    assert [text.get_text() for text in axis.texts if text.get_text()] == ["3", "1", "4", "2"]
    shown = np.asarray(axis.images[0].get_array())
    table = faces.index.table
    chosen = table.query("subject == 3 and emotion == 'neutral' and gaze == 'frontal'")
    (row,) = chosen.index[chosen["angle"] == 90]
    assert (shown[:8, :8] == faces.images[row]).all()
    assert (shown[8:, :8] == [255, 128, 0]).all()


def test_skins_are_dots_of_their_own_colour_at_their_angle():
    people = looks([1, 2, 3])
    dots = sheet.tones_figure(people).axes[0].collections[0]
    assert dots.get_offsets()[:, 0].tolist() == people["angle"].tolist()
    assert dots.get_facecolor()[:, 0].tolist() == people["red"].tolist()


def test_values_are_columns_and_subjects_rows(rendered):
    figure = sheet.portraits_figure([3, 1], "emotion", EMOTIONS)
    ((shots, _),) = rendered
    assert list(shots["emotion"]) == [*EMOTIONS, *EMOTIONS]
    assert list(shots["subject"]) == [3] * 8 + [1] * 8
    assert set(shots["gaze"]) == {"frontal"}
    assert [axis.get_title() for axis in figure.axes] == [*EMOTIONS, *[""] * 8]
    assert figure.axes[8].get_ylabel() == "subject 1"
    assert sheet.portraits_figure([2], "angle", [180, 90]).axes[0].get_title() == "180°"


def test_numbers_stand_in_their_cells_and_nothing_where_there_is_none():
    strengths = pd.DataFrame({"happy": [0.0, 1.25]}, index=["browDown", "mouthPress"])
    axis = sheet.heat_map(strengths, "g", (3.0, 2.0)).axes[0]
    (text,) = axis.texts
    assert (text.get_text(), text.get_position()) == ("1.25", (0.5, 1.5))
    assert axis.get_yticklabels()[1].get_text() == "mouthPress"


def test_each_part_of_the_truth_has_its_colour_and_hidden_landmarks_are_open():
    parts = np.zeros((4, 4), np.uint8)
    parts[0, 0] = FacePart.MOUTH
    points, visible = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([True, False])
    marks = Landmarks(("chin", "nose-tip"), points, visible, (FacePart.CHIN, FacePart.NOSE))
    spec, axis = face_spec(1, "happy"), np.zeros(3)
    truth = Truth(spec, Camera(axis, axis, axis, axis, 1.0, (0.0, 0.0)), marks, parts)
    figure = sheet.truth_figure([truth], [np.full((4, 4, 3), 100, np.uint8)])
    image, drawn, over = figure.axes
    assert (np.asarray(image.images[0].get_array()) == 100).all()
    colours = np.asarray(drawn.images[0].get_array())
    assert (colours[0, 0] != colours[0, 1]).any()
    assert len(set(sheet._PART_COLOURS.values())) == len(FacePart)
    seen, hidden = over.collections
    assert seen.get_offsets().tolist() == [[0.5, 1.5]]
    assert len(seen.get_facecolor()) == 1
    assert hidden.get_offsets().tolist() == [[2.5, 0.5]]
    assert len(hidden.get_facecolor()) == 0
