"""Counts of chapter 3, what chance makes of them, and verdicts."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from tests.helpers.made_up import made_up_faces, made_up_run
from tinyvgg.chapters import misclassifications as chances
from tinyvgg.chapters import misclassifications as errors


@pytest.fixture(scope="module")
def faces():
    return made_up_faces(4)


def _places(faces, run, **wanted):
    table = faces.index.table.iloc[run.split.test]
    chosen = np.ones(len(table), bool)
    for column, value in wanted.items():
        chosen &= (table[column] == value).to_numpy()
    return [int(place) for place in np.flatnonzero(chosen)]


def test_chance_agrees_with_the_chi_squared_test():
    counts, images = np.array([40, 60, 62]), np.array([800, 800, 800])
    expected = chi2_contingency([counts, images - counts], correction=False).pvalue
    assert chances.chance(counts, images).p_value == pytest.approx(expected, abs=0.02)


def test_chance_finds_errors_that_pile_up():
    images = np.full(20, 30)
    piled, even = np.zeros(20, int), np.full(20, 2)
    piled[:2] = 20
    assert chances.chance(piled, images).p_value < 0.001
    assert chances.chance(even, images).p_value > 0.99
    found = chances.chance(piled, images)
    assert (found.involved, found.largest) == (2, 20)
    assert found.involved < found.involved_by_chance.low
    assert found.largest > found.largest_by_chance.high


def test_the_papers_identity_errors_are_what_chance_gives_and_its_emotion_errors_are_not():
    identity, emotion = chances.papers_subjects("subject"), chances.papers_subjects("emotion")
    low, high = identity.involved_by_chance
    assert low <= identity.involved <= high
    assert identity.largest <= identity.largest_by_chance.high
    assert emotion.involved < emotion.involved_by_chance.low


def test_the_counts_are_those_of_the_errors_made(faces):
    run = made_up_run(faces, "emotion")
    sad = _places(faces, run, emotion="sad")
    mistakes = dict.fromkeys(sad[:3], 5) | {sad[3]: 0}
    run = made_up_run(faces, "emotion", mistakes)
    found = errors.numbers(run)
    assert found["m2.emotion.errors"] == 4
    assert found["m2.emotion.sad_errors"] == 4
    assert found["m2.emotion.sad_as_neutral"] == 3
    assert found["m2.emotion.surprised_errors"] == 0
    assert sum(found[f"m2.emotion.errors_{a}"] for a in (45, 90, 135)) == 4
    table = errors.missed_table(run)
    assert table.index[0] == "sad"
    assert (table["most often taken for"].iloc[0], table["so often"].iloc[0]) == ("neutral", 3)


def test_the_worst_subject_is_named_by_its_number(faces):
    run = made_up_run(faces, "subject")
    first, third = _places(faces, run, subject=1), _places(faces, run, subject=3)
    run = made_up_run(faces, "subject", {first[0]: 1, third[0]: 0, third[1]: 1})
    found = errors.numbers(run)
    assert found["m1.subject.worst_subject"] == 3
    assert found["m1.subject.worst_subject_errors"] == 2
    assert found["m1.subject.subjects_involved"] == 2


def test_confusions_count_both_directions(faces):
    run = made_up_run(faces, "subject")
    first, third = _places(faces, run, subject=1), _places(faces, run, subject=3)
    run = made_up_run(faces, "subject", {first[0]: 2, first[1]: 2, third[0]: 0})
    table = errors.confusions(run)
    assert table.iloc[0].tolist()[:4] == ["1", "3", 2, 1]
    assert len(table) == 2


def test_verdict_on_identity_holds_for_errors_at_random(faces):
    verdict = errors.verdicts([made_up_run(made_up_faces(30), "subject", 0.05)])[0]
    assert verdict.claim == "M1"
    assert verdict.verdict == "holds"


def test_verdict_on_identity_does_not_hold_for_errors_of_one_subject_at_one_angle():
    faces = made_up_faces(20)
    run = made_up_run(faces, "subject")
    places = _places(faces, run, subject=1, angle=45)
    run = made_up_run(faces, "subject", dict.fromkeys(places, 4))
    assert errors.verdicts([run])[0].verdict == "does not hold"


def test_verdict_on_emotion_weighs_its_parts(faces):
    run = made_up_run(faces, "emotion")
    sad = _places(faces, run, emotion="sad")
    others = [
        _places(faces, run, emotion=e)[0]
        for e in ("angry", "happy", "fearful", "neutral", "contemptuous", "disgusted")
    ]
    run = made_up_run(faces, "emotion", dict.fromkeys(sad, 5) | dict.fromkeys(others, 6))
    verdict = errors.verdicts([run])[1]
    assert verdict.claim == "M2"
    assert verdict.verdict == "holds"
    run = made_up_run(faces, "emotion", dict.fromkeys(sad, 1) | dict.fromkeys(others, 6))
    assert errors.verdicts([run])[1].verdict == "holds in part"


def test_nothing_is_concluded_without_errors_or_without_learning(faces):
    perfect, hopeless = made_up_run(faces, "subject"), made_up_run(faces, "emotion", 1.0)
    verdicts = errors.verdicts([perfect, hopeless])
    assert {v.verdict for v in verdicts} == {"cannot be tested here"}
    assert "no error" in verdicts[0].reason
    assert "constant answer" in verdicts[1].reason
    assert len(errors.chance_table([perfect]))
    assert not len(errors.confusions(perfect))
    assert errors.confidence_table([perfect]).iloc[0, 1] == "—"


def test_no_cell_of_the_table_of_chances_is_blank(faces):
    folder = made_up_run(made_up_faces(10, kind="folder"), "class", 0.2)
    for run in (folder, made_up_run(faces, "subject", 0.2)):
        assert (errors.chance_table([run]) != "").all(axis=None)


def test_a_folder_has_rates_by_class_and_no_verdict():
    run = made_up_run(made_up_faces(10, kind="folder"), "class", 0.2)
    assert errors.numbers(run) == {}
    assert not len(errors.comparison([run]))
    assert list(errors.all_rates(run).index) == [("class", "cat"), ("class", "dog")]
    assert {v.verdict for v in errors.verdicts([run])} == {"cannot be tested here"}
