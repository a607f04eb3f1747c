"""A small run on random images, and its errors beside their look-alikes."""

import pytest

from tests.helpers import small_runs
from tinyvgg.chapters.cases import Pairs, find_cases, record_pairs
from tinyvgg.training.runs import Run


@pytest.fixture(scope="module")
def run() -> Run:
    """Return the run on emotion; modules about identity have one of their own."""
    return small_runs.run("emotion")


@pytest.fixture(scope="module")
def pairs(run: Run) -> Pairs:
    return record_pairs(run, find_cases(run))
