"""Two runs side by side: settings, versions, accuracy and weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from safetensors.numpy import load_file

from tinyvgg.chapters.statistics import (
    Interval,
    difference_of_proportions,
    mcnemar,
    paired_difference,
)
from tinyvgg.training import runs as run_folder
from tinyvgg.training.runs import COMPLETE, Entry

VERSIONS = ("tinyvgg", "python", "torch", "numpy", "device", "processes")


@dataclass(frozen=True)
class Paired:
    """How two networks do on the same test images.

    Attributes:
        only_first: images that the first one alone gets wrong.
        only_second: that the second one alone gets wrong.
        both: that both get wrong.
        p: exact p value of McNemar's test that both err equally often.
    """

    only_first: int
    only_second: int
    both: int
    p: float


@dataclass(frozen=True)
class Comparison:
    """The accuracy of the first run minus that of the second.

    Attributes:
        difference: of the shares.
        interval: Newcombe's, 95 %; for paired shares where the test images are the same.
        paired: on these; None where they are others.
    """

    difference: float
    interval: Interval
    paired: Paired | None


def differing(first: Entry, second: Entry) -> list[tuple[str, str, str]]:
    """Settings and versions that are not the same: name, the first's value, the second's."""
    left, right = (
        {**_flat(entry.configuration), **{name: entry.manifest.get(name) for name in VERSIONS}}
        for entry in (first, second)
    )
    names = dict.fromkeys([*left, *right])
    return [
        (name, _shown(left.get(name)), _shown(right.get(name)))
        for name in names
        if left.get(name) != right.get(name)
    ]


def compare(first: Entry, second: Entry) -> Comparison | None:
    """The difference of the accuracies; None unless both are complete."""
    if {first.state, second.state} != {COMPLETE}:
        return None
    (right, n), (others_right, m) = _counts(first), _counts(second)
    wrong, others_wrong = _same_test(first, second)
    difference = right / n - others_right / m
    if wrong is None or others_wrong is None:
        interval = difference_of_proportions(right, n, others_right, m)
        return Comparison(difference, interval, None)
    both = int((wrong & others_wrong).sum())
    only_first, only_second = int(wrong.sum()) - both, int(others_wrong.sum()) - both
    neither_wrong = len(wrong) - both - only_first - only_second
    interval = paired_difference(neither_wrong, only_second, only_first, both)
    paired = Paired(only_first, only_second, both, mcnemar(only_first, only_second))
    return Comparison(difference, interval, paired)


def weights_apart(first: Entry, second: Entry) -> float | None:
    """The largest difference of two weights, 0 for identical ones; None for other shapes.

    Both runs have to be complete.
    """
    left, right = (load_file(entry.folder / run_folder.WEIGHTS) for entry in (first, second))
    shapes = [{name: array.shape for name, array in side.items()} for side in (left, right)]
    if shapes[0] != shapes[1]:
        return None
    return max(float(np.abs(left[name] - right[name]).max()) for name in left)


def _counts(entry: Entry) -> tuple[int, int]:
    """Test images that are right, and all of them."""
    tested: int = entry.manifest["test_images"]
    return tested - int(entry.manifest["errors"]), tested


def _same_test(
    first: Entry, second: Entry
) -> tuple[Bool[np.ndarray, "n"] | None, Bool[np.ndarray, "n"] | None]:
    """Which images each gets wrong, where they are the same; None where they are not."""
    about = ("task", "fingerprint", "classes")
    if any(first.configuration.get(name) != second.configuration.get(name) for name in about):
        return None, None
    left, right = _predictions(first), _predictions(second)
    if "labels" not in left or "labels" not in right:  # as before they were kept
        return None, None
    if not np.array_equal(left["rows"], right["rows"]):
        return None, None
    wrong, others_wrong = (side["logits"].argmax(1) != side["labels"] for side in (left, right))
    return wrong, others_wrong


def _predictions(entry: Entry) -> dict[str, Shaped[np.ndarray, "n ..."]]:
    with np.load(entry.folder / run_folder.PREDICTIONS) as stored:
        return dict(stored)


def _flat(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by name; those in groups that have the same name elsewhere keep their group's."""
    flat: dict[str, Any] = {}
    for name, value in configuration.items():
        if isinstance(value, dict):
            flat.update(_flat(value, "images " if name == "images" else ""))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > 4:
        return f"{len(value)} names, {value[0]} to {value[-1]}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
