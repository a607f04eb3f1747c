"""Training and test parts: the same number of images from every cell of the design."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex


@dataclass(frozen=True)
class Split:
    """Rows of the index, ascending: the network learns from some and is tested on the others."""

    train: Int[np.ndarray, "a"]
    test: Int[np.ndarray, "b"]


def cells(index: FaceIndex, task: str) -> list[str]:
    """Return the columns whose combinations are drawn from separately: task and camera angle."""
    index.labels(task)
    return [task, "angle"] if index.has("angle") else [task]


def split(index: FaceIndex, task: str, seed: int = 0, per_cell: int | None = None) -> Split:
    """Draw the training images of every cell at random; the others are the test part.

    Half of each cell trains, rounded down: 12 of 24 images of a subject at an angle, 100 of 201
    of an emotion at an angle, which are the counts of the paper's Table 2.

    `per_cell` is the number of training images of each cell where it is not half: for emotions the
    paper's text has 101.

    Raises:
        UserError: a cell that cannot give both parts an image.
    """
    columns = cells(index, task)
    generator = np.random.default_rng([seed, *task.encode()])
    train: list[np.ndarray] = []
    test: list[np.ndarray] = []
    for values, rows in sorted(index.table.groupby(columns, sort=True).indices.items()):
        have, count = len(rows), len(rows) // 2 if per_cell is None else per_cell
        if not 1 <= count < have:
            names = values if isinstance(values, tuple) else (values,)
            cell = ", ".join(f"{c} {name!r}" for c, name in zip(columns, names, strict=True))
            out = f"choose per_cell from 1 to {have - 1}" if have > 1 else "give it two at least"
            raise UserError(f"{cell} has {have} image(s), {count} to train on; {out}")
        order = generator.permutation(np.sort(rows))
        train.append(order[:count])
        test.append(order[count:])
    return Split(np.sort(np.concatenate(train)), np.sort(np.concatenate(test)))


def hold_out(
    index: FaceIndex, task: str, rows: Int[np.ndarray, "a"], seed: int = 0, one_in: int = 6
) -> Int[np.ndarray, "v"]:
    """Draw a validation part from rows of the training part: one in `one_in` of every cell.

    Raises:
        UserError: cells so small that nothing would be held out.
    """
    generator = np.random.default_rng([seed, one_in, *task.encode()])
    by_cell = index.table.iloc[rows].groupby(cells(index, task), sort=True).indices
    held_out = [
        generator.permutation(rows[places])[: len(places) // one_in]
        for _, places in sorted(by_cell.items())
    ]
    drawn = np.sort(np.concatenate(held_out))
    if not len(drawn):
        raise UserError(
            f"no cell has {one_in} training images, so none can be held out for validation;"
            " choose selection 'last'"
        )
    return drawn
