"""The parts of a report: numbers are the library's, and sentences follow from them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers import small_runs
from tests.helpers.studies import complete, faultless, study_of
from tinyvgg import backtrack, record, repair, rescore
from tinyvgg.analysis import contents, following, learning, limits, mistakes, repairing, showing
from tinyvgg.analysis.parts import Part, as_png
from tinyvgg.backtracking import Cutoff, Literal
from tinyvgg.chapters import misclassifications as findings
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import follow_errors
from tinyvgg.chapters.cases import Pairs, find_cases, pixel_sets, record_pairs
from tinyvgg.chapters.statistics import Interval, proportion_interval
from tinyvgg.documents.content import Document
from tinyvgg.documents.html import render
from tinyvgg.training.runs import Run


@pytest.fixture(params=["class", "emotion"])
def run(request: pytest.FixtureRequest) -> Run:
    return complete(small_runs.run(request.param))


@pytest.fixture
def pairs(run: Run) -> Pairs:
    return record_pairs(run, find_cases(run))


def words(part: Part) -> str:
    return render(Document("", part.blocks, []))


def test_the_set_is_counted_by_class_and_part(run: Run) -> None:
    study = study_of(run)
    part = contents.describe_set(study, (run.task,))
    split, labels = study.split(run.task), run.faces.index.labels(run.task)
    for label, row in enumerate(part.numbers["classes"][run.task]):
        assert row[run.task] == run.classes[label]
        assert row["images"] == (labels == label).sum() == row["training"] + row["test"]
        assert row["test"] == (labels[split.test] == label).sum()
    assert f"<strong>{len(labels)} images</strong>" in words(part)
    assert "left out" not in words(part)


def test_accuracy_stands_beside_the_constant_answer(run: Run) -> None:
    numbers = learning.describe_training(run).numbers
    wrong, tested = len(run.errors), len(run.labels)
    low, high = proportion_interval(wrong, tested)
    assert numbers["accuracy_interval"] == [1 - high, 1 - low]
    assert numbers["constant_answer"] == pytest.approx(1 / 3)
    with torch.no_grad():
        answers = run.model(run.tensor(run.split.train)).argmax(1).numpy()
    labels = run.faces.index.labels(run.task)[run.split.train]
    assert numbers["training_error"] == (answers != labels).mean()
    assert len(numbers["history"]) == 3


def test_a_network_that_may_guess_is_said_to(run: Run) -> None:
    assert learning.learned(run)
    assert "It has learned something" in learning.accuracy_sentence(run)
    guessing = replace(run, logits=torch.eye(3)[torch.zeros(len(run.labels), dtype=torch.int64)])
    assert not learning.learned(guessing)
    assert "cannot be told" in learning.accuracy_sentence(guessing)


@pytest.mark.parametrize(
    ("difference", "interval", "said"),
    [
        (0.2, Interval(0.1, 0.3), "20.0 points higher"),
        (0.2, Interval(-0.1, 0.3), "over-fitting does not show"),
        (-0.1, Interval(-0.2, 0.1), "10.0 points lower"),
    ],
)
def test_over_fitting_shows_where_the_interval_leaves_zero_out(
    difference: float, interval: Interval, said: str
) -> None:
    sentence = learning._gap_sentence(difference, interval)
    assert said in sentence
    assert ("it has over-fitted" in sentence) == (interval.low > 0)


def test_errors_are_listed_one_by_one(run: Run) -> None:
    numbers = mistakes.describe_errors(run).numbers
    rows = run.split.test[run.errors]
    assert [image["row"] for image in numbers["images"]] == rows.tolist()
    for image, place in zip(numbers["images"], run.errors, strict=True):
        assert image["true"] == run.classes[run.labels[place]]
        assert image["taken_for"] == run.classes[run.predicted[place]]
        assert image["path"] == f"{image['row']}.png"
    assert sum(one["errors"] for one in numbers["classes"]) == numbers["errors"] == len(rows)


def test_the_class_that_is_missed_most_is_named(run: Run) -> None:
    part = mistakes.describe_errors(run)
    wrong = run.predicted != run.labels
    rates = [wrong[run.labels == label].mean() for label in range(3)]
    assert f"Missed most is **{run.classes[int(np.argmax(rates))]}**" in part.conclusions[0]
    missed = findings.missed(run).assign(rate=0.5)
    said = mistakes._missed_sentence(run, missed)
    assert said.startswith(f"Missed most is **{missed.index[0]}**, and 2 others as often: 50.0 %")
    assert mistakes._uneven(replace_p(0.01)).startswith("Errors fall on the classes more unevenly")
    assert "as evenly as chance" in mistakes._uneven(replace_p(0.3))
    assert "p < 0.001" in mistakes._uneven(replace_p(0.0002))


def replace_p(value: float) -> object:
    from tinyvgg.chapters.misclassifications import Chance

    none = Interval(0, 0)
    return Chance(value, 1, none, 1, none)


def test_backtracked_pixels_are_those_of_the_rules(run: Run) -> None:
    part = following.describe_backtracking(run, follow_errors(run), len(run.errors))
    trace = record(run.model, run.tensor(run.split.test[run.errors]))
    for name, rule in (("literal", Literal()), ("cutoff", Cutoff())):
        pixels = backtrack(trace, rule=rule).pixels
        assert part.numbers[f"pixels_{name}"] == pytest.approx(float(pixels.sum()) / len(trace))
    assert part.numbers["explained"] == len(run.errors)
    assert f"Each of {len(run.errors)} errors is followed back" in words(part)
    drawn = following.describe_backtracking(run, follow_errors(run), 1234)
    assert f"{len(run.errors)} of 1,234 errors are drawn at random" in words(drawn)
    assert len(part.conclusions) == 2
    assert "paper" not in words(part).replace("the paper prints it", "")


def test_a_rule_that_keeps_nothing_is_said_to(run: Run) -> None:
    followed = follow_errors(run)
    found = followed.found["cutoff"]["predicted"]
    none = replace(found, pixels=torch.zeros_like(found.pixels))
    empty = replace(
        followed,
        found={
            "literal": followed.found["literal"],
            "cutoff": dict.fromkeys(followed.targets, none),
        },
    )
    assert "keeps no pixel of" in following._sentence(empty, "cutoff")


def test_a_rule_that_is_blind_to_the_class_is_said_to(run: Run) -> None:
    followed = follow_errors(run)
    same = dict.fromkeys(followed.targets, followed.found["literal"]["predicted"])
    blind = replace(followed, found={"literal": same, "cutoff": followed.found["cutoff"]})
    assert "hardly depends on the class" in following._sentence(blind, "literal")


def test_features_are_set_beside_those_of_random_pixels(run: Run, pairs: Pairs) -> None:
    part = showing.describe_tracking(run, follow_errors(run), pairs, 0)
    by_set = {row["set"]: row for row in part.numbers["sets"]}
    assert by_set["random"]["pixels"] == by_set["cutoff"]["pixels"]
    assert f"correlate by {by_set['cutoff']['with_random']:.2f}" in part.conclusions[0]


def test_repairs_are_those_of_the_library(run: Run, pairs: Pairs) -> None:
    numbers = repairing.describe_repairs(run, pairs, 0).numbers
    assert numbers["pairs"] == len(pairs)
    for name, rule in (("literal", Literal()), ("cutoff", Cutoff())):
        unique = pixel_sets(pairs, rule).unique
        right = rescore(pairs.wrong, unique).argmax(1) == pairs.labels
        rows = {row["set"]: row for row in numbers["sets"][name]}
        assert rows["unique"]["rate"] == pytest.approx(float(right.double().mean()))
        assert rows["random"]["pixels"] == rows["unique"]["pixels"]
    found = repair(pairs.wrong, pairs.labels)
    assert numbers["smallest"]["sizes"] == found.size[found.repaired].tolist()


def test_the_fewest_pixels_are_half_of_the_time_so_many(run: Run, pairs: Pairs) -> None:
    found = repair(pairs.wrong, pairs.labels)
    median = float(found.size[found.repaired].double().quantile(0.5))
    sentence = repairing._smallest_sentence(pairs, found)
    assert f"{int(found.repaired.sum())} of {len(pairs)} errors" in sentence
    assert f"have {median:g} pixel" in sentence
    none = replace(found, repaired=torch.zeros_like(found.repaired))
    assert repairing._smallest_sentence(pairs, none).startswith(f"None of {len(pairs)} errors")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.1, 0.3, "more than chance"), (-0.3, -0.1, "less than chance"), (-0.1, 0.2, "no more than")],
)
def test_unique_pixels_are_weighed_against_random_ones(low: float, high: float, said: str) -> None:
    columns = ["rate", "cases", "pixels", "difference_low", "difference_high"]
    rows = {"unique": (0.5, 40, 12.0, low, high), "random": (0.3, 40, 12.0, np.nan, np.nan)}
    summary = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    sentence = repairing._unique_sentence(summary)
    assert said in sentence
    assert "50.0 % of 40 errors" in sentence
    assert "random ones 30.0 %" in sentence
    nothing = summary.assign(pixels=0.0)
    assert "No error has pixels unique to it" in repairing._unique_sentence(nothing)


def test_without_errors_every_part_says_so(run: Run) -> None:
    best = faultless(run)
    pairs = record_pairs(best, find_cases(best))
    followed = follow_errors(best)
    assert learning.describe_training(best).numbers["accuracy"] == 1
    assert "makes no error" in words(mistakes.describe_errors(best))
    assert following.NO_ERROR in words(following.describe_backtracking(best, followed, 0))
    assert following.NO_ERROR in words(showing.describe_tracking(best, followed, pairs, 0))
    assert repairing.NO_PAIR in words(repairing.describe_repairs(best, pairs, 0))


def test_errors_without_look_alikes_are_tracked_and_not_repaired(run: Run, pairs: Pairs) -> None:
    none = pairs.only([])
    tracked = showing.describe_tracking(run, follow_errors(run), none, 0)
    assert "No error of this run has a right look-alike." in words(tracked)
    assert repairing.NO_PAIR in words(repairing.describe_repairs(run, none, 0))


def test_of_many_errors_some_are_explained_beside_all_right_images(run: Run) -> None:
    most = len(run.errors) - 2
    fewer = limits.limited(run, most)
    assert len(fewer.errors) == most
    assert set(fewer.split.test[fewer.errors]) < set(run.split.test[run.errors])
    right = run.split.test[run.predicted == run.labels]
    assert set(right) < set(fewer.split.test)
    with torch.no_grad():
        torch.testing.assert_close(fewer.logits, run.model(run.tensor(fewer.split.test)))
    assert limits.limited(run, len(run.errors)) is run
    assert limits.most_errors(64) == 300
    assert limits.most_errors(224) == limits.FEWEST


@pytest.mark.parametrize("name", ["$x^{", "$$", "costs $5 or $6_", "顔"])
def test_figures_have_names_of_any_letters(name: str) -> None:
    figure, axes = style.grid(1, 1, cell=1.0)
    axes[0, 0].set_title(style.short(name, 20))
    assert as_png(figure).startswith(b"\x89PNG")
