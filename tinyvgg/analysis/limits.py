"""How many errors are explained: all, unless they are so many that memory and time would not do."""

from dataclasses import replace

import numpy as np

from tinyvgg.training.runs import Run

PIXELS = 300 * 64 * 64
"""Pixels of images that are explained at most; those of 300 images of the profile quick."""
FEWEST = 24


def most_errors(size: int) -> int:
    """Errors that are explained at most, for images of a size."""
    return max(FEWEST, PIXELS // size**2)


def limited(run: Run, most: int, seed: int = 0) -> Run:
    """The run with fewer errors in its test part: `most` drawn at random, and all right images."""
    if len(run.errors) <= most:
        return run
    generator = np.random.default_rng(seed)
    dropped = generator.permutation(run.errors)[most:]
    kept = np.setdiff1d(np.arange(len(run.labels)), dropped)
    split = replace(run.split, test=run.split.test[kept])
    return replace(run, split=split, logits=run.logits[kept])
