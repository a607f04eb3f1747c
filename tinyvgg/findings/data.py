"""The design of a set of faces, its splits, and how near the two parts are (claims D1 to D4)."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from tinyvgg import paper, paths
from tinyvgg.claims import Verdict
from tinyvgg.experiments import Study
from tinyvgg.faces import ANGLES, EMOTIONS, FaceIndex, Faces, Split, split
from tinyvgg.faces.splits import cells
from tinyvgg.findings.conclusions import Part, untestable, weigh
from tinyvgg.paper import TASK_NAMES
from tinyvgg.parameters import named
from tinyvgg.sources import OPTIONS, SYNTHETIC
from tinyvgg.terms import terms_of

FACTORS = ("subject", "emotion", "gaze", "angle")
PLURALS = {
    "subject": "subjects",
    "emotion": "emotions",
    "gaze": "gazes",
    "angle": "angles",
    "class": "classes",
}
HALF, TABLE, TEXT = "half of each cell", "as Table 2 counts", "as the text counts"
MOST_MISSING = 20
"""Lines on what is missing that a page shows."""
CLAIMS = {"subject": "d3", "emotion": "d4", "class": "d3"}

Readings = Mapping[tuple[str, str], Split]


def whole_design(faces: Faces) -> pd.DataFrame | None:
    """All that could be rendered or is there, with every camera; None where there are none."""
    if faces.originals is not None:
        shots = faces.originals.shots()
        return shots if set(FACTORS) <= set(shots) else None
    if faces.kind != SYNTHETIC:
        return None
    from tinyvgg.faces import synthetic

    return synthetic.design(angles=ANGLES)


def counts(table: pd.DataFrame | None) -> dict[str, int | float | None]:
    """Levels of each factor that the table knows, images a subject, and images."""
    if table is None:
        return {}
    known: dict[str, int | float | None] = {
        PLURALS[column]: int(table[column].nunique())
        for column in (*FACTORS, "class")
        if column in table
    }
    if "subject" in table:
        known["images_per_subject"] = int(table["subject"].value_counts().max())
    return {**known, "images": len(table)}


def design_table(faces: Faces) -> pd.DataFrame:
    """The paper's design beside what this run uses, and beside all of the synthetic set."""
    whole = whole_design(faces)
    columns: dict[str, dict[str, int | float | None]] = {
        "paper, all": _paper("d1"),
        "paper, used": _paper("d1") | {"images_per_subject": None} | _paper("d2"),
        **({} if whole is None else {f"{faces.kind}, all": counts(whole)}),
        "this run": counts(faces.index.table) | {"size": faces.images.shape[1]},
    }
    names = dict.fromkeys(name for values in columns.values() for name in values)
    shown = {
        title: [paper.show(values.get(name), "count") for name in names]
        for title, values in columns.items()
    }
    named = {"size": "pixels, side of an image", "images_per_subject": "images of a subject"}
    rows = [named.get(name, name) for name in names]
    return pd.DataFrame(shown, index=pd.Index(rows, name="number of"))


def _paper(claim: str) -> dict[str, int | float | None]:
    known = ("subjects", "emotions", "gazes", "angles", "images_per_subject", "images", "size")
    keys = {key: number.value for key, number in paper.load().numbers.items()}
    found = {name: keys.get(f"{claim}.both.{name}") for name in known}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def at_hand(faces: Faces) -> str:
    """What this run works on, and what of the paper's design is not known about it."""
    kind, _, name = named(faces.source).partition(":")
    whose = f"images of the folder `{name}`" if kind in OPTIONS else f"of the {kind} faces"
    if kind not in OPTIONS and name:
        whose += f" (`{name}`)"
    left = "" if faces.index.has(*FACTORS) else " What asks for that is left out of these pages."
    return f"This run works on {len(faces):,} {whose}. {lacking(faces.index)}{left}"


def lacking(index: FaceIndex) -> str:
    """One sentence about the factors of the paper's design that a source does not know."""
    missing = [factor for factor in FACTORS if not index.has(factor)]
    if not missing:
        return "This source knows all factors of the paper's design."
    return f"This source does not say which {_either(missing)} an image shows."


def _either(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def people_table(faces: Faces) -> pd.DataFrame:
    """Subjects by group and sex; images by class where the source knows no people."""
    table = faces.index.table
    if not faces.index.has("subject", "group", "sex"):
        column = faces.index.tasks[-1]
        return table[column].value_counts().sort_index().rename("images").to_frame()
    people = table.drop_duplicates("subject")
    return pd.crosstab(people["group"], people["sex"], margins=True, margins_name="all")


def model_subject(table: pd.DataFrame) -> Any:
    """The subject for Figures 1 and 2: as in the paper a Caucasian woman, the first there is."""
    if {"group", "sex"} <= set(table):
        wanted = table[(table["group"] == "Caucasian") & (table["sex"] == "female")]
        table = wanted if len(wanted) else table
    return table["subject"].iloc[0]


def portraits(shots: pd.DataFrame, size: int) -> Shaped[np.ndarray, "n s s 3"]:
    """Synthetic images of these shots at a size of their own, rendered once and kept."""
    from tinyvgg.faces import synthetic

    return synthetic.render(shots, size, paths.faces_cache(), workers=1, progress=False)


def views(faces: Faces, shots: pd.DataFrame, size: int) -> Shaped[np.ndarray, "n s s 3"]:
    """Images of shots among those of `whole_design`, at a size of their own."""
    if faces.originals is None:
        return portraits(shots, size)
    return faces.originals.portraits(list(shots["path"]), size)


def cropping_sentence(faces: Faces) -> str:
    """How the images were cut out of larger ones."""
    if faces.originals is None:
        return "These faces are rendered as they are used: nothing is cropped."
    return faces.originals.cropping.about


def left_out_sentence(faces: Faces) -> str:
    """How many images are not used."""
    if faces.originals is None:
        return "No image is left out."
    count, everything = len(faces.left_out), len(faces.left_out) + len(faces)
    if not count:
        return f"All {everything:,} photographs that are there are used."
    return f"Of {everything:,} files that are there {count:,} are left out:"


def left_out_table(faces: Faces) -> pd.DataFrame:
    """What is not used and why, in the order of the paths."""
    return faces.left_out.set_index("path")


def missing_sentence(faces: Faces) -> str:
    """What the design of a source has, and this copy of it has not."""
    missing = faces.originals.listing.missing if faces.originals is not None else ()
    if not missing:
        return "Nothing that the source's design has is missing."
    lines = "".join(f"\n- {one}" for one in missing[:MOST_MISSING])
    more = len(missing) - MOST_MISSING
    return f"Missing is:\n{lines}" + (f"\n- ... and {more} more lines" if more > 0 else "")


def readings(study: Study) -> dict[tuple[str, str], Split]:
    """The splits by (task, reading): each task's own, and for emotion also the text's (D4).

    Where a cell has an odd number of images the two readings give the odd one to different parts.
    """
    found = {
        (task, TABLE if task == "emotion" else HALF): study.split(task) for task in study.tasks
    }
    if "emotion" in study.tasks:
        index = study.faces.index
        larger = _cell_size(index, "emotion") - _cell_size(index, "emotion") // 2
        found["emotion", TEXT] = split(index, "emotion", study.seed, per_cell=larger)
    return found


def _cell_size(index: FaceIndex, task: str) -> int:
    return int(index.table.groupby(cells(index, task)).size().min())


def cell_counts(index: FaceIndex, task: str, parts: Split) -> pd.DataFrame:
    """Training and test images of every cell that is drawn from."""
    part = np.full(len(index), "", dtype=object)
    part[parts.train], part[parts.test] = "train", "test"
    by_cell = index.table.assign(part=part).groupby([*cells(index, task), "part"]).size()
    return by_cell.unstack("part", fill_value=0)[["train", "test"]]


def split_table(index: FaceIndex, splits: Readings) -> pd.DataFrame:
    """What each split amounts to: cells, images of a cell in either part, and sums."""
    rows = []
    for (task, reading), parts in splits.items():
        by_cell = cell_counts(index, task, parts)
        rows.append(
            {
                "task": TASK_NAMES.get(task, task),
                "split": reading,
                "cells": len(by_cell),
                "train a cell": _range(by_cell["train"]),
                "test a cell": _range(by_cell["test"]),
                "train": len(parts.train),
                "test": len(parts.test),
                "in both": len(np.intersect1d(parts.train, parts.test)),
                "in neither": len(index) - len(np.union1d(parts.train, parts.test)),
            }
        )
    return pd.DataFrame(rows).set_index(["task", "split"])


def _range(values: "pd.Series[int]") -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def reading_table() -> pd.DataFrame:
    """Which of the paper's two splits for emotion its accuracy and error count belong to (D4)."""
    errors = int(paper.number("t2.emotion.errors"))
    printed = paper.show(paper.number("t2.emotion.accuracy"), "percent")
    rows = []
    for reading, suffix in ((TABLE, ""), (TEXT, "_text")):
        test = int(paper.number(f"d4.emotion.test{suffix}"))
        follows = paper.show(1 - errors / test, "percent")
        rows.append(
            (reading, test, errors, follows, printed, "yes" if follows == printed else "no")
        )
    columns = ["split", "test images", "errors", "accuracy that follows", "printed", "agree"]
    return pd.DataFrame(rows, columns=columns).set_index("split")


def nearness_table(faces: Faces, splits: Readings) -> pd.DataFrame:
    """How much of the test part the network has nearly seen: images by what trains beside them."""
    rows = [
        {"task": TASK_NAMES.get(task, task), "split": reading, **nearness(faces, parts)}
        for (task, reading), parts in splits.items()
    ]
    return pd.DataFrame(rows).set_index(["task", "split"]).round(4)


def nearness(faces: Faces, parts: Split) -> dict[str, float]:
    """Shares of the test part with a training image of equal pixels, a twin, or of the same shot.

    A twin shows the same subject with the same expression from the same angle, and differs in gaze
    alone; the other cameras of a shot released at the same moment.
    """
    table = faces.index.table
    shares = {"equal pixels": _share(_digests(faces), parts)}
    if faces.index.has(*FACTORS):
        shares["twin, other gaze"] = _share(_keys(table, "subject", "emotion", "angle"), parts)
        shares["same shot, other camera"] = _share(
            _keys(table, "subject", "emotion", "gaze"), parts
        )
    return shares


def _digests(faces: Faces) -> Shaped[np.ndarray, "n"]:
    return np.array([sha256(image.tobytes()).hexdigest() for image in faces.images])


def _keys(table: pd.DataFrame, *columns: str) -> Shaped[np.ndarray, "n"]:
    numbers: Shaped[np.ndarray, "n"] = table.groupby(list(columns)).ngroup().to_numpy()
    return numbers


def _share(keys: Shaped[np.ndarray, "n"], parts: Split) -> float:
    return float(np.isin(keys[parts.test], keys[parts.train]).mean())


def numbers(study: Study, splits: Readings) -> dict[str, object]:
    """What chapter 1 records, all of it exact."""
    faces = study.faces
    ours: dict[str, object] = {
        f"d1.both.{name}": value for name, value in counts(whole_design(faces)).items()
    }
    used = counts(faces.index.table)
    ours |= {f"d2.both.{name}": used.get(name) for name in ("angles", "images")}
    ours |= {"d2.both.size": faces.images.shape[1], "f2.both.panels": used.get("emotions")}
    for (task, reading), parts in splits.items():
        twins = nearness(faces, parts).get("twin, other gaze")
        by_cell = cell_counts(faces.index, task, parts)
        suffix = "_text" if reading == TEXT else ""
        split_numbers: dict[str, object] = {
            "train_per_cell": int(by_cell["train"].min()),
            "train": len(parts.train),
            "test": len(parts.test),
        }
        if not suffix:
            split_numbers |= {
                "cells": len(by_cell),
                "images_per_cell": int(by_cell.sum(axis=1).min()),
                "twins": twins,
            }
        prefix = f"{CLAIMS[task]}.{task}"
        ours |= {f"{prefix}.{name}{suffix}": value for name, value in split_numbers.items()}
        if reading == TABLE:
            ours[f"{prefix}.test_per_cell"] = int(by_cell["test"].min())
    return ours


def twins_sentence(index: FaceIndex, ours: Mapping[str, object]) -> str:
    """How many test images have a twin that was learned, in words.

    Args:
        index: of the faces.
        ours: what `numbers` found.
    """
    shares = [
        f"{share:.1%} of the test images for {TASK_NAMES[task]}"
        for task in index.tasks
        if isinstance(share := ours.get(f"{CLAIMS[task]}.{task}.twins"), float)
    ]
    if not shares:
        return f"How many images of this run have a twin is not known. {lacking(index)}"
    return f"In this run {' and '.join(shares)} have a twin that was learned."


def verdicts(study: Study) -> list[Verdict]:
    """D1 to D4, F1 and F2: met where the counts are the paper's."""
    faces = study.faces
    if not faces.index.has(*FACTORS):
        return untestable(
            ("D1", "D2", "D3", "D4", "F1", "F2"),
            f"the {faces.called} is no factorial design of subjects, emotions and angles",
        )
    ours = numbers(study, readings(study))
    designed = _agree(ours, "d1.both", "subjects", "emotions", "gazes", "angles", "images")
    used = len(faces.index.table["subject"].unique())
    everyone = Part(
        used == paper.number("d1.both.subjects"),
        f"{used} subjects in this run" + (", all of them made up" if made_up(faces) else ""),
    )
    identity = _agree(ours, "d3.subject", "train_per_cell", "cells", "train", "test")
    table = _agree(ours, "d4.emotion", "train_per_cell", "test_per_cell", "train", "test")
    text = _agree(ours, "d4.emotion", "train_text", "test_text")
    one = Part(
        text.met and ours["d4.emotion.train"] == ours["d4.emotion.train_text"],
        "text and Table 2 cannot both be right: they give the odd image of each cell to "
        "different parts, and the printed accuracy fits the table only",
    )
    five = counts(whole_design(faces)).get("angles", 0)
    eight = counts(faces.index.table)["emotions"]
    whose = "synthetic subject" if made_up(faces) else "subject"
    return [
        weigh("D1", [designed, everyone]),
        weigh("D2", _one_by_one(ours, "d2.both", "angles", "images", "size")),
        weigh("D3", [identity]),
        weigh("D4", [table, one]),
        weigh("F1", [Part(five == len(ANGLES), f"{five} views of one {whose}")]),
        weigh("F2", [Part(eight == len(EMOTIONS), f"{eight} expressions of one {whose}")]),
    ]


def made_up(faces: Faces) -> bool:
    """Whether nobody is shown."""
    return not terms_of(faces.source).shows_people


def _agree(ours: Mapping[str, object], prefix: str, *names: str) -> Part:
    parts = _one_by_one(ours, prefix, *names)
    return Part(all(part.met for part in parts), ", ".join(part.fact for part in parts))


def _one_by_one(ours: Mapping[str, object], prefix: str, *names: str) -> list[Part]:
    parts = []
    for name in names:
        about, mine = paper.quantity(f"{prefix}.{name}"), ours[f"{prefix}.{name}"]
        same = mine == about.value
        shown = paper.show(mine, "count")  # type: ignore[arg-type]
        parts.append(Part(same, f"{about.label} {shown}" + ("" if same else f" for {about.text}")))
    return parts
