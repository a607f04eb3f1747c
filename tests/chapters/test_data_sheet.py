"""What the data sheet says and shows of the synthetic set."""

import numpy as np
import pandas as pd
import pytest

from synthfaces import SUBJECTS, fingerprint
from tests.helpers.made_up import made_up_faces
from tinyvgg.chapters import data_sheet as sheet
from tinyvgg.training.experiments import Study
from tinyvgg.training.settings import PROFILES


def study_of(source: str) -> Study:
    return Study(PROFILES["smoke"], source, 0, progress=False)


@pytest.fixture
def rendered(monkeypatch):
    """Takes the place of the renderer and keeps what was asked of it."""
    asked = []

    def render(table, size, *_, **__):
        asked.append((table, size))
        return np.zeros((len(table), size, size, 3), np.uint8)

    monkeypatch.setattr(sheet.synthfaces, "render", render, raising=False)
    return asked


def test_everybody_is_listed_once_the_lightest_first():
    people = sheet.looks()
    assert sorted(people["subject"]) == sorted(SUBJECTS)
    assert people["angle"].is_monotonic_decreasing
    assert people[["red", "green", "blue"]].to_numpy().min() >= 0
    mean = people.groupby("group")["angle"].mean()
    assert mean["Caucasian"] > mean["Moroccan"] + 10
    assert (people["tone"] == "very light").sum() == (people["angle"] > 55).sum()


@pytest.mark.parametrize("source", ["folder:x", "synthetic:noise=0.02"])
def test_the_sheet_shows_the_usual_set_whatever_a_study_works_on(source, rendered):
    faces = sheet.synthetic_faces(study_of(source))
    assert [(len(asked), size) for asked, size in rendered] == [(4, 32)]
    assert set(faces.index.table["emotion"]) == {"neutral"}
    assert faces.fingerprint == fingerprint(32, 0)


@pytest.fixture
def judged():
    """Two emotions and contempt, shown ten times each; one detector misses a face at the side."""

    def counts(shown, found):
        return {"shown": shown, "found": found, "elsewhere": shown - found, "missed": []}

    contempt, happy, sad = ({"happy": count, "sad": 10 - count} for count in (3, 9, 6))
    confusion = {"contemptuous": contempt, "happy": happy, "sad": sad}
    about = {
        "source": "synthetic",
        "size": 224,
        "seed": 0,
        "subjects": 67,
        "judges": {"detector": "1.0"},
    }
    return about | {
        "fingerprint": fingerprint(224, 0),
        "found": {
            "MTCNN": {"0": counts(10, 2), "90": counts(60, 60), "45": counts(40, 38)},
            "CenterFace": {"0": counts(10, 10), "90": counts(60, 60), "45": counts(40, 40)},
        },
        "expressions": {"confusion": confusion},
    }


def test_faces_found_are_summed_over_the_angles_that_were_asked_for(judged):
    reached = sheet.requirements(judged)
    assert reached["faces that MTCNN finds"] == (0.98, 0.99)
    assert reached["faces that CenterFace finds"] == (1.0, 0.99)


def test_what_was_asked_for_and_is_not_reached_is_said(judged):
    said = sheet.judged_sentence(judged)
    assert "missed: faces that MTCNN finds (98.0%, at least 99% were asked for); " in said
    assert "readings of sad (40.0%, at least 50%" in said
    assert "CenterFace finds" not in said
    judged["found"].pop("MTCNN")
    judged["expressions"]["confusion"]["sad"] = {"happy": 1, "sad": 9}
    assert "All targets were met." in sheet.judged_sentence(judged)


def test_readings_are_judged_one_by_one_and_together_without_contempt(judged):
    reached = sheet.requirements(judged)
    read = {name: share for name, share in reached.items() if "readings" in name}
    assert {name: share for name, (share, _) in read.items()} == {
        "readings of happy": 0.9,
        "readings of sad": 0.4,
        "all readings together": 0.65,
    }
    confusion = sheet.confusion_table(judged)
    assert list(confusion.index) == ["contemptuous", "happy", "sad"]
    assert sheet.weakest(confusion).endswith(": sad. The classifier reads 6 of 10 as happy.")
    assert sheet.read_right({"happy": 9, "sad": 1}, "happy") == "90% (60% to 98%, 10 images)"


def test_the_share_of_the_face_stands_beside_what_was_asked_for():
    shares = {"face": 0.46, "ears, hair, neck": 0.23, "background": 0.31}
    made = {"by_angle": {"45": shares}}
    table = sheet.areas_table({"synthetic": made, "synthetic:crop=head": made})
    assert table.loc[("synthetic", "45°"), "face"] == "46.0% (asked for: at least 45%)"
    assert table.loc[("synthetic", "45°"), "background"] == "31.0% (at most 30%)"
    assert table.loc[("synthetic:crop=head", "45°"), "face"] == "46.0%"


def test_everybody_is_there_once_in_the_order_given_above_the_colour_of_the_skin():
    people = pd.DataFrame({"subject": [3, 99, 1, 4, 2], "red": 1.0, "green": 0.5, "blue": 0.0})
    faces = made_up_faces(4)
    first, *others = sheet.everybody_figure(faces, people).axes
    assert [axis.get_title() for axis in (first, *others)] == ["3", "1", "4", "2"]
    shown = np.asarray(first.images[0].get_array())
    table = faces.index.table
    chosen = table.query("subject == 3 and emotion == 'neutral' and gaze == 'frontal'")
    (row,) = chosen.index[chosen["angle"] == 90]
    assert (shown[:8] == faces.images[row]).all()
    assert (shown[8:] == [255, 128, 0]).all()
