"""Network, recipe, accuracy and over-fitting of chapter 2."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.made_up import made_up_faces, made_up_run
from tinyvgg import paper
from tinyvgg.chapters import statistics as metrics
from tinyvgg.chapters import training
from tinyvgg.chapters import training as recipes
from tinyvgg.chapters.statistics import Interval, proportion_interval
from tinyvgg.training.experiments import Study
from tinyvgg.training.settings import PROFILES
from tinyvgg.training.tiny_vgg import TinyVGG


@pytest.fixture(scope="module")
def faces():
    return made_up_faces(4)


def run_of(faces, task="subject", mistakes=0.0, **network):
    run = made_up_run(faces, task, mistakes)
    if not network:
        return run
    return replace(run, model=TinyVGG(len(run.classes), run.experiment.size, **network).eval())


def test_the_network_of_the_paper_is_table_1_layer_by_layer(faces):
    table = recipes.network_table(run_of(faces, maps=32, dense=(1024, 512, 256)))
    assert (table["Table 1"].iloc[:-1] == table["this run"].iloc[:-1]).all()
    assert table["Table 1"].iloc[-1] == "dense, 67 neurons"
    assert table["this run"].iloc[-1] == "dense, 4 neurons"
    assert table["output, paper"].iloc[8] == "28 × 28 × 32"
    assert table["output, this run"].iloc[8] == "1 × 1 × 32"


def test_another_network_is_not_table_1(faces):
    found = {v.claim: v.verdict for v in training.verdicts(_study(), [run_of(faces)], [0])}
    assert found["T1"] == "does not hold"


def test_the_parameters_add_up(faces):
    run = run_of(faces)
    table = recipes.network_table(run)
    total = sum(int(text.replace(",", "")) for text in table["parameters, this run"])
    assert total == recipes.parameters(run.model)


def test_difference_of_proportions_agrees_with_newcombes_example():
    # 56/70 against 48/80: Newcombe (1998), method 10 gives 0.0524 to 0.3339
    first, second = proportion_interval(56, 70), proportion_interval(48, 80)
    low, high = metrics.difference_interval(56 / 70, first, 48 / 80, second)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=2e-4)


def test_training_errors_are_those_of_the_final_weights(faces):
    run = run_of(faces, "emotion")
    with torch.no_grad():
        answers = run.model(faces.tensor(run.split.train)).argmax(1).numpy()
    expected = (answers != faces.index.labels("emotion")[run.split.train]).sum()
    assert training.train_errors(run) == expected


def test_the_constant_answer_is_the_most_frequent_class():
    assert training.majority(np.array([0, 1, 1, 2])) == 0.5


def test_the_recipe_is_read_from_the_experiment():
    table = recipes.recipe_table(_study())
    assert table.loc["learning rate", "this run, class"] == "0.05"
    assert table.loc["initial weights", "this run, class"] == "Glorot and Bengio's"
    assert table.loc["pixels are divided by", "this run, class"] == "256"
    assert table.loc["epochs", "paper"] == "100"


def test_weights_beyond_glorots_bound_are_noticed():
    layer = torch.nn.Linear(10, 10)
    torch.nn.init.xavier_uniform_(layer.weight)
    assert recipes._glorot_share(layer) <= 1
    with torch.no_grad():
        layer.weight[0, 0] = 1.0
    assert recipes._glorot_share(layer) > 1


@pytest.mark.parametrize(
    ("mistakes", "verdict"),
    [((0.0, 0.0), "holds"), ((0.0, 0.5), "holds in part"), ((0.5, 0.5), "does not hold")],
)
def test_accuracy_is_weighed_against_the_papers(mistakes, verdict):
    faces = made_up_faces(12)
    runs = [run_of(faces, t, m) for t, m in zip(("subject", "emotion"), mistakes, strict=True)]
    assert training._accuracy_verdict(runs).verdict == verdict


@pytest.mark.parametrize(
    ("identity", "emotion", "verdict"),
    [(0.0, 0.3, "holds"), (0.3, 0.0, "does not hold"), (0.10, 0.11, "holds in part")],
)
def test_overfitting_needs_a_gap_beyond_chance(identity, emotion, verdict):
    faces = made_up_faces(12)
    runs = [run_of(faces, "subject", identity), run_of(faces, "emotion", emotion)]
    assert training._overfitting_verdict(runs, [0, 0]).verdict == verdict


def test_a_network_that_learned_nothing_cannot_overfit(faces):
    runs = [run_of(faces, "subject"), run_of(faces, "emotion", 1.0)]
    assert training._overfitting_verdict(runs, [0, 0]).verdict == "cannot be tested here"


def test_the_tables_show_the_gap_and_its_interval(faces):
    run = run_of(faces, "emotion", 0.25)
    gap, interval = training.gap(run, 0)
    assert gap == pytest.approx(0.25)
    assert interval == metrics.difference_interval(
        0.25, proportion_interval(36, 144), 0.0, proportion_interval(0, 144)
    )
    assert isinstance(interval, Interval)
    row = training.gap_table([run], [0]).loc["emotion"]
    assert (row["training error"], row["test error"]) == (
        paper.show(0.0, "percent"),
        paper.show(0.25, "percent"),
    )


def test_parameters_are_told_for_whatever_a_network_tells(faces):
    run = run_of(faces)
    total = recipes.parameters(run.model)
    said = recipes.parameters_sentence(run)
    assert said.startswith(
        f"With all its weights and biases the network for identity has {total:,}"
    )
    first = run.model.classifier[1]
    assert f"{(first.weight.numel() + first.bias.numel()) / total:.0%} of them" in said
    assert f"the last maps, {first.in_features:,} pixels" in said
    folder = run_of(made_up_faces(6, kind="folder"), "class")
    assert "the network for the classes of this source has" in recipes.parameters_sentence(folder)


def test_the_best_epoch_is_told_for_every_task_that_there_is(faces):
    runs = [run_of(faces, "subject", 0.25), run_of(faces, "emotion", 0.5)]
    assert training.best_epoch_sentence(runs) == (
        "Had the best epoch on the test part been kept, the accuracies would read"
        " 87.50% for identity instead of 75.00% and 75.00% for emotion instead of 50.00%."
    )
    folder = run_of(made_up_faces(6, kind="folder"), "class", 0.5)
    said = training.best_epoch_sentence([folder])
    assert (
        "the accuracy would read 75.00% for the classes of this source instead of 50.00%." in said
    )


def test_the_best_epoch_is_not_told_where_it_is_the_last_one(faces):
    best = run_of(faces, "subject", 0.25)
    best.history["test_error"] = np.linspace(0.9, 0.25, len(best.history))
    same = "For identity no epoch does better on the test part than the last one."
    assert training.best_epoch_sentence([best]) == same
    assert training.best_epoch_sentence([best, run_of(faces, "emotion", 0.5)]) == (
        "Had the best epoch on the test part been kept, the accuracy would read"
        f" 75.00% for emotion instead of 50.00%. {same}"
    )


def test_accuracies_stand_beside_the_papers(faces):
    table = training.accuracy_table([run_of(faces, "subject", 0.25)]).set_index("quantity")
    row = table.loc["identity: test accuracy"]
    assert row["paper"] == paper.quantity("t2.subject.accuracy").text
    assert row["ours"] == paper.show(0.75, "percent")
    low, high = proportion_interval(108, 144)
    assert row["95 % interval"] == paper.show_interval((low, high), "percent")


def _study():
    faces = made_up_faces(6, kind="folder")

    class MadeUpStudy(Study):
        @property
        def faces(self):
            return faces

    return MadeUpStudy(PROFILES["smoke"], faces.source, 0, progress=False)


def test_what_is_trained_is_told_for_every_source(faces):
    def told(source, faces):
        study = Study(PROFILES["quick"], source, 0)
        study.__dict__["faces"] = faces
        return training.tasks_sentence(study)

    assert told("synthetic", faces) == (
        "In this run one network tells 4 subjects, the other 8 emotions."
    )
    folder = told("folder:x", made_up_faces(6, kind="folder"))
    assert "what is trained here tells 2 classes" in folder
    assert "subject" not in folder
