"""What is in the set: counts, examples, and what was left out."""

from typing import Any

import pandas as pd

from tinyvgg.analysis.parts import Part, plain, shown
from tinyvgg.chapters.data import PLURALS, contact_sheet
from tinyvgg.documents.content import Block, Table, Text
from tinyvgg.paper import TASK_NAMES
from tinyvgg.training.experiments import Study

ROWS = 30
"""Rows that a table of the page has at most; the JSON has all."""


def describe_set(study: Study, tasks: tuple[str, ...]) -> Part:
    """The images of a study, class by class and part by part."""
    faces = study.faces
    told = " and ".join(f"{len(faces.index.classes(task))} {PLURALS[task]}" for task in tasks)
    size = faces.images.shape[1]
    blocks: list[Block] = [
        Text(
            f"The set has **{len(faces):,} images** of {told}. The network sees each of them at"
            f" {size} × {size} pixels. Half of the images of each class train it, the others test"
            " it: whatever is said about right and wrong is about images that it has not learned"
            " from."
        )
    ]
    numbers: dict[str, Any] = {"images": len(faces), "size": size, "classes": {}}
    for task in tasks:
        counts = class_counts(study, task)
        numbers["classes"][task] = plain(counts)
        blocks.append(Table.of(counts.head(ROWS), f"Images of each class{_more(counts)}."))
    last = tasks[-1]
    blocks.append(
        shown(
            contact_sheet(faces, last),
            f"A sheet of small images, one row for each {TASK_NAMES.get(last, last)}",
            "Images of the set as the network sees them, taken evenly from those of each class.",
        )
    )
    if faces.originals is not None:
        numbers["left_out"] = plain(faces.left_out)
        blocks += [Text(faces.originals.cropping.about), _left_out(faces.left_out)]
    return Part("The set", blocks, numbers, [_caution(study)])


def class_counts(study: Study, task: str) -> pd.DataFrame:
    """Images of each class, and how many train and test the network."""
    labels, split = study.faces.index.labels(task), study.split(task)
    names = study.faces.index.classes(task)
    rows = [
        {
            TASK_NAMES.get(task, task): name,
            "images": int((labels == label).sum()),
            "training": int((labels[split.train] == label).sum()),
            "test": int((labels[split.test] == label).sum()),
        }
        for label, name in enumerate(names)
    ]
    return pd.DataFrame(rows).set_index(TASK_NAMES.get(task, task))


def _left_out(table: pd.DataFrame) -> Block:
    if not len(table):
        return Text("No image was left out.")
    rows = table[["path", "reason"]].head(ROWS).set_index("path")
    return Table.of(rows, f"Images that were left out, {len(table):,} together{_more(table)}.")


def _more(table: pd.DataFrame) -> str:
    return f", the first {ROWS} of {len(table):,}" if len(table) > ROWS else ""


def _caution(study: Study) -> str:
    if study.faces.index.has("subject"):
        return (
            "Images of the same person may stand in both parts: the test says how well the network"
            " does on other images of people it knows, not on strangers."
        )
    return (
        "The set does not say who or what its images have in common. Where the same person, place"
        " or camera stands in both parts, the network may go by that, and do worse elsewhere."
    )
