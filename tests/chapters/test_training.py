"""Network, accuracy, overfitting and the figures of chapter 2, curves that grow among them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers.made_up import made_up_faces, made_up_run
from tinyvgg import paper
from tinyvgg.chapters import style, training
from tinyvgg.chapters.statistics import difference_interval, proportion_interval
from tinyvgg.chapters.verdicts import endings
from tinyvgg.trace import record
from tinyvgg.training.tiny_vgg import TinyVGG


@pytest.fixture(scope="module")
def faces():
    return made_up_faces(12)


@pytest.fixture(scope="module")
def folder():
    return made_up_run(made_up_faces(6, kind="folder"), "class", 0.5)


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_the_network_of_the_paper_is_table_1_layer_by_layer(faces):
    run = made_up_run(faces, "subject")
    run = run.having(model=TinyVGG(12, run.experiment.size, 32, (1024, 512, 256)).eval())
    table = training.network_table(run)
    assert (table["Table 1"].iloc[:-1] == table["layer, this run"].iloc[:-1]).all()
    assert table.iloc[-1, :2].tolist() == ["dense, 67 neurons", "dense, 12 neurons"]
    assert table.iloc[8, 2:4].tolist() == ["28 × 28 × 32", "1 × 1 × 32"]
    other = training.network_table(run.having(experiment=replace(run.experiment, task="class")))
    assert set(other.iloc[-1, [0, 2]]) == {"one neuron a class"}
    total = sum(int(text.replace(",", "")) for text in table["parameters"])
    assert total == training.parameters(run.model)


def test_another_network_is_not_table_1_and_another_recipe_not_the_papers(folder):
    table = training.network_table(folder)
    assert len(table) == 11
    assert set(table["Table 1"]) == set(table["output, paper"]) == {paper.NOTHING}
    recipe = replace(folder.experiment.recipe, rate=0.1, epochs=100)
    history = pd.DataFrame({"train_error": [0.5] * 100})
    experiment = replace(folder.experiment, recipe=recipe)
    other = folder.having(experiment=experiment, history=history)
    found = training.shown([other])
    assert "not every layer" in found["T1"]
    assert "8 × 8 pixels instead of 224 × 224" in found["T1"]
    assert "learning rate 0.1 instead of 0.01, epochs 100" in found["P1"]
    assert not found["P1"].endswith("100 instead of 100")


def test_training_errors_are_those_of_the_final_weights(faces):
    run = made_up_run(faces, "emotion")
    answers = run.model(faces.tensor(run.split.train)).argmax(1).numpy()
    expected = (answers != faces.index.labels("emotion")[run.split.train]).sum()
    assert training.train_errors(run) == expected


def test_the_last_epochs_are_counted_from_the_end(faces):
    history = pd.DataFrame({"train_error": [0.5, 0, 0.1, 0, 0, 0], "test_error": 0.25})
    run = made_up_run(faces, "emotion", 0.25)
    images = len(run.labels)
    history["test_error"] = np.array([90, 40, 30, 50, 45, 35]) / images
    found = training.last_epochs(run.having(history=history))
    assert (found["p1.emotion.epochs"], found["p1.emotion.clean_epochs"]) == (6, 3)
    assert [found[f"t2.emotion.last_errors_{n}"] for n in range(1, 6)] == [40, 30, 50, 45, 35]
    assert found["t2.emotion.last_spread"] == pytest.approx(20 / 40)
    assert len(training.last_epochs(run.having(history=history[:4]))) == 2


def test_a_gap_has_the_error_of_two_means_over_images(faces):
    run = made_up_run(faces, "emotion", 0.25)
    found, images = training.gap_estimate(run, 20), len(run.split.train)
    answers = np.isin(np.arange(len(run.labels)), run.errors), np.arange(images) < 20
    error = sum(np.var(wrong, ddof=1) / len(wrong) for wrong in answers) ** 0.5
    assert found == pytest.approx((training.gap(run, 20)[0], error))


def test_the_table_shows_the_gap_and_its_interval(faces):
    run = made_up_run(faces, "emotion", 0.25)
    images = len(run.labels)
    none, some = (proportion_interval(wrong, images) for wrong in (0, images // 4))
    gap, interval = training.gap(run, 0)
    assert gap == pytest.approx(0.25)
    assert interval == difference_interval(0.25, some, 0.0, none)
    row = training.gap_table([run], [0]).loc["emotion"]
    assert (row["training error"], row["test error"]) == ("0.00%", "25.00%")


def test_the_deconvnet_undoes_each_stage_in_turn_and_the_diagram_writes_every_shape():
    trace = record(TinyVGG(5, 16, 4, (12, 6)).eval(), torch.rand(1, 3, 16, 16))
    stages, sizes = training.forward_stages(trace), [16, 16, 16, 8, 8, 8, 4, 4, 4, 2]
    assert [stage.size for stage in stages[:10]] == sizes
    assert [stage.channels for stage in stages] == [3, *[4] * 9, 12, 6, 5]
    back = training.backward_stages(stages)
    assert [stage.size for stage in back] == sizes[::-1]
    assert [stage.kind for stage in back[1:4]] == ["pooling", "convolution", "convolution"]
    assert (back[-1].channels, back[-2].channels) == (3, 4)
    texts = [text.get_text() for text in training.diagram(trace).axes[0].texts]
    assert (texts.count("16²\n× 3"), texts.count("2²\n× 4"), texts.count("switches")) == (2, 2, 3)


def test_the_curves_are_those_of_the_history(faces, folder):
    run = made_up_run(faces, "emotion", 0.25)
    figure = training.error_rates([made_up_run(faces, "subject"), run])
    drawn = lines(figure.axes[1])
    assert list(drawn["test, after an epoch"].get_ydata()) == list(run.history["test_error"])
    assert drawn["network that is analysed"].get_ydata()[0] == run.history["test_error"].iloc[-1]
    assert drawn["best on the test part"].get_xdata()[0] == 4
    assert drawn["constant answer"].get_ydata()[0] == pytest.approx(7 / 8)
    assert drawn["paper, at the end"].get_ydata()[0] == pytest.approx(1 - 0.9097)
    colours = {line.get_color() for line in figure.legends[0].get_lines()}
    assert not colours & set(style.TASK_COLOURS.values())
    assert "paper, at the end" not in lines(training.error_rates([folder]).axes[0])


def test_how_training_ended_is_said_of_networks_that_do_not_ship(faces):
    run = made_up_run(faces, "emotion", 0.25)
    assert endings(run).data == f"Training for emotion ended {run.ended}."
    assert endings(run.having(manifest={**run.manifest, "rounded": "float16"})) is None


def test_epochs_without_a_test_leave_no_gap(faces):
    run = made_up_run(faces, "emotion", 0.25)
    run.history.loc[1, ["test_loss", "test_error"]] = np.nan
    (axis,) = training.error_rates([run]).axes
    drawn = lines(axis)["test, after an epoch"]
    assert list(drawn.get_xdata()) == [1, 3, 4, 5]
    assert np.isfinite(drawn.get_ydata()).all()
    assert np.isfinite(axis.collections[0].get_paths()[0].vertices).all()


def test_a_training_is_drawn_with_when_and_why_it_ended(faces):
    labels = [
        axis.get_xlabel() for axis in training.error_rates([made_up_run(faces, "subject")]).axes
    ]
    assert labels[0].startswith("epoch\nended after 5 epochs")
    run = made_up_run(faces, "emotion", 0.25)
    assert endings(run).data == f"Training for emotion ended {run.ended}."
