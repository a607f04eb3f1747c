"""Training and test parts: the same number of images from every cell of the design."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Int

from tinyvgg.errors import UserError

if TYPE_CHECKING:
    from tinyvgg.faces.index import FaceIndex

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS: Mapping[str, str] = {
    **dict.fromkeys((TRAIN, "training"), TRAIN),
    **dict.fromkeys((VALIDATION, "val", "valid", "dev", "publictest"), VALIDATION),
    **dict.fromkeys((TEST, "testing", "privatetest"), TEST),
}
"""Names of the parts of a split, in small letters, and what they mean."""


@dataclass(frozen=True)
class Split:
    """Rows of the index, ascending: the network learns from some and is tested on others.

    The test part decides nothing, unless the recipe says so. By the validation part the epoch is
    chosen, where the recipe says so.
    """

    train: Int[np.ndarray, "a"]
    test: Int[np.ndarray, "b"]
    validation: Int[np.ndarray, "v"] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def cells(table: pd.DataFrame, task: str) -> list[str]:
    """Return the columns whose combinations are drawn from separately: task and camera angle."""
    return [task, "angle"] if "angle" in table and units(table, task) is None else [task]


def units(table: pd.DataFrame, task: str) -> Int[np.ndarray, "n"] | None:
    """Return the number of the unit of each image, which is drawn whole; None if all are alone.

    Twins are in one unit, and so are images of a person or session (the column `together`), unless
    these are the classes of the task.
    """
    from scipy.sparse import coo_array, csgraph

    kept = [column for column in ("together", "twins") if column in table]
    classes = pd.factorize(table[task])[0]
    kept = [column for column in kept if (pd.factorize(table[column])[0] != classes).any()]
    count, edges, first = len(table), [], len(table)
    for column in kept:
        codes, names = pd.factorize(table[column])  # -1 where nothing is known
        known = np.flatnonzero(codes >= 0)
        edges.append(np.stack([known, first + codes[known]]))
        first += len(names)
    if not edges:
        return None
    rows, columns = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(first, first))
    found = csgraph.connected_components(graph, directed=False)[1][:count]
    return None if len(np.unique(found)) == count else found.astype(np.int64)


def too_small(table: pd.DataFrame, task: str) -> dict[str, str]:
    """Return the images of classes that cannot be in both parts, by path, with the reason.

    A class needs images in both parts of a given split; otherwise two units, or two images at each
    angle.
    """
    together, columns = units(table, task), cells(table, task)
    if "split" in table:
        learned = [set(table.loc[table["split"] == part, task]) for part in (TRAIN, TEST)]
        small = ~table[task].isin(learned[0] & learned[1])
        reason = "is of a class that is not in both parts of the split"
    elif together is not None:
        small = table.assign(unit=together).groupby(task)["unit"].transform("nunique") < 2
        reason = "belongs to the only person or group of twins of its class"
    else:
        small = table.groupby(columns)[task].transform("size") < 2
        reason = f"is the only usable one of its class{', at its angle' * (len(columns) > 1)}"
    return dict.fromkeys(table.loc[small, "path"], reason)


def split(index: "FaceIndex", task: str, seed: int = 0, per_cell: int | None = None) -> Split:
    """Draw the training images of every cell at random; the others are the test part.

    Half of each cell trains, rounded down: 12 of 24 images of a subject at an angle, 100 of 201
    of an emotion at an angle, which are the counts of the paper's Table 2. A split that the source
    gives is obeyed, and images that belong together are drawn together (`units`), so that about
    half of each class trains.

    `per_cell` is the number of training images of each cell where it is not half: for emotions the
    paper's text has 101.

    Raises:
        UserError: a cell that cannot give both parts an image.
    """
    labels, table = index.labels(task), index.table
    if "split" in table:
        return Split(*(np.flatnonzero(table["split"] == part) for part in (TRAIN, TEST)))
    generator = np.random.default_rng([seed, *task.encode()])
    if (together := units(table, task)) is not None:
        trains = _draw(labels, together, generator)
        return Split(np.flatnonzero(trains), np.flatnonzero(~trains))
    columns, train, test = cells(table, task), [], []
    for values, rows in sorted(table.groupby(columns, sort=True).indices.items()):
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


def _draw(
    labels: Int[np.ndarray, "n"], together: Int[np.ndarray, "n"], generator: np.random.Generator
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Draw whole units, the largest first, each into the part that lacks more of its classes."""
    names, unit = np.unique(together, return_inverse=True)
    counts = np.zeros((len(names), labels.max() + 1))
    np.add.at(counts, (unit, labels), 1)
    share = counts / counts.sum(0)
    order = generator.permutation(len(names))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    trains, ahead = np.zeros(len(names), bool), np.zeros(counts.shape[1])
    for each in order:
        trains[each] = share[each] @ ahead <= 0
        ahead += share[each] if trains[each] else -share[each]
    for label in range(counts.shape[1]):  # a class that one part lacks gets its smallest unit there
        has = np.flatnonzero(counts[:, label])
        if len({*trains[has]}) == 1:
            smallest = has[np.argmin(counts[has].sum(1))]
            trains[smallest] = ~trains[smallest]
    for part in (trains, ~trains):
        lacking = np.flatnonzero(counts[part].sum(0) == 0)
        if len(lacking):
            raise UserError(
                f"classes cannot be drawn into both parts while persons and twins stay together "
                f"({len(lacking)} would be lacking in one); ::group=none lets persons be in both"
            )
    return trains[unit]


def hold_out(
    index: "FaceIndex", task: str, rows: Int[np.ndarray, "a"], seed: int = 0, one_in: int = 6
) -> Int[np.ndarray, "v"]:
    """Draw a validation part from rows of the training part: one in `one_in` of every cell.

    A validation part that the source gives is obeyed; it is none of the rows.

    Raises:
        UserError: cells so small that nothing would be held out.
    """
    if "split" in index.table and (given := index.table["split"] == VALIDATION).any():
        return np.flatnonzero(given)
    generator = np.random.default_rng([seed, one_in, *task.encode()])
    if (together := units(index.table, task)) is not None:
        there = np.unique(together[rows])
        drawn = rows[np.isin(together[rows], generator.permutation(there)[: len(there) // one_in])]
    else:
        by_cell = index.table.iloc[rows].groupby(cells(index.table, task), sort=True).indices
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
