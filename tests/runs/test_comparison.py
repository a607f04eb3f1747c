"""Two runs side by side."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.numpy import save_file

from tinyvgg.chapters import statistics as metrics
from tinyvgg import run_text
from tinyvgg.comparison import compare
from tinyvgg.comparison import differing
from tinyvgg.comparison import weights_apart
from tinyvgg.training.runs import describe


def predict(shelf: Any, folder: Path, wrong: list[int], **other: Any) -> None:
    """Let a run get these test images wrong, and no others."""
    stored = dict(np.load(folder / "predictions.npz"))
    labels = stored["labels"]
    answers = np.where(np.isin(np.arange(len(labels)), wrong), 1 - labels, labels)
    stored["logits"] = np.eye(2, dtype=np.float32)[answers]
    np.savez(folder / "predictions.npz", **{**stored, **other})
    shelf.rehash(folder, "predictions.npz")
    facts = {"errors": len(wrong), "accuracy": 1 - len(wrong) / len(labels)}
    shelf.edit(folder, "manifest.json", **facts)


@pytest.fixture
def two(shelf: Any) -> tuple[Any, Path, Path]:
    first, second = shelf.copy("first"), shelf.copy("second")
    predict(shelf, first, [0, 1, 2, 3])
    predict(shelf, second, [3, 4])
    return shelf, first, second


def test_on_the_same_images_errors_are_compared_in_pairs(two: tuple[Any, Path, Path]) -> None:
    _, first, second = two
    found = compare(describe(first), describe(second))
    assert found is not None
    assert found.difference == pytest.approx(-0.2)
    assert found.paired is not None
    assert (found.paired.only_first, found.paired.only_second, found.paired.both) == (3, 1, 1)
    assert found.paired.p == pytest.approx(2 * (1 + 4) / 2**4)
    assert found.interval == metrics.paired_difference(5, 1, 3, 1)
    assert found.interval.low < found.difference < found.interval.high
    text = run_text.side_by_side(describe(first), describe(second), [], found, 0.0)
    assert "difference: -20.00 points" in text
    assert "wrong: 3 by the first alone, 1 by the second alone, 1 by both" in text
    assert "p = 0.625" in text
    assert "weights: identical" in text


@pytest.mark.parametrize("change", ["rows", "fingerprint", "no labels"])
def test_on_other_images_they_are_not_paired(two: tuple[Any, Path, Path], change: str) -> None:
    shelf, first, second = two
    if change == "fingerprint":
        shelf.configure(second, fingerprint="f" * 16)
    elif change == "rows":
        rows = np.load(second / "predictions.npz")["rows"]
        predict(shelf, second, [3, 4], rows=rows[::-1])
    else:
        stored = dict(np.load(second / "predictions.npz"))
        del stored["labels"]
        np.savez(second / "predictions.npz", **stored)
        shelf.rehash(second, "predictions.npz")
    found = compare(describe(first), describe(second))
    assert found is not None
    assert found.paired is None
    assert found.interval == metrics.difference_of_proportions(6, 10, 8, 10)
    assert "unpaired" in run_text.side_by_side(describe(first), describe(second), [], found, None)


def test_only_what_differs_is_listed(two: tuple[Any, Path, Path]) -> None:
    shelf, first, second = two
    assert differing(describe(first), describe(second)) == []
    shelf.configure(second, seed=8, recipe={"rate": 0.25}, images={"train": 9})
    shelf.edit(second, "manifest.json", torch="9.9", processes=2)
    assert sorted(differing(describe(first), describe(second))) == sorted(
        [
            ("seed", "3", "8"),
            ("rate", "0.05", "0.25"),
            ("images train", "10", "9"),
            ("torch", describe(first).manifest["torch"], "9.9"),
            ("processes", "1", "2"),
        ]
    )


def test_weights_are_identical_or_as_far_apart_as_they_are(two: tuple[Any, Path, Path]) -> None:
    _, first, second = two
    assert weights_apart(describe(first), describe(second)) == 0
    weights = load_file(second / "weights.safetensors")
    name = next(iter(weights))
    weights[name] = weights[name].copy()
    weights[name].flat[3] += 0.5
    save_file(weights, second / "weights.safetensors")
    assert weights_apart(describe(first), describe(second)) == pytest.approx(0.5)
    save_file({name: weights[name]}, second / "weights.safetensors")
    assert weights_apart(describe(first), describe(second)) is None


def test_an_unfinished_run_is_not_compared_by_accuracy(two: tuple[Any, Path, Path]) -> None:
    shelf, first, _ = two
    cut = describe(shelf.interrupted("cut", age=time.time() % 60))
    assert compare(describe(first), cut) is None
    text = run_text.side_by_side(describe(first), cut, [], None, None)
    assert "cannot be compared: cut is interrupted" in text
