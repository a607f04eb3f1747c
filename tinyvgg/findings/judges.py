"""What outside judges, networks trained on photographs, say of the synthetic faces.

``tools/judge_faces.py`` asks them and writes the report that is read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tinyvgg import paper
from tinyvgg.face_parameters import EMOTIONS, SUBJECTS
from tinyvgg.faces import synthetic
from tinyvgg.findings.reports import missing, read_report, report_path
from tinyvgg.metrics import proportion_interval

FILE, TOOL = "judges.json", "tools/judge_faces.py"
ASKED_ANGLES = (45, 90, 135)
LEAST_FOUND, LEAST_RIGHT, LEAST_RIGHT_OF_EACH = 0.99, 0.75, 0.50
"""What was asked for beforehand: of the faces at these angles; of all readings; of each emotion."""

_PHOTOGRAPHS = {"neutral_front": "neutral", "smiling_front": "happy"}

Counts = Mapping[str, int]
"""Images by the emotion that is read in them."""


@dataclass(frozen=True)
class Judged:
    """A report of outside judges.

    Attributes:
        size: of the images, pixels.
        seed: of the set.
        subjects: how many of the 67 were shown.
        fingerprint: of the images.
        judges: versions of their packages.
        found: columns detector, angle, shown, found and elsewhere; a row a detector and angle.
        confusion: images by the emotion put on and the one read.
        photographs: of each emotion, how often which was read in photographs of people.
    """

    size: int
    seed: int
    subjects: int
    fingerprint: str
    judges: Mapping[str, str]
    found: pd.DataFrame
    confusion: Mapping[str, Counts]
    photographs: Mapping[str, Counts]

    @property
    def known(self) -> list[str]:
        """The emotions that the reader of expressions has a name for."""
        return [emotion for emotion in self.confusion if emotion in self._named]

    @property
    def _named(self) -> set[str]:
        return {emotion for read in self.confusion.values() for emotion in read}


def read_judged(path: Path | None = None) -> Judged | None:
    """The committed report, or another; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_report(path or report_path(FILE), _parse, TOOL)


def _parse(content: Any) -> Judged:
    found = [
        {
            "detector": detector,
            "angle": int(angle),
            **{name: int(counts[name]) for name in ("shown", "found", "elsewhere")},
        }
        for detector, angles in content["found"].items()
        for angle, counts in angles.items()
    ]
    confusion = {
        str(emotion): _counts(read) for emotion, read in content["expressions"]["confusion"].items()
    }
    if not found or not confusion:
        raise ValueError("nothing was judged")
    return Judged(
        size=int(content["size"]),
        seed=int(content["seed"]),
        subjects=int(content["subjects"]),
        fingerprint=str(content["fingerprint"]),
        judges={str(name): str(version) for name, version in content["judges"].items()},
        found=pd.DataFrame(found),
        confusion=confusion,
        photographs={
            _PHOTOGRAPHS[name]: _counts(said["read"])
            for name, said in content.get("photographs", {}).items()
        },
    )


def _counts(read: Mapping[str, Any]) -> Counts:
    """What was read so often.

    Raises:
        ValueError: something else than emotions, or nothing.
    """
    if not sum(read.values()) or not set(read) <= set(EMOTIONS):
        raise ValueError(f"no counts of emotions: {read}")
    return {emotion: int(times) for emotion, times in read.items()}


def judged_sentence(judged: Judged | None) -> str:
    """What was judged, and whether it is the set as it is now."""
    if judged is None:
        return missing(FILE, TOOL)
    everyone = judged.subjects == len(SUBJECTS)
    who = "all subjects" if everyone else f"{judged.subjects} of the {len(SUBJECTS)} subjects"
    versions = ", ".join(f"{name} {version}" for name, version in judged.judges.items())
    now = synthetic.fingerprint(judged.size, judged.seed)
    changed = (
        ""
        if judged.fingerprint == now
        else " The set has changed since: these numbers are of an earlier version."
    )
    return (
        f"Judged were {who} with frontal gaze at {judged.size} pixels, by {versions} "
        f"(images `{judged.fingerprint}`). {_outcome(judged)}{changed}"
    )


def _outcome(judged: Judged) -> str:
    """Whether what was asked for beforehand is reached, and where it is not."""
    found, read = (
        table.reset_index().to_dict("records")
        for table in (found_table(judged), read_table(judged))
    )
    of_faces = [(f"faces that {row['detector']} finds", row) for row in found]
    of_readings = [(f"readings of {row['emotion']}", row) for row in read]
    missed = [
        f"{what} ({row['share']}, {row['asked for']} were asked for)"
        for what, row in of_faces + of_readings
        if row["met"] == "no"
    ]
    if not missed:
        return "All that was asked for is reached."
    return f"Not reached: {'; '.join(missed)}. All else that was asked for is."


def found_table(judged: Judged) -> pd.DataFrame:
    """Faces found by each detector, by camera angle and at the angles that were asked for."""
    rows = []
    for detector, counts in judged.found.groupby("detector", sort=False):
        counts = counts.sort_values("angle")
        asked = counts[counts["angle"].isin(ASKED_ANGLES)]
        together = ", ".join(f"{angle}°" for angle in asked["angle"])
        for camera, part, least in (
            *((f"{angle}°", at, None) for angle, at in counts.groupby("angle")),
            (together, asked, LEAST_FOUND),
        ):
            found, shown = int(part["found"].sum()), int(part["shown"].sum())
            rows.append(
                {
                    "detector": detector,
                    "camera": camera,
                    "shown": f"{shown:,}",
                    "found": f"{found:,}",
                    **_rate(found, shown, least),
                    "also found where no face is": int(part["elsewhere"].sum()),
                }
            )
    return pd.DataFrame(rows).set_index(["detector", "camera"])


def _rate(part: int, whole: int, least: float | None) -> dict[str, str]:
    if not whole:
        return dict.fromkeys(("share", "95 % interval", "asked for", "met"), paper.NOTHING)
    met = "yes" if least is not None and part / whole >= least else "no"
    return {
        "share": paper.show(part / whole, "percent"),
        "95 % interval": paper.show_interval(proportion_interval(part, whole), "percent"),
        "asked for": paper.NOTHING if least is None else f"at least {least:.0%}",
        "met": paper.NOTHING if least is None else met,
    }


def read_table(judged: Judged) -> pd.DataFrame:
    """How often each emotion was read as such in synthetic faces, and as what instead."""
    rows = [
        {"emotion": name, **_readings(judged.confusion[name], name, LEAST_RIGHT_OF_EACH)}
        for name in judged.known
    ]
    right = sum(judged.confusion[name].get(name, 0) for name in judged.known)
    whole = sum(sum(judged.confusion[name].values()) for name in judged.known)
    together = {"shown": whole, "read right": right, **_rate(right, whole, LEAST_RIGHT)}
    rows.append({"emotion": "all of these", **together, "else read as": ""})
    return pd.DataFrame(rows).set_index("emotion")


def _readings(read: Counts, emotion: str, least: float | None) -> dict[str, object]:
    whole, right = sum(read.values()), read.get(emotion, 0)
    others = {name: times for name, times in read.items() if name != emotion}
    return {
        "shown": whole,
        "read right": right,
        **_rate(right, whole, least),
        "else read as": _said(others),
    }


def _said(read: Counts) -> str:
    """What was read, the most frequent first."""
    order = sorted(read.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {times}" for name, times in order if times) or paper.NOTHING


def contempt_sentence(judged: Judged | None) -> str:
    """What is read in faces whose emotion the reader has no name for; empty without a report."""
    if judged is None:
        return ""
    return " ".join(
        f"The {emotion} faces, for which it has no name, it reads as {_said(read)}."
        for emotion, read in judged.confusion.items()
        if emotion not in judged.known
    )


def confusion_table(judged: Judged) -> pd.DataFrame:
    """Images by the emotion put on (rows) and the one read (columns)."""
    table = pd.DataFrame(judged.confusion).T.fillna(0).astype("int64")
    return table[judged.known]


def photographs_table(judged: Judged) -> pd.DataFrame:
    """The same reader on photographs of people: is it used as it is meant to be?"""
    rows = [
        {"photographs": emotion, **_readings(read, emotion, None)}
        for emotion, read in judged.photographs.items()
    ]
    table = pd.DataFrame(rows)
    return table.set_index("photographs").drop(columns=["asked for", "met"]) if rows else table
