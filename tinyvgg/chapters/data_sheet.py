"""What the synthetic set is: who is in it, what it is made of, whether it can be made again."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from tinyvgg import files as paths
from tinyvgg import paper
from tinyvgg.chapters import style
from tinyvgg.chapters.data import counts, mosaic, portraits, whole_design
from tinyvgg.chapters.reports import missing, read_report, report_path
from tinyvgg.chapters.statistics import Interval, confusion, mean_interval, proportion_interval
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.sources import synthfaces
from tinyvgg.paper import TASK_NAMES
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run

SEED = 0
"""Of the set that the book uses."""

SKIN_CLASSES = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -90.0),
)
"""Classes of the individual typology angle and their lower borders, degrees."""

# linear sRGB to CIE XYZ, relative to the white point D65 (IEC 61966-2-1)
_TO_XYZ = np.array(
    [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
)


def synthetic_faces(study: Study) -> Faces:
    """The synthetic faces of a study; of one of photographs, neutral portraits of its size."""
    if study.source == "synthetic":
        return study.faces
    profile = study.profile
    people = len(synthfaces.SUBJECTS) if profile.subjects is None else profile.subjects
    table = synthfaces.design(people, angles=(90,), emotions=("neutral",), gazes=("frontal",))
    images = synthfaces.render(table, profile.size, paths.faces_cache(), SEED, progress=False)
    made_by = synthfaces.fingerprint(profile.size, SEED)
    return Faces("synthetic", FaceIndex(table), images, made_by)


def design_table(faces: Faces) -> pd.DataFrame:
    """How large the set is: all of it, what the book renders, and what is shown here."""
    columns = {
        "all cameras": counts(whole_design(faces)),
        "cameras of the paper": counts(synthfaces.design()),
        "rendered for this run": counts(faces.index.table),
    }
    named = {"images_per_subject": "images of a subject"}
    table = pd.DataFrame(
        {
            title: {
                named.get(name, name): paper.show(value, "count") for name, value in found.items()
            }
            for title, found in columns.items()
        }
    )
    return table.rename_axis("number of")


def cohorts() -> pd.DataFrame:
    """All subjects of the design, by group and sex."""
    people = synthfaces.design(emotions=("neutral",), gazes=("frontal",), angles=(90,))
    return pd.crosstab(people["group"], people["sex"], margins=True, margins_name="all")


def truth_table(truth: synthfaces.Truth) -> pd.DataFrame:
    """What is known of one image, as it is kept in a file: names and shapes of the arrays."""
    rows = [
        (name, " × ".join(map(str, np.shape(values))) or "1", _example(np.asarray(values)))
        for name, values in truth.arrays().items()
    ]
    return pd.DataFrame(rows, columns=["array", "shape", "begins with"]).set_index("array")


def _example(values: np.ndarray) -> str:
    first = values.ravel()[:2].tolist()
    shown = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in first]
    return ", ".join(shown) + (" …" if values.size > 2 else "")


def expression_table() -> pd.DataFrame:
    """Strength of each action (rows) in each emotion (columns), before any variation.

    Rows are sorted from the brows to the jaw; ``:near`` and ``:far`` are the sides of a lopsided
    expression.
    """
    actions = dict.fromkeys(
        action for emotion in synthfaces.EMOTIONS for action in synthfaces.EXPRESSIONS[emotion]
    )
    table = pd.DataFrame(
        {
            emotion: pd.Series(synthfaces.EXPRESSIONS[emotion], dtype=float)
            for emotion in synthfaces.EMOTIONS
        }
    )
    table = table.reindex(sorted(actions, key=_from_the_top)).fillna(0.0)
    return table.rename_axis("action")


_REGIONS = ("brow", "eyebrows", "eye", "nose", "cheek", "mouth", "jaw")


def _from_the_top(action: str) -> tuple[int, str]:
    region = max((name for name in _REGIONS if action.startswith(name)), key=len)
    return _REGIONS.index(region), action


def identity_table(sizes: Sequence[int]) -> pd.DataFrame:
    """What names the pixels: versions, and the fingerprint at each size."""
    rows = {
        "version of the renderer": str(synthfaces.VERSION),
        "version of the anatomy, anny": metadata.version("anny"),
        "seed of the set": str(SEED),
        **{
            f"fingerprint at {size} pixels": synthfaces.fingerprint(size, SEED)
            for size in sorted(set(sizes))
        },
    }
    return pd.Series(rows, name="value").rename_axis("of the set").to_frame()


def tolerance_sentence() -> str:
    """By how much the images of another machine may be off."""
    return (
        f"Images of other machines may be off by {synthfaces.LEVELS_OFF} of 255 levels at most, "
        f"and in fewer than {synthfaces.SHARE_OFF:.0%} of their values."
    )


def repeated_sentence(faces: Faces, count: int = 4) -> str:
    """Render a few images of a set again, each alone, and say whether they are the same."""
    rows = np.linspace(0, len(faces) - 1, count).round().astype(int)
    specs = list(synthfaces.face_specs(faces.index.table.iloc[rows], SEED))
    size = int(faces.images.shape[1])
    again = [synthfaces.render_face(spec, size, paths.faces_cache()) for spec in specs]
    off = np.abs(np.stack(again).astype(int) - np.asarray(faces.images[rows]).astype(int))
    same = int((off.reshape(count, -1).max(axis=1) == 0).sum())
    return (
        f"Rendered once more for this page, each alone: {same} of {count} images are those of the "
        f"set to the byte"
        + (f"; the others are off by up to {off.max()} levels." if same < count else ".")
    )


def looks(seed: int = SEED) -> pd.DataFrame:
    """Skin without light, and hair, of all subjects; the lightest skin first.

    Returns:
        columns subject, group, sex, red, green and blue (of the skin, sRGB, 0..1), angle (its
        individual typology angle, degrees), tone (the class of the angle) and cut (of the hair).
    """
    rows = []
    for number in synthfaces.SUBJECTS:
        who = synthfaces.person(number)
        drawn = synthfaces.draw_appearance(who, synthfaces.stream(seed, number, "appearance"))
        red, green, blue = synthfaces.to_srgb(drawn.skin).tolist()
        angle, cut = typology_angle(drawn.skin), drawn.style.cut.name.lower()
        rows.append((number, who.group, who.sex, red, green, blue, angle, _tone(angle), cut))
    columns = ["subject", "group", "sex", "red", "green", "blue", "angle", "tone", "cut"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("angle", ascending=False, kind="stable").reset_index(drop=True)


def typology_angle(linear: Float[np.ndarray, "3"]) -> float:
    """The individual typology angle of a colour, degrees: the arctangent of (L* - 50) / b*.

    Args:
        linear: RGB, linear.
    """
    xyz = _TO_XYZ @ linear.astype(np.float64)
    _, y, z = np.cbrt(xyz / _TO_XYZ.sum(axis=1))
    lightness, yellow = 116 * y - 16, 200 * (y - z)
    return float(np.degrees(np.arctan2(lightness - 50, yellow)))


def _tone(angle: float) -> str:
    return next(name for name, border in SKIN_CLASSES if angle > border)


def skin_table(people: pd.DataFrame) -> pd.DataFrame:
    """Subjects by class of skin tone and group, of `looks`."""
    table = pd.crosstab(people["tone"], people["group"], margins=True, margins_name="all")
    names = [name for name, _ in SKIN_CLASSES]
    return table.reindex([*names, "all"], fill_value=0).rename_axis("skin")


def hair_table(people: pd.DataFrame) -> pd.DataFrame:
    """Subjects by sex and cut of the hair, of `looks`."""
    table = pd.crosstab(people["sex"], people["cut"], margins=True, margins_name="all")
    return table[
        [*(cut.name.lower() for cut in synthfaces.Cut if cut.name.lower() in table), "all"]
    ]


def knobs_table(study: Study) -> pd.DataFrame:
    """What makes the set hard: the default of each knob, its range, and what it does.

    A study of other knobs has a column of its own.
    """
    said = _attributes(synthfaces.Difficulty)
    columns: dict[str, dict[str, object]] = {
        "default": {name: f"{value:g}" for name, value in synthfaces.USUAL.values.items()}
    }
    if study.source.startswith("synthetic:"):
        own = synthfaces.difficulty_of(study.source).values
        columns["this run"] = {name: f"{value:g}" for name, value in own.items()}
    columns["range"] = {
        name: f"{low:g} to {high:g}" for name, (low, high) in synthfaces.KNOBS.items()
    }
    columns["what it is"] = {name: said[name] for name in synthfaces.KNOBS}
    return pd.DataFrame(columns).rename_axis("knob")


def _attributes(described: type) -> dict[str, str]:
    """What the docstring of a class says of each attribute."""
    text = inspect.getdoc(described) or ""
    section = text.partition("Attributes:\n")[2].partition("\n\n")[0]
    found = re.findall(r"(?m)^    (\w+): (.+(?:\n     .+)*)", section)
    return {name: re.sub(r"\s+", " ", said).replace("`", "") for name, said in found}


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
    if not sum(read.values()) or not set(read) <= set(synthfaces.EMOTIONS):
        raise ValueError(f"no counts of emotions: {read}")
    return {emotion: int(times) for emotion, times in read.items()}


def judged_sentence(judged: Judged | None) -> str:
    """What was judged, and whether it is the set as it is now."""
    if judged is None:
        return missing(FILE, TOOL)
    everyone = judged.subjects == len(synthfaces.SUBJECTS)
    who = (
        "all subjects"
        if everyone
        else f"{judged.subjects} of the {len(synthfaces.SUBJECTS)} subjects"
    )
    versions = ", ".join(f"{name} {version}" for name, version in judged.judges.items())
    now = synthfaces.fingerprint(judged.size, judged.seed)
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


LEVEL = 0.99
"""Confidence of the intervals; higher than elsewhere, as many probes are looked at together."""

HELD_OUT = ("gaze", "angle", "subject")
"""The columns that training and test images can be made to share no value of."""

_SHOT = ["subject", "emotion", "gaze"]
_ALIKE_BUT_EMOTION = ["subject", "gaze", "angle"]
_MOST_FOLDS = 4
_PENALTY = 1.0
_CONSTANT = 1e-6

Features = Float32[np.ndarray, "n f"]


class Reading(NamedTuple):
    """How often a probe reads the emotion of images that it was not fitted to.

    Attributes:
        accuracy: share of the images that it reads right.
        interval: of the accuracy, at `LEVEL`. The images that several cameras took of one shot are
            one trial, as they are not independent.
        shots: how many trials there are.
        chance: the accuracy of guessing.
    """

    accuracy: float
    interval: Interval
    shots: int
    chance: float

    @property
    def at_chance(self) -> bool:
        """Whether guessing would do as well, as far as the interval tells."""
        return self.interval.low <= self.chance <= self.interval.high


def read_emotion(features: Features, table: pd.DataFrame, held_out: str) -> Reading:
    """Fit and test a probe, each image being held out once.

    Args:
        features: one row an image.
        table: columns subject, emotion, gaze and angle, one row an image.
        held_out: the column of `HELD_OUT` by whose values images are held out; of many values,
            some at a time.

    Raises:
        UserError: another column, or one with a single value.
    """
    classes, labels = np.unique(table["emotion"].to_numpy(str), return_inverse=True)
    targets = np.eye(len(classes))[labels]
    centred = _less_the_mean(features, table)
    right = np.zeros(len(table))
    for train, test in _folds(table, held_out):
        scores = ridge(centred[train], targets[train], centred[test])
        right[test] = scores.argmax(axis=1) == labels[test]
    shots = pd.Series(right, table.index).groupby([table[name] for name in _SHOT]).mean()
    interval = proportion_interval(float(shots.sum()), len(shots), LEVEL)
    return Reading(float(right.mean()), interval, len(shots), 1 / len(classes))


def ridge(
    train: Float32[np.ndarray, "n f"],
    targets: Float[np.ndarray, "n k"],
    test: Float32[np.ndarray, "m f"],
) -> Float[np.ndarray, "m k"]:
    """Scores of the test rows by ridge regression on standardised features.

    The penalty is 1 where the mean square of the training rows is 1. It is solved in the dual, as
    images have more pixels than there are images.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0)
    varied = spread > _CONSTANT
    scale = spread[varied] * np.float32(max(1, varied.sum()) ** 0.5)
    fitted, asked = ((rows[:, varied] - mean[varied]) / scale for rows in (train, test))
    gram = (fitted @ fitted.T).astype(np.float64) + _PENALTY * np.eye(len(fitted))
    share = targets.mean(axis=0)
    weights = np.linalg.solve(gram, targets - share)
    return np.asarray((asked @ fitted.T) @ weights + share)


def _less_the_mean(features: Features, table: pd.DataFrame) -> Features:
    group = table.groupby(_ALIKE_BUT_EMOTION).ngroup().to_numpy()
    sums = np.zeros((group.max() + 1, features.shape[1]), np.float32)
    np.add.at(sums, group, features)
    means = sums / np.bincount(group)[:, None].astype(np.float32)
    return np.asarray(features - means[group])


def _folds(
    table: pd.DataFrame, held_out: str
) -> Iterator[tuple[Int[np.ndarray, "a"], Int[np.ndarray, "b"]]]:
    """Rows to fit and rows to test, at one angle each unless angles are held out."""
    if held_out not in HELD_OUT:
        raise UserError(f"held_out {held_out!r} is not one of {', '.join(HELD_OUT)}")
    values, angles = table[held_out].to_numpy(), table["angle"].to_numpy()
    names = np.unique(values)
    if len(names) < 2:
        raise UserError(
            f"all images have {held_out} {names[0].item()!r}; give it two values at least"
        )
    everywhere = [np.ones(len(table), bool)]
    places = everywhere if held_out == "angle" else [angles == angle for angle in np.unique(angles)]
    for fold in np.array_split(names, min(_MOST_FOLDS, len(names))):
        tested = np.isin(values, fold)
        for here in places:
            yield np.flatnonzero(~tested & here), np.flatnonzero(tested & here)


FACE = tuple(part for part in synthfaces.FacePart if part > synthfaces.FacePart.EARS)
"""The parts that express an emotion."""

_HEAD = tuple(part for part in synthfaces.FacePart if part != synthfaces.FacePart.BACKGROUND)
_BINS = 32
_PIXELS_OF_BORDER = 1 / 16
_PIXELS_OF_MARGIN = 1 / 16

Images = UInt8[np.ndarray, "n s s 3"]
Kept = Bool[np.ndarray, "n s s"]


@dataclass(frozen=True)
class Probe:
    """What a linear model is given to read the emotion from.

    Attributes:
        region: where in the image it looks, in words.
        features: what it looks at there, in words.
        may_tell: whether emotion may legitimately be read from it.
        left_out: the parts of the face that are masked, wherever any image shows them.
        measure: what makes features of images and masks.
        edges_only: whether all but the edges of the images are masked as well.
    """

    region: str
    features: str
    may_tell: bool
    left_out: tuple[synthfaces.FacePart, ...]
    measure: Callable[[Images, Kept], Features]
    edges_only: bool = False

    def kept(self, shown: synthfaces.PartsShown, table: pd.DataFrame) -> Kept:
        """The pixels that it sees of each row's image."""
        kept = without(self.left_out, shown, table)
        if self.edges_only:
            kept[:, ~_edges(kept.shape[1])] = False
        return kept


def pixels(images: Images, kept: Kept) -> Features:
    """The pixels that are kept; those of other images are black where an image's are not."""
    used = kept.any(axis=0)
    values = images[:, used] * kept[:, used, None]
    return np.asarray(values.reshape(len(images), -1), np.float32)


def statistics(images: Images, kept: Kept) -> Features:
    """Mean, standard deviation and histogram of each channel over the pixels that are kept."""
    return np.stack([_statistics(*pair) for pair in zip(images, kept, strict=True)])


def _statistics(
    image: UInt8[np.ndarray, "s s 3"], kept: Bool[np.ndarray, "s s"]
) -> Float32[np.ndarray, "f"]:
    values = image[kept].astype(np.float32)
    bins = (image[kept] // (256 // _BINS)).T
    counts = [np.bincount(channel, minlength=_BINS) for channel in bins]
    return np.concatenate([values.mean(axis=0), values.std(axis=0), *counts]).astype(np.float32)


PROBES = (
    Probe("whole image", "pixels", True, (), pixels),
    Probe("whole image", "statistics", True, (), statistics),
    Probe("all but the face", "pixels", True, FACE, pixels),
    Probe("all but the face", "statistics", True, FACE, statistics),
    Probe("hair, ears and background", "pixels", False, (*FACE, synthfaces.FacePart.NECK), pixels),
    Probe(
        "hair, ears and background",
        "statistics",
        False,
        (*FACE, synthfaces.FacePart.NECK),
        statistics,
    ),
    Probe("border", "pixels", False, (*FACE, synthfaces.FacePart.NECK), pixels, edges_only=True),
    Probe("background", "pixels", False, _HEAD, pixels),
    Probe("background", "statistics", False, _HEAD, statistics),
)
"""From what shows an emotion to what must not; the neck's shadows tell little, and may."""


def without(
    parts: tuple[synthfaces.FacePart, ...], shown: synthfaces.PartsShown, table: pd.DataFrame
) -> Kept:
    """The pixels apart from these parts in all images of the same subject and angle.

    Args:
        parts: to leave out, with a margin for the blur of the lens.
        shown: of all subjects and angles of the table.
        table: columns subject and angle, one row an image.
    """
    numbers = np.array(parts, dtype=int)
    kept = {key: ~_widened(np.any(seen[numbers], axis=0)) for key, seen in shown.items()}
    keys = zip(table["subject"], table["angle"], strict=True)
    return np.stack([kept[subject, angle] for subject, angle in keys])


def shortcut_table(
    images: Images, table: pd.DataFrame, shown: synthfaces.PartsShown
) -> pd.DataFrame:
    """How often each of `PROBES` reads the emotion, by what training and test images don't share.

    Args:
        images: small ones do: 32 pixels.
        table: columns subject, emotion, gaze and angle, one row an image, in full factorial
            design.
        shown: of all subjects and angles of the table.

    Returns:
        one row for each region, kind of features and column held out: ``may tell`` (bool),
        ``accuracy``, ``low`` and ``high`` (its interval at `LEVEL`), ``chance``, ``shots`` and
        ``at chance`` (bool).
    """
    rows = []
    for probe in PROBES:
        features = probe.measure(images, probe.kept(shown, table))
        for held_out in HELD_OUT:
            found = read_emotion(features, table, held_out)
            rows.append(
                {
                    "region": probe.region,
                    "features": probe.features,
                    "held out": held_out,
                    "may tell": probe.may_tell,
                    "accuracy": found.accuracy,
                    "low": found.interval.low,
                    "high": found.interval.high,
                    "chance": found.chance,
                    "shots": found.shots,
                    "at chance": found.at_chance,
                }
            )
    return pd.DataFrame(rows).set_index(["region", "features", "held out"])


def _widened(mask: Bool[np.ndarray, "s s"]) -> Bool[np.ndarray, "s s"]:
    reach = 2 * max(2, round(len(mask) * _PIXELS_OF_MARGIN)) + 1
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), ellipse), bool)


def _edges(size: int) -> Bool[np.ndarray, "s s"]:
    width = max(1, round(size * _PIXELS_OF_BORDER))
    edges = np.ones((size, size), bool)
    edges[width:-width, width:-width] = False
    return edges


SUBJECTS, ANGLES, GAZES = 8, (45, 90), ("frontal", "left")
"""Of the sample; a study of fewer subjects has fewer."""

_SMALL = 32


class Sample(NamedTuple):
    """Small images of a part of the set, with a row each."""

    images: UInt8[np.ndarray, "n s s 3"]
    table: pd.DataFrame


def sample(study: Study) -> Sample:
    """The first few subjects: a synthetic study's images, made smaller, or rendered small."""
    most = study.profile.subjects or SUBJECTS
    wanted = synthfaces.design(min(most, SUBJECTS), angles=ANGLES, gazes=GAZES)
    if study.source != "synthetic":
        folder = paths.faces_cache()
        return Sample(synthfaces.render(wanted, _SMALL, folder, progress=False), wanted)
    rows = study.faces.index.table.reset_index().set_index("path")["index"][wanted["path"]]
    return Sample(halved(np.asarray(study.faces.images[rows.to_numpy()])), wanted)


def halved(images: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n t t 3"]:
    """Images by means of two by two pixels, again and again while they stay small ones."""
    count, size = images.shape[:2]
    if size % 2 or size < 2 * _SMALL:
        return images
    blocks = images.reshape(count, size // 2, 2, size // 2, 2, 3).astype(np.float32)
    return halved(np.round(blocks.mean(axis=(2, 4))).astype(np.uint8))


def readings(study: Study) -> pd.DataFrame:
    """How often probes read the emotion of the sample; see `shortcut_table`."""
    images, table = sample(study)
    shown = synthfaces.parts_shown(table, images.shape[1], paths.faces_cache())
    return shortcut_table(images, table, shown)


def readings_table(found: pd.DataFrame) -> pd.DataFrame:
    """Accuracies with their intervals, a row for each probe and a column for what is held out."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for reading in found.reset_index().to_dict("records"):
        key = reading["region"], reading["features"]
        row = rows.setdefault(key, {"may tell": "yes" if reading["may tell"] else "no"})
        interval = paper.show_interval(Interval(reading["low"], reading["high"]), "percent")
        accuracy = paper.show(reading["accuracy"], "percent")
        row[f"other {reading['held out']}s"] = f"{accuracy} ({interval})"
    return pd.DataFrame(rows).T.rename_axis(["region", "features"])


def readings_sentence(found: pd.DataFrame) -> str:
    """How many of the readings that must not tell an emotion are those of guessing."""
    table = found.reset_index()
    forbidden = table[~table["may tell"].astype(bool)]
    whole = table["accuracy"][table["region"] == "whole image"].max()
    return (
        f"Guessing is right in {found['chance'].iloc[0]:.1%}. Of the {len(forbidden)} readings of "
        f"what must not tell, {int(forbidden['at chance'].sum())} are within their {LEVEL:.0%} "
        f"interval of that. Of whole images the same models read up to {whole:.0%} right."
    )


TUNING_FILE, TUNING_TOOL = "difficulty.json", "tools/measure_difficulty.py"
ASKED: Mapping[str, Interval] = {
    "subject": Interval(0.01, 0.05),
    "emotion": Interval(0.06, 0.13),
}
"""Between which error rates the default was to lie, about where the paper's are."""

tuning_Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Measured:
    """One network's errors on its test images.

    Attributes:
        task: ``subject`` or ``emotion``.
        profile: whose recipe trained it.
        size: of the images, pixels; not always the profile's own.
        seed: of split, initial weights and batch order.
        fingerprint: of the images.
        test_images: how many.
        errors: how many of them are misclassified.
        confusion: images by true class and class they were taken for; what is zero is left out.
        by_angle: of each camera angle, ``images`` and ``errors``.
    """

    task: str
    profile: str
    size: int
    seed: int
    fingerprint: str
    test_images: int
    errors: int
    confusion: tuning_Counts
    by_angle: tuning_Counts

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells it from other networks."""
        return self.task, self.profile, self.size, self.seed

    def check(self) -> None:
        """Refuse counts that contradict each other.

        Raises:
            ValueError: they do.
        """
        images = [count for row in self.confusion.values() for count in row.values()]
        right = sum(row.get(name, 0) for name, row in self.confusion.items())
        angles = pd.DataFrame(
            {int(angle): counts for angle, counts in self.by_angle.items()}
        ).T.sum()
        if not (sum(images) == self.test_images == angles["images"] > 0):
            raise ValueError(f"{self.key} has contradicting numbers of images")
        if not (self.test_images - right == self.errors == angles["errors"]):
            raise ValueError(f"{self.key} has contradicting numbers of errors")


@dataclass(frozen=True)
class Tuning:
    """All networks that were trained on one source of faces.

    Attributes:
        source: of the faces, as it is typed.
        runs: sorted by task, profile, size and seed.
    """

    source: str
    runs: tuple[Measured, ...]

    def plain(self) -> dict[str, Any]:
        """As plain data, for a file."""
        return {"source": self.source, "runs": [asdict(run) for run in self.runs]}


def measure(run: Run, profile: str) -> Measured:
    """The errors of a trained network, by class and by camera angle.

    Args:
        run: trained on faces with angles.
        profile: whose recipe trained it.
    """
    counts = confusion(run.labels, run.predicted, len(run.classes))
    angles = run.faces.index.table["angle"].to_numpy()[run.split.test]
    wrong = run.predicted != run.labels
    return Measured(
        task=run.task,
        profile=profile,
        size=run.experiment.size,
        seed=run.experiment.seed,
        fingerprint=run.experiment.fingerprint,
        test_images=len(run.labels),
        errors=len(run.errors),
        confusion={
            true: {
                run.classes[taken]: int(counts[row, taken]) for taken in np.flatnonzero(counts[row])
            }
            for row, true in enumerate(run.classes)
        },
        by_angle={
            str(angle): {
                "images": int((angles == angle).sum()),
                "errors": int(wrong[angles == angle].sum()),
            }
            for angle in np.unique(angles)
        },
    )


def merged(source: str, old: Tuning | None, new: Iterable[Measured]) -> Tuning:
    """New networks beside those of an earlier report that are still of the same images."""
    found = {run.key: run for run in (old.runs if old and old.source == source else ())}
    kept = {key: run for key, run in found.items() if is_current(source, run)}
    return Tuning(source, _sorted({**kept, **{run.key: run for run in new}}.values()))


def is_current(source: str, run: Measured) -> bool:
    """Whether a network's images are those that the renderer makes of their source now."""
    return run.fingerprint == synthfaces.fingerprint(run.size, 0, synthfaces.difficulty_of(source))


def _sorted(runs: Iterable[Measured]) -> tuple[Measured, ...]:
    order = list(ASKED)
    return tuple(sorted(runs, key=lambda run: (order.index(run.task), *run.key[1:])))


def read_tuning(path: Path | None = None) -> Tuning | None:
    """The committed report, or another; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_report(path or report_path(TUNING_FILE), _parse_tuning, TUNING_TOOL)


def _parse_tuning(content: Any) -> Tuning:
    runs = [Measured(**run) for run in content["runs"]]
    for run in runs:
        run.check()
    source = str(content["source"])
    if source.partition(":")[0] != "synthetic":
        raise ValueError(f"{source!r} is no synthetic source")
    return Tuning(synthfaces.difficulty_of(source).source, _sorted(runs))


def tuning_sentence(tuning: Tuning | None) -> str:
    """What was trained on which faces, and whether they are those of now."""
    if tuning is None:
        return missing(TUNING_FILE, TUNING_TOOL)
    if not tuning.runs:
        return f"No network was trained on `{tuning.source}` yet; `{TUNING_TOOL}` trains them."
    old = sum(not is_current(tuning.source, run) for run in tuning.runs)
    changed = (
        f" The set has changed since {old} of them were trained: their numbers are of an earlier "
        "version."
        if old
        else ""
    )
    inside = sum(
        ASKED[run.task].low <= run.errors / run.test_images <= ASKED[run.task].high
        for run in tuning.runs
    )
    return (
        f"Measured with {len(tuning.runs)} networks on the faces `{tuning.source}`: {inside} have "
        f"an error rate in the range asked for.{changed}"
    )


def rates_table(tuning: Tuning) -> pd.DataFrame:
    """Error rate of each network, and the mean over seeds, beside what was asked for; may be empty.

    The interval of a network is Wilson's over its test images, that of a mean Student's over seeds.
    """
    rows: list[dict[str, object]] = []
    for (task, profile, size), runs in _groups(tuning).items():
        place = {"task": TASK_NAMES[task], "recipe": profile, "pixels": size}
        rates = np.array([run.errors / run.test_images for run in runs])
        for run, rate in zip(runs, rates.tolist(), strict=True):
            interval = proportion_interval(run.errors, run.test_images)
            counts = f"{run.errors:,} of {run.test_images:,}"
            rows.append({**place, "seed": str(run.seed), **_row(task, counts, rate, interval)})
        if len(runs) > 1:
            low, high = mean_interval(rates)
            interval = Interval(max(0.0, low), min(1.0, high))
            mean = _row(task, paper.NOTHING, float(rates.mean()), interval)
            rows.append({**place, "seed": "mean", **mean})
    return _table(rows, "task", "recipe", "pixels", "seed")


def _groups(tuning: Tuning) -> dict[tuple[str, str, int], list[Measured]]:
    """Networks that differ in their seeds alone."""
    found: dict[tuple[str, str, int], list[Measured]] = {}
    for run in tuning.runs:
        found.setdefault((run.task, run.profile, run.size), []).append(run)
    return found


def _row(task: str, counts: str, rate: float, interval: Interval) -> dict[str, str]:
    asked = ASKED[task]
    return {
        "errors": counts,
        "error rate": paper.show(rate, "percent"),
        "95 % interval": paper.show_interval(interval, "percent"),
        "asked for": f"{100 * asked.low:.0f} to {asked.high:.0%}",
        "within": "yes" if asked.low <= rate <= asked.high else "no",
        "paper": paper.show(papers_rate(task), "percent"),
    }


def papers_rate(task: str) -> float:
    """The paper's error rate."""
    return 1 - paper.number(f"t2.{task}.accuracy")


def emotion_confusions(tuning: Tuning) -> pd.DataFrame:
    """The emotions that are confused most."""
    return confusions_table(tuning, "emotion")


def subject_confusions(tuning: Tuning) -> pd.DataFrame:
    """The subjects that are confused most."""
    return confusions_table(tuning, "subject")


def confusions_table(tuning: Tuning, task: str, most: int = 6) -> pd.DataFrame:
    """The most frequent confusions of a task, over all of its networks."""
    runs = [run for run in tuning.runs if run.task == task]
    errors: dict[tuple[str, str], int] = {}
    shown: dict[str, int] = {}
    for run in runs:
        for true, row in run.confusion.items():
            shown[true] = shown.get(true, 0) + sum(row.values())
            for taken, times in row.items():
                if taken != true:
                    errors[true, taken] = errors.get((true, taken), 0) + times
    whole = sum(errors.values())
    worst = sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:most]
    return pd.DataFrame(
        [
            {
                "true": true,
                "taken for": taken,
                "so often": times,
                "of all errors": paper.show(times / whole, "percent"),
                "of its images": paper.show(times / shown[true], "percent"),
            }
            for (true, taken), times in worst
        ]
    )


def angles_table(tuning: Tuning) -> pd.DataFrame:
    """Error rates by camera angle, over the seeds of each task, recipe and size."""
    rows: list[dict[str, object]] = []
    for (task, profile, size), runs in _groups(tuning).items():
        row: dict[str, object] = {"task": TASK_NAMES[task], "recipe": profile, "pixels": size}
        for angle in sorted({int(angle) for run in runs for angle in run.by_angle}):
            counts = [run.by_angle[str(angle)] for run in runs if str(angle) in run.by_angle]
            errors, images = (sum(count[name] for count in counts) for name in ("errors", "images"))
            interval = paper.show_interval(proportion_interval(errors, images), "percent")
            row[f"{angle}°"] = f"{paper.show(errors / images, 'percent')} ({interval})"
        rows.append(row)
    return _table(rows, "task", "recipe", "pixels").fillna(paper.NOTHING)


def _table(rows: list[dict[str, object]], *index: str) -> pd.DataFrame:
    return pd.DataFrame(rows).set_index(list(index)) if rows else pd.DataFrame()


SMALL, LARGE = 112, 224
"""Sizes at which portraits are rendered for these figures, pixels."""
COLUMNS = 12

_PART_COLOURS = {
    synthfaces.FacePart.BACKGROUND: "#f2f2f2",
    synthfaces.FacePart.HAIR: "#5b4a3a",
    synthfaces.FacePart.NECK: "#b9a48f",
    synthfaces.FacePart.EARS: "#d55e00",
    synthfaces.FacePart.FOREHEAD: "#f0e442",
    synthfaces.FacePart.CHEEKS: "#f4b9a7",
    synthfaces.FacePart.CHIN: "#9a7fc7",
    synthfaces.FacePart.NOSE: "#009e73",
    synthfaces.FacePart.MOUTH: "#cc3311",
    synthfaces.FacePart.EYES: "#0072b2",
    synthfaces.FacePart.BROWS: "#1a1a1a",
}


@style.styled()
def everybody_figure(faces: Faces, people: pd.DataFrame) -> Figure:
    """Everybody, neutral and from the front, from the lightest skin to the darkest.

    Args:
        faces: of the synthetic set.
        people: `tinyvgg.chapters.data_sheet.looks`, whose order is kept.
    """
    table = faces.index.table.reset_index(drop=True)
    chosen = (table["emotion"] == "neutral") & (table["gaze"] == "frontal") & (table["angle"] == 90)
    row_of = dict(zip(table["subject"][chosen], table.index[chosen], strict=True))
    people = people[people["subject"].isin(list(row_of))]
    size = int(faces.images.shape[1])
    band, gap = max(3, size // 10), max(2, size // 16)
    tiles = np.stack(
        [
            _with_skin(np.asarray(faces.images[row_of[subject]]), colour, band)
            for subject, colour in zip(people["subject"], _skins(people), strict=True)
        ]
    )
    columns = min(COLUMNS, len(tiles))
    places = _in_rows(len(tiles), columns)
    whole = mosaic(tiles, places, gap)
    height, width = whole.shape[:2]
    cell = min(style.WIDTH, 0.7 * columns)
    figure, axes = style.grid(1, 1, cell=cell, aspect=height / width)
    axis: Axes = axes[0, 0]
    style.show_image(axis, whole)
    label = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    for (r, c), place in np.ndenumerate(places):
        if place >= 0:
            corner = (c * (size + gap), r * (size + band + gap))
            number = str(people["subject"].iloc[place])
            axis.text(*corner, number, fontsize=5.5, va="center", bbox=label)
    axis.set(xlim=(-1.5, width - 0.5), ylim=(height - 0.5, -1.5))
    return figure


def _with_skin(
    image: Shaped[np.ndarray, "s s 3"], colour: Float[np.ndarray, "3"], band: int
) -> UInt8[np.ndarray, "h s 3"]:
    """A portrait above a band of the colour of its skin."""
    strip = np.full((band, image.shape[1], 3), np.round(255 * colour), np.uint8)
    return np.concatenate([image, strip])


def _skins(people: pd.DataFrame) -> Float[np.ndarray, "n 3"]:
    return people[["red", "green", "blue"]].to_numpy(np.float64)


def _in_rows(count: int, columns: int) -> Int[np.ndarray, "r c"]:
    rows = -(-count // columns)
    places = np.full(rows * columns, -1)
    places[:count] = np.arange(count)
    return places.reshape(rows, columns)


@style.styled()
def tones_figure(people: pd.DataFrame) -> Figure:
    """The typology angle of each subject's skin by group, drawn in the colour of the skin."""
    groups = sorted(people["group"].unique())
    figure, axes = style.grid(1, 1, cell=style.WIDTH, aspect=0.26)
    axis: Axes = axes[0, 0]
    for place, group in enumerate(groups):
        mine = people[people["group"] == group]
        spread = np.resize([-0.18, 0.0, 0.18], len(mine))
        axis.scatter(
            mine["angle"], place + spread, c=_skins(mine), s=70, edgecolor=style.GRAY, linewidth=0.4
        )
    axis.set_yticks(range(len(groups)), groups)
    low, high = people["angle"].min() - 4, people["angle"].max() + 4
    axis.set(xlim=(high, low), ylim=(len(groups) - 0.4, -0.6), xlabel="individual typology angle")
    axis.xaxis.set_major_formatter("{x:.0f}°")
    upper = high
    for name, border in SKIN_CLASSES:
        inner = max(border, low)
        if inner < upper:
            axis.text((upper + inner) / 2, -0.75, name, ha="center", fontsize=8, color=style.GRAY)
        if low < border < high:
            axis.axvline(border, color=style.GRAY, linewidth=0.8, linestyle=":")
        upper = min(upper, border)
    axis.tick_params(axis="y", length=0)
    return figure


def one_of_each_group(table: pd.DataFrame) -> list[int]:
    """The first woman of the set, the first Moroccan man and the first child that are there."""
    people = table.drop_duplicates("subject")
    wanted = (("Caucasian", "female"), ("Moroccan", "male"), ("Kid", None))
    found = []
    for group, sex in wanted:
        mine = people[(people["group"] == group) & ((people["sex"] == sex) | (sex is None))]
        found += mine["subject"].head(1).tolist()
    return found


@style.styled()
def emotions_figure(subjects: Sequence[int]) -> Figure:
    """The eight emotions (columns) of a few subjects (rows)."""
    shots = _rows(
        synthfaces.design(angles=(90,), gazes=("frontal",)),
        subjects,
        list(synthfaces.EMOTIONS),
        "emotion",
    )
    return _portrait_grid(shots, subjects, list(synthfaces.EMOTIONS))


@style.styled()
def angles_figure(subjects: Sequence[int]) -> Figure:
    """A few subjects (rows) from all five cameras (columns)."""
    table = synthfaces.design(angles=synthfaces.ANGLES, emotions=("neutral",), gazes=("frontal",))
    angles = sorted(synthfaces.ANGLES, reverse=True)
    shots = _rows(table, subjects, angles, "angle")
    return _portrait_grid(shots, subjects, [f"{angle}°" for angle in angles])


def _rows(
    table: pd.DataFrame, subjects: Sequence[int], values: Sequence[object], column: str
) -> pd.DataFrame:
    """The shots of these subjects, one after the other, each with these values in order."""
    indexed = table.set_index(["subject", column])
    wanted = [(subject, value) for subject in subjects for value in values]
    return indexed.loc[wanted].reset_index()


def _portrait_grid(shots: pd.DataFrame, subjects: Sequence[int], titles: Sequence[str]) -> Figure:
    images = portraits(shots, SMALL)
    figure, axes = style.grid(len(subjects), len(titles))
    for place, image in enumerate(images):
        row, column = divmod(place, len(titles))
        style.show_image(axes[row, column], image, titles[column] if row == 0 else "")
        if column == 0:
            axes[row, column].set_ylabel(f"subject {subjects[row]}")
    return figure


@style.styled()
def expressions_figure(strengths: pd.DataFrame) -> Figure:
    """How strongly each action (rows) is put on in each emotion (columns)."""
    return _heat_map(
        strengths.to_numpy(),
        [_words(action) for action in strengths.index],
        list(strengths.columns),
        "{:g}",
        "Blues",
        (style.WIDTH * 0.8, 0.21 * len(strengths) + 0.9),
    )


def _words(action: str) -> str:
    """The name of an action without what the code has of it."""
    name, _, side = action.partition(":")
    return f"{name} ({side} side)" if side else name


@style.styled()
def truth_figure(
    truths: Sequence[synthfaces.Truth], images: Sequence[UInt8[np.ndarray, "s s 3"]]
) -> Figure:
    """Images of the set, the parts of the face that their pixels show, and the landmarks."""
    figure, axes = style.grid(len(truths), 3, cell=style.WIDTH / 3.1)
    colours = _part_colours()
    for row, (truth, image) in enumerate(zip(truths, images, strict=True)):
        titles = ("image", "parts", "landmarks") if row == 0 else ("", "", "")
        style.show_image(axes[row, 0], image, titles[0])
        style.show_image(axes[row, 1], colours[truth.parts], titles[1])
        style.show_image(axes[row, 2], _faded(image), titles[2])
        marks = truth.landmarks
        for seen, face in ((True, style.BLUE), (False, "none")):
            points = marks.points[marks.visible == seen] - 0.5
            axes[row, 2].scatter(*points.T, s=14, facecolor=face, edgecolor=style.BLUE)
    handles = [
        Patch(facecolor=_PART_COLOURS[part], edgecolor=style.GRAY, label=part.name.lower())
        for part in synthfaces.FacePart
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _part_colours() -> UInt8[np.ndarray, "parts 3"]:
    colours = [bytes.fromhex(_PART_COLOURS[part].removeprefix("#")) for part in synthfaces.FacePart]
    return np.array([list(colour) for colour in colours], np.uint8)


def _faded(image: UInt8[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "s s 3"]:
    return (255 - (255 - image.astype(np.uint16)) // 2).astype(np.uint8)


@style.styled()
def readings_figure(judged: Judged | None) -> style.Drawn:
    """What the reader of expressions says (columns) of each emotion put on (rows), as shares."""
    if judged is None:
        return style.Missing("What is read in the faces cannot be shown without that report.")
    confusion = confusion_table(judged)
    shares = confusion.div(confusion.sum(axis=1), axis=0).to_numpy()
    figure = _heat_map(
        shares,
        list(confusion.index),
        list(confusion.columns),
        "{:.0%}",
        "Blues",
        (style.WIDTH * 0.72, 3.6),
    )
    figure.axes[0].set(xlabel="read as", ylabel="put on")
    return figure


def _heat_map(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    form: str,
    colours: str,
    inches: tuple[float, float],
) -> Figure:
    """Numbers on colour; what is zero is left empty."""
    figure, axes = style.grid(1, 1, cell=inches[0], aspect=inches[1] / inches[0])
    axis: Axes = axes[0, 0]
    top = max(float(values.max()), 1e-12)
    axis.imshow(values, cmap=colours, vmin=0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if value > 0:
            colour = "white" if value > 0.6 * top else "black"
            text = form.format(value)
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="#e4e4e4", linewidth=0.6)
    axis.tick_params(which="both", length=0, labelsize=8)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


@style.styled()
def rates_figure(tuning: Tuning | None) -> style.Drawn:
    """Error rate of each network with its interval, in the range asked for, beside the paper's."""
    if tuning is None or not tuning.runs:
        return style.Missing("Error rates cannot be shown without that report.")
    tasks = [task for task in ASKED if any(run.task == task for run in tuning.runs)]
    longest = max(sum(run.task == task for run in tuning.runs) for task in tasks)
    height = 0.24 * longest + 1.1
    cell = style.WIDTH / len(tasks)
    figure, axes = style.grid(1, len(tasks), cell=cell, aspect=height / cell)
    for axis, task in zip(axes[0], tasks, strict=True):
        _rates(axis, task, [run for run in tuning.runs if run.task == task])
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _rates(axis: Axes, task: str, runs: list[Measured]) -> None:
    colour = style.TASK_COLOURS[task]
    axis.axvspan(*ASKED[task], color="#e8e8e8", label="asked for")
    axis.axvline(papers_rate(task), color="black", linewidth=0.8, linestyle=":", label="paper")
    for place, run in enumerate(runs):
        low, high = proportion_interval(run.errors, run.test_images)
        axis.hlines(place, low, high, color=colour, linewidth=1.5)
        label = "one network, 95 % interval" if place == 0 else None
        axis.plot(run.errors / run.test_images, place, "o", color=colour, ms=4, label=label)
    names = [f"{run.profile}, {run.size} px, seed {run.seed}" for run in runs]
    axis.set_yticks(range(len(runs)), names, fontsize=8)
    axis.set(xlim=(0, None), ylim=(len(runs) - 0.5, -0.5), xlabel="error rate")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.tick_params(axis="y", length=0)
    axis.set_title(style.TASK_NAMES[task])
