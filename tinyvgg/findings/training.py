"""Accuracies and over-fitting, beside the paper's (T2, F5), and the chapter's verdicts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from tinyvgg import paper
from tinyvgg.claims import Verdict
from tinyvgg.experiments import Study
from tinyvgg.findings.conclusions import Part, in_words, untestable, weigh
from tinyvgg.findings.data import PLURALS
from tinyvgg.findings.recipes import network_table, parameters
from tinyvgg.metrics import Interval, difference_interval, proportion_interval
from tinyvgg.paper import TASK_NAMES
from tinyvgg.reading import read_network
from tinyvgg.runs import Run
from tinyvgg.training import predict, resident

MARGIN = 0.05
"""Accuracies this much below the paper's still count as met in part."""


def speed_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Device and time of each training; both differ from machine to machine."""
    rows = []
    for run in runs:
        seconds = float(run.timings["seconds"].sum())
        images = int(run.manifest["training_images"]) * len(run.history)
        rows.append(
            {
                "task": TASK_NAMES.get(run.task, run.task),
                "device": run.device,
                "minutes": round(seconds / 60, 1),
                "images a second": round(images / seconds),
                "images a second, paper": paper.quantity("p1.both.images_per_second").text,
            }
        )
    return pd.DataFrame(rows).set_index("task")


def tasks_sentence(study: Study) -> str:
    """What the networks of a study tell, and what the text means where these are other tasks."""
    told = [f"{len(study.faces.index.classes(task))} {PLURALS[task]}" for task in study.tasks]
    if set(study.tasks) >= {"subject", "emotion"}:
        return f"In this run one network tells {told[0]}, the other {told[-1]}."
    return (
        f"The source of this run does not know both of these tasks: what is trained here tells"
        f" {' and '.join(told)}, and comparisons of identity with emotion are left out."
    )


def majority(labels: Int[np.ndarray, "n"]) -> float:
    """Accuracy of the constant answer that is right most often."""
    return float(np.bincount(labels).max() / len(labels))


def train_errors(run: Run) -> int:
    """Training images that the final weights get wrong.

    The error rate of the history is another: that of the batches while the weights moved.
    """
    with torch.no_grad():
        logits, labels = predict(
            run.model, resident(run.faces, run.task, "cpu", run.scaling), run.split.train
        )
    return int((logits.argmax(1) != labels).sum())


def gap(run: Run, wrong_in_training: int) -> tuple[float, Interval]:
    """Test error less training error of the final weights, and its 95 % interval (F5)."""
    test, train = (
        _rate(len(run.errors), len(run.labels)),
        _rate(wrong_in_training, len(run.split.train)),
    )
    return test[0] - train[0], difference_interval(*test, *train)


def _rate(errors: int, images: int) -> tuple[float, Interval]:
    return errors / images, proportion_interval(errors, images)


def accuracy_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Table 2 beside ours, with Wilson's intervals and the constant answer (T2)."""
    rows: list[paper.Row] = []
    for run in runs:
        test, errors = len(run.labels), len(run.errors)
        low, high = proportion_interval(errors, test)
        key = f"t2.{run.task}"
        rows += [
            ("", f"{key}.train_size", len(run.split.train)),
            ("", f"{key}.test_size", test),
            ("", f"{key}.classes", len(run.classes)),
            ("", f"{key}.accuracy", run.accuracy, (1 - high, 1 - low)),
            ("", f"{key}.errors", errors, (float(round(low * test)), float(round(high * test)))),
            ("", f"{key}.majority", majority(run.labels)),
        ]
    return paper.compare(rows)


def best_epoch_sentence(runs: Sequence[Run]) -> str:
    """What the accuracies would read for the epoch that does best on the test part, in words."""
    readings = {run.task: _readings(run) for run in runs}
    other = [
        f"{best} for {in_words(task)} instead of {last}"
        for task, (best, last) in readings.items()
        if best != last
    ]
    same = [in_words(task) for task, (best, last) in readings.items() if best == last]
    last = f"For {' and '.join(same)} no epoch does better on the test part than the last one."
    if not other:
        return last
    noun = "accuracy" if len(other) == 1 else "accuracies"
    would = f"Had the best epoch on the test part been kept, the {noun} would read"
    return f"{would} {' and '.join(other)}.{f' {last}' if same else ''}"


def _readings(run: Run) -> tuple[str, str]:
    """The accuracies of the best and of the last epoch as tables show them."""
    best, last = (paper.show(value, "percent") for value in (best_accuracy(run), run.accuracy))
    return best, last


def best_accuracy(run: Run) -> float:
    """Accuracy of the epoch that does best on the test part."""
    return 1 - float(run.history["test_error"].min())


def gap_table(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> pd.DataFrame:
    """Error rates of the final weights on both parts, and the gap between them, in percent."""
    rows = []
    for run, wrong in zip(runs, wrong_in_training, strict=True):
        difference, interval = gap(run, wrong)
        rows.append(
            {
                "task": TASK_NAMES.get(run.task, run.task),
                "classes": len(run.classes),
                "training error": paper.show(wrong / len(run.split.train), "percent"),
                "while training": paper.show(float(run.history.train_error.iloc[-1]), "percent"),
                "test error": paper.show(1 - run.accuracy, "percent"),
                "gap": paper.show(difference, "percent"),
                "95 % interval": paper.show_interval(interval, "percent"),
            }
        )
    return pd.DataFrame(rows).set_index("task")


def numbers(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> dict[str, float]:
    """Rates that chapter 2 records, none of them exact on another machine."""
    found: dict[str, float] = {}
    for run, wrong in zip(runs, wrong_in_training, strict=True):
        found |= {
            f"t2.{run.task}.accuracy": run.accuracy,
            f"t2.{run.task}.best_accuracy": best_accuracy(run),
            f"f5.{run.task}.train_accuracy": 1 - wrong / len(run.split.train),
            f"f5.{run.task}.gap": gap(run, wrong)[0],
        }
    return found


def exact_numbers(runs: Sequence[Run]) -> dict[str, float]:
    """What follows from design and settings, and is the same on every machine."""
    found: dict[str, float] = {}
    for run in runs:
        recipe, key = run.experiment.recipe, run.task
        found |= {
            f"t1.{key}.classes": len(run.classes),
            f"t1.{key}.parameters": parameters(run.model),
            f"p1.{key}.epochs": recipe.epochs,
            f"t2.{key}.train_size": len(run.split.train),
            f"t2.{key}.test_size": len(run.labels),
            f"t2.{key}.majority": majority(run.labels),
        }
    first = runs[0]
    return found | {
        "t1.both.size": first.experiment.size,
        "t1.both.last_pixels": read_network(first.model).dense[0].module.in_features,
        "p1.both.batch": first.experiment.recipe.batch,
        "p1.both.rate": first.experiment.recipe.rate,
    }


def verdicts(study: Study, runs: Sequence[Run], wrong_in_training: Sequence[int]) -> list[Verdict]:
    """T1, P1, T2 and F5, by the rules that the chapter states."""
    return [
        _network_verdict(runs),
        _recipe_verdict(runs),
        *(
            [_accuracy_verdict(runs), _overfitting_verdict(runs, wrong_in_training)]
            if set(study.tasks) >= {"subject", "emotion"}
            else untestable(
                ("T2", "F5"), "the source has no two tasks of identity and emotion to compare"
            )
        ),
    ]


def _network_verdict(runs: Sequence[Run]) -> Verdict:
    tables = [network_table(run) for run in runs]
    layers = all(
        (table["Table 1"].iloc[:-1] == table["this run"].iloc[:-1]).all() for table in tables
    )
    size, papers = runs[0].experiment.size, int(paper.number("t1.both.size"))
    return weigh(
        "T1",
        [
            Part(
                layers, "every layer as in Table 1" if layers else "not every layer as in Table 1"
            ),
            Part(
                size == papers, f"images of {size} × {size} pixels, Table 1 has {papers} × {papers}"
            ),
        ],
    )


def _recipe_verdict(runs: Sequence[Run]) -> Verdict:
    recipes = [run.experiment.recipe for run in runs]
    parts = [Part(True, "Glorot and Bengio's initial weights, plain gradient descent")]
    for name in ("batch", "rate", "epochs"):
        about = paper.quantity(f"p1.both.{name}")
        values = [getattr(recipe, name) for recipe in recipes]
        same = all(value == about.value for value in values)
        shown = " and ".join(dict.fromkeys(f"{value:g}" for value in values))
        parts.append(Part(same, f"{about.label} {shown}" + ("" if same else f" for {about.text}")))
    return weigh("P1", parts)


def _accuracy_verdict(runs: Sequence[Run]) -> Verdict:
    """Met where the interval reaches the paper's accuracy; in part within `MARGIN` of it."""
    parts, near = [], False
    for run in runs:
        theirs = paper.number(f"t2.{run.task}.accuracy")
        low, high = proportion_interval(len(run.errors), len(run.labels))
        best, worst = 1 - low, 1 - high
        shown = paper.show_interval((worst, best), "percent")
        printed = paper.show(theirs, "percent")
        ours = paper.show(run.accuracy, "percent")
        fact = f"{TASK_NAMES[run.task]} {ours} ({shown}), paper {printed}"
        parts.append(Part(best >= theirs, fact))
        near |= run.accuracy >= theirs - MARGIN
    found = weigh("T2", parts)
    if found.verdict == "does not hold" and near:
        return Verdict("T2", "holds in part", found.reason)
    return found


def _overfitting_verdict(runs: Sequence[Run], wrong_in_training: Sequence[int]) -> Verdict:
    """Holds where the gap of emotion exceeds that of identity by more than chance."""
    by_task = {
        run.task: (run, gap(run, wrong)) for run, wrong in zip(runs, wrong_in_training, strict=True)
    }
    learned = [
        proportion_interval(len(run.errors), len(run.labels)).high < 1 - majority(run.labels)
        for run, _ in by_task.values()
    ]
    if not all(learned):
        reason = "a network is no better than the constant answer, and cannot over-fit"
        return untestable(["F5"], reason)[0]
    emotion, identity = by_task["emotion"][1], by_task["subject"][1]
    difference = emotion[0] - identity[0]
    interval = difference_interval(*emotion, *identity)
    fact = (
        f"gap between test and training error {paper.show(emotion[0], 'percent')} for emotion and "
        f"{paper.show(identity[0], 'percent')} for identity, difference "
        f"{paper.show(difference, 'percent')} ({paper.show_interval(interval, 'percent')})"
    )
    if interval.low > 0:
        return Verdict("F5", "holds", fact)
    if interval.high < 0:
        return Verdict("F5", "does not hold", fact)
    return Verdict(
        "F5", "holds in part" if difference > 0 else "does not hold", fact + ", within chance"
    )


def curve(run: Run) -> tuple[Float[np.ndarray, "e"], Float[np.ndarray, "e 2"]]:
    """Test error after each epoch and its 95 % interval."""
    rates = run.history["test_error"].to_numpy()
    test = len(run.labels)
    bands = [proportion_interval(round(rate * test), test) for rate in rates]
    return rates, np.array(bands)
