"""What the figures of chapter 3 show."""

import numpy as np
import pytest

from tests.helpers.made_up import made_up_faces, made_up_run, sentence
from tinyvgg.chapters import misclassifications as errors


@pytest.fixture(scope="module")
def faces():
    return made_up_faces()


@pytest.fixture(scope="module")
def runs(faces):
    return [made_up_run(faces, "subject", 0.2), made_up_run(faces, "emotion", 0.3)]


def test_rates_have_a_row_for_every_level_and_the_papers_where_it_has_them(runs):
    figure = errors.rates_figure(runs)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[:4] == ["45°", "90°", "135°", "gaze frontal"]
    assert {"sad", "female", "Moroccan"} <= set(labels)
    paper = [line for line in figure.axes[1].lines if line.get_label() == "paper"]
    assert len(paper[0].get_xdata()) == 5


def test_the_papers_rate_of_an_emotion_is_by_its_own_test_images():
    assert errors.papers_rates("emotion")["sad"] == pytest.approx(57 / 303)
    assert errors.papers_rates("subject")["45"] == pytest.approx(17 / 804)
    assert errors.papers_rates("class") == {}


def test_subjects_have_a_tick_each(runs):
    figure = errors.subjects_figure(runs)
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == ["1", "2", "3"]


def test_a_small_confusion_matrix_shows_its_numbers(faces):
    run = made_up_run(faces, "emotion", {0: 7})
    shown = errors.confusion_figure(run).axes[0]
    numbers = [int(text.get_text()) for text in shown.texts]
    assert sum(numbers) == len(run.labels)
    image = shown.images[0].get_array()
    assert image.sum() == 1
    assert image[run.labels[0], 7] == 1


def test_a_large_confusion_matrix_colours_errors_only():
    run = made_up_run(made_up_faces(14), "subject", {0: 5, 1: 5})
    axes = errors.confusion_figure(run).axes[0]
    assert not axes.texts
    assert axes.images[0].get_array().sum() == 2


def test_surest_errors_come_first(runs):
    run = runs[1]
    chosen = errors.surest_errors(run, 7)
    sure = run.probabilities.max(1)
    assert len(chosen) == 7
    assert set(chosen) <= set(run.errors)
    assert list(sure[chosen]) == sorted(sure[run.errors], reverse=True)[:7]


def test_the_truth_is_always_among_the_classes_shown():
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    assert list(errors.top_classes(probabilities, 0)) == [0, 1, 2]
    assert list(errors.top_classes(probabilities, 3)) == [0, 1, 3]
    assert list(errors.top_classes(np.array([0.4, 0.6]), 0)) == [1, 0]


def test_a_gallery_shows_as_many_errors_as_asked_for(runs):
    figure = errors.gallery(runs[1], most=8, columns=4)
    assert sum(len(axes.images) for axes in figure.axes) == 8
    assert f"8 of {len(runs[1].errors)} errors" in figure.get_suptitle()


def test_a_counterpart_differs_in_the_task_alone(faces):
    run = made_up_run(faces, "emotion", 0.5)
    table = faces.index.table
    label = int(run.labels[run.errors][0])
    pairs = errors.counterparts(run, label)
    assert len(pairs) == int((run.labels[run.errors] == label).sum())
    for pair in pairs.itertuples():
        error, other = table.loc[pair.row], table.loc[pair.counterpart]
        assert other["emotion"] == pair.taken_for != error["emotion"]
        for factor in ("subject", "gaze", "angle"):
            assert error[factor] == other[factor]


def test_the_worst_class_is_the_one_with_most_errors(faces):
    run = made_up_run(faces, "subject", {0: 1, 1: 1, 40: 0})
    figure = errors.worst_figure(run)
    assert "identity: 1, 2 of 2 errors" in figure.get_suptitle()
    assert [axes.get_title() for axes in figure.axes[7:9]] == ["as 2", "as 2"]


def test_without_errors_a_figure_says_so(faces):
    run = made_up_run(faces, "subject")
    for draw in (errors.gallery, errors.worst_figure):
        assert "makes no error" in sentence(draw(run))


def test_a_folder_of_classes_is_drawn_or_says_what_it_lacks():
    run = made_up_run(made_up_faces(12, kind="folder"), "class", 0.3)
    assert [t.get_text() for t in errors.rates_figure([run]).axes[0].get_yticklabels()] == [
        "cat",
        "dog",
    ]
    assert "does not say who" in sentence(errors.subjects_figure([run]))
    assert "(folder x)" in errors.rates_figure([run]).axes[0].get_title()
    assert sum(len(axes.images) for axes in errors.gallery(run).axes) == len(run.errors)
