"""Design, splits and verdicts of chapter 1."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.helpers.made_up import made_up_faces
from tinyvgg import paper
from tinyvgg.chapters import data
from tinyvgg.faces.index import Faces
from tinyvgg.faces.splits import Split
from tinyvgg.training.experiments import Study
from tinyvgg.training.settings import PROFILES


@dataclass(frozen=True)
class MadeUpStudy(Study):
    """A study whose faces are at hand."""

    ready: Faces | None = None

    @property
    def faces(self):
        return self.ready


def study_of(faces):
    return MadeUpStudy(PROFILES["smoke"], faces.source, 0, progress=False, ready=faces)


@pytest.fixture(scope="module")
def everyone():
    return study_of(made_up_faces(67))


@pytest.fixture(scope="module")
def few():
    return study_of(made_up_faces(4))


def test_the_design_is_the_papers(everyone):
    table = data.design_table(everyone.faces)
    assert list(table.loc["images"]) == ["8,040", "4,824", "8,040", "4,824"]
    assert list(table.loc["angles"]) == ["5", "3", "5", "3"]


def test_both_readings_of_the_emotion_split_have_the_papers_counts(everyone):
    table = data.split_table(everyone.faces.index, data.readings(everyone))
    assert list(table.loc["identity"].iloc[0][["train", "test"]]) == [2412, 2412]
    assert list(table.loc[("emotion", data.TABLE)][["train", "test"]]) == [2400, 2424]
    assert list(table.loc[("emotion", data.TEXT)][["train", "test"]]) == [2424, 2400]
    assert (table[["in both", "in neither"]] == 0).all(axis=None)


def test_an_image_in_both_parts_would_be_counted(few):
    parts = few.split("subject")
    wrong = Split(parts.train, np.append(parts.test[1:], parts.train[0]))
    row = data.split_table(few.faces.index, {("subject", data.HALF): wrong}).iloc[0]
    assert (row["in both"], row["in neither"]) == (1, 1)


def test_only_the_table_fits_the_printed_accuracy():
    table = data.reading_table()
    assert list(table["agree"]) == ["yes", "no"]


def test_twins_differ_in_gaze_alone(few):
    faces, table = few.faces, few.faces.index.table
    shot = (table["subject"] == 1) & (table["emotion"] == "sad") & (table["angle"] == 90)
    left, frontal, right = (
        int(np.flatnonzero(shot & (table["gaze"] == gaze))[0])
        for gaze in ("left", "frontal", "right")
    )
    alone = int(np.flatnonzero((table["subject"] == 2) & (table["angle"] == 45))[0])
    parts = Split(np.array([left]), np.array([frontal, right, alone]))
    found = data.nearness(faces, parts)
    assert found["twin, other gaze"] == pytest.approx(2 / 3)
    assert found["same shot, other camera"] == 0
    assert found["equal pixels"] == 0


def test_equal_pixels_in_both_parts_are_found(few):
    images = few.faces.images.copy()
    images[5] = images[9]
    faces = Faces("synthetic", few.faces.index, images, "x")
    assert data.nearness(faces, Split(np.array([5]), np.array([9, 10])))["equal pixels"] == 0.5


def test_verdicts_hold_for_the_whole_design_but_for_what_is_smaller(everyone):
    found = {v.claim: v for v in data.verdicts(everyone)}
    assert {found[c].verdict for c in ("D1", "D3", "F1", "F2")} == {"holds"}
    assert found["D2"].verdict == "holds in part"
    assert "for 224" in found["D2"].reason
    assert found["D4"].verdict == "holds in part"


def test_verdicts_do_not_hold_for_a_few_subjects(few):
    found = {v.claim: v.verdict for v in data.verdicts(few)}
    assert found["D1"] == "holds in part"
    assert found["D3"] == "does not hold"


def test_a_folder_lacks_the_design():
    study = study_of(made_up_faces(6, kind="folder"))
    assert "does not say which subject, emotion, gaze or angle" in data.lacking(study.faces.index)
    assert "synthetic, all" not in data.design_table(study.faces)
    assert {v.verdict for v in data.verdicts(study)} == {"cannot be tested here"}
    assert data.people_table(study.faces)["images"].to_dict() == {"cat": 6, "dog": 6}
    splits = data.readings(study)
    assert list(data.split_table(study.faces.index, splits)["train"]) == [6]
    assert list(data.nearness_table(study.faces, splits).columns) == ["equal pixels"]


def test_the_chapter_says_what_it_works_on(few):
    assert data.at_hand(few.faces).startswith("This run works on 288 of the synthetic faces.")
    said = data.at_hand(made_up_faces(6, kind="folder"))
    assert said.startswith("This run works on 12 images of the folder `x`.")
    assert "does not say which subject, emotion, gaze or angle an image shows. What asks" in said
    assert "left out" not in data.at_hand(few.faces)


def test_twins_are_told_for_each_task_and_not_at_all_where_they_are_not_known(few):
    ours = data.numbers(few, data.readings(few))
    shares = [f"{ours[key]:.1%}" for key in ("d3.subject.twins", "d4.emotion.twins")]
    assert data.twins_sentence(few.faces.index, ours) == (
        f"In this run {shares[0]} of the test images for identity and {shares[1]} of the test"
        " images for emotion have a twin that was learned."
    )
    folder = study_of(made_up_faces(6, kind="folder"))
    said = data.twins_sentence(folder.faces.index, data.numbers(folder, data.readings(folder)))
    assert said.startswith("How many images of this run have a twin is not known. This source")


def test_the_numbers_of_a_folder_do_not_speak_of_subjects_or_angles():
    folder = study_of(made_up_faces(6, kind="folder"))
    keys = data.numbers(folder, data.readings(folder))
    labels = [
        paper.describe(key).label for key, value in keys.items() if ".class." in key and value
    ]
    assert "training images per class" in labels
    assert not [label for label in labels if "subject" in label or "angle" in label]
