"""What the synthetic set is: who is in it, what it is made of, whether it can be made again."""

import inspect
import re
from collections.abc import Sequence
from importlib import metadata

import numpy as np
import pandas as pd
from jaxtyping import Float

from tinyvgg import paper, paths
from tinyvgg.difficulty import KNOBS, USUAL, Difficulty, difficulty_of
from tinyvgg.experiments import Study
from tinyvgg.face_parameters import EMOTIONS, SUBJECTS
from tinyvgg.faces import FaceIndex, Faces, synthetic
from tinyvgg.faces.synthetic.appearance import draw_appearance
from tinyvgg.faces.synthetic.dataset import LEVELS_OFF, SHARE_OFF
from tinyvgg.faces.synthetic.design import person
from tinyvgg.faces.synthetic.expressions import EXPRESSIONS
from tinyvgg.faces.synthetic.hair_styles import Cut
from tinyvgg.faces.synthetic.maths import to_srgb
from tinyvgg.faces.synthetic.streams import stream
from tinyvgg.findings.data import counts, whole_design

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
    people = len(SUBJECTS) if profile.subjects is None else profile.subjects
    table = synthetic.design(people, angles=(90,), emotions=("neutral",), gazes=("frontal",))
    images = synthetic.render(table, profile.size, paths.faces_cache(), SEED, progress=False)
    made_by = synthetic.fingerprint(profile.size, SEED)
    return Faces("synthetic", FaceIndex(table), images, made_by)


def design_table(faces: Faces) -> pd.DataFrame:
    """How large the set is: all of it, what the book renders, and what is shown here."""
    columns = {
        "all cameras": counts(whole_design(faces)),
        "cameras of the paper": counts(synthetic.design()),
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
    people = synthetic.design(emotions=("neutral",), gazes=("frontal",), angles=(90,))
    return pd.crosstab(people["group"], people["sex"], margins=True, margins_name="all")


def truth_table(truth: synthetic.Truth) -> pd.DataFrame:
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
    actions = dict.fromkeys(action for emotion in EMOTIONS for action in EXPRESSIONS[emotion])
    table = pd.DataFrame(
        {emotion: pd.Series(EXPRESSIONS[emotion], dtype=float) for emotion in EMOTIONS}
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
        "version of the renderer": str(synthetic.VERSION),
        "version of the anatomy, anny": metadata.version("anny"),
        "seed of the set": str(SEED),
        **{
            f"fingerprint at {size} pixels": synthetic.fingerprint(size, SEED)
            for size in sorted(set(sizes))
        },
    }
    return pd.Series(rows, name="value").rename_axis("of the set").to_frame()


def tolerance_sentence() -> str:
    """By how much the images of another machine may be off."""
    return (
        f"Images of other machines may be off by {LEVELS_OFF} of 255 levels at most, and in fewer "
        f"than {SHARE_OFF:.0%} of their values."
    )


def repeated_sentence(faces: Faces, count: int = 4) -> str:
    """Render a few images of a set again, each alone, and say whether they are the same."""
    rows = np.linspace(0, len(faces) - 1, count).round().astype(int)
    specs = list(synthetic.face_specs(faces.index.table.iloc[rows], SEED))
    size = int(faces.images.shape[1])
    again = [synthetic.render_face(spec, size, paths.faces_cache()) for spec in specs]
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
    for number in SUBJECTS:
        who = person(number)
        drawn = draw_appearance(who, stream(seed, number, "appearance"))
        red, green, blue = to_srgb(drawn.skin).tolist()
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
    return table[[*(cut.name.lower() for cut in Cut if cut.name.lower() in table), "all"]]


def knobs_table(study: Study) -> pd.DataFrame:
    """What makes the set hard: the default of each knob, its range, and what it does.

    A study of other knobs has a column of its own.
    """
    said = _attributes(Difficulty)
    columns: dict[str, dict[str, object]] = {
        "default": {name: f"{value:g}" for name, value in USUAL.values.items()}
    }
    if study.source.startswith("synthetic:"):
        own = difficulty_of(study.source).values
        columns["this run"] = {name: f"{value:g}" for name, value in own.items()}
    columns["range"] = {name: f"{low:g} to {high:g}" for name, (low, high) in KNOBS.items()}
    columns["what it is"] = {name: said[name] for name in KNOBS}
    return pd.DataFrame(columns).rename_axis("knob")


def _attributes(described: type) -> dict[str, str]:
    """What the docstring of a class says of each attribute."""
    text = inspect.getdoc(described) or ""
    section = text.partition("Attributes:\n")[2].partition("\n\n")[0]
    found = re.findall(r"(?m)^    (\w+): (.+(?:\n     .+)*)", section)
    return {name: re.sub(r"\s+", " ", said).replace("`", "") for name, said in found}
