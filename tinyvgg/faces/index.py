"""One row per image: what every source of faces yields."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Integer, Shaped, UInt8
from torch import Tensor

from tinyvgg.errors import UserError
from tinyvgg.faces.images import ImageFiles
from tinyvgg.faces.parameters import named
from tinyvgg.faces.sources import OPTIONS, SYNTHETIC, parse_source, synthfaces

if TYPE_CHECKING:
    from tinyvgg.faces.looking import Originals

COLUMNS = ("path", "subject", "emotion", "gaze", "angle", "sex", "group", "age", "class", "source")
_ALLOWED: dict[str, tuple[object, ...]] = {
    "emotion": synthfaces.EMOTIONS,
    "gaze": synthfaces.GAZES,
    "angle": synthfaces.ANGLES,
}
_TASKS = ("subject", "emotion", "class")
PIXEL_SCALE = 256.0

Rows = Integer[np.ndarray, "m"] | Sequence[int]


@dataclass(frozen=True)
class FaceIndex:
    """The table of a set of images, with the columns among `COLUMNS` that its source knows.

    Raises:
        UserError: a column, emotion, gaze or angle that is not among the known ones.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        for column in self.table.columns:
            if column not in COLUMNS:
                raise UserError(
                    f"column {column!r} is not one of {', '.join(COLUMNS)}; rename or drop it"
                )
        for column, allowed in _ALLOWED.items():
            if column in self.table:
                self._check_values(column, allowed)

    def _check_values(self, column: str, allowed: tuple[object, ...]) -> None:
        strange = self.table.loc[~self.table[column].isin(list(allowed))]
        if len(strange):
            value = strange[column].tolist()[0]
            where = strange.iloc[0].get("path", f"row {strange.index[0]}")
            raise UserError(
                f"{column} {value!r} in {where!r} is not one of {', '.join(map(str, allowed))}"
            )

    def __len__(self) -> int:
        return len(self.table)

    def has(self, *columns: str) -> bool:
        """Whether the source knows all of these columns."""
        return all(column in self.table for column in columns)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The columns that a network can be trained to tell."""
        return tuple(task for task in _TASKS if task in self.table)

    def classes(self, task: str) -> tuple[str, ...]:
        """The names of the classes of a task, in the order of their labels."""
        return tuple(str(value) for value in sorted(self._column(task).unique()))

    def labels(self, task: str) -> Int[np.ndarray, "n"]:
        """The label of each image: the place of its class in `classes`."""
        codes = self._column(task).astype("category").cat.codes
        return codes.to_numpy(dtype=np.int64)

    def _column(self, task: str) -> "pd.Series[str]":
        if task not in self.tasks:
            raise UserError(
                f"task {task!r} is not one of {', '.join(self.tasks) or 'none'} of this source"
            )
        return self.table[task]


@dataclass(frozen=True)
class Faces:
    """Images with their index.

    Attributes:
        source: where they come from, as `tinyvgg.faces.sources.parse_source` reads it.
        index: one row per image, in the order of `images`.
        images: 8-bit RGB, (n, height, width, 3); of a set that does not fit memory its files, which
            are indexed in the same way.
        fingerprint: a hash of what made the pixels; the same images have the same one.
        originals: the photographs behind the images; None for synthetic ones.
    """

    source: str
    index: FaceIndex
    images: Shaped[np.ndarray, "n h w 3"] | ImageFiles
    fingerprint: str
    originals: "Originals | None" = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def left_out(self) -> pd.DataFrame:
        """Photographs that are not used: columns path and reason; of synthetic faces none."""
        if self.originals is None:
            return pd.DataFrame({"path": [], "reason": []}, dtype=object)
        return self.originals.left_out

    @cached_property
    def kind(self) -> str:
        """The first part of the source: ``synthetic``, ``rafd``, ``london``, ``folder``."""
        return parse_source(self.source).kind

    @property
    def called(self) -> str:
        """What figures call them: ``synthetic faces``, and of a folder its name, not its place."""
        kind, _, name = named(self.source).partition(":")
        if kind in OPTIONS:
            return f"folder {name or 'faces'}"
        return f"{kind} faces, {name}" if name else f"{kind} faces"

    @property
    def framed(self) -> bool:
        """Whether eyes and mouth of frontal faces lie where they do in the synthetic ones."""
        if self.originals is None:
            return self.kind == SYNTHETIC
        return self.originals.cropping.frames_faces

    def pixels(self, rows: Rows | None = None) -> UInt8[Tensor, "m h w 3"]:
        """8-bit pixels of images."""
        chosen = self.images if rows is None else self.images[np.asarray(rows, dtype=np.int64)]
        return torch.from_numpy(np.ascontiguousarray(chosen))

    def tensor(
        self, rows: Rows | None = None, device: str | torch.device = "cpu"
    ) -> Float[Tensor, "m 3 h w"]:
        """Images as the paper's network sees them: RGB divided by 256 (published code), float32."""
        return self.pixels(rows).to(device).permute(0, 3, 1, 2).float() / PIXEL_SCALE
