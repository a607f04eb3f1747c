"""What the figures of chapter 2 show."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers.made_up import made_up_faces, made_up_run
from tinyvgg.chapters import style
from tinyvgg.chapters.training import (
    backward_stages,
    diagram,
    error_rates,
    forward_stages,
    loss_and_error,
)
from tinyvgg.trace import record
from tinyvgg.training.tiny_vgg import TinyVGG


@pytest.fixture
def trace():
    return record(TinyVGG(5, 16, 4, (12, 6)).eval(), torch.rand(1, 3, 16, 16))


def test_the_stages_have_the_models_sizes(trace):
    stages = forward_stages(trace)
    assert [stage.size for stage in stages[:10]] == [16, 16, 16, 8, 8, 8, 4, 4, 4, 2]
    assert [stage.channels for stage in stages] == [3, *[4] * 9, 12, 6, 5]
    assert [stage.kind for stage in stages[:4]] == [
        "image",
        "convolution",
        "convolution",
        "pooling",
    ]


def test_the_deconvnet_undoes_each_stage_in_turn(trace):
    back = backward_stages(forward_stages(trace))
    assert [stage.size for stage in back] == [2, 4, 4, 4, 8, 8, 8, 16, 16, 16]
    assert back[1].kind == "unpooling"
    assert back[2].kind == "deconvolution"
    assert (back[-1].channels, back[-2].channels) == (3, 4)


def test_the_diagram_writes_every_shape_in_both_directions(trace):
    texts = [text.get_text() for text in diagram(trace).axes[0].texts]
    assert texts.count("16²\n× 3") == 2
    assert texts.count("2²\n× 4") == 2
    assert texts.count("switches") == 3
    assert "12" in texts


def test_the_curves_are_those_of_the_history():
    faces = made_up_faces()
    run = made_up_run(faces, "emotion", 0.25)
    figure = error_rates([made_up_run(faces, "subject"), run])
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    assert list(lines["test, after the epoch"].get_ydata()) == list(run.history["test_error"])
    assert lines["network of this book"].get_ydata()[0] == run.history["test_error"].iloc[-1]
    assert lines["best on the test part"].get_xdata()[0] == 4
    assert lines["constant answer"].get_ydata()[0] == pytest.approx(7 / 8)
    assert lines["paper, at the end"].get_ydata()[0] == pytest.approx(1 - 0.9097)


def test_the_legend_has_no_colour_of_a_single_task():
    faces = made_up_faces()
    runs = [made_up_run(faces, task) for task in ("subject", "emotion")]
    (legend,) = error_rates(runs).legends
    colours = {line.get_color() for line in legend.get_lines()}
    assert not colours & set(style.TASK_COLOURS.values())
    (legend,) = error_rates(runs[:1]).legends
    assert style.BLUE in {line.get_color() for line in legend.get_lines()}


def test_a_task_that_the_paper_lacks_has_no_line_of_the_paper():
    run = made_up_run(made_up_faces(8, kind="folder"), "class")
    labels = [line.get_label() for line in error_rates([run]).axes[0].lines]
    assert "paper, at the end" not in labels


def test_loss_and_error_stand_beside_those_of_a_constant_answer():
    run = made_up_run(made_up_faces(6, kind="folder"), "class", 0.5)
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "train_loss": [0.9, 0.8],
            "test_loss": [0.7, 0.6],
            "train_error": [0.5, 0.4],
            "test_error": [0.3, 0.2],
        }
    )
    loss, error = loss_and_error(replace(run, history=history)).axes
    constant, training, test = (list(line.get_ydata()) for line in loss.lines)
    assert constant == pytest.approx([np.log(2)] * 2)
    assert (training, test) == ([0.9, 0.8], [0.7, 0.6])
    constant, training, test = (list(line.get_ydata()) for line in error.lines)
    assert constant == [0.5, 0.5]
    assert (training, test) == ([0.5, 0.4], [0.3, 0.2])
    assert error.get_ylim()[1] > 0.5
