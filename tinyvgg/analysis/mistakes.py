"""Errors: which classes are missed, what they are taken for, and the images themselves."""

from pathlib import Path
from typing import Any

from tinyvgg.analysis.contents import ROWS
from tinyvgg.analysis.parts import Part, percent, plain, shown, tabled
from tinyvgg.chapters import misclassifications as figures
from tinyvgg.chapters import misclassifications as findings
from tinyvgg.columns import counted
from tinyvgg.documents.content import Block, Text
from tinyvgg.training.runs import Run

SHOWN = 36
"""Errors that are shown, the surest first."""
FEW = 10
"""Of fewer errors hardly anything can be said in general."""


def describe_errors(run: Run) -> Part:
    """Confusion, classes that are missed most, and the images that are wrong."""
    count = len(run.errors)
    numbers: dict[str, Any] = {"errors": count, "tested": len(run.labels)}
    if not count:
        said = f"The network makes no error on its {len(run.labels):,} test images."
        return Part("Errors", [Text(said)], numbers, [said])
    chance = findings.by_chance(run, run.task)
    missed, confusions = findings.missed(run), findings.confusions(run, ROWS)
    blocks: list[Block] = [
        Text(f"Of {len(run.labels):,} test images **{count:,}** are misclassified."),
        shown(
            figures.confusion_figure(run),
            "A matrix of numbers of images, true class by row and class that they were taken for by"
            " column",
            "Confusion matrix: true class by row, class it was taken for by column. Right answers"
            " are on the diagonal, errors red.",
        ),
        tabled(
            findings.missed_table(run, ROWS),
            "Classes by the share of their test images that is misclassified, with Wilson's 95 %"
            " intervals.",
            "No class was tested.",
        ),
        tabled(
            confusions.head(12).set_index("true"), "The most frequent confusions.", "There is none."
        ),
        shown(
            figures.gallery(run, SHOWN),
            "A gallery of misclassified images, below each bars with the probabilities of classes",
            "Misclassified images, the surest first: true class and what it was taken for, and the"
            " probabilities of the likeliest classes (red: the answer, green: the truth).",
        ),
        tabled(
            findings.confidence_table([run]).rename_axis("network"),
            "How sure the network is: medians of probabilities.",
            "Nothing was tested.",
        ),
    ]
    numbers |= {
        "classes": plain(missed),
        "confusions": plain(confusions),
        "uneven_p": None if chance is None else chance.p_value,
        "images": _images(run),
    }
    few = [_few(count)] if count < FEW else []
    concluded = [_missed_sentence(run, missed), _uneven(chance), *few]
    return Part("Errors", blocks, numbers, concluded)


def _images(run: Run) -> list[dict[str, Any]]:
    """Every error, by the path or the row of its image."""
    table = findings.tested(run)
    wrong = table[table["wrong"]]
    columns = [name for name in ("path", "row", "true", "taken_for") if name in wrong]
    rows = plain(wrong[columns])
    return [
        {**row, **({"path": Path(str(row["path"])).as_posix()} if "path" in row else {})}
        for row in rows
    ]


def _missed_sentence(run: Run, missed: Any) -> str:
    worst = missed.sort_values("rate", ascending=False, kind="stable").iloc[0]
    same = int((missed["rate"] == worst["rate"]).sum()) - 1
    others = f", and {counted(same, 'other')} as often" if same else ""
    low, high = percent(worst["low"]), percent(worst["high"])
    return (
        f"Missed most is **{worst.name}**{others}: {percent(worst['rate'])} of its"
        f" {worst['images']:,} test images (95 % interval {low} to {high}), most"
        f" often taken for {worst['taken_for']}."
    )


def _few(count: int) -> str:
    errors = "There is one error" if count == 1 else f"There are {count} errors"
    return f"{errors} only: what is said of errors here holds for hardly any others."


def _uneven(chance: Any) -> str:
    if chance is None:
        return "Whether classes differ cannot be tested."
    if chance.p_value < findings.SIGNIFICANT:
        return (
            f"Errors fall on the classes more unevenly than chance would have it"
            f" (p {_p(chance.p_value)})."
        )
    return (
        f"Errors fall on the classes as evenly as chance would have it (p {_p(chance.p_value)}):"
        " that one class is missed more than another needs no explanation."
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
