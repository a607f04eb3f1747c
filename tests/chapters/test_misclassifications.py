"""Counts of chapter 3, what chance makes of them, verdicts and figures."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from tests.helpers.made_up import made_up_faces, made_up_run
from tinyvgg.chapters import misclassifications as errors
from tinyvgg.faces.index import FaceIndex


@pytest.fixture(scope="module")
def faces():
    return made_up_faces(4)


@pytest.fixture(scope="module")
def runs(faces):
    return [made_up_run(faces, "subject", 0.2), made_up_run(faces, "emotion", 0.3)]


def places(faces, task, **wanted):
    """Places in the test part of a task of the images with these values."""
    table = errors.tested(made_up_run(faces, task))
    return list(np.flatnonzero(np.all([table[c] == v for c, v in wanted.items()], axis=0)))


def test_chance_agrees_with_the_chi_squared_test_and_finds_errors_that_pile_up():
    counts, images = np.array([40, 60, 62]), np.array([800, 800, 800])
    expected = chi2_contingency([counts, images - counts], correction=False).pvalue
    assert errors.chance(counts, images).p_value == pytest.approx(expected, abs=0.02)
    images = np.full(20, 30)
    piled, even = np.zeros(20, int), np.full(20, 2)
    piled[:2] = 20
    assert errors.chance(even, images).p_value > 0.99
    found = errors.chance(piled, images)
    assert found.p_value < 0.001
    assert found.involved == 2 < found.involved_by_chance.low
    assert found.largest == 20 > found.largest_by_chance.high


def test_spread_of_errors_is_measured_in_units_of_what_chance_gives():
    errors_, images = np.array([7, 1, 4]), np.array([30, 24, 6])
    draw = np.random.default_rng(5)
    rows = np.repeat(range(3), images)
    draws = [np.bincount(draw.choice(rows, 12, False), minlength=3) for _ in range(4000)]
    expected = 12 * images / 60
    statistics = [((counts - expected) ** 2 / expected).sum() for counts in [errors_, *draws]]
    uneven = statistics[0] / np.mean(statistics[1:])
    involved = 3 / np.mean([(counts > 0).sum() for counts in draws])
    assert errors.unevenness(errors_, images) == pytest.approx(uneven, rel=0.05)
    assert errors.involvement(errors_, images) == pytest.approx(involved, rel=0.01)
    for nothing in (np.zeros(3, int), images):
        assert np.isnan(errors.unevenness(nothing, images))
    assert np.isnan(errors.involvement(np.zeros(3, int), images))


def test_sad_and_surprised_are_compared_with_the_nearest_of_the_other_emotions(faces):
    sad, happy = (places(faces, "emotion", emotion=name) for name in ("sad", "happy"))
    run = made_up_run(faces, "emotion", dict.fromkeys(sad[:3], 5) | {sad[3]: 0, happy[0]: 6})
    found = errors.spread(run)
    assert found["m2.emotion.sad_most"].value == pytest.approx(4 / len(sad) - 1 / len(happy))
    assert found["m2.emotion.surprised_least"].value == 0
    assert found["m2.emotion.sad_as_neutral_share"] == pytest.approx((0.75, 0.25))
    perfect = errors.spread(made_up_run(faces, "emotion"))
    assert np.isnan(perfect["m2.emotion.sad_as_neutral_share"].value)
    assert set(errors.spread(made_up_run(faces, "subject", 0.2))) == {
        "m1.subject.involved",
        "m1.subject.uneven_angles",
    }


def test_the_papers_identity_errors_are_what_chance_gives_and_its_emotion_errors_are_not():
    identity, emotion = (errors.papers_chances(t)["subject"] for t in ("subject", "emotion"))
    assert identity.involved_by_chance.low <= identity.involved <= identity.involved_by_chance.high
    assert identity.largest <= identity.largest_by_chance.high
    assert emotion.involved < emotion.involved_by_chance.low
    by_emotion = errors.papers_chances("emotion")["emotion"]
    assert by_emotion.largest > by_emotion.largest_by_chance.high
    assert by_emotion.least < by_emotion.least_by_chance.low
    assert errors.papers_chances("class") == {}
    assert [errors.show_p(found) for found in (identity, None)] == ["—", "—"]


def test_the_counts_are_those_of_the_errors_made(faces):
    sad = places(faces, "emotion", emotion="sad")
    run = made_up_run(faces, "emotion", dict.fromkeys(sad[:3], 5) | {sad[3]: 0})
    found = errors.counts(run)
    assert found["m2.emotion.errors"] == (4, len(run.labels))
    assert found["m2.emotion.sad_errors"] == (4, len(sad))
    assert found["m2.emotion.sad_as_neutral"] == (3, len(sad))
    assert found["m2.emotion.surprised_errors"][0] == 0
    assert sum(found[f"m2.emotion.errors_{a}"][0] for a in (45, 90, 135)) == 4
    first = errors.missed_table(run).iloc[0]
    assert first.name == "sad"
    assert (first["most often taken for"], first["times"]) == ("neutral", 3)


def test_the_worst_subject_is_named_with_the_one_it_is_taken_for(faces):
    first, third = (places(faces, "subject", subject=subject) for subject in (1, 3))
    run = made_up_run(faces, "subject", {first[0]: 2, first[1]: 2, third[0]: 0})
    found = errors.counts(run)
    wanted = {"worst_subject": 1, "worst_subject_errors": 2, "subjects_involved": 2}
    assert all(found[f"m1.subject.{name}"] == (value, None) for name, value in wanted.items())
    table = errors.missed_table(run)
    assert table[["errors", "most often taken for", "times"]].iloc[:2].to_numpy().tolist() == [
        [2, "3", 2],
        [1, "1", 1],
    ]


def test_subjects_may_have_names_and_nothing_else_be_known(faces):
    table = faces.index.table[["path", "subject", "source"]].astype({"subject": str})
    run = made_up_run(replace(faces, index=FaceIndex(table)), "subject", 0.5)
    assert errors.counts(run)["m1.subject.worst_subject"][0] in run.classes
    assert errors.rates_figure([run]) is None


def test_a_network_without_errors_has_nothing_to_show(faces):
    run = made_up_run(faces, "subject", {0: 2, 1: 2})
    assert errors.confused_pair(run)[1] == 2
    perfect = made_up_run(faces, "subject")
    assert not errors.missed(perfect)["errors"].any()
    assert errors.gallery(perfect) is None


def test_a_folder_has_rates_by_class_and_no_counts_of_the_papers():
    folder = made_up_run(made_up_faces(12, kind="folder"), "class", 0.3)
    assert errors.counts(folder) == errors.spread(folder) == {}
    axes = errors.rates_figure([folder]).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog"]
    assert "(folder x)" in axes.get_title()


def test_rates_have_a_row_for_every_level(runs):
    figure = errors.rates_figure(runs)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[:4] == ["45°", "90°", "135°", "gaze frontal"]
    assert {"sad", "female", "Moroccan"} <= set(labels)


def test_a_small_confusion_matrix_shows_its_numbers_a_large_one_colours_errors(faces):
    run = made_up_run(faces, "emotion", {0: 7})
    axes = errors.confusion_figure(run).axes[0]
    numbers = [int(text.get_text()) for text in axes.texts if text.get_text()]
    assert sum(numbers) == len(run.labels)
    shown = axes.collections[0].get_array()
    assert (shown.sum(), shown[run.labels[0], 7]) == (1, 1)
    large = made_up_run(made_up_faces(14), "subject", {0: 5, 1: 5})
    axes = errors.confusion_figure(large).axes[0]
    assert not axes.texts
    assert axes.collections[0].get_array().sum() == 2


def test_a_gallery_shows_the_surest_errors_with_the_truth_among_the_classes(runs):
    run = runs[1]
    figure = errors.gallery(run, most=8, columns=4)
    assert f"8 of {len(run.errors)} errors" in figure.get_suptitle()
    pictures, bars = ([a for a in figure.axes if getattr(a, of)] for of in ("images", "patches"))
    assert len(pictures) == len(bars) == 8
    shown = [axes.patches[0].get_width() for axes in bars]
    assert shown == pytest.approx(sorted(run.probabilities[run.errors].max(1), reverse=True)[:8])
    for picture, bar in zip(pictures, bars, strict=True):
        true = picture.get_title().split(" as ")[0].rstrip(".")
        assert any(text.get_text().startswith(true) for text in bar.texts)
